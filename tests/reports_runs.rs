//! Runs of reports: written, checked, rendered, handed over, each thing once.
//!
//! Invariant: what is shown of a run is what happened to it; what is previewed is what is sent.
//! Failure: the run as it is.

use chrono::TimeDelta;
use pulse_tests::control::Control;
use pulse_tests::prelude::*;
use pulse_tests::report::{FAILS, FINDS_NOTHING, LISTS, Report, kept, outbox, session};
use std::collections::BTreeSet;
use tokio_postgres::types::Type;

#[tokio::test]
async fn a_report_is_written_sent_and_shown_with_every_attempt() {
    let report = Report::about_lists(json!({})).await;
    let job = report.publish().await;
    let sent = job.sent().await;
    assert_eq!(
        (sent.at("/state"), sent.at("/result")),
        (json!("finished"), json!("success"))
    );
    assert_eq!(sent.at("/pulseConfigId"), json!(report.id));
    assert_eq!(
        (sent.at("/error"), sent.at("/origin")),
        (Value::Null, json!("manual"))
    );
    assert!(sent.text_at("/payload/report").contains("Guests"), "{sent}");
    let messages = sent.list_at("/payload/messages");
    assert!(
        messages
            .iter()
            .all(|one| one["role"].is_string() && one["content"].is_string())
    );
    assert_eq!(messages[0]["role"], "user");
    assert_eq!(sent.at("/writer"), "builtin");
    assert_eq!(sent.at("/deliveries"), json!({"sent": 1}));
    for time in [
        "/emailSentAt",
        "/startedAt",
        "/finishedAt",
        "/createdAt",
        "/updatedAt",
    ] {
        assert!(sent.at(time).is_string(), "{time} of {sent}");
    }
    let attempts = sent.list_at("/attempts");
    let stages: Vec<_> = attempts.iter().map(|one| one["stage"].clone()).collect();
    assert_eq!(stages, ["generate", "render", "deliver"]);
    for attempt in attempts {
        assert!(attempt["durationMs"].as_i64() >= Some(0), "{attempt}");
        assert_eq!(
            (&attempt["code"], &attempt["error"]),
            (&Value::Null, &Value::Null)
        );
    }
    let mail = outbox(&report.tenant, "Morning").await;
    assert_eq!(mail.len(), 1);
    assert_eq!(mail[0]["recipient"], "ada@example.org");
    assert_eq!(mail[0]["source_id"], json!(job.id));
}

#[tokio::test]
async fn a_preview_is_what_is_sent_to_the_byte() {
    let chart =
        "```sql name=lists chart=bar x=name y=guests\nselect name, guests from guest_tables\n```";
    let report = Report::about_lists(json!({"prompt": chart, "attachCsv": true})).await;
    let at = report.next().await;
    let job = report.run_next().await;
    job.sent().await;
    let preview = report
        .order("preview")
        .json(&json!({"scheduledFor": rfc3339(at)}))
        .await;
    let preview = preview.expect_status(200);
    let mail = kept(&report.tenant, &outbox(&report.tenant, "Morning").await[0]).await;
    let link = mail["unsubscribe_url"].as_str().expect("a link");
    for part in ["html", "text"] {
        let shown = preview.text_at(&format!("/{part}"));
        assert!(shown.contains("{unsubscribe_url}"), "{part} of {preview}");
        assert_eq!(
            mail[part],
            shown.replace("{unsubscribe_url}", link),
            "{part}"
        );
    }
    assert_eq!(mail["subject"], preview.at("/subject"));
    let files = preview.list_at("/attachments");
    let names: Vec<_> = files
        .iter()
        .map(|file| file["contentType"].clone())
        .collect();
    assert_eq!(names, ["text/csv; charset=utf-8", "image/png"]);
    let sent = mail["attachments"].as_array().expect("attachments");
    for (shown, sent) in files.iter().zip(sent) {
        assert_eq!(shown["content"], sent["content"]);
        assert_eq!(shown["contentId"], sent["content_id"]);
        assert_eq!(shown["name"], sent["name"]);
    }
    assert_eq!(files.len(), sent.len());
    assert_eq!(
        job.show().await.at("/payload/report"),
        preview.at("/payload/report")
    );
    assert_eq!(job.show().await.at("/figures"), preview.at("/figures"));
    let page = report
        .client()
        .get(&format!("{}/report.html", job.path()))
        .await;
    let page = page.expect_status(200);
    assert!(
        page.header("content-security-policy")
            .is_some_and(|policy| policy.contains("sandbox"))
    );
    let shown = page.text();
    assert!(
        shown.contains("src=\"data:image/png;base64,") && !shown.contains("cid:"),
        "{shown}"
    );
    assert_eq!(report.jobs("").await.len(), 1, "a preview is no run");
    assert_eq!(outbox(&report.tenant, "Morning").await.len(), 1);
}

