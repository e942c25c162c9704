//! The next run that a change of the clock makes exceptional, in words.
//!
//! Invariant: a rhythm that goes on through the change (every hour of the day named) is no
//! exception.
//! Failure: `None` when there is none before the end.

use chrono::{DateTime, NaiveDateTime, Utc};

use super::super::Cron;
use super::super::calendar::Calendar;
use super::super::timeline::{CORRECTION, Stretch, most};
use super::words::{clock, day};
use crate::civil::Zone;

const EVERY_HOUR: u32 = 0xff_ffff;

/// What happens at the first change of the clock, after one instant and before another, that does
/// anything to the expression.
pub(super) fn next(
    cron: &Cron,
    zone: &Zone,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Option<String> {
    if !cron.fixed && cron.calendar.times.hours == EVERY_HOUR {
        return None;
    }
    let mut before = Stretch::of(zone, from);
    let until = until.min(most());
    while before.until < until {
        let after = Stretch::of(zone, before.until);
        let told = match after.gap() {
            Some((begins, ends)) => skipped(cron, &after, begins, ends),
            None => repeated(cron, &before, &after),
        };
        if told.is_some() {
            return told;
        }
        before = after;
    }
    None
}

/// Times that the clock skips.
fn skipped(
    cron: &Cron,
    after: &Stretch,
    begins: NaiveDateTime,
    ends: NaiveDateTime,
) -> Option<String> {
    let times = Matches::between(&cron.calendar, begins, ends)?;
    let (date, missing) = (day(times.first.date()), times.text());
    let exist = if times.single() { "does" } else { "do" };
    if !cron.fixed || ends - begins > CORRECTION {
        let them = if times.single() { "it" } else { "they" };
        return Some(format!(
            "on {date} not at {missing} because {them} {exist} not exist"
        ));
    }
    let shown = after.wall(after.from);
    let (date, time) = (day(shown.date()), clock(shown.time()));
    let once = match cron.calendar.next(shown, &mut 0) {
        Some(match_) if match_ == shown => " only once",
        _ => "",
    };
    Some(format!(
        "on {date}{once} at {time} because {missing} {exist} not exist"
    ))
}

/// Times that come twice.
fn repeated(cron: &Cron, before: &Stretch, after: &Stretch) -> Option<String> {
    let (begins, ends) = (after.wall(after.from), before.wall(before.until));
    let times = Matches::between(&cron.calendar, begins, ends)?;
    let (date, twice) = (day(times.first.date()), times.text());
    let come = if times.single() {
        "it comes"
    } else {
        "they come"
    };
    Some(match cron.fixed {
        true => format!("on {date} only the first time at {twice} because {come} twice"),
        false => format!("on {date} both times at {twice} because {come} twice"),
    })
}

/// Matches of the calendar within a short time.
struct Matches {
    first: NaiveDateTime,
    last: NaiveDateTime,
    count: u64,
}

impl Matches {
    fn between(calendar: &Calendar, from: NaiveDateTime, until: NaiveDateTime) -> Option<Self> {
        let first = calendar.next(from, &mut 0).filter(|first| *first < until)?;
        let last = calendar.previous(until, &mut 0)?;
        Some(Self {
            first,
            last,
            count: calendar.count(from, until, &mut 0),
        })
    }

    fn single(&self) -> bool {
        self.count == 1
    }

    fn text(&self) -> String {
        let (first, last) = (clock(self.first.time()), clock(self.last.time()));
        let last = match self.first.date() == self.last.date() {
            true => last,
            false => format!("{last} on {}", day(self.last.date())),
        };
        match self.count {
            1 => first,
            2 => format!("{first} and {last}"),
            _ => format!("{first} to {last}"),
        }
    }
}
