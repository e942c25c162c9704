//! What a series does now and then by itself, and what people called no alarm.
//!
//! Invariant: of eight weeks, what happened on one or two days is no habit, whatever its size, so an
//! incident that was missed does not hide the next one. A young series is believed sooner.
//! Failure: none; without history nothing is guarded.

use super::Direction;
use super::expect::Expected;
use super::layout::Layout;
use super::profile::Sample;
use super::robust::largest;
use super::streak::{REMEMBERED, pair, six};

/// A habit is left by as much.
const ONE: f64 = 1.6;
const PAIR: f64 = 1.3;
const SIX: f64 = 1.3;
const ZERO: f64 = 1.4;
/// As much more than a false alarm is as harmless.
const FORGIVEN: f64 = 1.1;

/// What one way of a series needs, to be strange.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Habit {
    /// One score.
    pub one: f64,
    /// Each of two in a row.
    pub pair: f64,
    /// Six in a row, on average.
    pub six: f64,
    /// Rows that were expected where none came.
    pub zero: f64,
}

impl Habit {
    fn raise(&mut self, by: &Self) {
        self.one = self.one.max(by.one);
        self.pair = self.pair.max(by.pair);
        self.six = self.six.max(by.six);
        self.zero = self.zero.max(by.zero);
    }
}

/// A value that people called no alarm.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Forgiven {
    hour: usize,
    direction: Direction,
    score: f64,
    missed: f64,
}

/// The habits of a series.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Guards {
    up: Habit,
    down: Habit,
    forgiven: Vec<Forgiven>,
}

/// The values in a row so far.
#[derive(Default)]
struct Row {
    at: i64,
    scores: [f64; REMEMBERED],
    missed: f64,
}

impl Guards {
    /// The habits that samples show, each beside what was expected.
    pub fn learn(layout: Layout, samples: &[Sample], expected: &[Option<Expected>]) -> Self {
        let mut guards = Self::default();
        let mut days: Vec<[Habit; 2]> = Vec::new();
        let mut today = None;
        let mut row = Row::default();
        for (sample, expected) in samples.iter().zip(expected) {
            let Some(expected) = expected else { continue };
            if today != Some(sample.place.day) {
                today = Some(sample.place.day);
                days.push([Habit::default(); 2]);
            }
            if sample.at - row.at > layout.every * 5 / 2 {
                row = Row::default();
            }
            let score = expected.score(sample.value);
            row.push(sample, expected, score);
            if let Some([up, down]) = days.last_mut() {
                up.raise(&row.habit(Direction::Up));
                down.raise(&row.habit(Direction::Down));
            }
            if sample.forgiven {
                guards.forgiven.push(Forgiven {
                    hour: sample.place.hour,
                    direction: Direction::of(score),
                    score: score.abs(),
                    missed: row.missed,
                });
            }
        }
        let rank = days.len().div_ceil(20);
        let usual = |way: fn(&[Habit; 2]) -> &Habit| {
            let of = |part: fn(&Habit) -> f64| {
                let mut parts: Vec<f64> = days.iter().map(|day| part(way(day))).collect();
                largest(&mut parts, rank).unwrap_or_default()
            };
            Habit {
                one: ONE * of(|habit| habit.one),
                pair: PAIR * of(|habit| habit.pair),
                six: SIX * of(|habit| habit.six),
                zero: ZERO * of(|habit| habit.zero),
            }
        };
        guards.up = usual(|[up, _]| up);
        guards.down = usual(|[_, down]| down);
        guards
    }

    /// What is habit.
    pub fn habit(&self, direction: Direction) -> Habit {
        match direction {
            Direction::Up => self.up,
            Direction::Down => self.down,
        }
    }

    /// What people forgave at this hour.
    pub fn forgiven(&self, direction: Direction, hour: usize) -> Option<Habit> {
        let near = |other: usize| {
            let apart = hour.abs_diff(other);
            apart.min(24_usize.saturating_sub(apart)) <= 1
        };
        let mut forgiven: Option<Habit> = None;
        for one in &self.forgiven {
            if one.direction == direction && near(one.hour) {
                let score = one.score * FORGIVEN;
                forgiven.get_or_insert_default().raise(&Habit {
                    one: score,
                    pair: score,
                    six: score,
                    zero: one.missed * FORGIVEN,
                });
            }
        }
        forgiven
    }
}

impl Row {
    fn push(&mut self, sample: &Sample, expected: &Expected, score: f64) {
        self.at = sample.at;
        self.scores.rotate_left(1);
        if let Some(last) = self.scores.last_mut() {
            *last = score;
        }
        self.missed = if sample.value == 0.0 {
            self.missed + expected.mean
        } else {
            0.0
        };
    }

    fn habit(&self, direction: Direction) -> Habit {
        let [.., before, last] = self.scores;
        Habit {
            one: (last * direction.sign()).max(0.0),
            pair: pair([before, last], direction),
            six: six(self.scores, direction),
            zero: self.missed,
        }
    }
}
