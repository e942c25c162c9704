//! Messages to recipients outside: the outbox, who sends it, and the channels that carry it.
//!
//! A message is a row per recipient, made in the transaction that made its reason. A job claims what
//! is due and lets it go through its channel; today that is the webhook.
//! Invariant: what is in the outbox is sent until its recipient has it or is given up, under one
//! event id; no recipient holds up another.
//! Failure: what a lost job leaves behind, the minute tick finds; a sender that died lets its lease
//! run out.

mod channel;
pub mod deliveries;
mod sender;
mod store;
pub mod webhooks;

use futures_util::StreamExt as _;
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
    let mut routes = webhooks::http::routes();
    routes.extend(deliveries::http::routes());
    vec![Module {
        tag: "Webhooks",
        about: "Endpoints that events are sent to, signed as Standard Webhooks says, and what came of it.",
        routes,
    }]
}

/// Sends what is due for a tenant: claims it before this answers, and goes on in the background.
pub async fn send_due(ctx: &Ctx, tenant: Uuid) -> Result<()> {
    sender::begin(ctx, tenant).await
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

/// Deletes deliveries that have outlived their use.
pub async fn sweep(ctx: &Ctx) -> Result<Value> {
    ctx.pg.function(&store::SWEEP, &json!({})).await
}
