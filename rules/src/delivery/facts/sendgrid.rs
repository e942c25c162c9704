//! Reports of SendGrid: many events in one request.
//!
//! Invariant: a bounce of the type `blocked` is one of this time only.
//! Failure: other events, and those that are not understood, are no facts.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Event, Fact};

#[derive(Deserialize)]
struct Report {
    event: String,
    email: Option<String>,
    timestamp: Option<i64>,
    sg_message_id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    reason: Option<String>,
    delivery: Option<String>,
}

/// Reads a request's body.
pub fn read(body: &str, now: DateTime<Utc>) -> Vec<Fact> {
    let reports: Vec<Value> = serde_json::from_str(body).unwrap_or_default();
    let reports = reports.into_iter();
    reports
        .filter_map(|report| fact(serde_json::from_value(report).ok()?, now))
        .collect()
}

fn fact(report: Report, now: DateTime<Utc>) -> Option<Fact> {
    let event = match (report.event.as_str(), report.kind.as_deref()) {
        ("delivered", _) => Event::Delivered,
        ("bounce", Some("blocked")) | ("deferred", _) => Event::Deferred,
        ("bounce", _) => Event::Bounced,
        ("dropped", _) => dropped(report.reason.as_deref().unwrap_or_default()),
        ("spamreport", _) => Event::Complained,
        ("unsubscribe" | "group_unsubscribe", _) => Event::Unsubscribed,
        _ => return None,
    };
    let at = report
        .timestamp
        .and_then(|at| DateTime::from_timestamp(at, 0));
    Some(Fact {
        delivery_id: report.delivery.and_then(|id| Uuid::try_parse(&id).ok()),
        // What follows the first full stop names the part of SendGrid that had it.
        provider_id: report.sg_message_id.map(|id| {
            let own = id.split('.').next().unwrap_or_default();
            own.to_owned()
        }),
        address: report.email,
        event,
        note: report.reason,
        at: at.unwrap_or(now),
    })
}

/// Why SendGrid did not even try.
fn dropped(reason: &str) -> Event {
    match reason {
        "Bounced Address" | "Invalid" => Event::Bounced,
        "Spam Reporting Address" => Event::Complained,
        "Unsubscribed Address" => Event::Unsubscribed,
        _ => Event::Deferred,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn events(reports: Value) -> Vec<Event> {
        let facts = read(&reports.to_string(), DateTime::UNIX_EPOCH);
        facts.into_iter().map(|fact| fact.event).collect()
    }

    #[test]
    fn a_report_names_delivery_message_and_address() {
        let body = json!([{"email": "ada@example.org", "timestamp": 1_780_338_600, "event": "bounce",
            "type": "bounce", "reason": "550 no", "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.1",
            "delivery": "0197a3c0-f2b6-7d0e-8a4b-1c2d3e4f5a6b"}]);
        let fact = read(&body.to_string(), DateTime::UNIX_EPOCH).remove(0);
        assert_eq!(fact.provider_id.as_deref(), Some("14c5d75ce93"));
        assert_eq!(
            (fact.event, fact.note.as_deref()),
            (Event::Bounced, Some("550 no"))
        );
        assert!(fact.delivery_id.is_some());
        assert_eq!(fact.at.timestamp(), 1_780_338_600);
    }

    #[test]
    fn what_is_blocked_or_deferred_is_no_bounce() {
        let reports = json!([{"event": "bounce", "type": "blocked"}, {"event": "deferred"},
            {"event": "bounce"}, {"event": "delivered"}, {"event": "spamreport"},
            {"event": "group_unsubscribe"}, {"event": "open"}, {"event": 7}, "x"]);
        use Event::*;
        assert_eq!(
            events(reports),
            [
                Deferred,
                Deferred,
                Bounced,
                Delivered,
                Complained,
                Unsubscribed
            ]
        );
    }

    #[test]
    fn what_was_dropped_says_why() {
        let dropped = |reason: &str| events(json!([{"event": "dropped", "reason": reason}]))[0];
        assert_eq!(dropped("Bounced Address"), Event::Bounced);
        assert_eq!(dropped("Spam Reporting Address"), Event::Complained);
        assert_eq!(dropped("Unsubscribed Address"), Event::Unsubscribed);
        assert_eq!(dropped("Spam Content"), Event::Deferred);
    }

    #[test]
    fn what_is_no_list_has_no_facts() {
        for body in ["", "{}", "null", "[{}]", "[[]]"] {
            assert_eq!(read(body, DateTime::UNIX_EPOCH), [], "{body}");
        }
    }
}
