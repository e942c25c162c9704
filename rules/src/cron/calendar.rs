//! The wall times that an expression matches, before any time zone.
//!
//! Invariant: times are whole minutes of the years 0 to 9999; each month costs one step, and a
//! match is never more than 40 years off.
//! Failure: `None` where the calendar ends.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

use super::days::{SHORTEST, Table};

/// The years that are looked at.
const YEARS: std::ops::RangeInclusive<i32> = 0..=9_999;

/// What matches, as bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Calendar {
    pub times: Times,
    /// Bits 1 to 12.
    pub months: u32,
    pub days: Table,
}

/// Times of the day: every minute of every hour named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    /// Bits 0 to 59.
    pub minutes: u64,
    /// Bits 0 to 23.
    pub hours: u32,
}

/// A month of a year.
#[derive(Clone, Copy, Debug)]
struct Month {
    year: i32,
    number: u32,
    length: u32,
    /// The weekday of its first day, from Sunday.
    first: u32,
}

impl Calendar {
    /// The first match that is not before a wall time.
    pub(super) fn next(&self, from: NaiveDateTime, work: &mut u32) -> Option<NaiveDateTime> {
        let from = whole_minute(from)?;
        let today = from.date();
        let mut month = Month::of(today)?;
        if self.days_of(month) & (1 << today.day()) != 0
            && let Some(time) = self.times.from(minute_of(from.time()))
        {
            return month.at(today.day(), time);
        }
        let mut days = self.days_of(month) & above(today.day());
        while days == 0 {
            *work += 1;
            month = month.next()?;
            days = self.days_of(month);
        }
        month.at(days.trailing_zeros(), self.times.from(0)?)
    }

    /// The last match before a wall time.
    pub(super) fn previous(&self, before: NaiveDateTime, work: &mut u32) -> Option<NaiveDateTime> {
        let before = whole_minute(before)?;
        let today = before.date();
        let mut month = Month::of(today)?;
        if self.days_of(month) & (1 << today.day()) != 0
            && let Some(time) = self.times.before(minute_of(before.time()))
        {
            return month.at(today.day(), time);
        }
        let mut days = self.days_of(month) & !above(today.day()) & !(1 << today.day());
        while days == 0 {
            *work += 1;
            month = month.previous()?;
            days = self.days_of(month);
        }
        month.at(31 - days.leading_zeros(), self.times.before(24 * 60)?)
    }

    /// How many matches there are from one wall time until before another.
    pub(super) fn count(&self, from: NaiveDateTime, until: NaiveDateTime, work: &mut u32) -> u64 {
        let ends = whole_minute(from).zip(whole_minute(until));
        let Some((from, until)) = ends.filter(|(from, until)| from < until) else {
            return 0;
        };
        let (Some(mut month), Some(last)) = (Month::of(from.date()), Month::of(until.date()))
        else {
            return 0;
        };
        let per_day = self.times.until(24 * 60);
        let mut days = 0;
        loop {
            *work += 1;
            days += u64::from(self.days_of(month).count_ones());
            match month.next() {
                Some(next) if !month.same(last) => month = next,
                _ => break,
            }
        }
        // Whole months, less what lies before the start and behind the end.
        let before = self.within_month(from, per_day);
        let behind = u64::from(self.days_of(last).count_ones()) * per_day;
        let behind = behind - self.within_month(until, per_day);
        days * per_day - before - behind
    }

    /// How many matches there are in the month of a wall time, before it.
    fn within_month(&self, until: NaiveDateTime, per_day: u64) -> u64 {
        let day = until.day();
        let days = Month::of(until.date()).map_or(0, |month| self.days_of(month));
        let whole = (days & !above(day) & !(1 << day)).count_ones();
        let today = match days & (1 << day) {
            0 => 0,
            _ => self.times.until(minute_of(until.time())),
        };
        u64::from(whole) * per_day + today
    }

    /// What months of a length match, by their first weekday.
    pub(super) fn kinds(&self, length: u32) -> &[u32] {
        let place = usize::try_from(length.saturating_sub(SHORTEST)).unwrap_or_default();
        self.days.get(place).map_or(&[], |kinds| kinds.as_slice())
    }

