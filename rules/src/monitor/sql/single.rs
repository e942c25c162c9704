//! Statements that answer one number or two: freshness, volume, rows, metrics, comparisons.
//!
//! Invariant: as in [`super`].
//! Failure: [`Unable`].

use chrono::TimeDelta;

use super::place::{self, Path, Rows, TimeColumn, TimeKind};
use super::text::{Param, Statement};
use super::{Ask, Plan, Unable, bucket};
use crate::monitor::catalog::{Kind, TableFacts};
use crate::monitor::check::{Aggregate, Comparison, Freshness, Metric, Volume};
use crate::monitor::custom;
use crate::monitor::identifier::{qualified, quote};

/// How far behind the replica's position a row may be dated and still count as new: clocks differ.
/// What is dated further ahead is told and not counted, or one wrong date would keep a table fresh
/// for ever.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// A day, in seconds.
const DAY: u32 = 86_400;

fn plan(statement: Statement, path: Path) -> Plan {
    Plan {
        statement,
        samples: None,
        path,
        bucket: None,
    }
}

/// The newest row; whether there is any; whether some are dated ahead.
pub(super) fn freshness(ask: &Ask<'_>, freshness: &Freshness) -> Result<Plan, Unable> {
    let facts = ask.own()?;
    let column = TimeColumn::of(facts, &freshness.column, &freshness.timezone)?;
    let mut statement = Statement::default();
    let latest = column.bound(&mut statement, ask.as_of + AHEAD);
    let big = facts.pages > ask.size.big_pages;
    let indexed = facts.is_indexed(&freshness.column, true);
    let mut rows = place::rows(ask, &mut statement, None)?;
    if big && indexed {
        // The newest row is the last of the index.
        rows.path = Path::Index;
    }
    let (own, bare) = (column.bare(), qualified(ask.table));
    let path = rows.path.clone();
    let rows = rows.and(format!("{own} <= {latest}"));
    let newest = column.instant(&format!("max({own})"));
    statement.sql = format!(
        "select json_build_object('newest', (select extract(epoch from {newest}){}), \
         'empty', (select 1 from {bare} limit 1) is null, \
         'ahead', {})::text as answer",
        rows.sql(),
        match (indexed, big) {
            (true, _) => format!("(select max({own}) from {bare}) > {latest}"),
            (false, false) => format!("exists (select 1 from {bare} where {own} > {latest})"),
            (false, true) => "null".to_owned(),
        }
    );
    Ok(plan(statement, path))
}

/// The rows of the latest stretch that is closed.
pub(super) fn volume(ask: &Ask<'_>, volume: &Volume) -> Result<Plan, Unable> {
    let facts = ask.own()?;
    let column = TimeColumn::of(facts, &volume.column, &volume.timezone)?;
    if column.kind() == TimeKind::Day && volume.bucket != DAY {
        let message = format!(
            "{} holds days, so rows are counted by the day: set bucket to {DAY}.",
            volume.column
        );
        return Err(Unable::misconfigured(message));
    }
    let (seconds, late) = (volume.bucket, volume.late_arrivals);
    let stretch = bucket::closed(ask.as_of, seconds, late, &volume.timezone);
    let mut statement = Statement::default();
    let from = column.bound(&mut statement, stretch.from);
    let to = column.bound(&mut statement, stretch.to);
    let mut rows = place::rows(ask, &mut statement, None)?;
    if facts.pages > ask.size.big_pages && facts.is_indexed(&volume.column, false) {
        rows.path = Path::Index;
    }
    let path = rows.path.clone();
    let own = column.bare();
    let rows = rows
        .and(format!("{own} >= {from}"))
        .and(format!("{own} < {to}"));
    statement.sql = format!(
        "select json_build_object('rows', count(*))::text as answer{}",
        rows.sql()
    );
    Ok(Plan {
        bucket: Some(stretch),
        ..plan(statement, path)
    })
}

