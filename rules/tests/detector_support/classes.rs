//! The classes of series.

use chrono::{DateTime, TimeDelta, Utc};
use rules::civil::Zone;
use rules::detector::Kind;
use rules::detector::score::Labelled;

use super::Made;
use super::random::Random;
use super::rows::Rows;
use super::shape::{Rhythm, Wander, events, instants};

/// Every class, by its name.
pub const CLASSES: [&str; 17] = [
    "counts",
    "low counts",
    "rates",
    "near-zero nulls",
    "static",
    "values",
    "trends",
    "level shifts",
    "drops to zero",
    "missing buckets",
    "slow drift",
    "weekly cycles",
    "daily cycles",
    "holidays",
    "bursts",
    "days",
    "minutes",
];

/// Monday; twelve weeks from here hold a change of the clock in Europe and one in America.
pub const STARTS: [&str; 3] = [
    "2026-01-12T00:00:00Z",
    "2026-02-09T00:00:00Z",
    "2026-08-31T00:00:00Z",
];
pub const WEEK: usize = 24 * 7;
pub const WEEKS: usize = 12;

/// One series of a class.
pub fn make(class: &str, seed: u64) -> Made {
    let salt = class.bytes().fold(7_u64, |salt, byte| {
        salt.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    let mut random = Random::new(seed.wrapping_mul(1_000_003) ^ salt);
    let random = &mut random;
    match class {
        "counts" => Rows::any(random).make(random),
        "low counts" => low_counts(random),
        "rates" => rates(random, false),
        "near-zero nulls" => rates(random, true),
        "static" => constant(random),
        "values" => values(random, 0.0),
        "trends" => match random.chance(0.5) {
            true => Rows {
                trend: random.between(-0.06, 0.06),
                ..Rows::any(random)
            }
            .make(random),
            false => {
                let trend = random.between(-0.03, 0.03);
                values(random, trend)
            }
        },
        "level shifts" => Rows {
            shifts: true,
            ..Rows::any(random)
        }
        .make(random),
        "drops to zero" => Rows {
            only_zero: true,
            ..Rows::any(random)
        }
        .make(random),
        "missing buckets" => Rows {
            missing: 0.05,
            ..Rows::any(random)
        }
        .make(random),
        "slow drift" => Rows {
            drift: random.between(0.01, 0.02),
            ..Rows::any(random)
        }
        .make(random),
        "weekly cycles" => {
            let mut rows = Rows::any(random);
            rows.rhythm.weekend = [random.between(0.0, 0.1), random.between(0.0, 0.05)];
            rows.make(random)
        }
        "daily cycles" => {
            let mut rows = Rows::any(random);
            rows.rhythm.swing = random.between(1.5, 3.0);
            rows.rhythm.job = Some((
                u16::try_from(random.whole(0, 5)).unwrap(),
                random.between(2.0, 8.0),
            ));
            rows.make(random)
        }
        "holidays" => {
            let mut rows = Rows {
                holidays: 3,
                ..Rows::any(random)
            };
            rows.rhythm.weekend = [random.between(0.2, 0.5), random.between(0.1, 0.4)];
            rows.make(random)
        }
        "bursts" => Rows {
            bursts: random.between(0.01, 0.03),
            heavy: true,
            ..Rows::any(random)
        }
        .make(random),
        "days" => Rows {
            every: TimeDelta::days(1),
            buckets: 30 * 7,
            size: random.sized(200.0, 100_000.0),
            ..Rows::any(random)
        }
        .make(random),
        "minutes" => {
            let minutes = random.pick(&[5, 5, 15]);
            Rows {
                every: TimeDelta::minutes(minutes),
                buckets: 5 * WEEK * usize::try_from(60 / minutes).unwrap(),
                size: random.sized(10.0, 2_000.0),
                ..Rows::any(random)
            }
            .make(random)
        }
        _ => panic!("no class {class}"),
    }
}

pub fn zone(random: &mut Random) -> Zone {
    Zone::parse(random.pick(&["UTC", "Europe/Berlin", "America/New_York"])).unwrap()
}

/// A few rows an hour.
fn low_counts(random: &mut Random) -> Made {
    let zone = zone(random);
    let at = instants(random.pick(&STARTS), TimeDelta::hours(1), WEEKS * WEEK);
    let rhythm = Rhythm {
        swing: random.between(0.0, 0.9),
        job: None,
        ..Rhythm::any(random)
    };
    let size = random.sized(0.4, 8.0);
    let clumps = random.between(0.0, 0.5);
    let places = events(random, 4 * WEEK..at.len(), 5, (6, 48));
    let kinds: Vec<bool> = places.iter().map(|_| random.chance(0.6)).collect();
    let flood = random.between(6.0, 20.0);
    let mut points = Vec::new();
    let means: Vec<f64> = at
        .iter()
        .map(|at| size * rhythm.at(&zone, *at, false))
        .collect();
    for (place, at) in at.iter().enumerate() {
        let mut broken = false;
        let mut mean = means[place] * (clumps * random.normal() - clumps * clumps / 2.0).exp();
        for (stretch, gone) in places.iter().zip(&kinds) {
            let rows: f64 = means[stretch.from..stretch.until].iter().sum();
            let seen = if *gone { rows >= 15.0 } else { true };
            if stretch.holds(place) && seen {
                broken = true;
                // A flood is seen by its rows, not by its multiple.
                mean = if *gone {
                    0.0
                } else {
                    (mean * flood).max(mean + 20.0)
                };
            }
        }
        points.push(Labelled {
            at: *at,
            value: random.poisson(mean),
            broken,
        });
    }
    Made {
        kind: Kind::Count,
        every: TimeDelta::hours(1),
        zone,
        holidays: vec![],
        points,
    }
}

/// Shares of nulls or duplicates.
fn rates(random: &mut Random, near_zero: bool) -> Made {
    let zone = zone(random);
    let at = instants(random.pick(&STARTS), TimeDelta::hours(1), WEEKS * WEEK);
    let base = match near_zero {
        true if random.chance(0.3) => 0.0,
        true => random.sized(0.000_1, 0.003),
        false => random.sized(0.01, 0.6),
    };
    let rhythm = Rhythm::any(random);
    let rows = random.sized(150.0, 20_000.0);
    let noise = random.between(0.0, 0.1);
    let places = events(random, 4 * WEEK..at.len(), 6, (3, 24));
    let broken_to: Vec<f64> = places
        .iter()
        .map(|_| match near_zero {
            true => random.sized(0.02, 1.0),
            false if base > 0.5 => base - random.between(0.15, base),
            false => base + random.between(0.15, 1.0 - base),
        })
        .collect();
    let mut wander = Wander::new(random.between(0.0, 0.7));
    let mut points = Vec::new();
    for (place, at) in at.iter().enumerate() {
        let found = places
            .iter()
            .zip(&broken_to)
            .find(|(stretch, _)| stretch.holds(place));
        let good = (base * (noise * wander.step(random)).exp()).min(1.0);
        let share = found.map_or(good, |(_, share)| *share);
        let rows = random
            .poisson(rows * rhythm.at(&zone, *at, false))
            .max(20.0);
        let nulls = random.binomial(rows as usize, share);
        points.push(Labelled {
            at: *at,
            value: nulls / rows,
            broken: found.is_some(),
        });
    }
    Made {
        kind: Kind::Rate,
        every: TimeDelta::hours(1),
        zone,
        holidays: vec![],
        points,
    }
}

/// What never changes, until it does.
fn constant(random: &mut Random) -> Made {
    let at = instants(random.pick(&STARTS), TimeDelta::hours(1), WEEKS * WEEK);
    let kind = random.pick(&[Kind::Count, Kind::Rate, Kind::Value]);
    let (base, changed) = match kind {
        Kind::Count => {
            let base = random.sized(10.0, 1_000_000.0).round();
            (
                base,
                (base * random.pick(&[0.0, 0.5, 0.8, 1.3, 2.0])).round(),
            )
        }
        Kind::Rate => {
            let base = random.pick(&[0.0, 0.0, 1.0, 0.25]);
            (
                base,
                if base > 0.5 {
                    base - random.between(0.03, 0.5)
                } else {
                    base + random.between(0.03, 0.5)
                },
            )
        }
        Kind::Value => {
            let base = random.sized(1.0, 10_000.0) * random.pick(&[1.0, -1.0]);
            (
                base,
                base * (1.0 + random.pick(&[1.0, -1.0]) * random.between(0.05, 1.0)),
            )
        }
    };
    let places = events(random, 3 * WEEK..at.len(), 4, (2, 24));
    let point = |(place, at): (usize, &DateTime<Utc>)| {
        let broken = places.iter().any(|stretch| stretch.holds(place));
        Labelled {
            at: *at,
            value: if broken { changed } else { base },
            broken,
        }
    };
    let points = at.iter().enumerate().map(point).collect();
    Made {
        kind,
        every: TimeDelta::hours(1),
        zone: Zone::utc(),
        holidays: vec![],
        points,
    }
}

/// Averages and the like.
fn values(random: &mut Random, trend: f64) -> Made {
    let zone = zone(random);
    let at = instants(random.pick(&STARTS), TimeDelta::hours(1), WEEKS * WEEK);
    let base = random.sized(1.0, 5_000.0);
    let swing = random.between(0.0, 0.15);
    let rhythm = Rhythm {
        swing,
        weekend: [1.0, 1.0],
        job: None,
        ..Rhythm::any(random)
    };
    let noise = random.between(0.005, 0.045);
    let heavy = random.chance(0.3);
    let places = events(random, 4 * WEEK..at.len(), 6, (2, 24));
    let factors: Vec<f64> = places
        .iter()
        .map(|_| match random.chance(0.5) {
            true => 1.0 + random.between(0.25, 2.0),
            false => 1.0 - random.between(0.25, 1.0),
        })
        .collect();
    let mut wander = Wander::new(random.between(0.0, 0.8));
    let mut points = Vec::new();
    for (place, at) in at.iter().enumerate() {
        let found = places
            .iter()
            .zip(&factors)
            .find(|(stretch, _)| stretch.holds(place));
        let noise = noise
            * if heavy {
                random.heavy()
            } else {
                wander.step(random)
            };
        let level = base * (1.0 + trend * place as f64 / WEEK as f64);
        let value = level * (rhythm.at(&zone, *at, false) + noise);
        points.push(Labelled {
            at: *at,
            value: value * found.map_or(1.0, |(_, factor)| *factor),
            broken: found.is_some(),
        });
    }
    Made {
        kind: Kind::Value,
        every: TimeDelta::hours(1),
        zone,
        holidays: vec![],
        points,
    }
}
