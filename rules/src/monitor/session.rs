//! What is said on the connection to a replica, in order, and what must hold.
//!
//! 1. [`IDENTIFY`], the first thing said: is this a replica? A primary is asked nothing else, unless
//!    its owner allowed it with a reason.
//! 2. [`begin`]: a read-only transaction and every limit anew, because settings of the role can be
//!    gone and those of a session can be lifted by what ran before.
//! 3. [`POSITION`]: how far behind it is, and whether the limits are in force.
//! 4. `explain` of the statement, then the statement, each within the limits; and the deadline of
//!    our own, because no limit of a server reaches a connection that is half open.
//! 5. [`END`], whatever happened.
//!
//! Invariant: settings are no boundary, for a transaction can be begun read-write; what holds is that
//! a standby cannot write, that the role has no grants but `SELECT`, and that the only statements
//! sent are those of this module, of [`super::catalog`], and of [`super::sql`].
//! Failure: [`Refusal`] says what does not hold; the connection is closed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::lag::Position;
use crate::time;

/// What we say who we are: shown in `pg_stat_activity`.
pub const APPLICATION_NAME: &str = "pulse-monitor";

/// The first statement. It reads no table.
pub const IDENTIFY: &str = "\
select json_build_object(
    'recovery', pg_catalog.pg_is_in_recovery(),
    'version', pg_catalog.current_setting('server_version_num')::pg_catalog.int4)::pg_catalog.text
    as answer";

/// Where the replica is, and what is in force. Times are seconds of the replica's clock.
pub const POSITION: &str = "\
select json_build_object(
    'recovery', pg_is_in_recovery(),
    'read_only', current_setting('transaction_read_only'),
    'statement_timeout', current_setting('statement_timeout'),
    'search_path', current_setting('search_path'),
    'now', extract(epoch from clock_timestamp()),
    'receive_lsn', pg_last_wal_receive_lsn()::text,
    'replay_lsn', pg_last_wal_replay_lsn()::text,
    'last_replay', extract(epoch from pg_last_xact_replay_timestamp()),
    'paused', case when pg_is_in_recovery() then pg_is_wal_replay_paused() else false end,
    'receiver', exists (select 1 from pg_catalog.pg_stat_wal_receiver),
    'receiver_status', (select status from pg_catalog.pg_stat_wal_receiver limit 1),
    'last_msg_receipt', (select extract(epoch from last_msg_receipt_time)
                         from pg_catalog.pg_stat_wal_receiver limit 1),
    'feedback', current_setting('hot_standby_feedback')::bool,
    'conflicts', (select confl_tablespace + confl_lock + confl_snapshot + confl_bufferpin
                         + confl_deadlock
                  from pg_catalog.pg_stat_database_conflicts where datname = current_database()),
    'aurora', exists (select 1 from pg_catalog.pg_proc where proname = 'aurora_replica_status'),
    'stats', pg_has_role(current_user, 'pg_read_all_stats', 'member'),
    'superuser', (select rolsuper from pg_catalog.pg_roles where rolname = current_user)
)::text as answer";

/// How far an Aurora reader is behind, where [`Standing::aurora`] says there is such a thing.
pub const AURORA: &str = "\
select json_build_object('lag_ms', (
    select replica_lag_in_msec from aurora_replica_status()
    where server_id = aurora_db_instance_identifier()))::text as answer";

/// The end of every run.
pub const END: &str = "rollback";

/// What limits a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// For one statement, in milliseconds: well under `max_standby_streaming_delay`, so that recovery
    /// is seldom waited for.
    pub statement_ms: u32,
    /// For a lock.
    pub lock_ms: u32,
    /// Between two statements.
    pub idle_ms: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            statement_ms: 2_000,
            lock_ms: 250,
            idle_ms: 5_000,
        }
    }
}

/// What the first statement answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// It is a standby.
    pub recovery: bool,
    /// `server_version_num`.
    pub version: i32,
}

/// What [`POSITION`] answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Where it is.
    pub position: Position,
    /// `hot_standby_feedback`.
    pub feedback: bool,
    /// Statements of this database that recovery cancelled, since statistics began.
    pub conflicts: i64,
    /// It is Aurora: [`AURORA`] says how far it is behind.
    pub aurora: bool,
    /// The role may see the receiver.
    pub stats: bool,
    /// The role may do everything, which it should not.
    pub superuser: bool,
}

/// Why a connection is not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// `not_a_replica`, `version`, `not_read_only`, `unlimited`, `unreadable`.
    pub code: String,
    /// One or two sentences for a person.
    pub message: String,
}

/// The oldest version that has all that is asked: Postgres 12.
pub const OLDEST: i32 = 120_000;

