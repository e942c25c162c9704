//! Looking a figure up among values.
//!
//! Invariant: a value is a hit only if it rounds to the figure and their units agree.
//! Failure: none is found.

use super::derive;
use super::facts::Facts;
use super::numeral::Reading;
use super::pool::{Family, Pool, Source, scales};
use super::scan::Number;
use super::words::Cues;
use super::{Derivation, Trace};

/// A figure that is looked up.
pub struct Look<'l, 'd> {
    /// The data.
    pub facts: &'l Facts<'d>,
    /// It.
    pub number: &'l Number,
    /// What the words around it say.
    pub cues: Cues,
    /// The column of the report says that it holds percentages.
    pub percent: bool,
    /// The sentence names a column.
    pub named: bool,
}

impl Look<'_, '_> {
    /// The first hit of these families.
    pub fn first(&self, pools: &[Pool], wanted: impl Fn(Family) -> bool) -> Option<Trace> {
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
    pub fn likely(
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
    pub fn is_limit(&self) -> bool {
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

/// A trace that names no data.
pub fn only(derivation: Derivation) -> Trace {
    Trace {
        derivation,
        dataset: None,
        columns: Vec::new(),
        rows: Vec::new(),
    }
}

/// A trace to the data.
pub fn told(facts: &Facts<'_>, derivation: Derivation, source: Source) -> Trace {
    let set = facts.sets.data.get(source.set);
    let name = |column: Option<usize>| Some(set?.columns.get(column?)?.name.clone());
    Trace {
        derivation,
        dataset: set.map(|set| set.name.clone()),
        columns: source.columns.into_iter().filter_map(name).collect(),
        rows: source.rows.into_iter().flatten().collect(),
    }
}
