//! Where the last day was, compared with what is usual: trends and new levels.
//!
//! Invariant: what was alerted moves nothing, unless the series has stayed at a new level for three
//! days: then that is what is expected. Nothing at all is never a new level, nor is what people
//! called a true alarm.
//! Failure: with too few points of the last day, the last ones there are; with none, the level
//! that was learnt.

use super::expect::forward;
use super::layout::{Clock, Layout, Place};
use super::profile::Usual;
use super::robust::{median, spread};
use super::{Kind, Mark, Point};

/// The most points that a level is taken from, evenly.
const MOST: i64 = 288;
/// The fewest.
pub(super) const FEWEST: usize = 3;
/// How far back a level is looked for, in recent spans.
const REACH: i64 = 7;
/// How long a new level must have held, in seconds and in buckets.
const HOLD: i64 = 3 * 86_400;
const HOLD_BUCKETS: i64 = 7;
/// How many of its points must have been alerted.
const ALERTED: f64 = 0.6;
/// Rows that a ratio of counts is drawn to one by.
const DRAW: f64 = 10.0;

/// How the last day differs from what is usual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level {
    /// The difference, as it is compared.
    pub shift: f64,
    /// The multiple, for small counts.
    pub ratio: f64,
    /// From how many points.
    pub points: u32,
    /// It is a new level, though it was alerted.
    pub new: bool,
}

impl Default for Level {
    fn default() -> Self {
        Self {
            shift: 0.0,
            ratio: 1.0,
            points: 0,
            new: false,
        }
    }
}

/// A value beside what is usual.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside {
    pub compared: f64,
    pub value: f64,
    pub usual: Usual,
}

impl Level {
    /// The level of some points.
    pub fn of(beside: &[Beside]) -> Option<Self> {
        let mut off: Vec<f64> = beside
            .iter()
            .map(|one| one.compared - one.usual.center)
            .collect();
        let shift = median(&mut off)?;
        let found: f64 = beside.iter().map(|one| one.value).sum();
        let usual: f64 = beside.iter().map(|one| one.usual.mean).sum();
        Some(Self {
            shift,
            ratio: ((found + DRAW) / (usual + DRAW)).max(0.0),
            points: u32::try_from(beside.len()).unwrap_or(u32::MAX),
            new: false,
        })
    }
}

/// Is this bucket one of those that levels are taken from?
pub(super) fn counts(layout: Layout, at: i64) -> bool {
    let every = (layout.recent() / layout.every / MOST).max(1);
    at.div_euclid(layout.every).rem_euclid(every) == 0
}

/// What the level is read from.
pub(super) struct Reader<'a, F> {
    pub kind: Kind,
    pub layout: Layout,
    /// The noise, as it is compared.
    pub noise: f64,
    /// What is usual at a place.
    pub usual: F,
    /// Is a day like no other?
    pub holidays: &'a [i64],
}

impl<F: Fn(Place) -> Usual> Reader<'_, F> {
    /// The level before an instant; `points` are in order and end before it.
    pub fn before(&self, points: &[Point], at: i64, clock: &mut Clock) -> Option<Level> {
        let recent = self.layout.recent();
        let since = |from: i64| {
            let first = points.partition_point(|point| point.at.timestamp() < from);
            points.get(first..).unwrap_or_default()
        };
        if let Some(level) = self.new_level(since(at - self.hold()), at, clock) {
            return Some(level);
        }
        let day = self.beside(since(at - recent), clock, learnable);
        if day.len() >= FEWEST {
            return Level::of(&day);
        }
        let reach = self.beside(since(at - REACH * recent), clock, learnable);
        let last = reach.len().saturating_sub(7);
        Level::of(reach.get(last..).unwrap_or_default())
    }

    fn hold(&self) -> i64 {
        HOLD.max(HOLD_BUCKETS * self.layout.every)
    }

    /// The level of an alert that has held long enough to be one.
    fn new_level(&self, held: &[Point], at: i64, clock: &mut Clock) -> Option<Level> {
        let stays = |point: &&Point| point.alerted && point.mark.is_none();
        let alerted = held.iter().filter(stays).count() as f64;
        if held.is_empty() || alerted < ALERTED * held.len() as f64 {
            return None;
        }
        let recent = self.layout.recent();
        let first = held.iter().find(stays)?.at.timestamp();
        if at - first < self.hold() * 9 / 10 {
            return None;
        }
        let judged = |point: &Point| point.alerted && point.mark.is_none();
        let all = self.beside(held, clock, judged);
        let empty = all.iter().filter(|one| one.value == 0.0).count();
        if self.kind == Kind::Count && empty * 2 > all.len() {
            return None;
        }
        let level = Level::of(&all)?;
        let mut off: Vec<f64> = all
            .iter()
            .map(|one| one.compared - one.usual.center)
            .collect();
        let steady = spread(&mut off, level.shift)?;
        if steady > (3.0 * self.noise).max(level.shift.abs() / 2.0) {
            return None;
        }
        let from = held.partition_point(|point| point.at.timestamp() < at - recent);
        let unmarked = |point: &Point| point.mark != Some(Mark::TrueAlarm);
        let day = self.beside(held.get(from..).unwrap_or_default(), clock, unmarked);
        let level = Level::of(&day)?;
        Some(Level { new: true, ..level })
    }

    fn beside(
        &self,
        points: &[Point],
        clock: &mut Clock,
        wanted: impl Fn(&Point) -> bool,
    ) -> Vec<Beside> {
        let mut beside = Vec::new();
        for point in points.iter().filter(|point| wanted(point)) {
            if !point.value.is_finite() || !counts(self.layout, point.at.timestamp()) {
                continue;
            }
            let place = self.layout.place(clock.wall(point.at));
            if self.holidays.binary_search(&place.day).is_err() {
                beside.push(Beside {
                    compared: forward(self.kind, point.value),
                    value: point.value,
                    usual: (self.usual)(place),
                });
            }
        }
        beside
    }
}

/// May a point be learnt from?
pub(super) fn learnable(point: &Point) -> bool {
    match point.mark {
        Some(Mark::TrueAlarm) => false,
        Some(Mark::FalseAlarm) => true,
        None => !point.alerted,
    }
}
