//! Ticks: what is due is run once, whoever ticks and however often; what is late is caught up.
//!
//! Invariant: an occurrence has one job, and the schedule moves on in the same transaction.
//! Failure: the jobs that there are.

use chrono::TimeDelta;
use futures_util::future::join_all;
use pulse_tests::control::Control;
use pulse_tests::database::Database;
use pulse_tests::prelude::*;
use pulse_tests::report::{Report, daily, outbox, session};
use pulse_tests::stack::eventually;
use std::collections::BTreeSet;
use tokio_postgres::types::Type;

#[tokio::test]
async fn a_tick_runs_what_is_due_and_tells_what_it_did() {
    let tenant = Tenant::new().await;
    let due = Report::new(&tenant).await;
    Report::with(&tenant, json!({"cron": "0 9 1 1 *"})).await;
    Report::with(&tenant, json!({"cron": "0 10 * * *", "enabled": false})).await;
    let next = due.next().await;
    let early = due.tick_at(next - TimeDelta::seconds(1)).await.json();
    let nothing = json!({"checked": 2, "triggered": 0, "skipped": 2, "triggeredConfigs": []});
    assert_eq!(early, nothing);
    let ticked = due.tick_at(next).await.json();
    let one = json!({"checked": 2, "triggered": 1, "skipped": 1, "triggeredConfigs": [due.id]});
    assert_eq!(ticked, one);
    let jobs = due.jobs("").await;
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0]["scheduledFor"], rfc3339(next));
    assert_eq!(jobs[0]["origin"], "schedule");
    let tomorrow = due.next().await - next;
    assert!((TimeDelta::hours(23)..=TimeDelta::hours(25)).contains(&tomorrow));
    assert_eq!(due.tick_at(next).await.json(), nothing);
    due.finished(1).await;
    assert!(due.show().await.at("/lastRunAt").is_string());
}

#[tokio::test]
async fn any_number_of_ticks_at_once_run_an_occurrence_once() {
    let tenant = Tenant::new().await;
    let reports = join_all((0..12).map(|_| Report::new(&tenant))).await;
    let next = reports[0].next().await;
    let ticks = join_all((0..8).map(|_| reports[0].tick_at(next + TimeDelta::seconds(1)))).await;
    let triggered: Vec<Value> = ticks
        .iter()
        .flat_map(|tick| tick.list_at("/triggeredConfigs"))
        .collect();
    let each: BTreeSet<String> = triggered.iter().map(ToString::to_string).collect();
    assert_eq!((triggered.len(), each.len()), (12, 12), "{triggered:?}");
    for report in &reports {
        assert_eq!(report.finished(1).await.len(), 1);
        assert!(report.next().await > next);
    }
}

#[tokio::test]
async fn of_what_was_missed_only_the_latest_is_caught_up_and_the_rest_is_counted() {
    let tenant = Tenant::new().await;
    let report = Report::with(&tenant, json!({"cronTimezone": "UTC"})).await;
    let next = report.next().await;
    report
        .tick_at(next + TimeDelta::days(3) + TimeDelta::hours(2))
        .await;
    let jobs = report.jobs("").await;
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0]["scheduledFor"], rfc3339(next + TimeDelta::days(3)));
    assert_eq!(report.show().await.at("/missed"), 3);
    assert_eq!(report.next().await, next + TimeDelta::days(4));
}

#[tokio::test]
async fn what_is_older_than_a_day_is_missed() {
    let tenant = Tenant::new().await;
    let report = Report::with(&tenant, json!({"cron": "0 9 1 * *", "cronTimezone": "UTC"})).await;
    let next = report.next().await;
    let ticked = report.tick_at(next + TimeDelta::hours(25)).await;
    assert_eq!(ticked.at("/triggered"), 0);
    assert_eq!(report.jobs("").await.len(), 0);
    assert_eq!(report.show().await.at("/missed"), 1);
    assert!(report.next().await > next + TimeDelta::days(27));
}

