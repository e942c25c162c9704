//! Entries of a scan log, as far as they are judged.
//!
//! Invariant: read from what Postgres keeps, with types of its own; nothing of the product is used.
//! Failure: an entry that cannot be read panics with the entry.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

/// What an entry does to its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// A guest came in.
    Admit,
    /// A guest went out.
    Exit,
    /// One who was in already was scanned again.
    Repeat,
    /// A guest was turned away.
    Refuse,
    /// An admission or an exit was undone.
    Annul,
}

/// A record that something is about.
#[derive(Clone, Debug, Deserialize)]
pub struct Named {
    /// Its id.
    pub check_in_id: String,
}

/// A record whose conflict changed.
#[derive(Clone, Debug, Deserialize)]
pub struct Reelected {
    /// Its id.
    pub check_in_id: String,
    /// The entry that stands before it, if any.
    #[serde(default)]
    pub conflict: Option<Named>,
}

/// One entry.
#[derive(Clone, Debug, Deserialize)]
pub struct Logged {
    /// Its place, from 1.
    pub seq: u64,
    /// Whose request it was; ends with the nonce.
    #[serde(default)]
    pub nonce_key: String,
    /// What the person at the door was told.
    #[serde(default)]
    pub verdict: String,
    /// Why the guest was not let in.
    #[serde(default)]
    pub reason: Option<String>,
    /// What it does.
    pub effect: Effect,
    /// The code that was read, or given to a walk-in.
    #[serde(default)]
    pub barcode: Option<String>,
    /// The guest.
    #[serde(default)]
    pub row_id: Option<String>,
    /// The record.
    #[serde(default)]
    pub check_in_id: String,
    /// When it happened, clock corrected.
    #[serde(default)]
    pub check_in_time: DateTime<Utc>,
    /// The guest was on no list.
    #[serde(default)]
    pub walk_in: bool,
    /// How many people went.
    #[serde(default = "one")]
    pub people: i64,
    /// How many the ticket is for.
    #[serde(default = "one")]
    pub party: i64,
    /// The rules were overridden.
    #[serde(default)]
    pub forced: bool,
    /// What a device without a connection had told the guest.
    #[serde(default)]
    pub offline: Option<String>,
    /// The entry is one too many; this one stands before it.
    #[serde(default)]
    pub conflict: Option<Named>,
    /// Other records of which that changed.
    #[serde(default)]
    pub reelected: Vec<Reelected>,
    /// What is undone.
    #[serde(default)]
    pub annuls: Option<Named>,
}

/// What the visits of a guest are ordered by: the time; at one instant first what devices reported
/// afterwards, by record, then the others by their place in the log.
pub(super) type Order<'a> = (DateTime<Utc>, bool, Option<&'a str>, u64);

impl Logged {
    /// The nonce of the request.
    pub fn nonce(&self) -> &str {
        self.nonce_key.rsplit('|').next().unwrap_or_default()
    }

    /// Its place among the visits of its guest.
    pub(super) fn order(&self) -> Order<'_> {
        let late = self.offline.is_some();
        let record = late.then_some(&*self.check_in_id);
        (self.check_in_time, !late, record, self.seq)
    }
}

fn one() -> i64 {
    1
}

/// Reads entries.
pub fn read(log: &[Value]) -> Vec<Logged> {
    let read = |entry: &Value| {
        Logged::deserialize(entry).unwrap_or_else(|error| panic!("{error}: {entry}"))
    };
    log.iter().map(read).collect()
}
