//! The route of providers' reports: decode, call, render.
//!
//! Invariant: no credential but the provider's signature is looked at.
//! Failure: see the problems of the API document.

use super::Received;
use crate::platform::http::{Access, Answer, Call, Route, no_content, routes};

/// The headers that signatures are in.
const HEADERS: [&str; 6] = [
    "svix-id",
    "svix-timestamp",
    "svix-signature",
    "x-twilio-email-event-webhook-timestamp",
    "x-twilio-email-event-webhook-signature",
    "x-twilio-signature",
];
/// What reports come as; SNS calls its JSON text.
const TYPES: [&str; 3] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "text/plain",
];
/// Largest report, in bytes.
const LIMIT: usize = 1 << 20;

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![__path_take, take => Access::Public;]
}

/// Takes the reports of a channel's provider in: Resend, SendGrid, Amazon SES by SNS, Twilio. Each
/// signs as its own documentation says; see docs/channels.md.
#[utoipa::path(post, path = "/api/channels/{id}/events", operation_id = "take_channel_events",
    params(("id" = Uuid, Path)), request_body = String, responses((status = 204)))]
async fn take(call: Call<'_>) -> Answer {
    let id = call.id("id")?;
    let received = Received {
        body: call.text_of(&TYPES, LIMIT).await?,
        query: call.raw_query().to_owned(),
        headers: HEADERS.map(|name| (name, call.header(name))).to_vec(),
    };
    super::take(call.ctx, id, &received).await?;
    no_content()
}
