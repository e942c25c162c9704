//! Reads an expression strictly, and says of each wrong field what it takes.
//!
//! Invariant: reading costs a few steps for each byte, of which there are at most
//! [`MAX_TEXT`](super::MAX_TEXT); whether anything ever matches is seen from the 28 kinds of
//! months, not searched for.
//! Failure: all wrong fields at once, at `/cron`.

use super::calendar::{Calendar, Times};
use super::days::{Dates, Days, Weekdays, lengths};
use super::field::{Fault, Field};
use super::{Cron, MAX_TEXT};
use crate::invalid::Invalid;

const POINTER: &str = "/cron";
const FIELDS: &str = "minute, hour, day of month, month, day of week";

/// Expressions with a name.
const MACROS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

pub(super) fn parse(text: &str) -> Result<Cron, Invalid> {
    let wrong = |code: &str, message: String| Err(Invalid::one(POINTER, code, message));
    if text.len() > MAX_TEXT {
        return wrong(
            "cron_too_long",
            format!("Must have at most {MAX_TEXT} bytes."),
        );
    }
    if !text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t'))
    {
        return wrong(
            "cron_character",
            "Must consist of ASCII letters, digits, signs and blanks.".to_owned(),
        );
    }
    let parts: Vec<&str> = text.split_ascii_whitespace().collect();
    let text = parts.join(" ");
    if text.starts_with('@') {
        let known = MACROS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(&text));
        return match known {
            Some((_, fields)) => read(text, &fields.split(' ').collect::<Vec<_>>()),
            None => wrong("cron_macro", unknown_macro(&text)),
        };
    }
    read(text, &parts)
}

fn read(text: String, parts: &[&str]) -> Result<Cron, Invalid> {
    let [minute, hour, date, month, weekday] = parts else {
        let message = match parts.len() {
            0 => format!("Must have five fields: {FIELDS}."),
            6.. => format!(
                "Has {} fields, but must have five: {FIELDS}. Seconds, years and time zones do \
                 not belong to it.",
                parts.len()
            ),
            count => format!("Has {count} of the five fields: {FIELDS}."),
        };
        return Err(Invalid::one(POINTER, "cron_field_count", message));
    };
    let mut invalid = Invalid::default();
    let minutes = invalid.take(bits(Field::Minute, minute));
    let hours = invalid.take(bits(Field::Hour, hour));
    let dates = invalid.take(dates(date));
    let months = invalid.take(bits(Field::Month, month));
    let (both, weekday) = match weekday.strip_prefix('+') {
        Some(weekday) => (true, weekday),
        None => (false, *weekday),
    };
    let weekdays = invalid.take(weekdays(weekday));
    let fields = minutes.zip(hours).zip(dates).zip(months).zip(weekdays);
    let Some(((((minutes, hours), dates), months), weekdays)) = fields else {
        return Err(invalid);
    };
    let days = Days {
        dates,
        weekdays,
        both,
    };
    let calendar = Calendar {
        times: Times {
            minutes,
            hours: u32::try_from(hours).unwrap_or_default(),
        },
        months: u32::try_from(months).unwrap_or_default(),
        days: days.table(),
    };
    if calendar.never() {
        return Err(never(&days));
    }
    Ok(Cron {
        text,
        calendar,
        days,
        fixed: !minute.starts_with('*') && !hour.starts_with('*'),
    })
}

/// A field of numbers and names only.
fn bits(field: Field, text: &str) -> Result<u64, Invalid> {
    let mut bits = 0;
    each(field, text, |item| {
        field.numbers(item).map(|more| bits |= more)
    })?;
    Ok(bits)
}

fn dates(text: &str) -> Result<Dates, Invalid> {
    let mut dates = Dates {
        any: matches!(text, "*" | "?"),
        starred: text.len() > 1 && text.starts_with('*'),
        ..Dates::default()
    };
    if !dates.any {
        each(Field::Date, text, |item| dates.add(item))?;
    }
    Ok(dates)
}

fn weekdays(text: &str) -> Result<Weekdays, Invalid> {
    let mut weekdays = Weekdays {
        any: matches!(text, "*" | "?"),
        starred: text.len() > 1 && text.starts_with('*'),
        ..Weekdays::default()
    };
    if !weekdays.any {
        each(Field::Weekday, text, |item| weekdays.add(item))?;
    }
    Ok(weekdays)
}

/// Every item of a list; the first one that is wrong is told.
fn each(
    field: Field,
    text: &str,
    mut add: impl FnMut(&str) -> Result<(), Fault>,
) -> Result<(), Invalid> {
    let one = |item: &str| match item.is_empty() {
        true => Err(("cron_empty_item", format!("{text:?} has an empty item."))),
        false => add(item),
    };
    text.split(',')
        .try_for_each(one)
        .map_err(|(code, fault)| wrong(field, code, &fault))
}

fn wrong(field: Field, code: &str, fault: &str) -> Invalid {
    let message = format!("{}: {fault} {}", field.name(), field.takes());
    Invalid::one(POINTER, code, message)
}

fn unknown_macro(text: &str) -> String {
    let names: Vec<_> = MACROS.iter().map(|(name, _)| *name).collect();
    let hint = match text.to_ascii_lowercase().as_str() {
        "@reboot" => " @reboot names no time.",
        every if every.starts_with("@every") => " Intervals are written as steps, such as */5.",
        _ => "",
    };
    format!("{text:?} is not known; use {}.{hint}", names.join(", "))
}

/// Why no date matches.
fn never(days: &Days) -> Invalid {
    let message = match days.weekdays.any {
        true => {
            "Day of month, Month: no such date exists. February has at most 29 days; April, June, \
             September and November have 30."
        }
        false => {
            "Day of month, Month, Day of week: no date fits them together. Without + in front of \
             the day of week, either kind of day is enough."
        }
    };
    Invalid::one(POINTER, "cron_never", message)
}

impl Calendar {
    fn never(&self) -> bool {
        let possible = |month: u32| {
            lengths(month)
                .iter()
                .any(|length| self.kinds(*length).iter().any(|days| *days != 0))
        };
        !(1..=12).any(|month| self.months & (1 << month) != 0 && possible(month))
    }
}
