//! E-mail through Amazon SES: `POST /v2/email/outbound-emails`, signed with Signature Version 4.
//!
//! Invariant: what is signed is what is sent; the delivery's id is carried along as a tag.
//! Failure: part of the report; SES knows no keys, so a request that was lost is not repeated. A
//! quota that is used up is a matter of time.

use rules::delivery::facts::TAG;
use rules::delivery::settle::Outcome;
use rules::delivery::sigv4::{self, Signer};
use serde::{Deserialize, Serialize};
use worker::Url;

use super::api::{self, JSON, Post};
use super::mail::{self, Mailbox};
use super::{Channel, Report};
use crate::delivery::messages::Letter;
use crate::platform::clock;
use crate::platform::ctx::Ctx;

const PATH: &str = "/v2/email/outbound-emails";

/// The channel.
#[derive(Deserialize)]
pub struct Ses {
    region: String,
    access_key_id: String,
    secret_access_key: String,
    configuration_set: Option<String>,
    from: Mailbox,
    reply_to: Option<String>,
    base_url: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    from_email_address: String,
    destination: Destination<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to_addresses: Option<[&'a str; 1]>,
    content: Content<'a>,
    email_tags: [Tag; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration_set_name: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Destination<'a> {
    to_addresses: [&'a str; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Content<'a> {
    simple: Simple<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Simple<'a> {
    subject: Text<'a>,
    body: Parts<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<Header>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<File<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Parts<'a> {
    text: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Text<'a> {
    data: &'a str,
    charset: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Header {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct File<'a> {
    file_name: &'a str,
    content_type: &'a str,
    content_disposition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_id: Option<&'a str>,
    content_transfer_encoding: &'static str,
    raw_content: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    name: &'static str,
    value: String,
}

fn text(data: &str) -> Text<'_> {
    Text {
        data,
        charset: "UTF-8",
    }
}

impl Ses {
    fn body(&self, letter: &Letter) -> serde_json::Result<String> {
        let headers = mail::unsubscribe(letter).into_iter();
        let files = letter.content.attachments.iter();
        serde_json::to_string(&Body {
            from_email_address: self.from.line(),
            destination: Destination {
                to_addresses: [&letter.recipient],
            },
            reply_to_addresses: self.reply_to.as_deref().map(|address| [address]),
            content: Content {
                simple: Simple {
                    subject: text(&letter.content.subject),
                    body: Parts {
                        text: text(&letter.text),
                        html: letter.html.as_deref().map(text),
                    },
                    headers: headers
                        .map(|(name, value)| Header { name, value })
                        .collect(),
                    attachments: files
                        .map(|file| File {
                            file_name: &file.name,
                            content_type: &file.content_type,
                            content_disposition: match file.content_id {
                                Some(_) => "INLINE",
                                None => "ATTACHMENT",
                            },
                            content_id: file.content_id.as_deref(),
                            content_transfer_encoding: "BASE64",
                            raw_content: &file.content,
                        })
                        .collect(),
                },
            },
            email_tags: [Tag {
                name: TAG,
                value: letter.delivery.to_string(),
            }],
            configuration_set_name: self.configuration_set.as_deref(),
        })
    }
}

/// Host, and port where it is an unusual one, as the request's header `host` has it.
fn host(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

impl Channel for Ses {
    type Message = Letter;

    async fn attempt(&self, ctx: &Ctx, letter: &Letter) -> Report {
        let body = match self.body(letter) {
            Ok(body) => body,
            Err(error) => return Report::fault(letter.delivery, &error.into()),
        };
        let own = format!("https://email.{}.amazonaws.com", self.region);
        let url = format!("{}{PATH}", api::base(self.base_url.as_ref(), &own));
        let Some(host) = host(&url) else {
            return Report::failed(Outcome::Withheld, "url_malformed");
        };
        let signed = sigv4::sign(
            &sigv4::Request {
                region: &self.region,
                service: "ses",
                host: &host,
                path: PATH,
                content_type: JSON,
                body: &body,
            },
            &Signer {
                access_key_id: &self.access_key_id,
                secret_access_key: &self.secret_access_key,
            },
            clock::now(),
        );
        let request = Post {
            url: &url,
            content_type: JSON,
            headers: &[
                ("authorization", &signed.authorization),
                ("x-amz-date", &signed.date),
            ],
            body: &body,
        };
        match api::post(ctx, &request).await {
            Ok(answer) if answer.status == 400 && answer.says("LimitExceeded") => {
                answer.means(Outcome::Later(None))
            }
            Ok(answer) => {
                let id = answer.at("/MessageId");
                answer.called(id)
            }
            Err(report) => report,
        }
    }
}
