//! The whole of a check-in table in memory: configuration, guest list, fold of the log.
//!
//! Invariant: the ledger depends on the log alone; configuration and guest list change beside it.
//! Folding a walk-in adds its row unless the list has it already, so to rebuild, the log and the
//! list may be read in any order; removals from the list come last.
//! Failure: none.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entry::{Entry, NewRow};
use super::gate::Gate;
use super::guest::{Row, Status};
use super::ledger::Ledger;
use super::roster::Roster;
use super::settings::Settings;
use super::ticket::Tickets;
use crate::civil::Zone;

/// How a table is scanned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The settings.
    #[serde(default)]
    pub settings: Settings,
    /// The gates.
    #[serde(default)]
    pub gates: Vec<Gate>,
    /// The event's time zone.
    #[serde(default)]
    pub timezone: Zone,
}

/// A check-in table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The table.
    pub table_id: Uuid,
    /// How it is scanned.
    pub config: Config,
    /// The guest list.
    pub roster: Roster,
    /// Guests who were taken off the list, as far as they are needed: a device that did not know
    /// may have let them in.
    #[serde(default, skip_serializing_if = "Roster::is_empty")]
    pub removed: Roster,
    /// There is no guest list here: signed tickets are judged by what they say.
    #[serde(default)]
    pub without_list: bool,
    /// The list opens code by code, so the holder of a signed ticket is not to be found in it.
    #[serde(default)]
    pub sealed: bool,
    /// The keys of signed tickets, and which of those were revoked.
    #[serde(default)]
    pub tickets: Tickets,
    /// The fold of the log.
    pub ledger: Ledger,
}

impl State {
    /// A table without guests or scans.
    pub fn new(table_id: Uuid, config: Config) -> Self {
        Self {
            table_id,
            config,
            roster: Roster::default(),
            removed: Roster::default(),
            without_list: false,
            sealed: false,
            tickets: Tickets::default(),
            ledger: Ledger::default(),
        }
    }

    /// Puts a guest on the list, or replaces the one with the same id.
    pub fn put(&mut self, row: Row) {
        self.removed.remove(row.id);
        self.roster.upsert(row);
    }

    /// Takes a guest off the list.
    pub fn remove(&mut self, row: Uuid) {
        if let Some(row) = self.roster.remove(row) {
            self.removed.upsert(row);
        }
    }

    /// Folds the next entry of the log. False when it was folded before.
    pub fn apply(&mut self, entry: &Entry) -> bool {
        let new = self.ledger.apply(entry);
        if let (true, Some(row)) = (new, &entry.new_row)
            && self.roster.get(row.id).is_none()
        {
            self.roster.upsert(row.into());
        }
        new
    }
}

impl From<&NewRow> for Row {
    fn from(row: &NewRow) -> Self {
        let NewRow {
            id,
            name,
            email,
            category,
            barcode,
            party,
        } = row.clone();
        Self {
            id,
            name,
            email,
            barcode,
            category,
            status: Status::Confirmed,
            valid_from: None,
            valid_until: None,
            attention_note: None,
            party,
        }
    }
}
