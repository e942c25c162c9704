//! The fold of a table's log: every guest's visits and every counter.
//!
//! Invariant: a pure function of the entries in order of `seq`; folding an entry twice changes
//! nothing; counters always equal a recount from the visits and the log.
//! Failure: none; an entry about a visit that does not stand changes no counter of guests.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::conflict::Maker;
use super::entry::{Entry, Kind};
use super::event::ScanEvent;
use super::labels::{Label, Labels};
use super::verdict::{Direction, Effect, Reason, Verdict, Warning};
use super::visits::{Standing, Visit, Visits};

/// Minutes of arrivals that are kept, counted back from the latest one.
pub const ARRIVAL_MINUTES: i64 = 24 * 60;

/// Lines of the feed.
pub const RECENT: usize = 20;

/// Scans at one gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateCount {
    /// Entries that stand.
    #[serde(rename = "a")]
    pub accepted: u32,
    /// Refusals.
    #[serde(rename = "r")]
    pub refused: u32,
}

/// What one scanner did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Scans received from it, whatever their verdict.
    #[serde(rename = "n")]
    pub scans: u32,
    /// When the latest was received.
    #[serde(rename = "t", with = "chrono::serde::ts_milliseconds")]
    pub last_seen_at: DateTime<Utc>,
    /// Its name in the latest.
    #[serde(rename = "d", default)]
    pub device: Option<String>,
}

/// The fold of the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    last_seq: u64,
    checked_in: u32,
    inside: u32,
    arrived: u32,
    conflicts: u32,
    walk_ins: u32,
    duplicates: u32,
    // Without a default: a fold from before this was counted is made anew from its log.
    unidentified: u32,
    refused: BTreeMap<Reason, u32>,
    arrivals: BTreeMap<i64, u32>,
    gates: Labels,
    by_gate: BTreeMap<Label, GateCount>,
    categories: Labels,
    by_category: BTreeMap<Label, u32>,
    sessions: BTreeMap<Uuid, Seen>,
    devices: Labels,
    answered: HashMap<Uuid, BTreeSet<String>>,
    recent: VecDeque<ScanEvent>,
    guests: HashMap<Uuid, Visits>,
}

impl Ledger {
    /// Folds the next entry. False when it was folded before.
    pub fn apply(&mut self, entry: &Entry) -> bool {
        if entry.seq <= self.last_seq {
            return false;
        }
        self.last_seq = entry.seq;
        match entry.effect {
            Effect::Admit | Effect::Exit => self.add(entry),
            Effect::Annul => self.annul(entry),
            Effect::Repeat => {
                self.duplicates += 1;
                if let Some(visits) = entry.row_id.and_then(|row| self.guests.get_mut(&row)) {
                    visits.repeat(entry.check_in_id, entry.check_in_time);
                }
            }
            Effect::Refuse if entry.verdict == Verdict::Duplicate => self.duplicates += 1,
            Effect::Refuse => {
                let let_in = entry.warnings.contains(&Warning::AdmittedOffline);
                self.unidentified += u32::from(let_in);
                if let Some(reason) = entry.reason {
                    *self.refused.entry(reason).or_default() += 1;
                }
                let gate = self.gates.label(entry.gate.as_deref());
                self.by_gate.entry(gate).or_default().refused += 1;
            }
        }
        if let (Kind::Scan, Some(session)) = (entry.kind, entry.session_id) {
            let seen = Seen {
                scans: 0,
                last_seen_at: entry.received_at,
                device: None,
            };
            let seen = self.sessions.entry(session).or_insert(seen);
            seen.scans += 1;
            seen.last_seen_at = seen.last_seen_at.max(entry.received_at);
            seen.device.clone_from(&entry.device);
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(ScanEvent::of(entry));
        true
    }

    /// The last entry folded; 0 before the first.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// What a guest did; none if nothing stands.
    pub fn guest(&self, row: Uuid) -> Option<&Visits> {
        self.guests.get(&row)
    }

    /// Guests of whom anything stands, in no order.
    pub fn guests(&self) -> impl Iterator<Item = (&Uuid, &Visits)> {
        self.guests.iter()
    }

    /// Distinct guests with at least one entry that stands.
    pub fn checked_in(&self) -> u32 {
        self.checked_in
    }

    /// People inside now.
    pub fn inside(&self) -> u32 {
        self.inside
    }

    /// People who entered: more than guests checked in where tickets are for several.
    pub fn arrived(&self) -> u32 {
        self.arrived
    }

    /// Entries that are one too many.
    pub fn conflicts(&self) -> u32 {
        self.conflicts
    }

    /// Has this guest answered the question?
    pub fn answered(&self, row: Uuid, question: &str) -> bool {
        let answered = self.answered.get(&row);
        answered.is_some_and(|answered| answered.contains(question))
    }

    /// Who made a [`Visit`] with this device.
    pub(crate) fn maker(&self, device: Label) -> Maker<'_> {
        let mut maker = Maker::read(self.devices.name(device).unwrap_or_default());
        let seen = maker.session_id.and_then(|id| self.sessions.get(&id));
        // As it was at its last scan.
        maker.device = seen.and_then(|seen| seen.device.as_deref());
        maker
    }

