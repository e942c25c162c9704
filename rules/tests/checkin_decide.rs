//! The order of the checks, force, exits, races: what the case file does not spell out.
//!
//! Invariant: one reason per scan, the first that applies; force overrides all but the code.
//! Failure: a table names the row that behaved otherwise.

mod checkin_support;

use checkin_support::*;
use chrono::TimeDelta;
use rules::checkin::*;
use serde_json::{Value, json};

/// Everything that can be wrong with a listed guest, in the order it is told.
const ORDER: [Reason; 8] = [
    Reason::Blocked,
    Reason::WrongCategory,
    Reason::WrongGate,
    Reason::NoLongerValid,
    Reason::EventNotOpen,
    Reason::AlreadyCheckedIn,
    Reason::LimitReached,
    Reason::CapacityReached,
];

/// A door at which the guest `A` has the problems of `ORDER` from `first` on.
fn door_with_problems_from(first: usize) -> Door {
    let has = |reason: Reason| ORDER.iter().position(|one| *one == reason).unwrap() >= first;
    let mut door = Door::with(json!({"allow_duplicate_scans": true}), &["A", "B"]);
    door.scan("A", "18:00:00");
    door.scan("B", "18:00:01");
    let mut guest = row(1, "A");
    guest.category = Some("standard".to_owned());
    if has(Reason::Blocked) {
        guest.status = Status::Blocked;
    }
    if has(Reason::NoLongerValid) {
        guest.valid_until = Some(on_day("18:30:00"));
    }
    let mut settings = json!({ "allow_duplicate_scans": !has(Reason::AlreadyCheckedIn) });
    if has(Reason::WrongCategory) {
        settings["categories"] = json!(["vip"]);
    }
    if has(Reason::EventNotOpen) {
        settings["closes_at"] = json!("2024-06-01T18:45:00Z");
    }
    if has(Reason::LimitReached) {
        settings["max_entries"] = json!(1);
    }
    if has(Reason::CapacityReached) {
        // Full, and the guest is outside again, so that they would need a place.
        let out = ScanIn {
            direction: Direction::Exit,
            ..scan_of("A", "out")
        };
        door.take(out, on_day("18:10:00"));
        settings["capacity"] = json!(1);
    }
    let gates = if has(Reason::WrongGate) {
        json!([{"name": "North", "categories": ["vip"]}, {"name": "South"}])
    } else {
        json!([{"name": "North"}])
    };
    let config = &mut door.journal.state_mut().config;
    config.settings = config.settings.patch(&settings, "").unwrap();
    config.gates = gate::parse(&gates, "").unwrap();
    door.put(guest);
    door
}

fn at_north(nonce: &str, force: bool) -> ScanIn {
    ScanIn {
        gate: Some("North".to_owned()),
        force,
        ..scan_of("A", nonce)
    }
}

#[test]
fn the_first_check_that_fails_is_the_reason() {
    for (first, reason) in ORDER.into_iter().enumerate() {
        let mut door = door_with_problems_from(first);
        let entry = door.take(at_north("x", false), on_day("19:00:00"));
        assert_eq!(entry.reason, Some(reason), "{}", entry.explanation);
        assert!(!entry.forced && entry.overrode.is_none() && !entry.force_sent);
        assert_eq!(
            entry.guest.unwrap().name,
            "Guest 1",
            "the guest is always shown"
        );
        assert_eq!(entry.first_entry.unwrap().at, on_day("18:00:00"));
        assert!(!entry.explanation.is_empty());
    }
    let mut door = door_with_problems_from(ORDER.len());
    let entry = door.take(at_north("x", false), on_day("19:00:00"));
    assert_eq!((entry.verdict, entry.reason), (Verdict::Accepted, None));
}

