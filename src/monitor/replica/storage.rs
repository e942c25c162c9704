//! What the object of a connection keeps in its SQLite.
//!
//! Invariant: it holds no secret, and nothing that Postgres could not do without but a run that
//! Postgres has not taken yet.
//! Failure: a statement that fails writes nothing.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use worker::State;

use crate::platform::error::Result;
use crate::platform::object::Sql;

const SCHEMA: &str = "create table if not exists meta
    (key text primary key, value text not null) without rowid;";

/// The storage of one object.
pub struct Storage {
    sql: Sql,
}

impl Storage {
    /// Opens it and makes sure of its table.
    pub fn make(state: &State) -> Result<Self> {
        let sql = Sql::of(state);
        sql.run(SCHEMA, &[])?;
        Ok(Self { sql })
    }

    /// Opens what an object keeps, if it keeps anything; asking leaves no trace.
    pub fn open(state: &State) -> Result<Option<Self>> {
        let known = "select 1 from sqlite_master where type = 'table' and name = 'meta'";
        match Sql::of(state).value(known, &[])? {
            Some(_) => Self::make(state).map(Some),
            None => Ok(None),
        }
    }

    /// Keeps something under a name.
    pub fn put<T: Serialize>(&self, key: &str, value: &T) -> Result<()> {
        let value = serde_json::to_string(value)?;
        self.sql.run(
            "insert or replace into meta values (?, ?)",
            &[key.into(), value.into()],
        )
    }

    /// What is kept under a name.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let found = self
            .sql
            .value("select value from meta where key = ?", &[key.into()])?;
        // What an older version kept in another form is as good as nothing.
        Ok(found.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Keeps it no longer.
    pub fn drop(&self, key: &str) -> Result<()> {
        self.sql
            .run("delete from meta where key = ?", &[key.into()])
    }

    /// Until when a backend of ours may still be at work that nobody listens to any more.
    pub fn quiet_until(&self) -> Result<Option<DateTime<Utc>>> {
        self.get("quiet_until")
    }
}
