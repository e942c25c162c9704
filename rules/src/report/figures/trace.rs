//! What explains a figure.
//!
//! Invariant: what the data say counts always; how two values compare counts where the words around
//! the figure speak of comparing; everything else counts only where it could hardly fit by accident.
//! Failure: a figure that nothing explains has no trace.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveTime};

use super::blocks::Block;
use super::dates::Time;
use super::derive;
use super::facts::Facts;
use super::look::{Look, only, told};
use super::near::near;
use super::numeral::{self, Notation};
use super::pool::{Family, Pool, Source};
use super::scan::{self, Found, Number, What};
use super::sentence::{has_word, is_numbering, is_percent, names_column, sentence};
use super::words;
use super::{Amount, Derivation, Figure, Trace, Unit};
use crate::report::moment::Moment;
use crate::report::{Dataset, chart};

/// Most figures that are looked up; what is beyond has no trace.
const MAX_FIGURES: usize = 5_000;
/// Up to this chance of an accident, a hit among all cells counts.
const CELL: f64 = 0.05;
/// The same where the block names the column.
const NAMED_CELL: f64 = 0.12;
/// The same for what compares two values, where the words speak of it.
const CUED: f64 = 0.08;
/// The same where they do not.
const SILENT: f64 = 0.01;
/// All of these are so many times stricter in a block that names the rows it speaks of.
const NAMED_ROWS: f64 = 0.25;
/// The same among headlines and the rows that a block names, where the words speak of it.
const NEAR: f64 = 0.40;
/// The same where they do not.
const NEAR_SILENT: f64 = 0.03;

/// The figures of a report and what explains them.
pub fn trace(blocks: &[Block], facts: &Facts<'_>) -> Vec<Figure> {
    let notation = numeral::notation(blocks.iter().map(|block| &block.text));
    let mut tracer = Tracer {
        facts,
        notation,
        near: None,
    };
    let mut figures = Vec::new();
    for block in blocks {
        for found in scan::figures(block, notation, &facts.nouns, true) {
            let traced = match figures.len() < MAX_FIGURES {
                true => tracer.explain(block, &found),
                false => None,
            };
            match (traced, &found.kind) {
                (None, What::Number(number)) if number.blanks => {
                    figures.extend(tracer.apart(block, &found));
                }
                (traced, _) => figures.push(figure(block, &found, traced)),
            }
        }
    }
    figures
}

struct Tracer<'f, 'd> {
    facts: &'f Facts<'d>,
    notation: Notation,
    /// What follows from the rows of the latest block.
    near: Option<(String, Vec<Pool>)>,
}

impl Tracer<'_, '_> {
    /// Digits that blanks hold together may be several numbers: if each of them is explained, they are.
    fn apart(&mut self, block: &Block, joined: &Found) -> Vec<Figure> {
        let all = scan::figures(block, self.notation, &self.facts.nouns, false);
        let within = |found: &&Found| found.start >= joined.start && found.start < joined.end;
        let parts: Vec<Figure> = all
            .iter()
            .filter(within)
            .map(|found| {
                let traced = self.explain(block, found);
                figure(block, found, traced)
            })
            .collect();
        match parts.len() > 1 && parts.iter().all(|part| part.traced.is_some()) {
            true => parts,
            false => vec![figure(block, joined, None)],
        }
    }

    fn explain(&mut self, block: &Block, found: &Found) -> Option<Trace> {
        match &found.kind {
            What::Time(time) => self.time(block, found, time),
            What::Number(number) => self.number(block, found, number),
        }
    }

    fn time(&self, block: &Block, found: &Found, time: &Time) -> Option<Trace> {
        let (facts, index) = (self.facts, &self.facts.index);
        let at = Moment::at(facts.context.scheduled_for, facts.context.zone);
        let known = !index.days_of(time).is_empty();
        let clock = |of: (u32, u32)| index.has_clock(of) || matches!(of, (0, 0) | (23, 59));
        let scheduled = at.day.is_some_and(|day| {
            near_days(day)
                .iter()
                .any(|near| time.days.iter().any(|day| day.fits(*near)))
        });
        let hour = |clock: NaiveTime| time.is_at(clock);
        let days = time.days.is_empty() || known || scheduled;
        let clocks = time
            .clock
            .is_none_or(|of| clock(of) || at.clock.is_some_and(hour));
        if days && clocks {
            let derivation = if known || time.clock.is_some_and(|of| index.has_clock(of)) {
                Derivation::Cell
            } else {
                Derivation::Schedule
            };
            return Some(only(derivation));
        }
        if facts.quotes.has_time(time) {
            return Some(only(Derivation::Prompt));
        }
        self.in_text(block, found)
    }

