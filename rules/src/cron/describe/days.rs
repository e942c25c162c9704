//! The days in words.
//!
//! Invariant: where one of two kinds of day is enough, each names its months; where both must
//! match, one says when.
//! Failure: none.

use super::super::days::{Dates, Days, Weekdays};
use super::words::{bits, list, month, ordinal, runs, spans, step, weekday};

const ALL_MONTHS: u32 = 0x1ffe;
const ALL_DATES: u32 = 0xffff_fffe;
const ALL_WEEKDAYS: u32 = 0x7f;
const MONDAY_TO_FRIDAY: u32 = 0x3e;
const WEEKEND: u32 = 0x41;
const PLACES: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

/// The days of some months; none for every day of the year.
pub(super) fn phrase(days: &Days, months: u32) -> Option<String> {
    let every_date = days.dates.any || days.dates.plain == ALL_DATES;
    let every_weekday = days.weekdays.any || days.weekdays.plain == ALL_WEEKDAYS;
    if days.either() {
        return match every_date || every_weekday {
            true => every_day(months),
            false => Some(format!(
                "{} and {}",
                dates(&days.dates, months),
                weekdays(&days.weekdays, months)
            )),
        };
    }
    match (every_date, every_weekday) {
        (true, true) => every_day(months),
        (true, false) => Some(weekdays(&days.weekdays, months)),
        (false, true) => Some(dates(&days.dates, months)),
        (false, false) => Some(format!(
            "{} when that is {}",
            dates(&days.dates, months),
            condition(&days.weekdays)
        )),
    }
}

fn every_day(months: u32) -> Option<String> {
    (months != ALL_MONTHS).then(|| format!("every day{}", within(months)))
}

/// `on the 1st and 15th of every month`.
fn dates(dates: &Dates, months: u32) -> String {
    let plain = bits(dates.plain.into());
    let mut items = Vec::new();
    match step(&plain) {
        Some(step) if step > 1 && plain.len() > 4 => {
            let ends = plain.first().zip(plain.last());
            let (first, last) = ends.unwrap_or((&0, &0));
            let (first, last) = (ordinal(*first), ordinal(*last));
            items.push(format!(
                "every {} day from the {first} to the {last}",
                ordinal(step)
            ));
        }
        _ if plain.is_empty() => {}
        _ => items.push(format!("the {}", spans(&plain, ordinal))),
    }
    let near = bits(dates.nearest.into()).into_iter();
    items.extend(near.map(|date| format!("the weekday nearest to the {}", ordinal(date))));
    if dates.last_weekday {
        items.push("the last weekday".to_owned());
    }
    if dates.last {
        items.push("the last day".to_owned());
    }
    format!("on {} of {}", list(&items), of(months))
}

/// `every Monday and on the second Friday of every month`.
fn weekdays(days: &Weekdays, months: u32) -> String {
    let mut items = Vec::new();
    if days.plain != 0 {
        items.push(format!("{}{}", each(days.plain), within(months)));
    }
    let placed = placed(days);
    if !placed.is_empty() {
        items.push(format!("on {} of {}", list(&placed), of(months)));
    }
    list(&items)
}

/// `a Monday`, `the second Friday of the month`.
fn condition(days: &Weekdays) -> String {
    let mut items = Vec::new();
    match days.plain {
        0 => {}
        MONDAY_TO_FRIDAY => items.push("a weekday".to_owned()),
        plain => items.extend(
            bits(plain.into())
                .into_iter()
                .map(|day| format!("a {}", weekday(day))),
        ),
    }
    let placed = placed(days);
    if !placed.is_empty() {
        items.push(format!("{} of the month", list(&placed)));
    }
    match items.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => list(&items),
    }
}

/// `every weekday`, `every Monday and Friday`.
fn each(plain: u32) -> String {
    if plain == ALL_WEEKDAYS {
        return "every day".to_owned();
    }
    if plain == MONDAY_TO_FRIDAY {
        return "every weekday".to_owned();
    }
    if plain == WEEKEND {
        return "every Saturday and Sunday".to_owned();
    }
    // A week that goes on to Sunday: Sunday counts as its end.
    let sunday_last = plain & 1 != 0 && plain & (1 << 6) != 0;
    let shifted = if sunday_last {
        plain & !1 | 1 << 7
    } else {
        plain
    };
    let days = bits(shifted.into());
    let name = |day: u32| weekday(day % 7).to_owned();
    match runs(&days).as_slice() {
        [(first, last)] if last - first > 1 => {
            format!("every day from {} to {}", name(*first), name(*last))
        }
        _ => {
            let names: Vec<_> = days.into_iter().map(name).collect();
            format!("every {}", list(&names))
        }
    }
}

/// `the second Friday`, in the order of the month.
fn placed(days: &Weekdays) -> Vec<String> {
    let mut items = Vec::new();
    let places = PLACES.iter().zip(&days.nth);
    for (place, days) in places.chain([(&"last", &days.last)]) {
        if *days != 0 {
            let names = bits((*days).into()).into_iter().map(weekday);
            let names: Vec<_> = names.map(str::to_owned).collect();
            items.push(format!("the {place} {}", list(&names)));
        }
    }
    items
}

/// ` in March`, nothing for all of them.
fn within(months: u32) -> String {
    match months {
        ALL_MONTHS => String::new(),
        _ => match runs(&bits(months.into())).as_slice() {
            [(first, last)] if last - first > 1 => {
                format!(" from {} to {}", month(*first), month(*last))
            }
            _ => format!(" in {}", names(months)),
        },
    }
}

/// `every month`, `March`.
fn of(months: u32) -> String {
    match months {
        ALL_MONTHS => "every month".to_owned(),
        _ => match runs(&bits(months.into())).as_slice() {
            [(first, last)] if last - first > 1 => {
                format!("every month from {} to {}", month(*first), month(*last))
            }
            _ => names(months),
        },
    }
}

fn names(months: u32) -> String {
    spans(&bits(months.into()), |number| month(number).to_owned())
}
