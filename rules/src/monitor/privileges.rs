//! The role that reads a replica: what it is given, and what it lacks.
//!
//! Invariant: everything is run on the primary, from where it replicates. The role can do nothing
//! but read the listed tables and see how far the replica is; it has one connection.
//! Failure: what lacks is told as the statements that grant it, to be run as they are.

use serde::{Deserialize, Serialize};

use super::catalog::Catalog;
use super::identifier::quote;
use crate::sql_guard::TableName;

/// What a role may be told to have besides its grants: limits that hold also when nobody sets them.
/// They are no boundary; the grants are.
const LIMITS: [&str; 4] = [
    "default_transaction_read_only = on",
    "statement_timeout = '2s'",
    "lock_timeout = '250ms'",
    "idle_in_transaction_session_timeout = '5s'",
];

/// The five lines that make the role. The password is for who runs them to fill in.
pub fn connect(user: &str, database: &str, tables: &[TableName]) -> Vec<String> {
    let user = quote(user);
    let mut schemas: Vec<String> = tables.iter().map(|table| quote(&table.schema)).collect();
    schemas.sort();
    schemas.dedup();
    let names: Vec<String> = tables.iter().map(super::identifier::qualified).collect();
    let (schemas, tables) = match tables.is_empty() {
        true => (
            "public".to_owned(),
            "ALL TABLES IN SCHEMA public".to_owned(),
        ),
        false => (schemas.join(", "), names.join(", ")),
    };
    vec![
        format!("CREATE ROLE {user} LOGIN PASSWORD '…' CONNECTION LIMIT 1;"),
        format!("GRANT pg_read_all_stats TO {user};"),
        format!("GRANT CONNECT ON DATABASE {} TO {user};", quote(database)),
        format!("GRANT USAGE ON SCHEMA {schemas} TO {user};"),
        format!("GRANT SELECT ON {tables} TO {user};"),
    ]
}

/// What may be added: limits of the role itself.
pub fn harden(user: &str) -> Vec<String> {
    let user = quote(user);
    let set = |limit: &&str| format!("ALTER ROLE {user} SET {limit};");
    LIMITS.iter().map(set).collect()
}

/// What a role lacks and what it has too much.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RolePrivileges))]
pub struct Privileges {
    /// Statements that grant what lacks, to be run on the primary.
    pub missing: Vec<String>,
    /// What it should not have, one sentence each.
    pub excess: Vec<String>,
}

/// Looks at what a role may do. `stats`: it may see the receiver. A table of which it may read some
/// columns is one that it may read: which ones lack is told when they are asked for.
pub fn judge(user: &str, stats: bool, superuser: bool, catalog: &Catalog) -> Privileges {
    let name = quote(user);
    let mut found = Privileges::default();
    if superuser {
        let text = format!("The role {user} is a superuser. Give it a role of its own.");
        found.excess.push(text);
    }
    if !stats {
        found
            .missing
            .push(format!("GRANT pg_read_all_stats TO {name};"));
    }
    for (table, facts) in catalog {
        let usage = format!("GRANT USAGE ON SCHEMA {} TO {name};", quote(&table.schema));
        if !facts.usage && !found.missing.contains(&usage) {
            found.missing.push(usage);
        }
        let readable = facts.columns.iter().any(|column| column.select);
        if !facts.select && !readable {
            let table = super::identifier::qualified(table);
            found
                .missing
                .push(format!("GRANT SELECT ON {table} TO {name};"));
        }
        if facts.writes && !superuser {
            let table = super::identifier::qualified(table);
            found.excess.push(format!(
                "The role {user} may change {table}. Run on the primary: REVOKE INSERT, UPDATE, \
                 DELETE, TRUNCATE ON {table} FROM {name};"
            ));
        }
    }
    found
}

/// The statement that lets a role read these columns, some of which it may not.
pub fn columns(user: &str, table: &TableName, columns: &[String]) -> String {
    let names: Vec<_> = columns.iter().map(|column| quote(column)).collect();
    format!(
        "GRANT SELECT ({}) ON {} TO {};",
        names.join(", "),
        super::identifier::qualified(table),
        quote(user)
    )
}
