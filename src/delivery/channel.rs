//! What a channel is: it takes a message to its recipient, once, and reports.
//!
//! Invariant: a channel decides nothing; what its report means is decided by
//! `rules::delivery::settle`, the same for all channels.
//! Failure: part of the report, never an error: every attempt is settled.

use chrono::{DateTime, Utc};
use rules::delivery::retry;
use rules::delivery::settle::Outcome;

use crate::platform::ctx::Ctx;
use crate::platform::error::Error;
use crate::platform::log::{self, Level};
use crate::platform::outbound::Incoming;

/// How messages of one kind reach their recipients.
pub trait Channel {
    /// What it carries.
    type Message;

    /// Makes one attempt, which ends within the patience of `rules::delivery::settle`.
    async fn attempt(&self, ctx: &Ctx, message: &Self::Message) -> Report;
}

/// What came of an attempt.
#[derive(Debug)]
pub struct Report {
    /// The part that is decided on.
    pub outcome: Outcome,
    /// The status that was answered, of HTTP or SMTP.
    pub status: Option<u16>,
    /// How the recipient's answer begins, for people.
    pub answer: Option<String>,
    /// Why there was none, a stable code.
    pub error: Option<String>,
    /// What the provider calls what it took.
    pub provider_id: Option<String>,
}

impl Report {
    /// Nothing was answered.
    pub fn failed(outcome: Outcome, error: impl Into<String>) -> Self {
        Self {
            outcome,
            status: None,
            answer: None,
            error: Some(error.into()),
            provider_id: None,
        }
    }

    /// Something was.
    pub fn answered(outcome: Outcome, status: u16, answer: &[u8]) -> Self {
        Self {
            outcome,
            status: Some(status),
            answer: (!answer.is_empty()).then(|| readable(answer)),
            error: None,
            provider_id: None,
        }
    }

    /// A request that was not answered: refused by us, or out and lost.
    pub fn unanswered(error: &Error) -> Self {
        match (error.status, error.errors.first()) {
            (422, Some(refused)) => Self::failed(Outcome::Withheld, &refused.code),
            _ => Self::failed(Outcome::Unclear, error.code.as_ref()),
        }
    }

    /// A fault of ours, which may be mended before the next attempt. Nothing went out.
    pub fn fault(delivery: uuid::Uuid, error: &Error) -> Self {
        let fields = [
            ("delivery.id", delivery.to_string().into()),
            ("context", error.context.clone().into()),
        ];
        log::write(Level::Error, "delivery", &fields);
        Self::failed(Outcome::Unreached, "internal")
    }
}

/// The wait that an answer asks for.
pub fn asked(answer: &Incoming, now: DateTime<Utc>) -> Option<std::time::Duration> {
    let text = answer.retry_after.as_deref()?;
    retry::retry_after(text, now)
}

/// Text that can be stored and shown: what is no UTF-8, or U+0000, is replaced.
fn readable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_as_text() {
        assert_eq!(readable(b"a\0b\xff"), "a\u{fffd}b\u{fffd}");
        assert_eq!(Report::answered(Outcome::Taken, 204, b"").answer, None);
    }

    #[test]
    fn what_was_not_answered_is_told_by_a_code() {
        let refused = rules::invalid::Invalid::one("/url", "url_address_not_public", "no");
        let report = Report::unanswered(&refused.into());
        assert_eq!(report.outcome, Outcome::Withheld);
        assert_eq!(report.error.as_deref(), Some("url_address_not_public"));
        let report = Report::unanswered(&Error::unavailable("x"));
        assert_eq!(report.outcome, Outcome::Unclear);
    }
}
