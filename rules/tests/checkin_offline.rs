//! Scans that devices decided without a connection, one rule at a time; see `checkin_merge` for any
//! order of arrival.
//!
//! Invariant: what happened at a door is recorded, whatever the rules or the list say now.
//! Failure: the answer that came instead.

mod checkin_support;

use checkin_support::*;
use rules::checkin::*;
use serde_json::json;

#[test]
fn who_was_turned_away_without_a_connection_stays_turned_away() {
    let mut door = Door::with(json!({}), &["A"]);
    let mut report = offline("A", 1, "18:00:00");
    let told = Offline::told(Verdict::Refused, Some(Reason::EventNotOpen));
    report.offline = Some(told);
    let entry = door.take(report, on_day("19:00:00"));
    assert_eq!(
        (entry.verdict, entry.reason, entry.effect),
        (Verdict::Refused, Some(Reason::EventNotOpen), Effect::Refuse)
    );
    assert_eq!(door.state().ledger.checked_in(), 0);
}

#[test]
fn who_went_through_against_the_rules_is_recorded_with_the_rule() {
    let mut door = Door::with(json!({}), &[]);
    door.put(Row {
        status: Status::Canceled,
        ..row(1, "A")
    });
    let entry = door.take(offline("A", 1, "18:00:00"), on_day("19:00:00"));
    assert_eq!(entry.verdict, Verdict::Accepted);
    assert_eq!(
        (entry.forced, entry.overrode),
        (true, Some(Reason::Canceled))
    );
    assert_eq!(entry.warnings, [Warning::AdmittedOffline]);
    let unknown = door.take(offline("X", 1, "18:00:00"), on_day("19:00:00"));
    assert_eq!(unknown.reason, Some(Reason::UnknownCode));
    assert_eq!(unknown.warnings, [Warning::AdmittedOffline]);
    assert_eq!(door.state().ledger.checked_in(), 1);
}

#[test]
fn the_record_of_an_offline_scan_has_the_same_id_on_the_device_and_on_the_server() {
    let report = offline("A", 7, "18:00:00");
    let (mut phone, mut server) = (Door::with(json!({}), &["A"]), Door::with(json!({}), &["A"]));
    let mut on_phone = report.clone();
    on_phone.sent_at = None;
    let there = phone
        .send(on_phone, &caller(7), on_day("18:00:00"))
        .unwrap();
    let there = there.entry.check_in_id;
    let mut later = report;
    later.sent_at = Some(on_day("18:30:00"));
    server.made = 40;
    let here = server.send(later, &caller(7), on_day("18:30:01")).unwrap();
    assert_eq!(here.entry.check_in_id, there);
}

/// A scanner without a connection: its own door, and what it reports.
struct Phone {
    number: u128,
    door: Door,
    clock: u32,
}

impl Phone {
    fn of(number: u128, guests: &[&str]) -> Self {
        Self {
            number,
            door: Door::with(json!({"allow_reentry": true}), guests),
            clock: 0,
        }
    }

    /// Decides, a minute later than before, and gives the report.
    fn decides(&mut self, body: ScanIn) -> ScanIn {
        self.clock += 1;
        let now = on_day(&format!("18:{:02}:00", self.clock));
        let body = ScanIn {
            scanned_at: Some(now),
            nonce: format!("{} {}", self.number, self.clock),
            ..body
        };
        let caller = caller(self.number);
        let parsed = body.clone().parse(now).unwrap();
        let ids = parsed.own_ids(TABLE, caller.origin());
        let journal = &mut self.door.journal;
        let seq = journal
            .scan(body.clone(), &caller, ids, now)
            .unwrap()
            .entry
            .seq;
        journal.report(body, seq).unwrap()
    }

    fn walk_in(&mut self, name: &str, code: &str) -> ScanIn {
        self.decides(ScanIn {
            walk_in: Some(WalkIn {
                name: name.to_owned(),
                barcode: Some(code.to_owned()),
                category: Some("late".to_owned()),
                email: None,
            }),
            people: Some(2),
            ..ScanIn::default()
        })
    }

