//! Routes of scanner sessions: decode, call, render.
//!
//! Invariant: the device token appears in the answer to the creation only.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};
use serde_json::Value;

use super::wire::{ScannerSession, SessionIn, SessionPatch, Sessions, SessionsQuery};
use crate::platform::http::{Access, Answer, Call, Route, created, json as ok, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_create, create => Access::May(Verb::Create, Resource::ScannerSession);
        __path_list, list => Access::May(Verb::Read, Resource::ScannerSession);
        __path_patch, patch => Access::May(Verb::Write, Resource::ScannerSession);
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
