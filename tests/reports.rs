//! Reports as they are asked for: made, changed, paused, removed; what may be typed and what not.
//!
//! Invariant: the next run is known from the moment a report is made and follows its schedule.
//! Failure: the report as it is.

use chrono::TimeDelta;
use pulse_tests::prelude::*;
use pulse_tests::report::{Report, daily, session};
use uuid::Uuid;

#[tokio::test]
async fn a_report_is_made_with_its_next_run_and_its_schedule_in_words() {
    let tenant = Tenant::new().await;
    let client = tenant
        .key("manager")
        .await
        .0
        .at(time("2026-06-01T12:00:00Z"));
    let mut body = daily();
    body["description"] = json!("Who came");
    let made = client.post("/api/pulse", &body).await.expect_status(201);
    for (field, value) in body.as_object().expect("fields") {
        assert_eq!(made.at(&format!("/{field}")), *value, "{field} of {made}");
    }
    assert_eq!(made.at("/nextRunAt"), "2026-06-01T13:00:00.000Z");
    assert_eq!(made.at("/lastRunAt"), Value::Null);
    assert_eq!(made.at("/enabled"), true);
    assert_eq!(made.at("/overlap"), "skip");
    assert!(made.text_at("/schedule").contains("09:00"), "{made}");
    assert!(made.text_at("/tzdata").starts_with("20"), "{made}");
    assert_eq!(made.header("etag"), Some("\"1\""));
    let path = format!("/api/pulse/{}", made.text_at("/id"));
    let shown = tenant.client().get(&path).await.expect_status(200);
    for field in ["id", "nextRunAt", "createdAt", "updatedAt", "version"] {
        assert_eq!(
            shown.at(&format!("/{field}")),
            made.at(&format!("/{field}"))
        );
    }
}

#[tokio::test]
async fn a_partial_body_changes_what_it_names_and_nothing_else() {
    let tenant = Tenant::new().await;
    let report = Report::new(&tenant).await;
    let before = report.show().await.json();
    let changed = report.change(json!({"name": "Evening"})).await;
    let changed = changed.expect_status(200).json();
    for (field, value) in before.as_object().expect("fields") {
        let same = match field.as_str() {
            "name" | "version" | "updatedAt" => continue,
            field => &changed[field],
        };
        assert_eq!(same, value, "{field}");
    }
    assert_eq!(
        (&changed["name"], &changed["version"]),
        (&json!("Evening"), &json!(2))
    );
    let cleared = json!({"recipients": null, "cronTimezone": null, "pauseAfter": 0});
    let cleared = report.change(cleared).await.expect_status(200);
    for field in ["/recipients", "/cronTimezone", "/pauseAfter"] {
        assert_eq!(cleared.at(field), Value::Null, "{cleared}");
    }
}

#[tokio::test]
async fn the_next_run_follows_the_schedule_and_nothing_else() {
    let tenant = Tenant::new().await;
    let report = Report::new(&tenant).await;
    let now = time("2027-03-01T00:00:00Z");
    let (client, path) = (report.at(now), report.path());
    let put = |body: Value| {
        let call = client.call("PUT", &path).json(&body);
        async move { call.await.expect_status(200) }
    };
    let before = report.show().await.at("/nextRunAt");
    assert_eq!(
        put(json!({"prompt": "Other"})).await.at("/nextRunAt"),
        before
    );
    let moved = put(json!({"cron": "30 6 * * *"})).await;
    assert_eq!(moved.at("/nextRunAt"), "2027-03-01T11:30:00.000Z");
    let moved = put(json!({"cronTimezone": "Asia/Kathmandu"})).await;
    assert_eq!(moved.at("/nextRunAt"), "2027-03-01T00:45:00.000Z");
    assert_eq!(
        put(json!({"enabled": false})).await.at("/nextRunAt"),
        Value::Null
    );
    assert_eq!(
        put(json!({"cron": "0 7 * * *"})).await.at("/nextRunAt"),
        Value::Null
    );
    let on = put(json!({"enabled": true})).await;
    assert_eq!(on.at("/nextRunAt"), "2027-03-01T01:15:00.000Z");
}

