//! A signed request to an address of somebody else, as Standard Webhooks has it.
//!
//! Invariant: the same message has the same identifier and body with every attempt; the time of the
//! attempt is signed with them, under every secret that is good. Redirects are not followed.
//! Failure: part of the report.

use std::time::Duration;

use rules::delivery::settle::{KEPT, Outcome};
use rules::delivery::signature;
use worker::Method;

use super::channel::{Report, asked};
use crate::platform::clock;
use crate::platform::crypto::hmac_sha256;
use crate::platform::ctx::Ctx;
use crate::platform::outbound::{self, Limit, Outgoing};

const AGENT: &str = concat!("Pulse-Webhooks/", env!("CARGO_PKG_VERSION"));

/// What is sent.
pub struct Signed<'a> {
    /// Where.
    pub url: &'a str,
    /// Names it to the receiver.
    pub id: &'a str,
    /// The secrets that sign it.
    pub secrets: &'a [String],
    /// JSON.
    pub body: &'a str,
    /// What an answer means.
    pub judge: fn(u16, Option<Duration>) -> Outcome,
}

/// Sends it.
pub async fn post(ctx: &Ctx, signed: &Signed<'_>, patience: Duration) -> Report {
    let now = clock::now();
    let timestamp = now.timestamp();
    let Some(signature) = signatures(signed.secrets, signed.id, timestamp, signed.body) else {
        return Report::failed(Outcome::Withheld, "secret_unusable");
    };
    let timestamp = timestamp.to_string();
    let request = Outgoing {
        method: Method::Post,
        url: signed.url,
        headers: &[
            ("content-type", "application/json"),
            ("user-agent", AGENT),
            ("webhook-id", signed.id),
            ("webhook-timestamp", &timestamp),
            ("webhook-signature", &signature),
        ],
        body: Some(signed.body),
        limit: Limit::Cut(KEPT),
        redirects: false,
        patience,
    };
    match outbound::send(ctx, &request).await {
        Ok(answer) => {
            let outcome = (signed.judge)(answer.status, asked(&answer, now));
            Report::answered(outcome, answer.status, &answer.body)
        }
        Err(error) => Report::unanswered(&error),
    }
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
}
