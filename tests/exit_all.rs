//! Everybody leaves at a time of day.
//!
//! Invariant: who was inside at that moment leaves as of it, once, whenever the object wakes; who
//! came after stays.
//! Failure: each test names the records that came instead.

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use pulse_tests::control::Control;
use pulse_tests::database::Database;
use pulse_tests::history::Replay;
use pulse_tests::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_postgres::types::Type;

/// A manager whose credential is good at any time.
async fn key(event: &Event) -> Client {
    let body = json!({"name": "Clock", "role": "manager"});
    let key = event.client().post("/api/keys", &body).await;
    Client::anonymous().with_token(&key.expect_status(201).text_at("/key"))
}

/// Sets the time of day as if it were `now`; returns before anybody leaves, or while they do.
async fn leave_at(event: &Event, now: &str, clock: &str) {
    let path = format!("/pulse/{}", event.table);
    let body = json!({"settings": {"exit_all_at": clock}});
    let client = key(event).await.at(time(now));
    client.patch(&path, &body).await.expect_status(200);
}

fn at(event: &Event, guest: &str, time: &str) -> Value {
    json!({"barcode": event.code(guest), "scanned_at": time})
}

/// The exits that nobody scanned: who, and when.
async fn exits(event: &Event) -> Vec<(Value, Value)> {
    let records = event.check_ins("verdict=accepted").await;
    let mut exits: Vec<_> = records
        .into_iter()
        .filter(|one| one["direction"] == "exit" && one["session_id"].is_null())
        .map(|one| {
            (
                one["row_data"]["name"].clone(),
                one["check_in_time"].clone(),
            )
        })
        .collect();
    exits.sort_by_key(|(who, when)| (when.to_string(), who.to_string()));
    exits
}

async fn emptied(event: &Event) {
    eventually("nobody is inside", || async {
        (event.dashboard().await.counts.inside == 0).then_some(())
    })
    .await;
    event.recorded().await;
}

/// The counters follow from the log, live and in Postgres.
async fn all_count_the_same(event: &Event) {
    let dashboard = event.recorded().await;
    let log = Database::admin()
        .await
        .scan_log(&event.tenant.id, &event.table)
        .await;
    Replay::of(&log).agrees(&dashboard.counts);
    let config = event.client().get(&format!("/pulse/{}", event.table)).await;
    assert_eq!(config.at("/stats/inside"), dashboard.counts.inside);
}

/// 35: on the night the clocks go forward 02:30 is not shown; everybody leaves when 03:00 is.
#[tokio::test]
async fn a_time_that_the_clock_skips_is_its_first_moment_after() {
    let event = Event::with_guests(["Ada", "Bob", "Cleo", "Dan"])
        .open()
        .await;
    let door = event.door();
    for (guest, time) in [
        ("Ada", "2024-03-30T22:00:00Z"),
        ("Bob", "2024-03-31T00:59:59.999Z"),
        ("Cleo", "2024-03-31T01:00:00.001Z"),
    ] {
        door.scan_with(at(&event, guest, time)).await.accepted();
    }
    let mut socket = event.socket().await;
    socket.subscribe("scans").await;
    leave_at(&event, "2024-03-30T20:00:00Z", "02:30").await;
    emptied(&event).await;
    let seen = socket.events_of("scans", 3).await;
    assert!(
        seen.iter().all(|one| one["type"] == "checkin.exited"),
        "{seen:?}"
    );
    let night = json!("2024-03-31T01:00:00.000Z");
    let next = json!("2024-04-01T00:30:00.000Z");
    let expected = [("Ada", &night), ("Bob", &night), ("Cleo", &next)];
    let expected = expected.map(|(who, when)| (json!(who), when.clone()));
    assert_eq!(exits(&event).await, expected);
    all_count_the_same(&event).await;
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 3 && c.inside == 0);
}

/// 35: on the night they go back 02:30 is shown twice; everybody leaves at the first.
#[tokio::test]
async fn a_time_that_the_clock_shows_twice_counts_once() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let door = event.door();
    for (guest, time) in [
        ("Ada", "2024-10-26T20:00:00Z"),
        ("Bob", "2024-10-27T00:45:00Z"),
    ] {
        door.scan_with(at(&event, guest, time)).await.accepted();
    }
    leave_at(&event, "2024-10-26T19:00:00Z", "02:30").await;
    emptied(&event).await;
    let expected = [
        (json!("Ada"), json!("2024-10-27T00:30:00.000Z")),
        (json!("Bob"), json!("2024-10-28T01:30:00.000Z")),
    ];
    assert_eq!(exits(&event).await, expected);
    all_count_the_same(&event).await;
}

