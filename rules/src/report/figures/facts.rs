//! What the data of a run say, prepared so that many figures can be looked up.
//!
//! Invariant: at most [`MAX_CELLS`] cells are prepared one by one; of what is beyond, the totals
//! still count.
//! Failure: none.

use std::collections::{BTreeMap, HashSet};

use super::derive::{self, RELATED, Two};
use super::mentions::Index;
use super::pool::{Domain, Family, Pool, Pools, Source};
use super::quotes::Quotes;
use super::{Context, words};
use crate::report::unit::{self, Measure};
use crate::report::{Dataset, Kind, dataset};

/// Most cells that are prepared one by one.
const MAX_CELLS: usize = 100_000;
/// Most columns of numbers of a dataset that count.
const MAX_SERIES: usize = 40;
/// Most datasets of one row whose values are related.
const MAX_SCALARS: usize = 40;
/// Most groups of a column.
const MAX_GROUPS: usize = 50;

/// The data of a run, ready to be asked.
pub struct Facts<'a> {
    /// The data and what their columns count.
    pub sets: Sets<'a>,
    /// Totals and what stands first and last: always looked at.
    pub headlines: Vec<Pool>,
    /// Every cell and its neighbours: looked at when a hit can be no accident.
    pub details: Vec<Pool>,
    /// Where names and days stand.
    pub index: Index,
    /// What was asked and how.
    pub quotes: Quotes,
    /// Stems of what the data count.
    pub nouns: HashSet<String>,
    /// What the report was written for.
    pub context: Context<'a>,
}

/// The data and what their columns count.
pub struct Sets<'a> {
    /// The data.
    pub data: &'a [Dataset],
    /// What values count.
    pub domains: Vec<Domain>,
    /// The columns of numbers, dataset by dataset.
    pub series: Vec<Vec<Series>>,
    /// The domain of hundredths.
    pub percent: usize,
    /// The domain of multiples.
    pub multiple: usize,
    /// The domain of rows.
    pub rows: usize,
}

/// A column of numbers.
pub struct Series {
    /// Its dataset.
    pub set: usize,
    /// Its place there.
    pub column: usize,
    /// Its name.
    pub name: String,
    /// What all of its cells count, if that is the same.
    pub domain: Option<usize>,
    /// Its numbers only name something.
    pub names: bool,
    /// Adding its cells up means something.
    pub additive: bool,
    values: Vec<Option<f64>>,
    /// What each cell counts, where that is not the same.
    domains: Vec<Option<usize>>,
}

impl Series {
    /// The rows that have a value, and the value.
    pub fn known(&self) -> Vec<(usize, f64)> {
        let values = self.values.iter().enumerate();
        values
            .filter_map(|(row, value)| Some((row, (*value)?)))
            .collect()
    }

    /// The value of a row.
    pub fn value(&self, row: usize) -> Option<f64> {
        self.values.get(row).copied().flatten()
    }

    /// What a cell counts.
    pub fn domain_of(&self, row: usize) -> Option<usize> {
        self.domain
            .or_else(|| self.domains.get(row).copied().flatten())
    }

    /// The column as a source.
    pub fn source(&self) -> Source {
        Source {
            set: self.set,
            columns: [Some(self.column), None],
            rows: [None, None],
        }
    }

    /// A cell as a source.
    pub fn at(&self, row: usize) -> Source {
        Source {
            rows: [Some(row), None],
            ..self.source()
        }
    }
}

impl Sets<'_> {
    /// Whether two values can be added and compared: they count the same, as far as is known.
    pub fn alike(&self, one: usize, other: usize) -> bool {
        let plain = |measure: &Measure| matches!(measure, Measure::Plain | Measure::Count);
        match (self.domains.get(one), self.domains.get(other)) {
            _ if one == other => true,
            (
                Some(Domain::Column {
                    measure, currency, ..
                }),
                Some(Domain::Column {
                    measure: second,
                    currency: beside,
                    ..
                }),
            ) => currency == beside && (measure == second || (plain(measure) && plain(second))),
            _ => false,
        }
    }

    /// The series of a dataset that stand for amounts.
    pub fn amounts(&self, set: usize) -> Vec<&Series> {
        let all = self.series.get(set).map(Vec::as_slice).unwrap_or_default();
        all.iter()
            .filter(|series| !series.names)
            .take(RELATED)
            .collect()
    }

    fn domain(&mut self, domain: Domain) -> usize {
        let found = self.domains.iter().position(|known| *known == domain);
        found.unwrap_or_else(|| {
            self.domains.push(domain);
            self.domains.len() - 1
        })
    }
}

