//! Routes of guest scanners: decode, call, render.
//!
//! Invariant: see the module.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::GuestLink;
use crate::platform::http::{Access, Answer, Call, Route, json, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_get_link, get_link => Access::May(Verb::Read, Resource::GuestKey);
        __path_roll_key, roll_key => Access::May(Verb::Write, Resource::GuestKey);
    ]
}

/// The link and QR code with which guests scan without an account.
///
/// Their credential is `guest_<key>`, or `guest_<key>.<device>` with a UUID that the device keeps:
/// retries and limits are then its own.
#[utoipa::path(post, path = "/pulse/{table_id}/guest-link", operation_id = "get_guest_link",
    params(("table_id" = Uuid, Path)), responses((status = 200, body = GuestLink)))]
async fn get_link(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    json(&super::link(call.ctx, &scope, call.id("table_id")?, call.origin()).await?)
}

/// Replaces the guest key: whoever holds the old one is refused at once, and its sockets close.
#[utoipa::path(post, path = "/pulse/{table_id}/guest-key", operation_id = "roll_guest_key",
    params(("table_id" = Uuid, Path)), responses((status = 200, body = GuestLink)))]
async fn roll_key(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    json(&super::roll(call.ctx, &scope, call.id("table_id")?, call.origin()).await?)
}
