//! What one guest did: the entries and exits that stand.
//!
//! Invariant: visits are ordered by the time they happened; at one instant those that a device
//! reported afterwards come first, by their record, and the others follow in the order of the log.
//! So the order, and with it who is inside and which entry is one too many, does not depend on the
//! order in which devices report. Annulled visits are gone.
//! Failure: none.
//!
//! Each visit keeps its `seq`, so whatever else a later decision needs is found in the log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::labels::Label;
use super::verdict::Direction;

/// When a guest may enter once more, as it was set when the visit was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Again {
    /// Each scan is an entry of its own.
    #[default]
    Always,
    /// Who left may come back.
    AfterExit,
    /// One entry for each person of the ticket.
    Never,
}

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
    /// With which device.
    pub device: Label,
    /// Which way.
    pub direction: Direction,
    /// The guest was on no list.
    pub walk_in: bool,
    /// A device decided it without a connection and reported it afterwards.
    pub offline: bool,
    /// Whether it may be the second one.
    pub again: Again,
    /// How many people went.
    pub people: u16,
    /// How many the ticket is for.
    pub party: u16,
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
    pub(super) list: Vec<Visit>,
}

/// Whether a guest counts as checked in, and how many people of the ticket are inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// At least one entry stands.
    pub checked_in: bool,
    /// People inside; 0 or 1 for a ticket of one person.
    pub inside: u32,
    /// People who entered and were not one too many.
    pub entered: u32,
}

/// An entry that is one too many, and the one it repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany<'a> {
    /// The later entry.
    pub visit: &'a Visit,
    /// The entry that stands before it.
    pub holder: &'a Visit,
}

/// Visit as a short JSON array; times in milliseconds; of the flags bit 0 is exit, bit 1 walk-in,
/// bit 2 offline, bits 3 and 4 are [`Again`].
#[derive(Serialize, Deserialize)]
struct Packed(u64, Uuid, i64, Label, Label, u8, u16, u16, u32, i64);

/// A walk over visits in their order.
#[derive(Default)]
struct Walk<'a> {
    standing: Standing,
    holder: Option<&'a Visit>,
}

impl<'a> Walk<'a> {
    /// Goes one visit further. An entry that is one too many is answered with the one before it.
    fn step(&mut self, visit: &'a Visit) -> Option<TooMany<'a>> {
        let (people, party) = (u32::from(visit.people), u32::from(visit.party));
        if visit.direction == Direction::Exit {
            self.standing.inside = self.standing.inside.saturating_sub(people);
            return None;
        }
        let allowed = self.standing.room(visit.again, party) >= people;
        self.standing.checked_in = true;
        self.standing.inside = (self.standing.inside + people).min(party.max(self.standing.inside));
        if allowed || self.holder.is_none() {
            self.standing.entered += people;
            self.holder = Some(visit);
            return None;
        }
        self.holder.map(|holder| TooMany { visit, holder })
    }
}

impl Standing {
    /// How many more people of a ticket for `party` may enter.
    pub fn room(self, again: Again, party: u32) -> u32 {
        match again {
            Again::Always => u32::MAX,
            Again::AfterExit => party.saturating_sub(self.inside),
            Again::Never => party.saturating_sub(self.entered),
        }
    }

    /// Change of the people inside.
    pub fn inside_delta(self, after: Self) -> i32 {
        let people = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        people(after.inside).saturating_sub(people(self.inside))
    }
}

impl Visits {
    /// Where the guest stands now.
    pub fn standing(&self) -> Standing {
        self.standing_before(None)
    }

    /// Where the guest stood before `visit`, or stands now.
    pub fn standing_before(&self, visit: Option<&Visit>) -> Standing {
        let mut walk = Walk::default();
        let before = |one: &&Visit| visit.is_none_or(|visit| one.key() < visit.key());
        for one in self.list.iter().take_while(before) {
            walk.step(one);
        }
        walk.standing
    }

    /// People inside at an instant, what happened at it counted.
    pub fn inside_at(&self, at: DateTime<Utc>) -> u32 {
        let mut walk = Walk::default();
        for one in self.list.iter().take_while(|one| one.at <= at) {
            walk.step(one);
        }
        walk.standing.inside
    }

    /// The entries that are one too many, in order.
    pub fn too_many(&self) -> impl Iterator<Item = TooMany<'_>> {
        let mut walk = Walk::default();
        self.list.iter().filter_map(move |visit| walk.step(visit))
    }

    /// These visits and one more.
    pub fn with(&self, visit: Visit) -> Self {
        let mut more = self.clone();
        more.insert(visit);
        more
    }

    /// These visits without the one of a log position.
    pub fn without(&self, seq: u64) -> Self {
        let mut fewer = self.clone();
        fewer.remove(seq);
        fewer
    }

    /// The first entry.
    pub fn first(&self) -> Option<&Visit> {
        self.entries().next()
    }

    /// The entry that was recorded first: repeated scans count on its record.
    pub fn first_recorded(&self) -> Option<&Visit> {
        self.entries().min_by_key(|visit| visit.seq)
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
        let place = self.list.partition_point(|one| one.key() < visit.key());
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
}

impl Visit {
    /// What visits are ordered by.
    fn key(&self) -> (DateTime<Utc>, bool, Option<Uuid>, u64) {
        let record = self.offline.then_some(self.check_in_id);
        (self.at, !self.offline, record, self.seq)
    }
}

impl From<Visit> for Packed {
    fn from(visit: Visit) -> Self {
        let again = match visit.again {
            Again::Always => 0,
            Again::AfterExit => 1,
            Again::Never => 2,
        };
        let flags = u8::from(visit.direction == Direction::Exit)
            | u8::from(visit.walk_in) << 1
            | u8::from(visit.offline) << 2
            | again << 3;
        Self(
            visit.seq,
            visit.check_in_id,
            visit.at.timestamp_millis(),
            visit.gate,
            visit.device,
            flags,
            visit.people,
            visit.party,
            visit.scans,
            visit.last_scanned_at.timestamp_millis(),
        )
    }
}

impl From<Packed> for Visit {
    fn from(packed: Packed) -> Self {
        let Packed(seq, check_in_id, at, gate, device, flags, people, party, scans, last) = packed;
        let instant = |millis| DateTime::from_timestamp_millis(millis).unwrap_or_default();
        Self {
            seq,
            check_in_id,
            at: instant(at),
            gate,
            device,
            direction: if flags & 1 == 1 {
                Direction::Exit
            } else {
                Direction::Entry
            },
            walk_in: flags & 2 == 2,
            offline: flags & 4 == 4,
            again: match flags >> 3 & 3 {
                0 => Again::Always,
                1 => Again::AfterExit,
                _ => Again::Never,
            },
            people,
            party,
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
