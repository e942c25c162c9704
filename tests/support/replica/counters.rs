//! What the servers count: how far the standby is, what statements cost, what was written, whom
//! replay cancelled.
//!
//! Invariant: figures are the servers' own statistics, read by a superuser. What a session wrote is
//! counted when it ends, or a second after its last transaction at the latest.
//! Failure: a view that answers something else panics with it.

use super::{Cluster, Customer, PATIENCE, Server};
use crate::stack::within;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashMap;
use tokio_postgres::types::Type;

/// How far the standby is, as it sees itself.
#[derive(Clone, Debug, Deserialize)]
pub struct Position {
    /// Whether it is a standby.
    pub in_recovery: bool,
    /// Bytes received and not replayed.
    pub unreplayed_bytes: Option<i64>,
    /// What the receiver is doing; nothing without one.
    pub status: Option<String>,
    /// Seconds since the last message of the primary.
    pub message_age: Option<f64>,
    /// Seconds since the end of the last transaction that was replayed, on the primary's clock.
    pub replay_age: Option<f64>,
    /// Whether replay is asked to pause.
    pub paused: bool,
}

const POSITION: &str = "
    select jsonb_build_object(
      'in_recovery', pg_is_in_recovery(),
      'unreplayed_bytes', pg_last_wal_receive_lsn() - pg_last_wal_replay_lsn(),
      'status', (select status from pg_stat_wal_receiver),
      'message_age', (select extract(epoch from clock_timestamp() - last_msg_receipt_time)
                        from pg_stat_wal_receiver),
      'replay_age', extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()),
      'paused', pg_is_in_recovery() and pg_is_wal_replay_paused())";

/// What one kind of statement cost so far, of `pg_stat_statements`: those that ended well.
#[derive(Clone, Debug, Deserialize)]
pub struct Usage {
    /// Its text, with `$1` for constants.
    pub text: String,
    /// How often it ran.
    pub calls: i64,
    /// Rows that it answered.
    pub rows: i64,
    /// Milliseconds, of planning and running.
    pub millis: f64,
    /// Pages that it found in memory or read.
    pub buffers: i64,
    /// Pages that it wrote or dirtied, also of temporary files.
    pub written: i64,
    id: i64,
}

const USAGE: &str = "
    select coalesce(jsonb_agg(jsonb_build_object(
      'id', queryid, 'text', query, 'calls', calls, 'rows', rows,
      'millis', total_plan_time + total_exec_time,
      'buffers', shared_blks_hit + shared_blks_read + local_blks_hit + local_blks_read,
      'written', shared_blks_dirtied + local_blks_dirtied + temp_blks_written)), '[]')
      from pg_stat_statements
      join pg_roles on pg_roles.oid = userid
      join pg_database on pg_database.oid = dbid
     where rolname = $1 and datname = $2";

/// What was written in a database since it was made.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Writes {
    /// Rows inserted, updated and deleted.
    pub rows: i64,
    /// Transactions that were rolled back.
    pub rolled_back: i64,
    /// Bytes of temporary files.
    pub temporary_bytes: i64,
}

const WRITES: &str = "
    select jsonb_build_object('rows', tup_inserted + tup_updated + tup_deleted,
                              'rolled_back', xact_rollback, 'temporary_bytes', temp_bytes)
      from pg_stat_database where datname = $1";

/// Sessions that replay cancelled in a database of the standby.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Conflicts {
    /// For a lock.
    pub lock: i64,
    /// For rows that they still saw.
    pub snapshot: i64,
    /// For pages that they held.
    pub buffer_pin: i64,
    /// For a deadlock with replay.
    pub deadlock: i64,
}

const CONFLICTS: &str = "
    select jsonb_build_object('lock', confl_lock, 'snapshot', confl_snapshot,
                              'buffer_pin', confl_bufferpin, 'deadlock', confl_deadlock)
      from pg_stat_database_conflicts where datname = $1";

impl Cluster {
    /// How far the standby is.
    pub async fn position(&self) -> Position {
        read(self.standby.ask(POSITION).await)
    }

    /// How many transactions the oldest snapshot is old that the primary keeps dead rows for because
    /// the standby says so; nothing without feedback.
    pub async fn pinned(&self) -> Option<i64> {
        let sql = "select to_jsonb(max(age(backend_xmin))) from pg_stat_replication";
        self.primary.ask(sql).await.as_i64()
    }
}

impl Server {
    /// What the statements of a role in a database cost so far, by kind.
    pub async fn usage(&self, role: &str, database: &str) -> Vec<Usage> {
        let session = self.session("postgres").await;
        let names = [(&role as _, Type::TEXT), (&database as _, Type::TEXT)];
        read(session.json(USAGE, &names).await)
    }

    /// What was written in a database.
    pub async fn writes(&self, database: &str) -> Writes {
        self.of_database(WRITES, database).await
    }

    /// Whom replay cancelled in a database.
    pub async fn conflicts(&self, database: &str) -> Conflicts {
        self.of_database(CONFLICTS, database).await
    }

    async fn of_database<T: DeserializeOwned>(&self, sql: &str, database: &str) -> T {
        let session = self.session("postgres").await;
        read(session.json(sql, &[(&database, Type::TEXT)]).await)
    }
}

impl Usage {
    /// What was added to `before`: kinds that did not run meanwhile are left out.
    pub fn since(now: &[Self], before: &[Self]) -> Vec<Self> {
        let before: HashMap<_, _> = before.iter().map(|usage| (usage.id, usage)).collect();
        let added = now.iter().map(|usage| match before.get(&usage.id) {
            None => usage.clone(),
            Some(before) => Self {
                calls: usage.calls - before.calls,
                rows: usage.rows - before.rows,
                millis: usage.millis - before.millis,
                buffers: usage.buffers - before.buffers,
                written: usage.written - before.written,
                ..usage.clone()
            },
        });
        added.filter(|usage| usage.calls > 0).collect()
    }

    /// Those of a kind whose text contains something, in one.
    pub fn containing(all: &[Self], text: &str) -> Option<Self> {
        let mut found = all
            .iter()
            .filter(|usage| usage.text.contains(text))
            .cloned();
        let first = found.next()?;
        Some(found.fold(first, |sum, usage| Self {
            calls: sum.calls + usage.calls,
            rows: sum.rows + usage.rows,
            millis: sum.millis + usage.millis,
            buffers: sum.buffers + usage.buffers,
            written: sum.written + usage.written,
            ..sum
        }))
    }
}

impl Customer<'_> {
    /// Waits until replay has cancelled someone in this database for the first time after `before`.
    pub async fn conflicted(&self, before: Conflicts) -> Conflicts {
        within(PATIENCE, "a recovery conflict", || async {
            let now = self.cluster.standby.conflicts(&self.name).await;
            (now != before).then_some(now)
        })
        .await
    }
}

fn read<T: DeserializeOwned>(answer: Value) -> T {
    let shown = answer.to_string();
    serde_json::from_value(answer).unwrap_or_else(|error| panic!("{error}: {shown}"))
}
