//! What a series has taught: learnt once a day, asked for every value.
//!
//! Invariant: learnt from the eight weeks before a midnight (UTC), so that every value of a day is
//! judged by the same baseline, whoever kept it.
//! Failure: with little history it still says what it can; the verdict is then that it is learning.

use chrono::{DateTime, TimeDelta, Utc};

use super::expect::{Expected, chance_spread, forward};
use super::explanation::{Explanation, Noise, Outcome, Verdict, Widened};
use super::guards::Guards;
use super::layout::{Clock, Layout, Place, day_of};
use super::level::{Level, Reader, learnable};
use super::noise::Errors;
use super::profile::{Profile, Sample, Usual};
use super::repeated;
use super::{Kind, Point, Sensitivity, Series, Streak, WINDOW, decide};
use crate::civil::Zone;

const SATURDAY: usize = 5;
const SUNDAY: usize = 6;
/// A score from which it is asked whether this happened before.
const WORTH_A_LOOK: f64 = 2.0;

/// What is known of a series until a midnight.
#[derive(Clone, Debug)]
pub struct Baseline {
    kind: Kind,
    sensitivity: Sensitivity,
    every: TimeDelta,
    layout: Layout,
    zone: Zone,
    holidays: Vec<i64>,
    until: DateTime<Utc>,
    points: u32,
    profile: Profile,
    errors: Errors,
    guards: Guards,
    /// The level at that midnight, for when nothing came since.
    level: Level,
}

/// A value, where it was expected, and how far it is off.
pub(super) struct Seen {
    pub value: f64,
    pub score: f64,
    pub hour: usize,
    /// Every expectation that is as good.
    pub expected: Vec<Expected>,
    /// How many were expected at least.
    pub missed: f64,
}

impl Baseline {
    /// Learns what a value at this instant is judged by.
    pub fn learn(series: &Series<'_>, at: DateTime<Utc>) -> Self {
        let layout = Layout::new(series.every);
        let until = midnight(at);
        let mut clock = Clock::new(series.zone);
        let mut holidays: Vec<i64> = series.holidays.iter().map(|day| day_of(*day)).collect();
        holidays.sort_unstable();
        let window = between(series.history, until - WINDOW, until);
        let mut samples = Vec::with_capacity(window.len());
        for point in learnt(series.kind, series.every, window) {
            let place = layout.place(clock.wall(point.at));
            if point.value.is_finite() && holidays.binary_search(&place.day).is_err() {
                samples.push(Sample {
                    at: point.at.timestamp(),
                    value: point.value,
                    compared: forward(series.kind, point.value),
                    place,
                    forgiven: point.mark.is_some(),
                });
            }
        }
        let (profile, others) = Profile::learn(series.kind, layout, &samples);
        let (errors, expected) = Errors::learn(series.kind, layout, &samples, &others);
        let guards = Guards::learn(layout, &samples, &expected);
        let mut baseline = Self {
            kind: series.kind,
            sensitivity: series.sensitivity,
            every: TimeDelta::seconds(layout.every),
            layout,
            zone: series.zone.clone(),
            holidays,
            until,
            points: u32::try_from(samples.len()).unwrap_or(u32::MAX),
            profile,
            errors,
            guards,
            level: Level::default(),
        };
        if let Some(level) = baseline.level_before(window, until, &mut clock) {
            baseline.level = level;
        }
        baseline
    }

    /// Is it what a value at this instant is judged by?
    pub fn current(&self, at: DateTime<Utc>) -> bool {
        midnight(at) == self.until
    }

    /// The midnight it was learnt at.
    pub fn until(&self) -> DateTime<Utc> {
        self.until
    }

    /// How much of the history before a value is still read: who keeps a baseline needs no more.
    pub fn reads(&self) -> TimeDelta {
        TimeDelta::seconds(7 * self.layout.recent()).max(repeated::READS)
    }

