//! An Opsgenie integration: `POST /v2/alerts`, and `…/{alias}/close` when it is over.
//!
//! Invariant: what is about the same incident has the same alias, so a repeat joins it.
//! Failure: part of the report.

use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{self, JSON, Post, cut};
use super::pagerduty::dedup_key;
use super::{Channel, Report};
use crate::delivery::messages::{AlertStatus, Letter, Severity};
use crate::platform::ctx::Ctx;

const API: &str = "https://api.opsgenie.com";
const API_EU: &str = "https://api.eu.opsgenie.com";

/// The channel.
#[derive(Deserialize)]
pub struct Opsgenie {
    api_key: String,
    region: Option<String>,
    base_url: Option<String>,
}

/// The body of a new alert.
fn body(letter: &Letter, alias: &str) -> Value {
    let severity = letter.content.alert.as_ref().map(|alert| alert.severity);
    json!({
        "message": cut(&letter.content.subject, 130),
        "alias": alias,
        "description": cut(&letter.text, 15_000),
        "source": "Pulse",
        "priority": match severity.unwrap_or_default() {
            Severity::Critical => "P1",
            Severity::Error => "P2",
            Severity::Warning => "P3",
            Severity::Info => "P5",
        },
    })
}

impl Channel for Opsgenie {
    type Message = Letter;

    async fn attempt(&self, ctx: &Ctx, letter: &Letter) -> Report {
        let own = match self.region.as_deref() {
            Some("eu") => API_EU,
            _ => API,
        };
        let base = api::base(self.base_url.as_ref(), own);
        let alias = dedup_key(letter);
        let alert = letter.content.alert.as_ref();
        let over = alert.is_some_and(|alert| alert.status == AlertStatus::Resolved);
        let (url, body) = match over {
            true => {
                let alias = worker::js_sys::encode_uri_component(&alias);
                let url = format!("{base}/v2/alerts/{alias}/close?identifierType=alias");
                (url, json!({"source": "Pulse"}))
            }
            false => (format!("{base}/v2/alerts"), body(letter, &alias)),
        };
        let request = Post {
            url: &url,
            content_type: JSON,
            headers: &[("authorization", &format!("GenieKey {}", self.api_key))],
            body: &body.to_string(),
        };
        match api::post(ctx, &request).await {
            Ok(answer) => {
                let id = answer.at("/requestId");
                answer.called(id)
            }
            Err(report) => report,
        }
    }
}
