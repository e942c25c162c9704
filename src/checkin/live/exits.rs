//! Everybody leaves at the time of day that the settings name.
//!
//! Invariant: who was inside at that moment is checked out as of it, once, however late the object
//! wakes and however often it begins; scans are taken between batches. Who is reported later to
//! have been inside then is checked out with the report.
//! Failure: what is not done when the object dies is done when it wakes: by its alarm, or by the
//! minute tick, which looks for moments that have passed and were not done.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rules::checkin::entry::Entry;
use rules::checkin::exit_all;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::store::{self, NotedExits};
use super::table::Table;
use super::{CheckinTable, GATHER};
use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::scope::Scope;

/// Guests who are let out before scans are taken again.
const BATCH: usize = 100;
/// A moment for scans.
const PAUSE: Duration = Duration::from_millis(1);

/// When everybody leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Exits {
    /// The next time.
    #[serde(with = "rules::time::ms_option")]
    pub due: Option<DateTime<Utc>>,
    /// The last time that is done.
    #[serde(with = "rules::time::ms_option")]
    pub done: Option<DateTime<Utc>>,
    /// The next time as Postgres knows it.
    #[serde(with = "rules::time::ms_option")]
    pub told: Option<DateTime<Utc>>,
}

impl Table {
    /// Keeps the first time after `after` at which everybody leaves, by the settings.
    pub fn plan_exits(&self, after: DateTime<Utc>) -> Result<()> {
        let due = {
            let identity = self.identity.borrow();
            let at = identity.config.settings.exit_all_at;
            at.filter(|_| identity.enabled)
                .map(|at| exit_all::next_exit_all(&identity.config.timezone, at, after))
        };
        self.keep_exits(Exits {
            due,
            ..self.exits.get()
        })
    }

    /// Keeps when everybody leaves.
    pub fn keep_exits(&self, exits: Exits) -> Result<()> {
        if self.exits.replace(exits) == exits {
            return Ok(());
        }
        self.storage.put("exits", &serde_json::to_string(&exits)?)
    }
}

impl CheckinTable {
    /// Lets everybody out whose time has come.
    pub(super) async fn let_all_out(&self, table: &Table, now: DateTime<Utc>) -> Result<()> {
        let _one_at_a_time = self.leaving.lock().await;
        while let Some(moment) = table.exits.get().due.filter(|due| *due <= now) {
            let rows = exit_all::inside_at(&table.state.borrow(), moment);
            for batch in rows.chunks(BATCH) {
                for row in batch {
                    self.let_out(table, *row, moment)?;
                }
                self.stats_changed();
                worker::Delay::from(PAUSE).await;
            }
            table.keep_exits(Exits {
                done: Some(moment),
                ..table.exits.get()
            })?;
            // Between two batches the settings may have become others.
            if table.exits.get().due == Some(moment) {
                table.plan_exits(moment)?;
            }
        }
        self.look_out(table);
        Ok(())
    }

    /// After an entry of before the last time that everybody was to leave: that guest left too.
    pub(super) fn left_since(&self, table: &Table, entry: &Entry) -> Result<()> {
        let Exits { due, done, .. } = table.exits.get();
        // While they leave, it is due and not done.
        let passed = due.filter(|due| *due <= clock::now()).or(done);
        match (entry.row_id, passed) {
            (Some(row), Some(moment)) if entry.check_in_time <= moment => {
                self.let_out(table, row, moment)
            }
            _ => Ok(()),
        }
    }

    fn let_out(&self, table: &Table, row: Uuid, moment: DateTime<Utc>) -> Result<()> {
        let exit = exit_all::exit(&table.state.borrow(), row, moment, clock::now());
        let Some(exit) = exit else { return Ok(()) };
        if table.append(&exit)? {
            return self.recorded(table, &exit);
        }
        match table.storage.by_nonce(&exit.nonce_key)? {
            Some(_) => Ok(()),
            None => self.succeeded().map(drop),
        }
    }

    /// Sets the alarm for the next time, and to tell Postgres of it.
    pub(super) fn look_out(&self, table: &Table) {
        let Exits { due, told, .. } = table.exits.get();
        if let Some(due) = due {
            self.arm(due);
        }
        if due != told {
            self.arm(clock::now() + GATHER);
        }
    }

    /// Tells Postgres when everybody leaves next, if it does not know, so that the minute tick can
    /// look after it.
    pub(super) async fn note_exits(&self, ctx: &Ctx, table: &Table) -> Result<()> {
        let Exits { due, told, .. } = table.exits.get();
        match due == told {
            true => Ok(()),
            false => self.tell_exits(ctx, table).await,
        }
    }

    /// The same, whatever it knows.
    pub(super) async fn tell_exits(&self, ctx: &Ctx, table: &Table) -> Result<()> {
        let due = table.exits.get().due;
        let (tenant, table_id) = {
            let identity = table.identity.borrow();
            (identity.tenant_id, identity.table_id)
        };
        let noted = NotedExits {
            table_id,
            exits_at: due,
        };
        let scope = Scope::system(tenant);
        ctx.pg.call(&scope, &store::NOTE_EXITS, &noted).await?;
        table.keep_exits(Exits {
            told: due,
            ..table.exits.get()
        })
    }
}