#[tokio::test]
async fn while_a_run_is_under_way_the_next_one_is_left_out_and_counted() {
    let tenant = Tenant::new().await;
    let report = Report::new(&tenant).await;
    let busy = report.busy().await;
    let next = report.next().await;
    let ticked = report.tick_at(next).await;
    assert_eq!(
        (ticked.at("/checked"), ticked.at("/triggered")),
        (json!(1), json!(0))
    );
    assert_eq!(report.jobs("").await.len(), 1);
    assert_eq!(report.show().await.at("/overlapSkipped"), 1);
    busy.order("cancel").await.expect_status(200);
    assert!(report.next().await > next);
    report.run_next().await.finished().await;
    assert_eq!(report.show().await.at("/overlapSkipped"), 1);
}

#[tokio::test]
async fn one_run_waits_for_the_one_under_way_where_that_is_wanted() {
    let tenant = Tenant::new().await;
    let report = Report::with(&tenant, json!({"overlap": "buffer_one"})).await;
    let busy = report.busy().await;
    let waiting = report.run_next().await;
    let shown = waiting.show().await;
    assert_eq!(
        (shown.at("/buffered"), shown.at("/state")),
        (json!(true), json!("created"))
    );
    let third = report.next().await;
    report.tick_at(third).await;
    assert_eq!(report.jobs("").await.len(), 2);
    assert_eq!(report.show().await.at("/overlapSkipped"), 1);
    // Neither the queue nor the minute lets it go while the other is under way.
    let job = json!({"kind": "report_job", "tenant": tenant.id, "job": waiting.id});
    Control::here().queue("REPORTS", &[job]).await;
    Control::here().cron("* * * * *").await;
    assert_eq!(waiting.show().await.at("/state"), "created");
    // Nor does whoever wants it run now.
    waiting.order("run").await.problem(409, "waits");
    busy.order("cancel").await.expect_status(200);
    let done = waiting.finished().await;
    assert_eq!(
        (done.at("/result"), done.at("/buffered")),
        (json!("success"), json!(false))
    );
}

#[tokio::test]
async fn a_newer_run_takes_the_place_of_the_one_under_way_where_that_is_wanted() {
    let tenant = Tenant::new().await;
    let report = Report::with(&tenant, json!({"overlap": "cancel_other"})).await;
    let busy = report.busy().await;
    let newer = report.run_next().await;
    let canceled = busy.show().await;
    assert_eq!(canceled.at("/result"), "canceled");
    assert_eq!(canceled.at("/errorCode"), "overlap");
    assert_eq!(newer.finished().await.at("/result"), "success");
    let busy = report.busy().await;
    report.publish().await.finished().await;
    assert_eq!(busy.show().await.at("/errorCode"), "overlap");
}

#[tokio::test]
async fn a_run_under_way_is_canceled_only_for_one_that_takes_its_place() {
    let tenant = Tenant::new().await;
    let monthly = json!({"overlap": "cancel_other", "cron": "0 9 1 * *", "cronTimezone": "UTC"});
    let report = Report::with(&tenant, monthly).await;
    let busy = report.busy().await;
    let next = report.next().await;
    let ticked = report.tick_at(next + TimeDelta::hours(25)).await;
    assert_eq!(ticked.at("/triggered"), 0);
    assert_eq!(report.show().await.at("/missed"), 1);
    assert_eq!(busy.show().await.at("/state"), "created");
    // Nor for an occurrence that has its run already.
    let run = report.run_next().await;
    run.finished().await;
    let ran = time(&run.show().await.text_at("/scheduledFor"));
    let again = rfc3339(ran);
    report
        .set(&format!("next_run_at = '{again}', due_at = '{again}'"))
        .await;
    let busy = report.busy().await;
    let ticked = report.tick_at(ran + TimeDelta::seconds(5)).await;
    assert_eq!(ticked.at("/triggered"), 0);
    assert_eq!(busy.show().await.at("/state"), "created");
}