#[tokio::test]
async fn each_recipient_gets_one_message_however_often_the_job_is_brought() {
    let to = ["ada@example.org", "bob@example.org", "cleo@example.org"];
    let report = Report::about_lists(json!({"recipients": to})).await;
    let job = report.publish().await;
    let message = json!({"kind": "report_job", "tenant": report.tenant.id, "job": job.id});
    let twice = [message.clone(), message.clone()];
    let control = Control::here();
    tokio::join!(
        control.queue("REPORTS", &twice),
        control.queue("REPORTS", &twice),
        control.cron("* * * * *"),
    );
    assert_eq!(job.sent().await.at("/deliveries"), json!({"sent": 3}));
    Control::here().queue("REPORTS", &twice).await;
    Control::here().cron("* * * * *").await;
    let mail = outbox(&report.tenant, "Morning").await;
    let recipients: BTreeSet<_> = mail
        .iter()
        .map(|one| one["recipient"].to_string())
        .collect();
    assert_eq!((mail.len(), recipients.len()), (3, 3));
    assert_eq!(job.show().await.at("/attemptCount"), 3);
}

#[tokio::test]
async fn a_report_that_is_not_worth_sending_is_kept_and_says_why() {
    for (extra, why) in [
        (
            json!({"prompt": FINDS_NOTHING, "skipIfEmpty": true}),
            "empty",
        ),
        (json!({"sendIf": "lists.guests > 100"}), "condition"),
        (json!({"recipients": null}), "no_recipients"),
    ] {
        let report = Report::about_lists(extra).await;
        let done = report.publish().await.finished().await;
        assert_eq!(
            (done.at("/result"), done.at("/skipped")),
            (json!("success"), json!(why))
        );
        assert!(done.at("/payload/report").is_string(), "{done}");
        assert_eq!(
            (done.at("/emailSent"), done.at("/deliveries")),
            (json!(false), json!({}))
        );
        let preview = report.order("preview").await.expect_status(200);
        if why != "no_recipients" {
            assert_eq!(preview.at("/skipped"), why);
        }
        assert!(outbox(&report.tenant, "Morning").await.is_empty());
    }
    for extra in [
        json!({"skipIfEmpty": true}),
        json!({"sendIf": "lists.guests < 100"}),
        json!({"prompt": FINDS_NOTHING}),
    ] {
        Report::about_lists(extra)
            .await
            .publish()
            .await
            .sent()
            .await;
    }
}

#[tokio::test]
async fn a_condition_that_the_data_cannot_answer_keeps_nothing_back_and_is_told() {
    let report = Report::about_lists(json!({"sendIf": "nothing.here > 1"})).await;
    let sent = report.publish().await.sent().await;
    assert_eq!(sent.at("/skipped"), Value::Null);
    assert!(sent.text_at("/warning").contains("column"), "{sent}");
    let wrong = report
        .change(json!({"sendIf": "lists.guests >"}))
        .await
        .problem_of(422);
    let message = wrong
        .clone()
        .points_at("/sendIf")
        .text_at("/errors/0/message");
    assert!(message.starts_with("Line 1, column "), "{message}");
}

#[tokio::test]
async fn a_run_that_nobody_wants_any_more_is_canceled() {
    let report = Report::about_lists(json!({})).await;
    let job = report.busy().await;
    let canceled = job.order("cancel").await.expect_status(200);
    assert_eq!(
        (canceled.at("/state"), canceled.at("/result")),
        (json!("finished"), json!("canceled"))
    );
    job.order("cancel").await.problem(409, "already_finished");
    job.order("run").await.problem(409, "already_finished");
    assert_eq!(report.show().await.at("/failures"), 0);
}

#[tokio::test]
async fn a_run_is_worked_on_at_once_when_somebody_asks() {
    let report = Report::about_lists(json!({})).await;
    let job = report.busy().await;
    let done = job.order("run").await.expect_status(200);
    assert_eq!(
        (done.at("/state"), done.at("/result")),
        (json!("finished"), json!("success"))
    );
    assert!(done.at("/payload/report").is_string());
    job.sent().await;
    job.order("run").await.problem(409, "already_finished");
}

