//! The figures of a block of text.
//!
//! Invariant: every number is a figure unless one of the rules here says that it only names
//! something: it is part of a word, a code, an address, the number of a heading or of a step.
//! Failure: none.

use std::collections::HashSet;

use super::around::length;
use super::blocks::Block;
use super::dates::{self, Time};
use super::numeral::{self, Notation, Reading};
use super::{Unit, ranges, words};

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
    ranges::units(&block.text, &mut found);
    found
}

/// A text that is being read.
pub(super) struct Scanner<'t> {
    pub(super) text: &'t str,
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

    pub(super) fn rest(&self, at: usize) -> &'t str {
        self.text.get(at..).unwrap_or_default()
    }

    pub(super) fn next(&self, at: usize) -> Option<char> {
        self.rest(at).chars().next()
    }

    pub(super) fn before(&self, at: usize) -> Option<char> {
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

    pub(super) fn word_at(&self, at: usize) -> &'t str {
        let rest = self.rest(at);
        let long = rest
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(rest.len());
        rest.get(..long).unwrap_or_default()
    }
}
