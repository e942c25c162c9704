//! Background work through Cloudflare Queues.
//!
//! Invariant: a job says what to look at, not what to do with it: handlers read the state of things
//! and bring it forward, so a message that comes twice does no harm, and of equal messages in one
//! batch one is enough.
//! Failure: a job that fails is tried again after ten seconds, as often as `wrangler.toml` says, and
//! then lands in the dead-letter queue, where it is logged.

use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use worker::{
    BatchMessageBuilder, Env, Message, MessageBatch, MessageBuilder, MessageExt,
    QueueRetryOptionsBuilder,
};

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
/// Messages that the queue takes in one call.
const BATCH: usize = 100;
/// Jobs of a batch that are done at once; with the database and the queue that is within the six
/// connections of the platform.
const AT_ONCE: usize = 4;

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
    /// Reports of a tenant may be due.
    ReportTick {
        /// The tenant.
        tenant: Uuid,
    },
    /// A report may be due to be written or sent.
    ReportJob {
        /// The tenant.
        tenant: Uuid,
        /// The job.
        job: Uuid,
    },
}

/// Sends a job.
pub async fn send(ctx: &Ctx, job: &Job) -> Result<()> {
    send_after(ctx, job, Duration::ZERO).await
}

/// Sends a job that nobody sees before this time has passed, in whole seconds, rounded up; at most
/// twelve hours.
pub async fn send_after(ctx: &Ctx, job: &Job, wait: Duration) -> Result<()> {
    send_to(ctx, BINDING, job, wait).await
}

/// The same through the queue of another binding.
pub async fn send_to(ctx: &Ctx, binding: &str, job: &Job, wait: Duration) -> Result<()> {
    let queue = ctx.env.queue(binding)?;
    let seconds = wait.as_millis().div_ceil(1_000).min(43_200);
    let message = MessageBuilder::new(job.clone())
        .delay_seconds(u32::try_from(seconds).unwrap_or_default())
        .build();
    queue.send(message).await.map_err(lost)
}

/// Sends many jobs through the queue of a binding.
pub async fn send_all(ctx: &Ctx, binding: &str, jobs: &[Job]) -> Result<()> {
    let queue = ctx.env.queue(binding)?;
    for part in jobs.chunks(BATCH) {
        let batch = BatchMessageBuilder::new().messages(part.to_vec()).build();
        queue.send_batch(batch).await.map_err(lost)?;
    }
    Ok(())
}

fn lost(error: worker::Error) -> Error {
    Error::unavailable(&format!("queue: {error}"))
}

/// Handles a batch: each job on its own, some at once, so one that fails or is slow does not hold up
/// the others. What a job leaves to [`Ctx::later`] goes on after the batch is acknowledged (the flag
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
    let work = stream::iter(alike(&batch));
    work.for_each_concurrent(AT_ONCE, |messages| {
        let (env, context, handle) = (env.clone(), Rc::clone(&context), &handle);
        async move {
            let Some(first) = messages.first() else {
                return;
            };
            if dead {
                log::write(Level::Error, "job.dead", &[("job", first.body().clone())]);
                messages.iter().for_each(Message::ack);
                return;
            }
            let ctx = Ctx::new(env, Some(first.id()), Some(context));
            let outcome = match serde_json::from_value(first.body().clone()) {
                Ok(job) => handle(&ctx, job).await,
                Err(error) => Err(Error::internal(format!("unknown job: {error}"))),
            };
            settle(&messages, outcome);
        }
    })
    .await;
}

/// The messages of a batch, equal ones together: one is enough of them.
fn alike(batch: &MessageBatch<serde_json::Value>) -> Vec<Vec<Message<serde_json::Value>>> {
    let mut groups: Vec<Vec<Message<serde_json::Value>>> = Vec::new();
    for message in batch.iter() {
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                let context = error.to_string();
                log::write(Level::Error, "job", &[("context", context.into())]);
                continue;
            }
        };
        let same = |group: &&mut Vec<Message<_>>| {
            group
                .first()
                .is_some_and(|first| first.body() == message.body())
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(message),
            None => groups.push(vec![message]),
        }
    }
    groups
}

fn settle(messages: &[Message<serde_json::Value>], outcome: Result<()>) {
    let Err(error) = outcome else {
        messages.iter().for_each(Message::ack);
        return;
    };
    let context = error.context.unwrap_or_else(|| error.detail.to_string());
    let job = messages.first().map(|first| first.body().clone());
    let fields = [("job", job.into()), ("context", context.into())];
    log::write(Level::Warn, "job.retry", &fields);
    for message in messages {
        let retry = QueueRetryOptionsBuilder::new()
            .with_delay_seconds(RETRY_AFTER)
            .build();
        message.retry_with_options(&retry);
    }
}