/// The next moment that is some hours away, on a full minute, and as the wall clock of UTC.
fn soon() -> (DateTime<Utc>, String) {
    let moment = Utc::now() + TimeDelta::hours(3);
    let moment = moment.with_second(0).and_then(|at| at.with_nanosecond(0));
    let moment = moment.expect("a full minute");
    (moment, moment.format("%H:%M").to_string())
}

async fn knows(event: &Event, moment: Option<DateTime<Utc>>) {
    let database = Database::admin().await;
    database.as_tenant(&event.tenant.id).await;
    let sql = "select to_jsonb(app.utc(exits_at)) from pulse_enabled_tables where table_id = $1::text::uuid";
    let expected = moment.map_or(Value::Null, |moment| json!(rfc3339(moment)));
    eventually("Postgres knows the next moment", || async {
        let known = database.json(sql, &[(&event.table, Type::TEXT)]).await;
        (known == expected).then_some(())
    })
    .await;
}

/// 35: an object that slept wakes, lets everybody out as of the moment, and only them.
#[tokio::test]
async fn who_was_inside_leaves_though_the_object_slept() {
    let event = Event::with_guests(["Ada", "Bob", "Cleo"]).timezone("UTC");
    let event = event
        .guest(json!({"name": "Family", "party": 5}))
        .open()
        .await;
    let door = event.door();
    let manager = key(&event).await;
    let (moment, clock) = soon();
    event
        .configure(json!({"settings": {"exit_all_at": clock, "allow_reentry": true}}))
        .await;
    door.scan("Ada").await.accepted();
    door.scan_with(json!({"barcode": event.code("Family"), "people": 3}))
        .await
        .accepted();
    event.recorded().await.counts(|c| c.inside == 4);
    knows(&event, Some(moment)).await;
    Control::here().evict(&event.table).await;
    let late = moment + TimeDelta::minutes(20);
    let path = format!("/pulse/{}", event.table);
    let body = json!({"settings": {"capacity": 100}});
    for _ in 0..2 {
        manager
            .at(late)
            .patch(&path, &body)
            .await
            .expect_status(200);
        event
            .recorded()
            .await
            .counts(|c| c.inside == 0 && c.checked_in == 2);
    }
    let when = json!(rfc3339(moment));
    let expected = [
        (json!("Ada"), when.clone()),
        (json!("Family"), when.clone()),
    ];
    assert_eq!(exits(&event).await, expected);
    knows(&event, Some(moment + TimeDelta::days(1))).await;
    // Who comes after stays; who is reported late to have come before has left.
    let after = rfc3339(late + TimeDelta::minutes(1));
    let body = json!({"barcode": event.code("Bob")});
    door.scan_at(&after, body).await.accepted();
    let item = json!({"barcode": event.code("Cleo"), "nonce": "late", "offline": {"verdict": "accepted"},
                      "scanned_at": rfc3339(moment - TimeDelta::minutes(1))});
    let batch = json!({"table_id": event.table, "items": [item]});
    let phone = event.phone("cellar").client().await.at(time(&after));
    let synced = phone.post("/pulse/check-ins/sync", &batch).await;
    assert_eq!(synced.expect_status(200).at("/results/0/status"), 201);
    event
        .recorded()
        .await
        .counts(|c| c.inside == 1 && c.checked_in == 4);
    assert_eq!(exits(&event).await.len(), 3);
    all_count_the_same(&event).await;
    // Back again is allowed after everybody left.
    let body = json!({"barcode": event.code("Ada")});
    door.scan_at(&after, body).await.accepted();
}

