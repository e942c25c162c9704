//! Input that nobody should send: too large, of the wrong shape, no text at all.
//!
//! Invariant: no input of any kind is answered with a 5xx or costs the connection.
//! Failure: the input and its answer.

use pulse_tests::prelude::*;

fn list(name: &str) -> Value {
    json!({"name": name, "timezone": "Europe/Berlin"})
}

#[tokio::test]
async fn a_body_too_large_is_a_413() {
    let tenant = Tenant::new().await;
    let mut body = list("Large");
    body["name"] = json!("x".repeat(2 << 20));
    tenant
        .client()
        .post("/pulse/tables", &body)
        .await
        .problem_of(413);
}

/// A client that keeps its connection must not lose its next answer to a refusal.
#[tokio::test]
async fn a_body_that_was_refused_unread_does_not_cost_the_next_request() {
    let tenant = Tenant::new().await;
    let body = "x".repeat(100_000);
    let nowhere = format!("/pulse/tables/{}/import", uuid::Uuid::new_v4());
    for (path, kind) in [
        ("/pulse/tables", "text/plain"),
        ("/api/nothing", "application/json"),
        (&nowhere, "text/csv"),
    ] {
        for _ in 0..20 {
            let call = tenant.client().call("POST", path).body(kind, body.clone());
            let reply = call.await;
            assert!(matches!(reply.status, 400 | 404 | 415 | 422), "{reply}");
            let next = tenant.client().get("/pulse/tables").await;
            next.expect_status(200);
        }
    }
}

/// No input, however strange, makes the server fail.
#[tokio::test]
async fn strange_bodies_are_refused_never_failed_on() {
    let event = Event::with_guests(["Ada"]).open().await;
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let bodies: [&[u8]; 14] = [
        b"null",
        b"[]",
        b"7",
        b"\"x\"",
        b"true",
        b"{}",
        b"{\"name\":1e999}",
        b"{\"name\":\"\\u0000\"}",
        b"{\"name\":\"\\ud800\"}",
        b"\xff\xfe",
        b"{\"name\":null,\"name\":1}",
        b"{\"table_id\":\"x\"}",
        b"{\"name\":18446744073709551616,\"timezone\":-0.0}",
        deep.as_bytes(),
    ];
    let table = &event.table;
    let routes = [
        ("POST", "/api/auth/register".to_owned()),
        ("POST", "/api/auth/login".into()),
        ("POST", "/api/auth/refresh".into()),
        ("POST", "/api/invitations/accept".into()),
        ("POST", "/pulse/tables".into()),
        ("POST", "/pulse".into()),
        ("POST", "/pulse/check-ins".into()),
        ("POST", "/pulse/sessions".into()),
        ("PATCH", format!("/pulse/{table}")),
        ("POST", format!("/pulse/tables/{table}/rows")),
        ("POST", format!("/pulse/tables/{table}/import")),
        (
            "PATCH",
            format!("/pulse/tables/{table}/rows/{}", event.row_id("Ada")),
        ),
    ];
    for (method, path) in &routes {
        for body in bodies {
            let call = event
                .client()
                .call(method, path)
                .body("application/json", body.to_vec());
            let reply = call.await;
            assert!(
                reply.status < 500,
                "{} made {reply}",
                String::from_utf8_lossy(&body[..body.len().min(60)])
            );
        }
    }
}

#[tokio::test]
async fn strange_queries_are_refused_never_failed_on() {
    let event = Event::with_guests(["Ada"]).open().await;
    for query in [
        "%",
        "%zz",
        "=",
        "&&&",
        "a=%00",
        "limit=%F0%28%8C%28",
        "q=%00",
        "q=%27%3B--",
        "from=yesterday",
        "from=9999-99-99T99:99:99Z",
        "row_id=x",
        "table_id=",
        "verdict=%F0%9F%A6%86",
        "cursor=%2E%2E%2F",
    ] {
        for path in [
            "/pulse/check-ins",
            "/pulse/sessions",
            "/pulse/tables",
            &format!("/pulse/tables/{}/rows", event.table),
        ] {
            let reply = event
                .client()
                .get(&format!("{path}?table_id={}&{query}", event.table))
                .await;
            assert!(reply.status < 500, "{query}: {reply}");
        }
    }
}
