//! What figures may be: values that the data hold or that follow from them, and how likely it is
//! that one fits by accident.
//!
//! Invariant: a pool is sorted and holds no value twice.
//! Failure: none.

use super::scan::Number;
use super::{Derivation, Unit};
use crate::report::unit::Measure;

/// How a value comes from the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// A cell.
    Cell,
    /// A number of rows or of distinct values.
    Count,
    /// A sum of a column, of a group, of first rows.
    Sum,
    /// A mean or a median.
    Average,
    /// Two cells added.
    Pair,
    /// Two cells subtracted.
    Difference,
    /// A change from one cell to another, in percent.
    Change,
    /// A part of a whole, in percent.
    Share,
    /// One cell divided by another.
    Ratio,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Cell,
        Self::Count,
        Self::Sum,
        Self::Average,
        Self::Pair,
        Self::Difference,
        Self::Change,
        Self::Share,
        Self::Ratio,
    ];

    /// What a trace calls it.
    pub fn derivation(self) -> Derivation {
        match self {
            Self::Cell => Derivation::Cell,
            Self::Count => Derivation::Count,
            Self::Sum | Self::Pair => Derivation::Sum,
            Self::Average => Derivation::Average,
            Self::Difference => Derivation::Difference,
            Self::Change => Derivation::Change,
            Self::Share => Derivation::Share,
            Self::Ratio => Derivation::Ratio,
        }
    }

    /// It says what the data say, not how two of them compare.
    pub fn is_direct(self) -> bool {
        matches!(self, Self::Cell | Self::Count | Self::Sum | Self::Average)
    }
}

/// What a value counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// What the cells of a column count.
    Column {
        /// As its name says.
        measure: Measure,
        /// As a column beside it says.
        currency: Option<String>,
        /// Its values lie between -1 and 1, and not all are whole.
        small: bool,
        /// All its values are whole.
        whole: bool,
    },
    /// Hundredths.
    Percent,
    /// Nothing: a multiple.
    Multiple,
    /// Rows.
    Rows,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The dataset.
    pub set: usize,
    /// Columns; one may be missing.
    pub columns: [Option<usize>; 2],
    /// Rows; one or both may be missing.
    pub rows: [Option<usize>; 2],
}

/// A value of a pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// The value, in the unit of its domain.
    pub value: f64,
    /// Where it comes from.
    pub source: Source,
}

/// Values of one family and one domain.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// How they come from the data.
    pub family: Family,
    /// What they count.
    pub domain: usize,
    values: Vec<Value>,
}

/// Pools that are being filled.
#[derive(Clone, Debug, Default)]
pub struct Pools {
    pools: Vec<Pool>,
}

impl Pools {
    /// Adds a value. What is no finite number is none.
    pub fn add(&mut self, family: Family, domain: usize, value: f64, source: Source) {
        if !value.is_finite() {
            return;
        }
        let fits = |pool: &&mut Pool| pool.family == family && pool.domain == domain;
        match self.pools.iter_mut().find(fits) {
            Some(pool) => pool.values.push(Value { value, source }),
            None => self.pools.push(Pool {
                family,
                domain,
                values: vec![Value { value, source }],
            }),
        }
    }

    /// The pools, sorted.
    pub fn done(mut self) -> Vec<Pool> {
        for pool in &mut self.pools {
            // Stable, so that the first of equal ones stays.
            pool.values
                .sort_by(|one, other| one.value.abs().total_cmp(&other.value.abs()));
            pool.values.dedup_by(|one, other| one.value == other.value);
        }
        self.pools
    }
}

impl Pool {
    /// The values whose amount lies between two, in order.
    pub fn between(&self, least: f64, most: f64) -> &[Value] {
        let from = self
            .values
            .partition_point(|value| value.value.abs() < least);
        let to = self
            .values
            .partition_point(|value| value.value.abs() <= most);
        self.values.get(from..to.max(from)).unwrap_or_default()
    }
}

/// By what a value of a domain is multiplied to be compared with a figure: nothing if their units
/// contradict each other.
pub fn scales(number: &Number, percent: bool, domain: &Domain) -> [Option<f64>; 2] {
    let one = |scale: f64| [Some(scale), None];
    let none = [None, None];
    let Domain::Column {
        measure,
        currency,
        small,
        whole,
    } = domain
    else {
        return match (&number.unit, domain) {
            (Unit::Percent, Domain::Percent) => one(1.0),
            (Unit::Plain, Domain::Percent) if percent => one(1.0),
            (Unit::Plain, Domain::Multiple) if number.seconds.is_none() => one(1.0),
            (Unit::Plain, Domain::Rows) if !number.times => one(1.0),
            _ => none,
        };
    };
    match (&number.unit, measure) {
        (Unit::Time, _) => none,
        (Unit::Percent, Measure::Percent) => one(1.0),
        (Unit::Percent, Measure::Ratio) => one(if *small { 100.0 } else { 1.0 }),
        (Unit::Percent, Measure::Plain) if *small => one(100.0),
        (Unit::Percent, _) => none,
        (Unit::Money(named), Measure::Money(code)) if agree(named, code) => one(1.0),
        (Unit::Money(named), Measure::Minor) => match currency {
            Some(code) if !agree(named, code) => none,
            _ => one(0.01),
        },
        (Unit::Money(named), Measure::Plain) => match currency {
            Some(code) if !agree(named, code) => none,
            // Money is kept in hundredths where it is kept in whole numbers.
            Some(_) if *whole => [Some(1.0), Some(0.01)],
            _ => one(1.0),
        },
        (Unit::Money(_), _) => none,
        (Unit::Plain, Measure::Duration(unit)) => match number.seconds {
            Some(seconds) => one(unit / seconds),
            None => one(1.0),
        },
        (Unit::Plain, Measure::Plain | Measure::Count) => one(1.0),
        (Unit::Plain, _) if number.seconds.is_some() => none,
        (Unit::Plain, Measure::Minor) => [Some(1.0), Some(0.01)],
        (Unit::Plain, Measure::Ratio) if percent && *small => [Some(1.0), Some(100.0)],
        (Unit::Plain, _) => one(1.0),
    }
}

/// Whether two names may be one currency.
fn agree(named: &str, code: &str) -> bool {
    let dollars = ["USD", "CAD", "AUD", "NZD", "MXN", "$"];
    named.eq_ignore_ascii_case(code)
        || (named == "$" && dollars.contains(&code.to_uppercase().as_str()))
        || (named == "JPY" && code == "CNY")
}
