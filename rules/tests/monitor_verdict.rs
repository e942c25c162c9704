//! What measured numbers mean.
//!
//! Invariant: a limit that is reached is kept; empty, stale and zero are three things; what cannot be
//! told is no pass.
//! Failure: the verdict that is otherwise.

mod monitor_support;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use monitor_support::*;
use rules::monitor::check::{Check, Sensitivity};
use rules::monitor::lag::Standing;
use rules::monitor::outcome::Outcome;
use rules::monitor::shift::{self, Histogram, Taken};
use rules::monitor::sql::Measured;
use rules::monitor::verdict::{Context, Learned, Reason, Verdict, judge, value};
use serde_json::json;

fn now() -> DateTime<Utc> {
    at("2026-06-01T10:30:00Z")
}

fn newest(at: Option<DateTime<Utc>>, empty: bool) -> Measured {
    Measured::Newest {
        at,
        empty,
        ahead: false,
    }
}

fn of(check: &Check, measured: &Measured) -> (Outcome, Reason) {
    let Verdict {
        outcome,
        reason,
        text,
        ..
    } = judge(check, measured, now(), &Context::default());
    assert!(text.ends_with('.'), "{text}");
    (outcome, reason)
}

fn rows(rows: f64) -> Measured {
    Measured::Rows {
        rows: Some(rows),
        estimated: false,
    }
}

fn wrong(checked: f64, wrong: f64, sampled: Option<f64>) -> Measured {
    Measured::Wrong {
        checked: Some(checked),
        wrong: Some(wrong),
        sampled,
    }
}

#[test]
fn a_table_is_stale_one_second_behind_its_threshold_and_not_at_it() {
    let limits = json!({"warn": {"kind": "absolute", "max": 300},
                        "fail": {"kind": "absolute", "max": 600}});
    let check = check_with("freshness", json!({"column": "at"}), limits);
    for (age, expected) in [
        (0, (Outcome::Pass, Reason::Within)),
        (299, (Outcome::Pass, Reason::Within)),
        (300, (Outcome::Pass, Reason::Within)),
        (301, (Outcome::Warn, Reason::Stale)),
        (599, (Outcome::Warn, Reason::Stale)),
        (600, (Outcome::Warn, Reason::Stale)),
        (601, (Outcome::Fail, Reason::Stale)),
    ] {
        let found = of(
            &check,
            &newest(Some(now() - TimeDelta::seconds(age)), false),
        );
        assert_eq!(found, expected, "{age}");
    }
    let over = now() - TimeDelta::milliseconds(600_001);
    assert_eq!(of(&check, &newest(Some(over), false)).0, Outcome::Fail);
    let ahead = now() + TimeDelta::minutes(4);
    assert_eq!(value(&check, &newest(Some(ahead), false), now()), Some(0.0));
}

#[test]
fn a_table_without_rows_is_empty_and_neither_stale_nor_zero() {
    let settings = json!({"column": "at"});
    let check = check("freshness", settings.clone());
    assert_eq!(
        of(&check, &newest(None, true)),
        (Outcome::Fail, Reason::Empty)
    );
    assert_eq!(
        of(&check, &newest(None, false)),
        (Outcome::Fail, Reason::Stale)
    );
    for (empty, outcome) in [("warn", Outcome::Warn), ("pass", Outcome::Pass)] {
        let mut settings = settings.clone();
        settings["empty"] = json!(empty);
        let check = monitor_support::check("freshness", settings);
        assert_eq!(of(&check, &newest(None, true)), (outcome, Reason::Empty));
    }
    let least = json!({"fail": {"kind": "absolute", "min": 1}});
    let volume = check_with("volume", json!({"column": "at"}), least.clone());
    assert_eq!(of(&volume, &rows(0.0)), (Outcome::Fail, Reason::Zero));
    let count = check_with("row_count", json!({}), least);
    assert_eq!(of(&count, &rows(0.0)), (Outcome::Fail, Reason::Empty));
    assert_eq!(of(&count, &rows(1.0)), (Outcome::Pass, Reason::Within));
}

