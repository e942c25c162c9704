//! The dashboard: what it counts, and that the record in Postgres counts the same.
//!
//! Invariant: the numbers follow from the log alone (55).
//! Failure: the numbers that differ.

use pulse_tests::database::Database;
use pulse_tests::history::Replay;
use pulse_tests::prelude::*;

#[tokio::test]
async fn an_event_that_has_not_begun_counts_nothing() {
    let event = Event::with_guests(["Ada", "Bob"])
        .timezone("Asia/Tokyo")
        .open()
        .await;
    let dashboard = event
        .dashboard()
        .await
        .counts(|c| c.total == 2 && c.checked_in == 0 && c.rate == 0.0);
    assert_eq!(
        (dashboard.at("/timezone"), dashboard.at("/enabled")),
        (json!("Asia/Tokyo"), json!(true))
    );
    assert_eq!(
        (dashboard.at("/recent"), dashboard.at("/arrivals")),
        (json!([]), json!([]))
    );
    assert_eq!(
        (dashboard.at("/live/channel"), dashboard.at("/live/offset")),
        (json!("scans"), json!(0))
    );
    assert_eq!(dashboard.at("/unsynced"), 0);
    assert!(
        dashboard
            .at("/live/url")
            .as_str()
            .is_some_and(|url| url.contains(&event.live_path()))
    );
    let empty = Event::with_guests([""; 0]).open().await;
    empty
        .dashboard()
        .await
        .counts(|c| c.total == 0 && c.rate == 0.0);
}

/// 50: total, checked in and inside, per category.
#[tokio::test]
async fn totals_are_shown_by_category_and_gate() {
    let event = Event::with_guests(["Ada:vip", "Bob:vip", "Cleo:standard", "Dan"]);
    let event = event.gate("North", ["vip"]).gate("South", []).open().await;
    event.scanner("North").scan("Ada").await.accepted();
    event
        .scanner("North")
        .scan("Cleo")
        .await
        .refused("wrong_gate");
    event.scanner("South").scan("Cleo").await.accepted();
    event.scanner("South").exit("Cleo").await.accepted();
    let dashboard = event
        .dashboard()
        .await
        .counts(|c| c.total == 4 && c.checked_in == 2 && c.inside == 1);
    let dashboard = dashboard.counts(|c| (c.rate - 0.5).abs() < 1e-9);
    let find = |list: &str, key: &str, name: Value| {
        let found = dashboard
            .at(list)
            .as_array()
            .and_then(|items| items.iter().find(|item| item[key] == name).cloned());
        found.unwrap_or_else(|| panic!("no {name} in {}", dashboard.at(list)))
    };
    let vip = find("/by_category", "category", json!("vip"));
    assert_eq!((&vip["total"], &vip["checked_in"]), (&json!(2), &json!(1)));
    let standard = find("/by_category", "category", json!("standard"));
    assert_eq!(
        (&standard["total"], &standard["checked_in"]),
        (&json!(1), &json!(1))
    );
    let none = find("/by_category", "category", Value::Null);
    assert_eq!(
        (&none["total"], &none["checked_in"]),
        (&json!(1), &json!(0))
    );
    let north = find("/by_gate", "gate", json!("North"));
    assert_eq!(
        (&north["accepted"], &north["refused"]),
        (&json!(1), &json!(1))
    );
    let south = find("/by_gate", "gate", json!("South"));
    assert_eq!(
        (&south["accepted"], &south["refused"]),
        (&json!(1), &json!(0))
    );
}

#[tokio::test]
async fn arrivals_are_counted_by_the_minute_they_happened_in() {
    let event = Event::with_guests(["Ada", "Bob", "Cleo"]).open().await;
    let base = chrono::Utc::now() - chrono::TimeDelta::minutes(20);
    let minute = base.timestamp().div_euclid(60) * 60;
    for (guest, second) in [("Ada", 0), ("Bob", 59), ("Cleo", 60)] {
        let at = chrono::DateTime::from_timestamp(minute + second, 0).expect("a time");
        let body = json!({"barcode": event.code(guest), "scanned_at": rfc3339(at)});
        event.door().scan_with(body).await.accepted();
    }
    let arrivals = event.dashboard().await.at("/arrivals");
    let arrivals = arrivals.as_array().expect("arrivals");
    let counts: Vec<_> = arrivals
        .iter()
        .filter(|minute| minute["count"] != 0)
        .map(|minute| minute["count"].clone())
        .collect();
    assert_eq!(counts, [2, 1], "{arrivals:?}");
}

#[tokio::test]
async fn the_feed_shows_the_last_twenty_newest_first() {
    let event = Event::with_guests(["Ada"]).open().await;
    for number in 0..25 {
        event
            .door()
            .scan(&format!("code {number}"))
            .await
            .refused("unknown_code");
    }
    event.door().scan("Ada").await.accepted();
    let recent = event.dashboard().await.at("/recent");
    let recent = recent.as_array().expect("recent");
    assert_eq!(recent.len(), 20);
    assert_eq!(
        (&recent[0]["seq"], &recent[0]["guest"]["name"]),
        (&json!(26), &json!("Ada"))
    );
    assert_eq!(recent[19]["seq"], 7);
}

