//! Cron expressions: five fields, read strictly, run by the wall clock of a time zone.
//!
//! Invariant: a [`Cron`] matches at least one date, so it always has a next run until the year
//! 9999; its text is at most [`MAX_TEXT`] bytes. Minute and hour are *fixed* when neither begins
//! with `*`: a fixed time that the clock skips runs once, as soon as the clock is past it, and one
//! that comes twice runs the first time. Other times run whenever the clock shows them. Times that
//! a change of more than three hours skips do not run at all.
//! Failure: every wrong field is refused with what it takes; no input costs more than a few hundred
//! steps to read, nor more than a few thousand to find a run of.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::civil::Zone;
use crate::invalid::Invalid;

mod calendar;
pub mod cases;
mod days;
mod describe;
mod field;
mod lint;
mod parse;
mod run;
mod timeline;

pub use crate::civil::tzdata_version;
pub use lint::Lint;
pub use run::{Note, NoteKind, Run};

use calendar::Calendar;
use timeline::Timeline;

/// Longest expression read, in bytes.
pub const MAX_TEXT: usize = 256;

/// A valid expression. Its text is kept, with single blanks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    text: String,
    calendar: Calendar,
    days: days::Days,
    /// Neither the minute nor the hour begins with `*`.
    fixed: bool,
}

impl Cron {
    /// Reads an expression; every wrong field is reported at `/cron`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        parse::parse(text)
    }

    /// The first run after an instant; none behind the year 9999.
    pub fn next(&self, zone: &Zone, after: DateTime<Utc>) -> Option<Run> {
        let found = self.timeline(zone).next(after, &mut 0)?;
        Some(run::of(&self.timeline(zone), found))
    }

    /// The last run after one instant and not after another, and how many runs there are between
    /// them. What it costs depends on the changes of the clock between them, not on the runs.
    pub fn latest(
        &self,
        zone: &Zone,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Option<(Run, u64)> {
        let timeline = self.timeline(zone);
        let found = timeline.previous(until, Some(after), &mut 0)?;
        let count = timeline.count(after, until, &mut 0);
        Some((run::of(&timeline, found), count))
    }

    /// How far apart the runs around an instant are: the last one up to it, and the first one after
    /// it. A day where there is none on one side.
    pub fn period(&self, zone: &Zone, at: DateTime<Utc>) -> TimeDelta {
        let timeline = self.timeline(zone);
        let before = timeline.previous(at, None, &mut 0);
        let after = timeline.next(at, &mut 0);
        match (before, after) {
            (Some(before), Some(after)) => after.at - before.at,
            _ => TimeDelta::days(1),
        }
    }

    /// The expression in words, with the next run that a change of the clock makes exceptional.
    pub fn describe(&self, zone: &Zone, from: DateTime<Utc>) -> String {
        describe::describe(self, zone, from)
    }

    /// What may surprise in it, though it is valid.
    pub fn lint(&self) -> Vec<Lint> {
        lint::lint(self)
    }

    /// Whether its times are fixed; others run whenever the clock shows them.
    pub fn is_fixed(&self) -> bool {
        self.fixed
    }

    /// The first run whose time by the expression is not before this wall time.
    pub(crate) fn from_wall(&self, zone: &Zone, wall: NaiveDateTime) -> Option<Run> {
        let timeline = self.timeline(zone);
        let found = timeline.from_wall(wall, &mut 0)?;
        Some(run::of(&timeline, found))
    }

    fn timeline<'a>(&'a self, zone: &'a Zone) -> Timeline<'a> {
        Timeline {
            calendar: &self.calendar,
            fixed: self.fixed,
            zone,
        }
    }
}

impl fmt::Display for Cron {
    /// The expression.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod work_tests;
