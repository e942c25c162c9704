//! What a channel is: it takes a message to its recipient, once, and reports.
//!
//! Invariant: a channel decides nothing; what its report means is decided by
//! `rules::delivery::settle`, the same for all channels.
//! Failure: part of the report, never an error: every attempt is settled.

use rules::delivery::settle::Outcome;

use super::store::{Claimed, Kind};
use super::webhooks::Webhook;
use crate::platform::ctx::Ctx;

/// How messages of one kind reach their recipients.
pub trait Channel {
    /// Makes one attempt, which ends within `rules::delivery::settle::PATIENCE`.
    async fn attempt(&self, ctx: &Ctx, message: &Claimed) -> Report;
}

/// What came of an attempt.
#[derive(Debug)]
pub struct Report {
    /// The part that is decided on.
    pub outcome: Outcome,
    /// How the recipient's answer begins, for people.
    pub answer: Option<String>,
    /// Why there was none, a stable code.
    pub error: Option<String>,
}

impl Report {
    /// Nothing was answered.
    pub fn failed(outcome: Outcome, error: impl Into<String>) -> Self {
        Self {
            outcome,
            answer: None,
            error: Some(error.into()),
        }
    }
}

/// Lets a message go through its channel.
pub async fn attempt(ctx: &Ctx, message: &Claimed) -> Report {
    match message.channel {
        Kind::Webhook => Webhook.attempt(ctx, message).await,
    }
}
