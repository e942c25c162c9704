//! What the role that reads a replica lacks, by what the catalogue says that it may.
//!
//! Invariant: what lacks is told of every table that a statement reads, whatever the server's message
//! says and in whichever language; a table or schema is only named where the catalogue says so.
//! Failure: what the catalogue does not explain is told in the server's words.

use super::catalog::Catalog;
use super::identifier::{qualified, quote};
use crate::sql_guard::TableName;

/// The statements that grant what lacks to read these tables, to be run on the primary as they are.
/// A table of which some columns may be read is granted whole, once nothing else lacks.
pub fn missing(user: &str, tables: &[TableName], catalog: &Catalog) -> Vec<String> {
    let user = quote(user);
    let known = || {
        let tables = tables.iter();
        tables.filter_map(|table| Some((table, catalog.get(table)?)))
    };
    let mut missing = Vec::new();
    for (table, _) in known().filter(|(_, facts)| !facts.usage) {
        let grant = format!("GRANT USAGE ON SCHEMA {} TO {user};", quote(&table.schema));
        if !missing.contains(&grant) {
            missing.push(grant);
        }
    }
    let select = |table| format!("GRANT SELECT ON {} TO {user};", qualified(table));
    let partly = known().filter(|(_, facts)| !facts.select);
    let (some, none): (Vec<_>, Vec<_>) =
        partly.partition(|(_, facts)| facts.columns.iter().any(|column| column.select));
    missing.extend(none.into_iter().map(|(table, _)| select(table)));
    if missing.is_empty() {
        missing.extend(some.into_iter().map(|(table, _)| select(table)));
    }
    missing
}

/// What a user reads when the server refused to let the role read these tables: `said` are the
/// server's words. None when not all of them are known.
pub fn told(
    user: &str,
    tables: &[TableName],
    catalog: &Catalog,
    said: Option<&str>,
) -> Option<String> {
    let missing = missing(user, tables, catalog);
    if !missing.is_empty() {
        let grants = missing.join(" ");
        return Some(format!(
            "The role may not read all that the check reads. Run on the primary: {grants}"
        ));
    }
    let said = said.filter(|_| tables.iter().all(|table| catalog.contains_key(table)))?;
    let said: String = said.chars().take(500).collect();
    Some(format!(
        "The role may read the tables of the check, and lacks something else: {}.",
        said.trim_end_matches('.')
    ))
}
