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
mod places;
pub mod roster;
pub mod rows;
pub mod scans;
pub mod sessions;
mod store;
pub mod tables;
pub mod tickets;

use uuid::Uuid;

use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::http::Module;
use crate::platform::object::{self, Caller, ObjectAnswer};
use crate::platform::queue::{self, Job};
use crate::platform::scope::{Credential, Scope, Subject};
use places::remember;
pub use places::{Followed, Home, LiveTable, address, find};

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

/// Tells a live object to look at Postgres again: its guests, settings and sessions.
pub async fn poke(ctx: &Ctx, at: &LiveTable) -> Result<()> {
    order(ctx, at, "pull", "").await
}

/// Tells a live object that somebody's role changed or that their credential ended.
pub async fn standing_changed(ctx: &Ctx, at: &LiveTable, subject: Subject) -> Result<()> {
    order(ctx, at, "standing", &serde_json::to_string(&subject)?).await
}

/// Tells a live object that the time has passed at which everybody was to leave.
pub async fn let_all_out(ctx: &Ctx, at: &LiveTable) -> Result<()> {
    order(ctx, at, "exits", "").await
}

async fn order(ctx: &Ctx, at: &LiveTable, command: &str, input: &str) -> Result<()> {
    let caller = Caller {
        credential: Credential::System,
        tenant: Some(at.tenant_id),
        now: ctx.now,
        request_id: ctx.request_id.clone(),
    };
    let address = at.home.of(at.table_id);
    object::call(ctx, &address, command, &caller, input)
        .await
        .map(drop)
}

/// After a committed change: the live object, if there is one, is told at once, or by a job when it
/// does not answer.
pub async fn changed(ctx: &Ctx, tenant: Uuid, table: Uuid, live: Option<&Home>) {
    let Some(home) = live else {
        return;
    };
    remember(table, home);
    let at = LiveTable {
        table_id: table,
        tenant_id: tenant,
        home: home.clone(),
    };
    if poke(ctx, &at).await.is_ok() {
        return;
    }
    // What the queue loses too, the minute sweep finds.
    let _ = queue::send(ctx, &Job::RosterChanged { tenant, table }).await;
}
