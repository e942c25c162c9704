//! Filling in the history of a check from the rows that are there already.
//!
//! A volume is counted in its stretches of time. A check of the latest rows has a value for each of
//! its periods: what the rows of the time before its start show.
//!
//! Invariant: each stretch of time is counted once, newest first, so that what is learned is of use
//! early; the stretches are those that later runs count. At most one statement every
//! [`PAUSE`] and a quarter of the hour's budget; only by an index, or from a table that is not big.
//! What is filled in raises no alert, and the same rows give the same values.
//! Failure: a kind or a table that cannot be filled in has no plan; a chunk that failed is asked again
//! later, three times, then the rest is left.

mod judged;
mod standing;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use judged::{Judged, judge};
pub use standing::{Backfill, State};

use super::catalog::Catalog;
use super::check::{Check, Kind, Measure, Scope};
use super::due::Entry;
use super::ledger::Budget;
use super::sql::{self, Ask, Bucket, Size, Statement, Unable, Unreadable, stretches};
use crate::civil::Zone;
use crate::sql_guard::TableName;
use crate::time;

/// How far back history is filled in: what a detector looks back on.
pub const HISTORY: TimeDelta = TimeDelta::weeks(8);
/// Between two statements.
pub const PAUSE: TimeDelta = TimeDelta::seconds(10);
/// Before it is tried again where nothing may be asked now.
pub const HELD_UP: TimeDelta = TimeDelta::minutes(1);
/// The part of the budget that may be used.
pub const SHARE: f64 = 0.25;
/// Most stretches of one statement that are filled in.
const CHUNK: i32 = 1_440;
/// Most stretches of one statement.
const MOST: usize = 2 * CHUNK as usize;
/// The longest time that one statement fills in.
const SPAN: TimeDelta = TimeDelta::days(7);
/// How often chunks are quartered at most.
const SMALLEST: u32 = 4;
/// How often a chunk is tried.
const TRIES: u32 = 3;
/// A day, in seconds.
const DAY: u32 = 86_400;

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
    /// How often a chunk failed: those after it are smaller.
    #[serde(default)]
    pub smaller: u32,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask about these stretches.
    Ask(Chunk),
    /// Nothing before then.
    Wait(DateTime<Utc>),
    /// It is finished, or given up.
    Done,
}

/// What one statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The stretches that are counted; they follow each other.
    pub stretches: Vec<Bucket>,
    /// The values of the time from here on are filled in.
    pub from: DateTime<Utc>,
}

/// A value of the past.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// When it is of.
    #[serde(with = "time::ms")]
    pub at: DateTime<Utc>,
    /// It.
    pub value: f64,
}

/// How a check counts the past.
struct Series<'a> {
    /// The column that says when a row is of.
    column: &'a str,
    /// The zone of times without one.
    zone: Zone,
    /// How long a stretch is, in seconds.
    step: u32,
    /// How many of them one value is about, and from value to value; none where each is one value.
    window: Option<(usize, u32)>,
}

impl Series<'_> {
    /// The time that has one value at least: with fewer, a chunk might have none.
    fn least(&self) -> TimeDelta {
        let day = if self.step == DAY {
            DAY + DAY / 24
        } else {
            self.step
        };
        let every = self.window.map_or(day, |(_, every)| every.max(day));
        TimeDelta::seconds(every.into())
    }
}

/// Why a check has no values of the past; none where it has.
pub fn unavailable(check: &Check) -> Option<&'static str> {
    if check.thresholds.sensitivities().is_empty() {
        return Some("The check learns nothing, so it needs no history.");
    }
    if series(check).is_some() {
        return None;
    }
    Some(match &check.kind {
        Kind::NullRate(_)
        | Kind::AcceptedValues(_)
        | Kind::Range(_)
        | Kind::Pattern(_)
        | Kind::Assertion(_)
            if check.scope.column.is_none() =>
        {
            "Nothing says when a row is of: set scope.column and scope.last, and history is filled in."
        }
        Kind::NullRate(_)
        | Kind::AcceptedValues(_)
        | Kind::Range(_)
        | Kind::Pattern(_)
        | Kind::Assertion(_) => {
            "scope.last must be a day at most, and go into the time between two runs or the other \
             way round."
        }
        _ => "What this kind measured in the past cannot be told from the rows of today.",
    })
}

/// Which stretches of the past a check has values of.
fn series(check: &Check) -> Option<Series<'_>> {
    match &check.kind {
        Kind::Volume(volume) => Some(Series {
            column: &volume.column,
            zone: volume.timezone.clone(),
            step: volume.bucket,
            window: None,
        }),
        Kind::NullRate(_)
        | Kind::AcceptedValues(_)
        | Kind::Range(_)
        | Kind::Pattern(_)
        | Kind::Assertion(_) => {
            let Scope { column, last, .. } = &check.scope;
            let last = last.filter(|last| (60..=DAY).contains(last))?;
            let step = last.min(check.every);
            let fits = last.is_multiple_of(step) && check.every.is_multiple_of(step);
            let window = (usize::try_from(last / step).ok()?, check.every);
            fits.then_some(Series {
                column: column.as_deref()?,
                zone: Zone::utc(),
                step,
                window: Some(window),
            })
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
        smaller: 0,
    })
}

