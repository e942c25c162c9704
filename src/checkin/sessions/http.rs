//! Routes of scanner sessions: decode, call, render.
//!
//! Invariant: a device token appears only in the answer to what made it: a creation, a pairing, a
//! roll.
//! Failure: see the problems of the API document.

use rules::checkin::device::StatusIn;
use rules::roles::{Resource, Verb};
use serde_json::Value;

use super::wire::{
    PairIn, Paired, PairingLink, ScannerSession, SessionIn, SessionPatch, Sessions, SessionsQuery,
};
use crate::platform::http::{Access, Answer, Call, Route, created, json as ok, no_content, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_create, create => Access::May(Verb::Create, Resource::ScannerSession);
        __path_list, list => Access::May(Verb::Read, Resource::ScannerSession);
        __path_patch, patch => Access::May(Verb::Write, Resource::ScannerSession);
        __path_start_pairing, start_pairing => Access::May(Verb::Create, Resource::ScannerSession);
        __path_pair, pair => Access::Public;
        __path_roll, roll => Access::May(Verb::Write, Resource::DeviceToken);
        __path_revoke, revoke => Access::May(Verb::Write, Resource::ScannerSession);
        __path_report, report => Access::May(Verb::Write, Resource::DeviceStatus);
    ]
}

/// Creates a scanner session and its device token.
#[utoipa::path(post, path = "/pulse/sessions", operation_id = "create_session",
    request_body = SessionIn, responses((status = 201, body = ScannerSession)))]
async fn create(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<SessionIn>().await?;
    created(&super::create(call.ctx, &scope, input).await?)
}

/// Lists scanner sessions.
#[utoipa::path(get, path = "/pulse/sessions", operation_id = "list_sessions",
    params(SessionsQuery), responses((status = 200, body = Sessions)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    ok(&super::list(call.ctx, &scope, &call.query()?).await?)
}

/// Changes, closes or opens a scanner session.
#[utoipa::path(patch, path = "/pulse/sessions/{id}", operation_id = "update_session",
    params(("id" = Uuid, Path)), request_body = SessionPatch,
    responses((status = 200, body = ScannerSession)))]
async fn patch(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<SessionPatch>().await?;
    let (id, if_match) = (call.id("id")?, call.if_match()?);
    let session = super::patch(call.ctx, &scope, id, if_match, input).await?;
    let version = session
        .get("version")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    Ok(ok(&session)?.version(version))
}

/// Makes a pairing token for the session, with its QR code. It works once, within ten minutes, and
/// ends the one before.
#[utoipa::path(post, path = "/pulse/sessions/{id}/pairing", operation_id = "start_pairing",
    params(("id" = Uuid, Path)), responses((status = 201, body = PairingLink)))]
async fn start_pairing(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    created(&super::start(call.ctx, &scope, call.id("id")?, call.origin()).await?)
}

/// Exchanges a pairing token for a device token; the device paired before is shut out.
///
/// 404 `pairing_unknown`, 409 `pairing_used`, 410 `pairing_expired` or `session_closed`. After 50
/// failures from one source within 15 minutes: 429.
#[utoipa::path(post, path = "/pulse/sessions/pair", operation_id = "pair",
    request_body = PairIn, responses((status = 201, body = Paired)))]
async fn pair(call: Call<'_>) -> Answer {
    created(&super::exchange(call.ctx, call.body().await?, &call.source()).await?)
}

/// A newer device token, asked for by the device itself or by staff. The one before is refused at
/// once with 401 `device_rolled`, and its sockets close with 3500.
#[utoipa::path(post, path = "/pulse/sessions/{id}/roll", operation_id = "roll_session",
    params(("id" = Uuid, Path)), responses((status = 200, body = ScannerSession)))]
async fn roll(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    ok(&super::roll(call.ctx, &scope, call.id("id")?).await?)
}

/// Shuts the session's device out for good, at once: its sockets close with 3500, and its next call
/// is 401 `device_revoked` with `"wipe": true`, on which it forgets its guest list and its token.
/// When the session is opened again, a device has to be paired anew.
#[utoipa::path(post, path = "/pulse/sessions/{id}/revoke", operation_id = "revoke_session",
    params(("id" = Uuid, Path)), responses((status = 200, body = ScannerSession)))]
async fn revoke(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    ok(&super::revoke(call.ctx, &scope, call.id("id")?).await?)
}

/// What a device says of itself; replaces what it said before. The same goes over its socket:
/// `{"id":7,"status":{…}}`.
#[utoipa::path(post, path = "/pulse/sessions/{id}/status", operation_id = "report_status",
    params(("id" = Uuid, Path)), request_body = StatusIn, responses((status = 204)))]
async fn report(call: Call<'_>) -> Answer {
    let (scope, body) = (call.scope().await?, call.text().await?);
    super::report(call.ctx, &scope, call.id("id")?, &body).await?;
    no_content()
}
