//! The guests of a file on their way to the database, batch by batch.
//!
//! Invariant: a batch has 2,000 guests and about a megabyte at most; ids of guests sort as their
//! lines do.
//! Failure: a batch that is not taken ends the import.

use rules::guest_row::NewGuest;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::store::{self, Batch, ImportOf, Staged};
use crate::platform::ctx::{Ctx, random};
use crate::platform::error::Result;
use crate::platform::scope::Scope;

/// Most guests of a batch.
const ROWS: usize = 2_000;
/// A batch of more bytes goes at once.
const BYTES: usize = 1 << 20;

/// One import's guests.
pub struct Staging<'a> {
    ctx: &'a Ctx,
    scope: &'a Scope,
    millis: u64,
    /// The import.
    pub id: Uuid,
    table: Uuid,
    rows: Vec<Box<RawValue>>,
    bytes: usize,
    /// Guests added so far.
    pub staged: u32,
    sent: bool,
}

impl<'a> Staging<'a> {
    /// Nothing yet. `scope` carries no idempotency key: staging is no answer to keep.
    pub fn new(ctx: &'a Ctx, scope: &'a Scope, table: Uuid) -> Self {
        let (id, millis) = (ctx.new_id(), ctx.now.timestamp_millis());
        let millis = u64::try_from(millis).unwrap_or_default();
        Self {
            ctx,
            scope,
            millis,
            id,
            table,
            rows: Vec::new(),
            bytes: 0,
            staged: 0,
            sent: false,
        }
    }

    /// Adds a guest.
    pub async fn add(&mut self, line: u32, guest: &NewGuest) -> Result<()> {
        let id = rules::id::in_order(self.millis, self.staged, random::<10>());
        let row = to_raw_value(&Staged { id, line, guest })?;
        self.staged += 1;
        self.bytes += row.get().len();
        self.rows.push(row);
        match self.rows.len() >= ROWS || self.bytes >= BYTES {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    /// Sends what has gathered.
    pub async fn flush(&mut self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.sent = true;
        self.bytes = 0;
        let rows = std::mem::take(&mut self.rows);
        let batch = Batch {
            import_id: self.id,
            table_id: self.table,
            rows,
        };
        self.ctx
            .pg
            .call(self.scope, &store::STAGE, &batch)
            .await
            .map(drop)
    }

    /// Takes back what was sent, if that can be; otherwise it is swept later.
    pub async fn forget(&self) {
        if self.sent {
            let import = ImportOf { import_id: self.id };
            let _ = self.ctx.pg.call(self.scope, &store::DROP, &import).await;
        }
    }
}
