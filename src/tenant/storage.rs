//! What the object of a tenant keeps in its SQLite: the newest events of each channel.
//!
//! Invariant: the events kept of a channel are dense and end at its position; of another life of the
//! channel nothing is kept.
//! Failure: a statement that fails writes nothing.

use rules::live::log::Position;
use worker::State;

use super::live::KEPT;
use super::store::{Emitted, Pulled};
use crate::platform::error::Result;
use crate::platform::object::Sql;

const SCHEMA: &str = "create table if not exists channels
      (name text primary key, position text not null) without rowid;
    create table if not exists events
      (channel text, place integer, event text not null, primary key (channel, place))
      without rowid;";

/// The storage of one object.
pub struct Storage {
    sql: Sql,
}

impl Storage {
    /// Opens it and makes sure of its tables.
    pub fn make(state: &State) -> Result<Self> {
        let sql = Sql::of(state);
        sql.run(SCHEMA, &[])?;
        Ok(Self { sql })
    }

    /// Where a channel is; none when nothing was ever pulled of it.
    pub fn position(&self, channel: &str) -> Result<Option<Position>> {
        let query = "select position from channels where name = ?";
        let found = self.sql.value(query, &[channel.into()])?;
        Ok(found.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// How many of the newest events of a channel are kept.
    pub fn kept(&self, channel: &str) -> Result<u64> {
        let query = "select count(*) from events where channel = ?";
        let found = self.sql.value(query, &[channel.into()])?;
        Ok(found.and_then(|text| text.parse().ok()).unwrap_or_default())
    }

    /// Keeps what was pulled of a channel.
    pub fn keep(&self, channel: &str, pulled: &Pulled) -> Result<()> {
        let known = self.position(channel)?;
        let known = known.filter(|known| known.epoch == pulled.epoch);
        let first = pulled.events.first().map(|event| event.offset);
        let next = known.map(|known| known.offset + 1);
        let follows = next.is_some_and(|next| first.unwrap_or(pulled.offset + 1) == next);
        if !follows {
            self.sql
                .run("delete from events where channel = ?", &[channel.into()])?;
        }
        for event in &pulled.events {
            let text = serde_json::to_string(event)?;
            self.sql.run(
                "insert or replace into events values (?, ?, ?)",
                &[channel.into(), number(event.offset), text.into()],
            )?;
        }
        let last = pulled
            .events
            .last()
            .map_or(pulled.offset, |event| event.offset);
        let position = serde_json::to_string(&Position::new(&*pulled.epoch, last))?;
        self.sql.run(
            "insert or replace into channels values (?, ?)",
            &[channel.into(), position.into()],
        )?;
        self.sql.run(
            "delete from events where channel = ? and place <= ?",
            &[channel.into(), number(last.saturating_sub(KEPT))],
        )
    }

    /// The events of a channel after one, oldest first.
    pub fn after(&self, channel: &str, offset: u64) -> Result<Vec<Emitted>> {
        let query = "select event from events where channel = ? and place > ? order by place";
        let lines = self.sql.lines(query, &[channel.into(), number(offset)])?;
        let events = lines.lines().map(serde_json::from_str);
        Ok(events.collect::<core::result::Result<_, _>>()?)
    }
}

#[expect(clippy::cast_precision_loss, reason = "offsets are far below 2^53")]
fn number(offset: u64) -> worker::wasm_bindgen::JsValue {
    (offset as f64).into()
}