/// 35: the minute tick wakes an object whose moment has passed; switched off, nobody leaves.
#[tokio::test]
async fn the_minute_tick_wakes_an_object_that_missed_the_moment() {
    let event = Event::with_guests(["Ada"]).timezone("UTC").open().await;
    let (moment, clock) = soon();
    event
        .configure(json!({"settings": {"exit_all_at": clock}}))
        .await;
    knows(&event, Some(moment)).await;
    let database = Database::admin().await;
    database.as_tenant(&event.tenant.id).await;
    let sql =
        "with missed as (update pulse_enabled_tables set exits_at = now() - interval '1 minute'
               where table_id = $1::text::uuid returning 1) select to_jsonb(count(*)) from missed";
    let missed = database.json(sql, &[(&event.table, Type::TEXT)]).await;
    assert_eq!(missed, 1);
    Control::here().evict(&event.table).await;
    Control::here().cron("* * * * *").await;
    knows(&event, Some(moment)).await;
    event
        .configure(json!({"settings": {"exit_all_at": null}}))
        .await;
    knows(&event, None).await;
}

/// 35: while many leave, scans are taken.
#[tokio::test]
async fn scans_are_taken_while_two_thousand_leave() {
    let event = Event::with_guests([""; 0]).timezone("UTC").open().await;
    let csv: String = (0..2_000).map(|n| format!("Guest {n},c{n}\n")).collect();
    let import = format!("/pulse/tables/{}/import", event.table);
    let import = event.client().call("POST", &import);
    let import = import.body("text/csv", format!("name,barcode\n{csv}"));
    import.await.expect_status(200);
    let phone = event.phone("hall").client().await;
    for batch in 0..10 {
        let items: Vec<Value> = (batch * 200..(batch + 1) * 200)
            .map(|n| json!({"barcode": format!("c{n}"), "nonce": format!("{n}")}))
            .collect();
        let batch = json!({"table_id": event.table, "items": items});
        let synced = phone.post("/pulse/check-ins/sync", &batch).await;
        synced.expect_status(200);
    }
    event.dashboard().await.counts(|c| c.inside == 2_000);
    let (moment, clock) = soon();
    event
        .configure(json!({"settings": {"exit_all_at": clock}}))
        .await;
    let manager = key(&event).await.at(moment + TimeDelta::seconds(1));
    let path = format!("/pulse/{}", event.table);
    let body = json!({"settings": {"capacity": 9_000}});
    // Some scan is always on its way, from before the first leaves until the last has.
    let over = AtomicBool::new(false);
    let scanning = || async {
        let mut answered = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let scan = event.scan_by(&phone, json!({"barcode": "nobody"}));
            answered.push(Answer::of(scan.await).refused("unknown_code").seq());
        }
        answered
    };
    let leaving = async {
        let left = manager.patch(&path, &body).await;
        eventually("all have left", || async {
            (event.dashboard().await.counts.inside == 0).then_some(())
        })
        .await;
        over.store(true, Ordering::Relaxed);
        left
    };
    let (left, one, other) = tokio::join!(leaving, scanning(), scanning());
    let answered = [one, other].concat();
    left.expect_status(200);
    let log = {
        event.recorded().await;
        let database = Database::admin().await;
        database.scan_log(&event.tenant.id, &event.table).await
    };
    let exits: Vec<u64> = log
        .iter()
        .filter(|entry| entry["effect"] == "exit")
        .filter_map(|entry| entry["seq"].as_u64())
        .collect();
    assert_eq!(exits.len(), 2_000);
    let (first, last) = (exits[0], exits[exits.len() - 1]);
    let between = answered.iter().filter(|seq| (first..last).contains(seq));
    assert!(
        between.count() > 0,
        "{first} to {last}, none of {answered:?}"
    );
    Replay::of(&log).agrees(&event.dashboard().await.counts);
}

/// 35: a time of day that is none is refused.
#[tokio::test]
async fn a_time_of_day_that_is_none_is_refused() {
    let event = Event::with_guests(["Ada"]).open().await;
    let path = format!("/pulse/{}", event.table);
    for wrong in [
        json!("24:00"),
        json!("4:00"),
        json!("04:60"),
        json!(4),
        json!(""),
    ] {
        let body = json!({"settings": {"exit_all_at": wrong}});
        let reply = event.client().patch(&path, &body).await;
        reply.problem_of(422).points_at("/settings/exit_all_at");
    }
    let reply = event
        .configure(json!({"settings": {"exit_all_at": "00:00"}}))
        .await;
    assert_eq!(reply.at("/settings/exit_all_at"), "00:00");
}
