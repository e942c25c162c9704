//! What was asked: numbers of the prompt and of the statements that were run.
//!
//! Invariant: a quote is the same number in the same unit; nothing is derived from it.
//! Failure: none.

use std::collections::HashSet;

use super::blocks;
use super::dates::{self, Time};
use super::numeral::{self, Notation};
use super::scan::{self, Number, What};
use super::{Context, Unit};
use crate::report::Dataset;

/// Most bytes of a prompt and of all statements that are read.
const MAX_BYTES: usize = 64 * 1024;

/// What was asked.
#[derive(Default)]
pub struct Quotes {
    numbers: HashSet<(String, u64)>,
    times: Vec<Time>,
    /// Numbers of the statements: limits and lengths of time.
    sql: HashSet<u64>,
}

impl Quotes {
    /// Reads the prompt and the statements.
    pub fn of(data: &[Dataset], context: &Context<'_>) -> Self {
        let mut quotes = Self::default();
        let mut end = context.prompt.len().min(MAX_BYTES);
        while !context.prompt.is_char_boundary(end) {
            end -= 1;
        }
        let prompt = context.prompt.get(..end).unwrap_or_default();
        let blocks = blocks::of(prompt);
        let notation = numeral::notation(blocks.iter().map(|block| &block.text));
        for block in &blocks {
            for found in scan::figures(block, notation, &HashSet::new(), true) {
                match found.kind {
                    What::Number(number) => quotes.number(&number),
                    What::Time(time) => quotes.times.push(time),
                }
            }
        }
        let mut left = MAX_BYTES;
        for sql in data.iter().filter_map(|set| set.sql.as_deref()) {
            if sql.len() <= left {
                left -= sql.len();
                quotes.statement(sql);
            }
        }
        quotes
    }

    fn number(&mut self, number: &Number) {
        for reading in &number.readings {
            self.numbers
                .insert((unit(&number.unit), reading.value.to_bits()));
        }
    }

    fn statement(&mut self, sql: &str) {
        let mut at = 0;
        while let Some(c) = sql.get(at..).and_then(|rest| rest.chars().next()) {
            let before = sql.get(..at).and_then(|before| before.chars().next_back());
            let begins = !before.is_some_and(|c| c.is_alphanumeric() || c == '_');
            if !(c.is_ascii_digit() && begins) {
                at += c.len_utf8();
                continue;
            }
            if let Some(time) = dates::read(sql, at) {
                at = time.end;
                self.times.push(time);
                continue;
            }
            let numeral = numeral::read(sql, at, Notation::Point, false);
            let value = numeral
                .readings
                .first()
                .map(|reading| reading.value.to_bits());
            self.sql.extend(value);
            at = numeral.end.max(at + 1);
        }
    }

    /// Whether the prompt says this number.
    pub fn has(&self, number: &Number) -> bool {
        number.readings.iter().any(|reading| {
            self.numbers
                .contains(&(unit(&number.unit), reading.value.to_bits()))
        })
    }

    /// Whether a statement holds this number: a limit, a length of time.
    pub fn has_in_sql(&self, value: f64) -> bool {
        self.sql.contains(&value.to_bits())
    }

    /// Whether the prompt or a statement names this time.
    pub fn has_time(&self, time: &Time) -> bool {
        let days = |other: &Time| {
            time.days.is_empty()
                || time.days.iter().any(|day| {
                    other.days.iter().any(|known| {
                        day.month == known.month
                            && (day.day == known.day || day.day.is_none())
                            && (day.year == known.year || day.year.is_none())
                    })
                })
        };
        let clock = |other: &Time| time.clock.is_none() || time.clock == other.clock;
        self.times.iter().any(|other| days(other) && clock(other))
    }
}

fn unit(unit: &Unit) -> String {
    match unit {
        Unit::Money(code) => code.clone(),
        Unit::Percent => "%".to_owned(),
        Unit::Plain | Unit::Time => String::new(),
    }
}
