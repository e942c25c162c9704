//! What one judgement leaves for the next.
//!
//! Invariant: small and serialisable; says the same after a restart.
//! Failure: after a gap of more than two buckets it counts as never begun.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Direction, Sensitivity};

/// Scores that are remembered, the newest included.
pub(super) const REMEMBERED: usize = 6;
/// Each of six scores in a row must be this part of their mean.
const FAINT: f64 = 0.4;

/// The state carried from one value of a series to the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = DetectorStreak))]
pub struct Streak {
    /// The value that was judged last.
    pub at: Option<DateTime<Utc>>,
    /// The scores of the last values, oldest first.
    pub scores: Vec<f64>,
    /// How many rows were expected since the last one came.
    pub missed: f64,
    /// In how many buckets.
    pub empty: u32,
    /// Which way each sensitivity is firing, from low to high.
    pub firing: [Option<Direction>; 3],
}

impl Streak {
    /// This streak, if the value is the next of it.
    pub(super) fn joined(&self, at: DateTime<Utc>, every: TimeDelta) -> Self {
        let next = self
            .at
            .is_some_and(|last| last < at && (at - last) * 2 <= every * 5);
        if next { self.clone() } else { Self::default() }
    }

    /// Takes a score in, and how many rows were expected if none came.
    pub(super) fn push(&mut self, at: DateTime<Utc>, score: f64, missed: Option<f64>) {
        self.at = Some(at);
        self.scores.push(storable(score));
        let surplus = self.scores.len().saturating_sub(REMEMBERED);
        self.scores.drain(..surplus);
        (self.missed, self.empty) = match missed {
            Some(missed) => (storable(self.missed + missed), self.empty + 1),
            None => (0.0, 0),
        };
    }

    /// The weaker of the last two scores, in one direction.
    pub(super) fn pair(&self, direction: Direction) -> f64 {
        match self.scores.as_slice() {
            [.., before, last] => pair([*before, *last], direction),
            _ => 0.0,
        }
    }

    /// The mean of the last six scores, in one direction.
    pub(super) fn six(&self, direction: Direction) -> f64 {
        <[f64; REMEMBERED]>::try_from(self.scores.as_slice())
            .map_or(0.0, |scores| six(scores, direction))
    }

    /// Which way a sensitivity is firing.
    pub(super) fn firing(&self, sensitivity: Sensitivity) -> Option<Direction> {
        self.firing.get(sensitivity as usize).copied().flatten()
    }
}

/// A number that is read from JSON as it was written: millionths, and not beyond a million.
fn storable(number: f64) -> f64 {
    const MILLION: f64 = 1e6;
    (number.clamp(-MILLION, MILLION) * MILLION).round() / MILLION
}

/// The weaker of two scores in one direction; 0 if one goes the other way.
pub(super) fn pair(scores: [f64; 2], direction: Direction) -> f64 {
    let [one, other] = scores.map(|score| score * direction.sign());
    one.min(other).max(0.0)
}

/// The mean of six scores in one direction; 0 if one of them is far below it.
pub(super) fn six(scores: [f64; REMEMBERED], direction: Direction) -> f64 {
    let scores = scores.map(|score| score * direction.sign());
    let mean = scores.iter().sum::<f64>() / REMEMBERED as f64;
    let weakest = scores.iter().copied().fold(f64::INFINITY, f64::min);
    if weakest >= mean * FAINT {
        mean.max(0.0)
    } else {
        0.0
    }
}
