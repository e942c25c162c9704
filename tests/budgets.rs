//! Budgets of a day: what a tenant may take of the deployment's own model and mail channel.
//!
//! Invariant: each tenant has its own day; what is over it fails and says why, and is counted by
//! nobody.
//! Failure: what was claimed and counted instead.

use pulse_tests::learned::not_at_midnight;
use pulse_tests::messages::{Channel, Posted, system};
use pulse_tests::prelude::*;
use pulse_tests::report::session;
use uuid::Uuid;

/// Posts to addresses and takes what is due, in one transaction, as a deployment does whose channel
/// sends for real; answers the messages that were claimed, and their source.
async fn sent(tenant: &Tenant, channel: Option<&str>, count: usize) -> (usize, String) {
    let recipients: Vec<_> = (0..count)
        .map(|n| json!({"channel_id": channel, "address": format!("r{n}@example.org")}))
        .collect();
    let source = Uuid::new_v4().to_string();
    let asked = json!({
        "message": {"source_kind": "test", "source_id": source, "subject": "Numbers", "text": "42",
                    "recipients": recipients},
        "take": {"results": [], "free": 20, "free_bytes": 1_000_000, "per_endpoint": 20,
                 "per_failing": 1, "lease_ms": 60_000, "give_up_ms": 1_000_000, "most_steps": 9,
                 "default_kind": "smtp", "mail_budget": 3},
    });
    let sql = "select app.take_messages($1->'take') from app.post_message($1->'message') p
                where p is not null";
    let taken = system(&tenant.id, sql, &asked).await.expect("an answer");
    let claimed = taken["claimed"].as_array().expect("a list").len();
    (claimed, source)
}

async fn failed(tenant: &Tenant, source: &str) -> Vec<Value> {
    let path = format!("/api/messages?source_id={source}&status=failed");
    let listed = tenant.client().get(&path).await.expect_status(200);
    listed.list_at("/items")
}

#[tokio::test]
async fn mail_by_the_deployments_channel_ends_with_the_budget_of_the_day_and_says_so() {
    not_at_midnight().await;
    let tenant = Tenant::new().await;
    let (first, source) = sent(&tenant, None, 2).await;
    assert_eq!((first, failed(&tenant, &source).await.len()), (2, 0));
    let (second, source) = sent(&tenant, None, 3).await;
    let over = failed(&tenant, &source).await;
    assert_eq!((second, over.len()), (1, 2));
    assert!(
        over.iter()
            .all(|one| one["last_error"] == "mails_of_the_day_spent" && one["attempt_count"] == 0)
    );
    // Its own channel is its own business, and so is another tenant's day.
    let own = Channel::with(&tenant, "outbox", json!({})).await;
    assert_eq!(sent(&tenant, Some(&own.id), 5).await.0, 5);
    assert_eq!(sent(&Tenant::new().await, None, 4).await.0, 3);
    // The next day begins anew.
    let yesterday = "update mail_spending set day = day - 1";
    session(&tenant).await.run(yesterday).await;
    let (third, _) = sent(&tenant, None, 4).await;
    assert_eq!(third, 3);
}

#[tokio::test]
async fn what_is_only_kept_in_the_outbox_is_not_counted() {
    let tenant = Tenant::new().await;
    Posted::to(&tenant, &["ada@example.org"])
        .await
        .ends("sent")
        .await;
    let counted = "select to_jsonb(count(*)) from mail_spending";
    assert_eq!(session(&tenant).await.json(counted, &[]).await, 0);
}

#[tokio::test]
async fn tokens_of_the_deployments_model_are_counted_for_each_tenant_and_day() {
    not_at_midnight().await;
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let spend = |tenant: &Tenant, tokens: u64| {
        let tenant = tenant.id.clone();
        async move {
            let taken = json!({"tokens": tokens});
            system(&tenant, "select app.spend_report_tokens($1)", &taken)
                .await
                .expect("a number")
        }
    };
    assert_eq!(spend(&tenant, 0).await, 0);
    assert_eq!(spend(&tenant, 5_000).await, 5_000);
    assert_eq!(spend(&tenant, 700).await, 5_700);
    assert_eq!(spend(&other, 0).await, 0);
    let yesterday = "update report_writer_spending set day = day - 1";
    session(&tenant).await.run(yesterday).await;
    assert_eq!(spend(&tenant, 1).await, 1);
}