    fn number(&mut self, block: &Block, found: &Found, number: &Number) -> Option<Trace> {
        if let Some(trace) = self.calendar(number) {
            return Some(trace);
        }
        if number.window {
            let known = number
                .readings
                .iter()
                .any(|reading| self.facts.quotes.has_in_sql(reading.value));
            return (known || self.facts.quotes.has(number)).then(|| only(Derivation::Prompt));
        }
        if is_numbering(block) {
            return Some(only(Derivation::Count));
        }
        let sentence = sentence(block, found);
        let cues = words::cues(&sentence);
        let look = Look {
            facts: self.facts,
            number,
            cues,
            percent: block.header.as_deref().is_some_and(is_percent),
            named: names_column(&sentence, self.facts),
        };
        let direct = |family: Family| family.is_direct();
        if let Some(trace) = look.first(&self.facts.headlines, direct) {
            return Some(trace);
        }
        self.place(block);
        let near = self
            .near
            .as_ref()
            .map(|(_, pools)| pools.as_slice())
            .unwrap_or_default();
        if let Some(trace) = look.first(near, direct) {
            return Some(trace);
        }
        if self.facts.quotes.has(number) || look.is_limit() {
            return Some(only(Derivation::Prompt));
        }
        if let Some(trace) = self.in_text(block, found) {
            return Some(trace);
        }
        for pools in [near, &self.facts.headlines] {
            let likely = |cued: bool| if cued { NEAR } else { NEAR_SILENT };
            if let Some(trace) = look.likely(pools, |family| !family.is_direct(), likely) {
                return Some(trace);
            }
        }
        let details = &self.facts.details;
        if number.reference
            && let Some(trace) = look.first(details, |family| family == Family::Cell)
        {
            return Some(trace);
        }
        let strict = if near.is_empty() { 1.0 } else { NAMED_ROWS };
        let cell = strict * if look.named { NAMED_CELL } else { CELL };
        let other = |cued: bool| strict * if cued { CUED } else { SILENT };
        look.likely(details, |family| family == Family::Cell, |_| cell)
            .or_else(|| look.likely(details, |family| family != Family::Cell, other))
    }

    /// Years, weeks, lengths of time, places.
    fn calendar(&self, number: &Number) -> Option<Trace> {
        let (facts, index) = (self.facts, &self.facts.index);
        let reading = number.readings.first()?;
        let today = Moment::at(facts.context.scheduled_for, facts.context.zone).day?;
        if let Some(year) = number.year {
            let near = (today.year() - 1..=today.year() + 1).contains(&year);
            if near || index.has(|day| day.year() == year) {
                return Some(only(Derivation::Schedule));
            }
        }
        let whole = reading.value.fract() == 0.0 && reading.value >= 1.0;
        if number.week && whole {
            let is = |day: NaiveDate| f64::from(day.iso_week().week()) == reading.value;
            let near = [0, 7]
                .iter()
                .filter_map(|back| today.checked_sub_days(Days::new(*back)));
            if near.into_iter().any(is) || index.has(|day| is(*day)) {
                return Some(only(Derivation::Schedule));
            }
        }
        if number.period && whole {
            let spans = index.span().is_some_and(|(days, long)| {
                derive::count(days) == reading.value
                    || f64::from(u32::try_from(long).unwrap_or(0)) == reading.value
            });
            if spans {
                return Some(only(Derivation::Count));
            }
        }
        if number.rank && whole && number.unit == Unit::Plain && !number.period {
            let rows = facts
                .sets
                .data
                .iter()
                .map(|set| set.rows.len())
                .max()
                .unwrap_or(0);
            if reading.value <= derive::count(rows) {
                return Some(only(Derivation::Count));
            }
        }
        None
    }