/// What to do now. The id of the check says when its periods begin.
pub fn next(check: &Check, id: Uuid, progress: &Progress, now: DateTime<Utc>) -> Step {
    let Some(series) = series(check) else {
        return Step::Done;
    };
    if progress.tries >= TRIES || progress.done_from <= progress.until {
        return Step::Done;
    }
    if now < progress.not_before {
        return Step::Wait(progress.not_before);
    }
    let step = TimeDelta::seconds(series.step.into());
    let span = (step * CHUNK).min(SPAN) / 4_i32.pow(progress.smaller.min(SMALLEST));
    let span = span.max(step).max(series.least());
    let from = (progress.done_from - span).max(progress.until);
    let stretches = match series.window {
        None => stretches(from, progress.done_from, series.step, &series.zone, MOST),
        Some((count, every)) => {
            let before = step * i32::try_from(count).unwrap_or(1);
            follow(grid(id, every, from - before), step, progress.done_from)
        }
    };
    match stretches.first() {
        None => Step::Done,
        Some(first) => Step::Ask(Chunk {
            from: match series.window {
                None => first.from,
                Some(_) => from,
            },
            stretches,
        }),
    }
}

/// The last start of a period that is not after an instant.
fn grid(id: Uuid, every: u32, at: DateTime<Utc>) -> DateTime<Utc> {
    let entry = Entry {
        check: id,
        every,
        since: at,
        last: None,
    };
    entry.period(at)
}

/// Stretches of a length from one instant on, whole ones until another.
fn follow(from: DateTime<Utc>, step: TimeDelta, until: DateTime<Utc>) -> Vec<Bucket> {
    let mut found = Vec::new();
    let mut next = Bucket {
        from,
        to: from + step,
    };
    while next.to <= until && found.len() < 2 * MOST {
        found.push(next);
        next = Bucket {
            from: next.to,
            to: next.to + step,
        };
    }
    found
}

/// The progress after a chunk was filled in.
#[must_use]
pub fn filled(mut progress: Progress, chunk: &Chunk, now: DateTime<Utc>) -> Progress {
    progress.done_from = progress.done_from.min(chunk.from);
    progress.tries = 0;
    progress.not_before = now + PAUSE;
    progress
}

/// The progress after a chunk could not be asked about: the wait doubles from a minute on.
#[must_use]
pub fn failed(mut progress: Progress, now: DateTime<Utc>) -> Progress {
    let minutes = 1_i64.checked_shl(progress.tries).unwrap_or(60).min(60);
    progress.tries = progress.tries.saturating_add(1);
    progress.smaller = progress.smaller.saturating_add(1);
    progress.not_before = now + TimeDelta::minutes(minutes);
    progress
}

/// The progress while nothing may be asked: the breaker is not closed, the replica is too far behind
/// or away, or the budget is spent. That is no failure of the chunk.
#[must_use]
pub fn held_up(mut progress: Progress, now: DateTime<Utc>) -> Progress {
    progress.not_before = now + HELD_UP;
    progress
}

/// Whether it ended before its end.
pub fn given_up(progress: &Progress) -> bool {
    progress.tries >= TRIES
}

/// What may be used of a budget.
pub fn budget(whole: &Budget) -> Budget {
    whole.times(SHARE)
}

/// The statement that counts the stretches of a chunk.
pub fn statement(
    check: &Check,
    table: &TableName,
    catalog: &Catalog,
    size: Size,
    chunk: &Chunk,
) -> Result<Statement, Unable> {
    let (Some(series), Some(last)) = (series(check), chunk.stretches.last()) else {
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
    sql::history(&ask, series.column, &series.zone, &chunk.stretches)
}

/// Reads the answer. A stretch without rows has a volume of zero, and no share of anything.
pub fn read(check: &Check, id: Uuid, chunk: &Chunk, answer: &str) -> Result<Vec<Past>, Unreadable> {
    #[derive(Deserialize)]
    struct Answer {
        counts: Vec<(usize, f64, f64)>,
    }
    let found: Answer = serde_json::from_str(answer).map_err(|error| Unreadable {
        message: format!("The answer cannot be read: {error}."),
    })?;
    let mut counts = vec![(0.0, 0.0); chunk.stretches.len()];
    for (place, rows, wrong) in found.counts {
        if let Some(count) = place.checked_sub(1).and_then(|place| counts.get_mut(place)) {
            *count = (rows, wrong);
        }
    }
    let Some(series) = series(check) else {
        return Ok(Vec::new());
    };
    let Some((count, every)) = series.window else {
        let past = |(bucket, (rows, _)): (&Bucket, &(f64, f64))| Past {
            at: bucket.from,
            value: *rows,
        };
        return Ok(chunk.stretches.iter().zip(&counts).map(past).collect());
    };
    let windows = counts.windows(count);
    let ends = chunk.stretches.iter().skip(count.saturating_sub(1));
    let past = ends.zip(windows).filter_map(|(last, window)| {
        let at = last.to;
        if at <= chunk.from || grid(id, every, at) != at {
            return None;
        }
        let (rows, wrong) = window
            .iter()
            .fold((0.0, 0.0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
        let value = match check.measure {
            Measure::Rows => wrong,
            Measure::Share if rows > 0.0 => wrong / rows,
            Measure::Share => return None,
        };
        Some(Past { at, value })
    });
    Ok(past.collect())
}