/// All rows; of a big table what the catalogue estimates.
pub(super) fn row_count(ask: &Ask<'_>) -> Result<Plan, Unable> {
    let facts = ask.own()?;
    let mut statement = Statement::default();
    let big = facts.pages > ask.size.big_pages && facts.can_be_sampled();
    if !big || ask.check.scope.condition.is_some() {
        let rows = place::rows(ask, &mut statement, None)?;
        statement.sql = format!(
            "select json_build_object('rows', count(*))::text as answer{}",
            rows.sql()
        );
        return Ok(plan(statement, rows.path));
    }
    let schema = statement.param(Param::Text(ask.table.schema.clone()));
    let name = statement.param(Param::Text(ask.table.name.clone()));
    let tree = match facts.kind {
        Kind::Partitioned => {
            "cross join lateral pg_partition_tree(c.oid) as p \
             join pg_catalog.pg_class as leaf on leaf.oid = p.relid and p.isleaf"
        }
        _ => "join pg_catalog.pg_class as leaf on leaf.oid = c.oid",
    };
    statement.sql = format!(
        "select json_build_object('rows', sum(leaf.reltuples) filter (where leaf.reltuples >= 0), \
         'estimated', true)::text as answer \
         from pg_catalog.pg_class as c \
         join pg_catalog.pg_namespace as n on n.oid = c.relnamespace {tree} \
         where n.nspname = {schema} and c.relname = {name}"
    );
    Ok(plan(statement, Path::Catalog))
}

/// What a tenant asks. Two rows are fetched to tell one from several.
pub(super) fn metric(ask: &Ask<'_>, metric: &Metric) -> Result<Plan, Unable> {
    let custom = custom::write(&metric.sql, &ask.table.schema, ask.as_of)
        .map_err(|refusal| Unable::misconfigured(refusal.to_string()))?;
    custom::bind(&custom, ask.catalog).map_err(|missing| Unable::misconfigured(missing.message))?;
    let statement = Statement {
        sql: format!(
            "select json_build_object('values', coalesce(json_agg(value), '[]'))::text as answer \
             from (select cast(value as float8) as value from ({}) as metric (value) limit 2) \
             as answer",
            custom.sql
        ),
        params: Vec::new(),
    };
    Ok(plan(statement, Path::Whole))
}

/// The same of two tables.
pub(super) fn comparison(ask: &Ask<'_>, comparison: &Comparison) -> Result<Plan, Unable> {
    let mut statement = Statement::default();
    let rows = place::rows(ask, &mut statement, None)?;
    let other = ask.facts(&comparison.with)?;
    let own = aggregate(ask.own()?, comparison.of, comparison.column.as_deref())?;
    let column = comparison.with_column.as_deref();
    let column = column.or(comparison.column.as_deref());
    let theirs = aggregate(other, comparison.of, column)?;
    let mut others = Rows {
        from: qualified(&comparison.with),
        conditions: Vec::new(),
        path: Path::Whole,
    };
    if let Some(text) = &comparison.with_condition {
        others = others.and(place::condition(ask, text, &comparison.with)?);
    }
    statement.sql = format!(
        "select json_build_object('own', (select {own}{}), 'other', (select {theirs}{}))::text \
         as answer",
        rows.sql(),
        others.sql()
    );
    Ok(plan(statement, rows.path))
}

/// What is compared of a table, as a number.
fn aggregate(facts: &TableFacts, of: Aggregate, column: Option<&str>) -> Result<String, Unable> {
    let Some(name) = column.filter(|_| of != Aggregate::Count) else {
        return Ok("count(*)".to_owned());
    };
    let column = place::column(facts, name)?;
    let quoted = quote(name);
    let is_time = matches!(column.base.as_str(), "timestamptz" | "timestamp" | "date");
    Ok(match (of, is_time) {
        (Aggregate::Count, _) => "count(*)".to_owned(),
        (Aggregate::Distinct, _) => format!("count(distinct {quoted})"),
        (Aggregate::Sum, true) => {
            let message = format!("{name} is {}, which has no sum.", column.type_name);
            return Err(Unable::misconfigured(message));
        }
        (Aggregate::Sum, false) => format!("coalesce(sum({quoted}), 0)"),
        (Aggregate::Min, true) => format!("extract(epoch from min({quoted}))"),
        (Aggregate::Max, true) => format!("extract(epoch from max({quoted}))"),
        (Aggregate::Min, false) => format!("cast(min({quoted}) as float8)"),
        (Aggregate::Max, false) => format!("cast(max({quoted}) as float8)"),
    })
}
