//! The figures of a block of text.
//!
//! Invariant: every number is a figure unless one of the rules here says that it only names
//! something: it is part of a word, a code, an address, the number of a heading or of a step.
//! Failure: none.

use std::collections::HashSet;

use super::blocks::Block;
use super::dates::{self, Time};
use super::numeral::{self, Notation, Reading, is_blank};
use super::{Unit, words};
use crate::report::unit;

/// A figure of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its first byte in the text of the block.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
    /// What it is.
    pub kind: What,
}

/// What a figure is.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A number.
    Number(Number),
    /// A day or a time of day.
    Time(Time),
}

/// A number and all that its surroundings say of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Number {
    /// What it may mean.
    pub readings: Vec<Reading>,
    /// What it counts.
    pub unit: Unit,
    /// Below nothing: a minus sign.
    pub minus: bool,
    /// A plus sign.
    pub plus: bool,
    /// In parentheses: perhaps below nothing.
    pub parens: bool,
    /// Only about so many.
    pub about: bool,
    /// A place: `3rd`, or how many places: `top 5`.
    pub rank: bool,
    /// A multiple: `2.5x`.
    pub times: bool,
    /// A difference of percentages: `3 points`.
    pub points: bool,
    /// A time that passes; one is so many seconds.
    pub seconds: Option<f64>,
    /// A length of time: `7 days`.
    pub period: bool,
    /// The length of time that a report covers: `the last 7 days`, `30-day`.
    pub window: bool,
    /// A limit: `over 100`.
    pub limit: bool,
    /// Four digits that may be a year.
    pub year: Option<i32>,
    /// The number of a week: `week 47`.
    pub week: bool,
    /// A number that names a thing: `#1234`.
    pub reference: bool,
    /// In words.
    pub spelled: bool,
    /// Blanks hold it together.
    pub blanks: bool,
}

/// The figures of a block. `nouns` are the stems of what the data count; `blanks` lets blanks group
/// digits.
pub fn figures(
    block: &Block,
    notation: Notation,
    nouns: &HashSet<String>,
    blanks: bool,
) -> Vec<Found> {
    let scanner = Scanner {
        text: &block.text,
        notation,
        nouns,
        blanks,
    };
    let mut found = scanner.run(if block.heading {
        scanner.heading_number()
    } else {
        0
    });
    share_units(&block.text, &mut found);
    found
}

struct Scanner<'t> {
    text: &'t str,
    notation: Notation,
    nouns: &'t HashSet<String>,
    blanks: bool,
}

impl<'t> Scanner<'t> {
    fn run(&self, from: usize) -> Vec<Found> {
        let (mut found, mut at) = (Vec::new(), from);
        while let Some(c) = self.next(at) {
            let begins = !self
                .before(at)
                .is_some_and(|before| before.is_alphanumeric() || before == '_');
            if begins && let Some(end) = self.address(at) {
                at = end;
                continue;
            }
            let word = c.is_alphabetic() && begins;
            let digit = c.is_ascii_digit();
            if (digit && begins || word)
                && let Some(time) = dates::read(self.text, at)
            {
                let (start, end) = (at, time.end);
                found.push(Found {
                    start,
                    end,
                    kind: What::Time(time),
                });
                at = end;
            } else if digit {
                at = self.digits(at, &mut found);
            } else if word {
                at = self.word(at, &mut found);
            } else {
                at += c.len_utf8();
            }
        }
        found
    }

