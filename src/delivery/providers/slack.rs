//! A Slack channel, by its incoming webhook.
//!
//! Invariant: what Slack would read as markup is escaped, so that a message shows as it was written.
//! Failure: part of the report; a webhook that was removed disables the channel.

use rules::delivery::settle::Outcome;
use serde::Deserialize;
use serde_json::json;

use super::api::{self, JSON, Post, cut};
use super::{Channel, Report};
use crate::delivery::messages::Letter;
use crate::platform::ctx::Ctx;

/// Longest text, in characters; Slack cuts at 40,000.
const MOST: usize = 39_000;

/// The channel.
#[derive(Deserialize)]
pub struct Slack {
    url: String,
}

/// The body of the request.
fn body(letter: &Letter) -> String {
    let escape = |text: &str| {
        let text = text.replace('&', "&amp;");
        text.replace('<', "&lt;").replace('>', "&gt;")
    };
    let subject = escape(&letter.content.subject);
    let text = cut(&escape(letter.text.trim_end()), MOST);
    json!({"text": format!("*{subject}*\n{text}"), "mrkdwn": true}).to_string()
}

impl Channel for Slack {
    type Message = Letter;

    async fn attempt(&self, ctx: &Ctx, letter: &Letter) -> Report {
        let request = Post {
            url: &self.url,
            content_type: JSON,
            headers: &[],
            body: &body(letter),
        };
        match api::post(ctx, &request).await {
            Ok(answer) if matches!(answer.status, 404 | 410) => answer.means(Outcome::Gone),
            Ok(answer) => answer.called(None),
            Err(report) => report,
        }
    }
}