#[tokio::test]
async fn a_report_that_fails_too_often_in_a_row_is_paused_and_its_owner_told() {
    let report = Report::about_lists(json!({"prompt": FAILS, "pauseAfter": 2})).await;
    let first = report.run_next().await.finished().await;
    assert_eq!(
        (first.at("/result"), first.at("/stage")),
        (json!("error"), json!("generate"))
    );
    assert!(first.text_at("/error").contains("line"), "{first}");
    assert_eq!(
        first.list_at("/attempts").len(),
        1,
        "what waiting cannot mend is not repeated"
    );
    assert_eq!(
        (
            report.show().await.at("/failures"),
            report.show().await.at("/pausedAt")
        ),
        (json!(1), Value::Null)
    );
    let second = report.publish().await;
    second.finished().await;
    let paused = report.show().await;
    assert_eq!(
        (paused.at("/failures"), paused.at("/pauseReason")),
        (json!(2), json!("failures"))
    );
    assert_eq!(paused.at("/nextRunAt"), Value::Null);
    let told = eventually("the owner is told", || async {
        let sent = outbox(&report.tenant, "Paused: Morning").await;
        (!sent.is_empty()).then_some(sent)
    })
    .await;
    assert_eq!(
        (told.len(), &told[0]["recipient"]),
        (1, &json!(report.tenant.admin.email))
    );
    let text = kept(&report.tenant, &told[0]).await["text"].to_string();
    assert!(
        text.contains("failed 2 times") && text.contains("Morning"),
        "{text}"
    );
    assert!(!text.contains('{'), "{text}");

    report
        .change(json!({"prompt": LISTS}))
        .await
        .expect_status(200);
    let again = second.order("run").await.expect_status(200);
    assert_eq!(
        (again.at("/result"), again.at("/error")),
        (json!("success"), Value::Null)
    );
    assert_eq!(report.show().await.at("/failures"), 0);
    let resumed = report.order("resume").await.expect_status(200);
    assert!(resumed.at("/nextRunAt").is_string());
    report.publish().await.sent().await;
}

#[tokio::test]
async fn occurrences_of_the_past_are_run_once_each_as_of_their_time_and_not_sent() {
    let report = Report::about_lists(json!({"cronTimezone": "UTC"})).await;
    let to = report.next().await - TimeDelta::days(1);
    let range = json!({"from": rfc3339(to - TimeDelta::days(3)), "to": rfc3339(to)});
    let made = report
        .order("backfill")
        .json(&range)
        .await
        .expect_status(201);
    assert_eq!(
        (made.at("/created"), made.at("/existing")),
        (json!(3), json!(0))
    );
    let times: Vec<_> = made
        .list_at("/jobs")
        .iter()
        .map(|job| job["scheduledFor"].clone())
        .collect();
    let expected = [2, 1, 0].map(|days| json!(rfc3339(to - TimeDelta::days(days))));
    assert_eq!(times, expected, "behind the beginning, up to the end");
    for job in report.finished(3).await {
        assert_eq!(
            (&job["origin"], &job["skipped"]),
            (&json!("backfill"), &json!("delivery_off"))
        );
        assert_eq!(job["asOf"], job["scheduledFor"]);
    }
    let again = report
        .order("backfill")
        .json(&range)
        .await
        .expect_status(201);
    assert_eq!(
        (again.at("/created"), again.at("/existing")),
        (json!(0), json!(3))
    );
    assert!(outbox(&report.tenant, "Morning").await.is_empty());
    let one = json!({"from": rfc3339(to - TimeDelta::days(5)), "to": rfc3339(to - TimeDelta::days(4)), "deliver": true});
    let made = report.order("backfill").json(&one).await.expect_status(201);
    report
        .job(made.at("/jobs/0/id").as_str().expect("an id"))
        .sent()
        .await;

    for (from, until, pointer, code) in [
        (to, to, "/to", "out_of_range"),
        (to, to + TimeDelta::days(30), "/to", "in_the_future"),
        (to - TimeDelta::days(101), to, "/to", "too_many"),
    ] {
        let range = json!({"from": rfc3339(from), "to": rfc3339(until)});
        let refused = report.order("backfill").json(&range).await;
        let refused = refused.problem_of(422).points_at(pointer);
        assert_eq!(refused.at("/errors/0/code"), code);
    }
}