    /// Walk-ins that stand.
    pub fn walk_ins(&self) -> u32 {
        self.walk_ins
    }

    /// Scans of guests who were in already.
    pub fn duplicates(&self) -> u32 {
        self.duplicates
    }

    /// Admissions by devices without a connection of people whom nobody can name: refused
    /// afterwards and counted nowhere else.
    pub fn unidentified(&self) -> u32 {
        self.unidentified
    }

    /// Refusals by reason.
    pub fn refused(&self) -> &BTreeMap<Reason, u32> {
        &self.refused
    }

    /// Entries that stand per minute since the Unix epoch, of the last 24 hours with entries.
    pub fn arrivals(&self) -> &BTreeMap<i64, u32> {
        &self.arrivals
    }

    /// The name of a gate in a [`Visit`].
    pub fn gate_name(&self, gate: Label) -> Option<&str> {
        self.gates.name(gate)
    }

    /// Scans per gate that was named in any, in the order of first sight.
    pub fn by_gate(&self) -> impl Iterator<Item = (Option<&str>, GateCount)> {
        self.by_gate
            .iter()
            .map(|(gate, count)| (self.gates.name(*gate), *count))
    }

    /// Guests checked in per category, each under the one of the scan that checked them in.
    pub fn by_category(&self) -> impl Iterator<Item = (Option<&str>, u32)> {
        let names = &self.categories;
        self.by_category
            .iter()
            .map(|(category, count)| (names.name(*category), *count))
    }

    /// What a scanner did.
    pub fn session(&self, session: Uuid) -> Option<&Seen> {
        self.sessions.get(&session)
    }

    /// The last entries as events, oldest first.
    pub fn recent(&self) -> impl DoubleEndedIterator<Item = &ScanEvent> {
        self.recent.iter()
    }

    fn add(&mut self, entry: &Entry) {
        let Some(row) = entry.row_id else { return };
        let gate = self.gates.label(entry.gate.as_deref());
        let maker = Maker::of(entry.session_id, entry.actor, entry.scanner.as_ref());
        let device = self.devices.label(maker.written().as_deref());
        if !entry.answers.is_empty() {
            let answered = self.answered.entry(row).or_default();
            answered.extend(entry.answers.keys().cloned());
        }
        let visits = self.guests.entry(row).or_default();
        let before = Tally::of(visits);
        visits.insert(Visit {
            seq: entry.seq,
            check_in_id: entry.check_in_id,
            at: entry.check_in_time,
            gate,
            device,
            direction: entry.direction,
            walk_in: entry.walk_in,
            offline: entry.offline.is_some(),
            again: entry.again,
            people: entry.people,
            party: entry.party,
            scans: 1,
            last_scanned_at: entry.check_in_time,
        });
        let after = Tally::of(visits);
        if after.standing.checked_in && !before.standing.checked_in {
            let category = entry
                .guest
                .as_ref()
                .and_then(|guest| guest.category.as_deref());
            visits.category = self.categories.label(category);
        }
        let category = visits.category;
        self.restate(before, after, category);
        if entry.effect == Effect::Admit {
            self.by_gate.entry(gate).or_default().accepted += 1;
            self.walk_ins += u32::from(entry.walk_in);
            self.arrive(minute(entry.check_in_time));
        }
    }

