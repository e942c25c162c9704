//! SQL that a tenant writes about tables of its own database.
//!
//! The text becomes a tree and only what is named by [`crate::sql_guard`] is written out again: one
//! `SELECT` of one column, or one condition about a row. Default deny: no function that sleeps,
//! locks, reads settings or files, or reaches other servers; no locking of rows; nothing that changes
//! data; none of the system's tables. Even in a read-only transaction of a standby those could take
//! advisory locks, lift time-outs or run for ever.
//!
//! Invariant: what was checked is what runs, letter by letter. `now()` is the moment up to which the
//! replica is, so that a replica that lags does not look stale. Names that are found neither as a
//! column nor as a table are refused by [`bind`] before anything runs, and with them functions in
//! the disguise of columns (`t.f`).
//! Failure: a [`Refusal`] with code, line and column; [`Missing`] where a table or column is gone.

use chrono::{DateTime, Utc};

use super::catalog::{Catalog, Kind};
use crate::sql_guard::{self, Named, Opened, Refusal, TableName};

/// The schema of tables that are named without one, before it is known whose check it is.
const SCHEMA: &str = "public";

/// A query that may run once it is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Custom {
    /// What runs.
    pub sql: String,
    /// The tables it reads.
    pub tables: Vec<TableName>,
    columns: Vec<Named>,
}

/// Why a query that is fine cannot run: what it is about is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// One sentence for a person.
    pub message: String,
}

/// Judges a metric when it is saved.
pub fn check(sql: &str) -> Result<Custom, Refusal> {
    write(sql, SCHEMA, DateTime::UNIX_EPOCH)
}

/// Writes a metric as it runs: `schema` is that of tables named without one, `as_of` is `now()`.
pub fn write(sql: &str, schema: &str, as_of: DateTime<Utc>) -> Result<Custom, Refusal> {
    let opened = sql_guard::open(sql, schema, as_of)?;
    if opened.width.is_some_and(|width| width != 1) {
        return Err(Refusal {
            code: "sql_not_one_column",
            line: 0,
            column: 0,
            message: "A metric is one number: select exactly one column.".to_owned(),
        });
    }
    Ok(custom(opened))
}

/// Judges a condition about a row of a table when it is saved.
pub fn check_condition(text: &str, table: &TableName) -> Result<(), Refusal> {
    sql_guard::condition(text, table, DateTime::UNIX_EPOCH).map(drop)
}

/// Writes a condition about a row of a table as it runs, in parentheses where it needs them.
pub fn condition(text: &str, table: &TableName, as_of: DateTime<Utc>) -> Result<Custom, Refusal> {
    sql_guard::condition(text, table, as_of).map(custom)
}

/// The tables that a metric reads; none where it is refused.
pub fn tables(sql: &str, schema: &str) -> Vec<TableName> {
    write(sql, schema, DateTime::UNIX_EPOCH).map_or_else(|_| Vec::new(), |custom| custom.tables)
}

fn custom(opened: Opened) -> Custom {
    Custom {
        sql: opened.sql,
        tables: opened.tables,
        columns: opened.columns,
    }
}

/// Finds every table and column in what the catalogue says.
pub fn bind(custom: &Custom, catalog: &Catalog) -> Result<(), Missing> {
    let missing = |message: String| Err(Missing { message });
    for table in &custom.tables {
        let name = format!("{}.{}", table.schema, table.name);
        match catalog.get(table) {
            None => return missing(format!("There is no table {name}.")),
            Some(facts) if facts.kind == Kind::Foreign => {
                let message = "is a foreign table: reading it would load another server.";
                return missing(format!("{name} {message}"));
            }
            Some(_) => {}
        }
    }
    for Named { of, column } in &custom.columns {
        let tables = || of.iter().filter_map(|place| custom.tables.get(*place));
        let mut facts = tables().filter_map(|table| catalog.get(table));
        if !facts.any(|facts| facts.column(column).is_some()) {
            let names: Vec<_> = tables().map(|table| &*table.name).collect();
            return missing(format!("{} has no column {column}.", names.join(" or ")));
        }
    }
    Ok(())
}
