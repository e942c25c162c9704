//! The conventions every route shares: problems, request ids, headers, CORS, pages, limits.
//!
//! Invariant: no input of any kind is answered with a 5xx.
//! Failure: each test names what it found instead.

use futures_util::future::join_all;
use pulse_tests::prelude::*;
use pulse_tests::stack::CORS_ORIGIN;
use uuid::Uuid;

fn list(name: &str) -> Value {
    json!({"name": name, "timezone": "Europe/Berlin"})
}

#[tokio::test]
async fn broken_json_is_a_problem_of_status_400() {
    let tenant = Tenant::new().await;
    for body in [
        "",
        "{",
        "{\"name\":",
        "nul",
        "{\"name\":\"a\"} x",
        "'a'",
        "{\"name\":NaN}",
    ] {
        let call = tenant
            .client()
            .call("POST", "/pulse/tables")
            .body("application/json", body);
        call.await.problem(400, "malformed_json");
    }
}

#[tokio::test]
async fn an_unknown_field_is_named_by_its_pointer() {
    let tenant = Tenant::new().await;
    let mut body = list("List");
    body["nmae"] = json!(1);
    let reply = tenant.client().post("/pulse/tables", &body).await;
    reply.problem_of(422).points_at("/nmae");
    let table = tenant.table("UTC").await;
    let body = json!({"table_id": table, "settings": {"allow_rentry": true}});
    tenant
        .client()
        .post("/pulse", &body)
        .await
        .problem_of(422)
        .points_at("/settings/allow_rentry");
}

#[tokio::test]
async fn every_wrong_field_is_named_not_only_the_first() {
    let tenant = Tenant::new().await;
    let body = json!({"name": "", "timezone": "Mars/Olympus"});
    let reply = tenant
        .client()
        .post("/pulse/tables", &body)
        .await
        .problem_of(422);
    reply.points_at("/name").points_at("/timezone");
}

#[tokio::test]
async fn a_body_of_another_type_is_a_415() {
    let tenant = Tenant::new().await;
    let body = list("List").to_string();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "json",
    ] {
        let call = tenant
            .client()
            .call("POST", "/pulse/tables")
            .body(kind, body.clone());
        call.await.problem(415, "unsupported_media_type");
    }
    let with_charset = "application/json; charset=utf-8";
    let call = tenant
        .client()
        .call("POST", "/pulse/tables")
        .body(with_charset, body);
    call.await.expect_status(201);
}

#[tokio::test]
async fn an_unknown_path_is_a_404_and_a_wrong_method_a_405_with_allow() {
    let client = Tenant::new().await.client().clone();
    for path in ["/pulse/tables/x/y/z", "/api/nothing", "/live/nothing"] {
        client.get(path).await.problem_of(404);
    }
    let reply = client
        .delete("/api/auth/login")
        .await
        .problem(405, "method_not_allowed");
    assert!(reply.header("allow").expect("Allow").contains("POST"));
    let reply = client.call("PUT", "/pulse/tables").await.problem_of(405);
    let allow = reply.header("allow").expect("Allow");
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
}

#[tokio::test]
async fn an_id_that_is_none_or_nobodys_is_a_404() {
    let client = Tenant::new().await.client().clone();
    for id in [
        "x",
        "1",
        "%00",
        "..%2f",
        "00000000-0000-0000-0000-000000000000",
        &Uuid::new_v4().to_string(),
    ] {
        for path in [
            "/pulse/tables/",
            "/pulse/",
            "/pulse/dashboard/",
            "/api/tenants/",
        ] {
            client.get(&format!("{path}{id}")).await.problem_of(404);
        }
    }
}

/// Seed defect: `/{table_id}` shadowed these paths.
#[tokio::test]
async fn literal_paths_win_over_parameters() {
    let event = Event::with_guests(["Ada"]).open().await;
    for path in ["/pulse/check-ins", "/pulse/sessions"] {
        let reply = event
            .client()
            .get(&format!("{path}?table_id={}", event.table))
            .await;
        assert!(reply.expect_status(200).at("/items").is_array());
    }
}

