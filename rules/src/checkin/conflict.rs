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

use super::caller::{Actor, ActorKind, Scanner};
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
    /// The paired device it was made with.
    pub session_id: Option<Uuid>,
    /// That device's name.
    pub device: Option<String>,
    /// Who made it, where no paired device did: the user, the key, or an id that stands for a
    /// guest's phone.
    #[serde(default)]
    pub actor_id: Option<Uuid>,
    /// The name of the person who scanned, if it was said.
    #[serde(default)]
    pub scanner: Option<String>,
    /// Where.
    pub gate: Option<String>,
    /// When, clock corrected.
    #[serde(with = "time::ms")]
    pub at: DateTime<Utc>,
    /// Milliseconds from that entry to this one.
    pub gap_ms: i64,
}

impl Conflict {
    /// Who made the entry that stands, for people: the device, or whoever scanned.
    pub fn maker_name(&self) -> Option<&str> {
        self.device.as_deref().or(self.scanner.as_deref())
    }
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
    /// Its conflict now; none when it stands, or was undone.
    pub conflict: Option<Conflict>,
}

/// Who made a visit. Written down it is the same text for the same device and person, for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Maker<'a> {
    /// The paired device.
    pub session_id: Option<Uuid>,
    /// Its name.
    pub device: Option<&'a str>,
    /// Whoever else scanned.
    pub actor_id: Option<Uuid>,
    /// The person's name.
    pub scanner: Option<&'a str>,
}

/// A visit that is not in the ledger yet: by whom and where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Made<'a> {
    pub maker: Maker<'a>,
    pub gate: Option<&'a str>,
}

/// Stands before the id of who is no paired device.
const ACTOR: char = '~';

impl<'a> Maker<'a> {
    pub fn of(session_id: Option<Uuid>, actor: Actor, scanner: Option<&'a Scanner>) -> Self {
        // A guest's phone chose its id, and shows it to prove who it is: others get to see another.
        let actor_id = match actor.kind {
            ActorKind::Anonymous => Some(Uuid::new_v5(&actor.id, b"guest scanner")),
            ActorKind::System => None,
            ActorKind::User | ActorKind::Key | ActorKind::Device => Some(actor.id),
        };
        Self {
            session_id,
            device: None,
            actor_id: actor_id.filter(|_| session_id.is_none()),
            scanner: scanner.and_then(|scanner| scanner.name.as_deref()),
        }
    }

    /// Its text, for [`Maker::read`]; none of nobody. Device names are kept apart, as they change.
    pub fn written(&self) -> Option<String> {
        let id = match (self.session_id, self.actor_id) {
            (Some(session), _) => session.to_string(),
            (None, Some(actor)) => format!("{ACTOR}{actor}"),
            (None, None) => return None,
        };
        Some(match self.scanner {
            Some(name) => format!("{id}|{name}"),
            None => id,
        })
    }

    /// What was written; nobody when it is nothing of the kind.
    pub fn read(text: &'a str) -> Self {
        let (id, scanner) = match text.split_once('|') {
            Some((id, name)) => (id, Some(name)),
            None => (text, None),
        };
        let (session_id, actor_id) = match id.strip_prefix(ACTOR) {
            Some(actor) => (None, actor.parse().ok()),
            None => (id.parse().ok(), None),
        };
        Self {
            session_id,
            device: None,
            actor_id,
            scanner,
        }
    }
}

/// What changes from `before` to `after`, which has the visit of seq `new` by somebody besides, if
/// any: that visit's own conflict, and the other records whose conflict is not what it was.
pub(crate) fn changes(
    ledger: &Ledger,
    before: &Visits,
    after: &Visits,
    new: Option<(u64, Made<'_>)>,
) -> (Option<Conflict>, Vec<Reelected>) {
    if before.is_empty() {
        return (None, Vec::new());
    }
    let conflict = |found: &TooMany<'_>| {
        let maker = new
            .as_ref()
            .filter(|(seq, _)| *seq == found.holder.seq)
            .map(|(_, made)| made.clone());
        conflict_with(ledger, found, maker)
    };
    let mut was: HashMap<u64, Uuid> = before
        .too_many()
        .map(|found| (found.visit.seq, found.holder.check_in_id))
        .collect();
    let (mut own, mut others) = (None, Vec::new());
    for found in after.too_many() {
        if new.as_ref().is_some_and(|(seq, _)| *seq == found.visit.seq) {
            own = Some(conflict(&found));
        } else if was.remove(&found.visit.seq) != Some(found.holder.check_in_id) {
            others.push(Reelected {
                check_in_id: found.visit.check_in_id,
                conflict: Some(conflict(&found)),
            });
        }
    }
    // One that was undone is not one too many any more either.
    let cleared = before.iter().filter(|visit| was.contains_key(&visit.seq));
    others.extend(cleared.map(|visit| Reelected {
        check_in_id: visit.check_in_id,
        conflict: None,
    }));
    (own, others)
}

fn conflict_with(ledger: &Ledger, found: &TooMany<'_>, made: Option<Made<'_>>) -> Conflict {
    let Visit {
        check_in_id,
        at,
        gate,
        device,
        ..
    } = *found.holder;
    let Made { maker, gate } = made.unwrap_or_else(|| Made {
        maker: ledger.maker(device),
        gate: ledger.gate_name(gate),
    });
    Conflict {
        kind: ConflictKind::DuplicateConflict,
        check_in_id,
        session_id: maker.session_id,
        device: maker.device.map(str::to_owned),
        actor_id: maker.actor_id,
        scanner: maker.scanner.map(str::to_owned),
        gate: gate.map(str::to_owned),
        at,
        gap_ms: (found.visit.at - at).num_milliseconds(),
    }
}
