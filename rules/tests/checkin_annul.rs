//! Undoing an admission: who may, until when, and what stands afterwards.
//!
//! Invariant: the record stays; the guest can be admitted again.
//! Failure: a table names the row that behaved otherwise.

mod checkin_support;

use checkin_support::*;
use chrono::TimeDelta;
use rules::checkin::journal::NotAnnulled;
use rules::checkin::*;
use serde_json::json;
use uuid::Uuid;

#[test]
fn an_annulment_is_for_the_same_device_within_the_window_or_a_manager() {
    let late = TimeDelta::minutes(15);
    let just = TimeDelta::milliseconds(1);
    let manager = Caller {
        manager: true,
        ..caller(7)
    };
    let user = |id: u128| Caller {
        actor: Actor {
            kind: ActorKind::User,
            id: guest(id),
        },
        session_id: None,
        ..caller(1)
    };
    for (scanner, annuller, wait, expected) in [
        (caller(1), caller(1), late, None),
        (
            caller(1),
            caller(1),
            late + just,
            Some(AnnulRefusal::TooLate),
        ),
        (caller(1), caller(2), just, Some(AnnulRefusal::OtherDevice)),
        (
            caller(1),
            caller(2),
            late + just,
            Some(AnnulRefusal::OtherDevice),
        ),
        (caller(1), manager.clone(), late * 9, None),
        (user(5), user(5), late, None),
        (user(5), user(6), just, Some(AnnulRefusal::OtherDevice)),
        (user(5), caller(1), just, Some(AnnulRefusal::OtherDevice)),
    ] {
        let mut door = Door::with(json!({}), &["A"]);
        let (now, scanned) = (on_day("18:00:00"), Some(on_day("12:00:00")));
        let body = ScanIn {
            scanned_at: scanned,
            ..scan_of("A", "1")
        };
        let record = door.send(body, &scanner, now).unwrap().entry.check_in_id;
        let result = door.undo(record, &annuller, now + wait);
        assert_eq!(
            result.err(),
            expected.map(NotAnnulled::Refused),
            "{annuller:?} {wait}"
        );
        if expected.is_none() {
            let twice = door.undo(record, &manager, now + wait);
            assert_eq!(
                twice,
                Err(NotAnnulled::Refused(AnnulRefusal::AlreadyAnnulled))
            );
        }
    }
    let mut door = Door::with(json!({}), &["A"]);
    assert_eq!(
        door.undo(guest(1), &manager, on_day("18:00:00")),
        Err(NotAnnulled::Unknown)
    );
    let refused = door.scan("nobody", "18:00:00").check_in_id;
    let result = door.undo(refused, &manager, on_day("18:00:01"));
    assert_eq!(
        result,
        Err(NotAnnulled::Refused(AnnulRefusal::NotAnAdmission))
    );
}

#[test]
fn an_annulment_keeps_the_record_and_hands_the_first_entry_on() {
    let mut door = Door::with(json!({"allow_duplicate_scans": true}), &["A"]);
    let first = door.scan("A", "18:00:00");
    let second = door.scan("A", "18:05:00");
    let undone = door
        .undo(first.check_in_id, &caller(1), on_day("18:06:00"))
        .unwrap();
    assert_eq!(
        undone.annuls,
        Some(Annuls {
            check_in_id: first.check_in_id,
            seq: 1
        })
    );
    assert_eq!((undone.first_of_guest, undone.inside_delta), (false, 0));
    assert_eq!(undone.check_in_time, first.check_in_time);
    let record = undone.check_in(TABLE).unwrap();
    assert_eq!(
        (record.annulled_at, record.annulled_by),
        (Some(on_day("18:06:00")), Some(device(1)))
    );
    assert_eq!(
        CheckIn {
            annulled_at: None,
            annulled_by: None,
            ..record
        },
        first.check_in(TABLE).unwrap()
    );
    let visits = door.state().ledger.guest(guest(1)).unwrap();
    assert_eq!(visits.first().unwrap().check_in_id, second.check_in_id);
    let settings = json!({"allow_duplicate_scans": false});
    let config = &mut door.journal.state_mut().config;
    config.settings = config.settings.patch(&settings, "").unwrap();
    let repeat = door.scan("A", "18:10:00");
    assert_eq!(
        (repeat.verdict, repeat.check_in_id),
        (Verdict::Duplicate, second.check_in_id)
    );
    assert_eq!(repeat.explanation, "Already checked in at 18:05.");
}

