//! Silences and maintenance windows: what they match, when, and what is told when they end.
//!
//! Invariant: what is muted goes on and is recorded; nobody hears of it.
//! Failure: the alert as it is, or what was told.

use chrono::{TimeDelta, Timelike, Utc};
use pulse_tests::monitored::tells;
use pulse_tests::prelude::*;
use pulse_tests::receiver::Receiver;
use pulse_tests::watched::{Watched, told};

async fn watched() -> (Watched, Receiver) {
    let tenant = Tenant::new().await;
    let receiver = Receiver::new().await;
    tells(&tenant, &receiver, 0).await;
    let table = json!({"labels": {"team": "payments"}});
    let watched = Watched::with(&tenant, json!({}), table, json!({})).await;
    (watched, receiver)
}

/// Makes a silence of an hour; `extra` says otherwise. Answers it.
async fn silence(watched: &Watched, matchers: Value, extra: Value) -> Value {
    let mut body = json!({"matchers": matchers, "comment": "Migration"});
    if extra.get("cron").is_none() {
        body["ends_at"] = json!(rfc3339(seconds_from_now(3600)));
    }
    for (name, value) in extra.as_object().expect("settings") {
        body[name] = value.clone();
    }
    let made = watched.client().post("/api/silences", &body).await;
    made.expect_status(201).json()
}

fn path(silence: &Value) -> String {
    format!("/api/silences/{}", silence["id"].as_str().expect("an id"))
}

/// Behaviour 23, by everything that a silence may go by.
#[tokio::test]
async fn a_silence_mutes_what_it_names_and_nothing_else() {
    let (watched, receiver) = watched().await;
    let (connection, table) = (&watched.connection.id, &watched.table.id);
    let check = watched.check.rsplit('/').next().expect("an id").to_owned();
    let other = "01890000-0000-7000-8000-000000000000";
    let mut last = None;
    for matchers in [
        json!({"connections": [connection]}),
        json!({"tables": [other, table]}),
        json!({"checks": [check]}),
        json!({"kinds": ["check"]}),
        json!({"severities": ["fail"]}),
        json!({"labels": {"team": ["growth", "payments"]}}),
        json!({"tables": [table], "kinds": ["check", "lag"], "labels": {"tier": [""]}}),
    ] {
        let made = silence(&watched, matchers.clone(), json!({})).await;
        // The one before goes when this one is there, so that nothing is told in between.
        if let Some(before) = last.replace(path(&made)) {
            let gone = watched.client().delete(&before).await;
            gone.expect_status(204);
        }
        watched.fails().await;
        let by = &watched.alert().await["muted_by"];
        assert_eq!(
            by,
            &json!({"by": "silence", "id": made["id"]}),
            "{matchers}"
        );
    }
    told(&receiver, 0).await;
}

#[tokio::test]
async fn what_no_silence_matches_is_told() {
    let (watched, receiver) = watched().await;
    let other = "01890000-0000-7000-8000-000000000000";
    for matchers in [
        json!({"connections": [other]}),
        json!({"tables": [other]}),
        json!({"checks": [other]}),
        json!({"kinds": ["lag", "schema"]}),
        json!({"severities": ["warn"]}),
        json!({"labels": {"team": ["growth"]}}),
        json!({"labels": {"team": [""]}}),
        json!({"kinds": ["check"], "severities": ["warn"]}),
    ] {
        silence(&watched, matchers, json!({})).await;
    }
    let stranger = Tenant::new().await;
    let all = json!({"matchers": {"kinds": ["check"]},
        "ends_at": rfc3339(seconds_from_now(3600))});
    let theirs = stranger.client().post("/api/silences", &all).await;
    let theirs = format!("/api/silences/{}", theirs.expect_status(201).text_at("/id"));
    watched.fails().await;
    assert_eq!(watched.alert().await["muted_by"], Value::Null);
    told(&receiver, 1).await;
    watched.client().get(&theirs).await.problem_of(404);
    watched.client().delete(&theirs).await.problem_of(404);
}

