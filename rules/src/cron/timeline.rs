//! Where the wall times of an expression lie in real time.
//!
//! Invariant: runs are in order and never twice. A fixed time counts when the clock first reaches
//! or passes it, as long as it is not set forward by more than [`CORRECTION`]; other times count
//! whenever the clock shows them. Each change of the clock costs one step.
//! Failure: `None` where the calendar ends.

use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc};

use super::calendar::Calendar;
use crate::civil::Zone;

/// What a longer change skips does not run: the clock was corrected, not set to summer time.
pub(super) const CORRECTION: TimeDelta = TimeDelta::hours(3);
/// No two changes further apart than this show the same wall time: no zone is more than 26 hours
/// ahead of another.
const ECHO: TimeDelta = TimeDelta::hours(26);
const SECOND: TimeDelta = TimeDelta::seconds(1);

/// An expression by the clock of a zone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeline<'a> {
    pub calendar: &'a Calendar,
    pub fixed: bool,
    pub zone: &'a Zone,
}

/// A run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub at: DateTime<Utc>,
    /// The time by the expression; before what the clock shows when that skipped it.
    pub wall: NaiveDateTime,
}

/// A stretch of the clock without a change, and what it does with wall times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub from: DateTime<Utc>,
    /// The first instant behind it.
    pub until: DateTime<Utc>,
    pub offset: TimeDelta,
    /// How far the clock had come before, when there was a before.
    pub reached: Option<NaiveDateTime>,
}

impl Stretch {
    /// The stretch that an instant is part of.
    pub(super) fn of(zone: &Zone, at: DateTime<Utc>) -> Self {
        let span = zone.span(at);
        let mut reached: Option<NaiveDateTime> = None;
        let mut change = span.from;
        while let (Some(at), Some(first)) = (change, span.from) {
            let before = zone.span(at - SECOND);
            reached = reached.max(Some((at + before.offset).naive_utc()));
            change = before.from.filter(|earlier| first - *earlier < ECHO);
        }
        Self {
            from: span.from.unwrap_or_else(least),
            until: span.until.unwrap_or_else(most),
            offset: span.offset,
            reached,
        }
    }

    /// What the clock shows at an instant of it.
    pub(super) fn wall(&self, at: DateTime<Utc>) -> NaiveDateTime {
        (at + self.offset).naive_utc()
    }

    /// When the clock shows a wall time, if it is one of this stretch.
    pub(super) fn instant(&self, wall: NaiveDateTime) -> DateTime<Utc> {
        Utc.from_utc_datetime(&wall) - self.offset
    }

    /// The wall times that were skipped on the way to it: from, until.
    pub(super) fn gap(&self) -> Option<(NaiveDateTime, NaiveDateTime)> {
        let begins = self.wall(self.from);
        let reached = self.reached.filter(|reached| *reached < begins);
        reached.map(|reached| (reached, begins))
    }
}

