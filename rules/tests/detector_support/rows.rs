//! Rows that come in: counts of every kind but the smallest.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use rules::civil::Zone;
use rules::detector::Kind;
use rules::detector::score::Labelled;

use super::Made;
use super::classes::{STARTS, WEEK, WEEKS, zone};
use super::random::Random;
use super::shape::{Rhythm, Stretch, Wander, events, instants};

/// Rows that come in.
pub struct Rows {
    pub every: TimeDelta,
    pub buckets: usize,
    /// Rows of a bucket.
    pub size: f64,
    pub rhythm: Rhythm,
    /// Noise beyond chance, as a share.
    pub noise: f64,
    pub heavy: bool,
    /// How the level changes in a week.
    pub trend: f64,
    /// How the level wanders in a day.
    pub drift: f64,
    /// Buckets with many times as many rows that are nothing special, as a share.
    pub bursts: f64,
    /// Buckets that are missing, as a share.
    pub missing: f64,
    pub holidays: usize,
    pub only_zero: bool,
    pub shifts: bool,
}

/// What happens to rows.
#[derive(Clone, Copy)]
enum Trouble {
    Factor(f64),
    Zero,
}

impl Rows {
    pub fn any(random: &mut Random) -> Self {
        Self {
            every: TimeDelta::hours(1),
            buckets: WEEKS * WEEK,
            size: random.sized(60.0, 20_000.0),
            rhythm: Rhythm::any(random),
            noise: random.between(0.02, 0.14),
            heavy: false,
            trend: 0.0,
            drift: 0.0,
            bursts: 0.0,
            missing: 0.0,
            holidays: 0,
            only_zero: false,
            shifts: false,
        }
    }

    pub fn make(self, random: &mut Random) -> Made {
        let zone = zone(random);
        let at = instants(random.pick(&STARTS), self.every, self.buckets);
        let from = self.buckets / 3;
        let holidays = self.announced(random, &zone, &at);
        let a_day =
            usize::try_from(TimeDelta::days(1).num_minutes() / self.every.num_minutes()).unwrap();
        let longest = if a_day == 1 { 4 } else { a_day.min(24) };
        let lasts = if self.shifts {
            (3 * a_day, 3 * a_day)
        } else {
            (2, longest)
        };
        let count = if self.shifts { 2 } else { 6 };
        let places = events(random, from..self.buckets, count, lasts);
        let troubles: Vec<(Stretch, Trouble)> = places
            .into_iter()
            .map(|place| (place, self.trouble(random)))
            .collect();
        let mut wander = Wander::new(random.between(0.0, 0.8));
        let (mut level, mut lasting, mut burst) = (0.0, 1.0, 1.0);
        let mut gap = 0;
        let mut points = Vec::new();
        let days = self.every.num_minutes() as f64 / 1_440.0;
        let mut expected = Vec::new();
        for (place, at) in at.iter().enumerate() {
            level += self.trend * days / 7.0 + self.drift * days.sqrt() * random.normal();
            let sunday = holidays.contains(&day(&zone, *at));
            let noise = match self.heavy {
                true => self.noise * random.heavy(),
                false => self.noise * wander.step(random),
            };
            let mean = self.size * self.rhythm.at(&zone, *at, sunday) * (level + noise).exp();
            // Two in a row would be a flood.
            let again = burst > 1.0;
            burst = if !again && random.chance(self.bursts) {
                random.between(2.0, 6.0)
            } else {
                1.0
            };
            let trouble = troubles.iter().find(|(stretch, _)| stretch.holds(place));
            let factor = match trouble {
                Some((_, Trouble::Factor(factor))) if !self.shifts => *factor,
                Some((_, Trouble::Zero)) => 0.0,
                _ => 1.0,
            };
            if let Some((stretch, Trouble::Factor(factor))) = trouble
                && self.shifts
                && place == stretch.from
            {
                lasting *= factor;
            }
            let value = random.poisson(mean * burst * factor * lasting);
            if gap == 0 && self.missing > 0.0 && random.chance(0.002) {
                gap = random.whole(6, 48);
            }
            gap = usize::saturating_sub(gap, 1);
            expected.push(mean * (1.0 - factor * lasting).abs());
            if gap == 0 && !random.chance(self.missing) {
                points.push((
                    place,
                    Labelled {
                        at: *at,
                        value,
                        broken: trouble.is_some(),
                    },
                ));
            }
        }
        // What nobody would see is no event.
        let seen =
            |stretch: &Stretch| expected[stretch.from..stretch.until].iter().sum::<f64>() >= 30.0;
        for (place, point) in &mut points {
            let trouble = troubles.iter().find(|(stretch, _)| stretch.holds(*place));
            point.broken = trouble.is_some_and(|(stretch, _)| seen(stretch));
        }
        Made {
            kind: Kind::Count,
            every: self.every,
            zone,
            holidays,
            points: points.into_iter().map(|(_, point)| point).collect(),
        }
    }

    fn trouble(&self, random: &mut Random) -> Trouble {
        if self.only_zero {
            return Trouble::Zero;
        }
        match random.whole(0, 2) {
            0 if !self.shifts => Trouble::Zero,
            1 => Trouble::Factor(random.between(3.0, 8.0)),
            _ => Trouble::Factor(random.between(0.05, 0.4)),
        }
    }

    /// Holidays in the second half, from Monday to Friday.
    fn announced(&self, random: &mut Random, zone: &Zone, at: &[DateTime<Utc>]) -> Vec<NaiveDate> {
        let mut holidays = Vec::new();
        while holidays.len() < self.holidays {
            let day = day(zone, at[random.whole(at.len() / 3, at.len() - 1)]);
            if day.weekday().num_days_from_monday() < 5 && !holidays.contains(&day) {
                holidays.push(day);
            }
        }
        holidays
    }
}

fn day(zone: &Zone, at: DateTime<Utc>) -> NaiveDate {
    zone.local_day(at).to_string().parse().unwrap()
}
