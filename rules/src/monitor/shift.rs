//! How far the values of a column have moved: the population stability index.
//!
//! PSI = Σ (now − then) · ln(now / then) over the shares of each part. It is symmetric, needs no
//! shape of the distribution, works for numbers (in the tenths of what they were) and for categories
//! alike, and people know its levels: below 0.1 alike, from 0.25 on moved.
//!
//! Invariant: parts are those of the first measurement; what is new falls into a part of its own.
//! Shares have a floor of 0.0001, so that an empty part is finite. Where values are few, the index
//! is large by chance, about (parts − 1) · (1/n + 1/m): with fewer than [`LEAST`] values nothing is
//! judged.
//! Failure: none; too few values are said to be so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sql::Measured;

/// The fewest values that are judged: by chance alone the index of ten parts is then below .02.
pub const LEAST: f64 = 1_000.0;
/// Most parts of categories; the others are one.
pub const PARTS: usize = 20;
/// The smallest share.
const FLOOR: f64 = 0.000_1;
/// The part of everything that is none of the others.
const OTHERS: &str = "other";

/// What values were like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Where the tenths of numbers end; empty for categories.
    pub edges: Vec<f64>,
    /// How many values were in each part; none before they were counted.
    pub counts: Option<BTreeMap<String, f64>>,
}

/// What a measurement came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Taken {
    /// It is what later ones are compared with.
    Learned(Histogram),
    /// There are too few values.
    TooFew {
        /// How many there are.
        have: f64,
    },
    /// How far they have moved.
    Moved {
        /// The index.
        psi: f64,
    },
}

/// What a measurement comes to, given what was learned before. To start anew, forget that.
pub fn take(before: Option<&Histogram>, measured: &Measured) -> Option<Taken> {
    match (measured, before) {
        (Measured::Edges { edges, checked }, _) => Some(match edges {
            Some(edges) if *checked >= LEAST => Taken::Learned(Histogram {
                edges: ascending(edges),
                counts: None,
            }),
            _ => Taken::TooFew { have: *checked },
        }),
        (Measured::Counts { counts }, before) => {
            let total: f64 = counts.values().sum();
            if total < LEAST {
                return Some(Taken::TooFew { have: total });
            }
            Some(match before.and_then(|before| before.counts.as_ref()) {
                Some(then) => Taken::Moved {
                    psi: psi(then, counts),
                },
                None => Taken::Learned(Histogram {
                    edges: before.map_or_else(Vec::new, |before| before.edges.clone()),
                    counts: Some(first(counts)),
                }),
            })
        }
        _ => None,
    }
}

/// The population stability index of two counts.
pub fn psi(then: &BTreeMap<String, f64>, now: &BTreeMap<String, f64>) -> f64 {
    let known = |part: &str| part != OTHERS && then.contains_key(part);
    let others = |counts: &BTreeMap<String, f64>| {
        let parts = counts.iter().filter(|(part, _)| !known(part));
        parts.map(|(_, count)| count).sum::<f64>()
    };
    let (then_total, now_total) = (then.values().sum::<f64>(), now.values().sum::<f64>());
    let share = |count: f64, total: f64| (count / total.max(1.0)).max(FLOOR);
    let part = |then: f64, now: f64| match then == 0.0 && now == 0.0 {
        true => 0.0,
        false => {
            let (then, now) = (share(then, then_total), share(now, now_total));
            (now - then) * (now / then).ln()
        }
    };
    let named = then.iter().filter(|(name, _)| known(name));
    let named: f64 = named
        .map(|(name, then)| part(*then, now.get(name).copied().unwrap_or_default()))
        .sum();
    named + part(others(then), others(now))
}

/// The most frequent parts; the rest is one.
fn first(counts: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by(|one, other| other.1.total_cmp(one.1).then(one.0.cmp(other.0)));
    let rest: f64 = sorted.iter().skip(PARTS).map(|(_, count)| **count).sum();
    let kept = sorted.into_iter().take(PARTS);
    let mut kept: BTreeMap<_, _> = kept.map(|(part, count)| (part.clone(), *count)).collect();
    if rest > 0.0 {
        *kept.entry(OTHERS.to_owned()).or_default() += rest;
    }
    kept
}

/// Ends of tenths without those that fall together, as a bucket of one value makes them.
fn ascending(edges: &[f64]) -> Vec<f64> {
    let finite = edges.iter().copied().filter(|edge| edge.is_finite());
    let mut edges: Vec<f64> = finite.collect();
    edges.sort_by(f64::total_cmp);
    edges.dedup();
    edges
}
