//! Webhooks as people handle them: made, changed, switched off, and who may.
//!
//! Invariant: a secret is shown when it was made and never again.
//! Failure: each test names the answer that came instead.

use pulse_tests::database::Database;
use pulse_tests::prelude::*;
use pulse_tests::receiver::Receiver;
use pulse_tests::webhook::Webhook;
use tokio_postgres::types::Type;

const NOWHERE: &str = "http://127.0.0.1:9/";

fn body() -> Value {
    json!({"url": NOWHERE, "events": ["checkin.*"]})
}

#[tokio::test]
async fn a_secret_is_shown_once_and_stored_sealed() {
    let tenant = Tenant::new().await;
    let made = tenant.client().post("/api/webhooks", &body()).await;
    let made = made.expect_status(201);
    let (id, secret) = (made.text_at("/id"), made.text_at("/secret"));
    assert!(secret.starts_with("whsec_") && secret.len() > 40, "{made}");
    let path = format!("/api/webhooks/{id}");
    let change = json!({"description": "door"});
    for reply in [
        tenant.client().get(&path).await,
        tenant.client().get("/api/webhooks").await,
        tenant.client().patch(&path, &change).await,
        tenant.client().get(&format!("{path}/deliveries")).await,
    ] {
        let reply = reply.expect_status(200);
        assert!(!reply.text().contains("secret\":\"whsec"), "{reply}");
        assert!(!reply.text().contains(&secret[6..]), "{reply}");
    }
    let database = Database::admin().await;
    database.as_tenant(&tenant.id).await;
    let sql = "select to_jsonb(e) from webhook_endpoints e where id = $1::text::uuid";
    let row = database.json(sql, &[(&id, Type::TEXT)]).await;
    assert!(
        row["secret"]
            .as_str()
            .is_some_and(|sealed| sealed.len() > 60)
    );
    assert!(!row.to_string().contains(&secret[6..]), "{row}");
}

#[tokio::test]
async fn a_repeated_request_makes_one_webhook_and_shows_its_secret_again() {
    let tenant = Tenant::new().await;
    let post = || {
        tenant
            .client()
            .post("/api/webhooks", &body())
            .header("idempotency-key", "k")
    };
    let first = post().await.expect_status(201);
    let second = post().await.expect_status(201);
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.json(), second.json());
    let all = tenant.client().get("/api/webhooks").await;
    assert_eq!(all.list_at("/items").len(), 1);
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let tenant = Tenant::new().await;
    let long = "x".repeat(201);
    let wrong = json!({"url": "ftp://x.example/", "events": ["checkin.accepted", "nothing"],
                       "description": long});
    let reply = tenant.client().post("/api/webhooks", &wrong).await;
    let reply = reply.problem(422, "invalid");
    reply
        .points_at("/url")
        .points_at("/events/1")
        .points_at("/description");
    for (url, code) in [
        ("hooks.example.org", "url_malformed"),
        (
            "https://user:pass@hooks.example.org/",
            "url_has_credentials",
        ),
        ("gopher://hooks.example.org/", "url_scheme_not_allowed"),
    ] {
        let wrong = json!({"url": url, "events": ["checkin.*"]});
        let reply = tenant.client().post("/api/webhooks", &wrong).await;
        assert_eq!(
            reply.clone().problem_of(422).at("/errors/0/code"),
            code,
            "{reply}"
        );
    }
    for (events, pointer) in [(json!([]), "/events"), (json!(["ping"]), "/events/0")] {
        let wrong = json!({"url": NOWHERE, "events": events});
        let reply = tenant.client().post("/api/webhooks", &wrong).await;
        reply.problem_of(422).points_at(pointer);
    }
    let unknown = json!({"url": NOWHERE, "events": ["checkin.*"], "secret": "mine"});
    let reply = tenant.client().post("/api/webhooks", &unknown).await;
    reply.problem_of(422).points_at("/secret");
    let all = tenant.client().get("/api/webhooks").await;
    assert_eq!(all.list_at("/items").len(), 0);
}

#[tokio::test]
async fn a_webhook_is_changed_under_its_version() {
    let tenant = Tenant::new().await;
    let made = tenant.client().post("/api/webhooks", &body()).await;
    let path = format!("/api/webhooks/{}", made.text_at("/id"));
    assert_eq!(
        (made.at("/version"), made.header("etag")),
        (json!(1), Some("\"1\""))
    );
    let change = json!({"events": ["checkin.refused", "checkin.accepted"], "description": "door"});
    let changed = tenant
        .client()
        .patch(&path, &change)
        .header("if-match", "\"1\"");
    let changed = changed.await.expect_status(200);
    assert_eq!(changed.at("/version"), 2);
    assert_eq!(
        changed.at("/events"),
        json!(["checkin.accepted", "checkin.refused"])
    );
    let stale = tenant
        .client()
        .patch(&path, &change)
        .header("if-match", "\"1\"");
    stale.await.problem(412, "stale_version");
    let cleared = tenant
        .client()
        .patch(&path, &json!({"description": null}))
        .await;
    assert_eq!(cleared.expect_status(200).at("/description"), Value::Null);
    tenant.client().delete(&path).await.expect_status(204);
    tenant.client().get(&path).await.problem_of(404);
    tenant.client().delete(&path).await.problem_of(404);
}

