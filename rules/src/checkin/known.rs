//! What a scanner is given of a guest so that it can decide without a connection: the row, and what
//! the guest did so far.
//!
//! Invariant: learning the same twice changes nothing; what this scanner did itself and has not
//! reported yet stays.
//! Failure: none.

use std::collections::BTreeSet;

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::guest::Row;
use super::ledger::Ledger;
use super::state::State;
use super::verdict::Direction;
use super::visits::{Again, Visit};

/// Places in the log of the server begin here, so that they are none of this scanner's own.
const ELSEWHERE: u64 = 1 << 40;

/// A guest with what they did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownGuest {
    /// The row.
    #[serde(flatten)]
    pub row: Row,
    /// Entries and exits that stand.
    #[serde(rename = "v", default, skip_serializing_if = "Vec::is_empty")]
    pub visits: Vec<KnownVisit>,
}

/// An entry or exit: record, place in the log, milliseconds since the Unix epoch, exit, decided
/// without a connection, people, gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownVisit(Uuid, u64, i64, bool, bool, u16, Option<String>);

impl State {
    /// What a scanner is given of a guest.
    pub fn known(&self, row: Row) -> KnownGuest {
        let visits = self
            .ledger
            .guest(row.id)
            .into_iter()
            .flat_map(|visits| visits.iter());
        let visits = visits.map(|visit| {
            KnownVisit(
                visit.check_in_id,
                visit.seq,
                visit.at.timestamp_millis(),
                visit.direction == Direction::Exit,
                visit.offline,
                visit.people,
                self.ledger.gate_name(visit.gate).map(str::to_owned),
            )
        });
        KnownGuest {
            visits: visits.collect(),
            row,
        }
    }

    /// Takes in what the server knows of a guest.
    pub fn learn(&mut self, guest: KnownGuest) {
        let again = self.config.settings.again();
        self.ledger.learn(&guest, again);
        self.roster.upsert(guest.row);
    }

    /// Takes a guest off the list who is no longer on the server's.
    pub fn forget(&mut self, row: Uuid) {
        self.roster.remove(row);
    }
}

impl Ledger {
    /// Makes the guest's visits those the server knows and, besides, those that only this scanner
    /// knows.
    fn learn(&mut self, guest: &KnownGuest, again: Again) {
        let row = guest.row.id;
        let mut visits = self.guest(row).cloned().unwrap_or_default();
        let told: BTreeSet<Uuid> = guest.visits.iter().map(|visit| visit.0).collect();
        let gone: Vec<u64> = visits
            .iter()
            .filter(|visit| visit.seq >= ELSEWHERE || told.contains(&visit.check_in_id))
            .map(|visit| visit.seq)
            .collect();
        for seq in gone {
            visits.remove(seq);
        }
        for KnownVisit(check_in_id, seq, at, exit, offline, people, gate) in &guest.visits {
            let at = DateTime::from_timestamp_millis(*at).unwrap_or_default();
            visits.insert(Visit {
                seq: ELSEWHERE.saturating_add(*seq),
                check_in_id: *check_in_id,
                at,
                gate: self.gate_label(gate.as_deref()),
                device: super::labels::Label::default(),
                direction: match exit {
                    true => Direction::Exit,
                    false => Direction::Entry,
                },
                walk_in: false,
                offline: *offline,
                again,
                people: *people,
                party: guest.row.party,
                scans: 1,
                last_scanned_at: at,
            });
        }
        self.replace(row, visits, guest.row.category.as_deref());
    }
}
