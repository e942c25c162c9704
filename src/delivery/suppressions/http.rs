//! Routes of suppressions: decode, call, render.
//!
//! Invariant: nothing is decided here.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::wire::{Suppression, SuppressionIn, Suppressions, SuppressionsQuery};
use crate::platform::http::{Access, Answer, Call, Route, created, json, no_content, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_create, create => Access::May(Verb::Create, Resource::Suppression);
        __path_list, list => Access::May(Verb::Read, Resource::Suppression);
        __path_delete, delete => Access::May(Verb::Delete, Resource::Suppression);
    ]
}

/// Sends nothing to an address any more. One that is suppressed already stays as it is.
#[utoipa::path(post, path = "/api/suppressions", operation_id = "create_suppression",
    request_body = SuppressionIn, responses((status = 201, body = Suppression)))]
async fn create(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<SuppressionIn>().await?;
    let done = super::create(call.ctx, &scope, &input).await?;
    Ok(created(&done.result)?.replayed(done.replayed))
}

/// Lists whom nothing is sent to: bounced, complained, unsubscribed, or suppressed by hand.
#[utoipa::path(get, path = "/api/suppressions", operation_id = "list_suppressions",
    params(SuppressionsQuery), responses((status = 200, body = Suppressions)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope, &call.query()?).await?)
}

/// Lets messages go to an address again: what was suppressed stays unsent, what is posted from now
/// on is sent.
#[utoipa::path(delete, path = "/api/suppressions/{id}", operation_id = "delete_suppression",
    params(("id" = Uuid, Path)), responses((status = 204)))]
async fn delete(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    super::delete(call.ctx, &scope, call.id("id")?).await?;
    no_content()
}