#[tokio::test]
async fn ticks_that_cancel_runs_of_each_others_tenants_wait_for_each_other_and_do_not_lock_up() {
    let mut claims = Vec::new();
    let mut tenants = Vec::new();
    for _ in 0..2 {
        let tenant = Tenant::new().await;
        let canceling = Report::with(&tenant, json!({"overlap": "cancel_other"})).await;
        canceling.busy().await;
        let starting = Report::new(&tenant).await;
        claims.push([
            claim(&canceling, 1, "cancel_others").await,
            claim(&starting, 0, "start").await,
        ]);
        tenants.push(tenant);
    }
    let [
        [cancels_first, starts_first],
        [cancels_second, starts_second],
    ] = <[_; 2]>::try_from(claims).expect("two tenants");
    // Somebody holds the first tenant's channel until both ticks wait for it.
    let holder = session(&tenants[0]).await;
    holder
        .run("begin; select from realtime_channels where channel = 'reports' for update")
        .await;
    let (one, other) = (Database::app().await, Database::app().await);
    let ticks = async {
        tokio::join!(
            claimed(&one, [cancels_first, starts_second]),
            claimed(&other, [cancels_second, starts_first]),
        )
    };
    let release = async {
        let admin = Database::admin().await;
        let waiting = "select to_jsonb(count(*)) from pg_stat_activity
                        where pg_backend_pid() <> pid and cardinality(pg_blocking_pids(pid)) > 0
                          and query like '%claim_reports%'";
        eventually("both ticks wait", || async {
            (admin.json(waiting, &[]).await == 2).then_some(())
        })
        .await;
        holder.run("commit").await;
    };
    let ((first, second), ()) = tokio::join!(ticks, release);
    assert_eq!((first, second), (json!(2), json!(2)));
}

/// What a tick claims of a report that it has just read.
async fn claim(report: &Report, running: u32, decision: &str) -> Value {
    let next = report.next().await;
    let following = rfc3339(next + TimeDelta::days(1));
    json!({
        "id": report.id, "next_run_at": rfc3339(next), "running": running, "waiting": 0,
        "scheduled_for": rfc3339(next), "decision": decision, "missed": 0, "following": following,
        "nominal": following, "due_at": following,
    })
}

/// How many claims Postgres made good.
async fn claimed(database: &Database, claims: [Value; 2]) -> Value {
    let asked = json!({"tzdata": rules::cron::tzdata_version(), "claims": claims});
    let sql = "select app.claim_reports($1) -> 'claimed'";
    database.json(sql, &[(&asked, Type::JSONB)]).await
}

#[tokio::test]
async fn a_report_whose_zone_is_gone_stops_and_its_owner_is_told() {
    let report = Report::new(&Tenant::new().await).await;
    // Due last: from then on any tick may find it.
    report.set("cron_timezone = 'Atlantis/Poseidonis'").await;
    report.make_due().await;
    let client = report.client();
    let ticked = client.call("POST", "/api/pulse/tick").await;
    assert_eq!(ticked.expect_status(200).at("/triggered"), 0);
    let shown = report.show().await;
    assert_eq!(
        (shown.at("/nextRunAt"), shown.at("/missed")),
        (Value::Null, json!(1))
    );
    let told = eventually("the owner is told", || async {
        let sent = outbox(&report.tenant, "No longer runs: Morning").await;
        (!sent.is_empty()).then_some(sent)
    })
    .await;
    assert_eq!(
        (told.len(), &told[0]["recipient"]),
        (1, &json!(report.tenant.admin.email))
    );
}

#[tokio::test]
async fn to_resume_what_is_not_paused_skips_no_run() {
    let report = Report::new(&Tenant::new().await).await;
    let next = report.next().await;
    let late = report.at(next + TimeDelta::seconds(5));
    let path = format!("{}/resume", report.path());
    let resumed = late.call("POST", &path).await.expect_status(200);
    assert_eq!(resumed.at("/nextRunAt"), rfc3339(next));
    let ticked = report.tick_at(next + TimeDelta::seconds(9)).await;
    assert_eq!(ticked.at("/triggeredConfigs"), json!([report.id]));
}

