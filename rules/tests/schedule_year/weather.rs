//! What befalls the ticks of a year.
//!
//! Invariant: the same seed, the same weather; what befalls a minute does not depend on whether
//! anything is due.
//! Failure: none.

use chrono::{DateTime, TimeDelta, Utc};

/// When every year begins.
pub const START: DateTime<Utc> = DateTime::from_timestamp(1_798_761_600, 0).expect("2027");
/// How many minutes it has.
pub const MINUTES: i64 = 365 * 24 * 60;

/// SplitMix64.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn seconds(&mut self, end: u64) -> TimeDelta {
        TimeDelta::milliseconds(self.below(end * 1_000) as i64)
    }
}

/// One ticker at work: it reads what is due, and later claims it, unless it dies before.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    pub read: DateTime<Utc>,
    pub claim: Option<DateTime<Utc>>,
}

/// The weather of a year.
pub struct Weather {
    seed: u64,
    /// Minutes without any tick: from, until; in order.
    outages: Vec<(i64, i64)>,
}

impl Weather {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0xBAD_0DAE);
        let outages = (0..25).map(|_| {
            let from = dice.below(MINUTES as u64) as i64;
            // From two minutes to eleven days.
            let most = 2 << dice.below(14);
            let length = dice.below(most) as i64 + 2;
            (from, from + length)
        });
        let mut outages: Vec<_> = outages.collect();
        outages.sort_unstable();
        Self { seed, outages }
    }

    /// The first minute from this one on that is not part of an outage.
    pub fn clears(&self, mut minute: i64) -> i64 {
        for (from, until) in &self.outages {
            if (*from..*until).contains(&minute) {
                minute = *until;
            }
        }
        minute
    }

    /// The ticks of a minute that is not part of an outage.
    pub fn ticks(&self, minute: i64) -> Vec<Tick> {
        let mut dice = Dice::new(self.seed.wrapping_mul(0x1_0000_0001) ^ minute as u64);
        let on_time = START + TimeDelta::minutes(minute);
        let mut tick = |late: u64, slow: u64| {
            let read = on_time + dice.seconds(late);
            Tick {
                read,
                claim: Some(read + dice.seconds(slow)),
            }
        };
        let usual = tick(2, 2);
        match Dice::new(self.seed ^ !(minute as u64)).below(100) {
            0..5 => vec![],
            5..15 => vec![usual, tick(2, 2)],
            15..20 => vec![tick(120, 90)],
            20..25 => vec![Tick {
                claim: None,
                ..usual
            }],
            25..28 => vec![
                Tick {
                    claim: None,
                    ..usual
                },
                tick(30, 5),
            ],
            28..33 => vec![tick(2, 600)],
            33..36 => vec![tick(2, 600), tick(60, 200), usual],
            _ => vec![usual],
        }
    }
}
