//! Instants as text: RFC 3339 in, RFC 3339 with milliseconds and `Z` out.
//!
//! Invariant: what is rendered parses back to the same instant, to the millisecond.
//! Failure: other notations, and years outside 1 to 9999, are refused at their pointer.

use chrono::{DateTime, Datelike, SecondsFormat, TimeZone, Timelike, Utc};

use crate::invalid::Invalid;

/// Reads RFC 3339 with `T` between date and time and an offset or `Z`. Digits past the millisecond
/// are cut; a leap second (`:60`) is the first second of the next minute.
pub fn try_parse(text: &str) -> Option<DateTime<Utc>> {
    // chrono also takes a space there, which is another notation.
    if !matches!(text.as_bytes().get(10), Some(b'T' | b't')) {
        return None;
    }
    let instant = to_ms(DateTime::parse_from_rfc3339(text).ok()?.to_utc());
    (1..=9_999).contains(&instant.year()).then_some(instant)
}

/// Reads an instant that came in at `pointer`.
pub fn parse(pointer: &str, text: &str) -> Result<DateTime<Utc>, Invalid> {
    try_parse(text).ok_or_else(|| {
        Invalid::one(
            pointer,
            "invalid_time",
            "Must be an RFC 3339 time such as 2026-06-01T18:30:00Z.",
        )
    })
}

/// `2026-06-01T18:30:00.000Z`.
pub fn render(instant: DateTime<Utc>) -> String {
    match digits(instant) {
        Some(digits) => str::from_utf8(&digits).unwrap_or_default().to_owned(),
        None => instant.to_rfc3339_opts(SecondsFormat::Millis, true),
    }
}

/// The text of an instant of the years 0 to 9999, without an allocation: scans write many.
fn digits(instant: DateTime<Utc>) -> Option<[u8; 24]> {
    let year = u32::try_from(instant.year())
        .ok()
        .filter(|year| *year <= 9_999)?;
    let mut out = *b"0000-00-00T00:00:00.000Z";
    let mut put = |at: usize, width: usize, mut number: u32| {
        for place in out.iter_mut().skip(at).take(width).rev() {
            *place = b'0' + u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
        }
    };
    put(0, 4, year);
    put(5, 2, instant.month());
    put(8, 2, instant.day());
    put(11, 2, instant.hour());
    put(14, 2, instant.minute());
    put(17, 2, instant.second());
    put(20, 3, (instant.nanosecond() / 1_000_000).min(999));
    Some(out)
}

/// The instant of Unix milliseconds; those no calendar reaches are cut to its ends.
pub fn from_ms(unix_ms: i64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(unix_ms)
        .single()
        .unwrap_or(if unix_ms < 0 {
            DateTime::<Utc>::MIN_UTC
        } else {
            DateTime::<Utc>::MAX_UTC
        })
}

/// An instant without the digits past the millisecond.
pub fn to_ms(instant: DateTime<Utc>) -> DateTime<Utc> {
    from_ms(instant.timestamp_millis())
}

/// `#[serde(with = "rules::time::ms")]`: an instant as [`render`] writes it.
pub mod ms {
    use chrono::{DateTime, Utc};
    use serde::{Deserializer, Serializer, de};

    /// Writes the instant with milliseconds and `Z`.
    pub fn serialize<S: Serializer>(instant: &DateTime<Utc>, to: S) -> Result<S::Ok, S::Error> {
        match super::digits(*instant) {
            Some(digits) => to.serialize_str(str::from_utf8(&digits).unwrap_or_default()),
            None => to.serialize_str(&super::render(*instant)),
        }
    }

    /// Reads an instant as [`super::try_parse`] does.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<DateTime<Utc>, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = DateTime<Utc>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an RFC 3339 time")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                super::try_parse(text)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        from.deserialize_str(Text)
    }
}

/// `#[serde(with = "rules::time::ms_option")]`: the same for an instant that may be missing. Add
/// `default` where the field itself may be missing.
pub mod ms_option {
    use chrono::{DateTime, Utc};
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the instant, or `null`.
    pub fn serialize<S: Serializer>(
        instant: &Option<DateTime<Utc>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match instant {
            Some(instant) => super::ms::serialize(instant, to),
            None => to.serialize_none(),
        }
    }

    /// Reads an instant or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<DateTime<Utc>>, D::Error> {
        #[derive(Deserialize)]
        struct Instant(#[serde(with = "super::ms")] DateTime<Utc>);
        Ok(Option::<Instant>::deserialize(from)?.map(|Instant(instant)| instant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rendered_with_milliseconds_and_z() {
        for (text, expect) in [
            ("2026-06-01T18:30:00Z", "2026-06-01T18:30:00.000Z"),
            ("2026-06-01T18:30:00.1239999Z", "2026-06-01T18:30:00.123Z"),
            ("2026-06-01t20:30:00.5+02:00", "2026-06-01T18:30:00.500Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
            ("2016-12-31T23:59:60.750Z", "2017-01-01T00:00:00.750Z"),
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(
                try_parse(text).map(render).as_deref(),
                Some(expect),
                "{text}"
            );
            assert_eq!(try_parse(expect).map(render).as_deref(), Some(expect));
            let json = format!("\"{expect}\"");
            let mut read = serde_json::Deserializer::from_str(&json);
            let mut written = Vec::new();
            let instant = ms_option::deserialize(&mut read).unwrap();
            ms_option::serialize(&instant, &mut serde_json::Serializer::new(&mut written)).unwrap();
            assert_eq!(String::from_utf8(written).unwrap(), json);
        }
    }

    #[test]
    fn other_notations_are_refused() {
        for bad in [
            "",
            "2026-06-01",
            "2026-06-01 18:30:00Z",
            "2026-06-01T18:30:00",
            "2026-02-30T00:00:00Z",
            "2026-06-01T25:00:00Z",
            "1717266600",
            "2026-6-1T18:30:00Z",
            "0000-01-01T00:00:00Z",
            "+10000-01-01T00:00:00Z",
            "2026-06-01T18:30:00Z ",
            "2026-06-0\u{661}T18:30:00Z",
        ] {
            assert_eq!(try_parse(bad), None, "{bad}");
        }
        assert_eq!(
            parse("/opens_at", "soon").unwrap_err().errors[0].code,
            "invalid_time"
        );
    }

    #[test]
    fn absurd_milliseconds_do_not_panic() {
        assert!(from_ms(i64::MAX) > from_ms(0) && from_ms(i64::MIN) < from_ms(0));
        assert_eq!(
            render(from_ms(1_717_266_600_007)),
            "2024-06-01T18:30:00.007Z"
        );
    }
}