#[tokio::test]
async fn runs_stand_beside_each_other_where_that_is_wanted() {
    let tenant = Tenant::new().await;
    let report = Report::with(&tenant, json!({"overlap": "allow"})).await;
    let busy = report.busy().await;
    report.run_next().await.finished().await;
    assert_eq!(busy.show().await.at("/state"), "created");
}

#[tokio::test]
async fn jitter_delays_a_run_always_by_the_same_and_leaves_its_time_as_it_is() {
    let tenant = Tenant::new().await;
    let mut late = 0;
    for _ in 0..6 {
        let report = Report::with(&tenant, json!({"jitter": true})).await;
        let path = format!("{}/upcoming?n=2", report.path());
        let told = report.client().get(&path).await.expect_status(200);
        let (next, starts) = (
            time(&told.text_at("/runs/0/scheduledFor")),
            time(&told.text_at("/runs/0/startsAt")),
        );
        assert_eq!(report.next().await, next);
        assert!((TimeDelta::zero()..=TimeDelta::minutes(144)).contains(&(starts - next)));
        late += usize::from(starts > next + TimeDelta::seconds(1));
        if starts > next {
            let early = report.tick_at(starts - TimeDelta::seconds(1)).await;
            assert_eq!(early.at("/triggered"), 0, "{told}");
        }
        let ticked = report.tick_at(starts).await;
        assert_eq!(ticked.at("/triggeredConfigs"), json!([report.id]));
        assert_eq!(report.jobs("").await[0]["scheduledFor"], rfc3339(next));
        report
            .client()
            .delete(&report.path())
            .await
            .expect_status(204);
    }
    assert!(late >= 4, "hardly any jitter: {late} of 6");
}

#[tokio::test]
async fn the_minute_runs_what_is_due_of_every_tenant() {
    let reports = [
        Report::new(&Tenant::new().await).await,
        Report::new(&Tenant::new().await).await,
    ];
    for report in &reports {
        report.make_due().await;
    }
    Control::here().cron("* * * * *").await;
    for report in &reports {
        let jobs = report.finished(1).await;
        assert_eq!((jobs.len(), &jobs[0]["result"]), (1, &json!("success")));
    }
}

#[tokio::test]
async fn a_dispatch_by_a_member_is_one_tick_of_their_tenant() {
    let report = Report::new(&Tenant::new().await).await;
    let next = report.next().await;
    let client = report.at(next);
    let done = client.call("POST", "/api/pulse/dispatch-ticks").await;
    let done = done.expect_status(200);
    let numbers = ["/total", "/successful", "/failed"].map(|field| done.at(field));
    assert_eq!(numbers, [json!(1), json!(1), json!(0)]);
    assert_eq!(done.at("/hostingEnabled"), false);
    assert_eq!(done.at("/results/0/success"), true);
    assert_eq!(
        done.at("/results/0/tick/triggeredConfigs"),
        json!([report.id])
    );
    Client::anonymous()
        .call("POST", "/api/pulse/dispatch-ticks")
        .await
        .problem_of(401);
}

#[tokio::test]
async fn what_is_told_of_a_schedule_is_the_same_before_and_after_it_is_saved() {
    let tenant = Tenant::new().await;
    let from = "2027-03-12T00:00:00Z";
    let schedule = json!({"cron": "30 2 * * *", "cronTimezone": "America/New_York"});
    let report = Report::with(&tenant, schedule.clone()).await;
    let mut asked = schedule;
    (asked["from"], asked["n"]) = (json!(from), json!(4));
    let before = tenant.client().post("/api/pulse/upcoming", &asked).await;
    let before = before.expect_status(200);
    let path = format!("{}/upcoming?n=4&from={from}", report.path());
    let after = tenant.client().get(&path).await.expect_status(200);
    assert_eq!(before.json(), after.json());
    let moved = before
        .list_at("/runs")
        .into_iter()
        .find(|run| !run["note"].is_null());
    let moved = moved.expect("a run that the clock moves");
    assert_eq!(moved["local"], "2027-03-14T03:00:00-04:00");
    assert_eq!(moved["scheduledFor"], "2027-03-14T07:00:00.000Z");
    assert!(
        before.text_at("/schedule").contains("14 March 2027"),
        "{before}"
    );
    assert_eq!(before.list_at("/runs").len(), 4);
    assert_eq!(before.at("/runs/0/ifBusy"), "skip");
}