#[tokio::test]
async fn a_maintenance_window_mutes_while_it_is_open() {
    let (watched, receiver) = watched().await;
    let tables = json!({"tables": [watched.table.id]});
    // One window begins each minute and lasts one, so one is open at any time.
    let window = json!({"cron": "* * * * *", "duration_seconds": 60, "timezone": "Europe/Berlin",
        "starts_at": rfc3339(seconds_from_now(-120))});
    let open = silence(&watched, tables.clone(), window).await;
    let shown = watched
        .client()
        .get(&path(&open))
        .await
        .expect_status(200)
        .json();
    assert_eq!(shown["status"]["status"], "active", "{shown}");
    watched.fails().await;
    let alert = watched.alert().await;
    assert_eq!(
        (&alert["state"], &alert["muted_by"]["id"]),
        (&json!("firing"), &open["id"])
    );
    told(&receiver, 0).await;
    // The window of another hour is shut, and says when it opens.
    let hour = (Utc::now() + TimeDelta::hours(6)).hour();
    let window = json!({"cron": format!("30 {hour} * * *"), "duration_seconds": 3600});
    let shut = silence(&watched, tables, window).await;
    assert_eq!(shut["status"]["status"], "pending", "{shut}");
    let opens = time(shut["status"]["at"].as_str().expect("a time"));
    assert_eq!((opens.hour(), opens.minute()), (hour, 30), "{shut}");
    let gone = watched.client().delete(&path(&open)).await;
    gone.expect_status(204);
    watched.fails().await;
    assert_eq!(watched.alert().await["muted_by"], Value::Null);
    told(&receiver, 1).await;
}

#[tokio::test]
async fn what_came_and_went_while_it_was_muted_is_never_told_and_what_stands_is_told_once() {
    let (watched, receiver) = watched().await;
    let silence = silence(
        &watched,
        json!({"connections": [watched.connection.id]}),
        json!({}),
    )
    .await;
    watched.fails().await;
    watched.passes().await;
    watched.stands("resolved").await;
    watched.fails().await;
    // It ends sooner than was said, and of itself: nobody runs anything.
    let sooner = json!({"ends_at": rfc3339(seconds_from_now(4))});
    let ended = watched.client().patch(&path(&silence), &sooner).await;
    ended.expect_status(200);
    watched.fails().await;
    told(&receiver, 1).await;
    let shown = watched.client().get(&path(&silence)).await;
    assert_eq!(shown.at("/status/status"), "expired", "{shown}");
    let alerts = watched.connection.alerts().await;
    assert_eq!(alerts.len(), 2, "{alerts:?}");
}

#[tokio::test]
async fn what_was_told_and_ends_while_it_is_muted_is_told_when_the_silence_ends() {
    let (watched, receiver) = watched().await;
    watched.fails().await;
    receiver.received(1).await;
    let soon = json!({"ends_at": rfc3339(seconds_from_now(12))});
    silence(&watched, json!({"kinds": ["check"]}), soon).await;
    watched.passes().await;
    assert_eq!(watched.alert().await["state"], "resolved");
    assert_eq!(receiver.hooks().len(), 1, "it is muted");
    told(&receiver, 2).await;
}

#[tokio::test]
async fn a_silence_that_cannot_be_meant_is_refused() {
    let tenant = Tenant::new().await;
    let client = tenant.client();
    let in_an_hour = rfc3339(seconds_from_now(3600));
    for (body, pointer) in [
        (json!({"matchers": {}, "ends_at": in_an_hour}), "/matchers"),
        (json!({"matchers": {"kinds": ["check"]}}), "/ends_at"),
        (
            json!({"matchers": {"kinds": ["check"]}, "ends_at": rfc3339(seconds_from_now(-60))}),
            "/ends_at",
        ),
        (
            json!({"matchers": {"kinds": ["check"]}, "cron": "61 * * * *", "duration_seconds": 60}),
            "/cron",
        ),
        (
            json!({"matchers": {"kinds": ["check"]}, "cron": "0 2 * * *"}),
            "/duration_seconds",
        ),
        (
            json!({"matchers": {"labels": {"!": ["x"]}}, "ends_at": in_an_hour}),
            "/matchers/labels/!",
        ),
    ] {
        let refused = client.post("/api/silences", &body).await;
        refused.problem_of(422).points_at(pointer);
    }
    let agent = tenant.member("read_only").await.client;
    let fine = json!({"matchers": {"kinds": ["check"]}, "ends_at": in_an_hour});
    agent.post("/api/silences", &fine).await.problem_of(403);
    agent.get("/api/silences").await.expect_status(200);
}
