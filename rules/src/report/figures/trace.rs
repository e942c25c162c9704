//! What explains a figure.
//!
//! Invariant: what the data say counts always; how two values compare counts where the words around
//! the figure speak of comparing; everything else counts only where it could hardly fit by accident.
//! Failure: a figure that nothing explains has no trace.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveTime};

use super::blocks::Block;
use super::dates::Time;
use super::derive;
use super::facts::{self, Facts};
use super::mentions::Mentioned;
use super::numeral::{self, Notation, Reading};
use super::pool::{Family, Pool, Pools, Source, scales};
use super::scan::{self, Found, Number, What};
use super::words::{self, Cues};
use super::{Amount, Derivation, Figure, Trace, Unit};
use crate::report::moment::Moment;
use crate::report::unit::Measure;

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
        for (text, place) in &self.facts.index.texts {
            if !text.contains(figure) {
                continue;
            }
            let whole = text == figure
                || lower
                    .match_indices(text.as_str())
                    .any(|(at, text)| at <= start && at + text.len() >= end);
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
        let key = format!(
            "{}\u{0}{}",
            block.about,
            if block.header.is_some() {
                ""
            } else {
                &block.text
            }
        );
        if self.near.as_ref().is_some_and(|(known, _)| *known == key) {
            return;
        }
        // The cells of a row speak of the same rows.
        let whole = Block::of(match block.header.is_some() {
            true => block.about.clone(),
            false => format!("{} | {}", block.text, block.about),
        });
        let found = scan::figures(&whole, self.notation, &self.facts.nouns, true);
        let mentioned = self.facts.index.mentioned(&whole, &found);
        self.near = Some((key, near(self.facts, &mentioned)));
    }
}

/// What follows from rows that a block speaks of.
fn near(facts: &Facts<'_>, mentioned: &Mentioned) -> Vec<Pool> {
    let (sets, mut pools) = (&facts.sets, Pools::default());
    for (set, rows) in &mentioned.groups {
        facts::group(&mut pools, sets, *set, None, rows);
    }
    for (set, row) in &mentioned.rows {
        let amounts = sets.amounts(*set);
        derive::across(&mut pools, sets, &amounts, *row);
        for series in sets.series.get(*set).into_iter().flatten() {
            let Some((value, domain)) = series.value(*row).zip(series.domain_of(*row)) else {
                continue;
            };
            pools.add(Family::Cell, domain, value, series.at(*row));
            if series.names {
                continue;
            }
            if series.additive {
                let total: f64 = series.known().iter().map(|(_, value)| value).sum();
                derive::share(&mut pools, sets, value, total, series.at(*row));
            }
            facts::beside(&mut pools, sets, series, *row);
            let named = mentioned
                .rows
                .iter()
                .filter(|(other, at)| other == set && at > row)
                .map(|(_, at)| *at);
            let neighbours = [row.checked_sub(1), Some(row + 1)].into_iter().flatten();
            let others =
                named.chain(neighbours.filter(|at| !mentioned.rows.contains(&(*set, *at))));
            for other in others {
                let Some(beside) = series
                    .value(other)
                    .filter(|_| series.domain_of(other) == Some(domain))
                else {
                    continue;
                };
                let source = Source {
                    rows: [Some(*row), Some(other)],
                    ..series.source()
                };
                derive::both(&mut pools, sets, (value, domain), (beside, domain), source);
            }
            // The same column of another dataset, for the same name.
            for (other, at) in mentioned.rows.iter().filter(|(other, _)| other > set) {
                let twin = sets
                    .series
                    .get(*other)
                    .into_iter()
                    .flatten()
                    .find(|twin| twin.name == series.name);
                if let Some((beside, unit)) =
                    twin.and_then(|twin| twin.value(*at).zip(twin.domain_of(*at)))
                {
                    derive::both(
                        &mut pools,
                        sets,
                        (value, domain),
                        (beside, unit),
                        series.at(*row),
                    );
                }
            }
        }
    }
    pools.done()
}

/// A figure that is looked up.
struct Look<'l, 'd> {
    facts: &'l Facts<'d>,
    number: &'l Number,
    cues: Cues,
    /// The column of the report says that it holds percentages.
    percent: bool,
    /// The sentence names a column.
    named: bool,
}

impl Look<'_, '_> {
    /// The first hit of these families.
    fn first(&self, pools: &[Pool], wanted: impl Fn(Family) -> bool) -> Option<Trace> {
        for family in Family::ALL.into_iter().filter(|family| wanted(*family)) {
            for pool in pools.iter().filter(|pool| pool.family == family) {
                if let Some(source) = self.hit(pool) {
                    return Some(told(self.facts, family.derivation(), source));
                }
            }
        }
        None
    }

    /// A hit of these families that is likely no accident: `most` says how likely an accident may be,
    /// where the words speak of the family and where they do not.
    fn likely(
        &self,
        pools: &[Pool],
        wanted: impl Fn(Family) -> bool,
        most: impl Fn(bool) -> f64,
    ) -> Option<Trace> {
        for family in Family::ALL.into_iter().filter(|family| wanted(*family)) {
            let of = || pools.iter().filter(|pool| pool.family == family);
            let Some(source) = of().find_map(|pool| self.hit(pool)) else {
                continue;
            };
            let chance: f64 = of().map(|pool| self.chance(pool)).sum();
            if chance <= most(self.is_cued(family)) {
                return Some(told(self.facts, family.derivation(), source));
            }
        }
        None
    }

    fn is_cued(&self, family: Family) -> bool {
        let signed = self.number.plus || self.number.minus;
        match family {
            Family::Difference | Family::Change => self.cues.change || signed || self.number.points,
            Family::Share => self.cues.share || self.percent,
            Family::Ratio => self.cues.ratio || self.number.times,
            Family::Pair => self.cues.sum,
            _ => true,
        }
    }