#[tokio::test]
async fn a_version_that_is_no_longer_current_is_refused_when_it_is_named() {
    let tenant = Tenant::new().await;
    let report = Report::new(&tenant).await;
    let first = report
        .change(json!({"name": "A"}))
        .header("if-match", "\"1\"");
    assert_eq!(first.await.expect_status(200).header("etag"), Some("\"2\""));
    let stale = report
        .change(json!({"name": "B"}))
        .header("if-match", "\"1\"");
    stale.await.problem(412, "stale_version");
    let pause = report.order("pause").header("if-match", "\"1\"");
    pause.await.problem(412, "stale_version");
    let delete = report
        .client()
        .delete(&report.path())
        .header("if-match", "\"1\"");
    delete.await.problem(412, "stale_version");
    let many = (0..6).map(|n| report.change(json!({"description": format!("{n}")})));
    for reply in
        futures_util::future::join_all(many.map(std::future::IntoFuture::into_future)).await
    {
        reply.expect_status(200);
    }
    assert_eq!(report.show().await.at("/version"), 8);
}

#[tokio::test]
async fn a_repeated_request_makes_one_report() {
    let tenant = Tenant::new().await;
    let post = || {
        tenant
            .client()
            .post("/api/pulse", &daily())
            .header("idempotency-key", "k")
    };
    let (first, again) = (
        post().await.expect_status(201),
        post().await.expect_status(201),
    );
    assert_eq!(first.at("/id"), again.at("/id"));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let listed = tenant.client().get("/api/pulse").await.expect_status(200);
    assert_eq!(listed.list_at("/items").len(), 1);
}

#[tokio::test]
async fn everything_that_is_typed_has_a_limit_and_an_error_that_names_it() {
    let tenant = Tenant::new().await;
    let long = |n: usize| json!("x".repeat(n));
    let many = |n: usize| {
        json!(
            (0..n)
                .map(|n| format!("a{n}@example.org"))
                .collect::<Vec<_>>()
        )
    };
    for (field, value, pointer, code) in [
        ("name", json!(" "), "/name", "required"),
        ("name", long(201), "/name", "too_long"),
        ("description", long(2_001), "/description", "too_long"),
        ("prompt", json!("\n "), "/prompt", "required"),
        ("prompt", long(20_001), "/prompt", "too_long"),
        (
            "cronTimezone",
            json!("Mars/Olympus"),
            "/cronTimezone",
            "unknown_timezone",
        ),
        (
            "recipients",
            json!(["ok@example.org", "no"]),
            "/recipients/1",
            "invalid_email",
        ),
        (
            "recipients",
            json!(["+1"]),
            "/recipients/0",
            "invalid_phone",
        ),
        (
            "recipients",
            json!(["+14155550123"]),
            "/recipients/0",
            "no_phone_channel",
        ),
        ("recipients", many(101), "/recipients", "too_many"),
        (
            "channels",
            json!([Uuid::new_v4()]),
            "/channels/0",
            "channel_not_found",
        ),
        (
            "templateId",
            json!(Uuid::new_v4()),
            "/templateId",
            "template_not_found",
        ),
        ("sendIf", long(501), "/sendIf", "too_long"),
        ("pauseAfter", json!(101), "/pauseAfter", "out_of_range"),
        ("overlap", json!("maybe"), "/overlap", "wrong_type"),
        (
            "nextRunAt",
            json!("2026-06-01T13:00:00Z"),
            "/nextRunAt",
            "unknown_field",
        ),
    ] {
        let mut body = daily();
        body[field] = value;
        let reply = tenant.client().post("/api/pulse", &body).await;
        let reply = reply.problem_of(422).points_at(pointer);
        assert_eq!(reply.at("/errors/0/code"), code, "{reply}");
    }
    let mut wrong = daily();
    (wrong["name"], wrong["cron"]) = (json!(""), json!("60 * * * *"));
    let reply = tenant.client().post("/api/pulse", &wrong).await;
    reply.problem_of(422).points_at("/name").points_at("/cron");
    let listed = tenant.client().get("/api/pulse").await.expect_status(200);
    assert_eq!(listed.list_at("/items").len(), 0);
}

#[tokio::test]
async fn a_schedule_that_is_none_is_refused_and_the_message_names_the_field() {
    let tenant = Tenant::new().await;
    for (cron, mentions) in [
        ("* * * *", "field"),
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("0 0 32 * *", "day"),
        ("0 0 30 2 *", "no such date"),
        ("@reboot", "@reboot"),
    ] {
        let mut body = daily();
        body["cron"] = json!(cron);
        let reply = tenant.client().post("/api/pulse", &body).await;
        let reply = reply.problem_of(422).points_at("/cron");
        let message = reply.text_at("/errors/0/message").to_lowercase();
        assert!(message.contains(mentions), "{cron}: {message}");
    }
}

