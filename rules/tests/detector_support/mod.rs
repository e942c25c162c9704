//! Labelled series that never were: what a database shows on good days, and what breaks.
//!
//! **What counts as broken.** What a person who knows the table would call broken on sight, whatever
//! the detector makes of it:
//! - rows: none at all where at least 30 were to come during the event (15 in tables of few rows),
//!   at least 60 % gone, or at least three times as many, and at least 30 rows of difference;
//! - shares: at least 15 points more than usual (from near zero: at least 2 %), or the other way
//!   round for shares above one half;
//! - values: at least 25 % of their level away; of what never changes: at least 5 %.
//!
//! An event lasts from two buckets to a day; a change of level that stays is an event for its first
//! three days, and then the way things are. Everything else is a good day: noise, clumps, bursts that
//! come every week, trends up to 6 % a week, levels that wander, nights and weekends without rows,
//! nightly jobs, holidays that were announced, buckets that are missing, changes of the clock.
//!
//! Invariant: a series depends on its class and its seed alone. Nothing here reads the detector.
#![allow(dead_code)]

pub mod classes;
pub mod plain;
pub mod random;
pub mod rows;
pub mod shape;
pub mod table;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rules::civil::Zone;
use rules::detector::score::{Labelled, Score, score};
use rules::detector::{Kind, Point, Sensitivity, Series};

/// A series with its truth.
pub struct Made {
    pub kind: Kind,
    pub every: TimeDelta,
    pub zone: Zone,
    pub holidays: Vec<NaiveDate>,
    pub points: Vec<Labelled>,
}

impl Made {
    /// How the detector does on it.
    pub fn score(&self, sensitivity: Sensitivity) -> Score {
        score(&self.series(&[], sensitivity), &self.points)
    }

    /// As it is judged.
    pub fn series<'a>(&'a self, history: &'a [Point], sensitivity: Sensitivity) -> Series<'a> {
        Series {
            kind: self.kind,
            every: self.every,
            zone: &self.zone,
            history,
            holidays: &self.holidays,
            sensitivity,
        }
    }
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A point that nobody judged or marked.
pub fn point(at: DateTime<Utc>, value: f64) -> Point {
    Point {
        at,
        value,
        alerted: false,
        mark: None,
    }
}
