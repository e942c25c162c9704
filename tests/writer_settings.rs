//! Who writes a tenant's reports: set, shown, taken back, and by whom.
//!
//! Invariant: a key goes in and never comes out; it is sent to the address it was given for only.
//! Failure: the answer that came instead.

use pulse_tests::chat::{Chat, KEY, MODEL, attempt, says};
use pulse_tests::client::Call;
use pulse_tests::database::Database;
use pulse_tests::prelude::*;
use pulse_tests::receiver::{Receiver, status};

fn put(client: &Client, body: &Value) -> Call {
    client.call("PUT", "/api/writer").json(body)
}

fn model(url: &str) -> Value {
    json!({"kind": "model", "baseUrl": url, "model": MODEL, "apiKey": KEY})
}

#[tokio::test]
async fn without_a_setting_the_deployment_decides() {
    let tenant = Tenant::new().await;
    let shown = tenant.client().get("/api/writer").await.expect_status(200);
    assert_eq!(
        shown.json(),
        json!({"kind": "builtin", "origin": "deployment", "baseUrl": null, "model": null, "keySet": false,
               "stream": true, "version": 0, "updatedAt": null})
    );
    tenant.client().delete("/api/writer").await.problem_of(404);
}

#[tokio::test]
async fn a_key_is_kept_sealed_and_never_shown() {
    let tenant = Tenant::new().await;
    let set = put(
        tenant.client(),
        &model("https://models.example.org/v1/chat/completions/"),
    );
    let set = set.await.expect_status(200);
    assert_eq!(set.at("/baseUrl"), "https://models.example.org/v1");
    assert_eq!(
        (set.at("/keySet"), set.at("/version"), set.at("/origin")),
        (json!(true), json!(1), json!("tenant"))
    );
    assert_eq!(set.header("etag"), Some("\"1\""));
    let shown = tenant.client().get("/api/writer").await.expect_status(200);
    assert_eq!(shown.json(), set.json());
    for reply in [&set, &shown] {
        assert!(!reply.text().contains(KEY), "{reply}");
    }
    let database = Database::admin().await;
    database.as_tenant(&tenant.id).await;
    let row = database
        .json("select to_jsonb(w) from report_writers w", &[])
        .await;
    assert!(
        row["api_key"]
            .as_str()
            .is_some_and(|sealed| sealed.len() > 40),
        "{row}"
    );
    assert!(!row.to_string().contains(KEY), "{row}");
}

#[tokio::test]
async fn a_key_does_not_follow_the_setting_to_another_address() {
    let tenant = Tenant::new().await;
    let chat = Chat::with([says("Fine.")]).await;
    chat.writes_for(&tenant).await;
    let same = json!({"kind": "model", "baseUrl": chat.url, "model": MODEL, "stream": false});
    let kept = put(tenant.client(), &same).await.expect_status(200);
    assert_eq!(kept.at("/keySet"), true);
    attempt(tenant.client(), "Count.").await.expect_status(200);
    assert_eq!(chat.requests().len(), 1, "the key is still known");

    let thief = Receiver::with([status(200)]).await;
    let elsewhere = json!({"kind": "model", "baseUrl": thief.url, "model": MODEL});
    let moved = put(tenant.client(), &elsewhere).await.expect_status(200);
    assert_eq!(moved.at("/keySet"), false);
    attempt(tenant.client(), "Count.").await.problem_of(503);
    let sent = format!("{:?}", thief.hooks());
    assert!(
        sent.contains("chat/completions") && !sent.contains(KEY),
        "{sent}"
    );

    put(tenant.client(), &model(&chat.url))
        .await
        .expect_status(200);
    let mut forgotten = model(&chat.url);
    forgotten["apiKey"] = Value::Null;
    let forgotten = put(tenant.client(), &forgotten).await.expect_status(200);
    assert_eq!(forgotten.at("/keySet"), false);
}

