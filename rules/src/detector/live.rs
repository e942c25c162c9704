//! A series judged point by point: as it comes, or its history in one go.
//!
//! Invariant: says of every point exactly what [`judge`](super::judge) would, with the points it
//! has judged anomalous left out of what it learns.
//! Failure: a point that is not after the last one is judged, but not remembered.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::{Baseline, Kind, Mark, Point, Sensitivity, Series, Streak, Verdict, WINDOW};
use crate::civil::Zone;

/// A series with its memory.
#[derive(Clone, Debug)]
pub struct Live<'a> {
    kind: Kind,
    every: TimeDelta,
    zone: &'a Zone,
    holidays: &'a [NaiveDate],
    sensitivity: Sensitivity,
    points: Vec<Point>,
    baseline: Option<Baseline>,
    streak: Streak,
}

impl<'a> Live<'a> {
    /// Goes on where the history of a series ends.
    pub fn new(series: &Series<'a>, streak: Streak) -> Self {
        Self {
            kind: series.kind,
            every: series.every,
            zone: series.zone,
            holidays: series.holidays,
            sensitivity: series.sensitivity,
            points: series.history.to_vec(),
            baseline: None,
            streak,
        }
    }

    /// Judges the next value and remembers it.
    pub fn push(&mut self, at: DateTime<Utc>, value: f64, mark: Option<Mark>) -> Verdict {
        let baseline = match self.baseline.take().filter(|known| known.current(at)) {
            Some(known) => known,
            None => {
                self.forget(at - WINDOW - TimeDelta::days(1));
                Baseline::learn(&self.series(), at)
            }
        };
        let verdict = baseline.judge(&self.points, at, value, &self.streak);
        self.baseline = Some(baseline);
        if self.points.last().is_none_or(|last| last.at < at) {
            self.streak = verdict.streak.clone();
            self.points.push(Point {
                at,
                value,
                alerted: verdict.anomalous(),
                mark,
            });
        }
        verdict
    }

    /// What is remembered, oldest first: eight weeks.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The state after the last point.
    pub fn streak(&self) -> &Streak {
        &self.streak
    }

    fn series(&self) -> Series<'_> {
        Series {
            kind: self.kind,
            every: self.every,
            zone: self.zone,
            history: &self.points,
            holidays: self.holidays,
            sensitivity: self.sensitivity,
        }
    }

    fn forget(&mut self, before: DateTime<Utc>) {
        let old = self.points.partition_point(|point| point.at < before);
        self.points.drain(..old);
    }
}

/// Judges a whole history from its first point, as if it came now: nothing is told to anyone. What
/// the points say of alerts is not read; what people said is. `each` gets every point with its
/// verdict; the answer is the state to go on from.
pub fn replay(series: &Series<'_>, mut each: impl FnMut(&Point, &Verdict)) -> Streak {
    let nothing = Series {
        history: &[],
        ..*series
    };
    let mut live = Live::new(&nothing, Streak::default());
    for point in series.history {
        let verdict = live.push(point.at, point.value, point.mark);
        let judged = Point {
            alerted: verdict.anomalous(),
            ..*point
        };
        each(&judged, &verdict);
    }
    live.streak
}
