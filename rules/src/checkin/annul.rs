//! Undoes an admission.
//!
//! Invariant: the record stays; only its effect is taken back. What stands afterwards is as if it
//! had never been: the next entry is the first, and the guest can be admitted again. What a device
//! undid without a connection is judged by the times of its own clock, like what it let in.
//! Failure: a typed refusal; nothing is recorded.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Map;
use uuid::Uuid;

use super::caller::Caller;
use super::clock::Times;
use super::conflict;
use super::entry::{Annuls, CheckIn, Entry, FirstEntry, Kind};
use super::refusal::moment;
use super::state::State;
use super::verdict::{Direction, Effect};
use super::visits::{Visit, Visits};
use crate::invalid::Invalid;
use crate::name;
use crate::time;

/// How long the device that recorded an admission may undo it, counted from its receipt.
pub const WINDOW: TimeDelta = TimeDelta::minutes(15);

/// The body of `POST /pulse/check-ins/{id}/annul`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AnnulIn {
    /// The check-in table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_id: Option<Uuid>,
    /// Chosen by the device and repeated with each retry; 1 to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

/// An item of a batch that undoes what its device had decided without a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct UndoIn {
    /// The record, by the id that its device gave it.
    pub annul: Uuid,
    /// The check-in table. May be left out: a batch has one.
    #[serde(default, skip_serializing_if = "Uuid::is_nil")]
    pub table_id: Uuid,
    /// Chosen by the device and repeated with each retry; 1 to 200 characters.
    pub nonce: String,
    /// When it was undone, by the device's clock.
    #[serde(with = "time::ms")]
    pub annulled_at: DateTime<Utc>,
    /// When the request was sent, by the device's clock.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::ms_option"
    )]
    pub sent_at: Option<DateTime<Utc>>,
}

/// A request to undo, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undo {
    nonce: Option<String>,
    /// When it was undone, clock corrected.
    at: DateTime<Utc>,
    received_at: DateTime<Utc>,
    /// The device had no connection then.
    offline: bool,
}

/// Why an admission is not undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnulRefusal {
    /// The record is a refusal: there is nothing to undo.
    NotAnAdmission,
    /// It was recorded by another device, and the caller is no manager.
    OtherDevice,
    /// It was undone before.
    AlreadyAnnulled,
    /// The device's 15 minutes are over.
    TooLate,
}

impl AnnulIn {
    /// Checks what came in at `now`.
    pub fn parse(self, now: DateTime<Utc>) -> Result<Undo, Invalid> {
        let mut invalid = Invalid::default();
        let nonce = self.nonce.map(|nonce| name::parse("/nonce", &nonce, 200));
        let (nonce, now) = (
            nonce.and_then(|nonce| invalid.take(nonce)),
            time::to_ms(now),
        );
        invalid.or(Undo {
            nonce,
            at: now,
            received_at: now,
            offline: false,
        })
    }
}

impl UndoIn {
    /// Checks what came in at `received_at`.
    pub fn parse(self, received_at: DateTime<Utc>) -> Result<Undo, Invalid> {
        let mut invalid = Invalid::default();
        let times = Times::correct(Some(self.annulled_at), self.sent_at, received_at);
        let times =
            invalid.take(times.map_err(|wrong| wrong.renamed("/scanned_at", "/annulled_at")));
        let nonce = invalid.take(name::parse("/nonce", &self.nonce, 200));
        match times {
            Some(times) => invalid.or(Undo {
                nonce,
                at: times.check_in_time,
                received_at: times.received_at,
                offline: true,
            }),
            None => Err(invalid),
        }
    }
}

impl Undo {
    /// What makes two requests the same annulment; none without a nonce.
    pub fn nonce_key(&self, origin: Uuid, check_in_id: Uuid) -> Option<String> {
        let nonce = self.nonce.as_deref()?;
        Some(format!("{origin}|annul|r{check_in_id}|{nonce}"))
    }

    /// Is it longer than the device's window after the record was made?
    fn too_late(&self, original: &Entry) -> bool {
        let since = match self.offline && original.offline.is_some() {
            true => self.at - original.check_in_time,
            false => self.received_at - original.received_at,
        };
        since > WINDOW
    }
}