#[tokio::test]
async fn runs_are_listed_newest_first_and_found_by_state_result_and_origin() {
    let report = Report::about_lists(json!({"overlap": "allow"})).await;
    let sent = report.publish().await;
    sent.finished().await;
    let scheduled = report.run_next().await;
    scheduled.finished().await;
    let waiting = report.busy().await;
    report.busy().await.order("cancel").await.expect_status(200);
    let ids = |filter: &'static str| {
        let report = report.clone();
        async move {
            let jobs = report.jobs(filter).await;
            jobs.iter()
                .map(|job| job["id"].as_str().expect("an id").to_owned())
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(ids("").await.len(), 4);
    assert_eq!(ids("state=created").await, [waiting.id]);
    assert_eq!(ids("result=success").await, [scheduled.id.clone(), sent.id]);
    assert_eq!(ids("result=success&origin=schedule").await, [scheduled.id]);
    let path = format!("{}/jobs?limit=3", report.path());
    let first = report.client().get(&path).await.expect_status(200);
    let rest = format!("{path}&cursor={}", first.text_at("/next_cursor"));
    let rest = report.client().get(&rest).await.expect_status(200);
    assert_eq!(
        (rest.list_at("/items").len(), rest.at("/next_cursor")),
        (1, Value::Null)
    );
    let wrong = report.client().get(&format!("{path}&state=lost")).await;
    wrong.problem_of(400);
}

#[tokio::test]
async fn a_repeated_publish_makes_one_run() {
    let report = Report::about_lists(json!({})).await;
    let publish = || report.order("publish").header("idempotency-key", "once");
    let (first, again) = (
        publish().await.expect_status(201),
        publish().await.expect_status(201),
    );
    assert_eq!(first.at("/id"), again.at("/id"));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(report.jobs("").await.len(), 1);
}

#[tokio::test]
async fn every_change_of_a_run_is_an_event_of_the_channel_reports() {
    let report = Report::about_lists(json!({})).await;
    let job = report.publish().await;
    job.sent().await;
    let database = session(&report.tenant).await;
    let sql = "select coalesce(jsonb_agg(jsonb_build_array(\"offset\", type, data) order by \"offset\"), '[]')
               from realtime_events where channel = $1";
    let events = database.json(sql, &[(&"reports", Type::TEXT)]).await;
    let events = events.as_array().expect("events").clone();
    for (place, event) in (1..).zip(&events) {
        assert_eq!(
            (&event[0], &event[1]),
            (&json!(place), &json!("report_job"))
        );
        assert_eq!(
            (&event[2]["id"], &event[2]["pulseConfigId"]),
            (&json!(job.id), &json!(report.id))
        );
    }
    let seen: Vec<_> = events
        .iter()
        .map(|event| {
            [
                &event[2]["state"],
                &event[2]["stage"],
                &event[2]["emailSent"],
            ]
            .map(Clone::clone)
        })
        .collect();
    let step = |state: &str, stage: &str, sent: bool| [json!(state), json!(stage), json!(sent)];
    let expected = [
        step("created", "generate", false),
        step("running", "generate", false),
        step("running", "render", false),
        step("running", "deliver", false),
        step("finished", "deliver", false),
        step("finished", "deliver", true),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_backfill_leaves_to_the_schedule_what_it_has_yet_to_run() {
    for jitter in [false, true] {
        let report = Report::about_lists(json!({"cronTimezone": "UTC", "jitter": jitter})).await;
        let next = report.next().await;
        let now = next + TimeDelta::seconds(5);
        let range = json!({"from": rfc3339(next - TimeDelta::days(2)), "to": rfc3339(now)});
        let path = format!("{}/backfill", report.path());
        let made = report.at(now).call("POST", &path).json(&range).await;
        let made = made.expect_status(201);
        let counts = ["/created", "/existing", "/due"].map(|field| made.at(field));
        assert_eq!(counts, [json!(1), json!(0), json!(1)], "{made}");
        let ticked = report.tick_at(next + TimeDelta::hours(3)).await;
        assert_eq!(ticked.at("/triggeredConfigs"), json!([report.id]));
        let jobs = report.jobs("origin=schedule").await;
        assert_eq!(jobs.len(), 1);
        assert_eq!(jobs[0]["scheduledFor"], rfc3339(next));
        report
            .job(jobs[0]["id"].as_str().expect("an id"))
            .sent()
            .await;
        assert_eq!(report.show().await.at("/missed"), 0);
    }
}
