//! E-mail through Cloudflare Email Service: `POST /accounts/{id}/email/sending/send`.
//!
//! Invariant: what it answers names each recipient as delivered, queued or bounced for good.
//! Failure: part of the report; it knows no keys, so a request that was lost is not repeated.

use rules::delivery::settle::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::api::{self, JSON, Post};
use super::mail::{self, Mailbox};
use super::{Channel, Report};
use crate::delivery::messages::Letter;
use crate::platform::ctx::Ctx;

const API: &str = "https://api.cloudflare.com/client/v4";

/// The channel.
#[derive(Deserialize)]
pub struct Cloudflare {
    account_id: String,
    api_token: String,
    from: Mailbox,
    reply_to: Option<String>,
    base_url: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    from: Sender<'a>,
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
}

#[derive(Serialize)]
struct Sender<'a> {
    address: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct File<'a> {
    content: &'a str,
    filename: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    disposition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_id: Option<&'a str>,
}

impl Cloudflare {
    fn body(&self, letter: &Letter) -> serde_json::Result<String> {
        let files = letter.content.attachments.iter();
        serde_json::to_string(&Body {
            from: Sender {
                address: &self.from.email,
                name: self.from.name.as_deref(),
            },
            to: [&letter.recipient],
            subject: &letter.content.subject,
            html: letter.html.as_deref(),
            text: &letter.text,
            reply_to: self.reply_to.as_deref(),
            headers: mail::headers(letter),
            attachments: files
                .map(|file| File {
                    content: &file.content,
                    filename: &file.name,
                    kind: &file.content_type,
                    disposition: match file.content_id {
                        Some(_) => "inline",
                        None => "attachment",
                    },
                    content_id: file.content_id.as_deref(),
                })
                .collect(),
        })
    }
}

impl Channel for Cloudflare {
    type Message = Letter;

    async fn attempt(&self, ctx: &Ctx, letter: &Letter) -> Report {
        let body = match self.body(letter) {
            Ok(body) => body,
            Err(error) => return Report::fault(letter.delivery, &error.into()),
        };
        let (base, account) = (api::base(self.base_url.as_ref(), API), &self.account_id);
        let request = Post {
            url: &format!("{base}/accounts/{account}/email/sending/send"),
            content_type: JSON,
            headers: &[("authorization", &format!("Bearer {}", self.api_token))],
            body: &body,
        };
        match api::post(ctx, &request).await {
            Ok(answer) => {
                let bounced = answer.json.pointer("/result/permanent_bounces/0").is_some();
                let refused = answer.json.get("success") == Some(&Value::Bool(false));
                match answer.report.outcome {
                    Outcome::Taken if bounced => answer.means(Outcome::Bounced),
                    Outcome::Taken if refused => answer.means(Outcome::Never),
                    _ => answer.called(None),
                }
            }
            Err(report) => report,
        }
    }
}
