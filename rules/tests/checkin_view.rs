//! The guest list and its index, the dashboard, the events of the live channel.
//!
//! Invariant: what is kept by deltas equals what a walk over everything gives.
//! Failure: a seed or a table row names what behaved otherwise.

mod checkin_support;

use std::collections::BTreeMap;

use checkin_support::*;
use chrono::TimeDelta;
use rules::checkin::event::EventGuest;
use rules::checkin::ledger::{ARRIVAL_MINUTES, RECENT};
use rules::checkin::*;
use rules::roles::Profile;
use serde_json::json;
use uuid::Uuid;

#[test]
fn the_index_and_the_totals_follow_every_change_of_the_list() {
    for seed in 0..500 {
        let mut chance = Chance::seeded(seed);
        let mut roster = Roster::default();
        let mut naive: BTreeMap<Uuid, Row> = BTreeMap::new();
        for _ in 0..60 {
            let number = chance.below(8).into();
            if chance.one_in(3) {
                assert_eq!(roster.remove(guest(number)), naive.remove(&guest(number)));
                continue;
            }
            let mut row = row(number, chance.of(&["A", "B", "C"]));
            row.barcode = row.barcode.filter(|_| !chance.one_in(5));
            row.category = chance
                .of(&[None, Some("vip"), Some("press")])
                .map(str::to_owned);
            row.status = chance.of(&[Status::Confirmed, Status::Confirmed, Status::Canceled]);
            naive.insert(row.id, row.clone());
            roster.upsert(row);
        }
        for code in ["A", "B", "C", "D"] {
            let holders: Vec<&Row> = naive
                .values()
                .filter(|row| row.barcode.as_deref() == Some(code))
                .collect();
            let confirmed: Vec<&&Row> = holders
                .iter()
                .filter(|row| row.status == Status::Confirmed)
                .collect();
            let expected = match (holders.as_slice(), confirmed.as_slice()) {
                ([], _) => Found::Nobody,
                ([one], _) => Found::One(one),
                (_, [one]) => Found::One(one),
                (several, _) => Found::Several(several.len()),
            };
            assert_eq!(roster.find(code), expected, "seed {seed} code {code}");
        }
        let mut totals: BTreeMap<Option<String>, u32> = BTreeMap::new();
        naive
            .values()
            .for_each(|row| *totals.entry(row.category.clone()).or_default() += 1);
        assert_eq!(roster.totals(), &totals, "seed {seed}");
        assert_eq!(roster.len(), naive.len());
        let written = serde_json::to_string(&roster).unwrap();
        assert_eq!(
            serde_json::from_str::<Roster>(&written).unwrap(),
            roster,
            "seed {seed}"
        );
    }
}

#[test]
fn codes_are_trimmed_on_both_sides_and_blank_ones_are_none() {
    let mut roster = Roster::default();
    roster.upsert(row(1, "  A\t"));
    roster.upsert(row(2, "   "));
    assert!(matches!(roster.find("A "), Found::One(_)));
    assert_eq!(roster.find(""), Found::Nobody);
    assert_eq!(roster.get(guest(2)).unwrap().barcode, None);
    let pulled = json!({
        "id": guest(3), "name": "Cy", "email": null, "barcode": " C ", "category": null,
        "status": "confirmed", "valid_from": "2024-06-01T10:00:00+02:00", "valid_until": null,
        "attention_note": null, "change_seq": 4, "tenant_id": guest(4)
    });
    let pulled: Row = serde_json::from_value(pulled).unwrap();
    assert_eq!(
        (pulled.barcode.as_deref(), pulled.valid_from),
        (Some("C"), Some(on_day("08:00:00")))
    );
}