/// Reads what the first statement answers, and whether to go on.
pub fn identify(answer: &str, allow_primary: bool) -> Result<Identity, Refusal> {
    let identity: Identity = serde_json::from_str(answer).map_err(|_| unreadable())?;
    if !identity.recovery && !allow_primary {
        return Err(refused(
            "not_a_replica",
            "This server is a primary (pg_is_in_recovery() is false). Give the address of a read \
             replica; or, if it must be, set allow_primary with a reason.",
        ));
    }
    if identity.version < OLDEST {
        return Err(refused("version", "Postgres 12 or newer is needed."));
    }
    Ok(identity)
}

/// Begins the transaction of a run: one text of several statements, all of them ours, for the simple
/// protocol. No function is found but those of the system; no text is read another way.
pub fn begin(limits: &Limits, version: i32) -> String {
    let Limits {
        statement_ms,
        lock_ms,
        idle_ms,
    } = limits;
    let mut text = format!(
        "begin transaction isolation level read committed read only;\
         set local statement_timeout = {statement_ms};\
         set local lock_timeout = {lock_ms};\
         set local idle_in_transaction_session_timeout = {idle_ms};\
         set local max_parallel_workers_per_gather = 0;\
         set local jit = off;\
         set local search_path = pg_catalog;\
         set local standard_conforming_strings = on;\
         set local timezone = 'UTC';\
         set local datestyle = 'ISO';\
         set local intervalstyle = 'postgres';\
         set local extra_float_digits = 1"
    );
    if version >= 170_000 {
        // Position, plan, statement, samples and their plan.
        let whole = u64::from(*statement_ms) * 5 + u64::from(*idle_ms);
        text.push_str(&format!(";set local transaction_timeout = {whole}"));
    }
    text
}

/// How long we wait for one answer ourselves.
pub fn deadline(limits: &Limits) -> Duration {
    let server = u64::from(limits.statement_ms.saturating_add(limits.lock_ms));
    Duration::from_millis(server.saturating_add(2_000))
}

/// Reads where the replica is, and whether what must hold does.
pub fn standing(
    answer: &str,
    aurora_lag_ms: Option<f64>,
    limits: &Limits,
    allow_primary: bool,
) -> Result<Standing, Refusal> {
    let found: Answer = serde_json::from_str(answer).map_err(|_| unreadable())?;
    if !found.recovery && !allow_primary {
        return Err(refused(
            "not_a_replica",
            "This server has become a primary; nothing more is asked of it.",
        ));
    }
    if found.read_only != "on" {
        return Err(refused(
            "not_read_only",
            "The transaction is not read-only, though it was begun so. Is a pooler in between? \
             Connect to the server itself.",
        ));
    }
    let timeout = milliseconds(&found.statement_timeout);
    let limited = timeout.is_some_and(|ms| (1..=u64::from(limits.statement_ms)).contains(&ms));
    if !limited || found.search_path != "pg_catalog" {
        return Err(refused(
            "unlimited",
            "The limits of the transaction are not in force, though they were set. Is a pooler in \
             between? Connect to the server itself.",
        ));
    }
    Ok(Standing {
        position: Position {
            recovery: found.recovery,
            receive_lsn: found.receive_lsn,
            replay_lsn: found.replay_lsn,
            receiver: found.receiver,
            receiver_status: found.receiver_status,
            last_msg_receipt: found.last_msg_receipt.and_then(instant),
            last_replay: found.last_replay.and_then(instant),
            paused: found.paused,
            now: instant(found.now).ok_or_else(unreadable)?,
            aurora_lag_ms,
        },
        feedback: found.feedback,
        conflicts: found.conflicts.unwrap_or_default(),
        aurora: found.aurora,
        stats: found.stats,
        superuser: found.superuser.unwrap_or_default(),
    })
}

#[derive(Deserialize)]
struct Answer {
    recovery: bool,
    read_only: String,
    statement_timeout: String,
    search_path: String,
    now: f64,
    receive_lsn: Option<String>,
    replay_lsn: Option<String>,
    last_replay: Option<f64>,
    paused: bool,
    receiver: bool,
    receiver_status: Option<String>,
    last_msg_receipt: Option<f64>,
    feedback: bool,
    conflicts: Option<i64>,
    aurora: bool,
    stats: bool,
    superuser: Option<bool>,
}

/// An instant of the years 1970 to 9999.
fn instant(seconds: f64) -> Option<DateTime<Utc>> {
    (0.0..253_402_300_800.0)
        .contains(&seconds)
        .then(|| time::from_ms((seconds * 1_000.0).floor() as i64))
}

/// A setting as the server shows it: `2s`, `250ms`, `1min`, `0`.
fn milliseconds(shown: &str) -> Option<u64> {
    let digits = shown.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let number: u64 = digits.parse().ok()?;
    Some(match shown.strip_prefix(digits)? {
        "ms" | "" => number,
        "s" => number.checked_mul(1_000)?,
        "min" => number.checked_mul(60_000)?,
        _ => return None,
    })
}

fn refused(code: &str, message: &str) -> Refusal {
    Refusal {
        code: code.to_owned(),
        message: message.to_owned(),
    }
}

fn unreadable() -> Refusal {
    refused(
        "unreadable",
        "The server answered something else than Postgres would.",
    )
}
