//! Routes of the outbox: decode, call, render.
//!
//! Invariant: nothing is decided here.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::wire::{KeptDetail, Outbox, OutboxQuery};
use crate::platform::http::{Access, Answer, Call, Route, json, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_list, list => Access::May(Verb::Read, Resource::Message);
        __path_get, get => Access::May(Verb::Read, Resource::Message);
    ]
}

/// Lists e-mail that is kept here instead of being sent; of the last 90 days.
#[utoipa::path(get, path = "/api/outbox", operation_id = "list_outbox",
    params(OutboxQuery), responses((status = 200, body = Outbox)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope, &call.query()?).await?)
}

/// One message of the outbox with its bodies and files, as its recipient would have got it.
#[utoipa::path(get, path = "/api/outbox/{id}", operation_id = "get_outbox_message",
    params(("id" = Uuid, Path)), responses((status = 200, body = KeptDetail)))]
async fn get(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::get(call.ctx, &scope, call.id("id")?).await?)
}
