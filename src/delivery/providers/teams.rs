//! A Microsoft Teams channel, by the webhook of a workflow: an Adaptive Card.
//!
//! Invariant: the card stays below the 28 KB that Teams takes.
//! Failure: part of the report; a workflow that was removed disables the channel.

use rules::delivery::settle::Outcome;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{self, JSON, Post, cut};
use super::{Channel, Report};
use crate::delivery::messages::Letter;
use crate::platform::ctx::Ctx;

/// Longest text, in characters of up to four bytes.
const MOST: usize = 6_000;

/// The channel.
#[derive(Deserialize)]
pub struct Teams {
    url: String,
}

/// The body of the request.
fn body(letter: &Letter) -> Value {
    let text = cut(letter.text.trim_end(), MOST);
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": {"width": "Full"},
                "body": [
                    {"type": "TextBlock", "text": letter.content.subject, "size": "Large",
                     "weight": "Bolder", "wrap": true},
                    {"type": "TextBlock", "text": text, "wrap": true},
                ],
            },
        }],
    })
}

impl Channel for Teams {
    type Message = Letter;

    async fn attempt(&self, ctx: &Ctx, letter: &Letter) -> Report {
        let request = Post {
            url: &self.url,
            content_type: JSON,
            headers: &[],
            body: &body(letter).to_string(),
        };
        match api::post(ctx, &request).await {
            Ok(answer) if matches!(answer.status, 404 | 410) => answer.means(Outcome::Gone),
            Ok(answer) => answer.called(None),
            Err(report) => report,
        }
    }
}
