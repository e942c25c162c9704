//! What was heard of a table's scanners: when each was last seen, and what it said of itself.
//!
//! Invariant: kept in the object's storage as it comes, so that an evicted object still knows.
//! Postgres is told of all of them in one statement, some seconds later.
//! Failure: with Postgres away it waits, and nothing else waits for it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use rules::checkin::device::Report;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::storage::{Kept, Storage};
use super::store::PulledDevice;
use crate::platform::clock;
use crate::platform::error::Result;

/// How long signs gather before Postgres is told.
pub const GATHER: TimeDelta = TimeDelta::seconds(5);
const CHANGES: &str = "devices_offset";

/// The last sign of life of one scanner.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sign {
    /// Its session.
    pub id: Uuid,
    /// When it came.
    #[serde(with = "rules::time::ms")]
    pub seen_at: DateTime<Utc>,
    /// Its last report.
    #[serde(default)]
    pub status: Option<Report>,
    #[serde(default)]
    told: bool,
}

/// The last sign of life of each scanner.
#[derive(Default)]
pub struct Heard {
    signs: RefCell<HashMap<Uuid, Sign>>,
    untold_since: Cell<Option<DateTime<Utc>>>,
    changes: Cell<u64>,
}

impl Heard {
    /// What storage has. What Postgres was not told before counts as waiting long enough.
    pub fn load(storage: &Storage, meta: &HashMap<String, String>) -> Result<Self> {
        let heard = Self::default();
        storage.each(Kept::Heard, |sign: Sign| {
            if !sign.told {
                heard.untold_since.set(Some(clock::now() - GATHER));
            }
            heard.signs.borrow_mut().insert(sign.id, sign);
        })?;
        let changes = meta.get(CHANGES).and_then(|text| text.parse().ok());
        heard.changes.set(changes.unwrap_or_default());
        Ok(heard)
    }

    /// Notes a sign of life, with a report or without.
    pub fn note(
        &self,
        storage: &Storage,
        id: Uuid,
        seen_at: DateTime<Utc>,
        report: Option<Report>,
    ) -> Result<()> {
        let before = self.of(id);
        let sign = Sign {
            id,
            seen_at: before
                .as_ref()
                .map_or(seen_at, |it| it.seen_at.max(seen_at)),
            status: report.or(before.and_then(|it| it.status)),
            told: false,
        };
        self.keep(storage, sign)?;
        if self.untold_since.get().is_none() {
            self.untold_since.set(Some(clock::now()));
        }
        Ok(())
    }

    /// Takes over what Postgres knows of a scanner that nothing was heard of here.
    pub fn restore(&self, storage: &Storage, pulled: &PulledDevice) -> Result<()> {
        let id = pulled.device.id;
        match pulled.last_seen_at {
            Some(seen_at) if !self.signs.borrow().contains_key(&id) => {
                let status = pulled.device_status.clone();
                self.keep(
                    storage,
                    Sign {
                        id,
                        seen_at,
                        status,
                        told: true,
                    },
                )
            }
            _ => Ok(()),
        }
    }

    /// What was heard of a scanner.
    pub fn of(&self, id: Uuid) -> Option<Sign> {
        self.signs.borrow().get(&id).cloned()
    }

    /// What Postgres was not told yet.
    pub fn untold(&self) -> Vec<Sign> {
        let signs = self.signs.borrow();
        signs.values().filter(|sign| !sign.told).cloned().collect()
    }

    /// Since when something waits to be told.
    pub fn untold_since(&self) -> Option<DateTime<Utc>> {
        self.untold_since.get()
    }

    /// Postgres has these now. What came meanwhile goes on waiting.
    pub fn told(&self, storage: &Storage, signs: Vec<Sign>) -> Result<()> {
        for sign in signs {
            let same = self
                .of(sign.id)
                .is_some_and(|now| (now.seen_at, &now.status) == (sign.seen_at, &sign.status));
            if same {
                self.keep(storage, Sign { told: true, ..sign })?;
            }
        }
        let waiting = self.signs.borrow().values().any(|sign| !sign.told);
        self.untold_since.set(waiting.then(clock::now));
        Ok(())
    }

    /// Something that is shown of the scanners changed.
    pub fn changed(&self, storage: &Storage) -> Result<()> {
        self.changes.set(self.changes.get() + 1);
        storage.put(CHANGES, &self.changes.get().to_string())
    }

    /// How often something did: the offset of the channel `devices`.
    pub fn changes(&self) -> u64 {
        self.changes.get()
    }

    fn keep(&self, storage: &Storage, sign: Sign) -> Result<()> {
        storage.upsert(Kept::Heard, std::slice::from_ref(&sign))?;
        self.signs.borrow_mut().insert(sign.id, sign);
        Ok(())
    }
}
