//! Reports of Resend: one event for each request.
//!
//! Invariant: a bounce counts for good when Resend calls it permanent.
//! Failure: other events are no facts.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{Event, Fact, TAG};

#[derive(Deserialize)]
struct Report {
    #[serde(rename = "type")]
    kind: String,
    created_at: Option<DateTime<Utc>>,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    email_id: Option<String>,
    #[serde(default)]
    to: Vec<String>,
    #[serde(default)]
    tags: Value,
    bounce: Option<Bounce>,
    failed: Option<Failed>,
}

#[derive(Deserialize)]
struct Bounce {
    #[serde(rename = "type")]
    kind: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Failed {
    reason: Option<String>,
}

/// Reads a request's body.
pub fn read(body: &str, now: DateTime<Utc>) -> Vec<Fact> {
    let Ok(report) = serde_json::from_str::<Report>(body) else {
        return Vec::new();
    };
    let data = report.data;
    let permanent = data
        .bounce
        .as_ref()
        .is_some_and(|bounce| bounce.kind.as_deref() == Some("Permanent"));
    let event = match report.kind.as_str() {
        "email.delivered" => Event::Delivered,
        "email.bounced" if permanent => Event::Bounced,
        "email.bounced" | "email.delivery_delayed" | "email.failed" => Event::Deferred,
        "email.complained" => Event::Complained,
        _ => return Vec::new(),
    };
    let delivery_id = tag(&data.tags).and_then(|id| id.parse().ok());
    let note = data
        .bounce
        .and_then(|bounce| bounce.message)
        .or(data.failed.and_then(|failed| failed.reason));
    vec![Fact {
        delivery_id,
        provider_id: data.email_id,
        address: data.to.into_iter().next(),
        event,
        note,
        at: report.created_at.unwrap_or(now),
    }]
}

/// The value of our tag: tags come as an object, or as a list of names and values.
fn tag(tags: &Value) -> Option<&str> {
    match tags {
        Value::Object(tags) => tags.get(TAG)?.as_str(),
        Value::Array(tags) => {
            let ours = tags
                .iter()
                .find(|tag| tag.get("name").is_some_and(|name| name == TAG))?;
            ours.get("value")?.as_str()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(kind: &str, extra: Value) -> Vec<Fact> {
        let mut data = json!({"email_id": "e1", "to": ["ada@example.org"],
                              "tags": {"delivery": "0197a3c0-f2b6-7d0e-8a4b-1c2d3e4f5a6b"}});
        for (key, value) in extra.as_object().unwrap() {
            data[key] = value.clone();
        }
        let body = json!({"type": kind, "created_at": "2026-06-01T18:30:00.000Z", "data": data});
        read(&body.to_string(), DateTime::UNIX_EPOCH)
    }

    #[test]
    fn only_a_permanent_bounce_is_one() {
        let bounce = |kind: &str| json!({"bounce": {"type": kind, "message": "no such user"}});
        let fact = &report("email.bounced", bounce("Permanent"))[0];
        assert_eq!(fact.event, Event::Bounced);
        assert_eq!(fact.note.as_deref(), Some("no such user"));
        assert_eq!(fact.provider_id.as_deref(), Some("e1"));
        assert_eq!(fact.address.as_deref(), Some("ada@example.org"));
        let id = fact.delivery_id.map(|id| id.to_string());
        assert_eq!(id.as_deref(), Some("0197a3c0-f2b6-7d0e-8a4b-1c2d3e4f5a6b"));
        for kind in ["Transient", "Undetermined", ""] {
            assert_eq!(
                report("email.bounced", bounce(kind))[0].event,
                Event::Deferred
            );
        }
    }

    #[test]
    fn the_other_events_are_what_they_are() {
        for (kind, event) in [
            ("email.delivered", Event::Delivered),
            ("email.complained", Event::Complained),
            ("email.delivery_delayed", Event::Deferred),
            ("email.failed", Event::Deferred),
        ] {
            assert_eq!(report(kind, json!({}))[0].event, event);
        }
        for kind in ["email.opened", "email.sent", "contact.created", ""] {
            assert_eq!(report(kind, json!({})), []);
        }
    }

    #[test]
    fn tags_come_as_a_list_too() {
        let tags = json!([{"name": "x", "value": "y"},
                          {"name": "delivery", "value": "0197a3c0-f2b6-7d0e-8a4b-1c2d3e4f5a6b"}]);
        let fact = &report("email.delivered", json!({"tags": tags}))[0];
        assert!(fact.delivery_id.is_some());
        assert!(
            report("email.delivered", json!({"tags": null}))[0]
                .delivery_id
                .is_none()
        );
    }

    #[test]
    fn what_is_not_understood_is_no_fact() {
        for body in ["", "[]", "{}", r#"{"type":"email.bounced"}"#, "null"] {
            assert_eq!(read(body, DateTime::UNIX_EPOCH), [], "{body}");
        }
    }
}