#[test]
fn the_dashboard_shows_what_happened() {
    let gates = json!([{"name": "North"}, {"name": "South"}]);
    let mut door = Door::new(json!({"capacity": 10}), gates, "Europe/Berlin");
    for (number, category) in [(1, Some("vip")), (2, None), (3, Some("press"))] {
        let mut row = row(number, &format!("C{number}"));
        row.category = category.map(str::to_owned);
        door.put(row);
    }
    let mut scan = |code: &str, gate: Option<&str>, clock: &str| {
        let body = ScanIn {
            gate: gate.map(str::to_owned),
            ..scan_of(code, clock)
        };
        door.take(body, on_day(clock))
    };
    scan("C1", Some("South"), "18:00:00");
    scan("C2", None, "18:00:59");
    scan("C1", Some("North"), "18:03:00");
    let refused = scan("nobody", Some("East"), "18:04:00");
    assert_eq!(refused.gate.as_deref(), Some("East"));
    let devices = [(1, "Phone"), (2, "Tablet")].map(|(number, name)| Known {
        session_id: device(number),
        name: name.to_owned(),
        gate: None,
        profile: Profile::Scanner,
        is_active: true,
        online: number == 2,
        seen_at: (number == 2).then(|| on_day("18:03:30")),
        status: (number == 1).then(|| Report {
            at: on_day("18:03:30"),
            battery: Some(0.4),
            charging: Some(false),
            app: Some("Pulse 1".to_owned()),
            pending: Some(2),
            roster_seq: Some(7),
        }),
    });
    let live = LivePosition {
        channel: "scans".to_owned(),
        offset: 4,
        ..LivePosition::default()
    };
    let dashboard = door.state().dashboard(About {
        name: "Gala".to_owned(),
        enabled: true,
        devices: devices.into(),
        record: Record {
            seq: 4,
            flushed_seq: 3,
            behind: 1,
            oldest_unflushed_at: None,
        },
        live,
        roster_seq: 9,
        server_time: on_day("18:05:00"),
    });
    let written = serde_json::to_value(&dashboard).unwrap();
    for (field, expected) in [
        ("name", json!("Gala")),
        ("timezone", json!("Europe/Berlin")),
        ("enabled", json!(true)),
        ("total", json!(3)),
        ("checked_in", json!(2)),
        ("inside", json!(2)),
        ("walk_ins", json!(0)),
        ("duplicates", json!(1)),
        ("unidentified", json!(0)),
        ("roster_seq", json!(9)),
        ("refused", json!({"unknown_code": 1})),
        ("rate", json!(0.6667)),
        ("capacity", json!(10)),
        (
            "arrivals",
            json!([{"minute": "2024-06-01T18:00:00.000Z", "count": 2}]),
        ),
        (
            "by_category",
            json!([
                {"category": "press", "total": 1, "checked_in": 0},
                {"category": "vip", "total": 1, "checked_in": 1},
                {"category": null, "total": 1, "checked_in": 1}
            ]),
        ),
        (
            "by_gate",
            json!([
                {"gate": "North", "accepted": 0, "refused": 0},
                {"gate": "South", "accepted": 1, "refused": 0},
                {"gate": "East", "accepted": 0, "refused": 1},
                {"gate": null, "accepted": 1, "refused": 0}
            ]),
        ),
        (
            "active_scanners",
            json!([
                {"session_id": device(1), "name": "Phone", "gate": null, "profile": "scanner", "is_active": true, "online": false,
                 "last_seen_at": "2024-06-01T18:04:00.000Z", "battery": 0.4, "charging": false, "app": "Pulse 1", "pending": 2,
                 "roster_seq": 7, "scans": 4},
                {"session_id": device(2), "name": "Tablet", "gate": null, "profile": "scanner", "is_active": true, "online": true,
                 "last_seen_at": "2024-06-01T18:03:30.000Z", "battery": null, "charging": null, "app": null, "pending": null,
                 "roster_seq": null, "scans": 0}
            ]),
        ),
        (
            "record",
            json!({"seq": 4, "flushed_seq": 3, "behind": 1, "oldest_unflushed_at": null}),
        ),
        ("unsynced", json!(2)),
        (
            "live",
            json!({"channel": "scans", "epoch": "", "offset": 4, "url": ""}),
        ),
        ("server_time", json!("2024-06-01T18:05:00.000Z")),
    ] {
        assert_eq!(written[field], expected, "{field}");
    }
    let feed: Vec<u64> = dashboard.recent.iter().map(|event| event.seq).collect();
    assert_eq!(feed, [4, 3, 2, 1]);
    assert_eq!(
        serde_json::from_value::<Dashboard>(written).unwrap(),
        dashboard
    );
}

