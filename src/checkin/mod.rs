//! Check-in: guests scanned at the door, offline too, with a live dashboard.
//!
//! Invariant: while an event runs, its live object is the authority on scans and Postgres the
//! record, at most about a second behind. Guest lists, settings and scanner sessions belong to
//! Postgres; the object follows them.
//! Failure: a change that reached Postgres but not the object is picked up by the minute sweep.

pub mod badges;
pub mod config;
pub mod export;
pub mod guests;
pub mod import;
pub mod live;
pub mod roster;
pub mod rows;
pub mod scans;
pub mod sessions;
pub mod tables;
pub mod tickets;

use std::cell::RefCell;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::http::Module;
use crate::platform::object::{self, Address, Caller, ObjectAnswer};
use crate::platform::pg::Function;
use crate::platform::queue::{self, Job};
use crate::platform::scope::{Credential, Jurisdiction, Scope, Subject};

/// The binding of the live objects.
pub const BINDING: &str = "CHECKIN_TABLE";

/// The routes of check-in.
pub fn routes() -> Vec<Module> {
    let mut lists = tables::http::routes();
    lists.extend(rows::http::routes());
    lists.extend(import::http::routes());
    lists.extend(export::routes());
    lists.extend(tickets::http::routes());
    let mut doors = config::http::routes();
    doors.extend(roster::http::routes());
    doors.extend(scans::http::routes());
    doors.extend(scans::export::routes());
    let mut devices = sessions::http::routes();
    devices.extend(guests::http::routes());
    devices.extend(badges::http::routes());
    vec![
        Module {
            tag: "Guest lists",
            about: "Tables of guests: their rows, import and export, signed tickets.",
            routes: lists,
        },
        Module {
            tag: "Check-in",
            about: "Enabling check-in on a table, scans and the dashboard.",
            routes: doors,
        },
        Module {
            tag: "Devices",
            about: "Scanner sessions and their pairing, guest scanners, badges.",
            routes: devices,
        },
    ]
}

#[derive(Serialize)]
struct PlacementOf {
    table_id: Uuid,
}

/// Where a table's object must live and, for its first call, should.
#[derive(Clone, Deserialize)]
struct Placement {
    jurisdiction: Jurisdiction,
    region: Option<String>,
}

const PLACEMENT: Function<PlacementOf, Option<Placement>> =
    Function::new("select app.placement($1::text::jsonb)::text");

thread_local! {
    // A table never changes its jurisdiction, so what was learned once holds.
    static PLACEMENTS: RefCell<HashMap<Uuid, Placement>> = RefCell::new(HashMap::new());
}

/// Where the live object of a table is. `known` is what the credential says of its jurisdiction,
/// so that the scan path asks nobody.
pub async fn address(ctx: &Ctx, table: Uuid, known: Option<Jurisdiction>) -> Result<Address> {
    let jurisdiction = match known {
        _ if !ctx.config.jurisdictions => Jurisdiction::None,
        Some(known) => known,
        None => placement(ctx, table)
            .await?
            .map_or(Jurisdiction::None, |p| p.jurisdiction),
    };
    Ok(Address {
        binding: BINDING,
        id: table,
        jurisdiction,
        region: None,
    })
}

async fn placement(ctx: &Ctx, table: Uuid) -> Result<Option<Placement>> {
    let known = PLACEMENTS.with_borrow(|known| known.get(&table).cloned());
    if known.is_some() {
        return Ok(known);
    }
    let found = ctx
        .pg
        .function(&PLACEMENT, &PlacementOf { table_id: table })
        .await?;
    if let Some(found) = &found {
        PLACEMENTS.with_borrow_mut(|known| known.insert(table, found.clone()));
    }
    Ok(found)
}

/// Sends a command to a table's live object on behalf of the caller.
pub async fn ask(
    ctx: &Ctx,
    scope: &Scope,
    table: Uuid,
    command: &str,
    input: &str,
) -> Result<ObjectAnswer> {
    // A tenant chosen by header may live elsewhere than the credential's own.
    let known = scope
        .credential
        .jurisdiction()
        .filter(|_| scope.tenant.is_none());
    let address = address(ctx, table, known).await?;
    let caller = Caller {
        credential: scope.credential.clone(),
        tenant: scope.tenant,
        now: ctx.now,
        request_id: ctx.request_id.clone(),
    };
    object::call(ctx, &address, command, &caller, input).await
}

/// Tells a table's live object to look at Postgres again: its guests, settings and sessions.
pub async fn poke(
    ctx: &Ctx,
    tenant: Uuid,
    table: Uuid,
    jurisdiction: Option<Jurisdiction>,
) -> Result<()> {
    pull(ctx, tenant, &address(ctx, table, jurisdiction).await?).await
}

/// Makes a table's live object, in the region its tenant asked for: an object stays where its first
/// call placed it.
pub async fn place(ctx: &Ctx, tenant: Uuid, table: Uuid) -> Result<()> {
    let mut address = address(ctx, table, None).await?;
    address.region = placement(ctx, table)
        .await?
        .and_then(|placement| placement.region);
    pull(ctx, tenant, &address).await
}

/// A table's live object, as Postgres names it.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct LiveTable {
    /// The table.
    pub table_id: Uuid,
    /// Its tenant.
    pub tenant_id: Uuid,
    /// Of the tenant.
    pub jurisdiction: Jurisdiction,
}

/// Tells a live object that somebody's role changed or that their credential ended.
pub async fn standing_changed(ctx: &Ctx, at: &LiveTable, subject: Subject) -> Result<()> {
    let address = address(ctx, at.table_id, Some(at.jurisdiction)).await?;
    let input = serde_json::to_string(&subject)?;
    order(ctx, at.tenant_id, &address, "standing", &input).await
}

/// Tells a table's live object that the time has passed at which everybody was to leave.
pub async fn let_all_out(
    ctx: &Ctx,
    tenant: Uuid,
    table: Uuid,
    jurisdiction: Option<Jurisdiction>,
) -> Result<()> {
    let address = address(ctx, table, jurisdiction).await?;
    order(ctx, tenant, &address, "exits", "").await
}

async fn pull(ctx: &Ctx, tenant: Uuid, address: &Address) -> Result<()> {
    order(ctx, tenant, address, "pull", "").await
}

async fn order(
    ctx: &Ctx,
    tenant: Uuid,
    address: &Address,
    command: &str,
    input: &str,
) -> Result<()> {
    let caller = Caller {
        credential: Credential::System,
        tenant: Some(tenant),
        now: ctx.now,
        request_id: ctx.request_id.clone(),
    };
    object::call(ctx, address, command, &caller, input)
        .await
        .map(drop)
}

/// After a committed change: the live object is told at once, or by a job when it does not answer.
pub async fn changed(ctx: &Ctx, tenant: Uuid, table: Uuid) {
    if poke(ctx, tenant, table, None).await.is_ok() {
        return;
    }
    // What the queue loses too, the minute sweep finds.
    let _ = queue::send(ctx, &Job::RosterChanged { tenant, table }).await;
}
