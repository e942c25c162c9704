//! What is run before its time: a check that could not be asked, and a replica that was away.
//!
//! Invariant: what was not asked is tried again after one minute, two, four and so on, until its own
//! time comes anyway; a replica that was away is looked for every minute, and once it is back, all that
//! waits is run.
//! Failure: none.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::outcome::{Outcome, Skipped};
use crate::time;

/// The first wait, and how often a replica that is away is looked for.
pub const FIRST: TimeDelta = TimeDelta::minutes(1);
/// How often a wait doubles at most: to about a day.
const DOUBLED: u32 = 10;

/// What waits to be run again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    checks: BTreeMap<Uuid, Wait>,
    /// When a replica that is away is looked for.
    #[serde(with = "time::ms_option", default)]
    look: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Wait {
    #[serde(with = "time::ms")]
    at: DateTime<Utc>,
    /// How often it was in vain.
    tries: u32,
}

impl Again {
    /// The checks that are to be run now, at most so many.
    pub fn due(&self, now: DateTime<Utc>, most: usize) -> Vec<Uuid> {
        let due = self.checks.iter().filter(|(_, wait)| wait.at <= now);
        due.map(|(check, _)| *check).take(most).collect()
    }

    /// Whether to look for a replica that was away.
    pub fn looks(&self, now: DateTime<Utc>) -> bool {
        self.look.is_some_and(|at| at <= now)
    }

    /// When there is something to do.
    pub fn next(&self) -> Option<DateTime<Utc>> {
        let checks = self.checks.values().map(|wait| wait.at);
        checks.chain(self.look).min()
    }

    /// A check is run again at once.
    pub fn soon(&mut self, check: Uuid, now: DateTime<Utc>) {
        self.checks.insert(check, Wait { at: now, tries: 0 });
    }

    /// Nothing but these checks is known any more.
    pub fn keep(&mut self, known: impl Fn(Uuid) -> bool) {
        self.checks.retain(|check, _| known(*check));
    }

    /// Whether the replica was there, if that was found out.
    pub fn reached(&mut self, there: Option<bool>, now: DateTime<Utc>) {
        let was_away = self.look.is_some();
        if there == Some(true) && was_away {
            for wait in self.checks.values_mut() {
                wait.at = wait.at.min(now);
            }
        }
        self.look = (!there.unwrap_or(!was_away)).then_some(now + FIRST);
    }

    /// A check was run, and its own time comes at `due_at`.
    pub fn ran(
        &mut self,
        check: Uuid,
        outcome: Outcome,
        due_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) {
        let before = self.checks.remove(&check);
        if !was_not_asked(outcome) {
            return;
        }
        let tries = before.map_or(0, |wait| wait.tries);
        let at = now + FIRST * 2_i32.saturating_pow(tries.min(DOUBLED));
        if at + FIRST < due_at {
            let tries = tries.saturating_add(1);
            self.checks.insert(check, Wait { at, tries });
        }
    }
}

/// Whether it may go well a little later. What costs too much does then too.
fn was_not_asked(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Skipped { why } => why != Skipped::Cost,
        Outcome::Inconclusive => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECK: Uuid = Uuid::from_u128(1);

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn skipped(why: Skipped) -> Outcome {
        Outcome::skipped(why)
    }

    #[test]
    fn what_was_not_asked_is_tried_again_ever_later_until_its_own_time_comes() {
        let mut again = Again::default();
        let mut tried = Vec::new();
        again.ran(CHECK, skipped(Skipped::Locked), at(60), at(0));
        while let Some(next) = again.next() {
            assert!(again.due(next - TimeDelta::seconds(1), 9).is_empty());
            assert_eq!(again.due(next, 9), [CHECK]);
            tried.push((next - at(0)).num_minutes());
            again.ran(CHECK, skipped(Skipped::Locked), at(60), next);
        }
        assert_eq!(tried, [1, 3, 7, 15, 31]);
    }

    #[test]
    fn whatever_was_answered_or_costs_too_much_waits_for_its_own_time() {
        for outcome in [
            Outcome::Pass,
            Outcome::Fail,
            Outcome::Errored,
            Outcome::Misconfigured,
            skipped(Skipped::Cost),
        ] {
            let mut again = Again::default();
            again.ran(CHECK, Outcome::Inconclusive, at(60), at(0));
            assert_eq!(again.next(), Some(at(1)));
            again.ran(CHECK, outcome, at(60), at(1));
            assert_eq!(again.next(), None, "{outcome:?}");
        }
        let mut often = Again::default();
        often.ran(CHECK, skipped(Skipped::Unreachable), at(1), at(0));
        assert_eq!(often.next(), None, "its own time is as soon");
    }

    #[test]
    fn a_replica_that_is_away_is_looked_for_and_what_waits_runs_when_it_is_back() {
        let mut again = Again::default();
        again.reached(Some(false), at(0));
        for minute in [0, 1, 3] {
            again.ran(CHECK, skipped(Skipped::Unreachable), at(1_440), at(minute));
        }
        assert_eq!(again.next(), Some(at(1)));
        assert!(again.looks(at(1)) && !again.looks(at(0)));
        again.reached(None, at(2));
        assert!(
            again.looks(at(3)) && !again.looks(at(2)),
            "not known is not back"
        );
        again.reached(Some(false), at(3));
        assert!(again.due(at(4), 9).is_empty());
        again.reached(Some(true), at(4));
        assert_eq!(
            (again.due(at(4), 9), again.looks(at(9))),
            (vec![CHECK], false)
        );
        again.reached(Some(true), at(5));
        assert!(again.due(at(5), 0).is_empty());
        again.keep(|_| false);
        assert_eq!(again.next(), None);
    }
}