    fn scans(&mut self, code: &str, direction: Direction) -> ScanIn {
        self.decides(ScanIn {
            direction,
            ..scan_of(code, "")
        })
    }
}

fn takes(door: &mut Door, number: u128, report: &ScanIn) -> Entry {
    let outcome = door.send(report.clone(), &caller(number), on_day("20:00:00"));
    outcome.unwrap().entry.clone()
}

#[test]
fn two_walk_ins_who_got_the_same_code_are_both_inside_whoever_reports_first() {
    let (mut one, mut two) = (Phone::of(1, &[]), Phone::of(2, &[]));
    let (ada, bob) = (one.walk_in("Ada", "X"), two.walk_in("Bob", "X"));
    let bob_leaves = two.scans("X", Direction::Exit);
    let reports = [(1, ada), (2, bob), (2, bob_leaves)];
    for order in [[0, 1, 2], [1, 2, 0], [2, 1, 0], [2, 0, 1]] {
        let mut door = Door::with(json!({"allow_reentry": true}), &[]);
        for place in order {
            let (number, report) = &reports[place];
            let entry = takes(&mut door, *number, report);
            assert_eq!(entry.verdict, Verdict::Accepted, "{order:?}");
            assert_eq!(entry.overrode, None, "{order:?}");
        }
        let ledger = &door.state().ledger;
        let counts = (ledger.checked_in(), ledger.walk_ins(), ledger.inside());
        assert_eq!(counts, (2, 2, 2), "Ada and her guest: {order:?}");
        let online = door.scan("X", "20:10:00");
        assert_eq!(online.reason, Some(Reason::Ambiguous), "{order:?}");
    }
}

#[test]
fn a_code_that_two_have_is_told_of() {
    let (mut one, mut two) = (Phone::of(1, &[]), Phone::of(2, &[]));
    let mut door = Door::with(json!({}), &["L"]);
    let first = takes(&mut door, 1, &one.walk_in("Ada", "X"));
    assert_eq!(first.warnings, []);
    for (report, name) in [
        (two.walk_in("Bob", "X"), "Bob"),
        (two.walk_in("Eve", "L"), "Eve"),
    ] {
        let entry = takes(&mut door, 2, &report);
        assert_eq!(entry.warnings, [Warning::CodeShared], "{name}");
        assert_eq!(entry.new_row.unwrap().name, name);
    }
    // With a connection somebody can be asked for another code.
    let body = ScanIn {
        offline: None,
        ..one.walk_in("Zoe", "L")
    };
    let refused = door.take(body, on_day("20:30:00"));
    assert_eq!(refused.reason, Some(Reason::Ambiguous));
}

#[test]
fn an_exit_that_is_reported_before_its_walk_in_is_theirs() {
    let mut phone = Phone::of(1, &[]);
    let enters = phone.walk_in("Ada", "X");
    let leaves = phone.scans("X", Direction::Exit);
    let told = leaves.offline.clone().unwrap();
    assert_eq!(told.guest.as_ref().unwrap().party, 2);
    let mut door = Door::with(json!({"allow_reentry": true}), &[]);
    let early = takes(&mut door, 1, &leaves);
    assert_eq!((early.effect, early.overrode), (Effect::Exit, None));
    let shown = early.guest.unwrap();
    assert_eq!(
        (shown.name.as_str(), shown.category.as_deref(), shown.party),
        ("Ada", Some("late"), 2)
    );
    let entry = takes(&mut door, 1, &enters);
    assert_eq!(entry.row_id, told.row_id);
    let ledger = &door.state().ledger;
    assert_eq!(
        (ledger.checked_in(), ledger.arrived(), ledger.inside()),
        (1, 2, 0)
    );
}

