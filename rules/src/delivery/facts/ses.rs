//! Reports of Amazon SES, which come as notifications of Amazon SNS.
//!
//! Invariant: what is signed is put together as SNS says, byte for byte. A bounce counts for good
//! when SES calls it permanent.
//! Failure: a notification that is none is refused; one of another kind has no facts.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Event, Fact, TAG};

/// A notification of SNS as it came.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Notification {
    /// What it is.
    #[serde(rename = "Type")]
    pub kind: String,
    message: String,
    message_id: String,
    subject: Option<String>,
    timestamp: String,
    /// The topic it belongs to.
    pub topic_arn: String,
    token: Option<String>,
    /// Where a subscription is confirmed.
    #[serde(rename = "SubscribeURL")]
    pub subscribe_url: Option<String>,
    /// 1: SHA-1; 2: SHA-256.
    pub signature_version: String,
    /// Base64.
    pub signature: String,
    /// Where the certificate is.
    #[serde(rename = "SigningCertURL")]
    pub signing_cert_url: String,
}

/// A notification that reports something.
pub const NOTIFICATION: &str = "Notification";
/// One that asks whether the topic is wanted.
pub const CONFIRMATION: &str = "SubscriptionConfirmation";

impl Notification {
    /// What is signed; none for a kind that is not known.
    pub fn signed(&self) -> Option<String> {
        let (subject, url, token) = (&self.subject, &self.subscribe_url, &self.token);
        let mut parts = vec![
            ("Message", Some(&self.message)),
            ("MessageId", Some(&self.message_id)),
        ];
        match self.kind.as_str() {
            NOTIFICATION => parts.push(("Subject", subject.as_ref())),
            CONFIRMATION | "UnsubscribeConfirmation" => {
                parts.push(("SubscribeURL", url.as_ref()));
            }
            _ => return None,
        }
        parts.push(("Timestamp", Some(&self.timestamp)));
        if self.kind != NOTIFICATION {
            parts.push(("Token", token.as_ref()));
        }
        parts.extend([
            ("TopicArn", Some(&self.topic_arn)),
            ("Type", Some(&self.kind)),
        ]);
        let lines = parts.iter().filter_map(|(name, value)| {
            let value = (*value)?;
            Some(format!("{name}\n{value}\n"))
        });
        Some(lines.collect())
    }

    /// When it was made.
    pub fn at(&self) -> Option<DateTime<Utc>> {
        self.timestamp.parse().ok()
    }

    /// What it reports.
    pub fn facts(&self, now: DateTime<Utc>) -> Vec<Fact> {
        read(&self.message, self.at().unwrap_or(now))
    }
}

