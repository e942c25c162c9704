//! What goes out at messages, and how lists are asked for.
//!
//! Invariant: bodies are shown in the outbox and nowhere else.
//! Failure: see the problems of the API document.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::delivery::deliveries::Attempt;

/// A message on its way to one recipient.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct Message {
    /// This message to this recipient.
    pub id: Uuid,
    /// What was posted, the same for all its recipients.
    pub message_id: Uuid,
    /// What it was sent for: `report_job`, `channel_test`.
    pub source_kind: String,
    /// The same.
    pub source_id: Uuid,
    /// What the recipient can unsubscribe from.
    #[schema(required = true)]
    pub topic_kind: Option<String>,
    /// The same.
    #[schema(required = true)]
    pub topic_id: Option<Uuid>,
    /// The same, for people.
    #[schema(required = true)]
    pub topic_name: Option<String>,
    /// The subject.
    pub subject: String,
    /// The channel; it may be gone since.
    pub channel_id: Uuid,
    /// What it is. For the channel of the deployment: what that was when it was sent.
    pub channel_kind: String,
    /// What it was called.
    pub channel_name: String,
    /// An e-mail address or phone number; none where the channel is one place.
    #[schema(required = true)]
    pub recipient: Option<String>,
    /// Where it stands.
    pub status: MessageStatus,
    /// How often it was tried.
    pub attempt_count: i64,
    /// When it is tried next, RFC 3339.
    #[schema(required = true)]
    pub next_attempt_at: Option<String>,
    /// What the last attempt was answered: a status of HTTP or SMTP.
    #[schema(required = true)]
    pub last_status: Option<u16>,
    /// Why it was not answered, or not tried: a stable code.
    #[schema(required = true)]
    pub last_error: Option<String>,
    /// What the provider calls it.
    #[schema(required = true)]
    pub provider_id: Option<String>,
    /// When it was taken, RFC 3339.
    #[schema(required = true)]
    pub sent_at: Option<String>,
    /// When the provider reported that the recipient's server has it, RFC 3339.
    #[schema(required = true)]
    pub delivered_at: Option<String>,
    /// When the provider reported that it could not be delivered, RFC 3339.
    #[schema(required = true)]
    pub bounced_at: Option<String>,
    /// Whether for good.
    #[schema(required = true)]
    pub bounce: Option<Bounce>,
    /// When the provider reported that the recipient calls it spam, RFC 3339.
    #[schema(required = true)]
    pub complained_at: Option<String>,
    /// When it was sent or given up, RFC 3339.
    #[schema(required = true)]
    pub settled_at: Option<String>,
    /// RFC 3339.
    pub created_at: String,
}

/// Where a message stands.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    /// It will be sent, or sent again.
    Pending,
    /// It is being sent.
    Sending,
    /// It was taken.
    Sent,
    /// It was not, and will not be tried again by itself.
    Failed,
    /// It went out and nobody answered. It is not sent again by itself, so that nobody gets it
    /// twice.
    Unknown,
    /// The recipient does not want it, or cannot get it.
    Suppressed,
}

/// How a message came back.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bounce {
    /// The address does not work.
    Hard,
    /// Not this time.
    Soft,
}

/// A message with every attempt.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct MessageDetail {
    /// The message.
    #[serde(flatten)]
    pub message: Message,
    /// Oldest first.
    pub attempts: Vec<Attempt>,
}

/// A page of messages.
#[derive(Serialize, ToSchema)]
pub struct Messages {
    /// Newest first.
    pub items: Vec<Message>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Which messages.
#[derive(Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MessagesQuery {
    /// What they were sent for.
    pub source_kind: Option<String>,
    /// The same.
    pub source_id: Option<Uuid>,
    /// What was posted.
    pub message_id: Option<Uuid>,
    /// Those that stand there.
    pub status: Option<MessageStatus>,
    /// By this channel.
    pub channel_id: Option<Uuid>,
    /// To this address.
    pub recipient: Option<String>,
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}