#[test]
fn a_guest_taken_off_the_list_before_the_report_is_recorded_and_the_record_says_so() {
    let report = |how: &str| {
        let mut report = Phone::of(1, &["A"]).scans("A", Direction::Entry);
        match how {
            "row" => (report.barcode, report.row_id) = (None, Some(guest(1))),
            "code alone" => report.offline = Some(Offline::told(Verdict::Accepted, None)),
            _ => {}
        }
        report
    };
    for how in ["code", "row", "code alone"] {
        let mut before = Door::with(json!({}), &["A", "B"]);
        let entry = takes(&mut before, 1, &report(how));
        assert_eq!(
            (entry.overrode, entry.row_id),
            (None, Some(guest(1))),
            "{how}"
        );
        before.journal.state_mut().remove(guest(1));

        let mut after = Door::with(json!({}), &["A", "B"]);
        after.journal.state_mut().remove(guest(1));
        let entry = takes(&mut after, 1, &report(how));
        assert_eq!(entry.verdict, Verdict::Accepted, "{how}");
        assert_eq!(
            (entry.forced, entry.overrode),
            (true, Some(Reason::Canceled))
        );
        assert_eq!(entry.warnings, [Warning::AdmittedOffline]);
        assert_eq!(entry.guest.unwrap().name, "Guest 1");
        assert_eq!(before.state().stats(), after.state().stats(), "{how}");
        assert_eq!(after.state().ledger.inside(), 1);
        // With a connection the guest is nobody's.
        assert_eq!(
            after.scan("A", "20:30:00").reason,
            Some(Reason::UnknownCode)
        );
    }
}

#[test]
fn somebody_whom_nobody_can_name_is_counted_apart() {
    let mut door = Door::with(json!({}), &["A"]);
    let entry = door.take(offline("X", 1, "18:00:00"), on_day("19:00:00"));
    assert_eq!((entry.verdict, entry.row_id), (Verdict::Refused, None));
    let stats = door.state().stats();
    assert_eq!((stats.unidentified, stats.inside), (1, 0));
    assert_eq!(stats.refused[&Reason::UnknownCode], 1);
    // One whom the device knew and the list has forgotten altogether does have a name of sorts.
    let mut known = offline("Y", 1, "18:01:00");
    known.offline.as_mut().unwrap().row_id = Some(guest(77));
    let entry = door.take(known, on_day("19:00:00"));
    assert_eq!(
        (entry.row_id, entry.overrode),
        (Some(guest(77)), Some(Reason::Canceled))
    );
    let stats = door.state().stats();
    assert_eq!((stats.unidentified, stats.inside), (1, 1));
}

#[test]
fn a_guest_who_got_another_code_meanwhile_is_the_one_whom_the_device_let_in() {
    let mut phone = Phone::of(1, &["A"]);
    let report = phone.scans("A", Direction::Entry);
    let mut door = Door::with(json!({}), &["A2"]);
    door.put(row(2, "A"));
    let entry = takes(&mut door, 1, &report);
    assert_eq!(entry.row_id, Some(guest(1)));
    assert_eq!(entry.overrode, Some(Reason::UnknownCode));
    assert_eq!(door.scan("A", "20:30:00").verdict, Verdict::Accepted);
}

#[test]
fn who_was_turned_away_as_unknown_stays_unknown() {
    let mut phone = Phone::of(1, &[]);
    let report = phone.scans("A", Direction::Entry);
    let mut door = Door::with(json!({}), &["A"]);
    let entry = takes(&mut door, 1, &report);
    assert_eq!(
        (entry.reason, entry.row_id, entry.guest),
        (Some(Reason::UnknownCode), None, None)
    );
    let mut door = Door::with(json!({}), &[]);
    let mut told = offline("A", 1, "18:00:00");
    told.offline = Some(Offline::told(Verdict::Duplicate, None));
    let entry = door.take(told, on_day("19:00:00"));
    assert_eq!(
        (entry.verdict, entry.reason),
        (Verdict::Duplicate, Some(Reason::AlreadyCheckedIn))
    );
}

