//! What the `scans` channel carries.
//!
//! Invariant: one event per log entry, its offset the entry's `seq`; no e-mail, no code, no notes.
//! Failure: none.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::conflict::{Conflict, Reelected};
use super::entry::Entry;
use super::guest::one;
use super::verdict::{Direction, Effect, Reason, Verdict};
use crate::time;

/// The type of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum EventType {
    #[serde(rename = "checkin.accepted")]
    Accepted,
    #[serde(rename = "checkin.duplicate")]
    Duplicate,
    #[serde(rename = "checkin.refused")]
    Refused,
    #[serde(rename = "checkin.exited")]
    Exited,
    #[serde(rename = "checkin.annulled")]
    Annulled,
}

/// Who it was, as far as a dashboard needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EventGuest {
    /// Display name.
    pub name: String,
    /// Ticket category.
    pub category: Option<String>,
}

/// The data of an event; also one line of the dashboard's feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ScanEvent {
    /// The type, the same as the frame's.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// Place in the log.
    pub seq: u64,
    /// The record.
    pub check_in_id: Uuid,
    /// What the person at the door was told.
    pub verdict: Verdict,
    /// Why it was not accepted.
    pub reason: Option<Reason>,
    /// Which way the guest went.
    pub direction: Direction,
    /// Who; null for an unknown code.
    pub guest: Option<EventGuest>,
    /// Where.
    pub gate: Option<String>,
    /// With which device.
    pub session_id: Option<Uuid>,
    /// It was recorded against the rules.
    pub forced: bool,
    /// The guest was on no list.
    pub walk_in: bool,
    /// How many people went.
    #[serde(default = "one")]
    pub people: u16,
    /// The ticket was let in before.
    #[serde(default)]
    pub conflict: Option<Conflict>,
    /// Other records whose conflict changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reelected: Vec<Reelected>,
    /// When it happened; of an annulment, when it was received.
    #[serde(with = "time::ms")]
    pub at: DateTime<Utc>,
}

impl EventType {
    /// Every type.
    pub const ALL: [Self; 5] = [
        Self::Accepted,
        Self::Duplicate,
        Self::Refused,
        Self::Exited,
        Self::Annulled,
    ];

    /// The type of an entry's event.
    pub fn of(entry: &Entry) -> Self {
        match entry.effect {
            Effect::Admit => Self::Accepted,
            Effect::Repeat => Self::Duplicate,
            Effect::Refuse => Self::Refused,
            Effect::Exit => Self::Exited,
            Effect::Annul => Self::Annulled,
        }
    }

    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "checkin.accepted",
            Self::Duplicate => "checkin.duplicate",
            Self::Refused => "checkin.refused",
            Self::Exited => "checkin.exited",
            Self::Annulled => "checkin.annulled",
        }
    }
}

impl ScanEvent {
    /// The event of an entry.
    pub fn of(entry: &Entry) -> Self {
        let annulment = entry.effect == Effect::Annul;
        Self {
            kind: EventType::of(entry),
            seq: entry.seq,
            check_in_id: entry.check_in_id,
            verdict: entry.verdict,
            reason: entry.reason,
            direction: entry.direction,
            guest: entry.guest.as_ref().map(|guest| EventGuest {
                name: guest.name.clone(),
                category: guest.category.clone(),
            }),
            gate: entry.gate.clone(),
            session_id: entry.session_id,
            forced: entry.forced,
            walk_in: entry.walk_in,
            people: entry.people,
            conflict: entry.conflict.clone(),
            reelected: entry.reelected.clone(),
            at: if annulment {
                entry.received_at
            } else {
                entry.check_in_time
            },
        }
    }
}
