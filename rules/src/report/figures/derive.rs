//! What follows from the data: sums, averages, differences, changes, shares, ratios.
//!
//! Invariant: only what a writer would derive: totals of a column, a row beside the one before it,
//! the first beside the last, two columns of one row. Never any two cells.
//! Failure: a division by nothing derives nothing.

use super::facts::{Series, Sets};
use super::pool::{Family, Pools, Source};

/// Columns of which any two of a row are related.
pub const RELATED: usize = 10;
/// Rows up to which every row is related with itself.
const SMALL: usize = 50;
/// First rows whose sum counts: `the top three`.
const FIRST: usize = 10;

/// Two values and where they come from.
pub struct Two {
    /// The value that is compared.
    pub one: f64,
    /// What it is compared with.
    pub other: f64,
    /// What `one` counts.
    pub domain: usize,
    /// Both count the same.
    pub alike: bool,
    /// Where they come from.
    pub source: Source,
}

/// How two values compare: in each direction.
pub fn relate(pools: &mut Pools, sets: &Sets<'_>, two: &Two) {
    let Two {
        one,
        other,
        domain,
        alike,
        source,
    } = *two;
    if alike {
        pools.add(Family::Difference, domain, one - other, source);
        for (new, old) in [(one, other), (other, one)] {
            if old != 0.0 {
                pools.add(
                    Family::Change,
                    sets.percent,
                    (new - old) / old.abs() * 100.0,
                    source,
                );
            }
        }
    }
    divide(pools, sets, two);
}

/// One value divided by another: a share, a multiple, so much for each.
pub fn divide(pools: &mut Pools, sets: &Sets<'_>, two: &Two) {
    let Two {
        one, other, source, ..
    } = *two;
    let back = two.alike.then_some((other, one));
    for (part, whole) in [Some((one, other)), back].into_iter().flatten() {
        if whole == 0.0 {
            continue;
        }
        let ratio = part / whole;
        if !two.alike {
            pools.add(Family::Ratio, two.domain, ratio, source);
            continue;
        }
        pools.add(Family::Ratio, sets.multiple, ratio, source);
        // A part is no larger than its whole.
        if (0.0..=1.0).contains(&ratio) {
            pools.add(Family::Share, sets.percent, ratio * 100.0, source);
        }
    }
}

/// What follows from a column alone, about which a reader asks first.
pub fn headlines(pools: &mut Pools, sets: &Sets<'_>, series: &Series) {
    let values = series.known();
    let source = series.source();
    let Some(domain) = series.domain else {
        return;
    };
    let at = |place: usize| values.get(place).copied();
    let last = values.len().saturating_sub(1);
    for (row, value) in [at(0), at(last)].into_iter().flatten() {
        pools.add(Family::Cell, domain, value, series.at(row));
    }
    if series.names || values.len() < 2 {
        return;
    }
    let mut sorted = values.clone();
    sorted.sort_by(|one, other| one.1.total_cmp(&other.1));
    for (row, value) in [sorted.first(), sorted.last()].into_iter().flatten() {
        pools.add(Family::Cell, domain, *value, series.at(*row));
    }
    let total: f64 = values.iter().map(|(_, value)| value).sum();
    let mean = total / count(values.len());
    pools.add(Family::Average, domain, mean, source);
    pools.add(Family::Average, domain, median(&sorted), source);
    if series.additive {
        pools.add(Family::Sum, domain, total, source);
        for (row, value) in [sorted.first(), sorted.last()].into_iter().flatten() {
            share(pools, sets, *value, total, series.at(*row));
        }
    }
    let pairs = [(0, 1), (last.saturating_sub(1), last), (0, last)];
    for (from, to) in pairs {
        if let (Some((before, old)), Some((after, new))) = (at(from), at(to)) {
            let source = Source {
                rows: [Some(before), Some(after)],
                ..source
            };
            relate(pools, sets, &two(new, old, domain, source));
        }
    }
}