    fn rest(&self, at: usize) -> &'t str {
        self.text.get(at..).unwrap_or_default()
    }

    fn next(&self, at: usize) -> Option<char> {
        self.rest(at).chars().next()
    }

    fn before(&self, at: usize) -> Option<char> {
        self.text.get(..at).unwrap_or_default().chars().next_back()
    }

    /// `2.3 ` before the words of a heading.
    fn heading_number(&self) -> usize {
        let text = self.text.trim_start();
        let start = self.text.len() - text.len();
        let end = text
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(0);
        let (number, behind) = text.split_at_checked(end).unwrap_or_default();
        let dotted = number.contains('.') && number.len() <= 8;
        let closed = behind.starts_with(')') && number.len() <= 2;
        let named = behind.trim_start_matches(')').starts_with(' ');
        // `12.5 % more guests` is no numbered heading.
        let words = behind
            .trim_start_matches([')', ' '])
            .starts_with(char::is_alphabetic);
        match !number.is_empty() && (dotted || closed) && named && words {
            true => start + end,
            false => 0,
        }
    }

    /// An address of the net or of mail, or a path: what stands in it is no figure.
    fn address(&self, at: usize) -> Option<usize> {
        if self
            .before(at)
            .is_some_and(|c| !c.is_whitespace() && !matches!(c, '(' | '<' | '"' | '['))
        {
            return None;
        }
        let rest = self.rest(at);
        let long = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let word = rest.get(..long).unwrap_or_default();
        let mail = || {
            word.split_once('@').is_some_and(|(name, host)| {
                name.chars().any(char::is_alphabetic) && host.contains('.')
            })
        };
        let path = || word.starts_with('/') && word.contains(char::is_alphabetic);
        (word.contains("://") || word.starts_with("www.") || mail() || path()).then_some(at + long)
    }

    /// A word: perhaps a number in words, else nothing, digits and all.
    fn word(&self, at: usize, found: &mut Vec<Found>) -> usize {
        let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '\'' | '’');
        let rest = self.rest(at);
        let end = at + rest.find(|c| !part(c)).unwrap_or(rest.len());
        // `USD 5`, `US$5`: what follows is looked at on its own.
        let here: Vec<&str> = rest.split_whitespace().take(10).collect();
        let bare: Vec<&str> = here
            .iter()
            .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
            .collect();
        let Some((value, used)) = words::number(&bare) else {
            return self.code(at, end);
        };
        let (start, end) = (at, self.words_end(at, used));
        let mut number = Number {
            readings: vec![Reading { value, step: 1.0 }],
            spelled: true,
            ..Number::default()
        };
        let stop = self.behind(end, &mut number);
        let noun = bare
            .get(used..used + 3)
            .or_else(|| bare.get(used..))
            .unwrap_or_default();
        let counted = noun
            .iter()
            .any(|noun| self.nouns.contains(&words::stem(noun)));
        if value > 10.0 || counted || number.unit != Unit::Plain || number.period {
            self.in_front(start, &mut number);
            found.push(Found {
                start,
                end: stop,
                kind: What::Number(number),
            });
        }
        stop.max(end)
    }

    /// The byte behind so many words.
    fn words_end(&self, at: usize, used: usize) -> usize {
        let mut end = at;
        for _ in 0..used {
            let blank = self.rest(end).len() - self.rest(end).trim_start().len();
            end += blank;
            let rest = self.rest(end);
            let long = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '-'))
                .unwrap_or(rest.len());
            end += long;
        }
        end
    }

    /// What begins with letters, with the digits that hang on it: `Q3`, `A-1`, `v2.1`.
    fn code(&self, start: usize, end: usize) -> usize {
        let mut end = end;
        let word = self.text.get(start..end).unwrap_or_default();
        let free = [
            "mid", "non", "sub", "pre", "post", "top", "ex", "over", "under", "year",
        ];
        loop {
            let rest = self.rest(end);
            let mut letters = rest.chars();
            let joined = match (letters.next(), letters.next()) {
                (Some('.' | '/' | ':'), Some(c)) if c.is_ascii_digit() => {
                    word.contains(|c: char| c.is_ascii_digit())
                }
                (Some('-' | '‑'), Some(c)) if c.is_ascii_digit() => {
                    !free.contains(&word.to_lowercase().as_str())
                }
                _ => false,
            };
            if !joined {
                return end;
            }
            let sign = rest.chars().next().map_or(1, char::len_utf8);
            let behind = rest.get(sign..).unwrap_or_default();
            end += sign
                + behind
                    .find(|c: char| !c.is_alphanumeric())
                    .unwrap_or(behind.len());
        }
    }

    fn digits(&self, at: usize, found: &mut Vec<Found>) -> usize {
        let mut numeral = numeral::read(self.text, at, self.notation, self.blanks);
        let point = self.before(at) == Some('.');
        let inner = self.text.get(..at).unwrap_or_default().chars().rev().nth(1);
        if point && !inner.is_some_and(|c| c.is_alphanumeric()) {
            // `.5`
            let places = i32::try_from(numeral.end - at).unwrap_or(0);
            let step = 10f64.powi(-places);
            for reading in &mut numeral.readings {
                *reading = Reading {
                    value: reading.value * step,
                    step,
                };
            }
        } else if self
            .before(at)
            .is_some_and(|c| c.is_alphanumeric() || c == '_')
        {
            // Part of a word that was read.
            return numeral.end;
        }
        let mut number = Number {
            readings: numeral.readings.clone(),
            blanks: numeral.blanks,
            ..Number::default()
        };
        let (rest, mut end) = (self.rest(numeral.end), numeral.end);
        let letters = rest
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(rest.len());
        let joined = rest.get(..letters).unwrap_or_default();
        if !joined.is_empty() {
            if !self.attached(joined, &mut number) {
                let part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
                return end + rest.find(|c| !part(c)).unwrap_or(rest.len());
            }
            end += letters;
        }
        if number.readings.is_empty() {
            return end;
        }
        if self.rest(end).starts_with(['-', '‑']) {
            let word = self.word_at(end + self.next(end).map_or(1, char::len_utf8));
            if let Some(seconds) = length(word) {
                (number.period, number.window, number.seconds) = (true, true, seconds);
            } else if word.contains(char::is_alphabetic) && joined.is_empty() && !numeral.plain {
                return end;
            }
        }
        if !number.period && number.unit == Unit::Plain && number.seconds.is_none() && !number.rank
        {
            end = self.behind(end, &mut number);
        } else if number.unit == Unit::Plain && joined.len() <= 3 {
            end = self.currency_behind(end, &mut number);
        }
        // What belongs to the figure before is not this one's.
        let floor = found.last().map_or(0, |before| before.end);
        let start = self.in_front(at, &mut number).max(floor);
        let year = numeral.plain && numeral.end - at == 4 && number.unit == Unit::Plain;
        number.year = number
            .readings
            .first()
            .filter(|reading| {
                year && joined.is_empty() && (1900.0..2200.0).contains(&reading.value)
            })
            .and_then(|_| self.text.get(at..numeral.end))
            .and_then(|digits| digits.parse().ok());
        if !self.only_names(start, &number) {
            found.push(Found {
                start,
                end,
                kind: What::Number(number),
            });
        }
        end
    }

    fn word_at(&self, at: usize) -> &'t str {
        let rest = self.rest(at);
        let long = rest
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(rest.len());
        rest.get(..long).unwrap_or_default()
    }

    /// Letters directly behind the digits; false if they make a code of it.
    fn attached(&self, letters: &str, number: &mut Number) -> bool {
        if matches!(letters, "st" | "nd" | "rd" | "th") {
            number.rank = true;
        } else if matches!(letters, "x" | "fold") {
            number.times = true;
        } else if matches!(letters, "pp" | "pts") {
            (number.unit, number.points) = (Unit::Percent, true);
        } else if letters == "m" {
            // Millions, minutes or metres.
            let more: Vec<Reading> = number
                .readings
                .iter()
                .map(|reading| times(*reading, 1e6))
                .collect();
            number.readings.splice(0..0, more);
        } else if let Some(by) = words::multiplier(letters).filter(|_| letters.len() <= 3) {
            for reading in &mut number.readings {
                *reading = times(*reading, by);
            }
        } else if let Some(seconds) = unit::duration(letters) {
            number.seconds = Some(seconds);
        } else if let Some(code) = unit::currency(letters) {
            number.unit = Unit::Money(code.to_owned());
        } else {
            let sizes = [
                "kb", "mb", "gb", "tb", "kg", "g", "km", "cm", "mm", "px", "kwh", "w", "l",
            ];
            return sizes.contains(&letters.to_lowercase().as_str());
        }
        true
    }

    /// What stands behind a number: a multiplier, a unit. The byte behind what belongs to it.
    fn behind(&self, end: usize, number: &mut Number) -> usize {
        let mut end = end;
        let blank = |at: usize| {
            let rest = self.rest(at);
            at + rest.find(|c| !is_blank(c)).unwrap_or(rest.len())
        };
        let word = self.word_at(blank(end));
        if let Some(by) =
            words::multiplier(word).filter(|_| word.len() > 1 || word == "k" || word == "M")
        {
            for reading in &mut number.readings {
                *reading = times(*reading, by);
            }
            end = blank(end) + word.len();
        }
        let at = blank(end);
        let rest = self.rest(at);
        let word = self.word_at(at);
        let lower = word.to_lowercase();
        if rest.starts_with('%') || rest.starts_with('‰') {
            if rest.starts_with('‰') {
                for reading in &mut number.readings {
                    *reading = times(*reading, 0.1);
                }
            }
            number.unit = Unit::Percent;
            end = at + rest.chars().next().map_or(0, char::len_utf8);
            number.points = self.word_at(blank(end)).to_lowercase().starts_with("point");
            return end;
        }
        match lower.as_str() {
            "percent" | "percentage" | "pct" | "prozent" | "pp" | "points" | "prozentpunkte" => {
                let second = self.word_at(blank(at + word.len())).to_lowercase();
                number.points = matches!(lower.as_str(), "pp" | "points" | "prozentpunkte")
                    || second.starts_with("point");
                if lower == "percentage" && !number.points {
                    return end;
                }
                number.unit = Unit::Percent;
                return at + word.len();
            }
            "per" | "pour" | "por"
                if self
                    .word_at(blank(at + word.len()))
                    .to_lowercase()
                    .starts_with("cent")
                    || self.word_at(blank(at + word.len())) == "ciento" =>
            {
                let cent = blank(at + word.len());
                number.unit = Unit::Percent;
                return cent + self.word_at(cent).len();
            }
            "x" | "times" | "fold" => {
                number.times = true;
                return at + word.len();
            }
            _ => {}
        }
        if let Some(seconds) = length(word) {
            (number.period, number.seconds) = (true, seconds);
            return end;
        }
        self.currency_behind(end, number)
    }

    fn currency_behind(&self, end: usize, number: &mut Number) -> usize {
        let rest = self.rest(end);
        let at = end + rest.find(|c| !is_blank(c)).unwrap_or(rest.len());
        let rest = self.rest(at);
        let letters = self.word_at(at);
        // A symbol that touches digits belongs to them.
        let touches = rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit());
        let sign = rest
            .chars()
            .next()
            .filter(|c| !touches && "€$£¥₹₩₽₺₴₪".contains(*c));
        let (code, long) = match sign {
            Some(sign) => (
                unit::currency(sign.encode_utf8(&mut [0; 4])),
                sign.len_utf8(),
            ),
            // Codes are written in capitals; `won` and `ft` are words.
            None if letters.len() == 3 && letters.chars().all(char::is_uppercase) => {
                (unit::currency(letters), letters.len())
            }
            None => {
                let word = matches!(
                    letters.to_lowercase().as_str(),
                    "euro"
                        | "euros"
                        | "dollar"
                        | "dollars"
                        | "pound"
                        | "pounds"
                        | "yen"
                        | "francs"
                        | "zł"
                        | "kč"
                        | "rupees"
                        | "cents"
                );
                (unit::currency(letters).filter(|_| word), letters.len())
            }
        };
        match code {
            Some(code) => {
                let dollar = sign == Some('$') || letters.to_lowercase().starts_with("dollar");
                number.unit = Unit::Money(if dollar { "$" } else { code }.to_owned());
                at + long
            }
            None => end,
        }
    }

    /// What stands in front of a number: signs, a currency, words. The first byte that belongs to it.
    fn in_front(&self, at: usize, number: &mut Number) -> usize {
        let mut start = at;
        if self.before(start) == Some('.') {
            start -= 1;
        }
        let head = |at: usize| self.text.get(..at).unwrap_or_default();
        let sign = |start: &mut usize, number: &mut Number| {
            let mut before = head(*start).chars().rev();
            let (one, other) = (before.next(), before.next());
            let free =
                other.is_none_or(|c| c.is_whitespace() || "([|€$£¥:=/~≈\u{fffc}".contains(c));
            match one {
                Some(c @ ('-' | '−' | '–')) if free => {
                    number.minus = true;
                    *start -= c.len_utf8();
                }
                Some('+') if free => {
                    number.plus = true;
                    *start -= 1;
                }
                _ => {}
            }
        };
        sign(&mut start, number);
        if number.unit == Unit::Plain && !number.rank && !number.times {
            let blank = head(start).trim_end_matches(is_blank);
            let last = blank.chars().next_back();
            let symbol = last.filter(|c| "€$£¥₹₩₽₺₴₪".contains(*c));
            let letters = blank.len() - blank.trim_end_matches(|c: char| c.is_alphabetic()).len();
            let word = blank.get(blank.len() - letters..).unwrap_or_default();
            if let Some(symbol) = symbol {
                let rest = blank.len() - symbol.len_utf8();
                let prefix = head(rest);
                let letters = prefix.len()
                    - prefix
                        .trim_end_matches(|c: char| c.is_ascii_uppercase())
                        .len();
                let full = blank.get(rest - letters..).unwrap_or_default();
                let code = unit::currency(full).filter(|_| letters > 0);
                let bare = if symbol == '$' {
                    Some("$")
                } else {
                    unit::currency(symbol.encode_utf8(&mut [0; 4]))
                };
                if let Some(code) = code.or(bare) {
                    number.unit = Unit::Money(code.to_owned());
                    start = if code == "$" || letters == 0 {
                        rest
                    } else {
                        rest - letters
                    };
                    sign(&mut start, number);
                }
            } else if word.len() == 3
                && word.chars().all(|c| c.is_ascii_uppercase())
                && let Some(code) = unit::currency(word)
            {
                number.unit = Unit::Money(code.to_owned());
                start = blank.len() - letters;
            }
        }
        let blank = head(start).trim_end();
        let tilde = blank.ends_with(['~', '≈', '∼', '>', '<', '≥', '≤']);
        let mut before = blank
            .rsplit(|c: char| !(c.is_alphanumeric() || c == '.'))
            .filter(|word| !word.is_empty());
        let (word, second) = (
            before.next().unwrap_or_default(),
            before.next().unwrap_or_default(),
        );
        // `a good 5`, `the top 5`: words further off say nothing.
        let near = blank.ends_with(word) && !word.is_empty();
        number.about = tilde
            || near
                && words::is_about(word)
                && !(word == "to" && second != "up" && second != "close");
        number.limit = blank.ends_with(['>', '<', '≥', '≤']) || near && words::is_limit(word);
        number.rank |= near && words::is_rank(word);
        number.window |= number.period && (number.limit || number.rank);
        number.week = near
            && matches!(
                word.to_lowercase().as_str(),
                "week" | "kw" | "woche" | "semaine"
            );
        number.reference = blank.ends_with('#') && start == blank.len();
        let behind = self.rest(at);
        let close = behind.find(')').is_some_and(|close| {
            behind
                .get(..close)
                .unwrap_or_default()
                .chars()
                .all(|c| !c.is_alphabetic() && c != '(')
        });
        number.parens = blank.ends_with('(') && start == blank.len() && close;
        start
    }

    /// Rules for numbers that only name something.
    fn only_names(&self, start: usize, number: &Number) -> bool {
        let blank = self.text.get(..start).unwrap_or_default();
        let head = blank.trim_end();
        let word = head
            .rsplit(|c: char| !(c.is_alphanumeric() || c == '.'))
            .next()
            .unwrap_or_default();
        let plain = number.unit == Unit::Plain && number.seconds.is_none();
        plain && blank.len() > head.len() && words::is_label(word)
            // `24/7`
            || plain && self.rest(start).starts_with("24/7")
            || plain && head.ends_with("24/") && self.rest(start).starts_with('7')
    }
}

