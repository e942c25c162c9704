//! Guests of a list.
//!
//! Invariant: a code that is written by hand belongs to one guest of the list (an import may keep
//! duplicates); a device looks guests of its own list up, with three characters or more, and never
//! lists them.
//! Failure: a change that reached Postgres but not the live object is picked up by the minute sweep.

pub mod http;
mod store;
mod wire;

use rules::guest_row::{self, GuestIn, GuestPatch};
use rules::name;
use rules::page::{self, Page};
use rules::roles::{self, Role};
use uuid::Uuid;

use super::changed;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::pg::{Called, Pg};
use crate::platform::scope::{Credential, Scope};
pub use store::Exported;
use store::{Change, Filter, NewRow, Position, Target};
pub use wire::Row;
use wire::RowsQuery;

/// Which guest: the list and the row.
pub type RowOf = (Uuid, Uuid);

/// Adds a guest to a list.
pub async fn create(ctx: &Ctx, scope: &Scope, table: Uuid, input: GuestIn) -> Result<Called<Row>> {
    let new = NewRow {
        id: ctx.new_id(),
        table_id: table,
        guest: input.parse()?,
    };
    let done = ctx.pg.call_full(scope, &store::INSERT, &new).await?;
    changed(ctx, done.tenant, table, done.result.live.as_ref()).await;
    done.try_map(|done| Ok(done.it))
}

/// Guests of a list, newest first; those that `q` finds, when it is given.
pub async fn list(ctx: &Ctx, scope: &Scope, table: Uuid, query: RowsQuery) -> Result<Page<Row>> {
    let q = query.q.as_deref().map(str::trim).filter(|q| !q.is_empty());
    own_list(scope, table, q.unwrap_or_default())?;
    let limit = page::limit(query.limit.as_deref())?;
    let filter = Filter {
        table_id: table,
        q: q.map(|q| guest_row::parse_code("/q", q)).transpose()?,
        category: name::optional(
            "/category",
            query.category.as_deref(),
            guest_row::MAX_CATEGORY,
        )?,
        status: query
            .status
            .map(|status| guest_row::word(status).to_owned()),
        before: page::decode(query.cursor.as_deref())?,
        limit: limit + 1,
    };
    let found = ctx.pg.call(scope, &store::LIST, &filter).await?;
    Ok(page::cut(found.rows, limit, |row| row.id))
}

/// A device is confined to its own list, and to searching.
fn own_list(scope: &Scope, table: Uuid, q: &str) -> Result<()> {
    match &scope.credential {
        Credential::Device { table: own, .. } if *own != table => Err(Error::not_found()),
        Credential::Device { .. } => roles::search(Role::Device, q).map_err(|refused| {
            Error::forbidden(
                refused.code(),
                "A device finds guests by three characters or more.",
            )
        }),
        _ => Ok(()),
    }
}

/// One guest.
pub async fn get(ctx: &Ctx, scope: &Scope, (table_id, id): RowOf) -> Result<Row> {
    ctx.pg
        .call(
            scope,
            &store::GET,
            &Target {
                id,
                table_id,
                if_match: None,
            },
        )
        .await
}

/// Changes a guest; fields that were not sent stay.
pub async fn patch(
    ctx: &Ctx,
    scope: &Scope,
    (table_id, id): RowOf,
    if_match: Option<i64>,
    input: GuestPatch,
) -> Result<Called<Row>> {
    let change = Change {
        target: Target {
            id,
            table_id,
            if_match,
        },
        patch: input.parse()?,
    };
    let done = ctx.pg.call_full(scope, &store::PATCH, &change).await?;
    changed(ctx, done.tenant, table_id, done.result.live.as_ref()).await;
    done.try_map(|done| Ok(done.it))
}

/// Takes a guest off the list; past check-ins keep their record.
pub async fn delete(
    ctx: &Ctx,
    scope: &Scope,
    (table_id, id): RowOf,
    if_match: Option<i64>,
) -> Result<()> {
    let target = Target {
        id,
        table_id,
        if_match,
    };
    let done = ctx.pg.call_full(scope, &store::DELETE, &target).await?;
    changed(ctx, done.tenant, table_id, done.result.live.as_ref()).await;
    Ok(())
}

/// Rows of one page of an export.
pub const EXPORT_PAGE: u32 = 2_000;

/// The guests of a list in the order they were added, [`EXPORT_PAGE`] at a time, from the one
/// behind `after`.
pub async fn export(
    pg: &Pg,
    scope: &Scope,
    table_id: Uuid,
    after: Option<Uuid>,
) -> Result<Exported> {
    let position = Position {
        table_id,
        after,
        limit: EXPORT_PAGE,
    };
    pg.call(scope, &store::EXPORT, &position).await
}
