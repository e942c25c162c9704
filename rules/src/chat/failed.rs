//! Why a model wrote no report.
//!
//! Invariant: a code is stable; the words of a provider are shortened and hold no control
//! characters.
//! Failure: none; this is how failures are told.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::delivery::retry;

/// Longest part of a provider's words that is passed on, in characters.
const QUOTED: usize = 300;

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Whether trying again later may help; after this time, where that was said.
    pub retry: Option<Option<Duration>>,
    /// Stable, snake_case.
    pub code: &'static str,
    /// One or two sentences for a person.
    pub detail: String,
}

impl Failed {
    /// It will fail again.
    pub fn for_good(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            retry: None,
            code,
            detail: detail.into(),
        }
    }

    /// It may work later.
    pub fn for_now(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            retry: Some(None),
            code,
            detail: detail.into(),
        }
    }

    /// What a status other than 2xx means.
    pub fn of_status(
        status: u16,
        retry_after: Option<&str>,
        body: &str,
        now: DateTime<Utc>,
    ) -> Self {
        let said = said(body);
        let quoted = match said.message.is_empty() {
            true => String::new(),
            false => format!(" It says: {}", said.message),
        };
        let for_good =
            |code, what: &str| Self::for_good(code, format!("{what} (HTTP {status}).{quoted}"));
        match status {
            429 if said.code == "insufficient_quota" => for_good(
                "model_quota",
                "The account at the model's provider is used up",
            ),
            408 | 409 | 425 | 429 | 500..=599 => {
                let code = match status {
                    429 => "model_busy",
                    _ => "model_unavailable",
                };
                let detail =
                    format!("The model's provider cannot answer now (HTTP {status}).{quoted}");
                let after = retry_after.and_then(|text| retry::retry_after(text, now));
                Self {
                    retry: Some(after),
                    code,
                    detail,
                }
            }
            401 | 403 => for_good("model_key_refused", "The model's provider refuses the key"),
            402 => for_good(
                "model_quota",
                "The account at the model's provider is used up",
            ),
            404 => for_good(
                "model_not_found",
                "The model or the address of its provider does not exist",
            ),
            _ => for_good(
                "model_request_refused",
                "The model's provider does not take the request",
            ),
        }
    }

    /// A provider that reported an error where an answer was expected.
    pub fn reported(error: &Value) -> Self {
        let said = of_error(error);
        let detail = format!("The model's provider reports an error: {}", said.message);
        Self::for_now("model_unavailable", detail)
    }
}

/// What a provider says about an error.
struct Said {
    code: String,
    message: String,
}

fn said(body: &str) -> Said {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    match json.get("error") {
        Some(error) => of_error(error),
        None => {
            let message = json.get("message").or_else(|| json.get("detail"));
            let message = message.and_then(Value::as_str).unwrap_or_default();
            Said {
                code: String::new(),
                message: quoted(message),
            }
        }
    }
}

fn of_error(error: &Value) -> Said {
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let message = error.as_str().unwrap_or_else(|| text("message"));
    Said {
        code: text("code").to_owned(),
        message: quoted(message),
    }
}

/// Somebody else's words, short and on one line.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text
        .chars()
        .map(|letter| match letter.is_control() {
            true => ' ',
            false => letter,
        })
        .take(QUOTED)
        .collect();
    if text.chars().count() > QUOTED {
        short.push('…');
    }
    short.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, after: Option<&str>, body: &str) -> Failed {
        let now = "2026-11-26T09:00:00Z".parse().unwrap();
        Failed::of_status(status, after, body, now)
    }

    #[test]
    fn what_may_pass_is_tried_again_when_the_provider_says() {
        for status in [408, 429, 500, 502, 503, 529] {
            assert_eq!(of(status, None, "").retry, Some(None), "{status}");
        }
        let busy = of(429, Some("17"), r#"{"error":{"message":"slow\ndown"}}"#);
        assert_eq!(busy.retry, Some(Some(Duration::from_secs(17))));
        assert_eq!(busy.code, "model_busy");
        assert!(
            busy.detail.ends_with("It says: slow down"),
            "{}",
            busy.detail
        );
        let dated = of(503, Some("Thu, 26 Nov 2026 09:01:00 GMT"), "");
        assert_eq!(dated.retry, Some(Some(Duration::from_secs(60))));
    }

    #[test]
    fn what_is_wrong_stays_wrong() {
        for (status, code) in [
            (400, "model_request_refused"),
            (401, "model_key_refused"),
            (403, "model_key_refused"),
            (404, "model_not_found"),
            (422, "model_request_refused"),
            (302, "model_request_refused"),
        ] {
            let failed = of(status, Some("5"), "<html>");
            assert_eq!((failed.retry, failed.code), (None, code), "{status}");
        }
        let quota = r#"{"error":{"code":"insufficient_quota","message":"Pay."}}"#;
        assert_eq!(of(429, Some("1"), quota).retry, None);
    }

    #[test]
    fn a_providers_words_are_short() {
        let long = format!(r#"{{"error":"{}"}}"#, "x".repeat(5_000));
        assert!(of(400, None, &long).detail.chars().count() < 450);
        assert!(
            of(400, None, r#"{"message":"no such field"}"#)
                .detail
                .contains("no such field")
        );
    }
}
