//! One entry of a table's log, and the record it answers with.
//!
//! Invariant: an entry holds all that its answer needs and all that folding it needs; it is never
//! changed. Written as JSON and read back it is equal.
//! Failure: none.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::caller::{Actor, Caller, Scanner};
use super::conflict::{Conflict, Reelected};
use super::decide::{Decision, Ids};
use super::guest::{GuestView, is_one, one};
use super::question::{self, Question};
use super::scan::{Scan, Target, record_id};
use super::state::State;
use super::verdict::{Direction, Effect, Reason, Verdict, Warning};
use super::visits::Again;
use crate::time;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A scan, whatever its verdict.
    Scan,
    /// An earlier scan was annulled.
    Annul,
}

/// When and where a guest first entered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FirstEntry {
    /// Corrected time of the scan.
    #[serde(with = "time::ms")]
    pub at: DateTime<Utc>,
    /// The gate, if one was named.
    pub gate: Option<String>,
}

/// The row a walk-in creates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRow {
    /// The row.
    pub id: Uuid,
    /// Display name.
    pub name: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Ticket category.
    pub category: Option<String>,
    /// The code given at the door.
    pub barcode: Option<String>,
    /// How many people came.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub party: u16,
}

/// Which record an annulment is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annuls {
    /// The record.
    pub check_in_id: Uuid,
    /// The entry that created it.
    pub seq: u64,
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Place in the log, dense from 1.
    pub seq: u64,
    /// Scan or annulment.
    pub kind: Kind,
    /// What makes a retry the same request.
    pub nonce_key: String,
    /// When it was received; of an annulment, when the record was undone.
    #[serde(with = "time::ms")]
    pub at: DateTime<Utc>,
    /// What the person at the door was told; of an annulment, the verdict that was annulled.
    pub verdict: Verdict,
    /// Why it was not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The same for people.
    pub explanation: String,
    /// What to know besides.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// Which way the guest went.
    pub direction: Direction,
    /// The code that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barcode: Option<String>,
    /// The guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_id: Option<Uuid>,
    /// The guest as shown then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<GuestView>,
    /// The guest's first entry, this one counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_entry: Option<FirstEntry>,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// With which device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<Uuid>,
    /// Its name then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// By whom.
    pub actor: Actor,
    /// Who held the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scanner: Option<Scanner>,
    /// The record: new with `admit`, `exit` and `refuse`, an earlier one otherwise.
    pub check_in_id: Uuid,
    /// What it does to the record.
    pub effect: Effect,
    /// The guests checked in change by one: up with `admit`, down with `annul`.
    pub first_of_guest: bool,
    /// Change of the people inside.
    pub inside_delta: i32,
    /// How many people went.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub people: u16,
    /// How many the ticket is for.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub party: u16,
    /// People of the ticket who have entered, this scan counted; of tickets for several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrived: Option<u32>,
    /// The rule for entering once more that held.
    #[serde(default)]
    pub again: Again,
    /// What a device without a connection had told the guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<Verdict>,
    /// The entry is one too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Conflict>,
    /// Other records whose conflict changed by this entry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reelected: Vec<Reelected>,
    /// Answers to questions: those that fit.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub answers: Map<String, Value>,
    /// What the guest has to be asked first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<Question>,
    /// When it happened, clock corrected.
    #[serde(with = "time::ms")]
    pub check_in_time: DateTime<Utc>,
    /// When it happened, by the device's clock.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::ms_option"
    )]
    pub scanned_at: Option<DateTime<Utc>>,
    /// When it was sent, by the device's clock.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::ms_option"
    )]
    pub sent_at: Option<DateTime<Utc>>,
    /// When it was received.
    #[serde(with = "time::ms")]
    pub received_at: DateTime<Utc>,
    /// Milliseconds added to the device's clock.
    pub clock_skew_ms: i32,
    /// The device said that it already happened.
    pub force_sent: bool,
    /// And that was needed.
    pub forced: bool,
    /// What was overridden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrode: Option<Reason>,
    /// The guest was on no list.
    pub walk_in: bool,
    /// The row created for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_row: Option<NewRow>,
    /// A remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// What is annulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annuls: Option<Annuls>,
    /// The earlier record a repeat or an annulment is answered with, as it was then. An entry that
    /// creates a record is that record: see [`Entry::check_in`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<CheckIn>,
}

