//! What a replica is spared: the breaker and the ledger, against random signs and spending.
//!
//! Invariant: in no 60 minutes is more spent than the budget; a breaker opens for conflicts and for
//! replay that is stuck, and closes by itself.
//! Failure: a failure names its seed, which repeats it.

mod monitor_support;

use chrono::{DateTime, TimeDelta, Utc};
use monitor_support::{Chance, at};
use rules::monitor::breaker::{self, Breaker, Sign, State, TIGHT};
use rules::monitor::lag::Why;
use rules::monitor::ledger::{Budget, Ledger, Work};

fn start() -> DateTime<Utc> {
    at("2026-06-01T00:00:00Z")
}

fn work(milliseconds: u64, buffers: u64) -> Work {
    Work {
        statements: 1,
        milliseconds,
        buffers,
    }
}

#[test]
fn in_no_sixty_minutes_is_more_spent_than_the_budget() {
    for seed in 0..200 {
        let mut chance = Chance::seeded(seed);
        let budget = Budget {
            statements: 1 + chance.below(60),
            milliseconds: 1 + chance.below(60_000),
            buffers: 1 + chance.below(100_000),
        };
        let mut ledger = Ledger::default();
        let mut spent: Vec<(DateTime<Utc>, Work)> = Vec::new();
        let mut now = start();
        for _ in 0..600 {
            now += TimeDelta::milliseconds(chance.below(120_000) as i64);
            let wanted = work(chance.below(2_001), chance.below(5_000));
            if let Ok(reserved) = ledger.reserve(&budget, wanted, now) {
                let done = work(
                    chance.below(wanted.milliseconds + 1),
                    chance.below(wanted.buffers + 1),
                );
                ledger.settle(reserved, done);
                spent.push((now, done));
            }
            if chance.one_in(30) {
                let stored = serde_json::to_string(&ledger).expect("JSON");
                ledger = serde_json::from_str(&stored).expect("a ledger");
            }
        }
        assert!(!spent.is_empty());
        for (end, _) in &spent {
            let hour = spent
                .iter()
                .filter(|(at, _)| *at <= *end && *end - *at < TimeDelta::minutes(60));
            let sum = hour.fold((0, 0, 0), |sum, (_, work)| {
                (
                    sum.0 + work.statements,
                    sum.1 + work.milliseconds,
                    sum.2 + work.buffers,
                )
            });
            assert!(
                sum.0 <= budget.statements
                    && sum.1 <= budget.milliseconds
                    && sum.2 <= budget.buffers,
                "seed {seed}: {sum:?} of {budget:?}"
            );
        }
    }
}

#[test]
fn what_does_not_fit_is_told_when_it_will() {
    for seed in 0..200 {
        let mut chance = Chance::seeded(seed);
        let budget = Budget {
            statements: 10,
            milliseconds: 1_000,
            buffers: 1_000,
        };
        let mut ledger = Ledger::default();
        let mut now = start();
        for _ in 0..100 {
            now += TimeDelta::seconds(chance.below(300) as i64);
            let wanted = work(chance.below(400), chance.below(400));
            if let Err(refused) = ledger.reserve(&budget, wanted, now) {
                let then = refused.at.expect("it will fit");
                assert!(then > now, "seed {seed}");
                assert_eq!(ledger.may(&budget, wanted, then), Ok(()), "seed {seed}");
                let before = then - TimeDelta::milliseconds(1);
                assert!(ledger.may(&budget, wanted, before).is_err(), "seed {seed}");
            }
        }
        let never = ledger.may(&budget, work(1_001, 0), now).unwrap_err();
        assert_eq!(never.at, None, "more than the whole budget");
    }
}

#[test]
fn a_clock_that_goes_back_gives_nothing_back() {
    let budget = Budget {
        statements: 1,
        ..Budget::default()
    };
    let mut ledger = Ledger::default();
    let now = start();
    assert!(ledger.reserve(&budget, work(1, 1), now).is_ok());
    for minutes in [0, -1, -600] {
        let at = now + TimeDelta::minutes(minutes);
        assert!(ledger.may(&budget, work(1, 1), at).is_err());
    }
    assert!(
        ledger
            .may(&budget, work(1, 1), now + TimeDelta::minutes(61))
            .is_ok()
    );
}

#[test]
fn the_impact_is_what_was_spent_in_the_last_hour() {
    let budget = Budget {
        statements: 10,
        milliseconds: 1_000,
        buffers: 100,
    };
    let mut ledger = Ledger::default();
    ledger.spend(work(9, 9), start() - TimeDelta::hours(2));
    ledger.spend(work(100, 50), start());
    ledger.spend(work(100, 1), start() + TimeDelta::seconds(59));
    ledger.spend(work(0, 0), start() + TimeDelta::minutes(5));
    let impact = ledger.impact(&budget, start() + TimeDelta::minutes(5));
    assert_eq!(
        (impact.spent.statements, impact.spent.milliseconds),
        (3, 200)
    );
    assert_eq!(impact.minutes.len(), 2);
    assert!(
        (impact.share - 0.51).abs() < 1e-9,
        "the largest of the three"
    );
    assert_eq!(budget.times(0.5).milliseconds, 500);
    assert_eq!(budget.times(0.0).statements, 0);
}