#[test]
fn an_empty_table_has_a_dashboard_too() {
    let stats = Door::with(json!({}), &[]).state().stats();
    assert_eq!(stats, Counters::default());
    assert_eq!(stats.rate, 0.0);
}

#[test]
fn a_guest_who_was_taken_off_the_list_still_counts_as_having_entered() {
    let mut door = Door::with(json!({}), &["A", "B"]);
    door.scan("A", "18:00:00");
    door.scan("B", "18:00:01");
    door.journal.state_mut().roster.remove(guest(1));
    let stats = door.state().stats();
    assert_eq!((stats.total, stats.checked_in, stats.rate), (1, 2, 1.0));
    let counts = serde_json::to_value(stats.by_category).unwrap();
    assert_eq!(
        counts,
        json!([{"category": "standard", "total": 1, "checked_in": 2}])
    );
}

#[test]
fn a_new_category_does_not_move_who_already_entered() {
    let mut door = Door::with(json!({}), &["A", "B"]);
    door.scan("A", "18:00:00");
    door.put(Row {
        category: Some("vip".to_owned()),
        ..row(1, "A")
    });
    let counts = serde_json::to_value(door.state().stats().by_category).unwrap();
    assert_eq!(
        counts,
        json!([{"category": "standard", "total": 1, "checked_in": 1}, {"category": "vip", "total": 1, "checked_in": 0}])
    );
}

#[test]
fn arrivals_and_the_feed_stay_bounded() {
    let mut door = Door::with(json!({"allow_duplicate_scans": true}), &["A"]);
    let start = on_day("00:00:00");
    for minute in 0..(2 * ARRIVAL_MINUTES) {
        let now = start + TimeDelta::minutes(minute);
        door.take(scan_of("A", &minute.to_string()), now);
    }
    let arrivals = door.state().ledger.arrivals();
    assert_eq!(arrivals.len() as i64, ARRIVAL_MINUTES);
    assert_eq!(
        arrivals.keys().next().unwrap() * 60,
        (start + TimeDelta::days(1)).timestamp()
    );
    assert_eq!(door.state().stats().arrivals.len(), 60);
    assert_eq!(door.state().ledger.recent().count(), RECENT);
    let now = start + TimeDelta::days(2);
    let old = ScanIn {
        scanned_at: Some(start),
        ..scan_of("A", "old")
    };
    door.take(old, now);
    assert_eq!(door.state().ledger.arrivals().len() as i64, ARRIVAL_MINUTES);
}

#[test]
fn events_carry_what_a_feed_shows_and_no_private_data() {
    let mut door = Door::with(json!({}), &["A"]);
    let body = ScanIn {
        gate: Some("North".to_owned()),
        notes: Some("secret".to_owned()),
        ..scan_of("A", "1")
    };
    let admitted = door.take(body, on_day("18:00:00"));
    let repeated = door.scan("A", "18:01:00");
    let exit = ScanIn {
        direction: Direction::Exit,
        ..scan_of("A", "3")
    };
    let exit = door.take(exit, on_day("18:02:00"));
    let refused = door.scan("nobody", "18:03:00");
    let annulled = door
        .undo(admitted.check_in_id, &caller(1), on_day("18:04:00"))
        .unwrap();
    for (entry, kind, time) in [
        (&admitted, "checkin.accepted", "18:00:00"),
        (&repeated, "checkin.duplicate", "18:01:00"),
        (&exit, "checkin.exited", "18:02:00"),
        (&refused, "checkin.refused", "18:03:00"),
        (&annulled, "checkin.annulled", "18:04:00"),
    ] {
        let event = ScanEvent::of(entry);
        assert_eq!(EventType::of(entry).as_str(), kind);
        assert_eq!((event.seq, event.at), (entry.seq, on_day(time)));
        let written = serde_json::to_string(&event).unwrap();
        assert!(written.contains(kind), "{written}");
        assert!(
            !written.contains("secret") && !written.contains("example.org"),
            "{written}"
        );
    }
    let event = ScanEvent::of(&admitted);
    let shown = EventGuest {
        name: "Guest 1".to_owned(),
        category: Some("standard".to_owned()),
    };
    assert_eq!(
        (event.guest, event.gate.as_deref()),
        (Some(shown), Some("North"))
    );
    assert_eq!(ScanEvent::of(&refused).guest, None);
}