    /// A limit that a statement sets, or a length of time that it covers.
    fn is_limit(&self) -> bool {
        let number = self.number;
        let named = number.limit || number.period || number.rank;
        named
            && number
                .readings
                .iter()
                .any(|reading| self.facts.quotes.has_in_sql(reading.value))
    }

    /// Readings in the unit of a pool, with how far off a value may be.
    fn targets(&self, pool: &Pool) -> impl Iterator<Item = (f64, f64, f64)> {
        let domain = self.facts.sets.domains.get(pool.domain);
        let scales = domain.map_or([None, None], |domain| {
            scales(self.number, self.percent, domain)
        });
        let readings = &self.number.readings;
        let about = self.number.about;
        scales.into_iter().flatten().flat_map(move |scale| {
            readings.iter().map(move |reading| {
                let half = tolerance(reading, about);
                (reading.value / scale, half / scale, reading.step / scale)
            })
        })
    }

    /// A value of a pool that rounds to the figure.
    fn hit(&self, pool: &Pool) -> Option<Source> {
        let direct = pool.family.is_direct();
        for (value, half, _) in self.targets(pool) {
            // Ties round up or to even: both ends count. What floating point adds is no difference.
            let room = half + value.abs() * 1e-9 + 1e-12;
            let found = pool.between(value - room, value + room);
            let fits = |candidate: f64| {
                let negative = candidate < 0.0;
                match direct {
                    _ if candidate == 0.0 => true,
                    true if self.number.minus => negative,
                    true => !negative || self.number.parens || self.cues.negative,
                    false => true,
                }
            };
            if let Some(found) = found.iter().find(|found| fits(found.value)) {
                return Some(found.source);
            }
        }
        None
    }

    /// How likely it is that some value of a pool rounds to a figure like this one.
    fn chance(&self, pool: &Pool) -> f64 {
        let mut chance: f64 = 0.0;
        for (value, half, step) in self.targets(pool) {
            let room = (value * 0.5).max(step * 5.0);
            let many = pool.between((value - room).max(0.0), value + room).len();
            let width = (half * 2.0).max(step);
            let slots = ((room + value.min(room)) / width).max(1.0);
            chance = chance.max((derive::count(many) / slots).min(1.0));
        }
        chance
    }
}

/// How far off a value may be that rounds to a reading.
fn tolerance(reading: &Reading, about: bool) -> f64 {
    let half = reading.step / 2.0;
    if !about || reading.value == 0.0 {
        return half;
    }
    // `about 1,200` means hundreds; `about 12.5` means tenths.
    let mut unit = reading.step;
    while unit < reading.value.abs() && (reading.value / (unit * 10.0)).fract() == 0.0 {
        unit *= 10.0;
    }
    unit.min(reading.value.abs() * 0.1).max(half)
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

/// The sentence a figure stands in; of a cell also the heading of its column.
fn sentence(block: &Block, found: &Found) -> String {
    let ends = |at: usize, c: char| {
        let behind = block
            .text
            .get(at + c.len_utf8()..)
            .and_then(|rest| rest.chars().next());
        matches!(c, ';' | '!' | '?' | '\n') || (c == '.' && behind.is_none_or(char::is_whitespace))
    };
    let before = block.text.get(..found.start).unwrap_or_default();
    let start = before
        .char_indices()
        .rfind(|(at, c)| ends(*at, *c))
        .map_or(0, |(at, c)| at + c.len_utf8());
    let behind = block.text.get(found.end..).unwrap_or_default();
    let end = behind
        .char_indices()
        .find(|(at, c)| ends(found.end + at, *c))
        .map_or(block.text.len(), |(at, _)| found.end + at);
    let sentence = block.text.get(start..end).unwrap_or_default();
    match &block.header {
        Some(header) => format!("{header}: {sentence}"),
        None => sentence.to_owned(),
    }
}

/// Whether a sentence names a column of numbers.
fn names_column(sentence: &str, facts: &Facts<'_>) -> bool {
    let words: Vec<String> = sentence
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.len() > 2)
        .map(words::stem)
        .collect();
    facts.sets.series.iter().flatten().any(|series| {
        let name = series.name.split(|c: char| !c.is_alphanumeric());
        name.filter(|word| word.len() > 2)
            .any(|word| words.contains(&words::stem(word)))
    })
}

/// The first column of a table may count its rows.
fn is_numbering(block: &Block) -> bool {
    block.header.as_deref().is_some_and(|header| {
        matches!(
            header.to_lowercase().trim_end_matches('.'),
            "#" | "no" | "nr" | "rank" | "pos" | "№"
        )
    })
}

fn is_percent(header: &str) -> bool {
    header.contains('%') || matches!(Measure::of(header), Measure::Percent | Measure::Ratio)
}

/// Whether words stand in a text as words.
fn has_word(text: &str, words: &str) -> bool {
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(words).any(|(at, words)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let behind = text
            .get(at + words.len()..)
            .and_then(|behind| behind.chars().next());
        !letter(before) && !letter(behind)
    })
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

fn only(derivation: Derivation) -> Trace {
    Trace {
        derivation,
        dataset: None,
        columns: Vec::new(),
        rows: Vec::new(),
    }
}

fn told(facts: &Facts<'_>, derivation: Derivation, source: Source) -> Trace {
    let set = facts.sets.data.get(source.set);
    let name = |column: Option<usize>| Some(set?.columns.get(column?)?.name.clone());
    Trace {
        derivation,
        dataset: set.map(|set| set.name.clone()),
        columns: source.columns.into_iter().filter_map(name).collect(),
        rows: source.rows.into_iter().flatten().collect(),
    }
}
