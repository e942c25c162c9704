//! A check-in table, awake: the fold of its log, its guests, devices and settings in memory.
//!
//! Invariant: nothing is acknowledged from memory alone: an entry is applied only after its append
//! succeeded, and between deciding and appending nothing is awaited.
//! Failure: an append that finds its seq taken means this instance has a successor; it lets go of
//! its memory and reads storage again.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use futures_util::lock::Mutex;
use rules::checkin::badge::{self, Template};
use rules::checkin::entry::Entry;
use rules::checkin::ledger::Ledger;
use rules::checkin::scan::{Scan, Target};
use rules::checkin::state::{Config, State};
use rules::roles::Profile;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::exits::Exits;
use super::heard::Heard;
use super::roster::Changes;
use super::staff::Staff;
use super::storage::{Kept, Storage};
use crate::platform::crypto;
use crate::platform::ctx::random;
use crate::platform::error::{Error, Result};

/// What the object knows of its table besides guests and log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// The tenant.
    pub tenant_id: Uuid,
    /// The table.
    pub table_id: Uuid,
    /// Its name.
    pub name: String,
    /// Whether scans are taken.
    pub enabled: bool,
    /// What guest scanners present.
    pub guest_key: String,
    /// What badges look like, if not as usual.
    #[serde(default, deserialize_with = "badge::stored")]
    pub badge_template: Option<Template>,
    /// Change of the configuration in Postgres.
    pub config_seq: i64,
    /// Settings, gates and time zone.
    #[serde(flatten)]
    pub config: Config,
}

/// A scanner session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Device {
    /// The session.
    pub id: Uuid,
    /// Its own table; another one when it scans here besides.
    #[serde(default)]
    pub table_id: Option<Uuid>,
    /// What the team calls it.
    pub name: String,
    /// Where it stands.
    pub gate: Option<String>,
    /// What it may do.
    pub profile: Profile,
    /// Who holds it.
    pub scanner_name: Option<String>,
    /// Their e-mail address.
    pub scanner_email: Option<String>,
    /// Whether its token works.
    pub is_active: bool,
    /// Which of its tokens does: the newest.
    #[serde(default)]
    pub generation: u32,
}

/// How far the object has read in Postgres.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Position {
    /// Change of the last guest row.
    pub rows_seq: i64,
    /// That row; rows of one transaction share a change.
    pub row_id: Option<Uuid>,
    /// Change of the last scanner session.
    pub devices_seq: i64,
    /// Change of the last ticket key or revocation.
    pub tickets_seq: i64,
    /// That ticket; those of one transaction share a change.
    pub ticket_serial: u32,
}

impl Default for Position {
    fn default() -> Self {
        Self {
            rows_seq: -1,
            row_id: None,
            devices_seq: -1,
            tickets_seq: -1,
            ticket_serial: 0,
        }
    }
}

/// A table, awake.
pub struct Table {
    /// Where it is kept.
    pub storage: Storage,
    /// The table's own facts.
    pub identity: RefCell<Identity>,
    /// Guests, settings and the fold of the log.
    pub state: RefCell<State>,
    /// Scanner sessions.
    pub devices: RefCell<HashMap<Uuid, Device>>,
    /// What was heard of their devices.
    pub heard: Heard,
    /// How its guest list changed, for scanners.
    pub changes: Changes,
    /// When everybody leaves.
    pub exits: Cell<Exits>,
    /// How far Postgres was read.
    pub position: RefCell<Position>,
    /// How far the log has reached Postgres.
    pub flushed: Cell<u64>,
    /// When the oldest entry that has not was received.
    pub unflushed_since: Cell<Option<DateTime<Utc>>>,
    /// Up to where the kept snapshot reaches.
    pub snapshot: Cell<u64>,
    /// Names this log for live clients; another one after its loss.
    pub epoch: String,
    /// Members of staff who were confirmed lately.
    pub staff: Staff,
    /// Held while entries are on their way to Postgres.
    pub flushing: Mutex<()>,
}

impl Table {
    /// Reads a table that this object keeps, if it does.
    pub fn load(storage: Storage) -> Result<Option<Self>> {
        let meta = storage.meta()?;
        let (Some(identity), Some(epoch)) = (meta.get("identity"), meta.get("epoch")) else {
            return Ok(None);
        };
        let identity: Identity = serde_json::from_str(identity)?;
        let number = |key: &str| meta.get(key).and_then(|n| n.parse().ok()).unwrap_or(0_u64);
        let mut state = State::new(identity.table_id, identity.config.clone());
        state.tickets = super::tickets::kept(&meta)?;
        let mut snapshot = number("snapshot_seq");
        match storage
            .snapshot::<Ledger>()?
            .filter(|ledger| ledger.last_seq() == snapshot)
        {
            Some(ledger) => state.ledger = ledger,
            None => snapshot = 0,
        }
        let flushed = number("flushed_seq");
        let mut waiting_since = None;
        storage.replay(snapshot.min(flushed), |entry: Entry| {
            if entry.seq > flushed && waiting_since.is_none() {
                waiting_since = Some(entry.received_at);
            }
            state.ledger.apply(&entry);
        })?;
        storage.each(Kept::Roster, |row| state.roster.upsert(row))?;
        let mut devices = HashMap::new();
        storage.each(Kept::Devices, |device: Device| {
            drop(devices.insert(device.id, device))
        })?;
        let position = meta
            .get("position")
            .map(|text| serde_json::from_str(text))
            .transpose()?;
        let exits = meta
            .get("exits")
            .map(|text| serde_json::from_str(text))
            .transpose()?;
        Ok(Some(Self {
            epoch: epoch.clone(),
            identity: RefCell::new(identity),
            state: RefCell::new(state),
            devices: RefCell::new(devices),
            heard: Heard::load(&storage, &meta)?,
            changes: Changes::load(&storage)?,
            exits: Cell::new(exits.unwrap_or_default()),
            position: RefCell::new(position.unwrap_or_default()),
            flushed: Cell::new(flushed),
            unflushed_since: Cell::new(waiting_since),
            snapshot: Cell::new(snapshot),
            staff: Staff::load(&meta),
            flushing: Mutex::new(()),
            storage,
        }))
    }

