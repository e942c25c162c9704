//! Strict reports that are held until somebody has looked at them.
//!
//! Invariant: a report that is held goes nowhere unless it is approved, and is not written again.
//! Failure: the run as it is.

use pulse_tests::control::Control;
use pulse_tests::prelude::*;
use pulse_tests::report::{Report, outbox, session};
use tokio_postgres::types::Type;

/// A strict report by a template that claims what no query found.
async fn claimed() -> Report {
    let report = Report::about_lists(json!({"strict": true, "prompt": "How was it?"})).await;
    let body = "# Guests\n\nThere were 4711 guests.\n\n```sql name=lists\nselect name, guests from guest_tables\n```";
    let template = json!({"name": "Boast", "body": body});
    let made = report
        .client()
        .post("/api/pulse-templates", &template)
        .await;
    let id = made.expect_status(201).text_at("/id");
    report
        .change(json!({"templateId": id}))
        .await
        .expect_status(200);
    report
}

#[tokio::test]
async fn a_strict_report_with_a_figure_that_nothing_explains_is_held_until_somebody_approves() {
    let report = claimed().await;
    let preview = report.order("preview").await.expect_status(200);
    assert_eq!(preview.at("/held"), true);
    let job = report.publish().await;
    let held = job.held().await;
    assert_eq!(
        (held.at("/untraced"), held.at("/emailSent")),
        (json!(1), json!(false))
    );
    let figures = held.list_at("/figures/figures");
    let bold = figures
        .iter()
        .find(|one| one["traced"].is_null())
        .expect("one without a trace");
    assert_eq!(bold["text"], "4711");
    job.order("run").await.problem(409, "held");
    let page = report
        .client()
        .get(&format!("{}/report.html", job.path()))
        .await;
    assert!(page.expect_status(200).text().contains("4711"));
    // One that waits for a review keeps nothing else back.
    report.run_next().await.held().await;
    job.order("approve").await.expect_status(200);
    let sent = job.sent().await;
    assert!(sent.at("/reviewedAt").is_string());
    assert_eq!(sent.at("/review"), "approved");
    assert_eq!(sent.at("/result"), "success");
    let stages: Vec<_> = sent
        .list_at("/attempts")
        .iter()
        .map(|one| one["stage"].clone())
        .collect();
    assert_eq!(
        stages.iter().filter(|stage| **stage == "generate").count(),
        1,
        "{sent}"
    );
    job.order("approve").await.problem(409, "not_held");
    assert_eq!(outbox(&report.tenant, "Morning").await.len(), 1);
}

#[tokio::test]
async fn a_held_report_that_is_rejected_is_not_sent() {
    let report = claimed().await;
    let job = report.publish().await;
    job.held().await;
    let rejected = job.order("reject").await.expect_status(200);
    assert_eq!(
        (rejected.at("/state"), rejected.at("/result")),
        (json!("finished"), json!("canceled"))
    );
    assert_eq!(
        (rejected.at("/errorCode"), rejected.at("/review")),
        (json!("rejected"), json!("rejected"))
    );
    job.order("reject").await.problem(409, "not_held");
    job.order("run").await.problem(409, "already_finished");
    assert!(outbox(&report.tenant, "Morning").await.is_empty());
    report
        .change(json!({"strict": false}))
        .await
        .expect_status(200);
    report.publish().await.sent().await;
}

#[tokio::test]
async fn what_cannot_be_handed_over_is_not_written_again() {
    let report = claimed().await;
    let job = report.publish().await;
    let held = job.held().await;
    let written = held.at("/payload");
    let database = session(&report.tenant).await;
    let subject = |text: &'static str| {
        let (database, id) = (&database, &job.id);
        async move {
            let sql = "with c as (update report_documents set subject = $2 where job_id = $1::text::uuid returning 1)
                       select to_jsonb(count(*)) from c";
            let changed = database
                .json(sql, &[(id, Type::TEXT), (&text, Type::TEXT)])
                .await;
            assert_eq!(changed, 1);
        }
    };
    subject("").await;
    job.order("approve").await.expect_status(200);
    let failed = job.tried(4).await;
    assert_eq!(
        (failed.at("/state"), failed.at("/stage")),
        (json!("running"), json!("deliver"))
    );
    assert_eq!(failed.at("/errorCode"), "delivery_failed");
    assert!(failed.at("/nextAttemptAt").is_string(), "{failed}");
    subject("Mended").await;
    assert!(
        job.set("due_at = now(), wake_at = now()", "state = 'running'")
            .await
    );
    Control::here().cron("* * * * *").await;
    let sent = job.sent().await;
    assert_eq!(sent.at("/payload"), written);
    let generated = sent.list_at("/attempts");
    let generated = generated
        .iter()
        .filter(|one| one["stage"] == "generate")
        .count();
    assert_eq!(generated, 1, "{sent}");
    assert_eq!(outbox(&report.tenant, "Mended").await.len(), 1);
}

#[tokio::test]
async fn a_held_report_is_found_by_its_review_and_can_be_canceled() {
    let report = claimed().await;
    let job = report.publish().await;
    job.held().await;
    let found = report.jobs("review=pending").await;
    assert_eq!((found.len(), &found[0]["id"]), (1, &json!(job.id)));
    assert_eq!(report.jobs("state=running").await.len(), 1);
    assert_eq!(report.jobs("review=approved").await.len(), 0);
    Control::here().cron("* * * * *").await;
    assert_eq!(job.held().await.at("/nextAttemptAt"), Value::Null);
    let canceled = job.order("cancel").await.expect_status(200);
    let ended = ["/state", "/result", "/review"].map(|field| canceled.at(field));
    assert_eq!(ended, [json!("finished"), json!("canceled"), Value::Null]);
    job.order("approve").await.problem(409, "not_held");
    assert!(outbox(&report.tenant, "Morning").await.is_empty());
}