impl Timeline<'_> {
    /// The first run after an instant.
    pub(super) fn next(&self, after: DateTime<Utc>, work: &mut u32) -> Option<Found> {
        self.search(after, NaiveDateTime::MIN, work)
    }

    /// The first run whose time by the expression is not before this.
    pub(super) fn from_wall(&self, wall: NaiveDateTime, work: &mut u32) -> Option<Found> {
        self.search(Utc.from_utc_datetime(&wall) - ECHO, wall, work)
    }

    fn search(
        &self,
        after: DateTime<Utc>,
        least_wall: NaiveDateTime,
        work: &mut u32,
    ) -> Option<Found> {
        let mut from = whole_second(after) + SECOND;
        let mut ahead = Ahead::new(self.calendar);
        while from < most() {
            *work += 1;
            let stretch = Stretch::of(self.zone, from);
            if from == stretch.from {
                let moved = self.from_gap(&stretch, least_wall, &mut ahead, work);
                if moved.is_some() {
                    return moved;
                }
            }
            let first = stretch.wall(from).max(self.first(&stretch)).max(least_wall);
            let wall = ahead.next(first, work)?;
            let at = stretch.instant(wall);
            if at < stretch.until {
                return Some(Found { at, wall });
            }
            from = stretch.until;
        }
        None
    }

    /// The last run up to an instant, and after another one if that is given.
    pub(super) fn previous(
        &self,
        until: DateTime<Utc>,
        after: Option<DateTime<Utc>>,
        work: &mut u32,
    ) -> Option<Found> {
        let earliest = after.map_or_else(least, |after| whole_second(after) + SECOND);
        let mut until = whole_second(until);
        let mut behind = Behind::new(self.calendar);
        while until >= earliest {
            *work += 1;
            let stretch = Stretch::of(self.zone, until);
            let before = stretch.wall(until + SECOND);
            let plain = behind
                .previous(before, work)
                .filter(|wall| *wall >= self.first(&stretch))
                .map(|wall| Found {
                    at: stretch.instant(wall),
                    wall,
                });
            let found = match plain {
                Some(plain) if plain.at > stretch.from => Some(plain),
                _ => {
                    let skipped = self.fixed
                        && stretch.gap().is_some_and(|(from, until)| {
                            let last = behind.previous(until, work);
                            last.is_some_and(|last| last >= from)
                        });
                    let mut ahead = Ahead::new(self.calendar);
                    let moved = skipped
                        .then(|| self.from_gap(&stretch, NaiveDateTime::MIN, &mut ahead, work));
                    moved.flatten().or(plain)
                }
            };
            if found.is_some() {
                return found.filter(|found| found.at >= earliest);
            }
            until = stretch.from - SECOND;
        }
        None
    }

    /// How many runs there are after one instant and not after another.
    pub(super) fn count(&self, after: DateTime<Utc>, until: DateTime<Utc>, work: &mut u32) -> u64 {
        let mut from = whole_second(after) + SECOND;
        let until = whole_second(until).min(most() - SECOND);
        let mut count = 0;
        let mut ahead = Ahead::new(self.calendar);
        while from <= until {
            *work += 1;
            let stretch = Stretch::of(self.zone, from);
            let first = stretch.wall(from).max(self.first(&stretch));
            let end = stretch.wall(stretch.until.min(until + SECOND));
            count += self.calendar.count(first, end, work);
            if from == stretch.from {
                let moved = self.from_gap(&stretch, NaiveDateTime::MIN, &mut ahead, work);
                let begins = stretch.wall(stretch.from);
                // What begins with the stretch is the same run.
                let alone = moved.is_some() && ahead.next(begins, work) != Some(begins);
                count += u64::from(alone);
            }
            from = stretch.until;
        }
        count
    }

    /// The first wall time of a stretch that counts.
    fn first(&self, stretch: &Stretch) -> NaiveDateTime {
        let begins = stretch.wall(stretch.from);
        match self.fixed {
            true => stretch
                .reached
                .map_or(begins, |reached| reached.max(begins)),
            false => begins,
        }
    }

    /// The run at the start of a stretch, of a time that the clock skipped on the way to it.
    fn from_gap(
        &self,
        stretch: &Stretch,
        least: NaiveDateTime,
        ahead: &mut Ahead<'_>,
        work: &mut u32,
    ) -> Option<Found> {
        let (from, until) = stretch.gap().filter(|_| self.fixed)?;
        if until - from > CORRECTION {
            return None;
        }
        let wall = ahead.next(from.max(least), work)?;
        (wall < until).then_some(Found {
            at: stretch.from,
            wall,
        })
    }
}

/// Remembers the last answer: crossing many changes of the clock costs one search.
struct Ahead<'a> {
    calendar: &'a Calendar,
    known: Option<(NaiveDateTime, Option<NaiveDateTime>)>,
}

impl<'a> Ahead<'a> {
    fn new(calendar: &'a Calendar) -> Self {
        Self {
            calendar,
            known: None,
        }
    }

    fn next(&mut self, from: NaiveDateTime, work: &mut u32) -> Option<NaiveDateTime> {
        if let Some((asked, found)) = self.known
            && asked <= from
            && found.is_none_or(|found| from <= found)
        {
            return found;
        }
        let found = self.calendar.next(from, work);
        self.known = Some((from, found));
        found
    }
}

/// The same, looking back.
struct Behind<'a> {
    calendar: &'a Calendar,
    known: Option<(NaiveDateTime, Option<NaiveDateTime>)>,
}

impl<'a> Behind<'a> {
    fn new(calendar: &'a Calendar) -> Self {
        Self {
            calendar,
            known: None,
        }
    }

    fn previous(&mut self, before: NaiveDateTime, work: &mut u32) -> Option<NaiveDateTime> {
        if let Some((asked, found)) = self.known
            && before <= asked
            && found.is_none_or(|found| found < before)
        {
            return found;
        }
        let found = self.calendar.previous(before, work);
        self.known = Some((before, found));
        found
    }
}

/// Year 0, with room for any offset.
fn least() -> DateTime<Utc> {
    DateTime::from_timestamp(-62_167_132_800, 0).unwrap_or_default()
}

/// The end of the year 9999, with room for any offset.
pub(super) fn most() -> DateTime<Utc> {
    DateTime::from_timestamp(253_402_128_000, 0).unwrap_or_default()
}

/// The whole second that an instant is in, of the years that are looked at.
fn whole_second(at: DateTime<Utc>) -> DateTime<Utc> {
    let at = at.clamp(least(), most());
    DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}
