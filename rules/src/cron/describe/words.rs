//! Dates, times and lists as people write them.
//!
//! Invariant: English, the 24-hour clock, days before months.
//! Failure: none.

use chrono::{NaiveDate, NaiveTime};

use crate::civil::{MONTHS, Zone};

const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
/// Regions whose zones are named by a city alone.
const REGIONS: [&str; 10] = [
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
];

/// `02:30`, with seconds where there are any.
pub(in crate::cron) fn clock(time: NaiveTime) -> String {
    let seconds = time.format("%S").to_string();
    match seconds.as_str() {
        "00" => time.format("%H:%M").to_string(),
        _ => time.format("%H:%M:%S").to_string(),
    }
}

/// `02:30` of a minute of the day.
pub(super) fn minute(minute: u32) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// `14 March 2027`.
pub(in crate::cron) fn day(date: NaiveDate) -> String {
    date.format("%-d %B %Y").to_string()
}

/// `March`, from 1.
pub(super) fn month(number: u32) -> &'static str {
    let place = usize::try_from(number).unwrap_or_default().checked_sub(1);
    place
        .and_then(|place| MONTHS.get(place))
        .copied()
        .unwrap_or_default()
}

/// `Friday`, from Sunday.
pub(super) fn weekday(number: u32) -> &'static str {
    let place = usize::try_from(number).unwrap_or_default();
    WEEKDAYS.get(place).copied().unwrap_or_default()
}

/// `22nd`.
pub(super) fn ordinal(number: u32) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// `a, b and c`.
pub(super) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `New York time`.
pub(super) fn zone(zone: &Zone) -> String {
    let name = zone.name();
    if matches!(name, "UTC" | "Etc/UTC") {
        return "UTC".to_owned();
    }
    let city = match name.split_once('/') {
        Some((region, rest)) if REGIONS.contains(&region) => {
            rest.rsplit('/').next().unwrap_or(rest)
        }
        _ => name,
    };
    format!("{} time", city.replace('_', " "))
}

/// The numbers of bits, from the lowest.
pub(super) fn bits(bits: u64) -> Vec<u32> {
    (0..64).filter(|bit| bits & (1 << bit) != 0).collect()
}

/// Numbers in runs of neighbours: first and last of each.
pub(super) fn runs(numbers: &[u32]) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    runs
}

/// The distance that all neighbours of three or more numbers have.
pub(super) fn step(numbers: &[u32]) -> Option<u32> {
    let [first, second, third, ..] = numbers else {
        return None;
    };
    let step = second - first;
    let even = numbers
        .iter()
        .zip(numbers.iter().skip(1))
        .all(|(one, next)| next - one == step);
    (even && third - second == step).then_some(step)
}

/// A list in which neighbours are drawn together: `1st, 3rd to 7th and 31st`.
pub(super) fn spans(numbers: &[u32], word: impl Fn(u32) -> String) -> String {
    let mut items = Vec::new();
    for (first, last) in runs(numbers) {
        match last - first {
            0 => items.push(word(first)),
            1 => items.extend([word(first), word(last)]),
            _ => items.push(format!("{} to {}", word(first), word(last))),
        }
    }
    list(&items)
}