#[tokio::test]
async fn a_request_id_is_taken_over_or_made() {
    let client = Client::anonymous();
    let mine = format!("test-{}", Uuid::new_v4());
    let reply = client
        .get("/api/auth/me")
        .header("x-request-id", &mine)
        .await
        .problem_of(401);
    assert_eq!(reply.header("x-request-id"), Some(&*mine));
    let made = client.get("/health").await;
    assert!(made.header("x-request-id").is_some_and(|id| id.len() >= 16));
    for bad in ["has space", "quote\"", &"x".repeat(500)] {
        let reply = client.get("/health").header("x-request-id", bad).await;
        assert_ne!(reply.header("x-request-id"), Some(bad));
    }
}

#[tokio::test]
async fn every_answer_carries_timing_and_security_headers() {
    let tenant = Tenant::new().await;
    let replies = [
        tenant
            .client()
            .get("/pulse/tables")
            .await
            .expect_status(200),
        tenant
            .client()
            .get("/pulse/nothing")
            .await
            .expect_status(404),
        tenant
            .client()
            .post("/pulse/tables", &json!({}))
            .await
            .expect_status(422),
        Client::anonymous()
            .get("/api/auth/me")
            .await
            .expect_status(401),
    ];
    for reply in &replies {
        assert!(
            reply
                .header("server-timing")
                .is_some_and(|timing| timing.contains("total;dur="))
        );
        assert_eq!(
            reply.header("x-content-type-options"),
            Some("nosniff"),
            "{reply}"
        );
        assert!(reply.header("referrer-policy").is_some(), "{reply}");
        assert!(
            reply.header("strict-transport-security").is_some(),
            "{reply}"
        );
        let policy = reply.header("content-security-policy").expect("a policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{reply}");
    }
    let timing = replies[0].header("server-timing").expect("timing");
    assert!(
        timing.split(',').count() >= 2,
        "the database's share is missing: {timing}"
    );
}

#[tokio::test]
async fn cors_is_an_allow_list() {
    let client = Client::anonymous();
    let allowed = client
        .get("/api/auth/me")
        .header("origin", CORS_ORIGIN)
        .await;
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        Some(CORS_ORIGIN)
    );
    let exposed = allowed
        .header("access-control-expose-headers")
        .expect("exposed")
        .to_owned();
    assert!(
        exposed.contains("x-request-id") && exposed.contains("etag"),
        "{exposed}"
    );
    for origin in [
        "https://evil.test",
        &format!("{CORS_ORIGIN}.evil.test"),
        "null",
        &CORS_ORIGIN.replace("https", "http"),
    ] {
        let reply = client.get("/api/auth/me").header("origin", origin).await;
        assert_eq!(
            reply.header("access-control-allow-origin"),
            None,
            "{origin}"
        );
        let preflight = client
            .call("OPTIONS", "/pulse/tables")
            .header("origin", origin);
        let reply = preflight
            .header("access-control-request-method", "POST")
            .await;
        assert_eq!(
            reply.header("access-control-allow-origin"),
            None,
            "{origin}"
        );
    }
    let preflight = client
        .call("OPTIONS", "/pulse/tables")
        .header("origin", CORS_ORIGIN);
    let reply = preflight
        .header("access-control-request-method", "POST")
        .await;
    let reply = reply.expect_status(204);
    assert_eq!(
        reply.header("access-control-allow-origin"),
        Some(CORS_ORIGIN)
    );
    assert!(
        reply
            .header("access-control-allow-methods")
            .is_some_and(|it| it.contains("PATCH"))
    );
    let headers = reply
        .header("access-control-allow-headers")
        .expect("headers")
        .to_lowercase();
    for header in [
        "authorization",
        "content-type",
        "idempotency-key",
        "if-match",
    ] {
        assert!(headers.contains(header), "{header} is missing: {headers}");
    }
}

