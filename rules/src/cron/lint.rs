//! What may surprise in a valid expression.
//!
//! Invariant: a lint never keeps an expression from running.
//! Failure: none.

use serde::{Deserialize, Serialize};

use super::Cron;

/// A hint about an expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = CronLint))]
pub struct Lint {
    /// Stable machine code, for example `cron_day_or`.
    pub code: String,
    /// One or two sentences for a person.
    pub message: String,
}

pub(super) fn lint(cron: &Cron) -> Vec<Lint> {
    let mut found = Vec::new();
    let mut say = |code: &str, message: &str| {
        found.push(Lint {
            code: code.to_owned(),
            message: message.to_owned(),
        });
    };
    let (times, days) = (&cron.calendar.times, &cron.days);
    if days.either() && (days.dates.starred || days.weekdays.starred) {
        say(
            "cron_day_step_or",
            "A step such as */2 restricts its day field, so either kind of day is enough. Vixie \
             cron wants both here; write + in front of the day of week for that.",
        );
    } else if days.either() {
        say(
            "cron_day_or",
            "Runs on the days of the month and on the days of the week. Write + in front of the \
             day of week to run only where both match.",
        );
    }
    if days.weekdays.any || days.both {
        let dates = &days.dates;
        let only_late = !dates.any
            && !dates.last
            && !dates.last_weekday
            && (dates.plain | dates.nearest).trailing_zeros() > 28;
        let months = (1..=12).filter(|month| cron.calendar.months & (1 << month) != 0);
        let shortest = |month: u32| match month {
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let first = (dates.plain | dates.nearest).trailing_zeros();
        let february = cron.calendar.months == 1 << 2;
        if only_late && february {
            say("cron_leap_day", "Runs in leap years only.");
        } else if only_late && months.into_iter().any(|month| shortest(month) < first) {
            say(
                "cron_short_month",
                "Does not run in months that are shorter. Write L for the last day of every month.",
            );
        }
    }
    if times.minutes.count_ones() == 60 && times.hours.count_ones() < 24 {
        say(
            "cron_every_minute",
            "Runs every minute of the hours named. Write 0 as the minute to run once an hour.",
        );
    }
    if uneven(times.minutes, 60) {
        say(
            "cron_uneven_minutes",
            "Steps start again with every hour, so the last one of each hour is shorter.",
        );
    }
    if uneven(times.hours.into(), 24) {
        say(
            "cron_uneven_hours",
            "Steps start again with every day, so the last one of each day is shorter.",
        );
    }
    if cron.fixed && times.hours.count_ones() == 24 {
        say(
            "cron_range_for_star",
            "Written as a range, every hour counts as a fixed time: an hour that comes twice runs \
             once. Write * as the hour to run both times.",
        );
    }
    found
}

/// Steps from the start to the end that do not come round evenly.
fn uneven(bits: u64, size: u32) -> bool {
    let numbers: Vec<u32> = (0..size).filter(|bit| bits & (1 << bit) != 0).collect();
    let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else {
        return false;
    };
    let mut steps = numbers
        .iter()
        .zip(numbers.iter().skip(1))
        .map(|(one, next)| next - one);
    let Some(step) = steps.next() else {
        return false;
    };
    let to_the_end = *first < step && last + step >= size && numbers.len() > 2;
    step > 1 && steps.all(|other| other == step) && to_the_end && last + step != size + first
}
