//! Guest scanners: people without an account who scan with the table's guest key.
//!
//! Invariant: the key is shown to managers only. A new key shuts everyone out who holds the old one.
//! Failure: a table that takes no scans from guests has no link: 409.

pub mod http;
mod store;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::changed;
use crate::platform::crypto;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::scope::Scope;

/// How a guest's phone opens the scanner page.
#[derive(Serialize, ToSchema)]
pub struct GuestLink {
    /// Where this deployment is reached.
    pub url: String,
    /// Opens the scanner page with the table's guest key.
    pub link: String,
    /// A QR code, as SVG, that says the link.
    pub svg: String,
}

/// A table's guest key as the store answers it.
#[derive(Deserialize)]
pub struct Key {
    guest_key: String,
    enabled: bool,
    guest_scanning: bool,
}

/// The link for guests. `origin` is where this deployment is reached.
pub async fn link(ctx: &Ctx, scope: &Scope, table: Uuid, origin: &str) -> Result<GuestLink> {
    let which = json!({"table_id": table});
    let key = ctx.pg.call(scope, &store::KEY, &which).await?;
    if !key.enabled {
        return Err(Error::conflict(
            "pulse_disabled",
            "Check-in is disabled on this table.",
        ));
    }
    if !key.guest_scanning {
        return Err(Error::conflict(
            "guest_scanning_off",
            "This table takes no scans from guests; its setting guest_scanning is off.",
        ));
    }
    link_of(&key, table, origin)
}

/// A new guest key, and the link with it. Who holds the old one is shut out at once.
pub async fn roll(ctx: &Ctx, scope: &Scope, table: Uuid, origin: &str) -> Result<GuestLink> {
    let new = json!({"table_id": table, "guest_key": crypto::secret()});
    let done = ctx.pg.call_full(scope, &store::ROLL, &new).await?;
    changed(ctx, done.tenant, table, done.result.live.as_ref()).await;
    link_of(&done.result.it, table, origin)
}

fn link_of(key: &Key, table: Uuid, origin: &str) -> Result<GuestLink> {
    // Behind the #, so that no server on the way and no log sees the key.
    let link = format!(
        "{origin}/pulse-scanner#guest={}&table={table}",
        key.guest_key
    );
    let svg = rules::qr::svg(&link).ok_or_else(|| Error::internal("no QR code holds the link"))?;
    Ok(GuestLink {
        url: origin.to_owned(),
        link,
        svg,
    })
}
