//! Days and times of day in prose.
//!
//! Invariant: a time has every reading that its notation allows: `3/4/2026` is a day in March and one
//! in April.
//! Failure: what names no day and no time of day is no time.

use chrono::{Datelike, NaiveDate, NaiveTime, Timelike};

use super::numeral::is_blank;

/// A time in a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Time {
    /// The byte behind it.
    pub end: usize,
    /// The days it may be; none for a time of day alone.
    pub days: Vec<Day>,
    /// Hour and minute.
    pub clock: Option<(u32, u32)>,
}

/// A day as far as it is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// The year.
    pub year: Option<i32>,
    /// The month, 1 to 12.
    pub month: u32,
    /// The day of the month.
    pub day: Option<u32>,
}

impl Day {
    /// Whether a date is that day, or in that month.
    pub fn fits(&self, date: NaiveDate) -> bool {
        date.month() == self.month
            && self.year.is_none_or(|year| date.year() == year)
            && self.day.is_none_or(|day| date.day() == day)
    }

    fn is_one(&self) -> bool {
        let days = match self.month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 => 29,
            _ => return false,
        };
        self.day.is_none_or(|day| (1..=days).contains(&day))
            && self.year.is_none_or(|year| (1900..=2200).contains(&year))
    }
}

impl Time {
    /// For people and for comparing: `2026-11-26T09:30`, `11-26`, `09:30`.
    pub fn plain(&self) -> String {
        let day = self.days.first().map(|day| {
            let year = day
                .year
                .map(|year| format!("{year:04}-"))
                .unwrap_or_default();
            let of = day.day.map(|day| format!("-{day:02}")).unwrap_or_default();
            format!("{year}{:02}{of}", day.month)
        });
        let clock = self
            .clock
            .map(|(hour, minute)| format!("{hour:02}:{minute:02}"));
        match (day, clock) {
            (Some(day), Some(clock)) => format!("{day}T{clock}"),
            (day, clock) => day.or(clock).unwrap_or_default(),
        }
    }

    /// Whether the wall clock shows this.
    pub fn is_at(&self, clock: NaiveTime) -> bool {
        self.clock == Some((clock.hour(), clock.minute()))
    }
}

/// The months in English, German, French and Spanish; those of one line are the same month.
const MONTHS: [&[&str]; 12] = [
    &["january", "jan", "januar", "jänner", "janvier", "enero"],
    &["february", "feb", "februar", "février", "febrero"],
    &["march", "mar", "märz", "mrz", "mars", "marzo"],
    &["april", "apr", "avril", "abril"],
    &["may", "mai", "mayo"],
    &["june", "jun", "juni", "juin", "junio"],
    &["july", "jul", "juli", "juillet", "julio"],
    &["august", "aug", "août", "agosto"],
    &["september", "sep", "sept", "septembre", "septiembre"],
    &["october", "oct", "oktober", "okt", "octobre", "octubre"],
    &["november", "nov", "novembre", "noviembre"],
    &[
        "december",
        "dec",
        "dezember",
        "dez",
        "décembre",
        "diciembre",
    ],
];

/// The time that begins at a place where a word begins.
pub fn read(text: &str, at: usize) -> Option<Time> {
    let reader = Reader { text };
    let day = reader
        .iso(at)
        .or_else(|| reader.numeric(at))
        .or_else(|| reader.day_first(at))
        .or_else(|| reader.month_first(at));
    let Some(day) = day else {
        return reader.clock(at);
    };
    // `2026-11-26 09:30`, `26 November 2026, 09:30`, `26 November at 9 am`.
    let behind = reader.skip(day.end, |c| is_blank(c) || matches!(c, ',' | 'T' | 't'));
    let behind = match reader.word(behind).to_lowercase().as_str() {
        word @ ("at" | "um" | "à" | "las") => reader.skip(behind + word.len(), is_blank),
        _ => behind,
    };
    match reader.clock(behind).filter(|_| behind > day.end) {
        Some(clock) => Some(Time {
            end: clock.end,
            clock: clock.clock,
            ..day
        }),
        None => Some(day),
    }
}

struct Reader<'t> {
    text: &'t str,
}

