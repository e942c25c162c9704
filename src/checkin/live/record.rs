//! Between the object and Postgres: the outbox that keeps the record, and what is read back.
//!
//! Invariant: entries go to Postgres in order and are marked as flushed only after it has them, so
//! a lost answer means they are sent again and change nothing.
//! Failure: with Postgres away the backlog waits in storage and is tried again every second.

use chrono::{DateTime, Utc};
use rules::checkin::dashboard::Record;
use rules::checkin::entry::Entry;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::exits::Exits;
use super::storage::{Kept, Storage};
use super::store::{self, Flush, Flushed, PullLog, PullTable, TableOf};
use super::table::{Position, Table};
use super::{roster, tickets};
use crate::delivery;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::log::{self, Level};
use crate::platform::scope::Scope;

/// Entries per statement.
const BATCH: u32 = 500;
/// Guests or log entries read per statement.
const PAGE: u32 = 2_000;
/// After how many entries the fold is kept again.
const SNAPSHOT_EVERY: u64 = 10_000;

/// Brings the record up to date. Afterwards nothing waits that was there when it began.
pub async fn flush(ctx: &Ctx, table: &Table) -> Result<()> {
    let _one_at_a_time = table.flushing.lock().await;
    let scope = scope_of(table);
    let table_id = table.identity.borrow().table_id;
    let end = table.seq();
    while table.flushed.get() < end {
        let lines = table.storage.log_after(table.flushed.get(), BATCH)?;
        if lines.is_empty() {
            return Err(Error::internal("the log ends before its last entry"));
        }
        // The lines are JSON objects without raw newlines, so they make a list as they are.
        let entries = RawValue::from_string(format!("[{}]", lines.trim_end().replace('\n', ",")))?;
        let batch = Flush {
            table_id,
            entries,
            head: table.seq(),
        };
        let flushed = ctx.pg.call(&scope, &store::FLUSH, &batch).await?;
        report(table_id, &flushed);
        if flushed.announced > 0 {
            let tenant = table.identity.borrow().tenant_id;
            delivery::announce(ctx, tenant).await;
        }
        if flushed.last_seq <= table.flushed.get() {
            return Err(Error::internal("postgres took no entry"));
        }
        mark(table, flushed.last_seq.min(table.seq()))?;
    }
    if table.seq() >= table.snapshot.get() + SNAPSHOT_EVERY {
        let state = table.state.borrow();
        table
            .storage
            .keep_snapshot(state.ledger.last_seq(), &state.ledger)?;
        table.snapshot.set(state.ledger.last_seq());
    }
    Ok(())
}

/// An entry that does not become a record never holds up the ones behind it, but somebody must look.
fn report(table: Uuid, flushed: &Flushed) {
    if flushed.failed.is_empty() && flushed.conflicts.is_empty() {
        return;
    }
    log::write(
        Level::Error,
        "flush",
        &[
            ("table.id", table.to_string().into()),
            ("failed", flushed.failed.clone().into()),
            ("conflicts", flushed.conflicts.clone().into()),
        ],
    );
}

fn mark(table: &Table, seq: u64) -> Result<()> {
    table.flushed.set(seq);
    table.storage.put("flushed_seq", &seq.to_string())?;
    table.unflushed_since.set(match seq < table.seq() {
        true => Some(table.entry(seq + 1)?.received_at),
        false => None,
    });
    Ok(())
}

/// Takes over what changed in Postgres: guests, settings, scanner sessions. Goes on until nothing is
/// new, which also tells Postgres how far this object is.
pub async fn pull(ctx: &Ctx, table: &Table, now: DateTime<Utc>) -> Result<()> {
    let scope = scope_of(table);
    loop {
        let known = table.identity.borrow().config_seq;
        let ask = ask_of(table, known);
        let pulled = ctx.pg.call(&scope, &store::PULL_TABLE, &ask).await?;
        let news = !pulled.rows.is_empty()
            || !pulled.devices.is_empty()
            || pulled.tickets.is_some()
            || pulled.config.config_seq != known;
        if pulled.config.config_seq != known {
            table.configure(pulled.config, now)?;
        }
        tickets::take(table, pulled.tickets)?;
        take(table, pulled.rows, pulled.devices)?;
        if !news {
            return Ok(());
        }
    }
}

fn ask_of(table: &Table, config_seq: i64) -> PullTable {
    let position = table.position.borrow();
    PullTable {
        table_id: table.identity.borrow().table_id,
        rows_seq: position.rows_seq,
        row_id: position.row_id,
        devices_seq: position.devices_seq,
        config_seq,
        tickets_seq: position.tickets_seq,
        ticket_serial: position.ticket_serial,
        limit: PAGE,
    }
}

