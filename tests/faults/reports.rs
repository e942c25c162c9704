//! Reports when something dies: the runtime between any two steps, an answer of Postgres, a message of
//! the queue that comes twice, ticks that come at once.
//!
//! Invariant: one job for each occurrence, one message for each recipient, none lost; a report that
//! was kept is not written again.
//! Failure: the jobs and messages that are missing or too many.

use super::alone;
use chrono::Utc;
use pulse_tests::chat::{Chat, says};
use pulse_tests::control::Control;
use pulse_tests::database::Database;
use pulse_tests::messages::Channel;
use pulse_tests::prelude::*;
use pulse_tests::receiver::Receiver;
use pulse_tests::report::{Job, Report, outbox, session};
use pulse_tests::stack::within;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio_postgres::types::Type;

/// Reports that are due at once.
const DUE: u32 = 1_000;
/// Recipients of each.
const RECIPIENTS: u32 = 2;

async fn number(database: &Database, sql: &str) -> u64 {
    let found = database.json(sql, &[]).await;
    found.as_u64().unwrap_or_else(|| panic!("{sql}: {found}"))
}

/// Brings forward what waits for a lease or a time, and lets the minute find it.
async fn minute(database: &Database) {
    database
        .run(
            "update report_jobs set wake_at = now(), due_at = least(due_at, now()),
                    lease_until = case when lease_until is not null then now() end
              where wake_at is not null;
             update message_deliveries set lease_until = now() where status = 'sending';
             update message_deliveries set due_at = least(due_at, now()) where status = 'pending';",
        )
        .await;
    Control::here().cron("* * * * *").await;
}

/// Waits until everything has come to its end, however much died.
async fn settled(tenant: &Tenant, jobs: u64) {
    let database = session(tenant).await;
    within(Duration::from_secs(300), "all jobs and messages are settled", || async {
        let open = number(
            &database,
            "select to_jsonb((select count(*) from report_jobs where state <> 'finished')
                           + (select count(*) from message_deliveries where status in ('pending', 'sending')))",
        )
        .await;
        let made = number(&database, "select to_jsonb(count(*)) from report_jobs").await;
        if open == 0 && made >= jobs {
            return Some(());
        }
        minute(&database).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        None
    })
    .await;
}

/// Many reports of a tenant, all due, to a receiver that counts what comes under a key.
async fn crowd(receiver: &Receiver) -> Tenant {
    let report = Report::about_lists(json!({"recipients": []})).await;
    let mut channels = Vec::new();
    for _ in 0..RECIPIENTS {
        let settings = json!({"url": receiver.url});
        let channel = Channel::with(&report.tenant, "webhook", settings).await;
        channels.push(channel.id);
    }
    let change = report.change(json!({"channels": channels})).await;
    change.expect_status(200);
    report.make_due().await;
    let database = session(&report.tenant).await;
    database
        .run(&format!(
            "insert into report_configs (id, tenant_id, name, prompt, cron, cron_timezone, recipients, channels, tzdata,
                                         next_run_at, next_nominal, due_at)
             select app.new_id(), tenant_id, 'Report ' || n, prompt, cron, cron_timezone, recipients, channels, tzdata,
                    next_run_at, next_nominal, due_at
               from report_configs cross join generate_series(2, {DUE}) n where id = '{}'",
            report.id
        ))
        .await;
    report.tenant
}