impl AnnulRefusal {
    /// The stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAnAdmission => "not_an_admission",
            Self::OtherDevice => "other_device",
            Self::AlreadyAnnulled => "already_annulled",
            Self::TooLate => "too_late",
        }
    }

    /// The same for people.
    pub fn message(self) -> &'static str {
        match self {
            Self::NotAnAdmission => "Only an admission or an exit can be undone.",
            Self::OtherDevice => "Only the device that recorded it, or a manager, may undo it.",
            Self::AlreadyAnnulled => "It was undone before.",
            Self::TooLate => "After 15 minutes only a manager may undo it.",
        }
    }
}

/// May this caller undo the record that `original` created?
fn may_annul(
    state: &State,
    original: &Entry,
    request: &Undo,
    caller: &Caller,
) -> Result<(), AnnulRefusal> {
    let own = original.session_id.unwrap_or(original.actor.id) == caller.origin();
    if !original.is_admission() {
        Err(AnnulRefusal::NotAnAdmission)
    } else if !own && !caller.manager {
        Err(AnnulRefusal::OtherDevice)
    } else if visit(state, original).is_none() {
        Err(AnnulRefusal::AlreadyAnnulled)
    } else if !caller.manager && request.too_late(original) {
        Err(AnnulRefusal::TooLate)
    } else {
        Ok(())
    }
}

/// The log entry that undoes the record `original` created, if this caller may.
pub fn annul(
    state: &State,
    original: &Entry,
    request: &Undo,
    caller: &Caller,
) -> Result<Entry, AnnulRefusal> {
    may_annul(state, original, request, caller)?;
    let entry = undone(state, original, request, caller);
    entry.ok_or(AnnulRefusal::AlreadyAnnulled)
}

/// The log entry that takes back what `original` admitted, because its device turned the guest away
/// at these `times` after all; none when that was a refusal, or was undone.
pub fn take_back(state: &State, original: &Entry, times: &Times, caller: &Caller) -> Option<Entry> {
    let request = Undo {
        nonce: None,
        at: times.check_in_time,
        received_at: times.received_at,
        offline: true,
    };
    undone(state, original, &request, caller)
}

fn undone(state: &State, original: &Entry, request: &Undo, caller: &Caller) -> Option<Entry> {
    let (now, received_at) = (request.at, request.received_at);
    let (visits, visit) = visit(state, original)?;
    let rest = visits.without(visit.seq);
    let (_, reelected) = conflict::changes(&state.ledger, visits, &rest, None);
    let (before, after) = (visits.standing(), rest.standing());
    let check_in_id = original.check_in_id;
    let nonce_key = request.nonce_key(caller.origin(), check_in_id);
    let time = moment(&state.config.timezone, visit.at, now);
    let what = match visit.direction {
        Direction::Entry => "Check-in",
        Direction::Exit => "Check-out",
    };
    Some(Entry {
        seq: state.ledger.last_seq() + 1,
        kind: Kind::Annul,
        // A record is annulled once, so without a nonce its id is enough.
        nonce_key: nonce_key.unwrap_or_else(|| format!("annul|{check_in_id}")),
        at: now,
        explanation: format!("{what} {time} undone."),
        warnings: Vec::new(),
        first_entry: rest.first().map(|first| FirstEntry {
            at: first.at,
            gate: state.ledger.gate_name(first.gate).map(str::to_owned),
        }),
        session_id: caller.session_id,
        device: caller.device.clone(),
        actor: caller.actor,
        scanner: caller.scanner.clone(),
        effect: Effect::Annul,
        first_of_guest: before.checked_in && !after.checked_in,
        inside_delta: before.inside_delta(after),
        arrived: original.arrived.map(|_| after.entered),
        offline: None,
        conflict: None,
        reelected,
        answers: Map::new(),
        questions: Vec::new(),
        scanned_at: None,
        sent_at: None,
        received_at,
        clock_skew_ms: 0,
        new_row: None,
        notes: None,
        annuls: Some(Annuls {
            check_in_id,
            seq: visit.seq,
        }),
        earlier: original.check_in(state.table_id).map(|check_in| CheckIn {
            scan_count: visit.scans,
            last_scanned_at: visit.last_scanned_at,
            conflict: None,
            annulled_at: Some(now),
            annulled_by: Some(caller.actor.id),
            ..check_in
        }),
        ..original.clone()
    })
}

fn visit<'a>(state: &'a State, original: &Entry) -> Option<(&'a Visits, &'a Visit)> {
    let visits = state.ledger.guest(original.row_id?)?;
    visits.get(original.seq).map(|visit| (visits, visit))
}