/// What follows from every row of a column.
pub fn details(pools: &mut Pools, sets: &Sets<'_>, series: &Series) {
    let values = series.known();
    let total: f64 = values.iter().map(|(_, value)| value).sum();
    let mut before: Option<(usize, f64)> = None;
    let mut first = 0.0;
    for (place, (row, value)) in values.iter().enumerate() {
        let Some(domain) = series.domain_of(*row) else {
            continue;
        };
        pools.add(Family::Cell, domain, *value, series.at(*row));
        if series.names {
            continue;
        }
        if let Some((earlier, old)) =
            before.filter(|(earlier, _)| series.domain_of(*earlier) == Some(domain))
        {
            let source = Source {
                rows: [Some(earlier), Some(*row)],
                ..series.source()
            };
            pools.add(Family::Difference, domain, value - old, source);
            for (new, old) in [(*value, old), (old, *value)] {
                if old != 0.0 {
                    pools.add(
                        Family::Change,
                        sets.percent,
                        (new - old) / old.abs() * 100.0,
                        source,
                    );
                }
            }
        }
        before = Some((*row, *value));
        if series.additive {
            share(pools, sets, *value, total, series.at(*row));
            first += value;
            if (1..FIRST).contains(&place) && values.len() > 2 {
                pools.add(Family::Sum, domain, first, series.source());
                share(pools, sets, first, total, series.source());
            }
        }
    }
}

/// What follows from two columns of one row.
pub fn across(pools: &mut Pools, sets: &Sets<'_>, columns: &[&Series], row: usize) {
    for (at, one) in columns.iter().enumerate() {
        for other in columns.iter().skip(at + 1) {
            let (Some(a), Some(b)) = (one.value(row), other.value(row)) else {
                continue;
            };
            let (Some(domain), Some(beside)) = (one.domain_of(row), other.domain_of(row)) else {
                continue;
            };
            if one.names || other.names {
                continue;
            }
            let source = Source {
                set: one.set,
                columns: [Some(one.column), Some(other.column)],
                rows: [Some(row), None],
            };
            both(pools, sets, (a, domain), (b, beside), source);
        }
    }
}

/// What follows from the totals of two columns.
pub fn totals(pools: &mut Pools, sets: &Sets<'_>, columns: &[&Series]) {
    let added: Vec<_> = columns
        .iter()
        .filter(|series| series.additive && series.domain.is_some())
        .collect();
    for (at, one) in added.iter().enumerate() {
        for other in added.iter().skip(at + 1) {
            let sum = |series: &Series| series.known().iter().map(|(_, value)| value).sum::<f64>();
            let source = Source {
                set: one.set,
                columns: [Some(one.column), Some(other.column)],
                rows: [None, None],
            };
            if let (Some(domain), Some(beside)) = (one.domain, other.domain) {
                both(
                    pools,
                    sets,
                    (sum(one), domain),
                    (sum(other), beside),
                    source,
                );
            }
        }
    }
}

/// Whether every row of a dataset is so few that its columns are related in each.
pub fn is_small(rows: usize) -> bool {
    rows <= SMALL
}

/// Two values of one row, or of one total: what they are together and beside each other.
pub fn both(
    pools: &mut Pools,
    sets: &Sets<'_>,
    (one, domain): (f64, usize),
    (other, beside): (f64, usize),
    source: Source,
) {
    let alike = sets.alike(domain, beside);
    if alike {
        pools.add(Family::Pair, domain, one + other, source);
        relate(pools, sets, &two(one, other, domain, source));
        return;
    }
    // Revenue for each order, and orders for each unit of revenue.
    divide(
        pools,
        sets,
        &Two {
            one,
            other,
            domain,
            alike,
            source,
        },
    );
    divide(
        pools,
        sets,
        &Two {
            one: other,
            other: one,
            domain: beside,
            alike,
            source,
        },
    );
}

/// A part of a whole, in percent.
pub fn share(pools: &mut Pools, sets: &Sets<'_>, part: f64, whole: f64, source: Source) {
    if whole != 0.0 {
        pools.add(Family::Share, sets.percent, part / whole * 100.0, source);
    }
}

fn two(one: f64, other: f64, domain: usize, source: Source) -> Two {
    Two {
        one,
        other,
        domain,
        alike: true,
        source,
    }
}

fn median(sorted: &[(usize, f64)]) -> f64 {
    let middle = sorted.len() / 2;
    let at = |place: usize| sorted.get(place).map_or(f64::NAN, |(_, value)| *value);
    match sorted.len() % 2 {
        1 => at(middle),
        _ => (at(middle.saturating_sub(1)) + at(middle)) / 2.0,
    }
}

/// A count as a number: counts here are far below what a float holds exactly.
pub fn count(many: usize) -> f64 {
    u32::try_from(many).map_or(f64::from(u32::MAX), f64::from)
}