/// Demands one job of each report and one message to each of its recipients: what a receiver that
/// knows keys keeps is each of them, once.
async fn complete(tenant: &Tenant, receiver: &Receiver) {
    let database = session(tenant).await;
    let found = database
        .json(
            "select jsonb_build_object(
               'reports', (select count(*) from report_configs),
               'jobs', (select count(*) from report_jobs),
               'of_reports', (select count(distinct config_id) from report_jobs),
               'good', (select count(*) from report_jobs where result = 'success'),
               'written_again', (select count(*) from report_job_attempts
                                  where stage = 'generate' and code is null and duration_ms is not null
                                  group by job_id having count(*) > 1 limit 1),
               'messages', (select count(*) from message_deliveries where status = 'sent'),
               'to_each', (select count(distinct (source_id, channel_id)) from message_deliveries),
               'others', (select count(*) from message_deliveries where status <> 'sent'))",
            &[],
        )
        .await;
    let (all, messages) = (u64::from(DUE), u64::from(DUE * RECIPIENTS));
    let expected = json!({
        "reports": all, "jobs": all, "of_reports": all, "good": all, "written_again": null,
        "messages": messages, "to_each": messages, "others": 0,
    });
    assert_eq!(found, expected);
    let hooks = receiver.hooks();
    let mut keys: BTreeMap<&str, BTreeSet<(String, String)>> = BTreeMap::new();
    let mut each: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for hook in &hooks {
        let data = hook.json()["data"].clone();
        let job = data["source_id"].to_string();
        let told = (job.clone(), data["text"].to_string());
        keys.entry(hook.id()).or_default().insert(told);
        each.entry(job).or_default().insert(hook.id());
    }
    let sent = (DUE * RECIPIENTS) as usize;
    assert_eq!(keys.len(), sent, "of {} requests", hooks.len());
    assert!(
        keys.values().all(|told| told.len() == 1),
        "a key stands for one message"
    );
    assert_eq!(each.len(), DUE as usize);
    assert!(each.values().all(|keys| keys.len() == RECIPIENTS as usize));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_due_reports_survive_kills_at_any_moment_and_ticks_at_once() {
    let _alone = alone().await;
    let receiver = Receiver::new().await;
    let tenant = crowd(&receiver).await;
    let (control, database) = (Control::here(), session(&tenant).await);
    let mut dice = super::crowd::Dice::new(11);
    let mut cut = 0;
    for _ in 0..8 {
        let tick = || async {
            // A tick that is killed answers an error; the next one goes on.
            let body = json!({"cron": "* * * * *"});
            let client = Client::at_url(&pulse_tests::stack::variable("PULSE_CONTROL"));
            let _ = client.post("/cron", &body).attempt().await;
        };
        let kill = async {
            tokio::time::sleep(Duration::from_millis(200 + dice.roll(2_500))).await;
            control.kill_worker().await;
        };
        tokio::join!(tick(), tick(), kill);
        cut += number(
            &database,
            "select to_jsonb(count(*)) from report_jobs where lease_until is not null",
        )
        .await;
        minute(&database).await;
    }
    assert!(cut > 0, "no kill hit a job: the test proved nothing");
    settled(&tenant, u64::from(DUE)).await;
    complete(&tenant, &receiver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_due_reports_are_run_once_though_every_message_comes_twice() {
    let _alone = alone().await;
    let receiver = Receiver::new().await;
    let tenant = crowd(&receiver).await;
    let (control, database) = (Control::here(), session(&tenant).await);
    tokio::join!(
        control.cron("* * * * *"),
        control.cron("* * * * *"),
        control.cron("* * * * *"),
    );
    let jobs = database
        .json(
            "select jsonb_agg(jsonb_build_object('kind', 'report_job', 'tenant', tenant_id, 'job', id)) from report_jobs",
            &[],
        )
        .await;
    let jobs = jobs.as_array().expect("jobs").clone();
    assert_eq!(jobs.len(), DUE as usize);
    for part in jobs.chunks(100) {
        control.queue("REPORTS", part).await;
        let deliveries = json!({"kind": "deliveries", "tenant": tenant.id});
        control
            .queue("JOBS", &[deliveries.clone(), deliveries])
            .await;
    }
    settled(&tenant, u64::from(DUE)).await;
    complete(&tenant, &receiver).await;
    let again = "select to_jsonb(count(*)) from report_jobs where attempts <> 3";
    assert_eq!(number(&database, again).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runtimes_that_tick_at_once_share_what_is_due_and_repeat_nothing() {
    let _alone = alone().await;
    let control = Control::here();
    control.start_second().await;
    // The second one alone does all that a runtime does.
    let report = Report::about_lists(json!({})).await;
    report.make_due().await;
    control.cron_of_second("* * * * *").await;
    report.finished(1).await;
    let receiver = Receiver::new().await;
    let tenant = crowd(&receiver).await;
    for _ in 0..3 {
        tokio::join!(
            control.cron("* * * * *"),
            control.cron_of_second("* * * * *"),
            control.cron("* * * * *"),
            control.cron_of_second("* * * * *"),
        );
    }
    // One goes, with all that it has taken on.
    control.kill_second().await;
    settled(&tenant, u64::from(DUE)).await;
    complete(&tenant, &receiver).await;
    assert_eq!(report.jobs("").await.len(), 1);
}

/// Lets the minute find a job again and again until its mail is sent.
async fn rescued(job: &Job) -> Reply {
    let database = session(&job.report.tenant).await;
    within(Duration::from_secs(60), "the report is sent", || async {
        let shown = job.show().await;
        if shown.at("/emailSent") == true {
            return Some(shown);
        }
        minute(&database).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        None
    })
    .await
}

/// How often a stage was begun.
fn tries(job: &Reply, stage: &str) -> usize {
    let attempts = job.list_at("/attempts");
    attempts.iter().filter(|one| one["stage"] == stage).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_postgres_that_is_lost_costs_no_report_and_doubles_none() {
    let _alone = alone().await;
    let control = Control::here();
    for (lost, generated) in [
        ("claim_report_job", 2),
        ("store_report", 1),
        ("deliver_report", 1),
        ("take_messages", 1),
    ] {
        let report = Report::about_lists(json!({})).await;
        control.lose_answers(lost, 1).await;
        let job = report.publish().await;
        let sent = rescued(&job).await;
        assert_eq!(sent.at("/result"), "success", "{lost}");
        assert_eq!(tries(&sent, "generate"), generated, "{lost}: {sent}");
        assert_eq!(outbox(&report.tenant, "Morning").await.len(), 1, "{lost}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tick_that_does_not_hear_what_it_claimed_leaves_its_jobs_to_the_minute() {
    let _alone = alone().await;
    let report = Report::about_lists(json!({})).await;
    report.make_due().await;
    let control = Control::here();
    control.lose_answers("claim_reports", 1).await;
    let client = Client::at_url(&pulse_tests::stack::variable("PULSE_CONTROL"));
    let _ = client
        .post("/cron", &json!({"cron": "* * * * *"}))
        .attempt()
        .await;
    let jobs = report.jobs("").await;
    assert_eq!(jobs.len(), 1);
    let job = report.job(jobs[0]["id"].as_str().expect("an id"));
    rescued(&job).await;
    assert_eq!(report.jobs("").await.len(), 1);
    assert!(report.next().await > Utc::now());
    assert_eq!(outbox(&report.tenant, "Morning").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_thought_dead_writes_nothing() {
    let _alone = alone().await;
    let report = Report::about_lists(json!({})).await;
    let control = Control::here();
    // The worker asks again for as long as the answer to its report is lost; meanwhile somebody else
    // takes the job.
    control.lose_answers("store_report", 3).await;
    let job = report.publish().await;
    let database = session(&report.tenant).await;
    let taken = "with t as (update report_jobs set fence = fence + 1, lease_until = now() - interval '1 second',
                        wake_at = now()
                  where id = $1::text::uuid and state = 'running' and stage = 'render' returning 1)
                 select to_jsonb(count(*)) from t";
    let taken = within(Duration::from_secs(30), "the report is kept", || async {
        let taken = database.json(taken, &[(&job.id, Type::TEXT)]).await;
        (taken == 1).then_some(())
    });
    taken.await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let shown = job.show().await;
    assert_eq!(
        (shown.at("/state"), shown.at("/stage")),
        (json!("running"), json!("render"))
    );
    let sent = rescued(&job).await;
    assert_eq!(tries(&sent, "generate"), 1, "{sent}");
    assert_eq!(outbox(&report.tenant, "Morning").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispatch_by_the_operator_reaches_every_tenant_through_the_queue() {
    // Alone, so that no minute of another test is quicker.
    let _alone = alone().await;
    let reports = [
        Report::new(&Tenant::new().await).await,
        Report::new(&Tenant::new().await).await,
    ];
    for report in &reports {
        report.make_due().await;
    }
    let token = pulse_tests::stack::variable("PULSE_OPERATOR_TOKEN");
    let operator = Client::anonymous().with_token(&token);
    let done = operator.call("POST", "/api/pulse/dispatch-ticks").await;
    let done = done.expect_status(200);
    assert_eq!(done.at("/hostingEnabled"), true);
    let results = done.list_at("/results");
    let counts = ["/total", "/successful", "/failed"].map(|field| done.at(field));
    assert_eq!(
        counts,
        [json!(results.len()), json!(results.len()), json!(0)]
    );
    for report in &reports {
        let tenant = json!(report.tenant.id);
        let told = results.iter().find(|one| one["tenantId"] == tenant);
        assert_eq!(told.expect("the tenant")["success"], true, "{done}");
        assert_eq!(report.finished(1).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_killed_while_the_model_writes_costs_one_more_report_and_no_mail() {
    let _alone = alone().await;
    let report = Report::about_lists(json!({})).await;
    let chat = Chat::with([says("Too late.").after_ms(8_000), says("All is well.")]).await;
    chat.writes_for(&report.tenant).await;
    let job = report.publish().await;
    within(Duration::from_secs(30), "the model is asked", || async {
        (chat.requests().len() == 1).then_some(())
    })
    .await;
    Control::here().kill_worker().await;
    minute(&session(&report.tenant).await).await;
    let sent = job.sent().await;
    assert_eq!((chat.requests().len(), tries(&sent, "generate")), (2, 2));
    assert_eq!(sent.at("/attempts/0/code"), "lost", "{sent}");
    assert!(sent.text_at("/payload/report").contains("All is well."));
    assert_eq!(outbox(&report.tenant, "Morning").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_killed_between_the_report_and_its_delivery_delivers_what_was_kept() {
    let _alone = alone().await;
    let report = Report::about_lists(json!({})).await;
    let admin = Database::admin().await;
    // The delivery waits for a lock while the runtime dies, and never happens.
    admin.run("begin; lock table messages in share mode").await;
    let job = report.publish().await;
    let ended = "select to_jsonb(count(pg_terminate_backend(pid))) from pg_locks
                  where relation = 'messages'::regclass and not granted";
    let waiting = ended.replace("pg_terminate_backend(pid)", "pid");
    within(Duration::from_secs(30), "the delivery waits", || async {
        (admin.json(&waiting, &[]).await == 1).then_some(())
    })
    .await;
    Control::here().kill_worker().await;
    assert_eq!(admin.json(ended, &[]).await, 1);
    admin.run("commit").await;
    assert!(outbox(&report.tenant, "Morning").await.is_empty());
    let shown = job.show().await;
    assert_eq!(shown.at("/emailSent"), false);
    let written = shown.text_at("/payload/report");
    let sent = rescued(&job).await;
    assert_eq!(tries(&sent, "generate"), 1, "{sent}");
    assert_eq!(sent.text_at("/payload/report"), written);
    assert_eq!(outbox(&report.tenant, "Morning").await.len(), 1);
}
