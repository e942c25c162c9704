//! What the Worker logs: a JSON line for each request, and nothing of the people it is about.
//!
//! Invariant: a line names requests, routes and ids; never a name, an address, a code, a token or a
//! body.
//! Failure: the line that tells too much, or the request that has none.

use pulse_tests::control::Control;
use pulse_tests::prelude::*;
use pulse_tests::receiver::Receiver;
use pulse_tests::webhook::Webhook;
use uuid::Uuid;

/// The lines of one request, once they are written.
async fn lines_of(request: &str) -> Vec<Value> {
    let named = format!("\"request.id\":\"{request}\"");
    eventually("the request is in the log", || async {
        let lines = Control::here().log(&[&named]).await;
        let read = |line: &String| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        (!lines.is_empty()).then(|| lines.iter().map(read).collect())
    })
    .await
}

#[tokio::test]
async fn every_request_has_a_json_line_under_the_id_its_caller_was_told() {
    let tenant = Tenant::new().await;
    let own = format!("mine-{}", Uuid::new_v4());
    for (path, status, route, code) in [
        ("/pulse/tables?limit=1", 200, "/pulse/tables", Value::Null),
        (
            "/pulse/tables/no-id",
            404,
            "/pulse/tables/{id}",
            json!("not_found"),
        ),
        ("/nowhere", 404, "", json!("not_found")),
    ] {
        let told = tenant.client().get(path).await;
        let told = told.header("x-request-id").expect("an id").to_owned();
        let chosen = format!("{own}-{status}-{}", path.len());
        let call = tenant.client().get(path).header("x-request-id", &chosen);
        assert_eq!(call.await.header("x-request-id"), Some(&*chosen));
        for request in [told, chosen] {
            let lines = lines_of(&request).await;
            assert_eq!(lines.len(), 1, "{lines:?}");
            let line = &lines[0];
            let slow = line["duration_ms"].as_i64() > Some(1_000);
            assert_eq!(line["level"], if slow { "warn" } else { "info" }, "{line}");
            assert_eq!(line["message"], "request", "{line}");
            assert_eq!(line["http.method"], "GET", "{line}");
            assert_eq!(line["http.route"], route, "{line}");
            assert_eq!(line["http.status"], status, "{line}");
            assert_eq!(line["code"], code, "{line}");
            assert!(line["duration_ms"].is_i64(), "{line}");
        }
    }
}

/// Everything a person might be known by goes through the Worker, in right requests and in wrong
/// ones, and through the queue.
#[tokio::test]
async fn nothing_personal_is_logged() {
    let mark = Uuid::new_v4().simple().to_string();
    let address = format!("pii-{mark}@example.test");
    let password = format!("password {mark}");
    let account = json!({"email": address, "password": password, "name": format!("Name {mark}")});
    let tenant = Tenant::with(account.clone()).await;
    let event = Event::with_guests([""; 0])
        .of(&tenant)
        .guest(json!({
            "name": format!("Guest {mark}"), "email": address, "barcode": format!("CODE-{mark}"),
            "attention_note": format!("Note {mark}"),
        }))
        .settings(json!({"guest_scanning": true}))
        .open()
        .await;
    let (client, table) = (event.client(), &event.table);
    let receiver = Receiver::new().await;
    let hook = Webhook::with(&tenant, &receiver, json!({})).await;
    let (device, session) = event.paired(json!({"name": format!("Phone {mark}")})).await;
    let pairing = client.call("POST", &format!("{session}/pairing")).await;
    let config = client.get(&format!("/pulse/{table}")).await;
    let (key, made) = tenant.key("agent").await;
    let mut secrets = vec![
        tenant.admin.access(),
        tenant.admin.refresh(),
        device.token().to_owned(),
        pairing.expect_status(201).text_at("/token"),
        config.expect_status(200).text_at("/guest_key"),
        made.text_at("/key"),
        hook.secret.clone(),
        receiver.url.clone(),
    ];

    let wrong = json!({"email": address, "password": format!("wrong {mark}")});
    let login = Client::anonymous().post("/api/auth/login", &wrong);
    login.await.problem_of(401);
    let taken = Client::anonymous().post("/api/auth/register", &{
        let mut again = account.clone();
        again["tenant_name"] = json!(format!("Tenant {mark}"));
        again
    });
    taken.await.problem_of(409);
    let (invitation, _) = tenant.invite("agent").await;
    secrets.push(invitation.text_at("/token"));

    let scan = |body: Value| event.scan_by(&device, body);
    let code = event.code(&format!("Guest {mark}"));
    scan(json!({"barcode": code, "notes": mark}))
        .await
        .expect_status(201);
    scan(json!({"barcode": format!("nobody's {mark}")}))
        .await
        .expect_status(200);
    scan(json!({"walk_in": {"name": format!("Walk {mark}"), "email": address}}))
        .await
        .expect_status(201);
    scan(json!({"barcode": code, "gate": format!("Gate {mark}")})).await;
    event.recorded().await;
    receiver.received(3).await;

    for path in [
        format!("/pulse/tables/{table}/rows?q={mark}"),
        format!("/pulse/tables/{table}/rows?nonsense={mark}"),
        format!("/pulse/tables/{mark}/rows"),
        format!("/{mark}"),
        format!("/pulse/check-ins?table_id={table}&gate={mark}"),
    ] {
        client.get(&path).await;
        key.get(&path).await;
    }
    for body in [
        format!("{{\"{mark}\":"),
        format!("{{\"name\":{{\"{mark}\":1}}}}"),
    ] {
        let call = client.call("POST", "/pulse/tables");
        call.body("application/json", body)
            .await
            .expect_status_4xx();
    }
    let file = format!("name,email\n{mark},no address {mark}\n");
    let import = client.call("POST", &format!("/pulse/tables/{table}/import"));
    import.body("text/csv", file).await.problem_of(422);
    let forged = Client::anonymous().with_token(&format!("{}{mark}", tenant.admin.access()));
    forged.get("/pulse/tables").await.problem_of(401);
    let last = format!("last-{}", Uuid::new_v4());
    client
        .get("/pulse/tables")
        .header("x-request-id", &last)
        .await;
    lines_of(&last).await;

    secrets.push(mark);
    let told: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let lines = Control::here().log(&told).await;
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}
