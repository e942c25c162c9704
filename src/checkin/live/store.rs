//! SQL of the live object: what it reads from Postgres, and the log it writes there.
//!
//! Invariant: all of it runs as the Worker's own job for the table's tenant; a log entry is stored
//! once whatever happens, because (`table_id`, `seq`) is its key.
//! Failure: a table without check-in is 404.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::heard::Sign;
use super::table::{Device, Identity};
use crate::checkin::Home;
use crate::platform::pg::Statement;
use rules::checkin::device::Report;
use rules::checkin::guest::Row;
use rules::checkin::ticket::TicketKey;
use rules::roles::Role;

/// Confirms that the caller is alive in the tenant, and says where that keeps its objects; the role
/// comes with the answer.
pub const CONFIRM: Statement<Value, Home> = Statement::new("select app.home()");

/// Members of staff.
#[derive(Serialize)]
pub struct Members {
    /// Each once.
    pub members: Vec<Member>,
}

/// A member of staff, as their credential named them.
#[derive(Serialize)]
pub struct Member {
    /// `user` or `key`.
    pub kind: String,
    /// The user or key.
    pub id: String,
    /// The sign-in; none for a person whom somebody else signs in.
    pub session: Option<String>,
}

/// The role of each, in their order; none for who is nobody here any more.
pub const STANDING: Statement<Members, Vec<Option<Role>>> =
    Statement::new("select app.standing($1)").patience(Duration::from_secs(2));

/// Where to go on reading.
#[derive(Serialize)]
pub struct PullTable {
    /// The table.
    pub table_id: Uuid,
    /// After this change of the guest list, -1 before the first.
    pub rows_seq: i64,
    /// After this guest within that change.
    pub row_id: Option<Uuid>,
    /// After this change of a scanner session, -1 before the first.
    pub devices_seq: i64,
    /// The change of the configuration that is known, -1 for none.
    pub config_seq: i64,
    /// After this change of a ticket key or of a revocation, -1 before the first.
    pub tickets_seq: i64,
    /// After this revoked ticket within that change.
    pub ticket_serial: u32,
    /// At most this many guests.
    pub limit: u32,
}

/// What changed.
#[derive(Deserialize)]
pub struct Pulled {
    /// The configuration.
    pub config: Identity,
    /// Guests in the order of their changes.
    pub rows: Vec<PulledRow>,
    /// Scanner sessions in the order of their changes.
    pub devices: Vec<PulledDevice>,
    /// Ticket keys and revocations, if any are new.
    pub tickets: Option<PulledTickets>,
}

/// A guest as Postgres has it.
#[derive(Deserialize)]
pub struct PulledRow {
    /// The guest.
    #[serde(flatten)]
    pub row: Row,
    /// Its place in the changes.
    pub change_seq: i64,
    /// Taken off the list.
    #[serde(default)]
    pub deleted: bool,
}

/// A scanner session as Postgres has it.
#[derive(Deserialize)]
pub struct PulledDevice {
    /// The session.
    #[serde(flatten)]
    pub device: Device,
    /// Its place in the changes.
    pub change_seq: i64,
    /// When it was last seen, as far as Postgres was told.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// It does not scan for this table any more.
    #[serde(default)]
    pub removed: bool,
    /// Its last report, as far as Postgres was told.
    pub device_status: Option<Report>,
}

/// News of signed tickets.
#[derive(Deserialize)]
pub struct PulledTickets {
    /// Every key of the list.
    pub keys: Vec<TicketKey>,
    /// Serial numbers of tickets that were revoked.
    pub revoked: Vec<u32>,
    /// How far that reaches: a change, and a ticket within it.
    pub position: (i64, u32),
}

/// What changed since a position.
pub const PULL_TABLE: Statement<PullTable, Pulled> = Statement::new("select app.pull_table($1)");

/// Where to go on reading the log.
#[derive(Serialize)]
pub struct PullLog {
    /// The table.
    pub table_id: Uuid,
    /// After this entry.
    pub after: u64,
    /// At most this many.
    pub limit: u32,
}

/// A part of the log.
#[derive(Deserialize)]
pub struct PulledLog {
    /// Entries, oldest first.
    pub entries: Vec<Box<RawValue>>,
    /// Whether there are more.
    pub more: bool,
}

/// The log as Postgres keeps it.
pub const PULL_LOG: Statement<PullLog, PulledLog> = Statement::new("select app.pull_log($1)");

/// Entries for Postgres.
#[derive(Serialize)]
pub struct Flush {
    /// The table.
    pub table_id: Uuid,
    /// A list, oldest first, without a gap.
    pub entries: Box<RawValue>,
    /// Last entry of the log, so that the minute sweep sees a record that stays behind.
    pub head: u64,
}

/// How far Postgres is.
#[derive(Deserialize)]
pub struct Flushed {
    /// The last entry it has.
    pub last_seq: u64,
    /// Entries that are kept but could not be shown as records.
    #[serde(default)]
    pub failed: Vec<u64>,
    /// Entries of which Postgres had another version.
    #[serde(default)]
    pub conflicts: Vec<u64>,
    /// Messages that were made of them for recipients outside.
    pub announced: u64,
}

/// What was heard of scanners.
#[derive(Serialize)]
pub struct Noted {
    /// The table.
    pub table_id: Uuid,
    /// Each session once.
    pub devices: Vec<Sign>,
}

/// When everybody leaves.
#[derive(Serialize)]
pub struct NotedExits {
    /// The table.
    pub table_id: Uuid,
    /// The next time, if there is one.
    #[serde(with = "rules::time::ms_option")]
    pub exits_at: Option<DateTime<Utc>>,
}

/// Keeps when everybody leaves next.
pub const NOTE_EXITS: Statement<NotedExits, bool> = Statement::new(
    "update pulse_enabled_tables set exits_at = ($1->>'exits_at')::timestamptz
      where table_id = ($1->>'table_id')::uuid
     returning to_jsonb(true)",
)
.patience(Duration::from_secs(3));

/// Which table.
#[derive(Serialize)]
pub struct TableOf {
    /// The table.
    pub table_id: Uuid,
}

/// When everybody leaves next, as it was said last.
#[derive(Deserialize)]
pub struct KnownExits {
    /// The next time, if there is one.
    pub exits_at: Option<DateTime<Utc>>,
}

/// When everybody leaves next.
pub const READ_EXITS: Statement<TableOf, KnownExits> = Statement::new(
    "select jsonb_build_object('exits_at', app.utc(exits_at)) from pulse_enabled_tables
      where table_id = ($1->>'table_id')::uuid",
);

/// Keeps when scanners were seen and what they said; older news than it has change nothing.
pub const NOTE_DEVICES: Statement<Noted, u64> =
    Statement::new("select to_jsonb(app.note_devices($1))").patience(Duration::from_secs(3));

/// Stores entries; those it has already change nothing.
///
/// It gives up early: what was sent may be stored all the same, and the next attempt finds out.
pub const FLUSH: Statement<Flush, Flushed> = Statement::new(
    "with flushed as materialized (select app.flush_scans($1) as answer)
         select answer || jsonb_build_object('announced', app.announced()) from flushed",
)
.patience(Duration::from_secs(3));
