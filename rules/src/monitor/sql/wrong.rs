//! Statements that count rows that are wrong.
//!
//! Invariant: the answer says how many rows were looked at and how many of them are wrong, so that a
//! share of a sample is one of the table, about. Keys are never looked at in a sample, where they
//! hardly meet: where a unique index keeps them, the catalogue is asked whether it still does.
//! Shown rows have no column but those that were asked for, and of masked ones only whether there
//! is a value.
//! Failure: [`Unable`].

use super::place::{self, Path, column, columns, equals};
use super::text::{Param, Statement};
use super::{Ask, Plan, Unable};
use crate::monitor::check::{Key, Kind, Refers, Samples};
use crate::monitor::identifier::{qualified, quote};

/// Of a sample whose rows are each looked up elsewhere, only this part is read.
const LOOKED_UP: i64 = 4;
/// Longest text of a shown value, in characters.
const SHOWN: u32 = 200;
/// What stands for a masked value.
const MASK: &str = "•••";

/// Rows that are wrong by themselves.
pub(super) fn rows(ask: &Ask<'_>) -> Result<Plan, Unable> {
    let mut statement = Statement::default();
    let (judged, wrong) = judged_rows(ask, &mut statement)?;
    let rows = place::rows(ask, &mut statement, Some(ask.size.sample_pages))?;
    let path = rows.path.clone();
    let rows = judged.into_iter().fold(rows, place::Rows::and);
    statement.sql = format!(
        "select json_build_object('checked', count(*), \
         'wrong', count(*) filter (where {wrong}))::text as answer{}",
        rows.sql()
    );
    let samples = ask.check.samples.as_ref().map(|samples| {
        let mut statement = Statement::default();
        let (judged, wrong) = judged_rows(ask, &mut statement)?;
        let rows = place::rows(ask, &mut statement, Some(ask.size.sample_pages))?;
        let rows = judged.into_iter().fold(rows, place::Rows::and).and(wrong);
        show(ask, statement, samples, &rows.sql(), None)
    });
    Ok(Plan {
        statement,
        samples: samples.transpose()?,
        path,
        bucket: None,
    })
}

/// Which rows are judged, if not all, and which of them are wrong.
pub(super) fn judged_rows(
    ask: &Ask<'_>,
    statement: &mut Statement,
) -> Result<(Option<String>, String), Unable> {
    let facts = ask.own()?;
    let known = |name: &str| column(facts, name).map(|_| quote(name));
    let there = |name: &str| Some(format!("{name} is not null"));
    Ok(match &ask.check.kind {
        Kind::NullRate(one) => (None, format!("{} is null", known(&one.column)?)),
        Kind::AcceptedValues(accepted) => {
            let name = known(&accepted.column)?;
            let values = statement.param(Param::Texts(accepted.values.clone()));
            let wrong = format!("cast({name} as text) <> all ({values})");
            (there(&name), wrong)
        }
        Kind::Range(range) => {
            let name = known(&range.column)?;
            let mut outside = Vec::new();
            for (sign, limit) in [("<", range.min), (">", range.max)] {
                if let Some(limit) = limit {
                    // Through text, so that a numeric column is compared as numeric.
                    let limit = statement.param(Param::Text(limit.to_string()));
                    outside.push(format!("{name} {sign} cast({limit} as numeric)"));
                }
            }
            (there(&name), format!("({})", outside.join(" or ")))
        }
        Kind::Pattern(pattern) => {
            let name = known(&pattern.column)?;
            let pattern = statement.param(Param::Text(pattern.pattern.clone()));
            (there(&name), format!("cast({name} as text) !~ {pattern}"))
        }
        Kind::Assertion(assertion) => {
            let condition = place::condition(ask, &assertion.condition, ask.table)?;
            (None, format!("{condition} is false"))
        }
        _ => return Err(Unable::misconfigured("This kind judges no single rows.")),
    })
}

/// Keys that come more than once.
pub(super) fn keys(ask: &Ask<'_>, key: &Key) -> Result<Plan, Unable> {
    let facts = ask.own()?;
    let names = columns(facts, &key.columns)?;
    let mut statement = Statement::default();
    let index = facts.unique_index(&key.columns);
    if let Some(index) = index.filter(|_| facts.pages > ask.size.big_pages) {
        let schema = statement.param(Param::Text(ask.table.schema.clone()));
        let name = statement.param(Param::Text(index.name.clone()));
        statement.sql = format!(
            "select json_build_object('checked', null, 'wrong', case when bool_or(i.indisunique \
             and i.indisvalid and i.indisready and i.indpred is null) then 0 end)::text as answer \
             from pg_catalog.pg_index as i \
             join pg_catalog.pg_class as x on x.oid = i.indexrelid \
             join pg_catalog.pg_namespace as n on n.oid = x.relnamespace \
             where n.nspname = {schema} and x.relname = {name}"
        );
        return Ok(Plan {
            statement,
            samples: None,
            path: Path::Catalog,
            bucket: None,
        });
    }
    let there = |rows: place::Rows| {
        let names = names.iter();
        names.fold(rows, |rows, name| rows.and(format!("{name} is not null")))
    };
    let rows = there(place::rows(ask, &mut statement, None)?);
    let list = names.join(", ");
    let counts = match &ask.check.kind {
        Kind::DuplicateKeys(_) => {
            "'checked', count(*), 'wrong', count(*) filter (where keys.n > 1)"
        }
        _ => "'checked', coalesce(sum(keys.n), 0), 'wrong', coalesce(sum(keys.n - 1), 0)",
    };
    statement.sql = format!(
        "select json_build_object({counts})::text as answer \
         from (select count(*) as n{} group by {list}) as keys",
        rows.sql()
    );
    let samples = ask.check.samples.as_ref().map(|samples| {
        let mut statement = Statement::default();
        let rows = there(place::rows(ask, &mut statement, None)?);
        let tail = format!("{} group by {list} having count(*) > 1", rows.sql());
        show(ask, statement, samples, &tail, Some(&key.columns))
    });
    Ok(Plan {
        statement,
        samples: samples.transpose()?,
        path: rows.path,
        bucket: None,
    })
}

