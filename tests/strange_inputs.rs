//! Input that nobody should send: too large, of the wrong shape, no text at all.
//!
//! Invariant: no input of any kind is answered with a 5xx or costs the connection.
//! Failure: the input and its answer.

use pulse_tests::prelude::*;
use pulse_tests::stack;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

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

/// A connection that is used again and again, as browsers and proxies do.
struct Kept(BufStream<TcpStream>);

impl Kept {
    async fn open() -> Self {
        let url = stack::url();
        let place = url.strip_prefix("http://").expect("plain HTTP");
        Self(BufStream::new(
            TcpStream::connect(place).await.expect("the Worker"),
        ))
    }

    /// The status of the answer to one request; the connection must outlive it.
    async fn ask(&mut self, method: &str, path: &str, client: &Client, body: (&str, &[u8])) -> u16 {
        let (kind, body) = body;
        let token = client.token();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: pulse\r\nauthorization: Bearer {token}\r\n\
             content-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let sent = async {
            self.0.write_all(head.as_bytes()).await?;
            self.0.write_all(body).await?;
            self.0.flush().await
        };
        let asked = format!("{method} {path} with {} bytes", body.len());
        sent.await
            .unwrap_or_else(|error| panic!("{asked}: {error}"));
        let (mut status, mut length, mut chunked) = (0, 0, false);
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line).await;
            assert!(
                read.as_ref().is_ok_and(|read| *read > 0),
                "{asked}: {read:?} instead of an answer"
            );
            let line = line.trim_end().to_ascii_lowercase();
            match line.split_once(':') {
                _ if line.is_empty() => break,
                Some(("content-length", value)) => length = value.trim().parse().expect("a length"),
                Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
                Some(("connection", value)) => {
                    assert_ne!(value.trim(), "close", "{asked} costs the connection");
                }
                Some(_) => {}
                None => {
                    let code = line.split(' ').nth(1).expect("a status");
                    status = code.parse().expect("a status");
                }
            }
        }
        while chunked {
            let mut size = String::new();
            self.0.read_line(&mut size).await.expect("a chunk");
            let size = usize::from_str_radix(size.trim(), 16).expect("a size");
            self.0
                .read_exact(&mut vec![0; size + 2])
                .await
                .expect("a chunk");
            chunked = size > 0;
        }
        self.0
            .read_exact(&mut vec![0; length])
            .await
            .expect("a body");
        status
    }
}

/// A client that keeps its connection must not lose its next answer to a refusal.
#[tokio::test]
async fn a_body_that_was_refused_unread_does_not_cost_the_next_request() {
    let tenant = Tenant::new().await;
    let table = tenant.table("UTC").await;
    let import = |table: &str| format!("/pulse/tables/{table}/import");
    let nowhere = import(&uuid::Uuid::new_v4().to_string());
    let agent = tenant.member("agent").await.client;
    // What an ordinary call may send; of a file as much as an upload may have.
    let (body, file) = ("x".repeat(100_000), "x".repeat(5_000_000));
    let own = import(&table);
    for (path, client, kind, body, status) in [
        ("/pulse/tables", tenant.client(), "text/plain", &body, 415),
        (
            "/api/nothing",
            tenant.client(),
            "application/json",
            &body,
            404,
        ),
        (&nowhere, tenant.client(), "text/csv", &body, 404),
        (&nowhere, tenant.client(), "text/csv", &file, 404),
        (&own, &agent, "text/csv", &file, 403),
        (&own, tenant.client(), "text/csv", &file, 422),
    ] {
        let mut kept = Kept::open().await;
        for _ in 0..5 {
            let refused = kept.ask("POST", path, client, (kind, body.as_bytes()));
            assert_eq!(refused.await, status, "{path}");
            let next = kept.ask("GET", "/pulse/tables", tenant.client(), (kind, b""));
            assert_eq!(next.await, 200, "after {path}");
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
