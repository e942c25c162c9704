//! Background work through Cloudflare Queues.
//!
//! Invariant: a job says what to look at, not what to do with it: handlers read the state of things
//! and bring it forward, so a message that comes twice does no harm, and of equal messages in one
//! batch one is enough.
//! Failure: a job that fails is tried again after ten seconds, as often as `wrangler.toml` says, and
//! then lands in the dead-letter queue, where it is logged.

use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use worker::{Env, MessageBatch, MessageBuilder, MessageExt, QueueRetryOptionsBuilder};

use super::ctx::Ctx;
use super::error::{Error, Result};
use super::log::{self, Level};
use super::scope::Subject;

/// The binding of the queue.
pub const BINDING: &str = "JOBS";
/// How long after a failure a job is tried again, in seconds.
const RETRY_AFTER: u32 = 10;
/// The dead-letter queue.
pub const DEAD: &str = "pulse-dead";

/// A job. New kinds are added; kinds in flight are never renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Job {
    /// Shows that the queue moves; sent by the minute tick.
    Heartbeat,
    /// A guest list changed and its live object could not be told.
    RosterChanged {
        /// The tenant.
        tenant: Uuid,
        /// The guest list.
        table: Uuid,
    },
    /// A role changed or a credential ended, and a live object could not be told.
    StandingChanged {
        /// The tenant.
        tenant: Uuid,
        /// The guest list of the object.
        table: Uuid,
        /// Whose.
        subject: Subject,
    },
    /// Messages of a tenant may be due.
    Deliveries {
        /// The tenant.
        tenant: Uuid,
    },
}

/// Sends a job.
pub async fn send(ctx: &Ctx, job: &Job) -> Result<()> {
    send_after(ctx, job, Duration::ZERO).await
}

/// Sends a job that nobody sees before this time has passed, in whole seconds, rounded up; at most
/// twelve hours.
pub async fn send_after(ctx: &Ctx, job: &Job, wait: Duration) -> Result<()> {
    let queue = ctx.env.queue(BINDING)?;
    let seconds = wait.as_millis().div_ceil(1_000).min(43_200);
    let message = MessageBuilder::new(job.clone())
        .delay_seconds(u32::try_from(seconds).unwrap_or_default())
        .build();
    queue
        .send(message)
        .await
        .map_err(|error| Error::unavailable(&format!("queue: {error}")))
}

/// Handles a batch: each job on its own, so one that fails does not hold up the others.
/// What a job leaves to [`Ctx::later`] goes on after the batch is acknowledged (the flag
/// `queue_consumer_no_wait_for_wait_until`), so that it does not hold up the queue.
pub async fn consume<F>(
    batch: MessageBatch<serde_json::Value>,
    env: Env,
    context: worker::Context,
    handle: F,
) where
    F: AsyncFn(&Ctx, Job) -> Result<()>,
{
    let dead = batch.queue() == DEAD;
    let context = Rc::new(context);
    let mut done: Vec<Job> = Vec::new();
    for message in batch.iter() {
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                log::write(
                    Level::Error,
                    "job",
                    &[("context", error.to_string().into())],
                );
                continue;
            }
        };
        let ctx = Ctx::new(env.clone(), Some(message.id()), Some(Rc::clone(&context)));
        if dead {
            log::write(Level::Error, "job.dead", &[("job", message.body().clone())]);
            message.ack();
            continue;
        }
        let outcome = match serde_json::from_value(message.body().clone()) {
            Ok(job) if done.contains(&job) => Ok(()),
            Ok(job) => handle(&ctx, job.clone()).await.map(|()| done.push(job)),
            Err(error) => Err(Error::internal(format!("unknown job: {error}"))),
        };
        match outcome {
            Ok(()) => message.ack(),
            Err(error) => {
                let context = error.context.unwrap_or_else(|| error.detail.to_string());
                log::write(
                    Level::Warn,
                    "job.retry",
                    &[("job", message.body().clone()), ("context", context.into())],
                );
                let retry = QueueRetryOptionsBuilder::new()
                    .with_delay_seconds(RETRY_AFTER)
                    .build();
                message.retry_with_options(&retry);
            }
        }
    }
}
