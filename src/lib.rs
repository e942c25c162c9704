//! Pulse: the events of the Worker.
//!
//! Invariant: nothing is decided here; each event is handed to the module it belongs to.
//! Failure: every error is answered or logged where it is handled; nothing here panics.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod checkin;
pub mod delivery;
pub mod identity;
pub mod monitor;
pub mod operations;
pub mod platform;
pub mod reports;
pub mod routes;
pub mod tenant;

use worker::{Context, Env, MessageBatch, ScheduleContext, ScheduledEvent, event, web_sys};

/// A request.
#[event(fetch)]
async fn fetch(
    request: web_sys::Request,
    env: Env,
    context: Context,
) -> worker::Result<web_sys::Response> {
    routes::serve(request, env, context).await
}

/// A cron tick.
#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    operations::tick::scheduled(&event.cron(), env).await;
}

/// A batch of background jobs.
#[event(queue)]
async fn queue(
    batch: MessageBatch<serde_json::Value>,
    env: Env,
    context: Context,
) -> worker::Result<()> {
    platform::queue::consume(batch, env, context, operations::tick::job).await;
    Ok(())
}
