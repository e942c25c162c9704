//! A scan for several tables: which of them know it, and how it is refused when more than one does.
//!
//! Invariant: knowing a code says nothing of whether its holder may enter.
//! Failure: the test names the scan.

mod checkin_support;

use checkin_support::{Door, caller, device, guest, on_day, row, scan_of};
use rules::checkin::decide::{knows, on_several_lists};
use rules::checkin::scan::distinct;
use rules::checkin::{Reason, ScanIn, Status, Verdict, WalkIn, Warning};
use serde_json::json;
use uuid::Uuid;

fn knows_code(door: &Door, code: &str) -> bool {
    let scan = scan_of(code, "n").parse(on_day("18:00:00")).unwrap();
    knows(door.state(), &scan)
}

#[test]
fn a_list_knows_its_codes_whoever_may_enter() {
    let mut door = Door::with(json!({}), &["A-1", "SHARED"]);
    door.put(row(8, "SHARED"));
    let mut blocked = row(9, "B-1");
    blocked.status = Status::Blocked;
    door.put(blocked);
    for (code, known) in [
        ("A-1", true),
        ("SHARED", true),
        ("B-1", true),
        ("C-1", false),
    ] {
        assert_eq!(knows_code(&door, code), known, "{code}");
    }
    let by_row = |id| ScanIn {
        barcode: None,
        row_id: Some(id),
        ..scan_of("", "n")
    };
    for (id, known) in [(guest(9), true), (guest(77), false)] {
        let scan = by_row(id).parse(on_day("18:00:00")).unwrap();
        assert_eq!(knows(door.state(), &scan), known, "{id}");
    }
}

#[test]
fn a_scan_that_several_lists_know_is_refused_with_their_names() {
    let door = Door::with(json!({}), &["A-1"]);
    let names = ["Gala".to_owned(), "After-show".to_owned()];
    let mut body = scan_of("A-1", "n");
    body.force = true;
    body.offline = serde_json::from_value(json!({"verdict": "accepted"})).unwrap();
    let scan = body.parse(on_day("18:00:00")).unwrap();
    let decision = on_several_lists(door.state(), &scan, &caller(1), &names);
    assert_eq!(decision.verdict, Verdict::Refused);
    assert_eq!(decision.reason, Some(Reason::Ambiguous));
    assert_eq!(
        decision.explanation,
        "This code is on several lists: Gala, After-show."
    );
    assert_eq!(decision.warnings, [Warning::AdmittedOffline]);
    assert_eq!((decision.row_id, decision.inside_delta), (None, 0));
}

#[test]
fn the_tables_of_a_scan_are_one_to_twenty_each_once() {
    let wrong = |body: ScanIn| -> Vec<String> {
        let mut body = body;
        let invalid = body.take_tables().unwrap_err();
        invalid
            .errors
            .into_iter()
            .map(|error| error.pointer)
            .collect()
    };
    let of = |tables: Vec<Uuid>| ScanIn {
        tables: Some(tables),
        ..scan_of("A-1", "n")
    };
    let many = |count: u128| (1..=count).map(device).collect::<Vec<_>>();
    assert_eq!(of(many(20)).take_tables().unwrap(), many(20));
    assert_eq!(wrong(of(many(21))), ["/tables"]);
    assert_eq!(wrong(of(vec![])), ["/tables"]);
    assert_eq!(
        wrong(of(vec![device(1), device(2), device(1), device(2)])),
        ["/tables/2", "/tables/3"]
    );
    let both = ScanIn {
        table_id: device(3),
        walk_in: Some(WalkIn::default()),
        ..of(many(1))
    };
    assert_eq!(wrong(both), ["/table_id", "/walk_in"]);
    let single = of(many(1)).parse(on_day("18:00:00")).unwrap_err();
    assert_eq!(single.errors[0].pointer, "/tables");
    assert!(distinct("/also", &[]).is_ok());
}