impl Reader<'_> {
    fn rest(&self, at: usize) -> &str {
        self.text.get(at..).unwrap_or_default()
    }

    fn next(&self, at: usize) -> Option<char> {
        self.rest(at).chars().next()
    }

    fn skip(&self, at: usize, what: impl Fn(char) -> bool) -> usize {
        let rest = self.rest(at);
        at + rest.find(|c| !what(c)).unwrap_or(rest.len())
    }

    fn word(&self, at: usize) -> &str {
        let end = self.skip(at, char::is_alphabetic);
        self.text.get(at..end).unwrap_or_default()
    }

    /// A number of so many digits, not part of a longer one.
    fn digits(&self, at: usize, least: usize, most: usize) -> Option<(u32, usize)> {
        let end = self.skip(at, |c| c.is_ascii_digit());
        let digits = self.text.get(at..end)?;
        let fits = (least..=most).contains(&digits.len());
        fits.then(|| digits.parse().ok().map(|number| (number, end)))?
    }

    fn sign(&self, at: usize, signs: &[char]) -> Option<usize> {
        let found = self.next(at).filter(|c| signs.contains(c))?;
        Some(at + found.len_utf8())
    }

    fn made(&self, end: usize, days: &[Day]) -> Option<Time> {
        let days: Vec<Day> = days.iter().copied().filter(Day::is_one).collect();
        let behind = self
            .next(end)
            .is_some_and(|c| c.is_alphanumeric() && c != 'T' && c != 't');
        (!days.is_empty() && !behind).then_some(Time {
            end,
            days,
            clock: None,
        })
    }

    /// `2026-11-26`, `2026/11/26`, `2026-11`.
    fn iso(&self, at: usize) -> Option<Time> {
        let (year, end) = self.digits(at, 4, 4)?;
        let sign = self.next(end).filter(|c| matches!(c, '-' | '/'))?;
        let (month, end) = self.digits(end + 1, 2, 2)?;
        let day = self.sign(end, &[sign]).and_then(|at| self.digits(at, 2, 2));
        let end = match (day, sign) {
            (Some((_, end)), _) => end,
            (None, '-') => end,
            (None, _) => return None,
        };
        let year = i32::try_from(year).ok();
        let day = day.map(|(day, _)| day);
        self.made(end, &[Day { year, month, day }])
    }

    /// `26.11.2026`, `26.11.`, `11/26/2026`, `26/11/26`.
    fn numeric(&self, at: usize) -> Option<Time> {
        let (one, end) = self.digits(at, 1, 2)?;
        let sign = self.next(end).filter(|c| matches!(c, '.' | '/' | '-'))?;
        let (other, end) = self.digits(end + 1, 1, 2)?;
        let year = self
            .sign(end, &[sign])
            .and_then(|at| self.digits(at, 4, 4).or_else(|| self.digits(at, 2, 2)));
        let day = |day, month, year| Day {
            year,
            month,
            day: Some(day),
        };
        match (year, sign) {
            (Some((year, end)), _) => {
                let year = i32::try_from(if year < 100 { year + 2000 } else { year }).ok();
                match sign {
                    '/' => self.made(end, &[day(other, one, year), day(one, other, year)]),
                    _ => self.made(end, &[day(one, other, year)]),
                }
            }
            // `26.11.` needs its second point, or it is a decimal.
            (None, '.') => {
                let end = self.sign(end, &['.'])?;
                let more = self.next(end).is_some_and(|c| c.is_ascii_digit());
                let ends = self.rest(end).trim_start().chars().next();
                // At the end of a sentence it may be one all the same.
                (!more && ends.is_some_and(char::is_lowercase))
                    .then(|| self.made(end, &[day(one, other, None)]))?
            }
            _ => None,
        }
    }

    /// `26 November 2026`, `26. November`, `26th of November`.
    fn day_first(&self, at: usize) -> Option<Time> {
        let (day, end) = self.digits(at, 1, 2)?;
        let mut end = end;
        for ordinal in ["st", "nd", "rd", "th", "."] {
            if self.rest(end).starts_with(ordinal) {
                end += ordinal.len();
                break;
            }
        }
        let blank = self.skip(end, |c| is_blank(c) || c == '-');
        let of = match self.word(blank).to_lowercase().as_str() {
            word @ ("of" | "de") => self.skip(blank + word.len(), is_blank),
            _ => blank,
        };
        let (month, end) = self.month(of)?;
        let (year, end) = self.year(end);
        self.made(
            end,
            &[Day {
                year,
                month,
                day: Some(day),
            }],
        )
    }

    /// `November 26, 2026`, `Nov 26th`, `November 2026`.
    fn month_first(&self, at: usize) -> Option<Time> {
        let (month, end) = self.month(at)?;
        let blank = self.skip(end, is_blank);
        if blank == end {
            return None;
        }
        if let Some((day, mut end)) = self.digits(blank, 1, 2) {
            for ordinal in ["st", "nd", "rd", "th"] {
                if self.rest(end).starts_with(ordinal) {
                    end += ordinal.len();
                    break;
                }
            }
            let day = Some(day);
            let (year, end) = self.year(end);
            return self.made(end, &[Day { year, month, day }]);
        }
        let (year, end) = self.digits(blank, 4, 4)?;
        let year = i32::try_from(year).ok();
        let day = None;
        self.made(end, &[Day { year, month, day }])
    }

    fn month(&self, at: usize) -> Option<(u32, usize)> {
        let word = self.word(at);
        let lower = word.to_lowercase();
        let found = MONTHS
            .iter()
            .position(|names| names.contains(&lower.as_str()))?;
        let mut end = at + word.len();
        if word.chars().count() <= 4 && self.next(end) == Some('.') {
            end += 1;
        }
        Some((u32::try_from(found).ok()? + 1, end))
    }

    /// The year behind a month and a day, if there is one.
    fn year(&self, end: usize) -> (Option<i32>, usize) {
        let blank = self.skip(end, |c| is_blank(c) || matches!(c, ',' | '-'));
        let next = |end: usize| self.next(end).is_some_and(|c| matches!(c, '-' | '/'));
        match self.digits(blank, 4, 4) {
            // `26 November, 2026-11-26` are two dates.
            Some((year, stop)) if blank > end && (1900..2200).contains(&year) && !next(stop) => {
                (i32::try_from(year).ok(), stop)
            }
            _ => (None, end),
        }
    }

    /// `09:30`, `9:30 pm`, `9 am`, `14h30`, `09:30:15`.
    fn clock(&self, at: usize) -> Option<Time> {
        let (hour, end) = self.digits(at, 1, 2)?;
        let sign = self.next(end);
        let (minute, end) = match sign {
            Some(':' | 'h') => match self.digits(end + 1, 2, 2) {
                Some((minute, end)) => (Some(minute), end),
                None => return None,
            },
            _ => (None, end),
        };
        // Seconds say no more.
        let end = match self.sign(end, &[':']).and_then(|at| self.digits(at, 2, 2)) {
            Some((_, end)) if minute.is_some() => {
                let part = self
                    .sign(end, &['.'])
                    .map(|at| self.skip(at, |c| c.is_ascii_digit()));
                part.unwrap_or(end)
            }
            _ => end,
        };
        let blank = self.skip(end, is_blank);
        let half = self.word(blank).to_lowercase();
        let dotted = ["a.m.", "p.m."]
            .iter()
            .find(|half| self.rest(blank).to_lowercase().starts_with(**half));
        let (late, end) = match (half.as_str(), dotted) {
            ("am", _) => (Some(false), blank + 2),
            ("pm", _) => (Some(true), blank + 2),
            (_, Some(half)) => (Some(half.starts_with('p')), blank + half.len()),
            _ => (None, end),
        };
        let hour = match late {
            Some(_) if !(1..=12).contains(&hour) => return None,
            Some(late) => hour % 12 + if late { 12 } else { 0 },
            None => hour,
        };
        if minute.is_none() && late.is_none() {
            return None;
        }
        let minute = minute.unwrap_or(0);
        let end = match self.next(end) {
            Some('Z') => end + 1,
            Some('+' | '-') => {
                let zone = self
                    .digits(end + 1, 2, 2)
                    .and_then(|(_, end)| self.sign(end, &[':']));
                zone.and_then(|at| self.digits(at, 2, 2))
                    .map_or(end, |(_, end)| end)
            }
            _ => end,
        };
        let fits = (hour < 24 || (hour == 24 && minute == 0)) && minute < 60;
        fits.then_some(Time {
            end,
            days: Vec::new(),
            clock: Some((hour % 24, minute)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_their_notations() {
        for (text, plain, end) in [
            ("2026-11-26", "2026-11-26", 10),
            ("2026-11-26T09:30:00Z", "2026-11-26T09:30", 20),
            ("2026-11-26 09:30", "2026-11-26T09:30", 16),
            ("2026-11", "2026-11", 7),
            ("26 November 2026", "2026-11-26", 16),
            ("26 November 2026, 09:30", "2026-11-26T09:30", 23),
            ("26. November", "11-26", 12),
            ("26th of November", "11-26", 16),
            ("Nov 26", "11-26", 6),
            ("Nov. 26th, 2026 rest", "2026-11-26", 15),
            ("November 26, 2026", "2026-11-26", 17),
            ("November 2026", "2026-11", 13),
            ("3 März 2026", "2026-03-03", 12),
            ("26.11.2026", "2026-11-26", 10),
            ("26.11.26", "2026-11-26", 8),
            ("26.11. war", "11-26", 6),
            ("11/26/2026", "2026-11-26", 10),
            ("26/11/2026", "2026-11-26", 10),
            ("09:30", "09:30", 5),
            ("9:30 pm", "21:30", 7),
            ("9 am", "09:00", 4),
            ("12 a.m.", "00:00", 7),
            ("14h30", "14:30", 5),
            ("24:00", "00:00", 5),
            ("09:30:15+01:00", "09:30", 14),
        ] {
            let time = read(text, 0).unwrap_or_default();
            assert_eq!((time.plain().as_str(), time.end), (plain, end), "{text}");
        }
        assert_eq!(read("3/4/2026", 0).map(|time| time.days.len()), Some(2));
        for no in [
            "26",
            "26.11",
            "26.11. War",
            "3/4",
            "13/32/2026",
            "25:00",
            "9:75",
            "May be",
            "may 5th00",
            "2026-13-01",
            "March on",
            "1:2",
            "26.11.2026x",
            "Novemb 3",
        ] {
            assert_eq!(read(no, 0), None, "{no}");
        }
    }
}
