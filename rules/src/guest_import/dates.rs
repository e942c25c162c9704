//! Instants as people and exports write them.
//!
//! Invariant: a date means the same in every line of a file: `1/2/2026` is the second of January,
//! always; what would be another order is refused, not guessed. Without an offset it is wall time in
//! the table's zone. A day alone is its first instant, or its last where it is an end.
//! Failure: what is none of these notations is nothing here, and an error of its line above.
//!
//! Read: RFC 3339 and the same with a blank or without seconds; `2026-06-01`, `2026/06/01`;
//! `01.06.2026`; `6/1/2026`; `Jun 1, 2026`; each alone or with `18:30`, `18:30:15`, `6:30 PM`,
//! `6 p.m.`, `noon` or `midnight`.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::civil::{LocalDay, Zone};
use crate::time;

/// Reads an instant. `end`: a day alone means its end.
pub fn parse(text: &str, zone: &Zone, end: bool) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if !text.is_ascii() || text.len() > 40 {
        return None;
    }
    if let Some(instant) = with_offset(text) {
        return Some(instant);
    }
    let (day, rest) = date(text)?;
    let rest = rest.trim_start_matches([',', ' ', 'T', 't']).trim();
    if rest.is_empty() {
        return Some(if end {
            zone.start_of(day.next()) - TimeDelta::milliseconds(1)
        } else {
            zone.start_of(day)
        });
    }
    let (minute, second) = clock(rest)?;
    Some(zone.instant(day, minute) + TimeDelta::seconds(i64::from(second)))
}

/// RFC 3339, also with a blank instead of `T` and without seconds.
fn with_offset(text: &str) -> Option<DateTime<Utc>> {
    let (date, clock) = (text.get(..10)?, text.get(11..)?);
    if !matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' ')) {
        return None;
    }
    let clock = clock.trim();
    let at = clock.find(['Z', 'z', '+', '-'])?;
    let (wall, offset) = clock.split_at(at);
    let wall = wall.trim();
    let seconds = if wall.len() == 5 { ":00" } else { "" };
    let colon = match offset.as_bytes() {
        [b'+' | b'-', _, _, _, _] => format!("{}:{}", offset.get(..3)?, offset.get(3..)?),
        _ => offset.to_owned(),
    };
    time::try_parse(&format!("{date}T{wall}{seconds}{colon}"))
}

/// The day a text begins with, and what follows it.
fn date(text: &str) -> Option<(LocalDay, &str)> {
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return named_month(text);
    }
    let (first, rest) = number(text)?;
    let mark = rest.chars().next()?;
    let (second, rest) = number(rest.get(1..)?)?;
    if !rest.starts_with(mark) {
        return None;
    }
    let (third, rest) = number(rest.get(1..)?)?;
    let (year, month, day) = match (mark, first.1, third.1) {
        ('-' | '/', 4, _) => (first, second, third),
        ('.', _, _) => (third, second, first),
        ('/', _, _) => (third, first, second),
        _ => return None,
    };
    Some((calendar(year, month.0, day.0)?, rest))
}

/// `Jun 1, 2026`.
fn named_month(text: &str) -> Option<(LocalDay, &str)> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let (word, rest) = text.split_once(' ')?;
    let start = word.get(..3)?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|month| *month == start)? + 1;
    let (day, rest) = number(rest.trim_start())?;
    let (year, rest) = number(rest.trim_start_matches([',', ' ']))?;
    Some((calendar(year, u32::try_from(month).ok()?, day.0)?, rest))
}

/// A number and how many digits it has, and what follows it.
fn number(text: &str) -> Option<((u32, usize), &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits)?;
    Some(((number.parse().ok().filter(|_| digits <= 4)?, digits), rest))
}

fn calendar((year, digits): (u32, usize), month: u32, day: u32) -> Option<LocalDay> {
    let year = match digits {
        2 => 2_000 + year,
        4 => year,
        _ => return None,
    };
    let year = i16::try_from(year).ok()?;
    NaiveDate::from_ymd_opt(i32::from(year), month, day)?;
    Some(LocalDay {
        year,
        month: i8::try_from(month).ok()?,
        day: i8::try_from(day).ok()?,
    })
}

