//! Entries that are one too many: the same ticket was let in twice, each time by a device that could
//! not know of the other.
//!
//! Invariant: which entry stands and which is one too many follows from the visits alone, the
//! earliest standing, in whatever order they became known. Nobody who entered is erased.
//! Failure: none.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ledger::Ledger;
use super::visits::{TooMany, Visit, Visits};
use crate::time;

/// The entry that stands, as the record of one too many names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Conflict {
    /// Always `duplicate_conflict`.
    pub kind: ConflictKind,
    /// The record that stands.
    pub check_in_id: Uuid,
    /// The device it was made with.
    pub session_id: Option<Uuid>,
    /// That device's name.
    pub device: Option<String>,
    /// Where.
    pub gate: Option<String>,
    /// When, clock corrected.
    #[serde(with = "time::ms")]
    pub at: DateTime<Utc>,
    /// Milliseconds from that entry to this one.
    pub gap_ms: i64,
}

/// What kind of conflict it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ConflictKind {
    /// One ticket entered twice.
    #[default]
    DuplicateConflict,
}

/// A record whose conflict changed because another entry became known or was annulled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Reelected {
    /// The record.
    pub check_in_id: Uuid,
    /// Its conflict now; none when it stands.
    pub conflict: Option<Conflict>,
}

/// Who made a visit that is not in the ledger yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maker<'a> {
    pub session_id: Option<Uuid>,
    pub device: Option<&'a str>,
    pub gate: Option<&'a str>,
}

/// What changes from `before` to `after`, which has the visit of seq `new` by `maker` besides, if
/// any: that visit's own conflict, and the other records whose conflict is not what it was.
pub(crate) fn changes(
    ledger: &Ledger,
    before: &Visits,
    after: &Visits,
    new: Option<(u64, Maker<'_>)>,
) -> (Option<Conflict>, Vec<Reelected>) {
    if before.is_empty() {
        return (None, Vec::new());
    }
    let conflict = |found: &TooMany<'_>| {
        let maker = new
            .filter(|(seq, _)| *seq == found.holder.seq)
            .map(|(_, maker)| maker);
        conflict_with(ledger, found, maker)
    };
    let mut was: HashMap<u64, Uuid> = before
        .too_many()
        .map(|found| (found.visit.seq, found.holder.check_in_id))
        .collect();
    let (mut own, mut others) = (None, Vec::new());
    for found in after.too_many() {
        if new.is_some_and(|(seq, _)| seq == found.visit.seq) {
            own = Some(conflict(&found));
        } else if was.remove(&found.visit.seq) != Some(found.holder.check_in_id) {
            others.push(Reelected {
                check_in_id: found.visit.check_in_id,
                conflict: Some(conflict(&found)),
            });
        }
    }
    let cleared = after.iter().filter(|visit| was.contains_key(&visit.seq));
    others.extend(cleared.map(|visit| Reelected {
        check_in_id: visit.check_in_id,
        conflict: None,
    }));
    (own, others)
}

fn conflict_with(ledger: &Ledger, found: &TooMany<'_>, maker: Option<Maker<'_>>) -> Conflict {
    let Visit {
        check_in_id,
        at,
        gate,
        device,
        ..
    } = *found.holder;
    let maker = maker.unwrap_or_else(|| {
        let session_id = ledger.session_of(device);
        Maker {
            session_id,
            device: session_id.and_then(|session| ledger.device_name(session)),
            gate: ledger.gate_name(gate),
        }
    });
    Conflict {
        kind: ConflictKind::DuplicateConflict,
        check_in_id,
        session_id: maker.session_id,
        device: maker.device.map(str::to_owned),
        gate: maker.gate.map(str::to_owned),
        at,
        gap_ms: (found.visit.at - at).num_milliseconds(),
    }
}
