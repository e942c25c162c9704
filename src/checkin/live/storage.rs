//! The object's SQLite: the log, the guest list, devices, and what it knows of itself.
//!
//! Invariant: `log` is the truth; `snapshot` is a fold of its beginning and may be thrown away.
//! A nonce stands in the log once. `seq` is dense from 1, and its primary key refuses an instance
//! that has fallen behind its successor.
//! Failure: a statement that fails writes nothing.

use std::collections::HashMap;

use rules::checkin::guest::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;
use worker::State;

use crate::platform::error::{Error, Result};
use crate::platform::object::Sql;

const SCHEMA: &str = "
    create table if not exists meta (key text primary key, value text not null) without rowid;
    create table if not exists log (seq integer primary key, nonce text not null unique,
                                    data text not null);
    create table if not exists roster (id text primary key, data text not null) without rowid;
    create table if not exists removed (id text primary key, code text, data text not null) without rowid;
    create index if not exists removed_codes on removed (code) where code is not null;
    create table if not exists devices (id text primary key, data text not null) without rowid;
    create table if not exists roster_changes (change integer not null, id text not null, code text,
                                               primary key (change, id)) without rowid;
    create table if not exists heard (id text primary key, data text not null) without rowid;
    create table if not exists snapshot (part integer primary key, data text not null);";

/// Rows read per crossing.
const PAGE: u32 = 2_000;
/// Bytes of one snapshot part, and of one list that a statement takes; a SQLite value holds 2 MB at
/// most.
const PART: usize = 1 << 20;

/// The storage of one object.
pub struct Storage {
    sql: Sql,
}

/// A row of `meta`.
#[derive(serde::Deserialize)]
struct Meta {
    key: String,
    value: String,
}

impl Storage {
    /// Opens what an object keeps, if it keeps anything. Asking leaves no trace: an object that was
    /// called in vain stays empty, and so ceases to exist.
    pub fn open(state: &State) -> Result<Option<Self>> {
        let known = "select 1 from sqlite_master where type = 'table' and name = 'meta'";
        match Sql::of(state).value(known, &[])? {
            Some(_) => Self::make(state).map(Some),
            None => Ok(None),
        }
    }

    /// Opens it and makes sure of its tables.
    pub fn make(state: &State) -> Result<Self> {
        let sql = Sql::of(state);
        sql.run(SCHEMA, &[])?;
        Ok(Self { sql })
    }

    /// Everything in `meta`.
    pub fn meta(&self) -> Result<HashMap<String, String>> {
        let lines = self.sql.lines(
            "select json_object('key', key, 'value', value) from meta",
            &[],
        )?;
        lines
            .lines()
            .map(|line| Ok(serde_json::from_str::<Meta>(line).map(|meta| (meta.key, meta.value))?))
            .collect()
    }

    /// Keeps a value in `meta`.
    pub fn put(&self, key: &str, value: &str) -> Result<()> {
        self.sql.run(
            "insert or replace into meta values (?, ?)",
            &[key.into(), value.into()],
        )
    }

    /// Appends to the log. `Ok(false)`: the nonce or the seq is there already.
    pub fn append(&self, seq: u64, nonce: &str, data: &str) -> Result<bool> {
        self.sql
            .append("insert into log values (?, ?, ?)", number(seq), nonce, data)
    }

    /// The log entry of a nonce.
    pub fn by_nonce(&self, nonce: &str) -> Result<Option<String>> {
        self.sql
            .value("select data from log where nonce = ?", &[nonce.into()])
    }

    /// The log entry that created a record.
    pub fn by_record(&self, check_in: Uuid) -> Result<Option<String>> {
        self.sql.value(
            "select data from log
              where data ->> 'check_in_id' = ? and data ->> 'effect' in ('admit', 'exit', 'refuse')
              order by seq desc limit 1",
            &[check_in.to_string().into()],
        )
    }

    /// The log entry of a seq.
    pub fn by_seq(&self, seq: u64) -> Result<Option<String>> {
        self.sql
            .value("select data from log where seq = ?", &[number(seq).into()])
    }

