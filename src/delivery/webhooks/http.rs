//! Routes of webhooks: decode, call, render.
//!
//! Invariant: a secret appears in the answer to a creation or a rotation only.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::wire::{Endpoint, WebhookIn, WebhookPatch, Webhooks, WebhooksQuery};
use crate::delivery::deliveries::Delivery;
use crate::platform::http::{Access, Answer, Call, Route, created, json, no_content, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_create, create => Access::May(Verb::Create, Resource::Webhook);
        __path_list, list => Access::May(Verb::Read, Resource::Webhook);
        __path_get, get => Access::May(Verb::Read, Resource::Webhook);
        __path_patch, patch => Access::May(Verb::Write, Resource::Webhook);
        __path_delete, delete => Access::May(Verb::Delete, Resource::Webhook);
        __path_rotate, rotate => Access::May(Verb::Write, Resource::Webhook);
        __path_test, test => Access::May(Verb::Write, Resource::Webhook);
    ]
}

/// Adds a webhook. The answer holds its signing secret, this once.
#[utoipa::path(post, path = "/api/webhooks", operation_id = "create_webhook",
    request_body = WebhookIn, responses((status = 201, body = Endpoint)))]
async fn create(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<WebhookIn>().await?;
    let done = super::create(call.ctx, &scope, input).await?;
    Ok(created(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Lists webhooks.
#[utoipa::path(get, path = "/api/webhooks", operation_id = "list_webhooks",
    params(WebhooksQuery), responses((status = 200, body = Webhooks)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope, &call.query()?).await?)
}

/// One webhook.
#[utoipa::path(get, path = "/api/webhooks/{id}", operation_id = "get_webhook",
    params(("id" = Uuid, Path)), responses((status = 200, body = Endpoint)))]
async fn get(call: Call<'_>) -> Answer {
    let webhook = super::get(call.ctx, &call.scope().await?, call.id("id")?).await?;
    Ok(json(&webhook)?.version(webhook.version))
}

/// Changes a webhook, switches it off or on.
#[utoipa::path(patch, path = "/api/webhooks/{id}", operation_id = "update_webhook",
    params(("id" = Uuid, Path)), request_body = WebhookPatch,
    responses((status = 200, body = Endpoint)))]
async fn patch(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<WebhookPatch>().await?;
    let (id, if_match) = (call.id("id")?, call.if_match()?);
    let done = super::patch(call.ctx, &scope, id, if_match, input).await?;
    Ok(json(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Removes a webhook, with the record of what was sent to it.
#[utoipa::path(delete, path = "/api/webhooks/{id}", operation_id = "delete_webhook",
    params(("id" = Uuid, Path)), responses((status = 204)))]
async fn delete(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    super::delete(call.ctx, &scope, call.id("id")?, call.if_match()?).await?;
    no_content()
}

/// Gives a webhook another signing secret, which the answer holds, this once. For 24 hours every
/// request is signed with the old one too.
#[utoipa::path(post, path = "/api/webhooks/{id}/rotate-secret",
    operation_id = "rotate_webhook_secret", params(("id" = Uuid, Path)),
    responses((status = 200, body = Endpoint)))]
async fn rotate(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    let (id, if_match) = (call.id("id")?, call.if_match()?);
    let done = super::rotate(call.ctx, &scope, id, if_match).await?;
    Ok(json(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Sends a `ping` event, the same way as any other.
#[utoipa::path(post, path = "/api/webhooks/{id}/test", operation_id = "test_webhook",
    params(("id" = Uuid, Path)), responses((status = 201, body = Delivery)))]
async fn test(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    let done = super::test(call.ctx, &scope, call.id("id")?).await?;
    Ok(created(&done.result)?.replayed(done.replayed))
}
