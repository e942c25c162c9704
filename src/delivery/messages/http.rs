//! Routes of messages: decode, call, render.
//!
//! Invariant: nothing is decided here.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::wire::{Message, MessageDetail, Messages, MessagesQuery};
use crate::platform::http::{Access, Answer, Call, Route, json, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_list, list => Access::May(Verb::Read, Resource::Message);
        __path_get, get => Access::May(Verb::Read, Resource::Message);
        __path_retry, retry => Access::May(Verb::Write, Resource::Message);
    ]
}

/// Lists messages to their recipients, one by one; of the last 90 days.
#[utoipa::path(get, path = "/api/messages", operation_id = "list_messages",
    params(MessagesQuery), responses((status = 200, body = Messages)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope, &call.query()?).await?)
}

/// One message to one recipient, with every attempt.
#[utoipa::path(get, path = "/api/messages/{id}", operation_id = "get_message",
    params(("id" = Uuid, Path)), responses((status = 200, body = MessageDetail)))]
async fn get(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::get(call.ctx, &scope, call.id("id")?).await?)
}

/// Sends a message again that failed, or whose fate is unknown. Whoever has one of the latter sent
/// again decides that the recipient may get it twice.
#[utoipa::path(post, path = "/api/messages/{id}/retry", operation_id = "retry_message",
    params(("id" = Uuid, Path)), responses((status = 200, body = Message)))]
async fn retry(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    let done = super::retry(call.ctx, &scope, call.id("id")?).await?;
    Ok(json(&done.result)?.replayed(done.replayed))
}