#[tokio::test]
async fn a_tenant_has_a_thousand_reports_at_most() {
    let tenant = Tenant::new().await;
    let report = Report::new(&tenant).await;
    let database = session(&tenant).await;
    database
        .run(&format!(
            "insert into report_configs (id, tenant_id, name, prompt, cron, tzdata)
             select gen_random_uuid(), '{}', 'n', 'p', '0 9 * * *', 'x' from generate_series(2, 1000)",
            tenant.id
        ))
        .await;
    let refused = tenant.client().post("/api/pulse", &daily()).await;
    refused.problem(409, "too_many_reports");
    report
        .client()
        .delete(&report.path())
        .await
        .expect_status(204);
    tenant
        .client()
        .post("/api/pulse", &daily())
        .await
        .expect_status(201);
}

#[tokio::test]
async fn a_paused_report_has_no_next_run_until_it_is_resumed() {
    let tenant = Tenant::new().await;
    let report = Report::new(&tenant).await;
    let next = report.next().await;
    let paused = report.order("pause").await.expect_status(200);
    assert_eq!(paused.at("/nextRunAt"), Value::Null);
    assert_eq!(paused.at("/pauseReason"), "by_hand");
    assert_eq!(paused.at("/enabled"), true);
    let ticked = report.tick_at(next + TimeDelta::hours(1)).await;
    assert_eq!(
        (ticked.at("/checked"), ticked.at("/triggered")),
        (json!(0), json!(0))
    );
    let later = next + TimeDelta::days(3);
    let resume = report
        .at(later)
        .call("POST", &format!("{}/resume", report.path()));
    let resumed = resume.await.expect_status(200);
    assert!(time(&resumed.text_at("/nextRunAt")) > later, "{resumed}");
    assert_eq!(
        (resumed.at("/pausedAt"), resumed.at("/missed")),
        (Value::Null, json!(0))
    );
}

#[tokio::test]
async fn reports_are_listed_newest_first_page_by_page() {
    let tenant = Tenant::new().await;
    for name in ["one", "two", "three"] {
        Report::with(&tenant, json!({"name": name, "enabled": name != "two"})).await;
    }
    let get = |query: &str| {
        let path = format!("/api/pulse?{query}");
        let client = tenant.client().clone();
        async move { client.get(&path).await.expect_status(200) }
    };
    let first = get("limit=2").await;
    let names = |page: &Reply| -> Vec<Value> {
        page.list_at("/items")
            .iter()
            .map(|one| one["name"].clone())
            .collect()
    };
    assert_eq!(names(&first), ["three", "two"]);
    let rest = get(&format!("limit=2&cursor={}", first.text_at("/next_cursor"))).await;
    assert_eq!(names(&rest), ["one"]);
    assert_eq!(rest.at("/next_cursor"), Value::Null);
    assert_eq!(names(&get("enabled=false").await), ["two"]);
}

#[tokio::test]
async fn a_removed_report_is_gone_with_its_runs() {
    let tenant = Tenant::new().await;
    let report = Report::new(&tenant).await;
    let job = report.publish().await;
    job.finished().await;
    report
        .client()
        .delete(&report.path())
        .await
        .expect_status(204);
    report.client().get(&report.path()).await.problem_of(404);
    report.client().get(&job.path()).await.problem_of(404);
}

#[tokio::test]
async fn templates_are_kept_and_one_in_use_stays() {
    let tenant = Tenant::new().await;
    let client = tenant.client();
    let body = json!({"name": "Plain", "body": "# Guests"});
    let made = client
        .post("/api/pulse-templates", &body)
        .await
        .expect_status(201);
    let id = made.text_at("/id");
    let path = format!("/api/pulse-templates/{id}");
    let changed = client.call("PUT", &path).json(&json!({"name": "Plainer"}));
    let changed = changed.header("if-match", "\"1\"").await.expect_status(200);
    assert_eq!(
        (changed.at("/name"), changed.at("/body")),
        (json!("Plainer"), json!("# Guests"))
    );
    let report = Report::with(&tenant, json!({"templateId": id})).await;
    client.delete(&path).await.problem(409, "template_in_use");
    report
        .change(json!({"templateId": null}))
        .await
        .expect_status(200);
    client.delete(&path).await.expect_status(204);
    client.get(&path).await.problem_of(404);
    for (field, value, code) in [
        ("name", json!(""), "required"),
        ("body", json!(""), "required"),
        ("body", json!("x".repeat(50_001)), "too_long"),
    ] {
        let mut body = json!({"name": "n", "body": "b"});
        body[field] = value;
        let reply = client
            .post("/api/pulse-templates", &body)
            .await
            .problem_of(422);
        assert_eq!(reply.at("/errors/0/code"), code, "{reply}");
    }
}
