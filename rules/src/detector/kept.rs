//! What is kept of a series between runs, so that a run reads and learns only what is new.
//!
//! A baseline holds for a day, and of the points before a value only those of the last
//! [`reads`](Baseline::reads) are read again: that is all there is to keep, whatever the cadence.
//!
//! Invariant: it judges exactly as [`judge`](super::judge) does with the whole history.
//! Failure: when points changed that the baseline was learnt from, it is of no use any more and says
//! so; the caller learns anew.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Baseline, Point, Series, Streak, Verdict};

/// Points may come this much later than the newest one that is known: the longest bucket.
const LATE: TimeDelta = TimeDelta::days(1);

/// A baseline and the points that are read beside it.
#[derive(Clone, Debug)]
pub struct Kept {
    baseline: Baseline,
    points: Vec<Point>,
}

impl Kept {
    /// Learns from the whole history what a value at this instant is judged by.
    pub fn learn(series: &Series<'_>, at: DateTime<Utc>) -> Self {
        let baseline = Baseline::learn(series, at);
        let from = baseline.until() - baseline.reads();
        let first = series.history.partition_point(|point| point.at < from);
        Self {
            points: series.history.get(first..).unwrap_or_default().to_vec(),
            baseline,
        }
    }

    /// Whether a value at this instant is judged by it.
    pub fn current(&self, at: DateTime<Utc>) -> bool {
        self.baseline.current(at)
    }

    /// From when on points have to be read again.
    pub fn since(&self) -> DateTime<Utc> {
        let newest = self.points.last().map(|point| point.at);
        newest.map_or(self.baseline.until() - LATE, |newest| newest - LATE)
    }

    /// Puts the points from [`since`](Self::since) on in the place of those that are known. False when
    /// this changes what the baseline was learnt from.
    #[must_use]
    pub fn renew(&mut self, points: &[Point]) -> bool {
        let since = self.since();
        let first = self.points.partition_point(|point| point.at < since);
        let before = |points: &[Point]| {
            let last = points.partition_point(|point| point.at < self.baseline.until());
            points.get(..last).unwrap_or_default().to_vec()
        };
        let same = before(self.points.get(first..).unwrap_or_default()) == before(points);
        if same {
            self.points.truncate(first);
            self.points.extend_from_slice(points);
        }
        same
    }

    /// Judges one value.
    pub fn judge(&self, at: DateTime<Utc>, value: f64, before: &Streak) -> Verdict {
        self.baseline.judge(&self.points, at, value, before)
    }

    /// The points that are kept, oldest first.
    pub fn points(&self) -> &[Point] {
        &self.points
    }
}