fn times(reading: Reading, by: f64) -> Reading {
    Reading {
        value: reading.value * by,
        step: reading.step * by,
    }
}

/// Whether a word is a length of time, and how many seconds if that is always the same.
fn length(word: &str) -> Option<Option<f64>> {
    let lower = word.to_lowercase();
    match lower.as_str() {
        "week" | "weeks" | "woche" | "wochen" => Some(Some(604_800.0)),
        "month" | "months" | "quarter" | "quarters" | "year" | "years" | "monate" | "jahre" => {
            Some(None)
        }
        "tage" | "tagen" | "tag" | "jours" | "días" => Some(Some(86_400.0)),
        "stunden" | "stunde" | "heures" | "horas" => Some(Some(3_600.0)),
        "s" | "h" | "d" | "ms" | "min" => unit::duration(&lower).map(Some),
        _ if lower.len() > 2 => unit::duration(&lower).map(Some),
        _ => None,
    }
}

/// In `5–7 %` and `from 5 to 7 million` the first number is of the unit of the second.
fn share_units(text: &str, found: &mut [Found]) {
    for at in 1..found.len() {
        let (Some(one), Some(other)) = (found.get(at - 1), found.get(at)) else {
            continue;
        };
        let between = text.get(one.end..other.start).unwrap_or_default().trim();
        if !matches!(
            between,
            "–" | "—" | "-" | "to" | "and" | "or" | "bis" | "und"
        ) {
            continue;
        }
        let What::Number(first) = &one.kind else {
            continue;
        };
        let second = match &other.kind {
            What::Number(second) => second,
            What::Time(time) => {
                let day = day_before(first, time);
                if let (Some(day), Some(one)) = (day, found.get_mut(at - 1)) {
                    one.kind = What::Time(Time {
                        end: one.end,
                        ..day
                    });
                }
                continue;
            }
        };
        if first.unit != Unit::Plain || first.seconds.is_some() {
            continue;
        }
        let mut shared = first.clone();
        shared.unit = second.unit.clone();
        shared.seconds = second.seconds;
        shared.period |= second.period;
        if let (Some(reading), true) = (second.readings.first(), first.readings.len() == 1) {
            let by = [1e3, 1e6, 1e9].into_iter().find(|by| {
                reading.step >= *by * 1e-4
                    && reading.value >= *by
                    && text
                        .get(other.start..other.end)
                        .is_some_and(|text| text.contains(char::is_alphabetic))
            });
            let more = by.and_then(|by| first.readings.first().map(|reading| times(*reading, by)));
            shared.readings.extend(more);
        }
        if let Some(one) = found.get_mut(at - 1) {
            one.kind = What::Number(shared);
        }
    }
}

/// `20` in `20 to 26 November`.
fn day_before(first: &Number, time: &Time) -> Option<Time> {
    let reading = first.readings.first()?;
    let whole = first.unit == Unit::Plain && (1.0..=31.0).contains(&reading.value);
    let day = (1..=31u32).find(|day| whole && f64::from(*day) == reading.value)?;
    let last = time.days.first().filter(|last| last.day.is_some())?;
    Some(Time {
        end: 0,
        days: vec![dates::Day {
            day: Some(day),
            ..*last
        }],
        clock: None,
    })
}