#[test]
fn force_overrides_each_and_says_which() {
    for (first, reason) in ORDER.into_iter().enumerate() {
        let mut door = door_with_problems_from(first);
        let before = door.state().ledger.checked_in();
        let entry = door.take(at_north("x", true), on_day("19:00:00"));
        assert_eq!(
            (entry.verdict, entry.effect),
            (Verdict::Accepted, Effect::Admit)
        );
        assert_eq!(
            (entry.forced, entry.overrode, entry.reason),
            (true, Some(reason), None)
        );
        assert!(
            entry.explanation.contains("Overridden:"),
            "{}",
            entry.explanation
        );
        assert_eq!(
            door.state().ledger.checked_in(),
            before,
            "the guest was counted before"
        );
    }
    let mut door = door_with_problems_from(ORDER.len());
    let entry = door.take(at_north("x", true), on_day("19:00:00"));
    assert!(entry.force_sent && !entry.forced && entry.overrode.is_none());
}

#[test]
fn exits_are_checked_for_status_and_category_only() {
    for (first, reason) in ORDER.into_iter().enumerate() {
        let mut door = door_with_problems_from(first);
        let exit = ScanIn {
            direction: Direction::Exit,
            ..at_north("x", false)
        };
        let entry = door.take(exit, on_day("19:00:00"));
        match reason {
            Reason::Blocked | Reason::WrongCategory => assert_eq!(entry.reason, Some(reason)),
            _ => assert_eq!(
                (entry.effect, entry.reason),
                (Effect::Exit, None),
                "{reason:?}"
            ),
        }
    }
}

#[test]
fn only_one_of_many_scanners_admits() {
    let mut door = Door::with(json!({}), &["A"]);
    let entries: Vec<Entry> = (0..64)
        .map(|number| {
            let body = scan_of("A", "the same nonce everywhere");
            door.send(body, &caller(number), on_day("18:00:00"))
                .unwrap()
                .entry
                .clone()
        })
        .collect();
    let admitted = entries
        .iter()
        .filter(|entry| entry.effect == Effect::Admit)
        .count();
    let counted = entries
        .iter()
        .map(|entry| entry.check_in(door.state().table_id).unwrap().scan_count);
    assert_eq!((admitted, counted.max()), (1, Some(64)));
    assert_eq!(door.state().ledger.checked_in(), 1);
    assert!(
        entries
            .iter()
            .all(|entry| entry.check_in_id == entries[0].check_in_id)
    );
}

#[test]
fn reentry_goes_by_the_latest_visit_in_time_not_in_the_log() {
    let mut door = Door::with(json!({"allow_reentry": true}), &["A"]);
    let late = |direction, scanned: &str, nonce: &str| ScanIn {
        direction,
        scanned_at: Some(on_day(scanned)),
        ..scan_of("A", nonce)
    };
    door.take(late(Direction::Entry, "18:00:00", "1"), on_day("18:00:00"));
    door.take(late(Direction::Entry, "19:00:00", "2"), on_day("19:00:00"));
    assert_eq!(door.state().ledger.duplicates(), 1);
    let exit = door.take(late(Direction::Exit, "17:00:00", "3"), on_day("19:10:00"));
    assert_eq!(
        (exit.inside_delta, &exit.warnings[..]),
        (0, &[][..]),
        "older than the entry"
    );
    let again = door.take(late(Direction::Entry, "19:20:00", "4"), on_day("19:20:00"));
    assert_eq!(again.verdict, Verdict::Duplicate);
    let exit = door.take(late(Direction::Exit, "18:30:00", "5"), on_day("19:30:00"));
    assert_eq!(exit.inside_delta, -1);
    let again = door.take(late(Direction::Entry, "19:40:00", "6"), on_day("19:40:00"));
    assert_eq!((again.verdict, again.inside_delta), (Verdict::Accepted, 1));
}