#[test]
fn how_many_went_is_what_the_device_saw() {
    let mut phone = Phone::of(1, &[]);
    phone.door.put(Row {
        party: 3,
        ..row(1, "A")
    });
    let two = ScanIn {
        people: Some(2),
        ..scan_of("A", "")
    };
    phone.decides(two);
    let rest = phone.scans("A", Direction::Entry);
    assert_eq!(rest.people, Some(1), "the one who was left");
}

/// What a phone asked with a connection, whose answer it did not hear.
fn asked(report: &ScanIn) -> ScanIn {
    ScanIn {
        offline: None,
        ..report.clone()
    }
}

#[test]
fn who_a_phone_let_in_is_recorded_though_the_table_had_refused_them() {
    let mut phone = Phone::of(1, &["A", "B"]);
    let mut door = Door::with(json!({}), &["A", "B"]);
    door.send(scan_of("A", "x"), &caller(2), on_day("17:00:00"))
        .unwrap();
    let blocked = Row {
        status: Status::Blocked,
        ..row(2, "B")
    };
    door.put(blocked);
    for (code, verdict) in [("A", Verdict::Duplicate), ("B", Verdict::Refused)] {
        let report = phone.scans(code, Direction::Entry);
        assert!(report.offline.as_ref().unwrap().admitted());
        let answered = takes(&mut door, 1, &asked(&report));
        assert_eq!(answered.verdict, verdict);
        let entry = takes(&mut door, 1, &report);
        assert_eq!(entry.verdict, Verdict::Accepted, "{code}");
        let own = report.clone().parse(on_day("20:00:00")).unwrap();
        let own = own.own_ids(TABLE, caller(1).origin()).check_in;
        assert_eq!(entry.check_in_id, own, "{code}");
        let before = door.journal.log().len();
        for again in [&report, &asked(&report), &report] {
            takes(&mut door, 1, again);
        }
        assert_eq!(takes(&mut door, 1, &report), entry);
        assert_eq!(door.journal.log().len(), before);
    }
    let ledger = &door.state().ledger;
    assert_eq!((ledger.checked_in(), ledger.conflicts()), (2, 1));
}

#[test]
fn who_a_phone_turned_away_is_not_inside_though_the_table_had_let_them_in() {
    let mut phone = Phone::of(1, &[]);
    let mut door = Door::with(json!({"allow_reentry": true}), &["A"]);
    let report = phone.scans("A", Direction::Entry);
    assert!(!report.offline.as_ref().unwrap().admitted());
    let answered = takes(&mut door, 1, &asked(&report));
    assert_eq!(answered.verdict, Verdict::Accepted);
    let entry = takes(&mut door, 1, &report);
    assert_eq!(entry.verdict, Verdict::Refused);
    assert_ne!(entry.check_in_id, answered.check_in_id);
    let ledger = &door.state().ledger;
    assert_eq!((ledger.inside(), ledger.checked_in()), (0, 0));
    let log = door.journal.log();
    assert_eq!(log[1].annuls.unwrap().check_in_id, answered.check_in_id);
    assert_eq!(log.len(), 3);
    assert_eq!(takes(&mut door, 1, &report), entry);
    assert_eq!(door.journal.log().len(), 3);
}

#[test]
fn a_scan_that_both_let_in_has_one_record_which_its_phone_can_undo() {
    let mut phone = Phone::of(1, &["A"]);
    let mut door = Door::with(json!({}), &["A"]);
    let report = phone.scans("A", Direction::Entry);
    let answered = takes(&mut door, 1, &asked(&report));
    assert_eq!(takes(&mut door, 1, &report), answered);
    let there = phone.door.journal.log()[0].check_in_id;
    assert_eq!(there, answered.check_in_id);
    door.undo(there, &caller(1), on_day("20:01:00")).unwrap();
    assert_eq!(door.state().ledger.inside(), 0);
}