    /// Judges one value. Of `history` only what lies within [`reads`](Self::reads) before it counts.
    pub fn judge(
        &self,
        history: &[Point],
        at: DateTime<Utc>,
        value: f64,
        before: &Streak,
    ) -> Verdict {
        let mut clock = Clock::new(&self.zone);
        let place = self.layout.place(clock.wall(at));
        let recent = between(history, at - self.reads(), at);
        let level = self.level_before(recent, at, &mut clock);
        let level = level.unwrap_or(Level {
            points: 0,
            ..self.level
        });
        let mut widened = Vec::new();
        let mut expected = self.expected(place, at, &level, &mut clock, &mut widened);
        let off = least(&expected, value);
        if let Some(first) = expected.first().filter(|_| off.abs() > WORTH_A_LOOK) {
            let like = |mean| self.errors.expected(mean, place.hour);
            let repeated = repeated::means(recent, first, off, at, self.every, &mut clock, like);
            if !repeated.is_empty() {
                widened.push(Widened::Repeated);
            }
            expected.extend(repeated.into_iter().map(like));
        }
        let usual = self
            .errors
            .mean(self.profile.usual(place), &Level::default(), place.hour);
        let means = expected.iter().map(|expected| expected.mean);
        let seen = Seen {
            value,
            score: least(&expected, value),
            hour: place.hour,
            missed: means.fold(usual, f64::min),
            expected,
        };
        let since = between(recent, self.until, at);
        let since = since.iter().filter(|point| learnable(point)).count();
        let have = self.points + u32::try_from(since).unwrap_or(u32::MAX);
        self.verdict(&seen, at, before, &level, have, place, widened)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what was found, put together once"
    )]
    fn verdict(
        &self,
        seen: &Seen,
        at: DateTime<Utc>,
        before: &Streak,
        level: &Level,
        have: u32,
        place: Place,
        mut widened: Vec<Widened>,
    ) -> Verdict {
        let mut streak = before.joined(at, self.every);
        let need = self.layout.need();
        let learning = (have < need).then_some(Outcome::Learning { have, need });
        let decided = decide::all(seen, &self.guards, &mut streak, at, learning);
        widened.extend(decided.widened);
        let said = *decided.said.of(self.sensitivity);
        let usual = self.profile.usual(place);
        let plain = Level::default();
        let mean = seen.expected.first().map_or(0.0, |expected| expected.mean);
        let by = said.thresholds.confirm;
        Verdict {
            outcome: said.outcome,
            score: if learning.is_some() { 0.0 } else { seen.score },
            expected: said.band,
            scale: (said.band.high - said.band.low) / (2.0 * by),
            explanation: Explanation {
                kind: self.kind,
                sensitivity: self.sensitivity,
                learnt_until: self.until,
                points: have,
                same_time: usual.points,
                usual: self.errors.mean(usual, &plain, place.hour),
                recent: mean - self.errors.mean(usual, &plain, place.hour),
                recent_points: level.points,
                new_level: level.new,
                noise: self.noise(mean, place.hour),
                rule: said.rule,
                widened,
                sensitivities: decided.said,
            },
            streak,
        }
    }

    fn noise(&self, mean: f64, hour: usize) -> Noise {
        let chance = (self.kind == Kind::Count).then(|| chance_spread(mean, self.errors.chance));
        Noise {
            measured: self.errors.measured(hour),
            floor: self.errors.floor(mean),
            poisson: chance,
        }
    }

    fn level_before(
        &self,
        points: &[Point],
        at: DateTime<Utc>,
        clock: &mut Clock,
    ) -> Option<Level> {
        let reader = Reader {
            kind: self.kind,
            layout: self.layout,
            noise: self.errors.overall,
            usual: |place| self.profile.usual(place),
            holidays: &self.holidays,
        };
        reader.before(points, at.timestamp(), clock)
    }

    /// Every expectation that is as good for a value: one, but on holidays and when the clock was
    /// changed.
    fn expected(
        &self,
        place: Place,
        at: DateTime<Utc>,
        level: &Level,
        clock: &mut Clock,
        widened: &mut Vec<Widened>,
    ) -> Vec<Expected> {
        let mut places = vec![place];
        if self.holidays.binary_search(&place.day).is_ok() {
            widened.push(Widened::Holiday);
            places.extend([SATURDAY, SUNDAY].map(|weekday| self.layout.on(place, weekday)));
        }
        if let Some(wall) = clock.wall_before_change(at) {
            let before = self.layout.place(wall);
            if before.slot != place.slot || before.bucket != place.bucket {
                widened.push(Widened::ClockChange);
                places.push(before);
            }
        }
        let usual = |place| -> Usual { self.profile.usual(place) };
        if usual(place).points == 0 {
            widened.push(Widened::Unseen);
            places.extend((0..7).map(|weekday| self.layout.on(place, weekday)));
        }
        let expected = |place: Place| {
            let mean = self.errors.mean(usual(place), level, place.hour);
            self.errors.expected(mean, place.hour)
        };
        places.into_iter().map(expected).collect()
    }
}

/// The points that are learnt from: neither what was alerted, nor what led to it: the first of two,
/// and the buckets without rows before the one that was too many.
fn learnt(kind: Kind, every: TimeDelta, points: &[Point]) -> Vec<Point> {
    let mut learnt = Vec::with_capacity(points.len());
    let mut after: Option<&Point> = None;
    let mut leads = false;
    for point in points.iter().rev() {
        let alerted = !learnable(point);
        let follows = after.is_some_and(|after| (after.at - point.at) * 2 <= every * 5);
        let empty = kind == Kind::Count && point.value <= 0.0;
        let was_alerted = after.is_some_and(|after| !learnable(after));
        leads = !alerted && follows && (was_alerted || (leads && empty));
        if !alerted && (!leads || point.mark.is_some()) {
            learnt.push(*point);
        }
        after = Some(point);
    }
    learnt.reverse();
    learnt
}

/// The score that the most lenient expectation gives.
fn least(expected: &[Expected], value: f64) -> f64 {
    if !value.is_finite() {
        return 0.0;
    }
    let scores = expected.iter().map(|expected| expected.score(value));
    let least = scores.min_by(|one, other| one.abs().total_cmp(&other.abs()));
    least.unwrap_or_default()
}

/// The midnight (UTC) of a day.
fn midnight(at: DateTime<Utc>) -> DateTime<Utc> {
    let seconds = at.timestamp();
    DateTime::from_timestamp(seconds - seconds.rem_euclid(86_400), 0).unwrap_or(at)
}

/// The points from one instant and before another.
fn between(points: &[Point], from: DateTime<Utc>, until: DateTime<Utc>) -> &[Point] {
    let first = points.partition_point(|point| point.at < from);
    let last = points.partition_point(|point| point.at < until);
    points.get(first..last.max(first)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_holds_from_midnight_to_midnight() {
        let zone = Zone::utc();
        let series = Series {
            kind: Kind::Count,
            every: TimeDelta::hours(1),
            zone: &zone,
            history: &[],
            holidays: &[],
            sensitivity: Sensitivity::Medium,
        };
        let at = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
        let baseline = Baseline::learn(&series, at("2026-03-02T13:00:00Z"));
        assert!(baseline.current(at("2026-03-02T00:00:00Z")));
        assert!(baseline.current(at("2026-03-02T23:59:59Z")));
        assert!(!baseline.current(at("2026-03-03T00:00:00Z")));
    }
}