    /// A number that stands in a text of the data, with a word beside it or as all of it.
    fn in_text(&self, block: &Block, found: &Found) -> Option<Trace> {
        let lower = block.text.to_lowercase();
        // Lower case may move what stands behind letters outside ASCII.
        let (start, end) = match lower.len() == block.text.len() {
            true => (found.start, found.end),
            false => {
                let figure = block.text.get(found.start..found.end)?.to_lowercase();
                let start = lower.find(&figure)?;
                (start, start + figure.len())
            }
        };
        let figure = lower.get(start..end)?;
        let before = lower.get(..start)?;
        let behind = lower.get(end..)?;
        let letter = |c: char| c.is_alphanumeric();
        let word = before.trim_end().len() - before.trim_end().trim_end_matches(letter).len();
        let left = lower.get(before.trim_end().len() - word..end)?;
        let gap = behind.len() - behind.trim_start().len();
        let next = behind.trim_start();
        let right =
            lower.get(start..end + gap + next.find(|c| !letter(c)).unwrap_or(next.len()))?;
        let beside = [left, right];
        let around = |text: &str| {
            let mut found = lower.match_indices(text);
            found.any(|(at, text)| at <= start && at + text.len() >= end)
        };
        if self.facts.index.titles.iter().any(|title| around(title)) {
            return Some(only(Derivation::Text));
        }
        for (text, place) in &self.facts.index.texts {
            if !text.contains(figure) {
                continue;
            }
            let whole = text == figure || around(text);
            let part = || {
                beside
                    .iter()
                    .any(|words| words.len() > figure.len() && has_word(text, words))
            };
            if whole || part() {
                return Some(self.told(
                    Derivation::Text,
                    Source {
                        set: place.set,
                        columns: [Some(place.column), None],
                        rows: [Some(place.row), None],
                    },
                ));
            }
        }
        None
    }

    fn told(&self, derivation: Derivation, source: Source) -> Trace {
        told(self.facts, derivation, source)
    }

    /// Prepares what follows from the rows that a block speaks of.
    fn place(&mut self, block: &Block) {
        // A table that shows a dataset shows its rows in order.
        let shown = block.header.as_deref().zip(block.row);
        let rows = shown.map_or_else(Vec::new, |(header, row)| rows_of(self.facts, header, row));
        let key = match shown {
            Some(_) => format!("{}\0{rows:?}", block.about),
            None => format!("{}\0{}", block.about, block.text),
        };
        if self.near.as_ref().is_some_and(|(known, _)| *known == key) {
            return;
        }
        // The cells of a row speak of the same rows.
        let whole = Block::of(match block.header.is_some() {
            true => block.about.clone(),
            false => format!("{} | {}", block.text, block.about),
        });
        let found = scan::figures(&whole, self.notation, &self.facts.nouns, true);
        let mut mentioned = self.facts.index.mentioned(&whole, &found);
        mentioned.rows.extend(rows);
        self.near = Some((key, near(self.facts, &mentioned)));
    }
}

/// A row of each dataset that has a column of this name.
fn rows_of(facts: &Facts<'_>, header: &str, row: usize) -> Vec<(usize, usize)> {
    let named = |set: &(usize, &Dataset)| {
        let mut columns = set.1.columns.iter().map(|column| &column.name);
        columns.any(|name| {
            name.eq_ignore_ascii_case(header) || chart::words(name).eq_ignore_ascii_case(header)
        })
    };
    let sets = facts.sets.data.iter().enumerate();
    sets.filter(named).map(|(set, _)| (set, row)).collect()
}

/// Days that a report of a schedule speaks of by themselves: its own, the ones before, the first and
/// last of its weeks and months.
fn near_days(day: NaiveDate) -> Vec<NaiveDate> {
    let back = |days: u64| day.checked_sub_days(Days::new(days));
    let into = u64::from(day.weekday().num_days_from_monday());
    let month = day.with_day(1);
    let before = month.and_then(|month| month.checked_sub_months(Months::new(1)));
    let mut near: Vec<Option<NaiveDate>> = [0, 1, 2, 6, 7, 30].map(back).to_vec();
    near.extend([into, into + 1, into + 7].map(back));
    near.extend([
        month,
        before,
        month.and_then(|month| month.pred_opt()),
        day.with_ordinal(1),
    ]);
    near.push(month.and_then(|month| month.checked_add_months(Months::new(1))?.pred_opt()));
    near.push(back(into).and_then(|monday| monday.checked_add_days(Days::new(6))));
    near.into_iter().flatten().collect()
}

fn figure(block: &Block, found: &Found, traced: Option<Trace>) -> Figure {
    let (start, end) = block.source(found.start, found.end);
    let (value, unit) = match &found.kind {
        What::Time(time) => (Amount::Time(time.plain()), Unit::Time),
        What::Number(number) => {
            let value = number.readings.first().map_or(0.0, |reading| reading.value);
            let value = if number.minus { -value } else { value };
            (Amount::Number(value), number.unit.clone())
        }
    };
    Figure {
        text: block
            .text
            .get(found.start..found.end)
            .unwrap_or_default()
            .to_owned(),
        start,
        end,
        value,
        unit,
        traced,
    }
}