/// Rows that refer to nothing.
pub(super) fn reference(ask: &Ask<'_>, refers: &Refers) -> Result<Plan, Unable> {
    let mut statement = Statement::default();
    let (rows, path) = referring(ask, refers, &mut statement)?;
    let Lookup { join, nothing } = lookup(ask, refers)?;
    statement.sql = format!(
        "select json_build_object('checked', count(*), \
         'wrong', count(*) filter (where {nothing}))::text as answer \
         from ({rows}) as child{join}"
    );
    let samples = ask.check.samples.as_ref().map(|samples| {
        let mut statement = Statement::default();
        let (rows, _) = referring(ask, refers, &mut statement)?;
        let tail = format!(" from ({rows}) as child{join} where {nothing}");
        show(ask, statement, samples, &tail, Some(&refers.columns))
    });
    Ok(Plan {
        statement,
        samples: samples.transpose()?,
        path,
        bucket: None,
    })
}

/// The rows that refer.
fn referring(
    ask: &Ask<'_>,
    refers: &Refers,
    statement: &mut Statement,
) -> Result<(String, Path), Unable> {
    let names = columns(ask.own()?, &refers.columns)?;
    let rows = place::rows(ask, statement, Some(ask.size.sample_pages / LOOKED_UP))?;
    let path = rows.path.clone();
    let rows = names
        .iter()
        .fold(rows, |rows, name| rows.and(format!("{name} is not null")));
    let sql = format!("select {}{}", names.join(", "), rows.sql());
    Ok((sql, path))
}

/// How it is told that a row refers to nothing.
struct Lookup {
    /// What is joined to the rows.
    join: String,
    /// True of those that refer to nothing.
    nothing: String,
}

/// In a big table each row is looked up by an index: a subquery with a limit is never turned into a
/// read of the whole table. A small one is read once and joined; its columns have other names there,
/// so that those of the rows can be named alone.
fn lookup(ask: &Ask<'_>, refers: &Refers) -> Result<Lookup, Unable> {
    let (own, other) = (ask.own()?, ask.facts(&refers.to)?);
    let big = other.pages > ask.size.big_pages && other.is_found_by(&refers.to_columns);
    let (mut same, mut keys) = (Vec::new(), Vec::new());
    for (place, (name, to)) in refers.columns.iter().zip(&refers.to_columns).enumerate() {
        let operator = equals(column(own, name)?);
        column(other, to)?;
        let (name, to, key) = (quote(name), quote(to), format!("key_{place}"));
        let theirs = if big { &to } else { &key };
        same.push(format!("parent.{theirs} {operator} child.{name}"));
        keys.push(format!("{to} as {key}"));
    }
    let (table, same) = (qualified(&refers.to), same.join(" and "));
    Ok(match big {
        true => Lookup {
            join: String::new(),
            nothing: format!("(select 1 from {table} as parent where {same} limit 1) is null"),
        },
        false => Lookup {
            join: format!(
                " left join (select distinct {}, true as found from {table}) as parent on {same}",
                keys.join(", ")
            ),
            nothing: "parent.found is null".to_owned(),
        },
    })
}

/// The statement that shows rows; `keys`: only these columns are at hand.
fn show(
    ask: &Ask<'_>,
    mut statement: Statement,
    samples: &Samples,
    tail: &str,
    keys: Option<&[String]>,
) -> Result<Statement, Unable> {
    let facts = ask.own()?;
    let at_hand = |name: &&String| keys.is_none_or(|keys| keys.contains(name));
    let mut shown = Vec::new();
    for name in samples.columns.iter().filter(at_hand) {
        column(facts, name)?;
        let quoted = quote(name);
        shown.push(match samples.masked.contains(name) {
            true => format!("case when {quoted} is not null then '{MASK}' end as {quoted}"),
            false => format!("left(cast({quoted} as text), {SHOWN}) as {quoted}"),
        });
    }
    if shown.is_empty() {
        shown.push("true as \"wrong\"".to_owned());
    }
    statement.sql = format!(
        "select json_build_object('rows', coalesce(json_agg(sample), '[]'))::text as answer \
         from (select {}{tail} limit {}) as sample",
        shown.join(", "),
        samples.rows
    );
    Ok(statement)
}