#[test]
fn the_daily_limit_resets_at_local_midnight_in_every_zone() {
    for (zone, last, first) in [
        (
            "Europe/Berlin",
            "2024-03-30T22:59:59.999Z",
            "2024-03-30T23:00:00Z",
        ),
        (
            "Europe/Berlin",
            "2024-03-31T21:59:59.999Z",
            "2024-03-31T22:00:00Z",
        ),
        (
            "Europe/Berlin",
            "2024-10-27T22:59:59.999Z",
            "2024-10-27T23:00:00Z",
        ),
        (
            "America/New_York",
            "2024-03-11T03:59:59.999Z",
            "2024-03-11T04:00:00Z",
        ),
        (
            "America/New_York",
            "2024-11-04T04:59:59.999Z",
            "2024-11-04T05:00:00Z",
        ),
        (
            "Africa/Cairo",
            "2024-04-25T21:59:59.999Z",
            "2024-04-25T22:00:00Z",
        ),
        (
            "Asia/Kathmandu",
            "2024-06-01T18:14:59.999Z",
            "2024-06-01T18:15:00Z",
        ),
        ("UTC", "2024-06-01T23:59:59.999Z", "2024-06-02T00:00:00Z"),
    ] {
        let settings = json!({"entries_per_day": 2, "allow_duplicate_scans": true});
        let mut door = Door::new(settings, json!([]), zone);
        door.put(row(1, "A"));
        let mut scan = |number: u64, now| door.take(scan_of("A", &number.to_string()), now).reason;
        assert_eq!(scan(1, at(last) - TimeDelta::hours(20)), None, "{zone}");
        assert_eq!(scan(2, at(last) - TimeDelta::hours(1)), None, "{zone}");
        assert_eq!(
            scan(3, at(last)),
            Some(Reason::LimitReached),
            "{zone} {last}"
        );
        assert_eq!(scan(4, at(first)), None, "{zone} {first}");
        assert_eq!(scan(5, at(first)), None, "{zone} {first}");
        assert_eq!(
            scan(6, at(first)),
            Some(Reason::LimitReached),
            "{zone} {first}"
        );
        let late = ScanIn {
            scanned_at: Some(at(last)),
            ..scan_of("A", "late")
        };
        let late = door.take(late, at(first));
        assert_eq!(
            late.reason,
            Some(Reason::LimitReached),
            "a late upload counts on its own day"
        );
    }
}

#[test]
fn sentences_name_times_in_the_zone_of_the_event() {
    let mut door = Door::new(json!({}), json!([]), "Europe/Berlin");
    door.put(row(1, "A"));
    let body = |nonce: &str| ScanIn {
        gate: Some("North".to_owned()),
        ..scan_of("A", nonce)
    };
    door.take(body("1"), at("2023-12-31T22:30:00Z"));
    let mut say = |nonce: &str, now: &str| door.take(body(nonce), at(now)).explanation;
    assert_eq!(
        say("2", "2023-12-31T22:59:00Z"),
        "Already checked in at 23:30 at North."
    );
    assert_eq!(
        say("3", "2023-12-31T23:00:00Z"),
        "Already checked in on Sun 31 Dec 2023 at 23:30 at North."
    );
    assert_eq!(
        say("4", "2023-12-30T22:59:00Z"),
        "Already checked in on Sun 31 Dec at 23:30 at North."
    );
}

#[test]
fn anonymous_scanners_see_no_address_and_devices_do() {
    let mut door = Door::with(json!({}), &["A"]);
    let mut anonymous = caller(2);
    anonymous.actor.kind = ActorKind::Anonymous;
    let outcome = door
        .send(scan_of("A", "1"), &anonymous, on_day("18:00:00"))
        .unwrap();
    assert!(
        !serde_json::to_string(&answer(outcome.entry, TABLE))
            .unwrap()
            .contains("example.org")
    );
    let entry = door.scan("A", "18:00:01");
    assert_eq!(
        entry.guest.unwrap().email.as_deref(),
        Some("guest1@example.org")
    );
}

