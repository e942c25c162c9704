//! E-mail through Twilio SendGrid: `POST /v3/mail/send`, answered with 202 and no body.
//!
//! Invariant: the delivery's id is carried along (`custom_args`) and comes back with each report.
//! Failure: part of the report; SendGrid knows no keys, so a request that was lost is not repeated.

use rules::delivery::facts::TAG;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::api::{self, JSON, Post};
use super::mail::{self, Mailbox};
use super::{Channel, Report};
use crate::delivery::messages::Letter;
use crate::platform::ctx::Ctx;

const API: &str = "https://api.sendgrid.com";
const API_EU: &str = "https://api.eu.sendgrid.com";

/// The channel.
#[derive(Deserialize)]
pub struct Sendgrid {
    api_key: String,
    region: Option<String>,
    from: Mailbox,
    reply_to: Option<String>,
    base_url: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    personalizations: [Personalization<'a>; 1],
    from: &'a Mailbox,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<Address<'a>>,
    subject: &'a str,
    content: Vec<Part<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<File<'a>>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    headers: Map<String, Value>,
}

#[derive(Serialize)]
struct Personalization<'a> {
    to: [Address<'a>; 1],
    custom_args: Map<String, Value>,
}

#[derive(Serialize)]
struct Address<'a> {
    email: &'a str,
}

#[derive(Serialize)]
struct Part<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct File<'a> {
    content: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    filename: &'a str,
    disposition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_id: Option<&'a str>,
}

impl Sendgrid {
    fn body(&self, letter: &Letter) -> serde_json::Result<String> {
        let mut tags = Map::new();
        tags.insert(TAG.to_owned(), letter.delivery.to_string().into());
        let part = |kind, value| Part { kind, value };
        // Text first: the last part is the one that is shown.
        let mut content = vec![part("text/plain", letter.text.as_str())];
        content.extend(letter.html.iter().map(|html| part("text/html", html)));
        // A part must not be empty.
        content.retain(|part| !part.value.is_empty());
        let files = letter.content.attachments.iter();
        serde_json::to_string(&Body {
            personalizations: [Personalization {
                to: [Address {
                    email: &letter.recipient,
                }],
                custom_args: tags,
            }],
            from: &self.from,
            reply_to: self.reply_to.as_deref().map(|email| Address { email }),
            subject: &letter.content.subject,
            content,
            attachments: files
                .map(|file| File {
                    content: &file.content,
                    kind: file.content_type.split(';').next().unwrap_or_default(),
                    filename: &file.name,
                    disposition: match file.content_id {
                        Some(_) => "inline",
                        None => "attachment",
                    },
                    content_id: file.content_id.as_deref(),
                })
                .collect(),
            headers: mail::headers(letter),
        })
    }
}

impl Channel for Sendgrid {
    type Message = Letter;

    async fn attempt(&self, ctx: &Ctx, letter: &Letter) -> Report {
        let body = match self.body(letter) {
            Ok(body) => body,
            Err(error) => return Report::fault(letter.delivery, &error.into()),
        };
        let own = match self.region.as_deref() {
            Some("eu") => API_EU,
            _ => API,
        };
        let base = api::base(self.base_url.as_ref(), own);
        let request = Post {
            url: &format!("{base}/v3/mail/send"),
            content_type: JSON,
            headers: &[("authorization", &format!("Bearer {}", self.api_key))],
            body: &body,
        };
        match api::post(ctx, &request).await {
            Ok(answer) => {
                let id = answer.message_id.clone();
                answer.called(id)
            }
            Err(report) => report,
        }
    }
}
