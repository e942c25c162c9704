//! What providers report of messages they took: read out of their own words.
//!
//! Invariant: only what says for good that an address does not work is a bounce; a full mailbox or a
//! slow server is not.
//! Failure: what is not understood is no fact; a provider that adds a kind of report breaks nothing.

pub mod resend;
pub mod sendgrid;
pub mod ses;
pub mod twilio;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::time;

/// The name under which providers carry a delivery's id along.
pub const TAG: &str = "delivery";

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The recipient's server has it.
    Delivered,
    /// The address does not work and will not.
    Bounced,
    /// It could not be delivered this time.
    Deferred,
    /// The recipient calls it spam.
    Complained,
    /// The recipient wants nothing more.
    Unsubscribed,
}

/// One report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fact {
    /// The delivery, if the provider carried its id along.
    pub delivery_id: Option<Uuid>,
    /// What the provider calls the message.
    pub provider_id: Option<String>,
    /// Whom it was sent to.
    pub address: Option<String>,
    /// What happened.
    pub event: Event,
    /// Why, in the provider's words.
    pub note: Option<String>,
    /// When.
    #[serde(with = "time::ms")]
    pub at: DateTime<Utc>,
}
