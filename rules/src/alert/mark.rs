//! What people say an alarm was, and what the detector learns from it.
//!
//! Invariant: a mark speaks of the points from the first breach to the last, and of no others.
//! Failure: none.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use crate::detector::Mark;

use super::step::Alert;
use super::target::{Kind, Target};

/// A mark, and who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marked {
    /// What it was.
    pub mark: Mark,
    /// Who says so.
    pub by: Option<Uuid>,
    /// When.
    pub at: DateTime<Utc>,
}

/// What the detector is to know of the points of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// Whose.
    pub target: Target,
    /// The first point.
    pub from: DateTime<Utc>,
    /// The last point, itself included.
    pub until: DateTime<Utc>,
    /// What the points carry from now on; none takes an earlier mark off them. Points of a false
    /// alarm are ordinary and train again, so that the next such value is expected; points of a true
    /// alarm stay out, even those that were too few to confirm it.
    pub mark: Option<Mark>,
}

/// What the mark of an alert says to the detector; none where no data was judged.
pub fn feedback(alert: &Alert) -> Option<Feedback> {
    (alert.target.kind == Kind::Check && alert.fired_at.is_some()).then(|| Feedback {
        target: alert.target,
        from: alert.since,
        until: alert.breached_at,
        mark: alert.mark.map(|marked| marked.mark),
    })
}
