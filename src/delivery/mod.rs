//! Messages and events to recipients outside: the outboxes, who sends them, and the channels that
//! carry them.
//!
//! What is to be sent is a row per recipient, made in the transaction that made its reason. A job
//! claims what is due and lets it go through its channel: events to webhooks, messages to people and
//! services.
//! Invariant: what is in an outbox is sent until its recipient has it or is given up, under one key;
//! what may have arrived is not sent again where no key tells; no recipient holds up another.
//! Failure: what a lost job leaves behind, the minute tick finds; a sender that died lets its lease
//! run out.

mod channel;
pub mod channels;
pub mod deliveries;
mod feedback;
pub mod messages;
mod outbox;
mod providers;
mod sender;
mod signed;
mod store;
mod suppressions;
mod unsubscribe;
pub mod webhooks;

use futures_util::StreamExt as _;
use futures_util::future::try_join;
use futures_util::stream;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::http::Module;
use crate::platform::queue::{self, Job};

/// How many jobs are sent at once.
const AT_ONCE: usize = 6;

/// The routes of delivery.
pub fn routes() -> Vec<Module> {
    let mut events = webhooks::http::routes();
    events.extend(deliveries::http::routes());
    let mut messages = channels::http::routes();
    messages.extend(messages::http::routes());
    messages.extend(outbox::http::routes());
    messages.extend(suppressions::http::routes());
    messages.extend(unsubscribe::http::routes());
    messages.extend(feedback::http::routes());
    vec![
        Module {
            tag: "Webhooks",
            about: "Endpoints that events are sent to, signed as Standard Webhooks says, and what came of it.",
            routes: events,
        },
        Module {
            tag: "Messages",
            about: "Channels that messages go out by, what came of each message, and who wants none.",
            routes: messages,
        },
    ]
}

/// Sends what is due for a tenant: claims it before this answers, and goes on in the background.
pub async fn send_due(ctx: &Ctx, tenant: Uuid) -> Result<()> {
    let events = sender::begin(ctx, tenant, webhooks::Events);
    let messages = sender::begin(ctx, tenant, messages::Messages::of(ctx, tenant));
    try_join(events, messages).await.map(drop)
}

/// Tells the queue that a tenant has something to send.
pub async fn announce(ctx: &Ctx, tenant: Uuid) {
    // What the queue loses, the minute tick finds.
    let _ = queue::send(ctx, &Job::Deliveries { tenant }).await;
}

/// Sends a job for each tenant that has something due which nobody is sending; answers how many.
pub async fn wake(ctx: &Ctx) -> Result<usize> {
    let waiting = ctx.pg.function(&store::WAITING, &json!({})).await?;
    stream::iter(&waiting)
        .for_each_concurrent(AT_ONCE, |tenant| announce(ctx, *tenant))
        .await;
    Ok(waiting.len())
}

/// Deletes what has outlived its use.
pub async fn sweep(ctx: &Ctx) -> Result<Value> {
    ctx.pg.function(&store::SWEEP, &json!({})).await
}
