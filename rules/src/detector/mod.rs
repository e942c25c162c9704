//! Is this value strange? Learnt from the history of a series alone.
//!
//! A value is expected to be what the same time of the week usually shows, moved by how the last day
//! differed from that. How far it may be away is learnt from how far off such expectations were.
//! `docs/detector.md` says what each number means.
//!
//! Invariant: the same inputs give the same verdict, byte for byte; nothing fires before there is
//! enough history; what was alerted is not learnt from, unless people call it a false alarm or it
//! has become the new level.
//! Failure: none; a value that is no number says nothing and is answered as normal.

mod baseline;
pub mod cases;
mod decide;
mod expect;
mod explanation;
mod guards;
mod kept;
mod layout;
mod level;
mod live;
mod noise;
mod profile;
mod repeated;
mod robust;
pub mod score;
mod streak;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::civil::Zone;

pub use baseline::Baseline;
pub use explanation::{
    Band, Direction, Explanation, Noise, Outcome, Rule, Said, Sensitivities, Thresholds, Verdict,
    Widened,
};
pub use kept::Kept;
pub use live::{Live, replay};
pub use streak::Streak;

/// How much history is learnt from; older points change nothing.
pub const WINDOW: TimeDelta = TimeDelta::weeks(8);

/// What the values of a series are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SeriesKind))]
pub enum Kind {
    /// How many: whole, not negative. Changes are read as multiples.
    Count,
    /// A share of a whole, 0 to 1: nulls, duplicates.
    Rate,
    /// Anything else: an average, a largest value. Changes are read as differences.
    Value,
}

/// What people said about an alert, and so about its points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AlertMark))]
pub enum Mark {
    /// Something was broken: never learnt from.
    TrueAlarm,
    /// Nothing was broken: learnt from, and as much at the same hour does not fire again.
    FalseAlarm,
}

/// How little is enough to fire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = DetectorSensitivity))]
pub enum Sensitivity {
    /// Only what nobody would doubt.
    Low,
    /// What most people would call broken.
    #[default]
    Medium,
    /// Also what may be nothing.
    High,
}

impl Sensitivity {
    /// From the calmest to the most easily alarmed.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];
}

/// One measured value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Where its bucket begins.
    pub at: DateTime<Utc>,
    /// What was measured.
    pub value: f64,
    /// Whether it was judged anomalous.
    pub alerted: bool,
    /// What people said.
    pub mark: Option<Mark>,
}

/// What a value is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// What its values are.
    pub kind: Kind,
    /// The width of a bucket, from a minute to a day.
    pub every: TimeDelta,
    /// By whose wall clock days and weeks are meant.
    pub zone: &'a Zone,
    /// What was measured before, oldest first. What is not before the judged value is not read.
    pub history: &'a [Point],
    /// Days that are not like others of their weekday.
    pub holidays: &'a [NaiveDate],
    /// How little is enough to fire.
    pub sensitivity: Sensitivity,
}

/// Judges one value. `before` is the streak of the verdict before, or the default.
///
/// Learns the whole history each time, about a millisecond for eight weeks of hours. Who judges often
/// keeps a [`Kept`] series for as long as it is [`current`](Kept::current), or a [`Live`] one.
pub fn judge(series: &Series<'_>, at: DateTime<Utc>, value: f64, before: &Streak) -> Verdict {
    Baseline::learn(series, at).judge(series.history, at, value, before)
}
