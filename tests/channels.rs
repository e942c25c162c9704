//! Channels as people handle them: set up, changed, made the default, switched off, and who may.
//!
//! Invariant: a secret goes in and never comes out, but for that of a webhook where it was made.
//! Failure: each test names the answer that came instead.

use pulse_tests::database::Database;
use pulse_tests::messages::{Channel, Posted};
use pulse_tests::prelude::*;
use tokio_postgres::types::Type;

const SECRET: &str = "SG.a-secret-that-must-not-come-back";

fn sendgrid() -> Value {
    json!({"kind": "sendgrid", "name": "Mail", "settings": {
        "api_key": SECRET, "from": {"email": "reports@example.org", "name": "Reports"}}})
}

#[tokio::test]
async fn a_tenant_has_the_channel_of_the_deployment_from_the_beginning() {
    let tenant = Tenant::new().await;
    let listed = tenant
        .client()
        .get("/api/channels")
        .await
        .expect_status(200);
    let channels = listed.list_at("/items");
    assert_eq!(channels.len(), 1);
    let (first, path) = (
        &channels[0],
        format!("/api/channels/{}", listed.text_at("/items/0/id")),
    );
    assert_eq!(
        (&first["kind"], &first["default"]),
        (&json!("default"), &json!(true))
    );
    tenant
        .client()
        .delete(&path)
        .await
        .problem(409, "builtin_channel");
    let another = json!({"kind": "default", "name": "Mine"});
    let refused = tenant.client().post("/api/channels", &another).await;
    refused.problem_of(422).points_at("/kind");
    let renamed = tenant.client().patch(&path, &json!({"name": "Post"})).await;
    assert_eq!(renamed.expect_status(200).at("/name"), "Post");
}

#[tokio::test]
async fn a_secret_is_stored_sealed_and_shown_by_name_only() {
    let tenant = Tenant::new().await;
    let made = tenant
        .client()
        .post("/api/channels", &sendgrid())
        .await
        .expect_status(201);
    let path = format!("/api/channels/{}", made.text_at("/id"));
    assert_eq!(made.at("/secrets"), json!(["api_key"]));
    assert_eq!(made.at("/settings/from/email"), "reports@example.org");
    let change = json!({"name": "Post", "settings": {"region": "eu"}});
    let replies = [
        tenant.client().get(&path).await,
        tenant.client().get("/api/channels").await,
        tenant.client().patch(&path, &change).await,
    ];
    for reply in replies.into_iter().chain([made.clone()]) {
        assert!(!reply.text().contains(SECRET), "{reply}");
    }
    let database = Database::admin().await;
    database.as_tenant(&tenant.id).await;
    let sql = "select to_jsonb(c) from channels c where id = $1::text::uuid";
    let row = database
        .json(sql, &[(&made.text_at("/id"), Type::TEXT)])
        .await;
    assert!(
        row["secrets"]["api_key"]
            .as_str()
            .is_some_and(|sealed| sealed.len() > 60)
    );
    assert!(!row.to_string().contains(SECRET), "{row}");
    assert_eq!(row["settings"]["region"], "eu");
}

#[tokio::test]
async fn a_webhook_shows_its_signing_secret_once_and_again_to_a_repeated_request() {
    let tenant = Tenant::new().await;
    let body =
        json!({"kind": "webhook", "name": "Hook", "settings": {"url": "http://127.0.0.1:9/"}});
    let post = || {
        tenant
            .client()
            .post("/api/channels", &body)
            .header("idempotency-key", "k")
    };
    let first = post().await.expect_status(201);
    let second = post().await.expect_status(201);
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.json(), second.json());
    let secret = first.text_at("/secret");
    assert!(secret.starts_with("whsec_"), "{first}");
    let path = format!("/api/channels/{}", first.text_at("/id"));
    let shown = tenant.client().get(&path).await.expect_status(200);
    assert!(!shown.text().contains(&secret[6..]), "{shown}");
    let rotated = tenant
        .client()
        .call("POST", &format!("{path}/rotate-secret"))
        .await;
    let rotated = rotated.expect_status(200);
    assert_ne!(rotated.text_at("/secret"), secret);
    assert!(rotated.at("/previous_secret_until").is_string());
    let other = Channel::with(&tenant, "outbox", json!({})).await;
    let order = format!("{}/rotate-secret", other.path());
    tenant
        .client()
        .call("POST", &order)
        .await
        .problem(409, "not_a_webhook");
}

