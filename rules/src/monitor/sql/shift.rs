//! Statements about how values are distributed.
//!
//! Invariant: the first one asks where tenths of the numbers end, all later ones count in those
//! tenths; categories are told apart by a hash, so that no value of a column leaves the database.
//! Failure: [`Unable`].

use super::place::{self, column};
use super::text::{Param, Statement};
use super::{Ask, Plan, Unable};
use crate::monitor::check::{Shift, ShiftValues};
use crate::monitor::identifier::quote;
use crate::monitor::shift::Histogram;

/// Most categories that are counted one by one.
pub(super) const CATEGORIES: u32 = 100;

/// Where the tenths end, or how many values are in each.
pub(super) fn shift(ask: &Ask<'_>, shift: &Shift) -> Result<Plan, Unable> {
    let mut statement = Statement::default();
    column(ask.own()?, &shift.column)?;
    let name = quote(&shift.column);
    let edges = match (shift.values, ask.histogram) {
        (ShiftValues::Categories, _) => None,
        (ShiftValues::Numbers, None) => Some(None),
        (ShiftValues::Numbers, Some(Histogram { edges, .. })) => Some(Some(edges.clone())),
    };
    let rows = place::rows(ask, &mut statement, Some(ask.size.sample_pages))?;
    let path = rows.path.clone();
    let rows = rows.and(format!("{name} is not null"));
    statement.sql = match edges {
        Some(None) => format!(
            "select json_build_object('edges', percentile_disc(\
             array[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]::float8[]) \
             within group (order by cast({name} as float8)), 'checked', count(*))::text as answer{}",
            rows.sql()
        ),
        Some(Some(edges)) => {
            let edges = statement.param(Param::Numbers(edges));
            format!(
                "select json_build_object('counts', coalesce(json_agg(json_build_array(\
                 counted.place, counted.n)), '[]'))::text as answer from (select \
                 width_bucket(cast({name} as float8), {edges})::text as place, count(*) as n{} \
                 group by 1) as counted",
                rows.sql()
            )
        }
        None => format!(
            "select json_build_object('counts', coalesce(json_agg(json_build_array(\
             counted.place, counted.n)), '[]'))::text as answer from (select \
             hashtextextended(left(cast({name} as text), 1000), 0)::text as place, count(*) as n{} \
             group by 1 order by 2 desc, 1 limit {CATEGORIES}) as counted",
            rows.sql()
        ),
    };
    Ok(Plan {
        statement,
        samples: None,
        path,
        bucket: None,
    })
}
