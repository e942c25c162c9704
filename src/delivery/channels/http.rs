//! Routes of channels: decode, call, render.
//!
//! Invariant: a secret appears in the answer to the creation or the rotation of a webhook only.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::wire::{Channel, ChannelIn, ChannelPatch, ChannelTest, Channels, ChannelsQuery};
use crate::delivery::messages::Message;
use crate::platform::http::{Access, Answer, Call, Route, created, json, no_content, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_create, create => Access::May(Verb::Create, Resource::Channel);
        __path_list, list => Access::May(Verb::Read, Resource::Channel);
        __path_get, get => Access::May(Verb::Read, Resource::Channel);
        __path_patch, patch => Access::May(Verb::Write, Resource::Channel);
        __path_delete, delete => Access::May(Verb::Delete, Resource::Channel);
        __path_rotate, rotate => Access::May(Verb::Write, Resource::Channel);
        __path_test, test => Access::May(Verb::Write, Resource::Channel);
    ]
}

/// Adds a channel. The answer for a webhook holds its signing secret, this once.
#[utoipa::path(post, path = "/api/channels", operation_id = "create_channel",
    request_body = ChannelIn, responses((status = 201, body = Channel)))]
async fn create(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<ChannelIn>().await?;
    let done = super::create(call.ctx, &scope, input).await?;
    Ok(created(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Lists channels. The one of the kind `default` is there from the beginning.
#[utoipa::path(get, path = "/api/channels", operation_id = "list_channels",
    params(ChannelsQuery), responses((status = 200, body = Channels)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope, &call.query()?).await?)
}

/// One channel.
#[utoipa::path(get, path = "/api/channels/{id}", operation_id = "get_channel",
    params(("id" = Uuid, Path)), responses((status = 200, body = Channel)))]
async fn get(call: Call<'_>) -> Answer {
    let channel = super::get(call.ctx, &call.scope().await?, call.id("id")?).await?;
    Ok(json(&channel)?.version(channel.version))
}

/// Changes a channel, switches it off or on, or makes it the default.
#[utoipa::path(patch, path = "/api/channels/{id}", operation_id = "update_channel",
    params(("id" = Uuid, Path)), request_body = ChannelPatch,
    responses((status = 200, body = Channel)))]
async fn patch(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<ChannelPatch>().await?;
    let (id, if_match) = (call.id("id")?, call.if_match()?);
    let done = super::patch(call.ctx, &scope, id, if_match, input).await?;
    Ok(json(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Removes a channel. What waits for it ends; what it sent stays on record.
#[utoipa::path(delete, path = "/api/channels/{id}", operation_id = "delete_channel",
    params(("id" = Uuid, Path)), responses((status = 204)))]
async fn delete(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    super::delete(call.ctx, &scope, call.id("id")?, call.if_match()?).await?;
    no_content()
}

/// Gives a webhook another signing secret, which the answer holds, this once. For 24 hours every
/// request is signed with the old one too.
#[utoipa::path(post, path = "/api/channels/{id}/rotate-secret",
    operation_id = "rotate_channel_secret", params(("id" = Uuid, Path)),
    responses((status = 200, body = Channel)))]
async fn rotate(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    let (id, if_match) = (call.id("id")?, call.if_match()?);
    let done = super::rotate(call.ctx, &scope, id, if_match).await?;
    Ok(json(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Sends a test message, the same way as any other; what came of it is told by the message.
#[utoipa::path(post, path = "/api/channels/{id}/test", operation_id = "test_channel",
    params(("id" = Uuid, Path)), request_body = ChannelTest,
    responses((status = 201, body = Message)))]
async fn test(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<ChannelTest>().await?;
    let done = super::test(call.ctx, &scope, call.id("id")?, &input).await?;
    Ok(created(&done.result)?.replayed(done.replayed))
}
