//! Weekly opening hours, by the wall clock of the event.
//!
//! Invariant: a span lasts 1 minute to 24 hours; one that ends at or before it begins ends on the
//! next day. The start is open, the end is closed.
//! Failure: a wrong span is reported with its pointer.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use super::reading::Fields;
use crate::civil::Weekday;
use crate::invalid::Invalid;

/// Minutes since local midnight, 0 to 1440; `HH:MM` in JSON, `24:00` being the next midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minute(pub u16);

/// One weekly span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Hours {
    /// The day it begins.
    pub day: Weekday,
    /// First open minute, 00:00 to 23:59.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "09:00"))]
    pub from: Minute,
    /// First closed minute; not after `from` means on the next day.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "09:00"))]
    pub to: Minute,
}

/// Reads the list of `opening_hours`; `base` is its pointer.
pub(crate) fn parse(value: &Value, base: &str) -> Result<Vec<Hours>, Invalid> {
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) if items.len() <= 100 => items,
        Value::Array(_) => return Err(Invalid::one(base, "too_many", "At most 100.")),
        _ => return Err(Invalid::one(base, "invalid_type", "Must be a list.")),
    };
    let mut invalid = Invalid::default();
    let spans = items.iter().enumerate();
    let spans =
        spans.filter_map(|(place, item)| invalid.take(span(item, &format!("{base}/{place}"))));
    let spans = spans.collect();
    invalid.or(spans)
}

fn span(value: &Value, base: &str) -> Result<Hours, Invalid> {
    let mut fields = Fields::of(value, base);
    let day = fields
        .raw("day")
        .and_then(|day| Weekday::deserialize(day).ok());
    let from = fields
        .raw("from")
        .and_then(Value::as_str)
        .and_then(Minute::parse);
    let to = fields
        .raw("to")
        .and_then(Value::as_str)
        .and_then(Minute::parse);
    if day.is_none() {
        fields.wrong(
            "day",
            "invalid_day",
            "One of mon, tue, wed, thu, fri, sat, sun.",
        );
    }
    if from.is_none_or(|from| from.0 == 1440) {
        fields.wrong("from", "invalid_clock", "A wall time, 00:00 to 23:59.");
    }
    if to.is_none() {
        fields.wrong("to", "invalid_clock", "A wall time, 00:01 to 24:00.");
    }
    if from.is_some() && from == to {
        fields.wrong(
            "to",
            "empty_span",
            "Must differ from the start; a whole day is 00:00 to 24:00.",
        );
    }
    match (day, from, to) {
        (Some(day), Some(from), Some(to)) => fields.finish().or(Hours { day, from, to }),
        _ => Err(fields.finish()),
    }
}

/// Open at this minute of this day? No hours at all means always.
pub fn open(hours: &[Hours], day: Weekday, minute: u16) -> bool {
    hours.is_empty()
        || hours.iter().any(|span| {
            let overnight = span.to <= span.from;
            let today = span.day == day && minute >= span.from.0;
            let since_yesterday = overnight && span.day.next() == day && minute < span.to.0;
            since_yesterday || (today && (overnight || minute < span.to.0))
        })
}

/// The next opening after a closed minute, within a week.
pub fn next_opening(hours: &[Hours], day: Weekday, minute: u16) -> Option<(Weekday, Minute)> {
    let of_week = |day: Weekday, minute: u16| day.index() * 1440 + minute;
    let now = of_week(day, minute);
    let wait = |span: &&Hours| (of_week(span.day, span.from.0) + 7 * 1440 - now) % (7 * 1440);
    hours
        .iter()
        .min_by_key(wait)
        .map(|span| (span.day, span.from))
}

impl Minute {
    /// Reads `HH:MM`, 00:00 to 24:00.
    pub fn parse(text: &str) -> Option<Self> {
        let (hour, minute) = text.split_once(':')?;
        let number = |part: &str| {
            let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u16>().ok().filter(|_| digits)
        };
        let (hour, minute) = (number(hour)?, number(minute)?);
        let total = hour * 60 + minute;
        (minute < 60 && total <= 1440).then_some(Self(total))
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Serialize for Minute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Minute {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not a wall time"))
    }
}
