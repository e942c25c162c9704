//! What one judgement leaves for the next.
//!
//! Invariant: small and serialisable; says the same after a restart.
//! Failure: after a gap of more than two buckets it counts as never begun.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Direction, Sensitivity};

/// Scores that are remembered, the newest included.
pub(super) const REMEMBERED: usize = 6;

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

    /// Takes a score in.
    pub(super) fn push(&mut self, at: DateTime<Utc>, score: f64) {
        self.at = Some(at);
        self.scores.push(score);
        let surplus = self.scores.len().saturating_sub(REMEMBERED);
        self.scores.drain(..surplus);
    }

    /// The weakest of the last `count` scores in one direction; none if one goes the other way or
    /// there are not as many.
    pub(super) fn weakest(&self, count: usize, direction: Direction) -> Option<f64> {
        if self.scores.len() < count {
            return None;
        }
        let last = self.scores.iter().rev().take(count);
        let weakest = last
            .map(|score| score * direction.sign())
            .min_by(f64::total_cmp)?;
        (weakest > 0.0).then_some(weakest)
    }

    /// Which way a sensitivity is firing.
    pub(super) fn firing(&self, sensitivity: Sensitivity) -> Option<Direction> {
        self.firing.get(sensitivity as usize).copied().flatten()
    }
}
