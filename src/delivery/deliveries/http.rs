//! Routes of deliveries: decode, call, render.
//!
//! Invariant: nothing is decided here.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::wire::{Deliveries, DeliveriesQuery, Delivery, DeliveryDetail};
use crate::platform::http::{Access, Answer, Call, Route, json, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_list, list => Access::May(Verb::Read, Resource::Delivery);
        __path_get, get => Access::May(Verb::Read, Resource::Delivery);
        __path_retry, retry => Access::May(Verb::Write, Resource::Delivery);
    ]
}

/// Lists what was sent to a webhook, or is to be sent; of the last 30 days.
#[utoipa::path(get, path = "/api/webhooks/{id}/deliveries", operation_id = "list_deliveries",
    params(("id" = Uuid, Path), DeliveriesQuery), responses((status = 200, body = Deliveries)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope, call.id("id")?, &call.query()?).await?)
}

/// One delivery, with every attempt.
#[utoipa::path(get, path = "/api/deliveries/{id}", operation_id = "get_delivery",
    params(("id" = Uuid, Path)), responses((status = 200, body = DeliveryDetail)))]
async fn get(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::get(call.ctx, &scope, call.id("id")?).await?)
}

/// Sends a delivery again, under the same event id, whatever came of it before.
#[utoipa::path(post, path = "/api/deliveries/{id}/retry", operation_id = "retry_delivery",
    params(("id" = Uuid, Path)), responses((status = 200, body = Delivery)))]
async fn retry(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    let done = super::retry(call.ctx, &scope, call.id("id")?).await?;
    Ok(json(&done.result)?.replayed(done.replayed))
}
