//! What the same time of the day showed lately: a new nightly job, or a weekly one, is a rhythm
//! after a few times.
//!
//! Invariant: on each of the last four days, or in both of the last two weeks, and alike; in a series
//! that is younger than that, in the last week. No rows at all are no rhythm, nor is what people
//! called a true alarm.
//! Failure: a bucket that is missing ends the row.

use chrono::{DateTime, TimeDelta, Utc};

use super::expect::Expected;
use super::layout::Clock;
use super::{Kind, Mark, Point};

/// How far back is looked, and a little more.
pub(super) const READS: TimeDelta = TimeDelta::days(15);
const DAYS: i64 = 4;
const WEEKS: i64 = 2;
/// Values are alike when one is no further from another, in scores.
const ALIKE: f64 = 3.5;
/// And are no rhythm of their own when they are no further from what is expected.
const UNLIKE: f64 = 3.0;

/// What the same time showed often enough, off what is expected the way that `score` points; `like`
/// is the noise around such a value.
pub(super) fn means(
    points: &[Point],
    expected: &Expected,
    score: f64,
    at: DateTime<Utc>,
    every: TimeDelta,
    clock: &mut Clock,
    like: impl Fn(f64) -> Expected,
) -> Vec<f64> {
    let Some(first) = points.first() else {
        return Vec::new();
    };
    let young = first.at > at - TimeDelta::weeks(WEEKS) - every;
    let weeks = if young { 1 } else { WEEKS };
    let nothing = |point: &&Point| expected.kind == Kind::Count && point.value <= 0.0;
    let repeats = |point: &&Point| {
        point.mark != Some(Mark::TrueAlarm) && point.value.is_finite() && !nothing(point)
    };
    let mut in_a_row = |times: i64, apart: TimeDelta| {
        let before = (1..=times).map(|time| {
            let at = same_time(at, apart * i32::try_from(time).unwrap_or(1), clock);
            let off = |point: &&Point| expected.score(point.value) * score.signum() >= UNLIKE;
            found(points, at, every).filter(repeats).filter(off)
        });
        let values: Option<Vec<f64>> = before.map(|point| Some(point?.value)).collect();
        let values = values?;
        let latest = *values.first()?;
        let alike = |value: &f64| like(latest).score(*value).abs() <= ALIKE;
        values.iter().all(alike).then_some(latest)
    };
    let daily = if every < TimeDelta::days(1) {
        in_a_row(DAYS, TimeDelta::days(1))
    } else {
        None
    };
    let weekly = in_a_row(weeks, TimeDelta::weeks(1));
    daily.into_iter().chain(weekly).collect()
}

/// The instant so long before at which the wall clock showed the same.
fn same_time(at: DateTime<Utc>, before: TimeDelta, clock: &mut Clock) -> DateTime<Utc> {
    let wall = clock.wall(at);
    let then = at - before;
    let moved = wall - clock.wall(then) - before.num_seconds();
    then + TimeDelta::seconds(moved)
}

/// The point of the bucket that holds an instant.
fn found(points: &[Point], at: DateTime<Utc>, every: TimeDelta) -> Option<&Point> {
    let from = at - every / 2;
    let first = points.partition_point(|point| point.at < from);
    points.get(first).filter(|point| point.at < from + every)
}