#[test]
fn expected_rows_are_late_from_when_they_were_expected() {
    // Six o'clock in Berlin on weekdays; 1 June 2026 is a Monday and a holiday here.
    let expected = json!({"cron": "0 6 * * 1-5", "holidays": ["2026-06-01"]});
    let settings = json!({"column": "at", "timezone": "Europe/Berlin", "expected": expected});
    let check = check_with(
        "freshness",
        settings,
        json!({"fail": {"kind": "absolute", "max": 1800}}),
    );
    let late = |newest_at: &str, as_of: &str| {
        value(&check, &newest(Some(at(newest_at)), false), at(as_of)).expect("a number")
    };
    let friday = "2026-05-29T04:05:00Z";
    assert_eq!(late(friday, "2026-05-29T04:30:00Z"), 0.0);
    assert_eq!(
        late(friday, "2026-05-31T12:00:00Z"),
        0.0,
        "nothing is expected on a Sunday"
    );
    assert_eq!(
        late(friday, "2026-06-01T12:00:00Z"),
        0.0,
        "nor on a holiday"
    );
    assert_eq!(
        late(friday, "2026-06-02T03:59:59Z"),
        0.0,
        "nor before it is due"
    );
    assert_eq!(late(friday, "2026-06-02T04:30:00Z"), 1_800.0);
    assert_eq!(late("2026-06-02T04:00:00Z", "2026-06-02T04:30:00Z"), 0.0);
    let judged = |as_of: &str| {
        let measured = newest(Some(at(friday)), false);
        judge(&check, &measured, at(as_of), &Context::default()).outcome
    };
    assert_eq!(judged("2026-06-02T04:30:00Z"), Outcome::Pass);
    assert_eq!(judged("2026-06-02T04:30:01Z"), Outcome::Fail);
}

#[test]
fn a_calendar_of_nothing_but_holidays_expects_nothing_and_ends() {
    let days = (0..500).map(|day| (at("2026-06-01T00:00:00Z") - TimeDelta::days(day)).date_naive());
    let holidays: Vec<_> = days.map(|day| day.to_string()).collect();
    let settings = json!({"column": "at", "expected": {"cron": "* * * * *", "holidays": holidays}});
    let check = check_with(
        "freshness",
        settings,
        json!({"fail": {"kind": "absolute", "max": 0}}),
    );
    assert_eq!(value(&check, &newest(None, false), now()), Some(0.0));
}

#[test]
fn nothing_is_judged_while_the_replica_is_too_far_behind() {
    assert_eq!(Verdict::inconclusive(Standing::Within), None);
    for standing in [Standing::Over, Standing::Blind] {
        let verdict = Verdict::inconclusive(standing).expect("a verdict");
        assert_eq!(
            (verdict.outcome, verdict.reason),
            (Outcome::Inconclusive, Reason::Lag)
        );
        assert!(!verdict.outcome.is_verdict());
    }
}

#[test]
fn a_share_of_nothing_is_nothing_wrong_and_rows_of_a_sample_stand_for_all() {
    let email = json!({"column": "email", "pattern": "@"});
    let share = check("pattern", email.clone());
    assert_eq!(value(&share, &wrong(0.0, 0.0, None), now()), Some(0.0));
    assert_eq!(
        value(&share, &wrong(200.0, 3.0, Some(0.01)), now()),
        Some(0.015)
    );
    let counted = check_with("pattern", email, json!({"measure": "rows"}));
    assert_eq!(value(&counted, &wrong(200.0, 3.0, None), now()), Some(3.0));
    assert_eq!(
        value(&counted, &wrong(200.0, 3.0, Some(0.01)), now()),
        Some(300.0)
    );
    let kept = Measured::Wrong {
        checked: None,
        wrong: Some(0.0),
        sampled: None,
    };
    let keys = check("duplicate_keys", json!({"columns": ["id"]}));
    assert_eq!(of(&keys, &kept), (Outcome::Pass, Reason::Within));
    let lost = Measured::Wrong {
        checked: None,
        wrong: None,
        sampled: None,
    };
    assert_eq!(
        of(&keys, &lost),
        (Outcome::Errored, Reason::NoValue),
        "the index is gone"
    );
}

#[test]
fn two_tables_are_apart_by_a_number_or_by_a_share() {
    let with = json!({"schema": "public", "name": "customers"});
    let absolute = check("comparison", json!({"with": with}));
    let relative = check(
        "comparison",
        json!({"with": with, "difference": "relative"}),
    );
    let pair = |own, other| Measured::Pair {
        own: Some(own),
        other: Some(other),
    };
    for (own, other, apart, share) in [
        (100.0, 100.0, 0.0, 0.0),
        (90.0, 100.0, 10.0, 0.1),
        (110.0, 100.0, 10.0, 0.1),
        (5.0, 0.0, 5.0, 1.0),
        (0.0, 0.0, 0.0, 0.0),
    ] {
        assert_eq!(value(&absolute, &pair(own, other), now()), Some(apart));
        assert_eq!(value(&relative, &pair(own, other), now()), Some(share));
    }
    let half = Measured::Pair {
        own: Some(1.0),
        other: None,
    };
    assert_eq!(of(&absolute, &half), (Outcome::Errored, Reason::NoValue));
}

