//! E-mail through Resend: `POST /emails` with an `Idempotency-Key`, which it remembers for 24 hours.
//!
//! Invariant: a repeat has the same key and the same body, else Resend refuses it.
//! Failure: part of the report; a repeat that overtakes its first (409) comes again later.

use rules::delivery::facts::TAG;
use rules::delivery::settle::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::api::{self, JSON, Post};
use super::mail::{self, Mailbox};
use super::{Channel, Report};
use crate::delivery::messages::Letter;
use crate::platform::ctx::Ctx;

const API: &str = "https://api.resend.com";

/// The channel.
#[derive(Deserialize)]
pub struct Resend {
    api_key: String,
    from: Mailbox,
    reply_to: Option<String>,
    base_url: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    from: String,
    to: [&'a str; 1],
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<&'a str>,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    headers: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<File<'a>>,
    tags: [Tag; 1],
}

#[derive(Serialize)]
struct File<'a> {
    filename: &'a str,
    content: &'a str,
    content_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Tag {
    name: &'static str,
    value: String,
}

impl Resend {
    fn body(&self, letter: &Letter) -> serde_json::Result<String> {
        let files = letter.content.attachments.iter();
        serde_json::to_string(&Body {
            from: self.from.line(),
            to: [&letter.recipient],
            subject: &letter.content.subject,
            html: letter.html.as_deref(),
            text: &letter.text,
            reply_to: self.reply_to.as_deref(),
            headers: mail::headers(letter),
            attachments: files
                .map(|file| File {
                    filename: &file.name,
                    content: &file.content,
                    content_type: &file.content_type,
                    content_id: file.content_id.as_deref(),
                })
                .collect(),
            tags: [Tag {
                name: TAG,
                value: letter.delivery.to_string(),
            }],
        })
    }
}

impl Channel for Resend {
    type Message = Letter;

    async fn attempt(&self, ctx: &Ctx, letter: &Letter) -> Report {
        let body = match self.body(letter) {
            Ok(body) => body,
            Err(error) => return Report::fault(letter.delivery, &error.into()),
        };
        let base = api::base(self.base_url.as_ref(), API);
        let request = Post {
            url: &format!("{base}/emails"),
            content_type: JSON,
            headers: &[
                ("authorization", &format!("Bearer {}", self.api_key)),
                ("idempotency-key", &letter.key),
            ],
            body: &body,
        };
        match api::post(ctx, &request).await {
            Ok(answer) if answer.says("concurrent_idempotent_requests") => {
                answer.means(Outcome::Later(None))
            }
            Ok(answer) => {
                let id = answer.at("/id");
                answer.called(id)
            }
            Err(report) => report,
        }
    }
}
