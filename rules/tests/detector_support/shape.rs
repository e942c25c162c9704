//! The shape of good days, and where events are put.

use chrono::{DateTime, TimeDelta, Utc};
use rules::civil::Zone;

use super::random::Random;

/// How busy each time of the week is, 1 on average or so.
pub struct Rhythm {
    /// How much days swing: the logarithm of the busiest hour.
    pub swing: f64,
    /// The busiest hour.
    pub peak: f64,
    /// What Saturdays and Sundays are of other days.
    pub weekend: [f64; 2],
    /// A job at an hour of the night, and how much it adds.
    pub job: Option<(u16, f64)>,
}

impl Rhythm {
    pub fn flat() -> Self {
        Self {
            swing: 0.0,
            peak: 14.0,
            weekend: [1.0, 1.0],
            job: None,
        }
    }

    pub fn any(random: &mut Random) -> Self {
        let weekend = random.between(0.25, 1.2);
        Self {
            swing: random.between(0.2, 1.4),
            peak: random.between(10.0, 20.0),
            weekend: [weekend, weekend * random.between(0.7, 1.1)],
            job: random.chance(0.15).then(|| {
                (
                    u16::try_from(random.whole(0, 5)).unwrap(),
                    random.between(1.0, 5.0),
                )
            }),
        }
    }

    /// How busy an instant is; `sunday` is a holiday that is like one.
    pub fn at(&self, zone: &Zone, at: DateTime<Utc>, sunday: bool) -> f64 {
        let (weekday, minute) = zone.weekday_and_minute(at);
        let hour = f64::from(minute) / 60.0;
        let day = (self.swing * (std::f64::consts::TAU * (hour - self.peak) / 24.0).cos()).exp();
        let part = match weekday.index() {
            _ if sunday => self.weekend[1],
            5 => self.weekend[0],
            6 => self.weekend[1],
            _ => 1.0,
        };
        let job = self.job.filter(|(hour, _)| minute / 60 == *hour);
        day * part + job.map_or(0.0, |(_, much)| much)
    }
}

/// Noise that remembers: `share` of its variance comes from what it was before.
pub struct Wander {
    memory: f64,
    state: f64,
}

impl Wander {
    pub fn new(memory: f64) -> Self {
        Self { memory, state: 0.0 }
    }

    /// The next step, of variance 1.
    pub fn step(&mut self, random: &mut Random) -> f64 {
        let fresh = (1.0 - self.memory * self.memory).sqrt();
        self.state = self.memory * self.state + fresh * random.normal();
        self.state
    }
}

/// A stretch of buckets, the last not included.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    pub from: usize,
    pub until: usize,
}

impl Stretch {
    pub fn holds(&self, place: usize) -> bool {
        (self.from..self.until).contains(&place)
    }
}

/// Where events are: each somewhere in its own part of the series behind `from`, with days between.
pub fn events(
    random: &mut Random,
    buckets: std::ops::Range<usize>,
    count: usize,
    lasts: (usize, usize),
) -> Vec<Stretch> {
    let part = buckets.len() / count.max(1);
    let event = |place: usize| {
        let length = random.whole(lasts.0, lasts.1).min(part / 2);
        let from = buckets.start + place * part + random.whole(0, part / 2 - length.min(part / 4));
        Stretch {
            from,
            until: from + length,
        }
    };
    (0..count).map(event).collect()
}

/// The instants of buckets from a start.
pub fn instants(start: &str, every: TimeDelta, count: usize) -> Vec<DateTime<Utc>> {
    let start: DateTime<Utc> = start.parse().unwrap();
    let at = |place: usize| start + every * i32::try_from(place).unwrap();
    (0..count).map(at).collect()
}
