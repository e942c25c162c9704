//! The webhook as a channel: one signed POST.
//!
//! Invariant: identifier and body are the same with every attempt; the time of the attempt is
//! signed with them, under every secret that is good. Redirects are not followed.
//! Failure: part of the report; an event whose data is gone is not tried again.

use chrono::{DateTime, Utc};
use rules::checkin::event::ScanEvent;
use rules::delivery::event::{Body, CheckinData};
use rules::delivery::settle::{KEPT, Outcome, PATIENCE};
use rules::delivery::{retry, signature};
use worker::Method;

use super::open;
use crate::delivery::channel::{Channel, Report};
use crate::delivery::store::Claimed;
use crate::platform::clock;
use crate::platform::crypto::hmac_sha256;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::log::{self, Level};
use crate::platform::outbound::{self, Incoming, Limit, Outgoing};

const AGENT: &str = concat!("Pulse-Webhooks/", env!("CARGO_PKG_VERSION"));

/// The channel.
pub struct Webhook;

impl Channel for Webhook {
    async fn attempt(&self, ctx: &Ctx, message: &Claimed) -> Report {
        let now = clock::now();
        let body = match body(message) {
            Ok(Some(body)) => body,
            Ok(None) => return Report::failed(Outcome::Refused, "event_gone"),
            Err(error) => return fault(message, &error),
        };
        let signed = match sign(ctx, message, now.timestamp(), &body) {
            Ok(signed) => signed,
            Err(error) => return fault(message, &error),
        };
        let timestamp = now.timestamp().to_string();
        let request = Outgoing {
            method: Method::Post,
            url: &message.url,
            headers: &[
                ("content-type", "application/json"),
                ("user-agent", AGENT),
                ("webhook-id", &message.event_id),
                ("webhook-timestamp", &timestamp),
                ("webhook-signature", &signed),
            ],
            body: Some(&body),
            limit: Limit::Cut(KEPT),
            redirects: false,
            patience: PATIENCE,
        };
        match outbound::send(ctx, &request).await {
            Ok(answer) => answered(answer, now),
            Err(error) => unanswered(&error),
        }
    }
}

/// What is sent; none when what it was about is gone.
fn body(message: &Claimed) -> Result<Option<String>> {
    let kind = message.event.as_str();
    Ok(match (&message.entry, &message.payload, message.table_id) {
        (Some(entry), _, Some(table_id)) => {
            let event = ScanEvent::of(entry);
            let at = event.at;
            let data = CheckinData { table_id, event };
            Some(serde_json::to_string(&Body { kind, at, data })?)
        }
        (_, Some(data), _) => {
            let at = message.created_at;
            Some(serde_json::to_string(&Body { kind, at, data })?)
        }
        _ => None,
    })
}

fn sign(ctx: &Ctx, message: &Claimed, timestamp: i64, body: &str) -> Result<String> {
    let secrets = [Some(&message.secret), message.previous_secret.as_ref()];
    let secrets = secrets
        .into_iter()
        .flatten()
        .map(|sealed| open(ctx, message.endpoint_id, sealed))
        .collect::<Result<Vec<_>>>()?;
    signatures(&secrets, &message.event_id, timestamp, body)
        .ok_or_else(|| Error::internal("a webhook's secret is no key"))
}

/// The header `webhook-signature`.
fn signatures(secrets: &[String], id: &str, timestamp: i64, body: &str) -> Option<String> {
    let content = signature::content(id, timestamp, body);
    let macs = secrets
        .iter()
        .map(|secret| Some(hmac_sha256(&signature::key(secret)?, content.as_bytes())))
        .collect::<Option<Vec<_>>>()?;
    Some(signature::header(&macs))
}

fn answered(answer: Incoming, now: DateTime<Utc>) -> Report {
    let asked = answer.retry_after.as_deref();
    Report {
        outcome: Outcome::Answered {
            status: answer.status,
            retry_after: asked.and_then(|text| retry::retry_after(text, now)),
        },
        answer: (!answer.body.is_empty()).then(|| readable(&answer.body)),
        error: None,
    }
}

/// Text that can be stored and shown: what is no UTF-8, or U+0000, is replaced.
fn readable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}")
}

fn unanswered(error: &Error) -> Report {
    match (error.status, error.errors.first()) {
        (422, Some(refused)) => Report::failed(Outcome::Refused, &refused.code),
        _ => Report::failed(Outcome::Silent, error.code.as_ref()),
    }
}

/// A fault of ours, which may be mended before the next attempt.
fn fault(message: &Claimed, error: &Error) -> Report {
    let fields = [
        ("delivery.id", message.id.to_string().into()),
        ("context", error.context.clone().into()),
    ];
    log::write(Level::Error, "webhook", &fields);
    Report::failed(Outcome::Silent, "internal")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the libraries of Standard Webhooks are tested with.
    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned();
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#);
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let one = signatures(std::slice::from_ref(&secret), id, 1_614_265_330, body);
        assert_eq!(one.as_deref(), Some(expected));
        let other = signature::secret([9; 32]);
        let both = signatures(&[other, secret], id, 1_614_265_330, body).unwrap();
        assert_eq!(both.split(' ').count(), 2);
        assert!(both.ends_with(expected), "{both}");
        assert_eq!(signatures(&["none".to_owned()], id, 1, body), None);
    }

    #[test]
    fn an_answer_is_kept_as_text() {
        assert_eq!(readable(b"a\0b\xff"), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn what_was_not_answered_is_told_by_a_code() {
        let refused = rules::invalid::Invalid::one("/url", "url_address_not_public", "no");
        let report = unanswered(&refused.into());
        assert_eq!(report.outcome, Outcome::Refused);
        assert_eq!(report.error.as_deref(), Some("url_address_not_public"));
        let report = unanswered(&Error::unavailable("x"));
        assert_eq!(report.outcome, Outcome::Silent);
    }
}
