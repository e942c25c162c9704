//! Where a value belongs in the day and in the week.
//!
//! Invariant: by the wall clock of the series' zone, so that a change of the clock moves nothing.
//! Failure: a bucket width outside a minute to a day is read as the nearest end.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

use crate::civil::{Span, Zone};

const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;
/// Buckets below an hour share what is usual with others of their quarter of an hour.
const QUARTER: i64 = 900;
/// Buckets as wide as this are days.
const WHOLE_DAY: i64 = 20 * HOUR;
/// Shortest span the level is taken from, in buckets.
const FEWEST: i64 = 7;

impl Place {
    /// Its week, counted from that of 1970.
    pub fn week(self) -> i64 {
        (self.day + 3).div_euclid(7)
    }
}

/// How a week is divided for buckets of a width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Layout {
    /// Seconds of a bucket.
    pub every: i64,
    /// Seconds of a slot: what is usual is learnt for each.
    pub slot: i64,
}

/// Where a value belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its slot of the week.
    pub slot: usize,
    /// Its bucket of the day.
    pub bucket: usize,
    /// Its day of the week, 0 is Monday.
    pub weekday: usize,
    /// Its hour of the day.
    pub hour: usize,
    /// Its day, counted from 1970.
    pub day: i64,
}

impl Layout {
    pub fn new(every: TimeDelta) -> Self {
        let every = every.num_seconds().clamp(60, DAY);
        Self {
            every,
            slot: every.max(QUARTER),
        }
    }

    pub fn slots_a_day(self) -> usize {
        count(DAY, self.slot)
    }

    pub fn buckets_a_day(self) -> usize {
        count(DAY, self.every)
    }

    /// Are the slots beside one as good as itself?
    pub fn has_neighbours(self) -> bool {
        self.slot <= HOUR
    }

    /// The seconds that the recent level is taken from.
    pub fn recent(self) -> i64 {
        DAY.max(FEWEST * self.every)
    }

    /// How many points it takes to judge: eight days, and never less than two weeks of days.
    pub fn need(self) -> u32 {
        u32::try_from((8 * DAY / self.every).max(14)).unwrap_or(u32::MAX)
    }

    /// Where a wall clock's second belongs, counted from 1970.
    pub fn place(self, wall: i64) -> Place {
        // A day's bucket may begin an hour before midnight where days are taken as 24 hours.
        let wall = if self.every >= WHOLE_DAY {
            wall + DAY / 4
        } else {
            wall
        };
        let day = wall.div_euclid(DAY);
        let second = wall.rem_euclid(DAY);
        let weekday = usize::try_from((day + 3).rem_euclid(7)).unwrap_or_default();
        let within = |width: i64| usize::try_from(second / width).unwrap_or_default();
        Place {
            slot: weekday * self.slots_a_day() + within(self.slot),
            bucket: within(self.every),
            weekday,
            hour: within(HOUR),
            day,
        }
    }

    /// The same time on another day of the week.
    pub fn on(self, place: Place, weekday: usize) -> Place {
        let of_day = place.slot % self.slots_a_day();
        Place {
            slot: weekday * self.slots_a_day() + of_day,
            weekday,
            ..place
        }
    }
}

fn count(whole: i64, part: i64) -> usize {
    usize::try_from((whole + part - 1) / part.max(1)).unwrap_or(1)
}

/// The wall clock of a zone, quick for instants in a row.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    zone: Zone,
    span: Option<Span>,
}

impl Clock {
    pub fn new(zone: &Zone) -> Self {
        Self {
            zone: zone.clone(),
            span: None,
        }
    }

    /// The seconds that the wall clock shows, counted from 1970.
    pub fn wall(&mut self, at: DateTime<Utc>) -> i64 {
        at.timestamp() + self.span(at).offset.num_seconds()
    }

    /// The wall clock as it would be without a change of the clock in the last four weeks.
    pub fn wall_before_change(&mut self, at: DateTime<Utc>) -> Option<i64> {
        let from = self.span(at).from?;
        if at - from > TimeDelta::weeks(4) {
            return None;
        }
        let before = self.zone.span(from - TimeDelta::seconds(1));
        Some(at.timestamp() + before.offset.num_seconds())
    }

    fn span(&mut self, at: DateTime<Utc>) -> Span {
        let inside = |span: &Span| {
            span.from.is_none_or(|from| from <= at) && span.until.is_none_or(|until| at < until)
        };
        match self.span.filter(inside) {
            Some(span) => span,
            None => *self.span.insert(self.zone.span(at)),
        }
    }
}

/// A day as places count it.
pub(super) fn day_of(date: NaiveDate) -> i64 {
    i64::from(date.num_days_from_ce()) - 719_163
}
