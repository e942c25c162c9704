//! Day of month and day of week, and how the two of them make dates.
//!
//! Invariant: what a month matches depends only on its length and on the weekday it begins with:
//! 28 kinds of months, worked out once. Within 400 years every kind comes, so what none of them
//! matches is never.
//! Failure: none.

use super::field::{Fault, Field, number};

/// Days of the month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dates {
    /// Exactly `*` or `?`.
    pub any: bool,
    /// Begins with `*`, but is more than that.
    pub starred: bool,
    /// Bits 1 to 31.
    pub plain: u32,
    /// `L`.
    pub last: bool,
    /// `LW`.
    pub last_weekday: bool,
    /// `nW`, bits 1 to 31.
    pub nearest: u32,
}

/// Days of the week; Sunday is bit 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weekdays {
    /// Exactly `*` or `?`.
    pub any: bool,
    /// Begins with `*`, but is more than that.
    pub starred: bool,
    /// Every such day.
    pub plain: u32,
    /// `d#n`: the first to the fifth of the month.
    pub nth: [u32; 5],
    /// `dL`.
    pub last: u32,
}

/// Both fields together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Days {
    pub dates: Dates,
    pub weekdays: Weekdays,
    /// `+` stood before the day of week: both must match.
    pub both: bool,
}

/// For lengths from 28, for first days from Sunday: the days that match, bits 1 to 31.
pub(super) type Table = [[u32; 7]; 4];

/// The shortest month.
pub(super) const SHORTEST: u32 = 28;

impl Dates {
    /// Adds one item of the field.
    pub(super) fn add(&mut self, item: &str) -> Result<(), Fault> {
        if item.eq_ignore_ascii_case("L") {
            self.last = true;
        } else if item.eq_ignore_ascii_case("LW") {
            self.last_weekday = true;
        } else if let Some(date) = item.strip_suffix(['W', 'w']).filter(|text| {
            // `W` of a name or of nothing is no weekday.
            number(text).is_some()
        }) {
            self.nearest |= 1 << Field::Date.value(date)?;
        } else {
            self.plain |= low_bits(Field::Date.numbers(item)?);
        }
        Ok(())
    }

    fn matches(&self, day: u32, length: u32, first: u32) -> bool {
        let is = |bits: u32, day: u32| bits & (1 << day) != 0;
        let weekday = |day: u32| (first + day + 6) % 7;
        let workday = |day: u32| !matches!(weekday(day), 0 | 6);
        if self.any || is(self.plain, day) || (self.last && day == length) {
            return true;
        }
        // The rule stays within the month: back from a Saturday, on from a Sunday, unless that is
        // another month.
        let nearest = |wanted: u32| match weekday(wanted) {
            6 if wanted == 1 => 3,
            6 => wanted - 1,
            0 if wanted == length => length - 2,
            0 => wanted + 1,
            _ => wanted,
        };
        let wanted = day.saturating_sub(2).max(1)..=length.min(day + 2);
        let near = wanted
            .filter(|wanted| is(self.nearest, *wanted))
            .any(|wanted| nearest(wanted) == day);
        let last_weekday = || workday(day) && (day + 1..=length).all(|later| !workday(later));
        near || (self.last_weekday && last_weekday())
    }
}

impl Weekdays {
    /// Adds one item of the field.
    pub(super) fn add(&mut self, item: &str) -> Result<(), Fault> {
        let fold = |bits: u32| (bits | bits >> 7) & 0x7f;
        let bit = |text: &str| Field::Weekday.value(text).map(|day| fold(1 << day));
        if let Some((day, nth)) = item.split_once('#') {
            let day = bit(day)?;
            if nth.eq_ignore_ascii_case("L") {
                self.last |= day;
                return Ok(());
            }
            let place = number(nth).and_then(|nth| usize::try_from(nth).ok()?.checked_sub(1));
            match place.and_then(|place| self.nth.get_mut(place)) {
                Some(days) => *days |= day,
                None => {
                    return Err((
                        "cron_range",
                        format!("what follows the # of {item:?} must be 1 to 5, or L."),
                    ));
                }
            }
        } else if item.eq_ignore_ascii_case("L") {
            return Err((
                "cron_value",
                "L needs a day in front of it, such as 5L.".to_owned(),
            ));
        } else if let Some(day) = item.strip_suffix(['L', 'l']) {
            self.last |= bit(day)?;
        } else {
            self.plain |= fold(low_bits(Field::Weekday.numbers(item)?));
        }
        Ok(())
    }

    fn matches(&self, day: u32, length: u32, first: u32) -> bool {
        let weekday = 1 << ((first + day + 6) % 7);
        let place = usize::try_from((day - 1) / 7).unwrap_or_default();
        let nth = self.nth.get(place).copied().unwrap_or_default();
        let last = if day + 7 > length { self.last } else { 0 };
        self.any || (self.plain | nth | last) & weekday != 0
    }
}

impl Days {
    /// What each kind of month matches.
    pub(super) fn table(&self) -> Table {
        let mut table = Table::default();
        for (length, kinds) in (SHORTEST..).zip(&mut table) {
            for (first, days) in (0..).zip(kinds) {
                let matching = (1..=length).filter(|day| self.matches(*day, length, first));
                *days = matching.fold(0, |days, day| days | 1 << day);
            }
        }
        table
    }

    fn matches(&self, day: u32, length: u32, first: u32) -> bool {
        let date = self.dates.matches(day, length, first);
        let weekday = self.weekdays.matches(day, length, first);
        match self.either() {
            true => date || weekday,
            false => date && weekday,
        }
    }

    /// Both fields restrict, and one of them is enough.
    pub(super) fn either(&self) -> bool {
        !(self.dates.any || self.weekdays.any || self.both)
    }
}

/// The lengths that a month can have.
pub(super) const fn lengths(month: u32) -> &'static [u32] {
    match month {
        2 => &[28, 29],
        4 | 6 | 9 | 11 => &[30],
        _ => &[31],
    }
}

fn low_bits(bits: u64) -> u32 {
    u32::try_from(bits).unwrap_or_default()
}
