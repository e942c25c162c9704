//! What an endpoint can ask for, and the body of an event.
//!
//! Invariant: a type is words of `[a-z0-9_]` with full stops between them; a pattern is a type, or
//! a group followed by `.*`.
//! Failure: an unknown pattern is refused at its pointer.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::checkin::event::{EventType, ScanEvent};
use crate::invalid::Invalid;
use crate::time;

/// The event a test sends; it comes whatever the endpoint asked for.
pub const PING: &str = "ping";
/// Everything that happens at a door.
pub const EVERY_CHECKIN: &str = "checkin.*";
/// Most patterns of an endpoint.
pub const MAX_PATTERNS: usize = 20;

/// Checks the patterns that came in at `pointer`: sorted, each once.
pub fn parse(pointer: &str, patterns: Vec<String>) -> Result<Vec<String>, Invalid> {
    let mut invalid = Invalid::default();
    if patterns.is_empty() {
        invalid.add(pointer, "required", "Must name at least one event.");
    }
    if patterns.len() > MAX_PATTERNS {
        invalid.add(
            pointer,
            "too_many",
            format!("Must name at most {MAX_PATTERNS} events."),
        );
    }
    for (at, pattern) in patterns.iter().enumerate() {
        if !is_known(pattern) {
            invalid.add(
                format!("{pointer}/{at}"),
                "unknown_event",
                "Must be a type of event such as checkin.accepted, or checkin.*.",
            );
        }
    }
    let mut patterns = invalid.or(patterns)?;
    patterns.sort();
    patterns.dedup();
    Ok(patterns)
}

fn is_known(pattern: &str) -> bool {
    pattern == EVERY_CHECKIN || EventType::ALL.iter().any(|event| event.as_str() == pattern)
}

/// The data of a check-in event: what the `scans` channel carries, and of which table.
#[derive(Clone, Debug, Serialize)]
pub struct CheckinData {
    /// The check-in table.
    pub table_id: Uuid,
    /// The event of the channel.
    #[serde(flatten)]
    pub event: ScanEvent,
}

/// The data of a [`PING`].
#[derive(Clone, Debug, Serialize)]
pub struct PingData {
    /// The endpoint that is tested.
    pub webhook_id: Uuid,
}

/// The body of an event; `at` is when it happened, which no retry changes.
#[derive(Clone, Debug, Serialize)]
pub struct Body<'a, T> {
    /// The type.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// When it happened.
    #[serde(rename = "timestamp", with = "time::ms")]
    pub at: DateTime<Utc>,
    /// What happened.
    pub data: T,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(patterns: &[&str]) -> Vec<String> {
        patterns
            .iter()
            .map(|pattern| (*pattern).to_owned())
            .collect()
    }

    #[test]
    fn patterns_are_types_or_groups_each_once() {
        let parsed = parse(
            "/events",
            words(&["checkin.refused", "checkin.*", "checkin.refused"]),
        );
        assert_eq!(parsed.unwrap(), ["checkin.*", "checkin.refused"]);
        for event in EventType::ALL {
            assert!(event.as_str().starts_with("checkin."));
            assert_eq!(
                parse("/events", words(&[event.as_str()])).unwrap(),
                [event.as_str()]
            );
        }
    }

    #[test]
    fn every_unknown_pattern_is_named() {
        let bad = words(&[
            "*",
            "checkin.accepted",
            "checkin",
            "ping",
            "checkin.*.x",
            "",
        ]);
        let pointers: Vec<_> = parse("/events", bad)
            .unwrap_err()
            .errors
            .into_iter()
            .map(|error| error.pointer)
            .collect();
        assert_eq!(
            pointers,
            [
                "/events/0",
                "/events/2",
                "/events/3",
                "/events/4",
                "/events/5"
            ]
        );
        assert_eq!(
            parse("/events", Vec::new()).unwrap_err().errors[0].code,
            "required"
        );
        let many = vec!["checkin.*".to_owned(); MAX_PATTERNS + 1];
        assert_eq!(
            parse("/events", many).unwrap_err().errors[0].code,
            "too_many"
        );
    }

    #[test]
    fn a_body_names_type_time_and_data() {
        let body = Body {
            kind: PING,
            at: time::from_ms(1_717_266_600_007),
            data: PingData {
                webhook_id: Uuid::nil(),
            },
        };
        assert_eq!(
            serde_json::to_string(&body).unwrap(),
            r#"{"type":"ping","timestamp":"2024-06-01T18:30:00.007Z","data":{"webhook_id":"00000000-0000-0000-0000-000000000000"}}"#
        );
    }
}