/// A record as answered and listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CheckIn {
    /// The record.
    pub id: Uuid,
    /// The check-in table.
    pub table_id: Uuid,
    /// The guest; null for an unknown code.
    pub row_id: Option<Uuid>,
    /// Place in the log.
    pub seq: u64,
    /// What the person at the door was told.
    pub verdict: Verdict,
    /// Why it was not accepted.
    pub reason: Option<Reason>,
    /// Which way the guest went.
    pub direction: Direction,
    /// The code that was read.
    pub barcode: Option<String>,
    /// Where.
    pub gate: Option<String>,
    /// With which device.
    pub session_id: Option<Uuid>,
    /// Its name then.
    pub device: Option<String>,
    /// Who held the device.
    pub scanner_name: Option<String>,
    /// Their e-mail address.
    pub scanner_email: Option<String>,
    /// When it happened, clock corrected. Never overwritten.
    #[serde(with = "time::ms")]
    pub check_in_time: DateTime<Utc>,
    /// When it happened, by the device's clock.
    #[serde(with = "time::ms_option")]
    pub scanned_at: Option<DateTime<Utc>>,
    /// When it was sent, by the device's clock.
    #[serde(with = "time::ms_option")]
    pub sent_at: Option<DateTime<Utc>>,
    /// When it was received.
    #[serde(with = "time::ms")]
    pub received_at: DateTime<Utc>,
    /// Milliseconds added to the device's clock.
    pub clock_skew_ms: i32,
    /// The device said that it already happened.
    pub force_sent: bool,
    /// And that was needed.
    pub forced: bool,
    /// What was overridden.
    pub overrode: Option<Reason>,
    /// The guest was on no list.
    pub walk_in: bool,
    /// How many people went.
    pub people: u16,
    /// What a device without a connection had told the guest; null when it was decided here.
    pub offline: Option<Verdict>,
    /// The entry is one too many: the ticket was let in before.
    pub conflict: Option<Conflict>,
    /// Answers to questions, by their ids.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub answers: Map<String, Value>,
    /// Scans counted on this record, the first included.
    pub scan_count: u32,
    /// The latest of those scans, clock corrected.
    #[serde(with = "time::ms")]
    pub last_scanned_at: DateTime<Utc>,
    /// The guest as shown then.
    pub row_data: Option<GuestView>,
    /// A remark.
    pub notes: Option<String>,
    /// When it was annulled.
    #[serde(with = "time::ms_option")]
    pub annulled_at: Option<DateTime<Utc>>,
    /// By whom.
    pub annulled_by: Option<Uuid>,
}

