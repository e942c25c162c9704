//! Reports of Twilio: the status of one SMS, as a form.
//!
//! Invariant: what is signed is the address that was called and every field in the order of names.
//! A number counts as one that does not work only where Twilio's code says so.
//! Failure: other states are no facts.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Event, Fact};

/// Codes of numbers that cannot be reached by SMS: unknown, a landline, not a mobile number, no
/// route to it.
const DEAD: [&str; 5] = ["30005", "30006", "21211", "21614", "21612"];
/// The recipient answered STOP.
const STOPPED: &str = "21610";

/// Whether a code says that there is no such number to send to.
pub fn is_dead(code: &str) -> bool {
    DEAD.contains(&code)
}

/// What is signed.
pub fn signed(url: &str, form: &[(String, String)]) -> String {
    let mut fields: Vec<_> = form.iter().collect();
    fields.sort();
    let mut text = url.to_owned();
    for (name, value) in fields {
        text.push_str(name);
        text.push_str(value);
    }
    text
}

/// Reads a form; `delivery` is what the address carries along.
pub fn read(form: &[(String, String)], delivery: Option<Uuid>, now: DateTime<Utc>) -> Option<Fact> {
    let field = |name: &str| {
        let found = form.iter().find(|(field, _)| field == name)?;
        Some(found.1.as_str())
    };
    let code = field("ErrorCode").unwrap_or_default();
    let event = match field("MessageStatus")? {
        "delivered" => Event::Delivered,
        "undelivered" | "failed" if code == STOPPED => Event::Unsubscribed,
        "undelivered" | "failed" if is_dead(code) => Event::Bounced,
        "undelivered" | "failed" => Event::Deferred,
        _ => return None,
    };
    Some(Fact {
        delivery_id: delivery,
        provider_id: field("MessageSid").map(str::to_owned),
        address: field("To").map(str::to_owned),
        event,
        note: (!code.is_empty()).then(|| format!("Twilio error {code}")),
        at: now,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(status: &str, code: &str) -> Vec<(String, String)> {
        [
            ("MessageStatus", status),
            ("ErrorCode", code),
            ("MessageSid", "SM1"),
            ("To", "+14155550123"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    #[test]
    fn what_is_signed_is_address_and_fields_by_name() {
        let signed = signed("https://p.example/e?delivery=1", &form("sent", ""));
        let expected =
            "https://p.example/e?delivery=1ErrorCodeMessageSidSM1MessageStatussentTo+14155550123";
        assert_eq!(signed, expected);
    }

    #[test]
    fn a_number_that_is_none_bounces_and_one_that_is_off_does_not() {
        let event = |status, code| {
            read(&form(status, code), None, DateTime::UNIX_EPOCH).map(|fact| fact.event)
        };
        assert_eq!(event("delivered", ""), Some(Event::Delivered));
        assert_eq!(event("undelivered", "30005"), Some(Event::Bounced));
        assert!(is_dead("21614") && !is_dead("30003") && !is_dead(""));
        assert_eq!(event("undelivered", "30003"), Some(Event::Deferred));
        assert_eq!(event("failed", "21610"), Some(Event::Unsubscribed));
        assert_eq!(event("failed", ""), Some(Event::Deferred));
        for status in ["queued", "sent", "sending", ""] {
            assert_eq!(event(status, ""), None);
        }
        assert_eq!(read(&[], None, DateTime::UNIX_EPOCH), None);
    }
}