    fn annul(&mut self, entry: &Entry) {
        let Some((row, annuls)) = entry.row_id.zip(entry.annuls) else {
            return;
        };
        let Some(visits) = self.guests.get_mut(&row) else {
            return;
        };
        let (before, category) = (Tally::of(visits), visits.category);
        let Some(visit) = visits.remove(annuls.seq) else {
            return;
        };
        let after = Tally::of(visits);
        if visits.is_empty() {
            self.guests.remove(&row);
        }
        self.restate(before, after, category);
        if visit.direction == Direction::Entry {
            let gate = self.by_gate.entry(visit.gate).or_default();
            gate.accepted = gate.accepted.saturating_sub(1);
            self.walk_ins -= u32::from(visit.walk_in && self.walk_ins > 0);
            self.depart(minute(visit.at));
        }
    }

    /// The label of a gate.
    pub(super) fn gate_label(&mut self, name: Option<&str>) -> Label {
        self.gates.label(name)
    }

    /// Replaces what a guest did; `category` is what a guest counts under who becomes checked in.
    pub(super) fn replace(&mut self, row: Uuid, visits: Visits, category: Option<&str>) {
        let old = self.guests.remove(&row).unwrap_or_default();
        let (before, after) = (Tally::of(&old), Tally::of(&visits));
        let category = match before.standing.checked_in {
            true => old.category,
            false => self.categories.label(category),
        };
        self.restate(before, after, category);
        if !visits.is_empty() {
            self.guests.insert(row, Visits { category, ..visits });
        }
    }

    fn restate(&mut self, before: Tally, after: Tally, category: Label) {
        self.conflicts = (self.conflicts + after.conflicts).saturating_sub(before.conflicts);
        let (before, after) = (before.standing, after.standing);
        self.inside = (self.inside + after.inside).saturating_sub(before.inside);
        self.arrived = (self.arrived + after.entered).saturating_sub(before.entered);
        let move_by_one = |count: &mut u32, was: bool, is: bool| match (was, is) {
            (false, true) => *count += 1,
            (true, false) => *count = count.saturating_sub(1),
            _ => {}
        };
        move_by_one(&mut self.checked_in, before.checked_in, after.checked_in);
        let of_category = self.by_category.entry(category).or_default();
        move_by_one(of_category, before.checked_in, after.checked_in);
    }

    fn arrive(&mut self, minute: i64) {
        let latest = self
            .arrivals
            .last_key_value()
            .map_or(minute, |(latest, _)| *latest);
        if minute <= latest - ARRIVAL_MINUTES {
            return;
        }
        *self.arrivals.entry(minute).or_default() += 1;
        while let Some(oldest) = self.arrivals.first_entry()
            && *oldest.key() <= minute - ARRIVAL_MINUTES
        {
            oldest.remove();
        }
    }

    /// The minute stays with a count of 0, so that the kept span never moves back.
    fn depart(&mut self, minute: i64) {
        if let Some(count) = self.arrivals.get_mut(&minute) {
            *count = count.saturating_sub(1);
        }
    }
}

/// What a guest adds to the counters.
#[derive(Clone, Copy)]
struct Tally {
    standing: Standing,
    conflicts: u32,
}

impl Tally {
    fn of(visits: &Visits) -> Self {
        let conflicts = match visits.is_empty() {
            true => 0,
            false => visits.too_many().count(),
        };
        Self {
            standing: visits.standing(),
            conflicts: u32::try_from(conflicts).unwrap_or(u32::MAX),
        }
    }
}

fn minute(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(60)
}
