//! What stands around a number: signs, currencies, units, words.
//!
//! Invariant: nothing is read twice; a unit belongs to the number that it stands next to.
//! Failure: letters that are no unit make a code of the digits they hang on.

use super::Unit;
use super::numeral::{Reading, is_blank};
use super::scan::{Number, Scanner};
use super::words;
use crate::report::unit;

impl Scanner<'_> {
    /// Letters directly behind the digits; false if they make a code of it.
    pub(super) fn attached(&self, letters: &str, number: &mut Number) -> bool {
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
    pub(super) fn behind(&self, end: usize, number: &mut Number) -> usize {
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

    pub(super) fn currency_behind(&self, end: usize, number: &mut Number) -> usize {
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
    pub(super) fn in_front(&self, at: usize, number: &mut Number) -> usize {
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
    pub(super) fn only_names(&self, start: usize, number: &Number) -> bool {
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

/// A reading so many times as large.
pub(super) fn times(reading: Reading, by: f64) -> Reading {
    Reading {
        value: reading.value * by,
        step: reading.step * by,
    }
}

/// Whether a word is a length of time, and how many seconds if that is always the same.
pub(super) fn length(word: &str) -> Option<Option<f64>> {
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