    /// Entries after `seq`, oldest first, one JSON object a line, at most `limit`.
    pub fn log_after(&self, seq: u64, limit: u32) -> Result<String> {
        self.sql.lines(
            "select data from log where seq > ? order by seq limit ?",
            &[number(seq).into(), f64::from(limit).into()],
        )
    }

    /// Takes in log entries that Postgres kept.
    pub fn restore_log<T: Serialize>(&self, entries: &[T]) -> Result<()> {
        self.bulk(
            "insert or ignore into log
             select value ->> 'seq', value ->> 'nonce_key', value from json_each(?)",
            entries,
        )
    }

    /// Calls `each` with every log entry after `seq`, oldest first.
    pub fn replay<T: DeserializeOwned>(&self, seq: u64, mut each: impl FnMut(T)) -> Result<()> {
        let mut after = seq;
        loop {
            let page = self.log_after(after, PAGE)?;
            let mut count = 0;
            for line in page.lines() {
                each(serde_json::from_str(line)?);
                count += 1;
            }
            if count < PAGE {
                return Ok(());
            }
            after += u64::from(PAGE);
        }
    }

    /// Puts guests, devices or what was heard of them, each an object with `id`.
    pub fn upsert<T: Serialize>(&self, table: Kept, items: &[T]) -> Result<()> {
        let query = match table {
            Kept::Roster => {
                "insert or replace into roster select value ->> 'id', value from json_each(?)"
            }
            Kept::Devices => {
                "insert or replace into devices select value ->> 'id', value from json_each(?)"
            }
            Kept::Heard => {
                "insert or replace into heard select value ->> 'id', value from json_each(?)"
            }
        };
        self.bulk(query, items)
    }

    /// The last change of the guest list.
    pub fn last_change(&self) -> Result<u64> {
        let last = self
            .sql
            .value("select coalesce(max(change), 0) from roster_changes", &[])?;
        Ok(last.and_then(|last| last.parse().ok()).unwrap_or_default())
    }

    /// Notes which guests a change of the list is about, each with a code it no longer has.
    pub fn note_changes(&self, change: u64, changed: &[(Uuid, Option<String>)]) -> Result<()> {
        self.sql.run(
            "insert or ignore into roster_changes
             select ?, value ->> 0, value ->> 1 from json_each(?)",
            &[
                number(change).into(),
                serde_json::to_string(changed)?.into(),
            ],
        )
    }

    /// What was noted after a change.
    pub fn changes_after(&self, change: u64, limit: u32) -> Result<Vec<(Uuid, Option<String>)>> {
        self.list(
            "select json_array(id, code) from roster_changes where change > ? limit ?",
            &[number(change).into(), f64::from(limit).into()],
        )
    }

    /// Guests whose entries and exits changed after a place in the log.
    pub fn scanned_after(&self, seq: u64, limit: u32) -> Result<Vec<Uuid>> {
        self.list(
            "select distinct json_quote(data ->> 'row_id') from log
              where seq > ? and data ->> 'row_id' is not null
                and data ->> 'effect' in ('admit', 'exit', 'annul') limit ?",
            &[number(seq).into(), f64::from(limit).into()],
        )
    }

