//! Statements about stretches of time that are long over.
//!
//! Invariant: only by an index, or of a table that is not big.
//! Failure: [`Unable`].

use super::place::{self, TimeColumn};
use super::text::{Param, Statement};
use super::{Ask, Bucket, Unable, wrong};
use crate::civil::Zone;
use crate::monitor::check::Kind;
use crate::monitor::identifier::qualified;

/// Counts the rows of stretches that follow each other, and those of them that are wrong.
pub fn history(
    ask: &Ask<'_>,
    column: &str,
    zone: &Zone,
    chunk: &[Bucket],
) -> Result<Statement, Unable> {
    let facts = ask.own()?;
    let time = TimeColumn::of(facts, column, zone)?;
    let (Some(first), Some(last)) = (chunk.first(), chunk.last()) else {
        return Err(Unable::misconfigured("There is nothing to count in."));
    };
    if facts.pages > ask.size.big_pages && !facts.is_indexed(column, false) {
        return Err(Unable::misconfigured(format!(
            "The table is big and has no index on {column}, so its history is not filled in."
        )));
    }
    let mut statement = Statement::default();
    let (judged, wrong) = match &ask.check.kind {
        Kind::Volume(_) => (None, "false".to_owned()),
        _ => wrong::judged_rows(ask, &mut statement)?,
    };
    let from = time.bound(&mut statement, first.from);
    let to = time.bound(&mut statement, last.to);
    let edges = chunk.iter().map(|bucket| bucket.from.timestamp() as f64);
    let edges = statement.param(Param::Numbers(edges.collect()));
    let bare = time.bare();
    let mut conditions = vec![format!("{bare} >= {from}"), format!("{bare} < {to}")];
    if let Some(text) = &ask.check.scope.condition {
        conditions.push(place::condition(ask, text, ask.table)?);
    }
    conditions.extend(judged);
    statement.sql = format!(
        "select json_build_object('counts', coalesce(json_agg(json_build_array(counted.place, \
         counted.n, counted.wrong) order by counted.place), '[]'))::text as answer from (select \
         width_bucket(cast(extract(epoch from {}) as float8), {edges}) as place, count(*) as n, \
         count(*) filter (where {wrong}) as wrong from {} where {} group by 1) as counted",
        time.instant(bare),
        qualified(ask.table),
        conditions.join(" and ")
    );
    Ok(statement)
}
