//! Checks that are due, against random clocks.
//!
//! Invariant: of one period a check runs at most once; nobody waits for ever.
//! Failure: a failure names its seed, which repeats it.

mod monitor_support;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use monitor_support::{Chance, at};
use rules::monitor::due::{Claim, Entry, due, next_alarm, waiting};
use uuid::Uuid;

fn entry(number: u128, every: u32) -> Entry {
    Entry {
        check: Uuid::from_u128(number),
        every,
        since: at("2026-06-01T00:00:00Z"),
        last: None,
    }
}

/// Claims what is due, as a tick does; answers what ran.
fn tick(entries: &mut [Entry], now: DateTime<Utc>, most: usize) -> Vec<(Uuid, DateTime<Utc>)> {
    let mut ran = Vec::new();
    for run in due(entries, now, most) {
        let entry = entries.iter_mut().find(|entry| entry.check == run.check);
        let entry = entry.expect("an entry");
        assert!(entry.claim(run.period), "what is due is free");
        assert!(!entry.claim(run.period), "and is free once");
        ran.push((run.check, run.period));
    }
    ran
}

#[test]
fn no_period_runs_twice_whatever_the_clock_does() {
    for seed in 0..400 {
        let mut chance = Chance::seeded(seed);
        let mut entries: Vec<_> = (0..1 + u128::from(chance.below(12)))
            .map(|number| {
                let every = 60 + chance.below(86_341) as u32;
                entry(number, every)
            })
            .collect();
        let mut now = at("2026-06-01T00:00:00Z");
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            // Late, repeated, and now and then from a clock that went back.
            now += match chance.below(10) {
                0 => TimeDelta::zero(),
                1 => -TimeDelta::seconds(chance.below(7_200) as i64),
                2 => TimeDelta::seconds(chance.below(200_000) as i64),
                _ => TimeDelta::seconds(chance.below(120) as i64),
            };
            let most = 1 + chance.below(6) as usize;
            for ran in tick(&mut entries, now, most) {
                assert!(seen.insert(ran), "seed {seed}: {ran:?} twice");
                assert!(ran.1 <= now, "seed {seed}: {ran:?} early");
            }
            if chance.one_in(20) {
                // Stored and read again, as over a restart.
                let stored = serde_json::to_string(&entries).expect("JSON");
                entries = serde_json::from_str(&stored).expect("entries");
            }
        }
    }
}

#[test]
fn nobody_waits_for_ever_as_long_as_any_run() {
    for seed in 0..60 {
        let mut chance = Chance::seeded(seed);
        let count = 2 + u128::from(chance.below(30));
        let mut entries: Vec<_> = (0..count).map(|number| entry(number, 60)).collect();
        let mut now = at("2026-06-01T00:00:00Z");
        let mut last: BTreeMap<Uuid, u64> = BTreeMap::new();
        // One run per tick, though all are due every time.
        for step in 0..400_u64 {
            now += TimeDelta::seconds(60 + chance.below(60) as i64);
            for (check, _) in tick(&mut entries, now, 1) {
                last.insert(check, step);
            }
            for entry in &entries {
                let waited = step - last.get(&entry.check).copied().unwrap_or_default();
                assert!(u128::from(waited) <= count, "seed {seed}: {waited} ticks");
            }
        }
    }
}

#[test]
fn of_the_periods_that_were_missed_only_the_latest_is_run() {
    let mut entries = [entry(1, 60)];
    let start = at("2026-06-01T00:00:00Z");
    assert_eq!(tick(&mut entries, start, 9).len(), 1);
    let late = start + TimeDelta::hours(9);
    let ran = tick(&mut entries, late, 9);
    assert_eq!(ran.len(), 1);
    assert!(late - ran[0].1 < TimeDelta::seconds(60));
    assert!(tick(&mut entries, late, 9).is_empty());
}

#[test]
fn the_alarm_is_set_for_the_moment_that_something_is_due() {
    for seed in 0..200 {
        let mut chance = Chance::seeded(seed);
        let mut entries: Vec<_> = (0..5)
            .map(|number| entry(number, 60 + chance.below(4_000) as u32))
            .collect();
        let mut now = at("2026-06-01T00:00:00Z");
        for _ in 0..100 {
            tick(&mut entries, now, 9);
            assert!(due(&entries, now, 9).is_empty());
            let alarm = next_alarm(&entries, now).expect("an alarm");
            assert!(alarm > now, "seed {seed}");
            let before = alarm - TimeDelta::milliseconds(1);
            assert!(
                due(&entries, before, 9).is_empty(),
                "seed {seed}: late alarm"
            );
            assert!(
                !due(&entries, alarm, 9).is_empty(),
                "seed {seed}: early alarm"
            );
            now = alarm;
        }
    }
    assert_eq!(next_alarm(&[], at("2026-06-01T00:00:00Z")), None);
}

