//! Filling in the history of a check from the rows that are there already.
//!
//! Invariant: each stretch of time is counted once, newest first, so that what is learned is of use
//! early; the stretches are those that later runs count. At most one statement every
//! [`PAUSE`] and a quarter of the hour's budget; only by an index, or from a table that is not big.
//! What is filled in raises no alert.
//! Failure: a kind or a table that cannot be filled in has no plan; a chunk that failed is asked again
//! later, three times, then the rest is left.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::catalog::Catalog;
use super::check::{Check, Kind, Measure, Scope};
use super::ledger::Budget;
use super::sql::{self, Ask, Bucket, Size, Statement, Unable, Unreadable, stretches};
use crate::civil::Zone;
use crate::sql_guard::TableName;
use crate::time;

/// How far back history is filled in: what a detector looks back on.
pub const HISTORY: TimeDelta = TimeDelta::weeks(8);
/// Between two statements.
pub const PAUSE: TimeDelta = TimeDelta::seconds(10);
/// The part of the budget that may be used.
pub const SHARE: f64 = 0.25;
/// Most stretches of one statement.
const CHUNK: usize = 1_440;
/// The longest time that one statement is about.
const SPAN: TimeDelta = TimeDelta::days(7);
/// How often a chunk is tried.
const TRIES: u32 = 3;

/// How far the filling in is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Everything from here on is filled in.
    #[serde(with = "time::ms")]
    pub done_from: DateTime<Utc>,
    /// It ends here.
    #[serde(with = "time::ms")]
    pub until: DateTime<Utc>,
    /// The next statement is not run before.
    #[serde(with = "time::ms")]
    pub not_before: DateTime<Utc>,
    /// How often the next chunk was tried in vain.
    pub tries: u32,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask about these stretches.
    Ask(Vec<Bucket>),
    /// Nothing before then.
    Wait(DateTime<Utc>),
    /// It is finished, or given up.
    Done,
}

/// A value of the past.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// Its stretch.
    pub bucket: Bucket,
    /// It.
    pub value: f64,
}

/// Which stretches of the past a check has values of: column, length in seconds, zone.
fn series(check: &Check) -> Option<(&str, u32, Zone)> {
    match &check.kind {
        Kind::Volume(volume) => Some((&volume.column, volume.bucket, volume.timezone.clone())),
        Kind::NullRate(_)
        | Kind::AcceptedValues(_)
        | Kind::Range(_)
        | Kind::Pattern(_)
        | Kind::Assertion(_) => {
            let Scope { column, last, .. } = &check.scope;
            let last = last.filter(|last| (60..=86_400).contains(last) && 86_400 % last == 0)?;
            Some((column.as_deref()?, last, Zone::utc()))
        }
        _ => None,
    }
}

/// Begins to fill in what is before an instant; none where there is nothing to fill in from.
pub fn begin(check: &Check, as_of: DateTime<Utc>) -> Option<Progress> {
    series(check)?;
    let late = match &check.kind {
        Kind::Volume(volume) => TimeDelta::seconds(volume.late_arrivals.into()),
        _ => TimeDelta::zero(),
    };
    Some(Progress {
        done_from: as_of.checked_sub_signed(late)?,
        until: as_of.checked_sub_signed(HISTORY)?,
        not_before: as_of,
        tries: 0,
    })
}

/// What to do now.
pub fn next(check: &Check, progress: &Progress, now: DateTime<Utc>) -> Step {
    let Some((_, seconds, zone)) = series(check) else {
        return Step::Done;
    };
    if progress.tries >= TRIES || progress.done_from <= progress.until {
        return Step::Done;
    }
    if now < progress.not_before {
        return Step::Wait(progress.not_before);
    }
    let most = i32::try_from(CHUNK).unwrap_or(i32::MAX);
    let span = (TimeDelta::seconds(seconds.into()) * most).min(SPAN);
    let from = (progress.done_from - span).max(progress.until);
    let chunk = stretches(from, progress.done_from, seconds, &zone, CHUNK);
    match chunk.is_empty() {
        true => Step::Done,
        false => Step::Ask(chunk),
    }
}

/// The progress after a chunk was filled in.
#[must_use]
pub fn filled(mut progress: Progress, chunk: &[Bucket], now: DateTime<Utc>) -> Progress {
    if let Some(first) = chunk.first() {
        progress.done_from = progress.done_from.min(first.from);
    }
    progress.tries = 0;
    progress.not_before = now + PAUSE;
    progress
}

/// The progress after a chunk could not be asked about: the wait doubles from a minute on.
#[must_use]
pub fn failed(mut progress: Progress, now: DateTime<Utc>) -> Progress {
    let minutes = 1_i64.checked_shl(progress.tries).unwrap_or(60).min(60);
    progress.tries = progress.tries.saturating_add(1);
    progress.not_before = now + TimeDelta::minutes(minutes);
    progress
}

/// What may be used of a budget.
pub fn budget(whole: &Budget) -> Budget {
    whole.times(SHARE)
}

/// The statement that counts these stretches, which follow each other.
pub fn statement(
    check: &Check,
    table: &TableName,
    catalog: &Catalog,
    size: Size,
    chunk: &[Bucket],
) -> Result<Statement, Unable> {
    let (Some((column, _, zone)), Some(last)) = (series(check), chunk.last()) else {
        return Err(Unable {
            message: "There is no history to fill in.".to_owned(),
        });
    };
    // The latest rows are all that the scope of a run is about; here the stretches are.
    let everything = Check {
        scope: Scope {
            condition: check.scope.condition.clone(),
            ..Scope::default()
        },
        ..check.clone()
    };
    let ask = Ask {
        check: &everything,
        table,
        catalog,
        as_of: last.to,
        size,
        histogram: None,
    };
    sql::history(&ask, column, &zone, chunk)
}

/// Reads the answer. A stretch without rows has a volume of zero, and no share of anything.
pub fn read(check: &Check, chunk: &[Bucket], answer: &str) -> Result<Vec<Past>, Unreadable> {
    #[derive(Deserialize)]
    struct Answer {
        counts: Vec<(usize, f64, f64)>,
    }
    let found: Answer = serde_json::from_str(answer).map_err(|error| Unreadable {
        message: format!("The answer cannot be read: {error}."),
    })?;
    let value = |(place, bucket): (usize, &Bucket)| {
        let counted = found.counts.iter().find(|(number, ..)| *number == place);
        let value = match (&check.kind, counted, check.measure) {
            (Kind::Volume(_), counted, _) => Some(counted.map_or(0.0, |(_, n, _)| *n)),
            (_, Some((_, _, wrong)), Measure::Rows) => Some(*wrong),
            (_, Some((_, n, wrong)), Measure::Share) if *n > 0.0 => Some(wrong / n),
            _ => None,
        };
        value.map(|value| Past {
            bucket: *bucket,
            value,
        })
    };
    Ok((1..).zip(chunk).filter_map(value).collect())
}
