//! Guest lists: a name and the time zone of the event.
//!
//! Invariant: a list belongs to one tenant; its zone is one of the IANA database, because daily
//! limits are reset at its midnight. A list that is scanned cannot be deleted.
//! Failure: a change that reached Postgres but not the live object is picked up by the minute sweep.

pub mod http;
mod store;
mod wire;

use rules::civil::Zone;
use rules::invalid::Invalid;
use rules::page::{self, Page};
use uuid::Uuid;

use super::changed;
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::pg::Called;
use crate::platform::scope::Scope;
use store::{Change, Filter, NewTable, Target};
pub use wire::Table;
use wire::{TableIn, TablePatch, TablesQuery};

/// The longest name of a list, in characters.
pub const NAME_MAX: usize = 120;

/// Makes a list.
pub async fn create(ctx: &Ctx, scope: &Scope, input: TableIn) -> Result<Called<Table>> {
    let mut invalid = Invalid::default();
    let name = invalid.take(rules::name::parse("/name", &input.name, NAME_MAX));
    let zone = invalid.take(
        input
            .timezone
            .as_deref()
            .map_or(Ok(Zone::utc()), Zone::parse),
    );
    let (Some(name), Some(zone)) = (name, zone) else {
        return Err(invalid.into());
    };
    let new = NewTable {
        id: ctx.new_id(),
        name,
        timezone: zone.name().to_owned(),
    };
    ctx.pg.call_full(scope, &store::INSERT, &new).await
}

/// The tenant's lists, newest first.
pub async fn list(ctx: &Ctx, scope: &Scope, query: &TablesQuery) -> Result<Page<Table>> {
    let limit = page::limit(query.limit.as_deref())?;
    let before = page::decode(query.cursor.as_deref())?;
    let found = ctx
        .pg
        .call(
            scope,
            &store::LIST,
            &Filter {
                before,
                limit: limit + 1,
            },
        )
        .await?;
    Ok(page::cut(found, limit, |table| table.id))
}

/// One list.
pub async fn get(ctx: &Ctx, scope: &Scope, id: Uuid) -> Result<Table> {
    ctx.pg
        .call(scope, &store::GET, &Target { id, if_match: None })
        .await
}

/// Renames a list, or moves it to another time zone.
pub async fn patch(
    ctx: &Ctx,
    scope: &Scope,
    id: Uuid,
    if_match: Option<i64>,
    input: TablePatch,
) -> Result<Called<Table>> {
    let mut invalid = Invalid::default();
    let name = input
        .name
        .as_deref()
        .map(|name| rules::name::parse("/name", name, NAME_MAX));
    let name = invalid.take(name.transpose());
    let zone = invalid.take(input.timezone.as_deref().map(Zone::parse).transpose());
    let (Some(name), Some(zone)) = (name, zone) else {
        return Err(invalid.into());
    };
    let timezone = zone.map(|zone| zone.name().to_owned());
    let change = Change {
        target: Target { id, if_match },
        name,
        timezone,
    };
    let done = ctx.pg.call_full(scope, &store::PATCH, &change).await?;
    changed(ctx, done.tenant, id, done.result.live.as_ref()).await;
    done.try_map(|done| Ok(done.it))
}

/// Deletes a list; its guests and their history are kept, but no call shows them any more.
pub async fn delete(ctx: &Ctx, scope: &Scope, id: Uuid, if_match: Option<i64>) -> Result<()> {
    ctx.pg
        .call(scope, &store::DELETE, &Target { id, if_match })
        .await
        .map(drop)
}
