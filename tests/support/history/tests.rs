//! The judgement finds what was planted, and nothing in a log that is right.
//!
//! Invariant: each test plants one fault into a log that passes without it.
//! Failure: a fault that was not found, or one that was not there.

use super::{Admissions, History, Promise, Replay, Rule, read};
use serde_json::{Value, json};

fn scan(seq: u64, guest: &str, effect: &str, at: &str) -> Value {
    let verdict = match effect {
        "repeat" => "duplicate",
        "refuse" => "refused",
        _ => "accepted",
    };
    json!({"seq": seq, "kind": "scan", "nonce_key": format!("s|entry|{guest}|n{seq}"),
           "verdict": verdict, "reason": (effect == "refuse").then_some("blocked"),
           "effect": effect, "row_id": guest, "check_in_id": format!("{guest}{seq}"),
           "check_in_time": format!("2026-01-01T{at}:00.000Z"), "walk_in": false})
}

fn annul(seq: u64, check_in: &str) -> Value {
    let guest = check_in.chars().next();
    json!({"seq": seq, "kind": "annul", "effect": "annul", "annuls": {"check_in_id": check_in},
           "nonce_key": format!("s|annul|r|n{seq}"), "row_id": guest})
}

#[test]
fn a_replay_counts_what_stands_by_scan_time() {
    let log = [
        scan(1, "a", "admit", "10:00"),
        scan(2, "a", "repeat", "10:01"),
        scan(3, "a", "exit", "12:00"),
        scan(4, "b", "admit", "10:02"),
        scan(5, "c", "refuse", "10:03"),
        annul(6, "b4"),
        scan(7, "a", "admit", "11:00"),
    ];
    let replay = Replay::of(&log);
    assert_eq!(
        (replay.checked_in, replay.inside, replay.duplicates),
        (1, 0, 1)
    );
    assert_eq!((replay.refused["blocked"], replay.admissions), (1, 3));
}

#[test]
#[should_panic(expected = "admitted twice")]
fn a_second_admission_is_found() {
    Replay::no_guest_twice(&[
        scan(1, "a", "admit", "10:00"),
        scan(2, "a", "admit", "10:01"),
    ]);
}

#[test]
fn a_guest_may_come_in_again_after_an_annulment() {
    Replay::no_guest_twice(&[
        scan(1, "a", "admit", "10:00"),
        annul(2, "a1"),
        scan(3, "a", "admit", "10:01"),
    ]);
}

#[test]
#[should_panic(expected = "acknowledged and lost")]
fn a_lost_acknowledgement_is_found() {
    let history = History::default();
    let noted = history.invoke("n9");
    history.acknowledge(
        noted,
        &json!({"seq": 9, "verdict": "accepted", "reason": null}),
    );
    history.judge(&[scan(1, "a", "admit", "10:00")]);
}

#[test]
#[should_panic(expected = "not dense")]
fn a_gap_is_found() {
    History::default().judge(&[
        scan(1, "a", "admit", "10:00"),
        scan(3, "b", "admit", "10:00"),
    ]);
}

#[test]
#[should_panic(expected = "one nonce, two entries")]
fn a_nonce_recorded_twice_is_found() {
    let mut twice = scan(2, "a", "repeat", "10:00");
    twice["nonce_key"] = json!("s|entry|a|n1");
    History::default().judge(&[scan(1, "a", "admit", "10:00"), twice]);
}

#[test]
#[should_panic(expected = "was acknowledged")]
fn an_answer_out_of_real_time_order_is_found() {
    let history = History::default();
    for (nonce, seq) in [("n2", 2), ("n1", 1)] {
        let noted = history.invoke(nonce);
        history.acknowledge(
            noted,
            &json!({"seq": seq, "verdict": "accepted", "reason": null}),
        );
    }
    history.judge(&[
        scan(1, "a", "admit", "10:00"),
        scan(2, "b", "admit", "10:00"),
    ]);
}

/// What a device let in without a connection.
fn late(seq: u64, guest: &str, effect: &str, at: &str) -> Value {
    let mut entry = scan(seq, guest, effect, at);
    entry["offline"] = json!("accepted");
    entry
}

/// The same, marked as one too many after another.
fn too_many(mut entry: Value, holder: &str) -> Value {
    entry["conflict"] = json!({"check_in_id": holder});
    entry
}

