//! Series whose good days are easy to say, for tests of one behaviour.

use chrono::{DateTime, TimeDelta, Utc};
use rules::civil::Zone;
use rules::detector::{Kind, Live, Mark, Point, Rule, Sensitivity, Series, Streak, Verdict, judge};

use super::random::Random;

/// A series under test: what it was, and how it is judged.
pub struct Table {
    pub kind: Kind,
    pub every: TimeDelta,
    pub zone: Zone,
    pub holidays: Vec<chrono::NaiveDate>,
    pub sensitivity: Sensitivity,
    pub points: Vec<Point>,
    pub streak: Streak,
}

impl Table {
    /// Hours of counts.
    pub fn hourly(zone: &str) -> Self {
        Self {
            kind: Kind::Count,
            every: TimeDelta::hours(1),
            zone: Zone::parse(zone).unwrap(),
            holidays: Vec::new(),
            sensitivity: Sensitivity::Medium,
            points: Vec::new(),
            streak: Streak::default(),
        }
    }

    pub fn series(&self) -> Series<'_> {
        Series {
            kind: self.kind,
            every: self.every,
            zone: &self.zone,
            history: &self.points,
            holidays: &self.holidays,
            sensitivity: self.sensitivity,
        }
    }

    /// Adds what was seen before anything was judged.
    #[must_use]
    pub fn seen(
        mut self,
        from: &str,
        buckets: usize,
        mut value: impl FnMut(&Zone, DateTime<Utc>) -> f64,
    ) -> Self {
        let from: DateTime<Utc> = from.parse().unwrap();
        for bucket in 0..buckets {
            let at = from + self.every * i32::try_from(bucket).unwrap();
            let value = value(&self.zone, at);
            self.points.push(super::point(at, value));
        }
        self
    }

    /// When the next bucket is.
    pub fn next(&self) -> DateTime<Utc> {
        self.points.last().unwrap().at + self.every
    }

    /// Judges the next value, remembers it, and what was made of it.
    pub fn push(&mut self, value: f64) -> Verdict {
        self.push_at(self.next(), value)
    }

    pub fn push_at(&mut self, at: DateTime<Utc>, value: f64) -> Verdict {
        let verdict = judge(&self.series(), at, value, &self.streak);
        self.streak = verdict.streak.clone();
        self.points.push(Point {
            at,
            value,
            alerted: verdict.anomalous(),
            mark: None,
        });
        verdict
    }

    /// Judges many in a row, learning once a day.
    pub fn run(
        &mut self,
        buckets: usize,
        mut value: impl FnMut(&Zone, DateTime<Utc>) -> f64,
    ) -> Vec<Verdict> {
        let history = self.points.clone();
        let series = Series {
            history: &history,
            ..self.series()
        };
        let zone = self.zone.clone();
        let mut live = Live::new(&series, self.streak.clone());
        let mut at = self.next();
        let mut verdicts = Vec::new();
        for _ in 0..buckets {
            let value = value(&zone, at);
            verdicts.push(live.push(at, value, None));
            at += self.every;
        }
        let streak = live.streak().clone();
        let points = live.points().to_vec();
        self.streak = streak;
        self.points = points;
        verdicts
    }

    /// People say of the last points what they were.
    pub fn mark(&mut self, last: usize, mark: Mark) {
        for point in self.points.iter_mut().rev().take(last) {
            point.mark = Some(mark);
        }
    }
}

/// A shop's orders an hour: busy by day, quiet at night, half at weekends.
pub fn orders(seed: u64) -> impl FnMut(&Zone, DateTime<Utc>) -> f64 {
    let mut random = Random::new(seed);
    move |zone, at| random.poisson(usual_orders(zone, at))
}

/// What is expected of them.
pub fn usual_orders(zone: &Zone, at: DateTime<Utc>) -> f64 {
    let (weekday, minute) = zone.weekday_and_minute(at);
    let hour = f64::from(minute) / 60.0;
    let day = 400.0 * ((std::f64::consts::TAU * (hour - 15.0) / 24.0).cos()).exp();
    if weekday.index() >= 5 { day / 2.0 } else { day }
}

/// How many of some verdicts fired.
pub fn fired(verdicts: &[Verdict]) -> usize {
    verdicts
        .iter()
        .filter(|verdict| verdict.anomalous())
        .count()
}

/// The rule that fired.
pub fn rule(verdict: &Verdict) -> Option<Rule> {
    verdict.explanation.rule
}
