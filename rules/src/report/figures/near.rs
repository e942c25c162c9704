//! What follows from the rows that a block speaks of.
//!
//! Invariant: bounded by [`super::mentions`]; a row is related with its neighbours and with the other
//! rows that are named, with nothing else.
//! Failure: none.

use super::derive;
use super::facts::{self, Facts};
use super::mentions::Mentioned;
use super::pool::{Family, Pool, Pools, Source};

/// What follows from rows that a block speaks of.
pub fn near(facts: &Facts<'_>, mentioned: &Mentioned) -> Vec<Pool> {
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
                derive::share(&mut pools, sets, value, series.total, series.at(*row));
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