#[track_caller]
fn judged(log: &[Value], rule: Rule) -> (Vec<Promise>, u64) {
    let judged = Admissions::of(&read(log), rule);
    let promises = judged.faults.iter().map(|fault| fault.promise).collect();
    (promises, judged.conflicts)
}

#[test]
fn guests_who_were_let_out_or_undone_may_come_in_again() {
    let log = [
        scan(1, "a", "admit", "10:00"),
        scan(2, "a", "exit", "10:01"),
        scan(3, "a", "admit", "10:02"),
        annul(4, "a3"),
        scan(5, "a", "admit", "10:03"),
        scan(6, "a", "repeat", "10:04"),
    ];
    assert_eq!(judged(&log, Rule::AfterExit), (vec![], 0));
    // With one entry for ever the exit gives no room; the third entry is wrong, and so the fifth,
    // and neither is marked.
    let (double, unmarked) = (Promise::NoDouble, Promise::Conflicts);
    let found = vec![double, unmarked, double, unmarked, unmarked];
    assert_eq!(judged(&log, Rule::Once), (found, 1));
}

#[test]
fn what_devices_let_in_by_themselves_is_marked_and_no_double_admission() {
    let mut earlier = late(3, "a", "admit", "09:00");
    earlier["reelected"] = json!([
        {"check_in_id": "a1", "conflict": {"check_in_id": "a3"}},
        {"check_in_id": "a2", "conflict": {"check_in_id": "a3"}},
    ]);
    let mut undone = annul(4, "a3");
    undone["reelected"] = json!([{"check_in_id": "a1", "conflict": null}]);
    let log = [
        scan(1, "a", "admit", "10:00"),
        too_many(late(2, "a", "admit", "10:05"), "a1"),
        earlier,
        undone,
    ];
    for (entries, conflicts) in [(2, 1), (3, 2), (4, 1)] {
        assert_eq!(judged(&log[..entries], Rule::Once), (vec![], conflicts));
    }
}

#[test]
fn a_double_admission_with_a_connection_is_found_even_when_it_is_marked() {
    let twice = |second: Value| [scan(1, "a", "admit", "10:00"), second];
    let second = || scan(2, "a", "admit", "10:05");
    let marked = twice(too_many(second(), "a1"));
    assert_eq!(judged(&marked, Rule::Once).0, [Promise::NoDouble]);
    let unmarked = [Promise::NoDouble, Promise::Conflicts];
    assert_eq!(judged(&twice(second()), Rule::AfterExit).0, unmarked);
    let after_late = [late(1, "a", "admit", "10:00"), too_many(second(), "a1")];
    assert_eq!(judged(&after_late, Rule::Once).0, [Promise::NoDouble]);
    let mut forced = too_many(second(), "a1");
    forced["forced"] = json!(true);
    assert_eq!(judged(&twice(forced), Rule::Once), (vec![], 1));
}

#[test]
fn a_guest_who_was_turned_away_as_one_who_was_in_is_found() {
    let never = [scan(1, "a", "repeat", "10:00")];
    assert_eq!(judged(&never, Rule::Once).0, [Promise::NoRefusal]);
    let undone = [
        scan(1, "a", "admit", "10:00"),
        annul(2, "a1"),
        scan(3, "a", "repeat", "10:02"),
    ];
    assert_eq!(judged(&undone, Rule::Once).0, [Promise::NoRefusal]);
    let left = [
        scan(1, "a", "admit", "10:00"),
        scan(2, "a", "exit", "10:01"),
        scan(3, "a", "repeat", "10:02"),
    ];
    assert_eq!(judged(&left, Rule::AfterExit).0, [Promise::NoRefusal]);
    assert_eq!(judged(&left, Rule::Once), (vec![], 0));
    // That another guest is in is no reason.
    let other = [
        scan(1, "b", "admit", "10:00"),
        scan(2, "a", "repeat", "10:02"),
    ];
    assert_eq!(judged(&other, Rule::Once).0, [Promise::NoRefusal]);
}