/// Minutes from midnight, and seconds.
fn clock(text: &str) -> Option<(u16, u16)> {
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "noon" => return Some((12 * 60, 0)),
        "midnight" => return Some((0, 0)),
        _ => {}
    }
    let (digits, half) = match lower.find(['a', 'p']) {
        Some(at) => {
            let (digits, half) = lower.split_at(at);
            let half: String = half.chars().filter(|c| *c != '.').collect();
            (digits.trim_end(), Some(half))
        }
        None => (lower.trim_end_matches("uhr").trim_end(), None),
    };
    let mut parts = digits.split(':');
    let mut part = |most: u16| -> Option<Option<u16>> {
        let Some(text) = parts.next() else {
            return Some(None);
        };
        // Fractions of a second say nothing at a door.
        let text = text.split_once('.').map_or(text, |(whole, _)| whole);
        let plain = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let number: u16 = text.parse().ok()?;
        (plain && number <= most).then_some(Some(number))
    };
    let (hour, minute, second) = (part(24)??, part(59)?, part(59)?);
    if parts.next().is_some() || (minute.is_none() && half.is_none()) {
        return None;
    }
    let hour = match half.as_deref() {
        None => hour,
        Some("am") if (1..=12).contains(&hour) => hour % 12,
        Some("pm") if (1..=12).contains(&hour) => hour % 12 + 12,
        Some(_) => return None,
    };
    let (minute, second) = (hour * 60 + minute.unwrap_or(0), second.unwrap_or(0));
    (minute < 1_440 || (minute == 1_440 && second == 0)).then_some((minute, second))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, zone: &str, end: bool) -> Option<String> {
        parse(text, &Zone::parse(zone).unwrap(), end).map(time::render)
    }

    #[test]
    fn every_notation_is_read() {
        #[rustfmt::skip]
        let same = [
            "2026-06-01T18:30:00+02:00", "2026-06-01 18:30:00+02:00", "2026-06-01 18:30+0200",
            "2026-06-01T16:30Z", "2026-06-01 18:30", "2026-06-01T18:30:00",
            "2026-06-01 18:30:00.000", "2026/06/01 18:30", "01.06.2026 18:30",
            "1.6.2026 18:30 Uhr", "1.6.26 18:30", "01.06.2026, 18:30:00", "6/1/2026 18:30",
            "06/01/2026 6:30 PM", "6/1/26 6:30pm", "06/01/2026 6:30 p.m.", "Jun 1, 2026 6:30 PM",
            "June 1, 2026, 18:30", " 2026-06-01  18:30 ",
        ];
        for text in same {
            assert_eq!(
                read(text, "Europe/Berlin", false).as_deref(),
                Some("2026-06-01T16:30:00.000Z"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_day_alone_is_its_start_or_its_end() {
        for text in [
            "2026-06-01",
            "2026/6/1",
            "01.06.2026",
            "6/1/2026",
            "Jun 1, 2026",
        ] {
            assert_eq!(
                read(text, "Europe/Berlin", false).as_deref(),
                Some("2026-05-31T22:00:00.000Z"),
                "{text}"
            );
            assert_eq!(
                read(text, "Europe/Berlin", true).as_deref(),
                Some("2026-06-01T21:59:59.999Z"),
                "{text}"
            );
        }
        assert_eq!(
            read("10/25/2026", "Europe/Berlin", true).as_deref(),
            Some("2026-10-25T22:59:59.999Z")
        );
    }

    #[test]
    fn words_and_edges_of_the_clock() {
        for (text, expect) in [
            ("6/1/2026 noon", "2026-06-01T12:00:00.000Z"),
            ("6/1/2026 midnight", "2026-06-01T00:00:00.000Z"),
            ("6/1/2026 12 a.m.", "2026-06-01T00:00:00.000Z"),
            ("6/1/2026 12:05 PM", "2026-06-01T12:05:00.000Z"),
            ("6/1/2026 6 p.m.", "2026-06-01T18:00:00.000Z"),
            ("2026-06-01 24:00", "2026-06-02T00:00:00.000Z"),
            ("2026-06-01 23:59:59", "2026-06-01T23:59:59.000Z"),
        ] {
            assert_eq!(read(text, "UTC", false).as_deref(), Some(expect), "{text}");
        }
        assert_eq!(
            read("2026-03-29 02:30", "Europe/Berlin", false).as_deref(),
            Some("2026-03-29T01:30:00.000Z")
        );
    }

    #[test]
    fn what_is_no_date_is_nothing() {
        #[rustfmt::skip]
        let nothing = [
            "", "soon", "13/01/2026", "31.02.2026", "2026-13-01", "2026-06-01 25:00",
            "2026-06-01 24:01", "2026-06-01 18", "2026-06-01 18:60", "1/6", "06-01-2026",
            "2026.06.01", "1.6.126", "6/1/2026 13:00 PM", "6/1/2026 0 am", "46174",
            "2026-06-01 18:30:00:00", "Foo 1, 2026", "2026-06-01T18:30:00+99:99", "２０２６-06-01",
            "6/1/2026 6:30 xm", "1.6/2026",
        ];
        for text in nothing {
            assert_eq!(read(text, "Europe/Berlin", false), None, "{text}");
        }
    }
}
