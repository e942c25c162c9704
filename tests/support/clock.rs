//! Times as the API writes them, and the header that moves the clock of one request.
//!
//! Invariant: only test stacks obey the header; a stack that does not makes its tests fail.
//! Failure: text that is no time panics with the text.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// The header that moves the clock of the request that carries it.
pub const HEADER: &str = "x-pulse-now";

/// An instant from RFC 3339 text.
pub fn time(text: &str) -> DateTime<Utc> {
    text.parse()
        .unwrap_or_else(|_| panic!("no RFC 3339 time: {text}"))
}

/// An instant as the API writes it: UTC, milliseconds, `Z`.
pub fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// So many seconds from now; negative for the past.
pub fn seconds_from_now(seconds: i64) -> DateTime<Utc> {
    Utc::now() + TimeDelta::seconds(seconds)
}