#[test]
fn a_code_that_is_a_guests_and_was_unknown_is_found() {
    let coded = |mut entry: Value, code: &str| {
        entry["barcode"] = json!(code);
        entry
    };
    let unknown = |seq: u64, code: &str| {
        let mut entry = coded(scan(seq, "", "refuse", "10:05"), code);
        (entry["row_id"], entry["reason"]) = (Value::Null, json!("unknown_code"));
        entry
    };
    let first = || coded(scan(1, "a", "admit", "10:00"), "A");
    let codes = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
    let found = |log: &[Value], list: &[&str]| {
        let judged = Admissions::of_list(&read(log), Rule::Once, &codes(list));
        let promises = judged.faults.iter().map(|fault| fault.promise);
        promises.collect::<Vec<_>>()
    };
    assert_eq!(found(&[first(), unknown(2, "X")], &["A"]), []);
    assert_eq!(
        found(&[unknown(1, "A")], &[]),
        [],
        "before it was anybody's"
    );
    assert_eq!(
        found(&[first(), unknown(2, "A")], &[]),
        [Promise::NoRefusal]
    );
    assert_eq!(found(&[unknown(1, "A")], &["A"]), [Promise::NoRefusal]);
    let mut by_itself = unknown(2, "A");
    by_itself["offline"] = json!("refused");
    assert_eq!(
        found(&[first(), by_itself], &["A"]),
        [],
        "a device knew less"
    );
}

#[test]
fn a_conflict_that_is_not_marked_and_a_mark_without_one_are_found() {
    let first = || scan(1, "a", "admit", "10:00");
    let unmarked = [first(), late(2, "a", "admit", "10:05")];
    assert_eq!(judged(&unmarked, Rule::Once).0, [Promise::Conflicts]);
    let marked = [first(), too_many(late(2, "b", "admit", "10:05"), "a1")];
    assert_eq!(judged(&marked, Rule::Once).0, [Promise::Conflicts]);
    let wrong = [first(), too_many(late(2, "a", "admit", "09:00"), "a1")];
    assert_eq!(judged(&wrong, Rule::Once).0, [Promise::Conflicts]);
}

#[test]
fn undoing_twice_is_found() {
    let log = [
        scan(1, "a", "admit", "10:00"),
        annul(2, "a1"),
        annul(3, "a1"),
    ];
    assert_eq!(judged(&log, Rule::Once).0, [Promise::Once]);
}

fn answer(seq: u64, verdict: &str) -> Value {
    json!({"seq": seq, "verdict": verdict, "reason": null})
}

#[test]
fn a_retry_that_is_told_something_else_is_found() {
    let history = History::default();
    let noted = history.invoke("n1");
    history.acknowledge(noted, &answer(1, "accepted"));
    history.acknowledge(noted, &answer(1, "accepted"));
    let log = read(&[scan(1, "a", "admit", "10:00")]);
    assert!(history.faults(&log).is_empty());
    history.acknowledge(noted, &answer(1, "duplicate"));
    let found = history.faults(&log);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].promise, Promise::SameAnswer);
}

#[test]
fn an_acceptance_that_the_log_does_not_know_is_found() {
    let history = History::default();
    let noted = history.invoke("n2");
    history.acknowledge(noted, &answer(2, "accepted"));
    let log = [
        scan(1, "a", "admit", "10:00"),
        scan(2, "a", "repeat", "10:01"),
    ];
    let found = history.faults(&read(&log));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].promise, Promise::SameAnswer);
}

#[test]
fn a_counter_that_no_replay_gives_is_found() {
    let log = [
        scan(1, "a", "admit", "10:00"),
        late(2, "b", "refuse", "10:01"),
    ];
    let counts = json!({"total": 2, "checked_in": 1, "inside": 1, "arrived": 1, "walk_ins": 0, "duplicates": 0,
                        "refused": {"blocked": 1, "canceled": 0}, "rate": 0.5});
    let faults =
        |counts: Value| Replay::of(&log).faults(&serde_json::from_value(counts).expect("counts"));
    assert!(faults(counts.clone()).is_empty());
    for (name, other) in [
        ("checked_in", json!(2)),
        ("inside", json!(0)),
        ("walk_ins", json!(1)),
        ("duplicates", json!(1)),
        ("refused", json!({"blocked": 2})),
    ] {
        let mut counts = counts.clone();
        counts[name] = other;
        assert_eq!(faults(counts).len(), 1, "{name}");
    }
}