impl<'a> Facts<'a> {
    /// Prepares the data.
    pub fn of(data: &'a [Dataset], context: &Context<'a>) -> Self {
        let data = data
            .get(..data.len().min(dataset::MAX_DATASETS))
            .unwrap_or_default();
        let mut sets = Sets {
            data,
            domains: vec![Domain::Percent, Domain::Multiple, Domain::Rows],
            series: Vec::new(),
            percent: 0,
            multiple: 1,
            rows: 2,
        };
        for set in 0..data.len() {
            let series = series_of(&mut sets, set);
            sets.series.push(series);
        }
        let (mut headlines, mut details) = (Pools::default(), Pools::default());
        let mut left = MAX_CELLS;
        for (set, dataset) in data.iter().enumerate() {
            counts(&mut headlines, &sets, set, dataset);
            groups(&mut headlines, &mut details, &sets, set, dataset);
            let all = sets.series.get(set).map(Vec::as_slice).unwrap_or_default();
            let amounts = sets.amounts(set);
            for series in all {
                derive::headlines(&mut headlines, &sets, series);
                if left >= dataset.rows.len() {
                    left -= dataset.rows.len();
                    derive::details(&mut details, &sets, series);
                }
            }
            if dataset.rows.len() > 1 {
                derive::totals(&mut headlines, &sets, &amounts);
            }
            if derive::is_small(dataset.rows.len()) {
                for row in 0..dataset.rows.len() {
                    let pools = if dataset.rows.len() == 1 {
                        &mut headlines
                    } else {
                        &mut details
                    };
                    derive::across(pools, &sets, &amounts, row);
                }
            }
        }
        scalars(&mut headlines, &sets);
        Self {
            headlines: headlines.done(),
            details: details.done(),
            index: Index::of(&sets, context.zone),
            quotes: Quotes::of(data, context),
            nouns: nouns(data),
            context: *context,
            sets,
        }
    }
}

/// The columns of numbers of a dataset.
fn series_of(sets: &mut Sets<'_>, set: usize) -> Vec<Series> {
    let Some(data) = sets.data.get(set) else {
        return Vec::new();
    };
    let beside = currencies(data);
    let mut all = Vec::new();
    for (column, named) in data.columns.iter().enumerate() {
        if all.len() >= MAX_SERIES {
            break;
        }
        let number = |row: &Vec<serde_json::Value>| dataset::number(row.get(column)?, named.kind);
        let values: Vec<Option<f64>> = data.rows.iter().map(number).collect();
        // A number in a column of anything else is one all the same.
        if named.kind != Kind::Number && values.iter().all(Option::is_none) {
            continue;
        }
        let measure = Measure::of(&named.name);
        let known = || values.iter().flatten();
        let whole = known().all(|value| value.fract() == 0.0);
        let small = !whole && known().all(|value| value.abs() <= 1.0);
        let money = matches!(measure, Measure::Plain | Measure::Minor);
        let mut domain = |currency: Option<String>| {
            sets.domain(Domain::Column {
                measure,
                currency,
                small,
                whole,
            })
        };
        let (one, each) = match &beside {
            Some(codes) if money => {
                let mut distinct: Vec<&Option<String>> = codes.iter().collect();
                distinct.sort();
                distinct.dedup();
                match distinct.as_slice() {
                    [only] => (Some(domain((*only).clone())), Vec::new()),
                    _ => (
                        None,
                        codes
                            .iter()
                            .map(|code| Some(domain(code.clone())))
                            .collect(),
                    ),
                }
            }
            _ => (Some(domain(None)), Vec::new()),
        };
        all.push(Series {
            set,
            column,
            name: named.name.clone(),
            domain: one,
            names: measure == Measure::Name,
            additive: one.is_some()
                && !matches!(measure, Measure::Name | Measure::Percent | Measure::Ratio),
            values,
            domains: each,
        });
    }
    all
}

/// What a column of currencies says of each row.
fn currencies(set: &Dataset) -> Option<Vec<Option<String>>> {
    let column = set.columns.iter().position(|column| {
        matches!(
            column.name.to_lowercase().as_str(),
            "currency" | "currency_code" | "ccy" | "iso_currency"
        )
    })?;
    let code = |row: &Vec<serde_json::Value>| {
        let text = row.get(column)?.as_str()?;
        Some(unit::currency(text).map_or_else(|| text.to_uppercase(), str::to_owned))
    };
    Some(set.rows.iter().map(code).collect())
}

/// How many there are: rows, known cells, distinct values.
fn counts(pools: &mut Pools, sets: &Sets<'_>, set: usize, data: &Dataset) {
    let of = |column: Option<usize>| Source {
        set,
        columns: [column, None],
        rows: [None, None],
    };
    let rows = data.rows.len();
    pools.add(Family::Count, sets.rows, derive::count(rows), of(None));
    for (at, column) in data.columns.iter().enumerate() {
        let cells = || {
            data.rows
                .iter()
                .filter_map(|row| row.get(at))
                .filter(|cell| !cell.is_null())
        };
        let known = cells().count();
        if known < rows {
            pools.add(Family::Count, sets.rows, derive::count(known), of(Some(at)));
            pools.add(
                Family::Count,
                sets.rows,
                derive::count(rows - known),
                of(Some(at)),
            );
        }
        if column.kind != Kind::Number && rows > 1 {
            let distinct: HashSet<String> = cells().map(ToString::to_string).collect();
            pools.add(
                Family::Count,
                sets.rows,
                derive::count(distinct.len()),
                of(Some(at)),
            );
        }
    }
}

