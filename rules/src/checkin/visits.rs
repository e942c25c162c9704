//! What one guest did: the entries and exits that stand.
//!
//! Invariant: visits are ordered by the time they happened, then by `seq`; annulled ones are gone.
//! The guest is inside when the latest one is an entry, and checked in when any is.
//! Failure: none.
//!
//! Each visit keeps its `seq`, so whatever else a later decision needs is found in the log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::labels::Label;
use super::verdict::Direction;

/// One entry or exit that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Packed", into = "Packed")]
pub struct Visit {
    /// Its place in the log.
    pub seq: u64,
    /// Its record.
    pub check_in_id: Uuid,
    /// When it happened, clock corrected.
    pub at: DateTime<Utc>,
    /// Where.
    pub gate: Label,
    /// Which way.
    pub direction: Direction,
    /// The guest was on no list.
    pub walk_in: bool,
    /// Scans counted on this record, its own included.
    pub scans: u32,
    /// The latest of those scans.
    pub last_scanned_at: DateTime<Utc>,
}

/// One guest's visits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visits {
    /// The category the guest counts under: the one of the scan that checked them in.
    #[serde(rename = "c")]
    pub category: Label,
    #[serde(rename = "v", deserialize_with = "tight")]
    list: Vec<Visit>,
}

/// Whether a guest counts as checked in, and as inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// At least one entry stands.
    pub checked_in: bool,
    /// The latest visit is an entry.
    pub inside: bool,
}

/// Visit as a short JSON array; times in milliseconds; bit 0 of the flags is exit, bit 1 walk-in.
#[derive(Serialize, Deserialize)]
struct Packed(u64, Uuid, i64, Label, u8, u32, i64);

impl Visits {
    /// Where the guest stands now.
    pub fn standing(&self) -> Standing {
        Standing {
            checked_in: self.first().is_some(),
            inside: self.inside(),
        }
    }

    /// Where the guest would stand after one more visit, the latest in the log.
    pub fn standing_after(&self, direction: Direction, at: DateTime<Utc>) -> Standing {
        let latest = self.list.last().is_none_or(|last| last.at <= at);
        let entry = direction == Direction::Entry;
        Standing {
            checked_in: entry || self.first().is_some(),
            inside: if latest { entry } else { self.inside() },
        }
    }

    /// The first entry.
    pub fn first(&self) -> Option<&Visit> {
        self.list
            .iter()
            .find(|visit| visit.direction == Direction::Entry)
    }

    /// The latest entry or exit.
    pub fn last(&self) -> Option<&Visit> {
        self.list.last()
    }

    /// Entries that stand.
    pub fn entries(&self) -> impl Iterator<Item = &Visit> {
        self.list
            .iter()
            .filter(|visit| visit.direction == Direction::Entry)
    }

    /// The visit of a log position.
    pub fn get(&self, seq: u64) -> Option<&Visit> {
        self.list.iter().find(|visit| visit.seq == seq)
    }

    /// Every visit, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Visit> {
        self.list.iter()
    }

    /// Nothing stands.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn insert(&mut self, visit: Visit) {
        // Most guests have one visit, and there may be 100,000 of them: no room is kept in advance.
        if self.list.len() == self.list.capacity() {
            self.list.reserve_exact(self.list.len().max(1));
        }
        let place = self
            .list
            .partition_point(|one| (one.at, one.seq) < (visit.at, visit.seq));
        self.list.insert(place, visit);
    }

    pub(crate) fn remove(&mut self, seq: u64) -> Option<Visit> {
        let place = self.list.iter().position(|visit| visit.seq == seq)?;
        Some(self.list.remove(place))
    }

    /// Counts a repeated scan on a record.
    pub(crate) fn repeat(&mut self, check_in_id: Uuid, at: DateTime<Utc>) {
        if let Some(visit) = self
            .list
            .iter_mut()
            .find(|visit| visit.check_in_id == check_in_id)
        {
            visit.scans = visit.scans.saturating_add(1);
            visit.last_scanned_at = visit.last_scanned_at.max(at);
        }
    }

    fn inside(&self) -> bool {
        self.list
            .last()
            .is_some_and(|last| last.direction == Direction::Entry)
    }
}

impl Standing {
    /// Change of the guests inside, −1 to 1.
    pub fn inside_delta(self, after: Self) -> i8 {
        i8::from(after.inside) - i8::from(self.inside)
    }
}

impl From<Visit> for Packed {
    fn from(visit: Visit) -> Self {
        let flags = u8::from(visit.direction == Direction::Exit) | u8::from(visit.walk_in) << 1;
        Self(
            visit.seq,
            visit.check_in_id,
            visit.at.timestamp_millis(),
            visit.gate,
            flags,
            visit.scans,
            visit.last_scanned_at.timestamp_millis(),
        )
    }
}

impl From<Packed> for Visit {
    fn from(Packed(seq, check_in_id, at, gate, flags, scans, last): Packed) -> Self {
        let instant = |millis| DateTime::from_timestamp_millis(millis).unwrap_or_default();
        Self {
            seq,
            check_in_id,
            at: instant(at),
            gate,
            direction: if flags & 1 == 1 {
                Direction::Exit
            } else {
                Direction::Entry
            },
            walk_in: flags & 2 == 2,
            scans,
            last_scanned_at: instant(last),
        }
    }
}

fn tight<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Visit>, D::Error> {
    let mut list = Vec::<Visit>::deserialize(from)?;
    list.shrink_to_fit();
    Ok(list)
}