    /// A table this object has never kept, or lost: everything is still to be read from Postgres.
    pub fn fresh(storage: Storage, identity: Identity) -> Self {
        let state = State::new(identity.table_id, identity.config.clone());
        Self {
            storage,
            identity: RefCell::new(identity),
            state: RefCell::new(state),
            devices: RefCell::default(),
            heard: Heard::default(),
            changes: Changes::default(),
            exits: Cell::default(),
            position: RefCell::default(),
            flushed: Cell::new(0),
            unflushed_since: Cell::new(None),
            snapshot: Cell::new(0),
            epoch: crypto::hex(&random::<6>()),
            staff: Staff::default(),
            flushing: Mutex::new(()),
        }
    }

    /// Makes the table one this object keeps. Until then storage counts as empty.
    pub fn keep(&self) -> Result<()> {
        self.storage.put("epoch", &self.epoch)?;
        self.storage
            .put("flushed_seq", &self.flushed.get().to_string())?;
        self.changes.begin();
        self.keep_position()?;
        self.keep_identity()
    }

    /// Keeps what the configuration became at `now`.
    pub fn configure(&self, identity: Identity, now: DateTime<Utc>) -> Result<()> {
        self.state.borrow_mut().config = identity.config.clone();
        self.changes.note_table(&self.storage)?;
        let leaving = |identity: &Identity| {
            let config = &identity.config;
            let zone = config.timezone.clone();
            (identity.enabled, config.settings.exit_all_at, zone)
        };
        let now_leaving = leaving(&identity);
        let before = self.identity.replace(identity);
        self.keep_identity()?;
        if leaving(&before) == now_leaving {
            return Ok(());
        }
        self.plan_exits(now)
    }

    fn keep_identity(&self) -> Result<()> {
        self.storage.put(
            "identity",
            &serde_json::to_string(&*self.identity.borrow())?,
        )
    }

    /// Keeps how far Postgres was read.
    pub fn keep_position(&self) -> Result<()> {
        self.storage.put(
            "position",
            &serde_json::to_string(&*self.position.borrow())?,
        )
    }

    /// Place of the last entry.
    pub fn seq(&self) -> u64 {
        self.state.borrow().ledger.last_seq()
    }

    /// Appends a decided entry and applies it. `Ok(false)`: its nonce or its place is taken.
    pub fn append(&self, entry: &Entry) -> Result<bool> {
        let data = serde_json::to_string(entry)?;
        if !self.storage.append(entry.seq, &entry.nonce_key, &data)? {
            return Ok(false);
        }
        if let Some(row) = &entry.new_row {
            self.storage
                .upsert(Kept::Roster, &[rules::checkin::guest::Row::from(row)])?;
            self.changes.note(&self.storage, &[(row.id, None)])?;
        }
        self.state.borrow_mut().apply(entry);
        if self.unflushed_since.get().is_none() {
            self.unflushed_since.set(Some(entry.received_at));
        }
        Ok(true)
    }

    /// Remembers whom a device that had no connection may have met after they were taken off the
    /// list.
    pub fn recall(&self, scan: &Scan) -> Result<()> {
        let Some(told) = &scan.offline else {
            return Ok(());
        };
        let (row, code) = match &scan.target {
            Target::Row(row) => (Some(*row), None),
            Target::Code(code) => (told.row_id, told.row_id.is_none().then_some(code.as_str())),
            Target::WalkIn(_) => return Ok(()),
        };
        let listed = |row: Uuid| self.state.borrow().roster.get(row).is_some();
        let mut removed = match row.is_some_and(listed) {
            true => Vec::new(),
            false => self.storage.removed_guests(row, code)?,
        };
        removed.retain(|row| !listed(row.id));
        self.state.borrow_mut().removed = removed.into();
        Ok(())
    }

    /// The entry of a place in the log.
    pub fn entry(&self, seq: u64) -> Result<Entry> {
        let data = self.storage.by_seq(seq)?;
        let data = data.ok_or_else(|| Error::internal(format!("log entry {seq} is missing")))?;
        Ok(serde_json::from_str(&data)?)
    }

    /// The entry that created a record.
    pub fn creation_of(&self, check_in: Uuid) -> Result<Option<Entry>> {
        let data = self.storage.by_record(check_in)?;
        Ok(data.map(|data| serde_json::from_str(&data)).transpose()?)
    }
}
