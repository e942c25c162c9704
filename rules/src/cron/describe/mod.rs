//! An expression in plain words.
//!
//! Invariant: what is said holds for every run; what a change of the clock makes exceptional is
//! said of the next run that it happens to, within [`LOOK_AHEAD`].
//! Failure: none.

use chrono::{DateTime, TimeDelta, Utc};

use super::Cron;
use crate::civil::Zone;

mod days;
mod exception;
mod times;
pub(super) mod words;

/// How far ahead exceptions are looked for.
const LOOK_AHEAD: TimeDelta = TimeDelta::days(800);

pub(super) fn describe(cron: &Cron, zone: &Zone, from: DateTime<Utc>) -> String {
    let days = days::phrase(&cron.days, cron.calendar.months);
    let times = times::phrase(&cron.calendar.times);
    let condition = !cron.days.either() && !cron.days.dates.any && !cron.days.weekdays.any;
    let text = match (days, times) {
        (None, times::Phrase::AllDay(times)) => times,
        (None, times::Phrase::Within(times)) => format!("every day, {times}"),
        (None, times::Phrase::At(times)) => format!("every day {times}"),
        (Some(days), times::Phrase::At(times)) if !condition => format!("{days} {times}"),
        (
            Some(days),
            times::Phrase::At(times) | times::Phrase::AllDay(times) | times::Phrase::Within(times),
        ) => {
            format!("{days}, {times}")
        }
    };
    let exception = from
        .checked_add_signed(LOOK_AHEAD)
        .and_then(|until| exception::next(cron, zone, from, until));
    let exception = exception.map_or_else(String::new, |text| format!("; {text}"));
    format!("{text}, {}{exception}", words::zone(zone))
}
