//! Schedules to draw from, with their occurrences worked out beforehand.
//!
//! Invariant: a list holds every occurrence of its schedule from the first day of the year to the
//! first one behind it.
//! Failure: the helpers panic; they are only used in tests.

use chrono::{DateTime, TimeDelta, Utc};
use rules::civil::Zone;
use rules::cron::Cron;
use rules::schedule::{Occurrences, Overlap, Schedule, claim};

use crate::weather::{Dice, START};

/// Zones with changes of every kind in the year, and without.
const ZONES: [&str; 20] = [
    "UTC",
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Havana",
    "America/New_York",
    "America/Nuuk",
    "America/Phoenix",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Pacific/Auckland",
    "Pacific/Chatham",
];
/// What people schedule: rare ones, common ones, and some that run all the time.
const RARE: [&str; 14] = [
    "0 9 * * 1",
    "30 2 * * 0",
    "30 1 * * SUN",
    "0 0 1 * *",
    "0 9 LW * *",
    "0 8 15W * *",
    "15 2 L * *",
    "0 12 13 * 5",
    "0 9 * * MON#1,MON#3",
    "45 23 * * FRI#L",
    "0 9 1-7 * +MON",
    "*/20 2 * 3,4,10 0",
    "0 0 1 1 *",
    "0,30 0-3 28-31 3,10 *",
];
const COMMON: [&str; 6] = [
    "0 9 * * *",
    "30 2 * * *",
    "30 1 * * *",
    "0 0 * * *",
    "0 9 * * 1-5",
    "0 0,12 * * *",
];
const OFTEN: [&str; 3] = ["0 * * * *", "*/30 9-17 * * 1-5", "30 */2 * * *"];

/// A schedule and its occurrences.
pub struct Listed {
    pub schedule: Schedule,
    pub occurrences: Vec<DateTime<Utc>>,
}

impl Occurrences for Listed {
    fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let place = self.occurrences.partition_point(|at| *at <= after);
        self.occurrences.get(place).copied()
    }

    fn latest(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Option<(DateTime<Utc>, u64)> {
        let first = self.occurrences.partition_point(|at| *at <= after);
        let behind = self.occurrences.partition_point(|at| *at <= until);
        let count = behind.checked_sub(first).filter(|count| *count > 0)?;
        Some((self.occurrences[behind - 1], count as u64))
    }
}

/// Everything to draw from.
pub struct Pool {
    rare: Vec<Listed>,
    common: Vec<Listed>,
    often: Vec<Listed>,
}

impl Pool {
    pub fn new() -> Self {
        let lists = |expressions: &[&str]| {
            let of = |expression: &&str| ZONES.map(|zone| listed(expression, zone));
            expressions.iter().flat_map(of).collect()
        };
        Self {
            rare: lists(&RARE),
            common: lists(&COMMON),
            often: lists(&OFTEN),
        }
    }

    /// One of them: every twentieth year has one that runs all the time.
    pub fn draw(&self, dice: &mut Dice, place: usize) -> &Listed {
        let often = place == 0 && dice.below(20) == 0;
        let list = match (often, dice.below(20)) {
            (true, _) => &self.often,
            (false, 0) => &self.common,
            (false, _) => &self.rare,
        };
        &list[dice.below(list.len() as u64) as usize]
    }
}

fn listed(expression: &str, zone: &str) -> Listed {
    let schedule = Schedule {
        cron: Cron::parse(expression).expect(expression),
        zone: Zone::parse(zone).expect(zone),
        jitter: false,
        overlap: Overlap::Skip,
    };
    let first = START - TimeDelta::seconds(1);
    let until = START + TimeDelta::days(366);
    let next = |at: &DateTime<Utc>| Occurrences::next(&schedule, *at);
    let mut occurrences: Vec<_> = std::iter::successors(next(&first), next)
        .take_while(|at| *at < until)
        .collect();
    occurrences.extend(next(&(until - TimeDelta::seconds(1))));
    Listed {
        schedule,
        occurrences,
    }
}

/// The lists, and the schedules that they stand for, claim the same.
pub fn lists_are_their_schedules() {
    let mut dice = Dice::new(11);
    for expression in RARE.iter().chain(&COMMON).chain(&OFTEN) {
        for _ in 0..3 {
            let listed = listed(expression, ZONES[dice.below(20) as usize]);
            for _ in 0..40 {
                let place = dice.below(listed.occurrences.len() as u64) as usize;
                let due = listed.occurrences[place];
                let most = 32 << dice.below(18);
                let late = TimeDelta::seconds(dice.below(most) as i64);
                let now = (due + late).min(START + TimeDelta::days(365));
                assert_eq!(
                    claim(&listed, due, now),
                    claim(&listed.schedule, due, now),
                    "{expression} in {} due {due} at {now}",
                    listed.schedule.zone.name()
                );
            }
        }
    }
}
