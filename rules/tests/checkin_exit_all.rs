//! Everybody leaves at a time of day: when that is on days on which the clock moves, and whom it
//! takes out.
//!
//! Invariant: once a day; the same moment twice records the same entry.
//! Failure: the first difference stops the test.

mod checkin_support;

use checkin_support::*;
use rules::checkin::exit_all::{exit, inside_at, next_exit_all};
use rules::checkin::hours::Minute;
use rules::checkin::*;
use rules::civil::Zone;
use serde_json::json;

fn moments(zone: &str, clock: &str, after: &str, count: usize) -> Vec<String> {
    let (zone, clock) = (Zone::parse(zone).unwrap(), Minute::parse(clock).unwrap());
    let mut last = at(after);
    let next = || {
        last = next_exit_all(&zone, clock, last);
        rules::time::render(last)
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// 35: auto-exit across a change of the clocks.
#[test]
fn each_day_has_one_moment_whatever_the_clock_does() {
    let spring = moments("Europe/Berlin", "02:30", "2024-03-29T12:00:00Z", 4);
    let expected = ["30T01:30", "31T01:00", "01T00:30", "02T00:30"];
    for (moment, expected) in spring.iter().zip(expected) {
        assert!(moment.contains(expected), "{spring:?}");
    }
    let autumn = moments("Europe/Berlin", "02:30", "2024-10-25T12:00:00Z", 3);
    let expected = ["26T00:30", "27T00:30", "28T01:30"];
    for (moment, expected) in autumn.iter().zip(expected) {
        assert!(moment.contains(expected), "{autumn:?}");
    }
    assert_eq!(
        moments("America/Havana", "00:15", "2024-03-09T12:00:00Z", 2),
        ["2024-03-10T05:00:00.000Z", "2024-03-11T04:15:00.000Z"],
        "midnight itself is skipped"
    );
    assert_eq!(
        moments("Asia/Kathmandu", "00:00", "2024-06-01T18:15:00Z", 1),
        ["2024-06-02T18:15:00.000Z"],
        "the moment itself is not after itself"
    );
    let samoa = moments("Pacific/Apia", "04:00", "2011-12-29T00:00:00Z", 3);
    assert!(samoa.windows(2).all(|pair| pair[0] < pair[1]), "{samoa:?}");
}

#[test]
fn who_was_inside_at_the_moment_leaves_and_nobody_else() {
    let mut door = Door::with(json!({"allow_reentry": true}), &["A", "B", "C", "D"]);
    door.put(Row {
        party: 5,
        ..row(9, "G")
    });
    door.scan("A", "20:00:00");
    door.scan("B", "20:00:00");
    let gone = ScanIn {
        direction: Direction::Exit,
        ..scan_of("B", "out")
    };
    door.take(gone, on_day("21:00:00"));
    door.scan("C", "23:00:01");
    let some = ScanIn {
        people: Some(3),
        ..scan_of("G", "some")
    };
    door.take(some, on_day("22:00:00"));
    let moment = on_day("23:00:00");
    assert_eq!(inside_at(door.state(), moment), [guest(1), guest(9)]);
    assert_eq!(inside_at(door.state(), on_day("20:30:00")).len(), 2);
    let recorded_at = on_day("23:59:00");
    let entry = exit(door.state(), guest(9), moment, recorded_at).unwrap();
    assert_eq!(
        exit(door.state(), guest(9), moment, recorded_at),
        Some(entry.clone())
    );
    assert_eq!((entry.people, entry.inside_delta), (3, -3));
    assert_eq!((entry.check_in_time, entry.at), (moment, recorded_at));
    assert_eq!(entry.actor.kind, ActorKind::System);
    assert_eq!(
        entry.explanation,
        "Checked out at 23:00, with everybody inside."
    );
    let state = door.journal.state_mut();
    assert!(state.apply(&entry));
    let first = exit(state, guest(1), moment, recorded_at).unwrap();
    state.apply(&first);
    assert_eq!((state.stats().inside, state.stats().checked_in), (1, 4));
    assert_eq!(inside_at(state, moment), [0; 0].map(guest));
    for row in [guest(1), guest(2), guest(3), guest(4)] {
        assert_eq!(exit(state, row, moment, recorded_at), None);
    }
    let written = serde_json::to_string(&entry).unwrap();
    assert_eq!(serde_json::from_str::<Entry>(&written).unwrap(), entry);
}

/// Who left after the moment, before it was recorded, is taken out as of the moment all the same.
#[test]
fn an_exit_that_was_scanned_since_changes_nothing_more() {
    let mut door = Door::with(json!({}), &["A"]);
    door.scan("A", "20:00:00");
    let out = ScanIn {
        direction: Direction::Exit,
        ..scan_of("A", "out")
    };
    door.take(out, on_day("23:00:30"));
    let moment = on_day("23:00:00");
    let entry = exit(door.state(), guest(1), moment, on_day("23:01:00")).unwrap();
    assert_eq!(entry.inside_delta, 0);
    door.journal.state_mut().apply(&entry);
    assert_eq!(door.state().stats().inside, 0);
}