#[test]
fn a_nonce_makes_a_retried_annulment_one() {
    let mut door = Door::with(json!({}), &["A", "B"]);
    let records = ["A", "B"].map(|code| door.scan(code, "18:00:00").check_in_id);
    let request = |nonce: &str| AnnulIn {
        nonce: Some(nonce.to_owned()),
        table_id: None,
    };
    let mut undo = |record, nonce, device| {
        let outcome =
            door.journal
                .annul(record, request(nonce), &caller(device), on_day("18:01:00"));
        outcome.map(|outcome| (outcome.entry.seq, outcome.replayed))
    };
    assert_eq!(undo(records[0], "n", 1), Ok((3, false)));
    assert_eq!(undo(records[0], "n", 1), Ok((3, true)));
    assert_eq!(
        undo(records[1], "n", 1),
        Ok((4, false)),
        "another record is no replay"
    );
    let again = undo(records[0], "m", 1);
    assert_eq!(
        again,
        Err(NotAnnulled::Refused(AnnulRefusal::AlreadyAnnulled))
    );
    let other = undo(records[0], "n", 2);
    assert_eq!(other, Err(NotAnnulled::Refused(AnnulRefusal::OtherDevice)));
    assert!(matches!(
        undo(records[0], " ", 1),
        Err(NotAnnulled::Invalid(_))
    ));
}

fn undo(annul: Uuid, clock: &str) -> UndoIn {
    UndoIn {
        annul,
        table_id: Uuid::nil(),
        nonce: "u".to_owned(),
        annulled_at: on_day(clock),
        sent_at: Some(on_day("20:00:00")),
    }
}

#[test]
fn what_a_device_undid_without_a_connection_is_judged_by_its_own_clock() {
    let mut door = Door::with(json!({}), &["A"]);
    // An hour fast, and hours late.
    let mut report = offline("A", 1, "19:00:00");
    report.sent_at = Some(on_day("23:00:00"));
    let entry = door.take(report, on_day("22:00:00"));
    assert_eq!(entry.check_in_time, on_day("18:00:00"));
    let request = |clock: &str| UndoIn {
        sent_at: Some(on_day("23:30:00")),
        ..undo(entry.check_in_id, clock)
    };
    let journal = &mut door.journal;
    let late = journal.annul_queued(request("19:15:01"), &caller(1), on_day("22:30:00"));
    let refused = NotAnnulled::Refused(AnnulRefusal::TooLate);
    assert_eq!(late.unwrap_err(), refused);
    let other = journal.annul_queued(request("19:10:00"), &caller(2), on_day("22:30:00"));
    let refused = NotAnnulled::Refused(AnnulRefusal::OtherDevice);
    assert_eq!(other.unwrap_err(), refused);
    let undone = journal
        .annul_queued(request("19:10:00"), &caller(1), on_day("22:30:00"))
        .unwrap();
    assert_eq!(undone.entry.at, on_day("18:10:00"));
    let record = undone.entry.check_in(TABLE).unwrap();
    assert_eq!(record.annulled_at, Some(on_day("18:10:00")));
    let again = journal
        .annul_queued(request("19:10:00"), &caller(1), on_day("22:31:00"))
        .unwrap();
    assert!(again.replayed);
    assert_eq!(door.state().ledger.inside(), 0);
}

#[test]
fn what_was_decided_with_a_connection_cannot_be_undone_later_by_an_earlier_clock() {
    let mut door = Door::with(json!({}), &["A"]);
    let entry = door.scan("A", "18:00:00");
    let queued = undo(entry.check_in_id, "18:05:00");
    let late = door
        .journal
        .annul_queued(queued, &caller(1), on_day("20:00:00"));
    let refused = NotAnnulled::Refused(AnnulRefusal::TooLate);
    assert_eq!(late.unwrap_err(), refused);
}

#[test]
fn an_entry_that_was_one_too_many_and_is_undone_is_no_conflict_any_more() {
    let mut door = Door::with(json!({}), &["A"]);
    door.take(offline("A", 1, "18:00:00"), on_day("19:00:00"));
    let second = door.take(offline("A", 1, "18:01:00"), on_day("19:00:00"));
    assert!(second.conflict.is_some());
    let undone = door
        .undo(second.check_in_id, &caller(1), on_day("19:01:00"))
        .unwrap();
    let cleared = Reelected {
        check_in_id: second.check_in_id,
        conflict: None,
    };
    assert_eq!(undone.reelected, [cleared]);
    assert_eq!(undone.earlier.unwrap().conflict, None);
}