#[tokio::test]
async fn a_setting_is_changed_under_its_version_and_taken_back() {
    let tenant = Tenant::new().await;
    let chat = Chat::with([says("By the model.")]).await;
    let first = put(tenant.client(), &model(&chat.url)).header("if-match", "\"0\"");
    first.await.expect_status(200);
    let builtin = json!({"kind": "builtin"});
    let stale = put(tenant.client(), &builtin).header("if-match", "\"0\"");
    stale.await.problem(412, "stale_version");
    let reply = attempt(tenant.client(), "Count.").await.expect_status(200);
    assert_eq!(
        (reply.at("/writer"), reply.at("/report")),
        (json!(MODEL), json!("By the model."))
    );
    let second = put(tenant.client(), &builtin).header("if-match", "\"1\"");
    let second = second.await.expect_status(200);
    assert_eq!(
        (
            second.at("/kind"),
            second.at("/keySet"),
            second.at("/version")
        ),
        (json!("builtin"), json!(false), json!(2))
    );
    let reply = attempt(tenant.client(), "Count.").await.expect_status(200);
    assert_eq!(reply.at("/writer"), "builtin");
    let stale = tenant
        .client()
        .delete("/api/writer")
        .header("if-match", "\"1\"");
    stale.await.problem(412, "stale_version");
    tenant
        .client()
        .delete("/api/writer")
        .await
        .expect_status(204);
    let shown = tenant.client().get("/api/writer").await;
    assert_eq!(shown.at("/origin"), "deployment");
}

#[tokio::test]
async fn every_wrong_field_of_a_setting_is_named() {
    let tenant = Tenant::new().await;
    let wrong = json!({"kind": "model", "baseUrl": "ftp://x", "model": " ", "apiKey": "a b"});
    let reply = put(tenant.client(), &wrong).await.problem(422, "invalid");
    reply
        .points_at("/baseUrl")
        .points_at("/model")
        .points_at("/apiKey");
    let reply = put(tenant.client(), &json!({"kind": "model"}))
        .await
        .problem_of(422);
    reply.points_at("/baseUrl").points_at("/model");
    let wrong =
        json!({"kind": "builtin", "baseUrl": "https://x.example", "model": "m", "apiKey": "k"});
    let reply = put(tenant.client(), &wrong).await.problem_of(422);
    reply
        .points_at("/baseUrl")
        .points_at("/model")
        .points_at("/apiKey");
    for (body, pointer) in [
        (json!({"kind": "human"}), "/kind"),
        (json!({"kind": "builtin", "temperature": 1}), "/temperature"),
        (
            json!({"kind": "model", "baseUrl": "https://x.example/v1?key=1", "model": "m"}),
            "/baseUrl",
        ),
        (
            json!({"kind": "model", "baseUrl": "https://u:p@x.example/v1", "model": "m"}),
            "/baseUrl",
        ),
    ] {
        put(tenant.client(), &body)
            .await
            .problem_of(422)
            .points_at(pointer);
    }
    let long =
        json!({"prompt": "x".repeat(20_001), "timezone": "Nowhere", "title": "y".repeat(201)});
    let reply = tenant
        .client()
        .post("/api/writer/try", &long)
        .await
        .problem(422, "invalid");
    reply
        .points_at("/prompt")
        .points_at("/timezone")
        .points_at("/title");
}

#[tokio::test]
async fn admins_set_it_managers_use_it_others_do_not_see_it() {
    let tenant = Tenant::new().await;
    let manager = tenant.member("manager").await.client;
    manager.get("/api/writer").await.expect_status(200);
    put(&manager, &json!({"kind": "builtin"}))
        .await
        .problem(403, "role_not_allowed");
    manager
        .delete("/api/writer")
        .await
        .problem(403, "role_not_allowed");
    attempt(&manager, "Count.").await.expect_status(200);
    for role in ["agent", "read_only"] {
        let client = tenant.member(role).await.client;
        client
            .get("/api/writer")
            .await
            .problem(403, "role_not_allowed");
        attempt(&client, "Count.")
            .await
            .problem(403, "role_not_allowed");
    }
    put(tenant.client(), &json!({"kind": "builtin"}))
        .await
        .expect_status(200);
    let other = Tenant::new().await;
    let theirs = other.client().get("/api/writer").await;
    assert_eq!(
        theirs.at("/origin"),
        "deployment",
        "another tenant's setting is its own"
    );
}