/// Rows that share a value: how many they are, and what they add up to.
fn groups(few: &mut Pools, many: &mut Pools, sets: &Sets<'_>, set: usize, data: &Dataset) {
    for (at, column) in data.columns.iter().enumerate() {
        if !matches!(column.kind, Kind::Text | Kind::Bool) {
            continue;
        }
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (row, cells) in data.rows.iter().enumerate() {
            if let Some(cell) = cells.get(at).filter(|cell| !cell.is_null()) {
                groups.entry(cell.to_string()).or_default().push(row);
            }
            if groups.len() > MAX_GROUPS {
                break;
            }
        }
        if groups.len() > MAX_GROUPS || groups.len() == data.rows.len() || groups.len() < 2 {
            continue;
        }
        // Two or three groups are few enough to be looked at without being named.
        let pools = if groups.len() <= 3 {
            &mut *few
        } else {
            &mut *many
        };
        for rows in groups.values() {
            group(pools, sets, set, Some(at), rows);
        }
    }
}

/// What some rows of a dataset come to together.
pub fn group(pools: &mut Pools, sets: &Sets<'_>, set: usize, by: Option<usize>, rows: &[usize]) {
    let many = derive::count(rows.len());
    let all = sets.data.get(set).map_or(0, |data| data.rows.len());
    let source = Source {
        set,
        columns: [by, None],
        rows: [rows.first().copied(), rows.last().copied()],
    };
    pools.add(Family::Count, sets.rows, many, source);
    derive::share(pools, sets, many, derive::count(all), source);
    for series in sets.amounts(set) {
        let (Some(domain), true) = (series.domain, series.additive) else {
            continue;
        };
        let sum = |rows: &mut dyn Iterator<Item = usize>| -> f64 {
            rows.filter_map(|row| series.value(row)).sum()
        };
        let (part, whole) = (sum(&mut rows.iter().copied()), sum(&mut (0..all)));
        let source = Source {
            columns: [by, Some(series.column)],
            ..source
        };
        pools.add(Family::Sum, domain, part, source);
        pools.add(Family::Average, domain, part / many, source);
        derive::share(pools, sets, part, whole, source);
    }
}

/// Datasets of one row are related with each other where a column has the same name, or where each
/// has but one column.
fn scalars(pools: &mut Pools, sets: &Sets<'_>) {
    let single = |series: &&Series| {
        sets.data
            .get(series.set)
            .is_some_and(|data| data.rows.len() == 1)
    };
    let all: Vec<&Series> = sets
        .series
        .iter()
        .flatten()
        .filter(single)
        .take(MAX_SCALARS)
        .collect();
    let alone = |series: &Series| {
        sets.series
            .get(series.set)
            .is_some_and(|all| all.len() == 1)
    };
    for (at, one) in all.iter().enumerate() {
        for other in all.iter().skip(at + 1).filter(|other| other.set != one.set) {
            let (Some(a), Some(b)) = (one.value(0), other.value(0)) else {
                continue;
            };
            let (Some(domain), Some(beside)) = (one.domain_of(0), other.domain_of(0)) else {
                continue;
            };
            if one.name == other.name || (alone(one) && alone(other)) {
                let source = Source {
                    set: one.set,
                    columns: [Some(one.column), Some(other.column)],
                    rows: [Some(0), None],
                };
                derive::both(pools, sets, (a, domain), (b, beside), source);
            }
        }
    }
}

/// Relates a value with the one row of another dataset that is its whole or its counterpart.
pub fn beside(pools: &mut Pools, sets: &Sets<'_>, series: &Series, row: usize) {
    let Some((value, domain)) = series.value(row).zip(series.domain_of(row)) else {
        return;
    };
    let others = sets
        .series
        .iter()
        .flatten()
        .filter(|other| other.set != series.set);
    for other in others.filter(|other| {
        sets.data
            .get(other.set)
            .is_some_and(|data| data.rows.len() == 1)
    }) {
        let (Some(whole), Some(unit)) = (other.value(0), other.domain_of(0)) else {
            continue;
        };
        if (other.name == series.name || other.name.contains(&series.name))
            && sets.alike(domain, unit)
        {
            let two = Two {
                one: value,
                other: whole,
                domain,
                alike: true,
                source: series.at(row),
            };
            derive::relate(pools, sets, &two);
        }
    }
}

/// Stems of the names of datasets and columns.
fn nouns(data: &[Dataset]) -> HashSet<String> {
    let names = data.iter().flat_map(|set| {
        std::iter::once(&set.name).chain(set.columns.iter().map(|column| &column.name))
    });
    let words = names.flat_map(|name| name.split(|c: char| !c.is_alphanumeric()));
    words
        .filter(|word| word.len() > 2)
        .map(words::stem)
        .collect()
}