/// The log entry of a decided scan. `original` is the record a repeat counts on, as it was first
/// answered (the entry at [`Decision::repeats`]); without it the answer carries no record.
pub fn record(
    state: &State,
    scan: Scan,
    caller: &Caller,
    decision: Decision,
    ids: Ids,
    original: Option<CheckIn>,
) -> Entry {
    let nonce_key = scan.nonce_key(caller.origin());
    let walk_in = matches!(scan.target, Target::WalkIn(_));
    let barcode = match scan.target {
        Target::Code(code) => Some(code),
        Target::Row(_) => None,
        Target::WalkIn(guest) => guest.barcode,
    };
    let times = scan.times;
    let asked = scan.offline.is_none() && times.scanned_at.is_some();
    let check_in_id = match decision.repeats {
        Some(repeated) => repeated.check_in_id,
        // The scan's own id stays free for what its device may yet report of it.
        None if decision.effect == Effect::Refuse && asked => {
            let key = format!("asked|{nonce_key}");
            record_id(state.table_id, times.check_in_time, &key)
        }
        None => ids.check_in,
    };
    Entry {
        seq: state.ledger.last_seq() + 1,
        kind: Kind::Scan,
        nonce_key,
        at: times.received_at,
        verdict: decision.verdict,
        reason: decision.reason,
        explanation: decision.explanation,
        warnings: decision.warnings,
        direction: scan.direction,
        barcode,
        row_id: decision.row_id,
        guest: decision.guest,
        first_entry: decision.first_entry,
        gate: decision.gate,
        session_id: caller.session_id,
        device: caller.device.clone(),
        actor: caller.actor,
        scanner: scan.scanner.or_else(|| caller.scanner.clone()),
        check_in_id,
        effect: decision.effect,
        first_of_guest: decision.first_of_guest,
        inside_delta: decision.inside_delta,
        people: decision.people,
        party: decision.party,
        arrived: decision.arrived,
        again: decision.again,
        offline: scan.offline.map(|told| told.verdict),
        conflict: decision.conflict,
        reelected: decision.reelected,
        answers: question::kept(&state.config.settings.questions, scan.answers),
        questions: decision.questions,
        check_in_time: times.check_in_time,
        scanned_at: times.scanned_at,
        sent_at: times.sent_at,
        received_at: times.received_at,
        clock_skew_ms: times.clock_skew_ms,
        force_sent: scan.force,
        forced: decision.overrode.is_some(),
        overrode: decision.overrode,
        walk_in,
        new_row: decision.new_row,
        notes: scan.notes,
        annuls: None,
        earlier: decision
            .repeats
            .zip(original)
            .map(|(repeated, original)| CheckIn {
                scan_count: repeated.scans.saturating_add(1),
                last_scanned_at: repeated.last_scanned_at.max(times.check_in_time),
                ..original
            }),
    }
}

impl Entry {
    /// An admission was recorded: the answer's status is 201 the first time.
    pub fn is_admission(&self) -> bool {
        matches!(self.effect, Effect::Admit | Effect::Exit)
    }

    /// The device that this is the log of decided it by itself, so it gave the record its id.
    pub fn is_of_device(&self, table_id: Uuid) -> bool {
        let at = self.scanned_at.unwrap_or(self.check_in_time);
        self.check_in_id == record_id(table_id, at, &self.nonce_key)
    }

    /// The record as answered: new, or the earlier one; none for a repeat whose record is not known.
    pub fn check_in(&self, table_id: Uuid) -> Option<CheckIn> {
        match self.effect {
            Effect::Admit | Effect::Exit | Effect::Refuse => Some(CheckIn::of(self, table_id)),
            Effect::Repeat | Effect::Annul => self.earlier.clone(),
        }
    }
}

impl CheckIn {
    fn of(entry: &Entry, table_id: Uuid) -> Self {
        let scanner = entry.scanner.clone().unwrap_or_default();
        Self {
            id: entry.check_in_id,
            table_id,
            row_id: entry.row_id,
            seq: entry.seq,
            verdict: entry.verdict,
            reason: entry.reason,
            direction: entry.direction,
            barcode: entry.barcode.clone(),
            gate: entry.gate.clone(),
            session_id: entry.session_id,
            device: entry.device.clone(),
            scanner_name: scanner.name,
            scanner_email: scanner.email,
            check_in_time: entry.check_in_time,
            scanned_at: entry.scanned_at,
            sent_at: entry.sent_at,
            received_at: entry.received_at,
            clock_skew_ms: entry.clock_skew_ms,
            force_sent: entry.force_sent,
            forced: entry.forced,
            overrode: entry.overrode,
            walk_in: entry.walk_in,
            people: entry.people,
            offline: entry.offline,
            conflict: entry.conflict.clone(),
            answers: entry.answers.clone(),
            scan_count: 1,
            last_scanned_at: entry.check_in_time,
            row_data: entry.guest.clone(),
            notes: entry.notes.clone(),
            annulled_at: None,
            annulled_by: None,
        }
    }
}
