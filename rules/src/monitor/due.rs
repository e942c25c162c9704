//! Which checks of a connection are due.
//!
//! The periods of a check follow each other from the epoch on, each beginning as much later as the
//! check's own share of it (spread by its id), so that checks of the same minute do not all run at
//! once.
//!
//! Invariant: of one period a check has one result, however often and late it is asked and whatever
//! the clock does; one that was begun and came to nothing is tried again once. Of periods that were missed only the latest is run. Who has waited
//! longest is first, so nobody waits for ever as long as any run at all.
//! Failure: none.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::time;

/// How often a period is begun in which whoever ran it died.
const TRIES: u32 = 2;
/// Starts are spread in steps of this many seconds, so that one alarm serves several checks.
const STEP: u64 = 5;

/// A check as its schedule sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The check.
    pub check: Uuid,
    /// Its period, in seconds.
    pub every: u32,
    /// When it was made or switched on: it is due then for the first time.
    #[serde(with = "time::ms")]
    pub since: DateTime<Utc>,
    /// The start of the latest period that was claimed.
    #[serde(with = "time::ms_option", default)]
    pub last: Option<DateTime<Utc>>,
}

/// A check that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The check.
    pub check: Uuid,
    /// The period it is due for.
    #[serde(with = "time::ms")]
    pub period: DateTime<Utc>,
    /// Since when it waits.
    #[serde(with = "time::ms")]
    pub waiting: DateTime<Utc>,
}

/// A period that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Its start.
    #[serde(with = "time::ms")]
    pub period: DateTime<Utc>,
    /// How often it was begun.
    pub tries: u32,
}

impl Claim {
    /// Begins a period, after what was begun before.
    pub fn begin(period: DateTime<Utc>, before: Option<&Self>) -> Self {
        let same = before.filter(|before| before.period == period);
        Self {
            period,
            tries: same.map_or(0, |before| before.tries).saturating_add(1),
        }
    }

    /// Whether it still counts for a check whose latest result is of the period `last`: not if nothing
    /// came of it and it may be tried again.
    pub fn stands(&self, last: Option<DateTime<Utc>>) -> bool {
        self.tries >= TRIES || last.is_some_and(|last| last >= self.period)
    }
}

impl Entry {
    /// The period that an instant lies in.
    pub fn period(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let every = i64::from(self.every.max(1));
        let offset = self.offset();
        let start = (at.timestamp() - offset)
            .div_euclid(every)
            .saturating_mul(every)
            .saturating_add(offset);
        time::from_ms(start.saturating_mul(1_000))
    }

    /// When it is due next.
    pub fn due_at(&self) -> DateTime<Utc> {
        match self.last {
            // The period may have been changed meanwhile.
            Some(last) => self.period(last) + TimeDelta::seconds(self.every.max(1).into()),
            None => self.since,
        }
    }

    /// Notes that a period is run. Whether it was free: of two that claim it, one may run.
    pub fn claim(&mut self, period: DateTime<Utc>) -> bool {
        let free = self.last.is_none_or(|last| period > last);
        if free {
            self.last = Some(period);
        }
        free
    }

    /// By how much its periods begin later: its own share of one, the same for the same id.
    fn offset(&self) -> i64 {
        let steps = (u64::from(self.every) / STEP).max(1);
        let share = mixed(self.check);
        let step = (u128::from(share) * u128::from(steps)) >> 64;
        i64::try_from(step).unwrap_or_default() * i64::try_from(STEP).unwrap_or_default()
    }
}

/// An id as a number of which every bit depends on every bit of it (the finish of SplitMix64).
fn mixed(id: Uuid) -> u64 {
    let (high, low) = id.as_u64_pair();
    let number = high.rotate_left(32) ^ low;
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// The checks that are due, at most so many, who waits longest first.
pub fn due(entries: &[Entry], now: DateTime<Utc>, most: usize) -> Vec<Run> {
    let run = |entry: &Entry| {
        let waiting = entry.due_at();
        let period = entry.period(now);
        let free = entry.last.is_none_or(|last| period > last);
        (waiting <= now && free).then_some(Run {
            check: entry.check,
            period,
            waiting,
        })
    };
    let mut runs: Vec<Run> = entries.iter().filter_map(run).collect();
    runs.sort_by_key(|run| (run.waiting, run.check));
    runs.truncate(most);
    runs
}

/// When the next check is due: the alarm to set. Never before now.
pub fn next_alarm(entries: &[Entry], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let next = |entry: &Entry| {
        let period = entry.period(now);
        match entry.last {
            // The clock went back, or the check had its turn: the period behind both.
            Some(last) if last >= period => entry.due_at(),
            _ => entry.due_at().max(now),
        }
    };
    entries.iter().map(next).min().map(|at| at.max(now))
}

/// Since when the check waits that has waited longest, or else when the next one is due. The alarm is
/// never before now; that checks wait longer than their periods is seen by this alone.
pub fn waiting(entries: &[Entry]) -> Option<DateTime<Utc>> {
    entries.iter().map(Entry::due_at).min()
}