#[test]
fn one_conflict_halves_the_budget_and_three_stop_reads() {
    let now = start();
    let breaker = Breaker::default();
    assert_eq!(breaker.state(now), State::Closed);
    let breaker = breaker.after(Sign::Conflict, now);
    assert_eq!(breaker.state(now), State::Tight { budget: TIGHT });
    assert_eq!(breaker.state(now + breaker::CALM), State::Closed);
    let breaker = breaker.after(Sign::Conflict, now + TimeDelta::minutes(1));
    let third = now + TimeDelta::minutes(2);
    let breaker = breaker.after(Sign::Conflict, third);
    let until = third + breaker::FIRST;
    assert_eq!(breaker.state(third), State::Open { until });
    assert_eq!(breaker.factor(third), 0.0);
    assert_eq!(breaker.state(until), State::Tight { budget: TIGHT });
    assert_eq!(breaker.state(until + breaker::CALM), State::Closed);
}

#[test]
fn conflicts_that_are_far_apart_do_not_add_up() {
    let mut breaker = Breaker::default();
    for hour in 0..100 {
        let now = start() + TimeDelta::minutes(11 * hour);
        breaker = breaker.after(Sign::Conflict, now);
        assert!(matches!(breaker.state(now), State::Tight { .. }));
    }
}

#[test]
fn pauses_double_up_to_an_hour_and_are_forgotten_after_a_calm_one() {
    let mut breaker = Breaker::default();
    let mut now = start();
    let mut pauses = Vec::new();
    for _ in 0..6 {
        for _ in 0..breaker::CONFLICTS {
            breaker = breaker.after(Sign::Conflict, now);
        }
        let State::Open { until } = breaker.state(now) else {
            panic!("{:?}", breaker.state(now));
        };
        pauses.push((until - now).num_minutes());
        now = until;
    }
    assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
    now += breaker::CALM + breaker::LONGEST;
    for _ in 0..breaker::CONFLICTS {
        breaker = breaker.after(Sign::Conflict, now);
    }
    assert_eq!(
        breaker.state(now),
        State::Open {
            until: now + breaker::FIRST
        }
    );
}

#[test]
fn replay_that_falls_behind_tightens_and_then_stops_reads_but_a_cut_or_a_pause_does_not() {
    let now = start();
    let of = |why, seconds| {
        let sign = Sign::Replay(why, TimeDelta::seconds(seconds));
        Breaker::default().after(sign, now).state(now)
    };
    assert_eq!(of(Why::Replaying, 29), State::Closed);
    assert_eq!(of(Why::Replaying, 30), State::Tight { budget: TIGHT });
    assert!(matches!(of(Why::Replaying, 120), State::Open { .. }));
    for why in [Why::Streaming, Why::Paused, Why::Cut, Why::Primary] {
        assert_eq!(of(why, 9_999), State::Closed, "{why:?} is not ours to mend");
    }
    let mut breaker = Breaker::default();
    let stuck = Sign::Replay(Why::Replaying, TimeDelta::minutes(5));
    for second in 0..200 {
        breaker = breaker.after(stuck, now + TimeDelta::seconds(second));
    }
    let until = now + breaker::FIRST;
    assert_eq!(
        breaker.state(now),
        State::Open { until },
        "one pause at a time"
    );
}

#[test]
fn feedback_holds_the_budget_tight_as_long_as_it_is_on() {
    let now = start();
    let breaker = Breaker::default().after(Sign::Feedback(true), now);
    let later = now + TimeDelta::days(9);
    assert_eq!(breaker.state(later), State::Tight { budget: TIGHT });
    let breaker = breaker.after(Sign::Feedback(false), later);
    assert_eq!(breaker.state(later), State::Closed);
}

#[test]
fn whatever_happens_a_breaker_closes_by_itself_and_is_the_same_over_a_restart() {
    for seed in 0..300 {
        let mut chance = Chance::seeded(seed);
        let (mut breaker, mut now) = (Breaker::default(), start());
        for _ in 0..200 {
            now += TimeDelta::seconds(chance.below(900) as i64);
            let behind = TimeDelta::seconds(chance.below(300) as i64);
            breaker = breaker.after(
                match chance.below(3) {
                    0 => Sign::Conflict,
                    1 => Sign::Replay(Why::Replaying, behind),
                    _ => Sign::Feedback(false),
                },
                now,
            );
            if let State::Open { until } = breaker.state(now) {
                assert!(until - now <= breaker::LONGEST, "seed {seed}");
            }
            let stored = serde_json::to_string(&breaker).expect("JSON");
            assert_eq!(
                serde_json::from_str::<Breaker>(&stored).expect("a breaker"),
                breaker
            );
        }
        let calm = now + breaker::LONGEST + breaker::CALM;
        assert_eq!(breaker.state(calm), State::Closed, "seed {seed}");
    }
}
