//! SQL of the object of a connection.
//!
//! Invariant: all of it is the object's own work for the tenant of its connection.
//! Failure: a connection that is gone answers no row.

use std::collections::BTreeMap;

use rules::detector::Point;
use rules::monitor::ledger;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::Late;
use super::plan::Plan;
use crate::monitor::connections::{Budget, SslMode};
use crate::platform::pg::{Function, Statement};

/// What a session is opened with.
#[derive(Clone, Deserialize)]
pub struct Access {
    /// Whose.
    pub tenant_id: Uuid,
    /// Name or address of the replica.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The role.
    pub username: String,
    /// Its password, sealed.
    pub secret: String,
    /// Which of its passwords that is.
    pub secret_version: u32,
    /// Whether the session is encrypted.
    pub sslmode: SslMode,
    /// Whether a server may be asked that is no replica.
    pub allow_primary: bool,
    /// Above it, data checks say nothing.
    pub lag_limit_seconds: u32,
    /// What may be asked in an hour.
    pub budget: Budget,
    /// Grows with every change.
    pub version: i64,
    /// Whether it is asked at all.
    pub enabled: bool,
}

impl Access {
    /// What may be asked in an hour.
    pub fn hourly(&self) -> ledger::Budget {
        ledger::Budget {
            statements: self.budget.statements.into(),
            milliseconds: self.budget.milliseconds.into(),
            buffers: self.budget.buffers,
        }
    }
}

/// What came of bringing a run home.
#[derive(Deserialize)]
pub struct Recorded {
    /// The alerts were moved by somebody else meanwhile; nothing was written.
    #[serde(default)]
    pub conflict: bool,
    /// How many messages were posted.
    #[serde(default)]
    pub posted: u32,
    /// How many changes of alerts there are to show.
    #[serde(default)]
    pub emitted: u32,
}

/// What the object of a connection opens it with.
pub const ACCESS: Statement<Value, Access> = Statement::new("select app.monitor_access($1)");

/// What it goes by; none when the connection is gone.
pub const PLAN: Statement<Value, Option<Plan>> =
    Statement::new("select app.monitor_plan($1)").nullable();

/// Results of some checks in a time, oldest first: `{"wants": [{check, revision, since, until}]}`.
pub const HISTORY: Statement<Value, BTreeMap<Uuid, Vec<Point>>> = Statement::new(
    "select coalesce(jsonb_object_agg(x.check_id, x.points), '{}')
       from (select r.check_id, jsonb_agg(jsonb_build_object('at', app.utc(r.at), 'value', r.value,
                      'alerted', r.alerted, 'mark', r.mark) order by r.at) as points
               from jsonb_to_recordset($1->'wants')
                      as w (\"check\" uuid, revision int, since timestamptz, until timestamptz)
               join monitor_results r on r.check_id = w.\"check\" and r.revision = w.revision
                and r.at >= w.since and r.at <= w.until
              where r.value is not null and r.outcome in ('pass', 'warn', 'fail', 'learning')
              group by r.check_id) x",
);

/// Keeps what was filled in of a check; none when the connection is gone.
pub const FILLED: Statement<Value, Option<Value>> =
    Statement::new("select app.take_monitor_backfill($1)").nullable();

/// Adds what was asked by hand to what the connection cost; none when it is gone.
pub const SPENT: Statement<Value, Option<Value>> =
    Statement::new("select app.note_monitor_work($1)").nullable();

/// Connections whose objects are late.
pub const DUE: Function<Value, Vec<Late>> =
    Function::new("select app.monitor_due($1::text::jsonb)::text");

/// Brings a run home, once; none when the connection is gone.
pub const TAKE: Statement<Value, Option<Recorded>> =
    Statement::new("select app.take_monitor_run($1)").nullable();