#[tokio::test]
async fn scanners_are_shown_with_what_they_did() {
    let event = Event::with_guests(["Ada"]).gate("North", []).open().await;
    event.scanner("North").scan("Ada").await.accepted();
    event.scanner("North").scan("Ada").await.duplicate();
    let scanners = event.dashboard().await.at("/active_scanners");
    let scanner = scanners
        .as_array()
        .and_then(|all| all.iter().find(|one| one["gate"] == "North"));
    let scanner = scanner.unwrap_or_else(|| panic!("no scanner: {scanners}"));
    assert_eq!(
        (&scanner["scans"], &scanner["session_id"]),
        (&json!(2), &json!(event.scanner("North").id().await))
    );
    assert!(scanner["last_seen_at"].is_string());
}

#[tokio::test]
async fn the_total_follows_the_list() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let rows = format!("/pulse/tables/{}/rows", event.table);
    event
        .client()
        .post(&rows, &json!({"name": "Cleo"}))
        .await
        .expect_status(201);
    event.dashboard().await.counts(|c| c.total == 3);
    event
        .client()
        .delete(&format!("{rows}/{}", event.row_id("Bob")))
        .await
        .expect_status(204);
    event.dashboard().await.counts(|c| c.total == 2);
}

#[tokio::test]
async fn a_device_sees_its_dashboard() {
    let event = Event::with_guests(["Ada"]).open().await;
    let path = format!("/pulse/dashboard/{}", event.table);
    Dashboard::of(&event.door().client().await.get(&path).await).counts(|c| c.total == 1);
}

/// A little of everything, in an order that no rule is written for.
async fn a_busy_evening(event: &Event) {
    let names = ["Ada", "Bob", "Cleo", "Dan", "Eve"];
    let mut made: Vec<String> = Vec::new();
    let mut state = 7_u64;
    for step in 0..120 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let draw = state >> 33;
        let phone = event.phone(&format!("phone {}", draw % 3));
        let guest = names[(draw / 3 % 5) as usize];
        let minutes = chrono::TimeDelta::minutes((draw / 16 % 180) as i64);
        let at = rfc3339(time("2026-05-01T18:00:00Z") + minutes);
        let answer = match draw / 64 % 10 {
            0 => phone.scan("nobody's").await,
            1 => {
                phone
                    .scan_with(
                        json!({"walk_in": {"name": format!("Walk-in {step}")}, "scanned_at": at}),
                    )
                    .await
            }
            2 | 3 => phone
                .scan_with(
                    json!({"barcode": event.code(guest), "direction": "exit", "scanned_at": at}),
                )
                .await,
            4 => {
                phone
                    .scan_with(
                        json!({"barcode": event.code(guest), "force": true, "scanned_at": at}),
                    )
                    .await
            }
            5 if !made.is_empty() => {
                let check_in = made.swap_remove((draw / 640) as usize % made.len());
                event
                    .annul_by(event.client(), &check_in)
                    .await
                    .expect_status(200);
                continue;
            }
            _ => {
                phone
                    .scan_with(json!({"barcode": event.code(guest), "scanned_at": at}))
                    .await
            }
        };
        if answer.reply.status == 201 {
            made.push(answer.check_in());
        }
    }
}

/// 55: counters equal a replay of the log, live and in Postgres.
#[tokio::test]
async fn counters_equal_a_replay_of_the_log() {
    let settings = json!({"allow_reentry": true, "capacity": 6});
    let event = Event::with_guests(["Ada", "Bob", "Cleo", "Dan", "Eve"])
        .settings(settings)
        .open()
        .await;
    a_busy_evening(&event).await;
    let dashboard = event.recorded().await;
    let log = Database::admin()
        .await
        .scan_log(&event.tenant.id, &event.table)
        .await;
    assert_eq!(log.len() as u64, dashboard.position().offset);
    let replay = Replay::of(&log);
    assert!(
        replay.admissions > 5 && replay.duplicates > 0 && !replay.refused.is_empty(),
        "a dull evening: {replay:?}"
    );
    replay.agrees(&dashboard.counts);
    let stats = event
        .client()
        .get(&format!("/pulse/{}", event.table))
        .await
        .expect_status(200)
        .at("/stats");
    for (name, expected) in [
        ("checked_in", replay.checked_in as i64),
        ("inside", replay.inside),
        ("walk_ins", replay.walk_ins as i64),
        ("duplicates", replay.duplicates as i64),
    ] {
        assert_eq!(stats[name], expected, "{name} in Postgres: {stats}");
    }
    for (reason, count) in &replay.refused {
        assert_eq!(
            stats["refused"][reason], *count,
            "{reason} in Postgres: {stats}"
        );
    }
    let records = event.check_ins("verdict=accepted").await;
    let logged = log
        .iter()
        .filter(|entry| matches!(entry["effect"].as_str(), Some("admit" | "exit")))
        .count();
    assert_eq!(records.len(), logged);
}