#[test]
fn changes_are_counted_from_what_was() {
    let fail = json!({"fail": {"kind": "relative", "min": -0.5, "max": 1.0}});
    let check = check_with("row_count", json!({}), fail);
    let after = |previous: Option<f64>, value: f64| {
        let context = Context {
            previous,
            ..Context::default()
        };
        let verdict = judge(&check, &rows(value), now(), &context);
        (verdict.outcome, verdict.reason)
    };
    assert_eq!(after(Some(100.0), 50.0), (Outcome::Pass, Reason::Within));
    assert_eq!(after(Some(100.0), 49.0), (Outcome::Fail, Reason::Below));
    assert_eq!(after(Some(100.0), 200.0), (Outcome::Pass, Reason::Within));
    assert_eq!(after(Some(100.0), 201.0), (Outcome::Fail, Reason::Above));
    assert_eq!(after(Some(0.0), 0.0), (Outcome::Pass, Reason::Within));
    assert_eq!(after(Some(0.0), 1.0), (Outcome::Fail, Reason::Above));
    let first = after(None, 100.0);
    assert_eq!(
        first,
        (Outcome::Learning { have: 0, need: 1 }, Reason::NoReference)
    );
    let weekly = json!({"fail": {"kind": "relative", "max": 0.1, "to": "same_hour_last_week"}});
    let weekly = check_with("row_count", json!({}), weekly);
    let context = Context {
        previous: Some(1.0),
        week_ago: Some(100.0),
        ..Context::default()
    };
    assert_eq!(
        judge(&weekly, &rows(105.0), now(), &context).outcome,
        Outcome::Pass
    );
}

#[test]
fn what_is_learned_warns_and_fails_by_its_own_sensitivity() {
    let limits = json!({"warn": {"kind": "learned", "sensitivity": "high"},
                        "fail": {"kind": "learned", "sensitivity": "low"}});
    let check = check_with("volume", json!({"column": "at"}), limits);
    assert_eq!(
        check.thresholds.sensitivities(),
        [Sensitivity::Low, Sensitivity::High]
    );
    let with = |low, high| {
        let context = Context {
            learned: vec![(Sensitivity::Low, low), (Sensitivity::High, high)],
            ..Context::default()
        };
        let verdict = judge(&check, &rows(5.0), now(), &context);
        (verdict.outcome, verdict.reason)
    };
    let odd = Learned::Anomalous { above: false };
    assert_eq!(
        with(Learned::Normal, Learned::Normal),
        (Outcome::Pass, Reason::Within)
    );
    assert_eq!(
        with(Learned::Normal, odd),
        (Outcome::Warn, Reason::Anomalous)
    );
    assert_eq!(with(odd, odd), (Outcome::Fail, Reason::Anomalous));
    assert_eq!(
        with(Learned::Normal, Learned::Suspect),
        (Outcome::Pass, Reason::Suspect)
    );
    assert_eq!(
        with(Learned::Suspect, odd),
        (Outcome::Warn, Reason::Anomalous)
    );
    let learning = Learned::Learning { have: 3, need: 24 };
    assert_eq!(
        with(learning, learning),
        (Outcome::Learning { have: 3, need: 24 }, Reason::Learning)
    );
    let unjudged = judge(&check, &rows(5.0), now(), &Context::default());
    assert!(
        matches!(unjudged.outcome, Outcome::Learning { .. }),
        "never firing"
    );
}

#[test]
fn a_fixed_limit_fails_also_while_history_is_being_learned() {
    let limits = json!({"warn": {"kind": "learned"}, "fail": {"kind": "absolute", "min": 1}});
    let check = check_with("volume", json!({"column": "at"}), limits);
    let context = Context {
        learned: vec![(Sensitivity::Medium, Learned::Learning { have: 0, need: 9 })],
        ..Context::default()
    };
    let judged = |value| judge(&check, &rows(value), now(), &context).outcome;
    assert_eq!(judged(0.0), Outcome::Fail);
    assert_eq!(judged(1.0), Outcome::Learning { have: 0, need: 9 });
}

#[test]
fn a_number_that_is_none_is_an_error() {
    let metric = check("metric", json!({"sql": "select 1"}));
    for none in [None, Some(f64::NAN), Some(f64::INFINITY)] {
        let found = of(&metric, &Measured::Number { value: none });
        assert_eq!(found, (Outcome::Errored, Reason::NoValue));
    }
    let unknown = Measured::Rows {
        rows: None,
        estimated: true,
    };
    assert_eq!(
        of(&check("row_count", json!({})), &unknown).0,
        Outcome::Errored
    );
}

