//! The outbox: a message is kept here, to be read at `GET /api/outbox`.
//!
//! Invariant: it is there from the moment it was posted; being sent makes it one that was.
//! Failure: none.

use rules::delivery::settle::Outcome;
use serde::Deserialize;

use super::{Channel, Report};
use crate::delivery::messages::Letter;
use crate::platform::ctx::Ctx;

/// The channel.
#[derive(Deserialize)]
pub struct Outbox {}

impl Channel for Outbox {
    type Message = Letter;

    async fn attempt(&self, _ctx: &Ctx, _letter: &Letter) -> Report {
        Report {
            outcome: Outcome::Taken,
            status: None,
            answer: None,
            error: None,
            provider_id: None,
        }
    }
}
