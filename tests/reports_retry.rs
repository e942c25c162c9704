//! Reports whose writer is in trouble: what is tried again, when, and what is not.
//!
//! Invariant: every attempt is noted with its time, its duration and its error; what waiting cannot
//! mend ends at once.
//! Failure: the run with its attempts.

use chrono::TimeDelta;
use pulse_tests::chat::{Chat, Turn, fails, queries, says};
use pulse_tests::control::Control;
use pulse_tests::prelude::*;
use pulse_tests::report::{Job, Report, outbox};
use pulse_tests::stack::within;
use std::time::Duration;

/// What the model looks up.
const SQL: &str = "select name, guests from guest_tables";

/// A report that a model writes.
async fn by_model(script: impl IntoIterator<Item = Turn>, extra: Value) -> (Report, Chat) {
    let tenant = Tenant::new().await;
    tenant.table("UTC").await;
    let chat = Chat::with(script).await;
    chat.writes_for(&tenant).await;
    (Report::with(&tenant, extra).await, chat)
}

/// How long a job waits from its last attempt to the next.
fn wait(job: &Reply) -> TimeDelta {
    let attempts = job.list_at("/attempts");
    let last = attempts.last().expect("an attempt");
    time(&job.text_at("/nextAttemptAt")) - time(last["at"].as_str().expect("a time"))
}

/// Makes a job that waits for its next attempt due, and lets the minute find it.
async fn bring(job: &Job) {
    let now = "due_at = now(), wake_at = now()";
    assert!(
        job.set(now, "state = 'running' and lease_until is null")
            .await
    );
    Control::here().cron("* * * * *").await;
}

#[tokio::test]
async fn a_model_writes_a_report_and_the_conversation_is_kept() {
    let script = [
        queries("lists", SQL),
        says("# Lists\n\nThere is one list with 0 guests."),
    ];
    let (report, chat) = by_model(script, json!({})).await;
    let sent = report.publish().await.sent().await;
    assert!(
        sent.text_at("/payload/report").contains("0 guests"),
        "{sent}"
    );
    let roles: Vec<_> = sent
        .list_at("/payload/messages")
        .iter()
        .map(|one| one["role"].clone())
        .collect();
    for role in ["user", "assistant", "tool"] {
        assert!(roles.contains(&json!(role)), "{roles:?}");
    }
    assert_eq!(sent.at("/usage/requests"), 2, "{sent}");
    assert_eq!(chat.requests().len(), 2);
    assert_eq!(outbox(&report.tenant, "Morning").await.len(), 1);
}

#[tokio::test]
async fn a_figure_that_a_model_made_up_holds_a_strict_report() {
    let script = [
        queries("lists", SQL),
        says("# Lists\n\nThere were 12,345 guests."),
    ];
    let (report, _chat) = by_model(script, json!({"strict": true})).await;
    let held = report.publish().await.held().await;
    assert_eq!(held.at("/untraced"), 1, "{held}");
    assert!(outbox(&report.tenant, "Morning").await.is_empty());
}

#[tokio::test]
async fn a_writer_that_is_away_is_tried_again_and_every_attempt_is_shown() {
    let script = [fails(503), fails(500), says("Back.")];
    let (report, chat) = by_model(script, json!({})).await;
    let job = report.publish().await;
    let failed = job.tried(1).await;
    assert_eq!(
        (failed.at("/state"), failed.at("/stage")),
        (json!("running"), json!("generate"))
    );
    assert!(
        failed.at("/error").is_string() && failed.at("/errorCode").is_string(),
        "{failed}"
    );
    assert!(
        (TimeDelta::zero()..=TimeDelta::seconds(62)).contains(&wait(&failed)),
        "{failed}"
    );
    // The first wait may be over by itself already.
    if job.show().await.list_at("/attempts").len() == 1 {
        bring(&job).await;
    }
    let again = job.tried(2).await;
    if again.list_at("/attempts").len() == 2 && again.at("/nextAttemptAt").is_string() {
        assert!(wait(&again) <= TimeDelta::seconds(122), "{again}");
        job.set("due_at = now(), wake_at = now()", "lease_until is null")
            .await;
        Control::here().cron("* * * * *").await;
    }
    let sent = job.sent().await;
    assert_eq!(
        (sent.at("/error"), sent.at("/errorCode")),
        (Value::Null, Value::Null)
    );
    let attempts = sent.list_at("/attempts");
    assert_eq!(attempts.len(), 5, "{sent}");
    for failed in &attempts[..2] {
        assert_eq!(failed["stage"], "generate");
        assert!(
            failed["code"].is_string() && failed["error"].is_string(),
            "{failed}"
        );
        assert!(failed["durationMs"].is_number(), "{failed}");
    }
    assert_eq!(chat.requests().len(), 3);
    assert_eq!(report.show().await.at("/failures"), 0);
}

