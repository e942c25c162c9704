//! What requests to providers have in common.
//!
//! Invariant: redirects are not followed, so that a credential goes to its provider only; time and
//! size are bounded.
//! Failure: part of the report; a request that was lost may have arrived.

use std::time::Duration;

use rules::delivery::settle::{self, KEPT, Outcome};
use serde_json::Value;
use worker::Method;

use super::Report;
use crate::delivery::channel::asked;
use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::outbound::{self, Limit, Outgoing};

/// How long a provider may take.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// How much of an answer is read, in bytes: identifiers and errors are short.
const READ: usize = 16 << 10;
/// The content type of most requests.
pub const JSON: &str = "application/json";
const AGENT: &str = concat!("Pulse/", env!("CARGO_PKG_VERSION"));

/// A request to a provider.
pub struct Post<'a> {
    /// Where.
    pub url: &'a str,
    /// What the body is.
    pub content_type: &'a str,
    /// Credentials and the like.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a str,
}

/// What was answered.
pub struct Answered {
    /// The report as a provider's status alone would have it.
    pub report: Report,
    /// HTTP status.
    pub status: u16,
    /// The body, if it is JSON.
    pub json: Value,
    /// The beginning of the body.
    pub text: String,
    /// `X-Message-Id`.
    pub message_id: Option<String>,
}

impl Answered {
    /// Whether the body names this error.
    pub fn says(&self, word: &str) -> bool {
        self.text.contains(word)
    }

    /// The number at `/code` of the body, as text.
    pub fn code(&self) -> String {
        let code = self.json.pointer("/code").and_then(Value::as_u64);
        code.map(|code| code.to_string()).unwrap_or_default()
    }

    /// The report with what the provider calls the message.
    pub fn called(self, id: Option<String>) -> Report {
        let taken = self.report.outcome == Outcome::Taken;
        Report {
            provider_id: id.filter(|_| taken),
            ..self.report
        }
    }

    /// The report with another meaning.
    pub fn means(self, outcome: Outcome) -> Report {
        Report {
            outcome,
            ..self.report
        }
    }

    /// The text at a pointer of the body.
    pub fn at(&self, pointer: &str) -> Option<String> {
        let text = self.json.pointer(pointer)?.as_str()?;
        Some(text.to_owned())
    }
}

/// Sends it; `Err` holds the report of a request that was not answered.
pub async fn post(ctx: &Ctx, post: &Post<'_>) -> Result<Answered, Report> {
    let now = clock::now();
    let mut headers = vec![("content-type", post.content_type), ("user-agent", AGENT)];
    headers.extend_from_slice(post.headers);
    let request = Outgoing {
        method: Method::Post,
        url: post.url,
        headers: &headers,
        body: Some(post.body),
        limit: Limit::Cut(READ),
        redirects: false,
        patience: PATIENCE,
    };
    let answer = outbound::send(ctx, &request)
        .await
        .map_err(|error| Report::unanswered(&error))?;
    let outcome = settle::api(answer.status, asked(&answer, now));
    let kept = answer.body.get(..KEPT).unwrap_or(&answer.body);
    Ok(Answered {
        report: Report::answered(outcome, answer.status, kept),
        status: answer.status,
        json: serde_json::from_slice(&answer.body).unwrap_or_default(),
        text: String::from_utf8_lossy(&answer.body).into_owned(),
        message_id: answer.message_id,
    })
}

/// The address of an API: the provider's own, or another one where tests say so.
pub fn base<'a>(named: Option<&'a String>, own: &'a str) -> &'a str {
    named.map_or(own, String::as_str)
}

/// Text cut to so many characters; what was cut off is marked.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(most - 1).collect();
            kept + "…"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_and_marked() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
        assert_eq!(cut("", 3), "");
    }
}