    /// A page of guests, by their ids.
    pub fn guests_after(&self, after: Option<Uuid>, limit: u32) -> Result<Vec<Uuid>> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        self.list(
            "select json_quote(id) from roster where id > ? order by id limit ?",
            &[after.into(), f64::from(limit).into()],
        )
    }

    fn list<T: DeserializeOwned>(
        &self,
        query: &str,
        bindings: &[worker::wasm_bindgen::JsValue],
    ) -> Result<Vec<T>> {
        let lines = self.sql.lines(query, bindings)?;
        lines
            .lines()
            .map(|line| Ok(serde_json::from_str(line)?))
            .collect()
    }

    /// Forgets everything, before a rebuild.
    pub fn clear(&self) -> Result<()> {
        self.sql.run(
            "delete from meta; delete from log; delete from roster; delete from devices;
             delete from heard; delete from snapshot; delete from roster_changes;
             delete from removed",
            &[],
        )
    }

    /// Takes guests off the list, who can be recalled.
    pub fn remove_guests(&self, guests: &[Row]) -> Result<()> {
        self.bulk(
            "insert or replace into removed
             select value ->> 'id', value ->> 'barcode', value from json_each(?)",
            guests,
        )?;
        let ids: Vec<Uuid> = guests.iter().map(|guest| guest.id).collect();
        self.bulk(
            "delete from roster where id in (select value from json_each(?))",
            &ids,
        )
    }

    /// Guests who were taken off the list, by row or by code.
    pub fn removed_guests(&self, row: Option<Uuid>, code: Option<&str>) -> Result<Vec<Row>> {
        // A code that many had says no more than one that two had.
        self.list(
            "select data from removed where id = ? or code = ? limit 10",
            &[
                row.map(|row| row.to_string()).unwrap_or_default().into(),
                code.map_or(worker::wasm_bindgen::JsValue::NULL, Into::into),
            ],
        )
    }

    /// Runs a statement on items, given to it as JSON lists.
    fn bulk<T: Serialize>(&self, query: &str, items: &[T]) -> Result<()> {
        let mut list = String::new();
        for item in items {
            let item = serde_json::to_string(item)?;
            if !list.is_empty() && list.len() + item.len() > PART {
                self.sql.run(query, &[format!("[{list}]").into()])?;
                list.clear();
            }
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(&item);
        }
        match list.is_empty() {
            true => Ok(()),
            false => self.sql.run(query, &[format!("[{list}]").into()]),
        }
    }

    /// Removes a scanner session.
    pub fn remove_device(&self, id: Uuid) -> Result<()> {
        let query = "delete from devices where id = ?";
        self.sql.run(query, &[id.to_string().into()])
    }

    /// Calls `each` with everything of a kind.
    pub fn each<T: DeserializeOwned>(&self, table: Kept, mut each: impl FnMut(T)) -> Result<()> {
        let query = match table {
            Kept::Roster => {
                "select json_array(id, json(data)) from roster where id > ? order by id limit ?"
            }
            Kept::Devices => {
                "select json_array(id, json(data)) from devices where id > ? order by id limit ?"
            }
            Kept::Heard => {
                "select json_array(id, json(data)) from heard where id > ? order by id limit ?"
            }
        };
        let mut after = String::new();
        loop {
            let page = self
                .sql
                .lines(query, &[after.as_str().into(), f64::from(PAGE).into()])?;
            let mut count = 0;
            for line in page.lines() {
                let (id, item): (String, T) = serde_json::from_str(line)?;
                after = id;
                each(item);
                count += 1;
            }
            if count < PAGE {
                return Ok(());
            }
        }
    }

    /// Replaces the snapshot by one taken at `seq`.
    pub fn keep_snapshot<T: Serialize>(&self, seq: u64, state: &T) -> Result<()> {
        let text = serde_json::to_string(state)?;
        self.sql.run("delete from snapshot", &[])?;
        for (part, chunk) in chunks(&text).enumerate() {
            let part = u32::try_from(part).map_err(|e| Error::internal(e.to_string()))?;
            self.sql.run(
                "insert into snapshot values (?, json_quote(?))",
                &[f64::from(part).into(), chunk.into()],
            )?;
        }
        self.put("snapshot_seq", &seq.to_string())
    }

    /// The snapshot, if there is a whole one.
    pub fn snapshot<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let lines = self
            .sql
            .lines("select data from snapshot order by part", &[])?;
        if lines.is_empty() {
            return Ok(None);
        }
        let mut text = String::with_capacity(lines.len());
        for line in lines.lines() {
            text.push_str(&serde_json::from_str::<String>(line)?);
        }
        Ok(serde_json::from_str(&text).ok())
    }
}

/// What is kept one row an item.
#[derive(Clone, Copy)]
pub enum Kept {
    /// Guests.
    Roster,
    /// Scanner sessions.
    Devices,
    /// What was heard of their devices.
    Heard,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a log has far fewer than 2^53 entries"
)]
fn number(seq: u64) -> f64 {
    seq as f64
}

fn chunks(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = PART.min(rest.len());
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (chunk, after) = rest.split_at(end);
        rest = after;
        Some(chunk)
    })
}