#[tokio::test]
async fn a_writer_that_asks_for_time_gets_it() {
    let script = [fails(429).header("retry-after", "1800"), says("Back.")];
    let (report, chat) = by_model(script, json!({})).await;
    let job = report.publish().await;
    let failed = job.tried(1).await;
    let waits = wait(&failed);
    assert!(
        (TimeDelta::seconds(1_799)..=TimeDelta::seconds(1_830)).contains(&waits),
        "{failed}"
    );
    Control::here().cron("* * * * *").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(chat.requests().len(), 1);
    bring(&job).await;
    job.sent().await;
}

#[tokio::test]
async fn what_waiting_cannot_mend_ends_at_once() {
    for status in [400, 401, 403, 404] {
        let (report, chat) = by_model([fails(status)], json!({})).await;
        let failed = report.publish().await.finished().await;
        assert_eq!(failed.at("/result"), "error", "{status}: {failed}");
        assert_eq!(failed.list_at("/attempts").len(), 1, "{status}");
        assert!(failed.text_at("/error").len() > 10, "{failed}");
        let asked = chat.requests().len();
        assert!(asked <= 2, "{asked} requests");
        assert!(outbox(&report.tenant, "Morning").await.is_empty());
    }
}

#[tokio::test]
async fn after_the_last_attempt_the_run_has_failed() {
    let (report, chat) = by_model([fails(503)], json!({})).await;
    let job = report.publish().await;
    job.tried(1).await;
    assert!(job.set("step = 7", "lease_until is null").await);
    bring(&job).await;
    let failed = job.finished().await;
    assert_eq!(failed.at("/result"), "error");
    assert_eq!(chat.requests().len(), 2);
    assert_eq!(report.show().await.at("/failures"), 1);
}

#[tokio::test]
async fn a_run_that_is_canceled_while_it_is_written_writes_nothing_more() {
    let script = [says("Too late.").after_ms(4_000)];
    let (report, chat) = by_model(script, json!({})).await;
    let job = report.publish().await;
    within(Duration::from_secs(30), "the model is asked", || async {
        (!chat.requests().is_empty()).then_some(())
    })
    .await;
    job.order("cancel").await.expect_status(200);
    tokio::time::sleep(Duration::from_secs(6)).await;
    let canceled = job.show().await;
    assert_eq!(
        (canceled.at("/result"), canceled.at("/payload")),
        (json!("canceled"), Value::Null)
    );
    assert_eq!(canceled.at("/attempts/0/code"), "canceled");
    assert!(outbox(&report.tenant, "Morning").await.is_empty());
}

#[tokio::test]
async fn a_run_that_takes_long_keeps_its_lease() {
    let (report, chat) = by_model([says("Slow.").after_ms(11_000)], json!({})).await;
    let job = report.publish().await;
    within(Duration::from_secs(30), "the model is asked", || async {
        (!chat.requests().is_empty()).then_some(())
    })
    .await;
    // As if it had been claimed almost a lease ago.
    let old = "lease_until = now() + interval '8 seconds', wake_at = now() + interval '8 seconds'";
    assert!(job.set(old, "state = 'running'").await);
    let past = tokio::time::Instant::now() + Duration::from_millis(8_500);
    eventually("it is claimed anew", || async {
        let anew = "lease_until > now() + interval '20 seconds'";
        job.set("updated_at = now()", anew).await.then_some(())
    })
    .await;
    tokio::time::sleep_until(past).await;
    Control::here().cron("* * * * *").await;
    let sent = job.sent().await;
    assert_eq!(chat.requests().len(), 1);
    assert_eq!(sent.list_at("/attempts").len(), 3, "{sent}");
}

#[tokio::test]
async fn a_preview_that_cannot_be_made_says_why() {
    let (report, chat) = by_model([fails(401)], json!({})).await;
    let wrong = report.order("preview").await;
    assert_eq!(wrong.status, 422, "{wrong}");
    assert!(wrong.text_at("/detail").len() > 10, "{wrong}");
    chat.turns([fails(429).header("retry-after", "77")]);
    let later = report.order("preview").await.problem_of(503);
    assert_eq!(later.header("retry-after"), Some("77"));
    assert_eq!(report.jobs("").await.len(), 0);
}
