//! Entries that are one too many: which stands, and who made it.
//!
//! Invariant: the earliest entry stands; the others name it and whoever made it.
//! Failure: the record that is named instead.

mod checkin_support;

use checkin_support::*;
use rules::checkin::*;
use serde_json::json;

#[test]
fn a_late_earlier_scan_becomes_the_entry_and_the_other_names_both_devices_and_the_gap() {
    let mut door = Door::with(json!({}), &["A"]);
    let online = door
        .send(scan_of("A", "1"), &caller(1), on_day("18:05:00"))
        .unwrap()
        .entry
        .clone();
    let late = offline("A", 2, "18:00:30");
    let late = door
        .send(late, &caller(2), on_day("18:20:00"))
        .unwrap()
        .entry
        .clone();
    assert_eq!(
        (late.verdict, late.conflict.as_ref()),
        (Verdict::Accepted, None)
    );
    assert_eq!(late.first_entry.unwrap().at, on_day("18:00:30"));
    let [changed] = late.reelected.as_slice() else {
        panic!("one record changes");
    };
    assert_eq!(changed.check_in_id, online.check_in_id);
    let conflict = changed.conflict.as_ref().unwrap();
    assert_eq!(
        (
            conflict.session_id,
            conflict.device.as_deref(),
            conflict.gap_ms
        ),
        (Some(device(2)), Some("Device 2"), 270_000)
    );
    assert_eq!(conflict.check_in_id, late.check_in_id);
    let ledger = &door.state().ledger;
    assert_eq!(
        (ledger.checked_in(), ledger.inside(), ledger.conflicts()),
        (1, 1, 1)
    );
}

#[test]
fn an_earlier_entry_that_is_annulled_leaves_the_other_one_standing() {
    let mut door = Door::with(json!({}), &["A"]);
    let send = |door: &mut Door, device: u128, clock: &str| {
        let (report, now) = (offline("A", device, clock), on_day("19:00:00"));
        let outcome = door.send(report, &caller(device), now);
        outcome.unwrap().entry.clone()
    };
    let first = send(&mut door, 1, "18:00:00");
    let second = send(&mut door, 2, "18:01:00");
    assert_eq!(second.conflict.unwrap().check_in_id, first.check_in_id);
    assert_eq!(second.warnings, [Warning::DuplicateConflict]);
    let undone = door
        .undo(first.check_in_id, &caller(1), on_day("19:01:00"))
        .unwrap();
    assert_eq!(
        undone.reelected,
        [Reelected {
            check_in_id: second.check_in_id,
            conflict: None
        }]
    );
    let ledger = &door.state().ledger;
    assert_eq!((ledger.checked_in(), ledger.conflicts()), (1, 0));
}

/// Somebody without a paired device.
fn somebody(kind: ActorKind, number: u128, name: &str) -> Caller {
    Caller {
        actor: Actor {
            kind,
            id: device(number),
        },
        session_id: None,
        device: None,
        scanner: Some(Scanner {
            name: Some(name.to_owned()),
            email: None,
        }),
        ..caller(number)
    }
}

#[test]
fn a_conflict_of_two_guests_phones_says_whose_they_are() {
    let mut door = Door::with(json!({}), &["A"]);
    let (ann, ben) = (
        somebody(ActorKind::Anonymous, 11, "Ann"),
        somebody(ActorKind::Anonymous, 12, "Ben"),
    );
    let mut send = |report: ScanIn, caller: &Caller| {
        let outcome = door.send(report, caller, on_day("19:00:00"));
        outcome.unwrap().entry.clone()
    };
    let first = send(offline("A", 11, "18:01:00"), &ann);
    let earlier = send(offline("A", 12, "18:00:00"), &ben);
    let told = earlier.reelected[0].conflict.clone().unwrap();
    assert_eq!(earlier.reelected[0].check_in_id, first.check_in_id);
    assert_eq!(
        (told.session_id, told.device, told.scanner.as_deref()),
        (None, None, Some("Ben"))
    );
    // The id that it proves itself with is nobody's business.
    assert!(told.actor_id.is_some_and(|id| id != device(12)));
    let staff = somebody(ActorKind::User, 13, "Cleo");
    let third = send(offline("A", 13, "18:02:00"), &staff);
    let told = third.conflict.unwrap();
    assert_eq!(told.scanner.as_deref(), Some("Ben"));
    assert!(third.explanation.ends_with("at 18:00 by Ben."));
    let fourth = send(offline("A", 14, "17:59:00"), &staff);
    let told = fourth.reelected[0].conflict.clone().unwrap();
    assert_eq!(told.actor_id, Some(device(13)));
}

#[test]
fn entries_from_before_makers_were_named_are_read() {
    let mut door = Door::with(json!({}), &["A"]);
    door.take(offline("A", 1, "18:00:00"), on_day("19:00:00"));
    door.take(offline("A", 1, "18:01:00"), on_day("19:00:00"));
    let log = door.journal.log().iter().map(|entry| {
        let mut entry = serde_json::to_value(entry).unwrap();
        if let Some(conflict) = entry["conflict"].as_object_mut() {
            assert!(conflict.remove("actor_id").is_some());
            assert!(conflict.remove("scanner").is_some());
        }
        serde_json::from_value::<Entry>(entry).unwrap()
    });
    let log: Vec<Entry> = log.collect();
    let state = State::new(TABLE, door.state().config.clone());
    let read = Journal::resumed(state, log);
    let guests = |state: &State| state.ledger.guest(guest(1)).cloned();
    assert_eq!(guests(read.state()), guests(door.state()));
    assert_eq!(read.state().ledger.conflicts(), 1);
}
