//! Runs that nobody works on any more: taken up, ended, deleted.
//!
//! Invariant: a lease is respected until it has run out; what is under way is left alone.
//! Failure: the run as it is.

use pulse_tests::control::Control;
use pulse_tests::prelude::*;
use pulse_tests::report::Report;

#[tokio::test]
async fn a_job_whose_worker_is_gone_is_taken_by_another_when_the_lease_has_run_out() {
    let report = Report::about_lists(json!({})).await;
    let job = report.busy().await;
    let gone =
        "state = 'running', due_at = now(), fence = 7, lease_until = now() + interval '1 hour',
                wake_at = now() + interval '1 hour'";
    assert!(job.set(gone, "state = 'created'").await);
    let message = json!({"kind": "report_job", "tenant": report.tenant.id, "job": job.id});
    Control::here().queue("REPORTS", &[message]).await;
    Control::here().cron("* * * * *").await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(
        job.show().await.at("/attemptCount"),
        0,
        "the lease still holds"
    );
    job.order("run").await.problem(409, "already_running");
    let out = "lease_until = now() - interval '1 second', wake_at = now() - interval '1 second'";
    assert!(job.set(out, "fence = 7").await);
    Control::here().cron("* * * * *").await;
    job.sent().await;
    assert!(job.set("updated_at = now()", "fence = 8").await);
}

#[tokio::test]
async fn what_was_left_lying_is_canceled_and_what_is_under_way_is_not() {
    let report = Report::about_lists(json!({"overlap": "allow"})).await;
    let (old, young, held) = (
        report.busy().await,
        report.busy().await,
        report.busy().await,
    );
    let night = Control::no_daily().await;
    assert!(
        old.set("updated_at = now() - interval '25 hours'", "true")
            .await
    );
    // Nor is one that was made long ago and taken up again lately.
    assert!(
        young
            .set("created_at = now() - interval '9 days'", "true")
            .await
    );
    let review =
        "created_at = now() - interval '25 hours', updated_at = now() - interval '25 hours',
                  state = 'running', review = 'pending'";
    assert!(held.set(review, "true").await);
    let done = report.client().call("POST", "/api/pulse-job/cleanup").await;
    let done = done.expect_status(200);
    drop(night);
    assert_eq!(
        (done.at("/canceled"), done.at("/canceledJobs")),
        (json!(1), json!([old.id]))
    );
    assert_eq!(old.show().await.at("/errorCode"), "stale");
    assert_eq!(young.show().await.at("/state"), "created");
    assert_eq!(held.show().await.at("/review"), "pending");
    assert!(
        young
            .set("updated_at = now() - interval '25 hours'", "true")
            .await
    );
    assert!(
        held.set("created_at = now() - interval '31 days'", "true")
            .await
    );
    Control::here().daily().await;
    for job in [young, held] {
        assert_eq!(job.finished().await.at("/result"), "canceled");
    }
}

#[tokio::test]
async fn finished_runs_are_kept_for_ninety_days() {
    let report = Report::about_lists(json!({})).await;
    let (old, young) = (report.publish().await, report.publish().await);
    for (job, days) in [(&old, 91), (&young, 89)] {
        job.finished().await;
        let aged = format!("finished_at = now() - interval '{days} days'");
        assert!(job.set(&aged, "true").await);
    }
    Control::here().daily().await;
    eventually("the old run is gone", || async {
        let found = report.client().get(&old.path()).await;
        (found.status == 404).then_some(())
    })
    .await;
    young.show().await;
}
