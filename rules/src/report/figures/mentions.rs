//! Which rows a block speaks of: those whose names, days or hours stand in it.
//!
//! Invariant: bounded for each block; a name that belongs to many rows speaks of them together.
//! Failure: none.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{Datelike, NaiveDate, Timelike, Weekday};
use serde_json::Value;

use super::blocks::Block;
use super::dates::Time;
use super::facts::Sets;
use super::scan::{Found, What};
use crate::civil::Zone;
use crate::report::Kind;
use crate::report::moment::Moment;
use crate::report::unit::Measure;

/// Most cells that are indexed.
const MAX_CELLS: usize = 100_000;
/// A longer text is no name.
const MAX_NAME: usize = 80;
/// A name of more rows speaks of them together only.
pub const MAX_ROWS: usize = 12;
/// Most rows of one group.
const MAX_GROUP: usize = 2_000;

/// Where names, days and times stand in the data.
#[derive(Default)]
pub struct Index {
    /// Names by their first word.
    names: HashMap<String, Vec<(String, Place)>>,
    days: BTreeMap<NaiveDate, Vec<(usize, usize)>>,
    clocks: HashMap<(u32, u32), Vec<(usize, usize)>>,
    numbers: HashMap<i64, Vec<(usize, usize)>>,
    /// Cells of text that hold digits.
    pub texts: Vec<(String, Place)>,
}

/// A cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The dataset.
    pub set: usize,
    /// The row.
    pub row: usize,
    /// The column.
    pub column: usize,
}

/// What a block speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentioned {
    /// Rows, each by itself.
    pub rows: BTreeSet<(usize, usize)>,
    /// Rows together: dataset and rows.
    pub groups: Vec<(usize, Vec<usize>)>,
}

impl Index {
    /// Reads the data.
    pub fn of(sets: &Sets<'_>, zone: &Zone) -> Self {
        let mut index = Self::default();
        let mut left = MAX_CELLS;
        for (set, data) in sets.data.iter().enumerate() {
            for (column, named) in data.columns.iter().enumerate() {
                let measure = Measure::of(&named.name);
                let hour = named.name.to_lowercase().contains("hour");
                for (row, cells) in data.rows.iter().enumerate().take(left) {
                    let place = Place { set, row, column };
                    match cells.get(column) {
                        Some(Value::String(text)) => index.text(text, named.kind, place, zone),
                        Some(Value::Number(number)) if measure == Measure::Name => {
                            index.number(number.as_i64(), hour, place);
                        }
                        _ => {}
                    }
                }
                left = left.saturating_sub(data.rows.len());
            }
        }
        index
    }

    fn text(&mut self, text: &str, kind: Kind, place: Place, zone: &Zone) {
        let key = (place.set, place.row);
        if kind != Kind::Number
            && text.starts_with(|c: char| c.is_ascii_digit())
            && let Some(moment) = Moment::read(text, zone)
        {
            if let Some(day) = moment.day {
                self.days.entry(day).or_default().push(key);
            }
            if let Some(clock) = moment.clock {
                let clock = (clock.hour(), clock.minute());
                self.clocks.entry(clock).or_default().push(key);
            }
            return;
        }
        if kind == Kind::Number || text.len() > 4 * MAX_NAME {
            return;
        }
        let lower = text.trim().to_lowercase();
        if lower.contains(|c: char| c.is_ascii_digit()) {
            self.texts.push((lower.clone(), place));
        }
        if let Some(first) = word_at(&lower, 0).filter(|_| lower.len() <= MAX_NAME) {
            self.names
                .entry(first.to_owned())
                .or_default()
                .push((lower, place));
        }
    }

    fn number(&mut self, number: Option<i64>, hour: bool, place: Place) {
        let Some(number) = number else {
            return;
        };
        self.numbers
            .entry(number)
            .or_default()
            .push((place.set, place.row));
        if let Some(clock) = u32::try_from(number)
            .ok()
            .filter(|number| hour && *number < 24)
        {
            self.clocks
                .entry((clock, 0))
                .or_default()
                .push((place.set, place.row));
        }
    }