    fn days_of(&self, month: Month) -> u32 {
        if self.months & (1 << month.number) == 0 {
            return 0;
        }
        let first = usize::try_from(month.first).unwrap_or_default();
        let days = self.kinds(month.length).get(first);
        days.copied().unwrap_or_default()
    }
}

impl Times {
    /// The first one that is not before this minute of the day.
    pub(super) fn from(&self, minute: u32) -> Option<u32> {
        let (hour, within) = (minute / 60, minute % 60);
        let rest = self.minutes & (u64::MAX << within);
        if self.hours.checked_shr(hour).unwrap_or_default() & 1 == 1 && rest != 0 {
            return Some(hour * 60 + rest.trailing_zeros());
        }
        let later = self.hours & u32::MAX.checked_shl(hour + 1).unwrap_or_default();
        (later != 0).then(|| later.trailing_zeros() * 60 + self.minutes.trailing_zeros())
    }

    /// The last one before this minute of the day, of which 1440 is the end.
    pub(super) fn before(&self, minute: u32) -> Option<u32> {
        let (hour, within) = (minute / 60, minute % 60);
        let rest = self.minutes & !(u64::MAX << within);
        if self.hours.checked_shr(hour).unwrap_or_default() & 1 == 1 && rest != 0 {
            return Some(hour * 60 + 63 - rest.leading_zeros());
        }
        let earlier = self.hours & !u32::MAX.checked_shl(hour).unwrap_or_default();
        let (hour, minute) = (
            earlier.checked_ilog2()?,
            63 - self.minutes.leading_zeros().min(63),
        );
        Some(hour * 60 + minute)
    }

    /// How many there are before this minute of the day.
    pub(super) fn until(&self, minute: u32) -> u64 {
        let (hour, within) = (minute / 60, minute % 60);
        let whole = self.hours & !u32::MAX.checked_shl(hour).unwrap_or_default();
        let whole = whole.count_ones() * self.minutes.count_ones();
        let rest = match self.hours.checked_shr(hour).unwrap_or_default() & 1 {
            0 => 0,
            _ => (self.minutes & !(u64::MAX << within)).count_ones(),
        };
        u64::from(whole + rest)
    }
}

impl Month {
    fn of(date: NaiveDate) -> Option<Self> {
        let first = date.with_day(1)?.weekday().num_days_from_sunday();
        YEARS.contains(&date.year()).then(|| Self {
            year: date.year(),
            number: date.month(),
            length: length(date.year(), date.month()),
            first,
        })
    }

    fn next(self) -> Option<Self> {
        let (year, number) = match self.number {
            12 => (self.year + 1, 1),
            number => (self.year, number + 1),
        };
        YEARS.contains(&year).then(|| Self {
            year,
            number,
            length: length(year, number),
            first: (self.first + self.length) % 7,
        })
    }

    fn previous(self) -> Option<Self> {
        let (year, number) = match self.number {
            1 => (self.year - 1, 12),
            number => (self.year, number - 1),
        };
        let length = length(year, number);
        YEARS.contains(&year).then(|| Self {
            year,
            number,
            length,
            first: (self.first + 35 - length) % 7,
        })
    }

    fn same(self, other: Self) -> bool {
        (self.year, self.number) == (other.year, other.number)
    }

    fn at(self, day: u32, minute: u32) -> Option<NaiveDateTime> {
        NaiveDate::from_ymd_opt(self.year, self.number, day)?.and_hms_opt(
            minute / 60,
            minute % 60,
            0,
        )
    }
}

fn length(year: i32, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The bits above one.
fn above(bit: u32) -> u32 {
    u32::MAX.checked_shl(bit + 1).unwrap_or_default()
}

fn minute_of(time: NaiveTime) -> u32 {
    time.hour() * 60 + time.minute()
}

/// The first whole minute that is not before a wall time.
fn whole_minute(wall: NaiveDateTime) -> Option<NaiveDateTime> {
    let whole = wall.with_second(0)?.with_nanosecond(0)?;
    match whole == wall {
        true => Some(wall),
        false => whole.checked_add_signed(TimeDelta::minutes(1)),
    }
}