#[tokio::test]
async fn a_webhook_is_for_managers_of_its_own_tenant() {
    let (event, other) = (
        Event::with_guests(["Ada"]).open().await,
        Tenant::new().await,
    );
    let receiver = Receiver::new().await;
    let hook = Webhook::of(&event, &receiver).await;
    let ping = hook.order("test").await.expect_status(201).text_at("/id");
    let delivery = format!("/api/deliveries/{ping}");
    let paths = [
        ("GET", "/api/webhooks".to_owned()),
        ("GET", hook.path()),
        ("DELETE", hook.path()),
        ("POST", format!("{}/test", hook.path())),
        ("POST", format!("{}/rotate-secret", hook.path())),
        ("GET", format!("{}/deliveries", hook.path())),
        ("GET", delivery.clone()),
        ("POST", format!("{delivery}/retry")),
    ];
    let agent = event.tenant.member("agent").await.client;
    let onlooker = event.tenant.member("read_only").await.client;
    let device = event.door().client().await;
    for (method, path) in &paths {
        for client in [&agent, &onlooker, &device] {
            client
                .call(method, path)
                .await
                .problem(403, "role_not_allowed");
        }
        Client::anonymous().call(method, path).await.problem_of(401);
        if path != "/api/webhooks" {
            other.client().call(method, path).await.problem_of(404);
        }
    }
    let theirs = json!({"url": NOWHERE, "events": ["checkin.*"], "table_id": event.table});
    other
        .client()
        .post("/api/webhooks", &theirs)
        .await
        .problem_of(404);
    let own = Webhook::with(&other, &receiver, json!({})).await;
    own.change(json!({"table_id": event.table}))
        .await
        .problem_of(404);
    let manager = event.tenant.member("manager").await.client;
    manager.get(&hook.path()).await.expect_status(200);
    assert!(hook.show().await.at("/enabled") == true);
}

#[tokio::test]
async fn a_tenant_has_at_most_fifty() {
    let tenant = Tenant::new().await;
    for _ in 0..50 {
        let made = tenant.client().post("/api/webhooks", &body()).await;
        made.expect_status(201);
    }
    let over = tenant.client().post("/api/webhooks", &body()).await;
    over.problem(409, "too_many_webhooks");
    let page = tenant.client().get("/api/webhooks?limit=30").await;
    let next = page.text_at("/next_cursor");
    let rest = format!("/api/webhooks?limit=30&cursor={next}");
    let rest = tenant.client().get(&rest).await;
    assert_eq!(
        (page.list_at("/items").len(), rest.list_at("/items").len()),
        (30, 20)
    );
}

#[tokio::test]
async fn deliveries_are_listed_newest_first_and_found_by_status_and_event() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let receiver = Receiver::new().await;
    let hook = Webhook::of(&event, &receiver).await;
    for guest in ["Ada", "Bob", "Ada", "nobody"] {
        event.door().scan(guest).await;
    }
    event.recorded().await;
    hook.order("test").await.expect_status(201);
    let all = hook.settled("delivered", 5).await;
    let events: Vec<_> = all.iter().map(|d| d["event"].as_str()).collect();
    assert_eq!(
        events,
        [
            Some("ping"),
            Some("checkin.refused"),
            Some("checkin.duplicate"),
            Some("checkin.accepted"),
            Some("checkin.accepted")
        ]
    );
    for delivery in &all[1..] {
        assert_eq!(delivery["table_id"], event.table);
        assert_eq!(delivery["attempt_count"], 1);
        assert_eq!(delivery["last_status"], 200);
        assert!(delivery["settled_at"].is_string() && delivery["next_attempt_at"].is_null());
    }
    assert_eq!(hook.deliveries("event=checkin.accepted").await.len(), 2);
    assert_eq!(hook.deliveries("status=failed").await.len(), 0);
    let path = format!("{}/deliveries?limit=2", hook.path());
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = hook.client().get(&format!("{path}{cursor}")).await;
        let page = page.expect_status(200);
        seen.extend(page.list_at("/items"));
        match page.at("/next_cursor").as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, all);
    let bad = format!("{}/deliveries?status=lost", hook.path());
    hook.client().get(&bad).await.problem_of(400);
}

/// The live object sends a batch again whenever the answer was lost.
#[tokio::test]
async fn a_batch_of_scans_that_comes_twice_makes_each_delivery_once() {
    let event = Event::with_guests(["Ada"]).open().await;
    let receiver = Receiver::new().await;
    let hook = Webhook::of(&event, &receiver).await;
    event.door().scan("Ada").await.accepted();
    event.door().scan("Ada").await.duplicate();
    hook.settled("delivered", 2).await;
    let log = Database::admin()
        .await
        .scan_log(&event.tenant.id, &event.table)
        .await;
    let actor = json!({"kind": "system", "job": "test", "tenant": event.tenant.id}).to_string();
    let batch = json!({"table_id": event.table, "entries": log, "head": 2}).to_string();
    let sql = "select app.call($1::text::jsonb, array[]::text[], 'select app.flush_scans($1)',
               $2::text::jsonb, null, 'again') -> 'result'";
    let app = Database::app().await;
    let flushed = app
        .json(sql, &[(&actor, Type::TEXT), (&batch, Type::TEXT)])
        .await;
    assert_eq!(
        (&flushed["last_seq"], &flushed["applied"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(hook.deliveries("").await.len(), 2);
}

#[tokio::test]
async fn a_webhook_that_is_removed_takes_its_deliveries_with_it() {
    let tenant = Tenant::new().await;
    let receiver = Receiver::new().await;
    let hook = Webhook::with(&tenant, &receiver, json!({})).await;
    let ping = hook.order("test").await.expect_status(201).text_at("/id");
    receiver.received(1).await;
    hook.client().delete(&hook.path()).await.expect_status(204);
    let path = format!("/api/deliveries/{ping}");
    hook.client().get(&path).await.problem_of(404);
}