/// Whether an address is one of SNS's own, where certificates are and subscriptions are confirmed.
pub fn is_amazons(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    let region = host
        .strip_prefix("sns.")
        .and_then(|rest| {
            rest.strip_suffix(".amazonaws.com")
                .or(rest.strip_suffix(".amazonaws.com.cn"))
        })
        .unwrap_or_default();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    url.scheme() == "https"
        && url.port().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && !region.is_empty()
        && region.chars().all(plain)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    #[serde(alias = "notificationType")]
    event_type: String,
    mail: Mail,
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mail {
    message_id: Option<String>,
    #[serde(default)]
    destination: Vec<String>,
    #[serde(default)]
    tags: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    bounce_type: String,
    #[serde(default)]
    bounced_recipients: Vec<Recipient>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    #[serde(default)]
    complained_recipients: Vec<Recipient>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    email_address: Option<String>,
    diagnostic_code: Option<String>,
}

fn read(message: &str, at: DateTime<Utc>) -> Vec<Fact> {
    let Ok(report) = serde_json::from_str::<Report>(message) else {
        return Vec::new();
    };
    let (bounce, complaint) = (report.bounce, report.complaint);
    let (event, mut whom) = match (report.event_type.as_str(), bounce, complaint) {
        ("Delivery", ..) => (Event::Delivered, Vec::new()),
        ("Bounce", Some(bounce), _) => match bounce.bounce_type.as_str() {
            "Permanent" => (Event::Bounced, bounce.bounced_recipients),
            _ => (Event::Deferred, bounce.bounced_recipients),
        },
        ("Complaint", _, Some(complaint)) => (Event::Complained, complaint.complained_recipients),
        _ => return Vec::new(),
    };
    // One message, one recipient.
    let first = (!whom.is_empty()).then(|| whom.swap_remove(0));
    let (address, note) = first.map_or((None, None), |recipient| {
        (recipient.email_address, recipient.diagnostic_code)
    });
    vec![Fact {
        delivery_id: report
            .mail
            .tags
            .get(TAG)
            .and_then(|values| values.get(0)?.as_str())
            .and_then(|id| Uuid::try_parse(id).ok()),
        provider_id: report.mail.message_id,
        address: address.or(report.mail.destination.into_iter().next()),
        event,
        note,
        at,
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn notification(kind: &str, extra: Value) -> Notification {
        let mut all = json!({"Type": kind, "MessageId": "id", "TopicArn": "arn:t", "Message": "m",
            "Timestamp": "2026-06-01T18:30:00.000Z", "SignatureVersion": "1", "Signature": "s",
            "SigningCertURL": "https://sns.us-west-2.amazonaws.com/x.pem"});
        for (key, value) in extra.as_object().unwrap() {
            all[key] = value.clone();
        }
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn what_is_signed_is_what_sns_says() {
        assert_eq!(
            notification("Notification", json!({"Subject": "Hi"}))
                .signed()
                .as_deref(),
            Some(
                "Message\nm\nMessageId\nid\nSubject\nHi\nTimestamp\n2026-06-01T18:30:00.000Z\n\
                  TopicArn\narn:t\nType\nNotification\n"
            )
        );
        let without = notification("Notification", json!({})).signed().unwrap();
        assert!(!without.contains("Subject"));
        let confirmation = json!({"SubscribeURL": "https://u", "Token": "k"});
        assert_eq!(
            notification("SubscriptionConfirmation", confirmation)
                .signed()
                .as_deref(),
            Some(
                "Message\nm\nMessageId\nid\nSubscribeURL\nhttps://u\nTimestamp\n\
                  2026-06-01T18:30:00.000Z\nToken\nk\nTopicArn\narn:t\nType\nSubscriptionConfirmation\n"
            )
        );
        assert_eq!(notification("Other", json!({})).signed(), None);
    }

    #[test]
    fn a_certificate_comes_from_amazon_or_not_at_all() {
        for good in [
            "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-x.pem",
            "https://sns.cn-north-1.amazonaws.com.cn/x.pem",
        ] {
            assert!(is_amazons(good), "{good}");
        }
        for bad in [
            "http://sns.us-east-1.amazonaws.com/x.pem",
            "https://sns.us-east-1.amazonaws.com.evil.example/x.pem",
            "https://evil.example/sns.us-east-1.amazonaws.com/x.pem",
            "https://sns.us-east-1.amazonaws.com@evil.example/x.pem",
            "https://sns.us-east-1.amazonaws.com:8443/x.pem",
            "https://sns.evil.example#.amazonaws.com/x.pem",
            "https://sns.a.b.amazonaws.com/x.pem",
            "https://sns..amazonaws.com/x.pem",
            "https://s3.amazonaws.com/bucket/x.pem",
            "https://amazonaws.com/x.pem",
            "file:///etc/passwd",
            "",
        ] {
            assert!(!is_amazons(bad), "{bad}");
        }
    }

    #[test]
    fn only_a_permanent_bounce_is_one() {
        let bounce = |kind: &str| {
            let message = json!({"eventType": "Bounce",
                "bounce": {"bounceType": kind, "bouncedRecipients": [
                    {"emailAddress": "ada@example.org", "diagnosticCode": "smtp; 550 5.1.1"}]},
                "mail": {"messageId": "m1", "destination": ["x@example.org"],
                    "tags": {"delivery": ["0197a3c0-f2b6-7d0e-8a4b-1c2d3e4f5a6b"]}}});
            let note = json!({"Message": message.to_string()});
            notification("Notification", note)
                .facts(DateTime::UNIX_EPOCH)
                .remove(0)
        };
        let fact = bounce("Permanent");
        assert_eq!(fact.event, Event::Bounced);
        assert_eq!(fact.address.as_deref(), Some("ada@example.org"));
        assert_eq!(fact.note.as_deref(), Some("smtp; 550 5.1.1"));
        assert!(fact.delivery_id.is_some() && fact.provider_id.as_deref() == Some("m1"));
        assert_eq!(bounce("Transient").event, Event::Deferred);
        assert_eq!(bounce("Undetermined").event, Event::Deferred);
    }

    #[test]
    fn notifications_of_identities_have_another_name_for_their_kind() {
        let message = json!({"notificationType": "Complaint",
            "complaint": {"complainedRecipients": [{"emailAddress": "ada@example.org"}]},
            "mail": {"messageId": "m1", "destination": ["ada@example.org"]}});
        let note = notification("Notification", json!({"Message": message.to_string()}));
        assert_eq!(note.facts(DateTime::UNIX_EPOCH)[0].event, Event::Complained);
        for odd in [
            "",
            "{}",
            r#"{"eventType":"Open","mail":{}}"#,
            r#"{"eventType":"Bounce","mail":{}}"#,
        ] {
            let note = notification("Notification", json!({"Message": odd}));
            assert_eq!(note.facts(DateTime::UNIX_EPOCH), [], "{odd}");
        }
    }
}