#[tokio::test]
async fn pages_show_everything_once_newest_first() {
    let tenant = Tenant::new().await;
    let mut made = Vec::new();
    for number in 0..7 {
        let call = tenant
            .client()
            .post("/pulse/tables", &list(&format!("List {number}")));
        made.push(call.await.expect_status(201).text_at("/id"));
    }
    made.reverse();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = tenant
            .client()
            .get(&format!("/pulse/tables?limit=3{cursor}"))
            .await
            .expect_status(200);
        let items = page.list_at("/items");
        assert!(!items.is_empty() && items.len() <= 3, "{page}");
        seen.extend(
            items
                .iter()
                .map(|item| item["id"].as_str().expect("an id").to_owned()),
        );
        match page.at("/next_cursor") {
            Value::String(next) => cursor = format!("&cursor={next}"),
            Value::Null => break,
            other => panic!("{other}"),
        }
    }
    assert_eq!(seen, made);
}

#[tokio::test]
async fn a_limit_or_cursor_that_is_none_is_refused() {
    let tenant = Tenant::new().await;
    for (query, status) in [
        ("limit=0", 422),
        ("limit=201", 422),
        ("limit=-1", 422),
        ("limit=x", 422),
        ("cursor=x", 422),
        ("cursor=eyJhIjoxfQ", 422),
        ("cursor=%00", 422),
        ("unknown=1", 400),
    ] {
        let reply = tenant.client().get(&format!("/pulse/tables?{query}")).await;
        reply.problem_of(status);
    }
    tenant
        .client()
        .get("/pulse/tables?limit=200")
        .await
        .expect_status(200);
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let tenant = Tenant::new().await;
    let path = format!("/pulse/tables/{}", tenant.table("UTC").await);
    let head = tenant.client().call("HEAD", &path).await.expect_status(200);
    assert!(head.body.is_empty() && head.header("etag").is_some());
    assert_eq!(
        tenant.client().call("HEAD", "/pulse/tables/x").await.status,
        404
    );
}

#[tokio::test]
async fn the_api_document_names_every_route_of_the_seed() {
    let document = Client::anonymous()
        .get("/openapi.json")
        .await
        .expect_status(200)
        .json();
    assert!(
        document["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.1"))
    );
    let paths = document["paths"].as_object().expect("paths");
    let names = |path: &str| {
        path.split('/')
            .filter(|part| !part.starts_with('{'))
            .collect::<Vec<_>>()
            .join("/")
    };
    for (method, path) in [
        ("post", "/pulse"),
        ("get", "/pulse/{table_id}"),
        ("patch", "/pulse/{table_id}"),
        ("delete", "/pulse/{table_id}"),
        ("post", "/pulse/check-ins"),
        ("get", "/pulse/check-ins"),
        ("get", "/pulse/check-ins/{id}"),
        ("post", "/pulse/sessions"),
        ("get", "/pulse/sessions"),
        ("patch", "/pulse/sessions/{id}"),
        ("get", "/pulse/dashboard/{table_id}"),
    ] {
        let same = |known: &str| {
            known.split('/').count() == path.split('/').count() && names(known) == names(path)
        };
        let found = paths
            .iter()
            .any(|(known, methods)| same(known) && methods[method].is_object());
        assert!(found, "{method} {path} is missing");
    }
    let page = Client::anonymous().get("/docs").await.expect_status(200);
    assert!(
        page.header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html"))
    );
}

/// A credential that calls without end is slowed down; the others do not notice.
#[tokio::test]
async fn a_runaway_credential_is_told_to_wait_and_disturbs_nobody() {
    let (runaway, calm) = (Tenant::new().await, Tenant::new().await);
    let path = "/pulse/check-ins/no-id";
    let mut told = None;
    for _ in 0..400 {
        let calls = (0..50).map(|_| runaway.client().get(path).into_future());
        let replies = join_all(calls).await;
        told = replies.into_iter().find(|reply| reply.status == 429);
        if told.is_some() {
            break;
        }
    }
    let told = told.expect("20,000 calls at once are too many");
    let told = told.problem(429, "too_many_requests");
    let wait = told
        .header("retry-after")
        .and_then(|wait| wait.parse::<u32>().ok());
    assert!(wait.is_some_and(|wait| wait >= 1), "{told}");
    calm.client().get(path).await.expect_status(404);
}
