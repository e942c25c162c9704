//! A message as one recipient gets it.
//!
//! Invariant: it differs from what was posted by the recipient's link to unsubscribe and by nothing
//! else, and is the same with every attempt.
//! Failure: without a public address of the deployment there is no link, and the message goes out
//! without what speaks of one.

use std::rc::Rc;

use chrono::{DateTime, Utc};
use rules::delivery::unsubscribe::{self, Subject};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::platform::crypto::DataKeys;
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;

/// What links to unsubscribe are sealed for.
pub const OWNER: &str = "unsubscribe";

/// What was posted.
#[derive(Debug, Deserialize)]
pub struct Content {
    /// The message.
    pub id: Uuid,
    /// Whose.
    pub tenant_id: Uuid,
    /// What a recipient can unsubscribe from.
    pub topic_kind: Option<String>,
    /// The same.
    pub topic_id: Option<Uuid>,
    /// The same, for people.
    pub topic_name: Option<String>,
    /// Why it is sent.
    pub source_kind: String,
    /// The same.
    pub source_id: Uuid,
    /// The subject.
    pub subject: String,
    /// The body as HTML.
    pub html: Option<String>,
    /// The body as text.
    pub text: String,
    /// For services that are told of incidents.
    pub alert: Option<Alert>,
    /// Files.
    pub attachments: Vec<Attachment>,
}

/// What an incident service is told.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Alert {
    /// How bad it is.
    #[serde(default)]
    pub severity: Severity,
    /// Names the incident, from its beginning to its end.
    pub dedup_key: Option<String>,
    /// Whether it begins or ends.
    #[serde(default)]
    pub status: AlertStatus,
}

/// How bad an incident is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// At once.
    Critical,
    /// Soon.
    Error,
    /// In time.
    Warning,
    /// To know.
    #[default]
    Info,
}

/// Whether an incident begins or ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// It goes on.
    #[default]
    Firing,
    /// It is over.
    Resolved,
}

/// A file of a message.
#[derive(Debug, Deserialize)]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// Its type.
    pub content_type: String,
    /// The HTML shows it under this name; none for a file beside the text.
    pub content_id: Option<String>,
    /// Base64.
    pub content: String,
}

/// A message on its way to one recipient.
#[derive(Debug)]
pub struct Letter {
    /// What was posted.
    pub content: Rc<Content>,
    /// The delivery.
    pub delivery: Uuid,
    /// Under which the receiver knows a repeat.
    pub key: String,
    /// Whom to; empty where the channel is one place.
    pub recipient: String,
    /// The body as HTML, with the recipient's link.
    pub html: Option<String>,
    /// The body as text, with the recipient's link.
    pub text: String,
    /// The recipient's link.
    pub unsubscribe: Option<String>,
    /// Where the provider reports to.
    pub reports: Option<String>,
    /// When it was posted.
    pub at: DateTime<Utc>,
}

impl Content {
    /// The recipient's link, if there is something to unsubscribe from.
    pub fn unsubscribe(&self, ctx: &Ctx, recipient: &str) -> Result<Option<String>> {
        let (Some(topic_kind), Some(topic)) = (&self.topic_kind, self.topic_id) else {
            return Ok(None);
        };
        if ctx.config.public_url.is_empty() || recipient.is_empty() {
            return Ok(None);
        }
        let subject = Subject {
            tenant: self.tenant_id,
            topic_kind: topic_kind.clone(),
            topic,
            address: recipient.to_owned(),
        };
        let token = DataKeys::parse(&ctx.config.data_keys)?.seal_same(OWNER, &subject.encode())?;
        let address = &ctx.config.public_url;
        Ok(Some(format!("{address}/api/unsubscribe/{token}")))
    }

    /// The bodies as a recipient with this link gets them: HTML and text.
    pub fn bodies(&self, link: Option<&str>) -> (Option<String>, String) {
        let html = self.html.as_deref();
        (
            html.map(|html| unsubscribe::fill_html(html, link)),
            unsubscribe::fill_text(&self.text, link),
        )
    }
}
