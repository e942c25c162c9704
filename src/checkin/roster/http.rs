//! The route of the guest list for scanners.
//!
//! Invariant: the `ETag` is the position of the list.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::wire::{Roster, RosterQuery};
use crate::checkin::live::UNCHANGED;
use crate::platform::http::{Access, Answer, Body, Call, Reply, Route, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![__path_get, get => Access::May(Verb::Read, Resource::LiveRoster);]
}

/// The guest list as a scanner takes it with it: in pages, or what changed since a position.
#[utoipa::path(get, path = "/pulse/{table_id}/roster", operation_id = "get_roster",
    params(("table_id" = Uuid, Path), RosterQuery),
    responses((status = 200, body = Roster), (status = 304, description = "Nothing changed.")))]
async fn get(call: Call<'_>) -> Answer {
    let (scope, query) = (call.scope().await?, call.query::<RosterQuery>()?);
    let known = call.head.if_none_match.trim_matches('"');
    let known = (!known.is_empty()).then_some(known);
    let answer = super::get(call.ctx, &scope, call.id("table_id")?, &query, known).await?;
    let (position, body) = answer.body.split_once('\n').unwrap_or_default();
    let etag = format!("\"{position}\"");
    let reply = match answer.status {
        UNCHANGED => Reply::new(UNCHANGED, Body::Empty),
        status => Reply::new(status, Body::Json(body.to_owned())),
    };
    Ok(reply.header("etag", etag))
}