#[tokio::test]
async fn a_schedule_that_is_none_is_told_as_it_would_be_when_it_is_saved() {
    let tenant = Tenant::new().await;
    for (cron, zone) in [
        ("0 0 30 2 *", None),
        ("61 * * * *", None),
        ("0 9 * * *", Some("Nowhere")),
    ] {
        let mut body = daily();
        (body["cron"], body["cronTimezone"]) = (json!(cron), json!(zone));
        let saved = tenant
            .client()
            .post("/api/pulse", &body)
            .await
            .problem_of(422);
        let asked = json!({"cron": cron, "cronTimezone": zone});
        let asked = tenant.client().post("/api/pulse/upcoming", &asked).await;
        assert_eq!(asked.problem_of(422).at("/errors"), saved.at("/errors"));
    }
    for n in [json!(0), json!(101)] {
        let asked = json!({"cron": "* * * * *", "n": n});
        let asked = tenant.client().post("/api/pulse/upcoming", &asked).await;
        asked.problem_of(422).points_at("/n");
    }
}

#[tokio::test]
async fn a_run_under_way_shows_in_what_is_to_come() {
    let tenant = Tenant::new().await;
    let report = Report::with(&tenant, json!({"cron": "*/5 * * * *"})).await;
    let done = report.publish().await;
    done.finished().await;
    let long = "started_at = finished_at - interval '1 hour'";
    assert!(done.set(long, "true").await);
    let path = format!("{}/upcoming?n=1", report.path());
    let expected = || async {
        let told = report.client().get(&path).await.expect_status(200);
        (
            told.at("/runs/0/expected"),
            told.at("/runs/0/overlapNote").is_string(),
        )
    };
    assert_eq!(expected().await, (json!("start"), false));
    let busy = report.busy().await;
    assert_eq!(expected().await, (json!("skip"), true));
    busy.order("cancel").await.expect_status(200);
    assert_eq!(expected().await, (json!("start"), false));
    report
        .client()
        .delete(&report.path())
        .await
        .expect_status(204);
}

#[tokio::test]
async fn new_time_zone_data_moves_the_next_run_and_tells_the_owner() {
    let tenant = Tenant::new().await;
    let report = Report::new(&tenant).await;
    let same = Report::with(&tenant, json!({"name": "Same"})).await;
    let next = report.next().await;
    report
        .set("tzdata = '2020a', next_run_at = next_run_at + interval '1 hour', due_at = due_at + interval '1 hour'")
        .await;
    same.set("tzdata = '2020a'").await;
    // Another version of the Worker knows better, and is not contradicted.
    let newer = Report::with(&tenant, json!({"name": "Newer"})).await;
    newer
        .set("tzdata = '9999z', next_run_at = next_run_at + interval '1 hour', due_at = due_at + interval '1 hour'")
        .await;
    Control::here().daily().await;
    eventually("the schedule is computed again", || async {
        (report.next().await == next).then_some(())
    })
    .await;
    for one in [&report, &same] {
        let shown = eventually("the version is noted", || async {
            let shown = one.show().await;
            (shown.at("/tzdata") != "2020a").then_some(shown)
        });
        assert_eq!(time(&shown.await.text_at("/nextRunAt")), next);
    }
    let told = eventually("the owner is told", || async {
        let sent = outbox(&tenant, "Other times: Morning").await;
        (!sent.is_empty()).then_some(sent)
    })
    .await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["recipient"], tenant.admin.email);
    assert!(outbox(&tenant, "Other times: Same").await.is_empty());
    assert_eq!(newer.next().await, next + TimeDelta::hours(1));
    assert_eq!(newer.show().await.at("/tzdata"), "9999z");
}