#[tokio::test]
async fn every_wrong_setting_is_named() {
    let tenant = Tenant::new().await;
    let post = |body: Value| tenant.client().post("/api/channels", &body);
    let wrong = json!({"kind": "smtp", "name": " ", "default": true,
        "settings": {"host": "mail server", "port": "465", "pasword": "x", "username": "ada"}});
    let mut reply = post(wrong).await.problem(422, "invalid");
    for pointer in [
        "/name",
        "/settings/host",
        "/settings/port",
        "/settings/pasword",
        "/settings/from",
        "/settings/password",
    ] {
        reply = reply.points_at(pointer);
    }
    let twilio = json!({"kind": "twilio", "name": "SMS", "default": true,
        "settings": {"account_sid": "AC0", "auth_token": "t", "from": "+1 415 555 0123"}});
    post(twilio).await.problem_of(422).points_at("/default");
    post(json!({"kind": "fax", "name": "Fax"}))
        .await
        .problem_of(422)
        .points_at("/kind");
    let unknown = json!({"kind": "outbox", "name": "Box", "secret": "mine"});
    post(unknown).await.problem_of(422).points_at("/secret");
    let listed = tenant.client().get("/api/channels").await;
    assert_eq!(listed.list_at("/items").len(), 1);
}

#[tokio::test]
async fn a_change_names_what_changes_and_keeps_the_rest() {
    let tenant = Tenant::new().await;
    let made = tenant
        .client()
        .post("/api/channels", &sendgrid())
        .await
        .expect_status(201);
    let path = format!("/api/channels/{}", made.text_at("/id"));
    assert_eq!(
        (made.at("/version"), made.header("etag")),
        (json!(1), Some("\"1\""))
    );
    let change = json!({"settings": {"reply_to": "desk@example.org"}});
    let changed = tenant
        .client()
        .patch(&path, &change)
        .header("if-match", "\"1\"");
    let changed = changed.await.expect_status(200);
    assert_eq!(changed.at("/version"), 2);
    assert_eq!(changed.at("/settings/reply_to"), "desk@example.org");
    assert_eq!(changed.at("/settings/from"), made.at("/settings/from"));
    let stale = tenant
        .client()
        .patch(&path, &change)
        .header("if-match", "\"1\"");
    stale.await.problem(412, "stale_version");
    let removed = json!({"settings": {"reply_to": null}});
    let removed = tenant
        .client()
        .patch(&path, &removed)
        .await
        .expect_status(200);
    assert_eq!(removed.at("/settings/reply_to"), Value::Null);
    let required = json!({"settings": {"api_key": null}});
    let refused = tenant.client().patch(&path, &required).await;
    refused.problem_of(422).points_at("/settings/api_key");
    tenant.client().delete(&path).await.expect_status(204);
    tenant.client().get(&path).await.problem_of(404);
    tenant.client().patch(&path, &change).await.problem_of(404);
}

#[tokio::test]
async fn one_channel_is_the_default_at_any_time() {
    let tenant = Tenant::new().await;
    let default = || async {
        let listed = tenant
            .client()
            .get("/api/channels")
            .await
            .expect_status(200);
        let all = listed.list_at("/items").into_iter();
        let default: Vec<_> = all.filter(|channel| channel["default"] == true).collect();
        assert_eq!(default.len(), 1, "{listed}");
        default[0]["name"].as_str().expect("a name").to_owned()
    };
    assert_eq!(default().await, "E-mail");
    let make = |name: &str| json!({"kind": "outbox", "name": name, "default": true});
    let first = tenant.client().post("/api/channels", &make("First")).await;
    let first = format!("/api/channels/{}", first.expect_status(201).text_at("/id"));
    assert_eq!(default().await, "First");
    let second = tenant.client().post("/api/channels", &make("Second")).await;
    let second = format!("/api/channels/{}", second.expect_status(201).text_at("/id"));
    assert_eq!(default().await, "Second");
    let yes = tenant
        .client()
        .patch(&first, &json!({"default": true}))
        .await;
    assert_eq!(yes.expect_status(200).at("/default"), true);
    assert_eq!(default().await, "First");
    let no = tenant
        .client()
        .patch(&first, &json!({"default": false}))
        .await;
    assert_eq!(no.expect_status(200).at("/default"), false);
    assert_eq!(default().await, "E-mail");
    tenant
        .client()
        .patch(&second, &json!({"default": true}))
        .await
        .expect_status(200);
    tenant.client().delete(&second).await.expect_status(204);
    assert_eq!(default().await, "E-mail");
}

#[tokio::test]
async fn a_channel_is_for_managers_of_its_own_tenant() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let channel = Channel::with(&tenant, "outbox", json!({})).await;
    let paths = [
        ("GET", channel.path()),
        ("DELETE", channel.path()),
        ("POST", format!("{}/rotate-secret", channel.path())),
    ];
    let agent = tenant.member("agent").await.client;
    for (method, path) in &paths {
        agent
            .call(method, path)
            .await
            .problem(403, "role_not_allowed");
        Client::anonymous().call(method, path).await.problem_of(401);
        other.client().call(method, path).await.problem_of(404);
    }
    let test = format!("{}/test", channel.path());
    let body = json!({"address": "ada@example.org"});
    other.client().post(&test, &body).await.problem_of(404);
    other
        .client()
        .patch(&channel.path(), &json!({"name": "Mine"}))
        .await
        .problem_of(404);
    let manager = tenant.member("manager").await.client;
    manager.get(&channel.path()).await.expect_status(200);
}

