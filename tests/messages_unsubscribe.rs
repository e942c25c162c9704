//! Unsubscribing with one click: from the mail program, from the page, and how one comes back.
//!
//! Invariant: looking changes nothing; acting twice is acting once; a link is good for its address
//! and its topic alone.
//! Failure: the answer, and who is suppressed.

use pulse_tests::messages::Posted;
use pulse_tests::prelude::*;
use uuid::Uuid;

/// The path behind the link that somebody got with a message.
async fn link(tenant: &Tenant, posted: &Posted, address: &str) -> String {
    posted.settled("sent", 1).await;
    let path = format!("/api/outbox?recipient={address}");
    let kept = tenant.client().get(&path).await.list_at("/items");
    let ours = kept
        .iter()
        .find(|m| m["source_id"] == posted.source_id.as_str());
    let id = ours.expect("a kept message")["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let shown = tenant
        .client()
        .get(&format!("/api/outbox/{id}"))
        .await
        .expect_status(200);
    let url = shown.text_at("/unsubscribe_url");
    url[url.find("/api/").expect("a path")..].to_owned()
}

/// What a mail program sends (RFC 8058 §3.1).
async fn one_click(path: &str) -> pulse_tests::client::Reply {
    let body = "List-Unsubscribe=One-Click";
    let call = Client::anonymous().call("POST", path);
    call.body("application/x-www-form-urlencoded", body).await
}

async fn suppressed(tenant: &Tenant) -> Vec<Value> {
    let listed = tenant.client().get("/api/suppressions").await;
    listed.list_at("/items")
}

#[tokio::test]
async fn one_click_unsubscribes_from_one_topic_and_a_second_changes_nothing() {
    let tenant = Tenant::new().await;
    let posted = Posted::to(&tenant, &["Ada@example.org", "bob@example.org"]).await;
    let path = link(&tenant, &posted, "ada@example.org").await;
    for _ in 0..2 {
        let done = one_click(&path).await.expect_status(200);
        assert!(done.text().contains("You are unsubscribed"), "{done}");
    }
    let all = suppressed(&tenant).await;
    assert_eq!(all.len(), 1);
    assert_eq!(
        (&all[0]["address"], &all[0]["reason"]),
        (&json!("ada@example.org"), &json!("unsubscribe"))
    );
    assert_eq!(
        (&all[0]["topic_kind"], &all[0]["topic_id"]),
        (&json!("report"), &json!(posted.topic_id))
    );
    let addresses = json!([{"address": "ada@example.org"}, {"address": "bob@example.org"}]);
    let same = json!({"topic_id": posted.topic_id, "recipients": addresses});
    let next = Posted::with(&tenant, same.clone()).await;
    assert_eq!(
        next.settled("suppressed", 1).await[0]["recipient"],
        "ada@example.org"
    );
    next.settled("sent", 1).await;
    let other = Posted::with(&tenant, json!({"recipients": addresses})).await;
    other.settled("sent", 2).await;
    // The owner subscribes them again.
    let lift = format!(
        "/api/suppressions/{}",
        all[0]["id"].as_str().expect("an id")
    );
    tenant.client().delete(&lift).await.expect_status(204);
    Posted::with(&tenant, same).await.settled("sent", 2).await;
}

#[tokio::test]
async fn looking_at_the_page_changes_nothing_and_it_works_without_scripts() {
    let tenant = Tenant::new().await;
    let posted = Posted::to(&tenant, &["ada@example.org"]).await;
    let path = link(&tenant, &posted, "ada@example.org").await;
    for method in ["GET", "HEAD", "GET"] {
        Client::anonymous()
            .call(method, &path)
            .await
            .expect_status(200);
    }
    let page = Client::anonymous().get(&path).await.expect_status(200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let html = page.text();
    assert!(
        html.contains("<form method=\"post\">") && html.contains("<button"),
        "{html}"
    );
    assert!(
        !html.contains("<script") && !html.contains("ada@example.org"),
        "{html}"
    );
    assert!(
        html.contains("Weekly numbers") && html.contains("a…@example.org"),
        "{html}"
    );
    assert!(
        html.contains("<html lang=\"en\">") && html.contains("<main>"),
        "{html}"
    );
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("form-action 'self'") && policy.contains("frame-ancestors 'none'"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(suppressed(&tenant).await.len(), 0);
}

#[tokio::test]
async fn a_link_that_was_tampered_with_leads_nowhere() {
    let tenant = Tenant::new().await;
    let posted = Posted::to(&tenant, &["ada@example.org"]).await;
    let path = link(&tenant, &posted, "ada@example.org").await;
    let token = path.rsplit('/').next().expect("a token");
    assert!(!token.contains("ada"), "it tells no address: {token}");
    // In the middle, so that it is the seal that notices.
    let middle = path.len() - token.len() / 2;
    let other = if path[middle..].starts_with('A') {
        "B"
    } else {
        "A"
    };
    let changed = format!("{}{other}{}", &path[..middle], &path[middle + 1..]);
    for bad in [
        changed,
        format!("{path}A"),
        "/api/unsubscribe/none".to_owned(),
        format!("/api/unsubscribe/{}", "a".repeat(3_000)),
        "/api/unsubscribe/a.b.c".to_owned(),
    ] {
        Client::anonymous().get(&bad).await.problem_of(404);
        one_click(&bad).await.problem_of(404);
    }
    assert_eq!(suppressed(&tenant).await.len(), 0);
}

#[tokio::test]
async fn the_same_recipient_has_the_same_link_in_every_message_of_a_topic() {
    let tenant = Tenant::new().await;
    let topic = json!({"topic_id": Uuid::new_v4(), "recipients": [{"address": "ada@example.org"}]});
    let (one, two) = (
        Posted::with(&tenant, topic.clone()).await,
        Posted::with(&tenant, topic).await,
    );
    let first = link(&tenant, &one, "ada@example.org").await;
    assert_eq!(first, link(&tenant, &two, "ada@example.org").await);
    let other = Posted::to(&tenant, &["ada@example.org"]).await;
    assert_ne!(first, link(&tenant, &other, "ada@example.org").await);
}

#[tokio::test]
async fn what_nobody_subscribed_to_has_no_link() {
    let tenant = Tenant::new().await;
    let asked = json!({"topic_kind": null, "topic_id": null, "topic_name": null,
                       "recipients": [{"address": "ada@example.org"}]});
    let posted = Posted::with(&tenant, asked).await;
    let sent = posted.settled("sent", 1).await;
    let path = format!("/api/outbox/{}", sent[0]["id"].as_str().expect("an id"));
    let shown = tenant.client().get(&path).await.expect_status(200);
    assert_eq!(shown.at("/unsubscribe_url"), Value::Null);
    assert!(!shown.text().contains("{unsubscribe_url}"), "{shown}");
}

#[tokio::test]
async fn the_link_of_a_recipient_is_shown_to_those_who_manage_messages_only() {
    let tenant = Tenant::new().await;
    let posted = Posted::to(&tenant, &["ada@example.org"]).await;
    let path = link(&tenant, &posted, "ada@example.org").await;
    let token = path.rsplit('/').next().expect("a token");
    let sent = posted.settled("sent", 1).await;
    let kept = format!("/api/outbox/{}", sent[0]["id"].as_str().expect("an id"));
    let manager = tenant.member("manager").await.client;
    let shown = manager.get(&kept).await.expect_status(200);
    assert!(shown.text().contains(token), "{shown}");
    let reader = tenant.member("read_only").await.client;
    let shown = reader.get(&kept).await.expect_status(200);
    assert_eq!(shown.at("/unsubscribe_url"), Value::Null);
    assert!(!shown.text().contains(token), "{shown}");
    assert_eq!(
        shown.text_at("/text"),
        "42 guests.\n\nUnsubscribe: {unsubscribe_url}\n"
    );
}
