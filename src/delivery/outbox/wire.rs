//! What goes out at the outbox.
//!
//! Invariant: a list shows no bodies.
//! Failure: see the problems of the API document.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A message that is kept here.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = OutboxMessage)]
pub struct Kept {
    /// This message to this recipient.
    pub id: Uuid,
    /// What was posted, the same for all its recipients.
    pub message_id: Uuid,
    /// What it was sent for.
    pub source_kind: String,
    /// The same.
    pub source_id: Uuid,
    /// What it is about, for people.
    #[schema(required = true)]
    pub topic_name: Option<String>,
    /// Whom it was for.
    pub recipient: String,
    /// The subject.
    pub subject: String,
    /// When it was put here, RFC 3339.
    #[schema(required = true)]
    pub sent_at: Option<String>,
    /// When it was posted, RFC 3339.
    pub created_at: String,
}

/// A message with all that its recipient would have got.
#[derive(Serialize, ToSchema)]
#[schema(as = OutboxMessageDetail)]
pub struct KeptDetail {
    /// The message.
    #[serde(flatten)]
    pub kept: Kept,
    /// The body as HTML.
    #[schema(required = true)]
    pub html: Option<String>,
    /// The body as text.
    pub text: String,
    /// The recipient's link to unsubscribe, which the headers of a mail would carry too.
    #[schema(required = true)]
    pub unsubscribe_url: Option<String>,
    /// Files.
    pub attachments: Vec<KeptFile>,
}

/// A file of a message.
#[derive(Serialize, ToSchema)]
#[schema(as = OutboxAttachment)]
pub struct KeptFile {
    /// Its name.
    pub name: String,
    /// Its type.
    pub content_type: String,
    /// The HTML shows it under this name; none for a file beside the text.
    #[schema(required = true)]
    pub content_id: Option<String>,
    /// Base64.
    pub content: String,
}

/// A page of the outbox.
#[derive(Serialize, ToSchema)]
pub struct Outbox {
    /// Newest first.
    pub items: Vec<Kept>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Which messages.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OutboxQuery {
    /// To this address.
    pub recipient: Option<String>,
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}
