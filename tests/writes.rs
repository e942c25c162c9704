//! Writes: repeated with a key, at once, against a version.
//!
//! Invariant: a key makes a write happen once; a version keeps one writer from undoing another.
//! Failure: each test names what it found instead.

use futures_util::future::join_all;
use pulse_tests::prelude::*;

fn list(name: &str) -> Value {
    json!({"name": name, "timezone": "Europe/Berlin"})
}

#[tokio::test]
async fn a_repeated_write_with_its_key_is_answered_again_and_done_once() {
    let tenant = Tenant::new().await;
    let post = || {
        tenant
            .client()
            .post("/pulse/tables", &list("Once"))
            .header("idempotency-key", "k1")
    };
    let (first, second) = (
        post().await.expect_status(201),
        post().await.expect_status(201),
    );
    assert_eq!(first.json(), second.json());
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
    let tables = tenant.client().get("/pulse/tables").await.list_at("/items");
    assert_eq!(tables.len(), 1);
}

#[tokio::test]
async fn a_key_with_another_request_is_refused() {
    let tenant = Tenant::new().await;
    let key = |call: pulse_tests::client::Call| call.header("idempotency-key", "k1");
    key(tenant.client().post("/pulse/tables", &list("One")))
        .await
        .expect_status(201);
    let other = key(tenant.client().post("/pulse/tables", &list("Two"))).await;
    other.problem(422, "idempotency_key_reused");
    let elsewhere = key(tenant
        .client()
        .post("/api/keys", &json!({"name": "x", "role": "agent"})))
    .await;
    elsewhere.problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn twins_with_one_key_at_once_are_done_once() {
    let tenant = Tenant::new().await;
    let twins = (0..10).map(|_| async {
        tenant
            .client()
            .post("/pulse/tables", &list("Twin"))
            .header("idempotency-key", "twin")
            .await
    });
    let replies = join_all(twins).await;
    for reply in &replies {
        assert_eq!(reply.status, 201, "{reply}");
        assert_eq!(reply.at("/id"), replies[0].at("/id"));
    }
    assert_eq!(
        tenant
            .client()
            .get("/pulse/tables")
            .await
            .list_at("/items")
            .len(),
        1
    );
}

/// 26 of the field's cases: a key is scoped to the token.
#[tokio::test]
async fn a_key_belongs_to_its_caller() {
    let tenant = Tenant::new().await;
    let colleague = tenant.member("manager").await;
    let mut ids = Vec::new();
    for client in [
        tenant.client(),
        &colleague.client,
        Tenant::new().await.client(),
    ] {
        let call = client
            .post("/pulse/tables", &list("Mine"))
            .header("idempotency-key", "shared");
        ids.push(call.await.expect_status(201).text_at("/id"));
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "an answer was given to somebody else");
}

#[tokio::test]
async fn a_refused_write_does_not_use_up_its_key() {
    let tenant = Tenant::new().await;
    let key = |body: Value| {
        tenant
            .client()
            .post("/pulse/tables", &body)
            .header("idempotency-key", "again")
    };
    key(list("")).await.problem_of(422);
    key(list("Right")).await.expect_status(201);
}

#[tokio::test]
async fn a_key_must_be_a_key() {
    let tenant = Tenant::new().await;
    let long = "k".repeat(256);
    for bad in [&*long, "a b"] {
        let call = tenant
            .client()
            .post("/pulse/tables", &list("x"))
            .header("idempotency-key", bad);
        let reply = call.await;
        reply.problem_of(422);
    }
}

#[tokio::test]
async fn a_stale_if_match_changes_nothing() {
    let tenant = Tenant::new().await;
    let path = format!("/pulse/tables/{}", tenant.table("UTC").await);
    let read = tenant.client().get(&path).await.expect_status(200);
    let tag = read.header("etag").expect("an ETag").to_owned();
    let rename = |name: &str| tenant.client().patch(&path, &json!({ "name": name }));
    let renamed = rename("One")
        .header("if-match", &tag)
        .await
        .expect_status(200);
    assert_ne!(renamed.header("etag"), Some(&*tag));
    assert!(renamed.at("/version").as_i64() > read.at("/version").as_i64());
    rename("Two").header("if-match", &tag).await.problem_of(412);
    rename("Two")
        .header("if-match", "\"nonsense\"")
        .await
        .problem_of(412);
    tenant
        .client()
        .delete(&path)
        .header("if-match", &tag)
        .await
        .problem_of(412);
    assert_eq!(tenant.client().get(&path).await.at("/name"), "One");
    rename("Three")
        .header("if-match", "*")
        .await
        .expect_status(200);
    rename("Four").await.expect_status(200);
}

#[tokio::test]
async fn of_two_writers_with_one_version_one_wins() {
    let tenant = Tenant::new().await;
    let path = format!("/pulse/tables/{}", tenant.table("UTC").await);
    let tag = tenant
        .client()
        .get(&path)
        .await
        .header("etag")
        .expect("an ETag")
        .to_owned();
    let names = ["a", "b", "c", "d"];
    let writes = names.iter().map(|name| {
        let call = tenant
            .client()
            .patch(&path, &json!({ "name": name }))
            .header("if-match", &tag);
        async { call.await.status }
    });
    let mut statuses = join_all(writes).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412]);
}

#[tokio::test]
async fn an_unchanged_object_need_not_be_sent_again() {
    let tenant = Tenant::new().await;
    let path = format!("/pulse/tables/{}", tenant.table("UTC").await);
    let tag = tenant
        .client()
        .get(&path)
        .await
        .header("etag")
        .expect("an ETag")
        .to_owned();
    let same = tenant
        .client()
        .get(&path)
        .header("if-none-match", &tag)
        .await;
    let same = same.expect_status(304);
    assert!(same.body.is_empty(), "{same}");
    assert_eq!(same.header("etag"), Some(&*tag));
    tenant
        .client()
        .patch(&path, &json!({"name": "New"}))
        .await
        .expect_status(200);
    let changed = tenant
        .client()
        .get(&path)
        .header("if-none-match", &tag)
        .await;
    assert_eq!(changed.expect_status(200).at("/name"), "New");
}