#[tokio::test]
async fn a_tenant_has_at_most_fifty() {
    let tenant = Tenant::new().await;
    let body = json!({"kind": "outbox", "name": "Box"});
    for _ in 0..49 {
        tenant
            .client()
            .post("/api/channels", &body)
            .await
            .expect_status(201);
    }
    let over = tenant.client().post("/api/channels", &body).await;
    over.problem(409, "too_many_channels");
    let page = tenant.client().get("/api/channels?limit=30").await;
    let rest = format!(
        "/api/channels?limit=30&cursor={}",
        page.text_at("/next_cursor")
    );
    let rest = tenant.client().get(&rest).await;
    assert_eq!(
        (page.list_at("/items").len(), rest.list_at("/items").len()),
        (30, 20)
    );
}

#[tokio::test]
async fn a_test_goes_the_way_of_any_message() {
    let tenant = Tenant::new().await;
    let channel = Channel::with(&tenant, "outbox", json!({})).await;
    let path = format!("{}/test", channel.path());
    for bad in [
        json!({}),
        json!({"address": "nobody"}),
        json!({"address": "a@b\r\nBcc: x@y.z"}),
    ] {
        let refused = tenant.client().post(&path, &bad).await;
        refused.problem_of(422).points_at("/address");
    }
    let body = json!({"address": "ada@example.org"});
    let post = || {
        tenant
            .client()
            .post(&path, &body)
            .header("idempotency-key", "t")
    };
    let made = post().await.expect_status(201);
    assert_eq!(made.at("/source_kind"), "channel_test");
    assert_eq!(post().await.expect_status(201).at("/id"), made.at("/id"));
    let shown = format!("/api/messages/{}", made.text_at("/id"));
    eventually("the test is sent", || async {
        let shown = tenant.client().get(&shown).await.expect_status(200);
        (shown.at("/status") == "sent").then_some(())
    })
    .await;
    let kept = tenant.client().get("/api/outbox").await.list_at("/items");
    assert_eq!(
        (kept.len(), &kept[0]["recipient"]),
        (1, &json!("ada@example.org"))
    );
}

#[tokio::test]
async fn what_waits_for_a_channel_that_is_switched_off_or_removed_ends_and_says_so() {
    let tenant = Tenant::new().await;
    for (off, code) in [(true, "channel_disabled"), (false, "channel_gone")] {
        let channel = Channel::with(&tenant, "outbox", json!({})).await;
        let recipients = json!([{"channel_id": channel.id, "address": "ada@example.org"}]);
        let posted = Posted::quietly(&tenant, json!({"recipients": recipients})).await;
        match off {
            true => drop(channel.change(json!({"enabled": false})).await),
            false => drop(
                tenant
                    .client()
                    .delete(&channel.path())
                    .await
                    .expect_status(204),
            ),
        }
        let failed = posted.ends("failed").await;
        assert_eq!(failed["last_error"], code);
        assert_eq!(failed["attempt_count"], 0);
        let again = format!(
            "/api/messages/{}/retry",
            failed["id"].as_str().expect("an id")
        );
        tenant
            .client()
            .call("POST", &again)
            .await
            .problem(409, code);
        // What is posted now ends the same way, and does not fail whoever posts it.
        let late = Posted::with(&tenant, json!({"recipients": recipients})).await;
        assert_eq!(
            (&late.answer["made"], &late.answer["failed"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(late.ends("failed").await["last_error"], code);
        if off {
            let test = format!("{}/test", channel.path());
            let body = json!({"address": "ada@example.org"});
            tenant
                .client()
                .post(&test, &body)
                .await
                .problem(409, "channel_disabled");
            let on = channel.change(json!({"enabled": true})).await;
            assert_eq!(on.at("/disabled_at"), Value::Null);
            tenant
                .client()
                .call("POST", &again)
                .await
                .expect_status(200);
            posted.ends("sent").await;
        }
    }
}

#[tokio::test]
async fn a_password_does_not_follow_the_settings_to_another_server() {
    let tenant = Tenant::new().await;
    let settings = json!({"host": "localhost", "username": "ada", "password": "s3cret",
                          "from": {"email": "reports@example.org"}});
    let channel = Channel::with(&tenant, "smtp", settings).await;
    let manager = tenant.member("manager").await.client;
    let elsewhere = json!({"settings": {"host": "127.0.0.1"}});
    let refused = manager.patch(&channel.path(), &elsewhere).await;
    let refused = refused.problem_of(422).points_at("/settings/password");
    assert_eq!(refused.at("/errors/0/code"), "required");
    assert_eq!(
        channel.show().await.at("/settings/host"),
        "localhost",
        "nothing has changed"
    );
    let known = json!({"settings": {"host": "127.0.0.1", "password": "s3cret"}});
    let moved = manager.patch(&channel.path(), &known).await;
    let moved = moved.expect_status(200);
    assert_eq!(moved.at("/settings/host"), "127.0.0.1");
    assert_eq!(moved.at("/secrets"), json!(["password"]));
    let same = json!({"settings": {"port": 587, "security": "starttls"}});
    let same = manager.patch(&channel.path(), &same).await;
    assert_eq!(same.expect_status(200).at("/secrets"), json!(["password"]));
}