#[test]
fn who_scans_is_the_scans_own_word_or_the_sessions() {
    let mut door = Door::with(json!({"allow_duplicate_scans": true}), &["A"]);
    let entry = door.scan("A", "18:00:00");
    assert_eq!(
        entry.check_in(TABLE).unwrap().scanner_name.as_deref(),
        Some("Door")
    );
    let me = Scanner {
        name: Some("Eve".to_owned()),
        email: None,
    };
    let entry = door.take(
        ScanIn {
            scanner: Some(me),
            ..scan_of("A", "x")
        },
        on_day("18:00:01"),
    );
    assert_eq!(
        entry.check_in(TABLE).unwrap().scanner_name.as_deref(),
        Some("Eve")
    );
    let user = Caller {
        actor: Actor {
            kind: ActorKind::User,
            id: guest(9),
        },
        session_id: None,
        scanner: None,
        ..caller(1)
    };
    let entry = door
        .send(scan_of("A", "x"), &user, on_day("18:00:02"))
        .unwrap()
        .entry
        .clone();
    assert_eq!((entry.session_id, entry.scanner.clone()), (None, None));
    assert!(entry.nonce_key.starts_with(&guest(9).to_string()));
}

#[test]
fn a_decision_changes_nothing_until_its_entry_is_folded() {
    let mut door = Door::with(json!({}), &["A"]);
    let before = door.state().clone();
    let ids = door.ids();
    let scan = scan_of("A", "1").parse(on_day("18:00:00")).unwrap();
    let one = decide(door.state(), &scan, &caller(1), ids).unwrap();
    let other = decide(door.state(), &scan, &caller(1), ids).unwrap();
    assert_eq!(one, other);
    assert_eq!(door.state(), &before);
    let entry = record(door.state(), scan, &caller(1), one, ids, None);
    assert_eq!(door.state(), &before);
    assert_eq!((entry.seq, entry.check_in_id), (1, ids.check_in));
}

#[test]
fn a_repeat_without_its_first_record_at_hand_is_still_an_answer() {
    let mut door = Door::with(json!({}), &["A"]);
    let first = door.scan("A", "18:00:00");
    let (ids, device) = (door.ids(), caller(2));
    let scan = scan_of("A", "2").parse(on_day("18:01:00")).unwrap();
    let decision = decide(door.state(), &scan, &device, ids).unwrap();
    assert_eq!(decision.repeats.unwrap().seq, 1);
    let entry = record(door.state(), scan, &device, decision, ids, None);
    assert_eq!(
        (entry.check_in_id, entry.check_in(TABLE)),
        (first.check_in_id, None)
    );
}

#[test]
fn an_entry_is_written_as_the_log_holds_it() {
    let mut door = Door::with(json!({}), &["A"]);
    let walk_in = WalkIn {
        name: "Eve".to_owned(),
        ..WalkIn::default()
    };
    let body = ScanIn {
        barcode: None,
        walk_in: Some(walk_in),
        ..scan_of("", "1")
    };
    let entry = door.take(body, on_day("18:00:00.5"));
    let written = serde_json::to_value(&entry).unwrap();
    assert_eq!(
        written["new_row"],
        json!({"id": entry.row_id, "name": "Eve", "email": null, "category": null, "barcode": null})
    );
    assert_eq!(
        written.get("earlier"),
        None,
        "its record is the entry itself"
    );
    let record = serde_json::to_value(entry.check_in(TABLE)).unwrap();
    assert_eq!(record["table_id"], json!(TABLE));
    assert_eq!(record["row_data"], written["guest"]);
    assert_eq!(written["at"], "2024-06-01T18:00:00.500Z");
    assert_eq!(written["actor"], json!({"kind": "device", "id": device(1)}));
    for (field, expected) in [
        ("kind", json!("scan")),
        ("effect", json!("admit")),
        ("verdict", json!("accepted")),
        ("direction", json!("entry")),
        ("warnings", json!([])),
        ("walk_in", json!(true)),
        ("first_of_guest", json!(true)),
        ("inside_delta", json!(1)),
        ("clock_skew_ms", json!(0)),
    ] {
        assert_eq!(written[field], expected, "{field}");
    }
    for absent in [
        "reason", "barcode", "gate", "overrode", "annuls", "notes", "sent_at",
    ] {
        assert_eq!(written.get(absent), None::<&Value>, "{absent}");
    }
}