/// Applies one page of changes, in memory and in storage, as one transaction.
fn take(
    table: &Table,
    rows: Vec<store::PulledRow>,
    devices: Vec<store::PulledDevice>,
) -> Result<()> {
    let mut position = table.position.borrow_mut();
    let before = position.clone();
    if let Some(last) = rows.last() {
        position.rows_seq = last.change_seq;
        position.row_id = Some(last.row.id);
    }
    let (left, stay) = (
        rows.iter().filter(|row| row.deleted),
        rows.iter().filter(|row| !row.deleted),
    );
    let changed = roster::changes_of(table, stay.map(|row| &row.row), left.map(|row| row.row.id));
    table.changes.note(&table.storage, &changed)?;
    let mut state = table.state.borrow_mut();
    let (gone, kept): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.deleted);
    let gone: Vec<_> = gone.into_iter().map(|row| row.row).collect();
    let kept: Vec<_> = kept.into_iter().map(|row| row.row).collect();
    if !kept.is_empty() {
        table.storage.upsert(Kept::Roster, &kept)?;
    }
    if !gone.is_empty() {
        table.storage.remove_guests(&gone)?;
    }
    for row in gone {
        // Who is needed again is recalled.
        state.roster.remove(row.id);
    }
    for row in kept {
        state.roster.upsert(row);
    }
    for pulled in devices {
        position.devices_seq = position.devices_seq.max(pulled.change_seq);
        if pulled.removed {
            table.storage.remove_device(pulled.device.id)?;
            table.devices.borrow_mut().remove(&pulled.device.id);
            continue;
        }
        // What a scanner says of itself it says at its own table.
        let home = pulled.device.table_id;
        if home.is_none_or(|home| home == table.identity.borrow().table_id) {
            table.heard.restore(&table.storage, &pulled)?;
        }
        table
            .storage
            .upsert(Kept::Devices, std::slice::from_ref(&pulled.device))?;
        table
            .devices
            .borrow_mut()
            .insert(pulled.device.id, pulled.device);
    }
    let moved = *position != before;
    drop(position);
    if moved { table.keep_position() } else { Ok(()) }
}

/// Makes the table from Postgres alone: configuration, log, guests, sessions. Storage is not touched
/// before Postgres says that there is one.
pub async fn rebuild(
    ctx: &Ctx,
    storage: impl FnOnce() -> Result<Storage>,
    tenant: Uuid,
    table_id: Uuid,
) -> Result<Table> {
    let scope = Scope::system(tenant);
    let start = Position::default();
    let first = PullTable {
        table_id,
        rows_seq: start.rows_seq,
        row_id: start.row_id,
        devices_seq: start.devices_seq,
        config_seq: -1,
        tickets_seq: start.tickets_seq,
        ticket_serial: start.ticket_serial,
        limit: PAGE,
    };
    let pulled = ctx.pg.call(&scope, &store::PULL_TABLE, &first).await?;
    let storage = storage()?;
    storage.clear()?;
    let table = Table::fresh(storage, pulled.config);
    loop {
        let ask = PullLog {
            table_id,
            after: table.seq(),
            limit: PAGE,
        };
        let log = ctx.pg.call(&scope, &store::PULL_LOG, &ask).await?;
        table.storage.restore_log(&log.entries)?;
        for entry in &log.entries {
            let entry: Entry = serde_json::from_str(entry.get())?;
            table.state.borrow_mut().ledger.apply(&entry);
        }
        if !log.more {
            break;
        }
    }
    table.flushed.set(table.seq());
    tickets::take(&table, pulled.tickets)?;
    take(&table, pulled.rows, pulled.devices)?;
    let asked = TableOf { table_id };
    let exits_at = ctx
        .pg
        .call(&scope, &store::READ_EXITS, &asked)
        .await?
        .exits_at;
    table.plan_exits(ctx.now)?;
    let planned = table.exits.get().due;
    table.keep_exits(Exits {
        // What was not done before the storage was lost is still to be done.
        due: planned.map(|due| exits_at.unwrap_or(due)),
        done: None,
        told: exits_at,
    })?;
    pull(ctx, &table, ctx.now).await?;
    table.keep()?;
    Ok(table)
}

fn scope_of(table: &Table) -> Scope {
    Scope::system(table.identity.borrow().tenant_id)
}

/// How far the record is behind now.
pub fn state_of(table: &Table) -> Record {
    let (seq, flushed_seq) = (table.seq(), table.flushed.get());
    Record {
        seq,
        flushed_seq,
        behind: seq.saturating_sub(flushed_seq),
        oldest_unflushed_at: table.unflushed_since.get(),
    }
}
