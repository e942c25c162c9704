//! A signed request to an address of the tenant, as Standard Webhooks has it.
//!
//! Invariant: the identifier is the delivery's key, so that a receiver can drop what it knows.
//! Failure: part of the report; 410 disables the channel.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rules::delivery::settle::{self, Outcome};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::api::PATIENCE;
use super::{Channel, Report};
use crate::delivery::messages::{Alert, Letter};
use crate::delivery::signed::{self, Signed};
use crate::platform::ctx::Ctx;

/// The channel.
#[derive(Deserialize)]
pub struct Webhook {
    url: String,
    secret: String,
    previous_secret: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "timestamp", with = "rules::time::ms")]
    at: DateTime<Utc>,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    id: Uuid,
    source_kind: &'a str,
    source_id: Uuid,
    topic_kind: Option<&'a str>,
    topic_id: Option<Uuid>,
    topic_name: Option<&'a str>,
    subject: &'a str,
    text: &'a str,
    html: Option<&'a str>,
    alert: Option<&'a Alert>,
    attachments: Vec<File<'a>>,
}

#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    content_type: &'a str,
    content_id: Option<&'a str>,
    content: &'a str,
}

/// The body of the request.
fn body(letter: &Letter) -> serde_json::Result<String> {
    let content = &letter.content;
    let files = content.attachments.iter();
    serde_json::to_string(&Body {
        kind: "message",
        at: letter.at,
        data: Data {
            id: letter.delivery,
            source_kind: &content.source_kind,
            source_id: content.source_id,
            topic_kind: content.topic_kind.as_deref(),
            topic_id: content.topic_id,
            topic_name: content.topic_name.as_deref(),
            subject: &content.subject,
            text: &letter.text,
            html: letter.html.as_deref(),
            alert: content.alert.as_ref(),
            attachments: files
                .map(|file| File {
                    name: &file.name,
                    content_type: &file.content_type,
                    content_id: file.content_id.as_deref(),
                    content: &file.content,
                })
                .collect(),
        },
    })
}

/// What an answer means: as that of an API, but 410 says that the address is gone for good.
fn judge(status: u16, retry_after: Option<Duration>) -> Outcome {
    match status {
        410 => Outcome::Gone,
        _ => settle::api(status, retry_after),
    }
}

impl Channel for Webhook {
    type Message = Letter;

    async fn attempt(&self, ctx: &Ctx, letter: &Letter) -> Report {
        let body = match body(letter) {
            Ok(body) => body,
            Err(error) => return Report::fault(letter.delivery, &error.into()),
        };
        let secrets: Vec<String> = [Some(&self.secret), self.previous_secret.as_ref()]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        let request = Signed {
            url: &self.url,
            id: &letter.key,
            secrets: &secrets,
            body: &body,
            judge,
        };
        signed::post(ctx, &request, PATIENCE).await
    }
}