    /// The rows that a block speaks of.
    pub fn mentioned(&self, block: &Block, figures: &[Found]) -> Mentioned {
        let mut hits: BTreeMap<(usize, String), Vec<usize>> = BTreeMap::new();
        for text in [&block.text, &block.about] {
            self.named(&text.to_lowercase(), &mut hits);
        }
        let mut note = |name: String, rows: &[(usize, usize)]| {
            for (set, row) in rows {
                hits.entry((*set, name.clone())).or_default().push(*row);
            }
        };
        for figure in figures {
            match &figure.kind {
                What::Time(time) => {
                    for day in self.days_of(time) {
                        note(
                            time.plain(),
                            self.days.get(&day).map(Vec::as_slice).unwrap_or_default(),
                        );
                    }
                    if time.days.is_empty() {
                        let rows = time.clock.and_then(|clock| self.clocks.get(&clock));
                        note(time.plain(), rows.map(Vec::as_slice).unwrap_or_default());
                    }
                }
                What::Number(number) => {
                    let value = number
                        .readings
                        .first()
                        .map_or(f64::NAN, |reading| reading.value);
                    let whole = value.fract() == 0.0 && value.abs() < 1e15;
                    let rows = whole.then(|| self.numbers.get(&(value as i64))).flatten();
                    note(
                        value.to_string(),
                        rows.map(Vec::as_slice).unwrap_or_default(),
                    );
                }
            }
        }
        for (name, weekday) in weekdays(&format!("{} {}", block.text, block.about)) {
            for (day, rows) in self.days.iter().filter(|(day, _)| day.weekday() == weekday) {
                note(format!("{name}{}", day.iso_week().week() / 100), rows);
            }
        }
        let mut mentioned = Mentioned::default();
        for ((set, _), mut rows) in hits {
            rows.sort_unstable();
            rows.dedup();
            if rows.len() > 1 {
                rows.truncate(MAX_GROUP);
                mentioned.groups.push((set, rows.clone()));
            }
            if rows.len() <= MAX_ROWS {
                let own = mentioned
                    .rows
                    .iter()
                    .filter(|(other, _)| *other == set)
                    .count();
                let room = (2 * MAX_ROWS).saturating_sub(own);
                mentioned
                    .rows
                    .extend(rows.into_iter().take(room).map(|row| (set, row)));
            }
        }
        mentioned
    }

    /// The names of the data that stand in a text.
    fn named(&self, text: &str, hits: &mut BTreeMap<(usize, String), Vec<usize>>) {
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let Some(word) = word_at(text, at) else {
                at += rest.chars().next().map_or(1, char::len_utf8);
                continue;
            };
            for (name, place) in self.names.get(word).into_iter().flatten() {
                let behind = rest
                    .strip_prefix(name.as_str())
                    .map(|behind| behind.chars().next());
                if behind.is_some_and(|next| !next.is_some_and(char::is_alphanumeric)) {
                    hits.entry((place.set, name.clone()))
                        .or_default()
                        .push(place.row);
                }
            }
            at += word.len();
        }
    }

    /// The days of the data that a time may be.
    pub fn days_of(&self, time: &Time) -> Vec<NaiveDate> {
        let fits = |date: &&NaiveDate| time.days.iter().any(|day| day.fits(**date));
        match time.days.is_empty() {
            true => Vec::new(),
            false => self.days.keys().filter(fits).copied().collect(),
        }
    }

    /// Whether a clock of the data shows this time.
    pub fn has_clock(&self, clock: (u32, u32)) -> bool {
        self.clocks.contains_key(&clock)
    }

    /// Whether a day of the data is in this year, and whether one is in this week of its year.
    pub fn has(&self, fits: impl Fn(&NaiveDate) -> bool) -> bool {
        self.days.keys().any(fits)
    }

    /// How many different days there are, and how many lie between the first and the last.
    pub fn span(&self) -> Option<(usize, i64)> {
        let (first, last) = (self.days.keys().next()?, self.days.keys().next_back()?);
        Some((self.days.len(), (*last - *first).num_days() + 1))
    }
}

/// The word that begins at a place where one begins.
fn word_at(text: &str, at: usize) -> Option<&str> {
    let rest = text.get(at..)?;
    let end = rest
        .find(|c: char| !c.is_alphanumeric())
        .unwrap_or(rest.len());
    rest.get(..end).filter(|word| !word.is_empty())
}

/// The days of the week that a text names.
fn weekdays(text: &str) -> Vec<(&'static str, Weekday)> {
    let names = [
        ("Monday", Weekday::Mon),
        ("Tuesday", Weekday::Tue),
        ("Wednesday", Weekday::Wed),
        ("Thursday", Weekday::Thu),
        ("Friday", Weekday::Fri),
        ("Saturday", Weekday::Sat),
        ("Sunday", Weekday::Sun),
    ];
    names
        .into_iter()
        .filter(|(name, _)| text.contains(name))
        .collect()
}