fn counts(shares: &[(&str, f64)]) -> BTreeMap<String, f64> {
    shares
        .iter()
        .map(|(part, count)| ((*part).to_owned(), *count))
        .collect()
}

#[test]
fn values_that_stay_alike_have_a_small_index_and_moved_ones_a_large_one() {
    let then = counts(&[("0", 1_000.0), ("1", 1_000.0), ("2", 1_000.0)]);
    assert_eq!(shift::psi(&then, &then), 0.0);
    let twice = counts(&[("0", 2_000.0), ("1", 2_000.0), ("2", 2_000.0)]);
    assert!(
        shift::psi(&then, &twice) < 1e-9,
        "shares count, not numbers"
    );
    let moved = counts(&[("0", 100.0), ("1", 400.0), ("2", 2_500.0)]);
    let psi = shift::psi(&then, &moved);
    // (.0333−.3333)·ln .1 + (.1333−.3333)·ln .4 + (.8333−.3333)·ln 2.5
    assert!((psi - 1.332).abs() < 0.001, "{psi}");
    assert!((shift::psi(&moved, &then) - psi).abs() < 1e-9, "symmetric");
    let novel = counts(&[("0", 1_000.0), ("new", 1_000.0), ("newer", 1_000.0)]);
    let psi = shift::psi(&then, &novel);
    assert!(psi.is_finite() && psi > 1.0, "{psi}");
}

#[test]
fn chance_alone_does_not_move_values() {
    for seed in 0..100 {
        let mut chance = Chance::seeded(seed);
        let mut draw = |count: u64| {
            let mut found = BTreeMap::new();
            for _ in 0..count {
                *found.entry(chance.below(10).to_string()).or_insert(0.0) += 1.0;
            }
            found
        };
        let psi = shift::psi(&draw(1_000), &draw(1_000));
        assert!(psi < 0.1, "seed {seed}: {psi}");
    }
}

#[test]
fn a_shift_is_learned_in_two_looks_and_judged_from_the_third_on() {
    let check = check("shift", json!({"column": "amount"}));
    let judged = |before: Option<&Histogram>, measured: &Measured| {
        let taken = shift::take(before, measured).expect("a measurement of shift");
        let context = Context {
            shift: Some(taken.clone()),
            ..Context::default()
        };
        (judge(&check, measured, now(), &context), taken)
    };
    let edges = Measured::Edges {
        edges: Some(vec![2.0, 1.0, 1.0]),
        checked: 5_000.0,
    };
    let (verdict, taken) = judged(None, &edges);
    assert!(matches!(verdict.outcome, Outcome::Learning { .. }));
    let Taken::Learned(learned) = taken else {
        panic!("{taken:?}");
    };
    assert_eq!(learned.edges, [1.0, 2.0], "ascending, each once");
    let same = Measured::Counts {
        counts: counts(&[("0", 900.0), ("1", 900.0), ("2", 900.0)]),
    };
    let (_, taken) = judged(Some(&learned), &same);
    let Taken::Learned(learned) = taken else {
        panic!("{taken:?}");
    };
    let (verdict, _) = judged(Some(&learned), &same);
    assert_eq!((verdict.outcome, verdict.value), (Outcome::Pass, Some(0.0)));
    let moved = Measured::Counts {
        counts: counts(&[("0", 90.0), ("1", 900.0), ("2", 1_800.0)]),
    };
    let (verdict, _) = judged(Some(&learned), &moved);
    assert_eq!(
        (verdict.outcome, verdict.reason),
        (Outcome::Fail, Reason::Above)
    );
    let few = Measured::Counts {
        counts: counts(&[("0", 999.0)]),
    };
    let (verdict, _) = judged(Some(&learned), &few);
    assert_eq!(
        verdict.outcome,
        Outcome::Learning {
            have: 999,
            need: 1_000
        }
    );
}

#[test]
fn the_same_inputs_come_to_the_same_verdict() {
    let check = check("volume", json!({"column": "at"}));
    let context = Context {
        learned: vec![(Sensitivity::Medium, Learned::Anomalous { above: true })],
        ..Context::default()
    };
    let once = || serde_json::to_string(&judge(&check, &rows(7.0), now(), &context)).unwrap();
    assert_eq!(once(), once());
    assert_eq!(
        once(),
        r#"{"outcome":"fail","reason":"anomalous","value":7.0,"text":"7 is more than it has usually been at this time."}"#
    );
}
