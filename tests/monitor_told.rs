//! How a notification gets to a receiver that fails, and what it says.
//!
//! Invariant: each try has the same key and the same body; it is one delivery of the shared channels.
//! Failure: the requests as they came.

use pulse_tests::messages::Posted;
use pulse_tests::prelude::*;
use pulse_tests::receiver::{dropped, status};
use pulse_tests::stack::within;
use pulse_tests::watched::{Watched, hook, route, told};
use std::time::Duration;

/// The only message of a tenant that the monitor posted.
async fn posted(tenant: &Tenant) -> Posted {
    let path = "/api/messages?source_kind=monitor&limit=10";
    let source = within(Duration::from_secs(30), "a message", || async {
        let found = tenant.client().get(path).await.expect_status(200);
        let found = found.list_at("/items");
        assert!(found.len() <= 1, "{found:?}");
        found.first()?["source_id"].as_str().map(str::to_owned)
    })
    .await;
    Posted::found(tenant, &source)
}

/// Behaviour 27.
#[tokio::test]
async fn a_webhook_that_fails_is_tried_again_under_the_same_key() {
    let tenant = Tenant::new().await;
    let (receiver, channel) = hook(&tenant).await;
    receiver.answer([status(500), status(503), dropped(), status(200)]);
    route(&tenant, &channel, json!({})).await;
    let watched = Watched::of(&tenant, json!({})).await;
    watched.fails().await;
    let posted = posted(&tenant).await;
    for tries in 1..=3 {
        let tried = posted.tried(tries).await;
        assert_eq!(tried["status"], "pending", "{tried}");
        posted.make_due().await;
    }
    let sent = posted.ends("sent").await;
    assert_eq!(sent["attempt_count"], 4, "{sent}");
    let hooks = told(&receiver, 4).await;
    for hook in &hooks {
        assert_eq!((hook.id(), &hook.body), (hooks[0].id(), &hooks[0].body));
    }
    // The end is another message, under another key.
    watched.passes().await;
    let hooks = told(&receiver, 5).await;
    assert_ne!(hooks[4].id(), hooks[0].id());
}

/// Behaviour 27, where the receiver says nothing.
#[tokio::test]
async fn a_webhook_that_does_not_answer_is_given_up_in_time_and_tried_again_under_the_same_key() {
    let tenant = Tenant::new().await;
    let (receiver, channel) = hook(&tenant).await;
    receiver.answer([status(200).after_ms(60_000), status(200)]);
    route(&tenant, &channel, json!({})).await;
    let watched = Watched::of(&tenant, json!({})).await;
    watched.fails().await;
    let posted = posted(&tenant).await;
    let tried = posted.tried(1).await;
    assert_eq!(
        (&tried["status"], &tried["last_error"]),
        (&json!("pending"), &json!("peer_timeout")),
        "{tried}"
    );
    posted.make_due().await;
    posted.ends("sent").await;
    let hooks = told(&receiver, 2).await;
    assert_eq!(
        (hooks[0].id(), &hooks[0].body),
        (hooks[1].id(), &hooks[1].body)
    );
}

#[tokio::test]
async fn a_notification_says_what_is_wrong_where_and_whom_to_ask() {
    let tenant = Tenant::new().await;
    let (receiver, channel) = hook(&tenant).await;
    let secret = channel.made["secret"]
        .as_str()
        .expect("a secret")
        .to_owned();
    route(&tenant, &channel, json!({})).await;
    let table = json!({"owner": "Payments", "description": "All orders of the shop"});
    let check = json!({"runbook_url": "https://example.org/runbook"});
    let connection = json!({"name": "Shop replica"});
    let watched = Watched::with(&tenant, connection, table, check).await;
    watched.fails().await;
    let hook = told(&receiver, 1).await.remove(0);
    assert!(hook.signed_with(&secret), "{hook:?}");
    for part in [
        "Shop replica",
        "public.orders",
        "Rows",
        "110",
        "100",
        "Payments",
        "https://example.org/runbook",
    ] {
        assert!(hook.body.contains(part), "no {part} in {}", hook.body);
    }
    assert!(!hook.body.contains(&watched.reader.password));
}
