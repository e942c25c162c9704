//! Trouble that a primary makes for readers of its standby: locks that reach it, rows cleaned up under
//! their eyes; and what an operator of the standby does to them.
//!
//! Invariant: a lock is held until it is released or dropped.
//! Failure: a lock that does not come within its time panics.

use super::{Customer, PATIENCE};
use crate::database::Database;
use crate::stack::within;
use std::time::Duration;
use tokio_postgres::types::Type;

/// A lock on a table of the primary.
#[derive(Debug)]
pub struct Lock<'a> {
    customer: &'a Customer<'a>,
    holder: Database,
}

impl Customer<'_> {
    /// Locks a table on the primary, in a mode such as "share". Only "access exclusive" reaches the
    /// standby, sooner or later: see [`Customer::lock_standby`].
    pub async fn lock(&self, table: &str, mode: &str) -> Lock<'_> {
        let holder = self.primary().await;
        holder
            .run(&format!("begin; lock table {table} in {mode} mode"))
            .await;
        Lock {
            customer: self,
            holder,
        }
    }

    /// Locks a table on the primary in "access exclusive" mode, and waits until replay holds the lock
    /// on the standby, or waits there for readers.
    pub async fn lock_standby(&self, table: &str) -> Lock<'_> {
        let lock = self.lock(table, "access exclusive").await;
        self.cluster.flushed().await;
        within(PATIENCE, "a lock that reaches the standby", || async {
            self.locked(table).await.is_some().then_some(())
        })
        .await;
        lock
    }

    /// Whether replay holds "access exclusive" on a table of the standby (true) or waits for it
    /// (false); nothing when it does neither.
    pub async fn locked(&self, table: &str) -> Option<bool> {
        let sql = "select to_jsonb(bool_and(granted)) from pg_locks
                    where relation = to_regclass($1)::oid and mode = 'AccessExclusiveLock'
                      and database = (select oid from pg_database where datname = current_database())";
        let standby = self.standby().await;
        let held = standby.json(sql, &[(&table, Type::TEXT)]).await;
        held.as_bool()
    }

    /// Deletes the first rows of a table with a numeric `id` and cleans them up: on the standby a
    /// statement that began before is in the way of replay, if it may still look at them.
    pub async fn clean_up(&self, table: &str, rows: u32) {
        let primary = self.primary().await;
        primary
            .run(&format!(
                "delete from {table}
                  where id in (select id from {table} order by id limit {rows})"
            ))
            .await;
        // Without the lock that cutting the file's end takes: that is another conflict.
        primary.run(&format!("vacuum (truncate off) {table}")).await;
        self.cluster.flushed().await;
    }

    /// Cleans up again and again until `work` is done, and answers what came of it: whatever looks at the
    /// table meanwhile is in the way of replay.
    pub async fn while_cleaning<T>(&self, table: &str, work: impl Future<Output = T>) -> T {
        let clean = async {
            loop {
                self.clean_up(table, 5).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            done = work => done,
            () = clean => unreachable!("it goes on for ever"),
        }
    }

    /// Cancels what an application or a role is doing on the standby, as an operator does; says how
    /// many sessions that were.
    pub async fn cancel(&self, who: &str) -> u64 {
        self.each_session("pg_cancel_backend", who).await
    }

    /// Ends the sessions of an application or a role on the standby, as an operator does.
    pub async fn terminate(&self, who: &str) -> u64 {
        self.each_session("pg_terminate_backend", who).await
    }

    async fn each_session(&self, function: &str, who: &str) -> u64 {
        let sql = format!(
            "select to_jsonb(count({function}(pid))) from pg_stat_activity
              where (application_name = $1 or usename = $1) and datname = current_database()"
        );
        let standby = self.standby().await;
        let told = standby.json(&sql, &[(&who, Type::TEXT)]).await;
        told.as_u64().expect("a number")
    }

    /// Locks a table for a moment as a change of its columns does: on the standby a transaction that
    /// reads it is in the way of replay.
    pub async fn lock_briefly(&self, table: &str) {
        self.run(&format!(
            "begin; lock table {table} in access exclusive mode; commit"
        ))
        .await;
        self.cluster.flushed().await;
    }
}

impl Lock<'_> {
    /// Lets go; the standby follows with what it replays.
    pub async fn release(self) {
        self.holder.run("rollback").await;
        self.customer.cluster.flushed().await;
    }
}