#[test]
fn an_alarm_is_never_in_the_past_and_a_clock_that_went_back_only_waits() {
    let mut entries = [entry(1, 300)];
    let now = at("2026-06-01T12:00:00Z");
    tick(&mut entries, now, 9);
    let back = now - TimeDelta::hours(2);
    assert!(due(&entries, back, 9).is_empty());
    let alarm = next_alarm(&entries, back).expect("an alarm");
    assert!(alarm > now && alarm <= now + TimeDelta::seconds(300));
    let asleep = now + TimeDelta::days(3);
    assert_eq!(next_alarm(&entries, asleep), Some(asleep));
}

#[test]
fn checks_of_one_period_are_spread_over_it_and_stay_where_they_are() {
    let now = at("2026-06-01T12:00:00Z");
    for every in [60, 300, 3_600, 86_400] {
        let starts: Vec<_> = (0..500)
            .map(|number| {
                let entry = entry(number, every);
                let start = (now - entry.period(now)).num_seconds();
                assert_eq!(start, (now - entry.period(now)).num_seconds());
                assert!((0..i64::from(every)).contains(&start));
                start
            })
            .collect();
        let distinct: BTreeSet<_> = starts.iter().collect();
        let steps = (every / 5) as usize;
        assert!(
            distinct.len() >= steps.min(500) * 6 / 10,
            "{every}: {}",
            distinct.len()
        );
        let early = starts.iter().filter(|start| **start < i64::from(every / 2));
        assert!((150..=350).contains(&early.count()), "{every}");
    }
}

#[test]
fn a_changed_period_neither_repeats_nor_loses_a_run() {
    let mut entries = [entry(1, 3_600)];
    let now = at("2026-06-01T12:00:00Z");
    let (_, first) = tick(&mut entries, now, 9)[0];
    entries[0].every = 60;
    let soon = now + TimeDelta::seconds(60);
    let ran = tick(&mut entries, soon, 9);
    assert_eq!(ran.len(), 1);
    assert!(ran[0].1 > first);
    entries[0].every = 86_400;
    let alarm = next_alarm(&entries, soon).expect("an alarm");
    assert!(alarm > soon && alarm <= soon + TimeDelta::days(1));
}

/// Two hundred checks of a minute that take two seconds each, in runs of 25: each run is made in time,
/// and each check every seven minutes.
#[test]
fn a_schedule_that_does_not_keep_up_is_late_though_its_alarm_is_not() {
    let mut entries: Vec<_> = (0..200).map(|number| entry(number, 60)).collect();
    let mut now = at("2026-06-01T00:00:00Z");
    let mut late = TimeDelta::zero();
    for _ in 0..40 {
        assert_eq!(tick(&mut entries, now, 25).len(), 25);
        now += TimeDelta::seconds(50);
        assert_eq!(next_alarm(&entries, now), Some(now));
        late = now - waiting(&entries).expect("a time");
    }
    assert!(
        late > TimeDelta::minutes(5) && late < TimeDelta::minutes(7),
        "{late}"
    );
}

#[test]
fn a_schedule_that_keeps_up_is_not_late() {
    let mut entries: Vec<_> = (0..20).map(|number| entry(number, 60)).collect();
    let mut now = at("2026-06-01T00:00:00Z");
    for _ in 0..100 {
        tick(&mut entries, now, 25);
        let next = waiting(&entries).expect("a time");
        assert!(next > now, "{next}");
        assert_eq!(next_alarm(&entries, now), Some(next));
        now = next;
    }
    assert_eq!(waiting(&[]), None);
}

#[test]
fn what_was_begun_and_came_to_nothing_is_tried_again_once() {
    let period = at("2026-05-01T00:00:00Z");
    let earlier = Some(period - TimeDelta::days(1));
    let first = Claim::begin(period, None);
    assert!(!first.stands(None) && !first.stands(earlier));
    assert!(first.stands(Some(period)), "it has a result");
    let second = Claim::begin(period, Some(&first));
    assert!(second.stands(earlier), "not a third time");
    let next = Claim::begin(period + TimeDelta::days(1), Some(&second));
    assert!(!next.stands(Some(period)), "another period begins anew");
}
