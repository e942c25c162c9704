//! A PagerDuty service: Events API v2, `POST /v2/enqueue`.
//!
//! Invariant: what is about the same incident has the same `dedup_key`, so a repeat joins it.
//! Failure: part of the report.

use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{self, JSON, Post, cut};
use super::{Channel, Report};
use crate::delivery::messages::{AlertStatus, Letter, Severity};
use crate::platform::ctx::Ctx;

const API: &str = "https://events.pagerduty.com";
const API_EU: &str = "https://events.eu.pagerduty.com";

/// The channel.
#[derive(Deserialize)]
pub struct Pagerduty {
    routing_key: String,
    region: Option<String>,
    base_url: Option<String>,
}

/// What names the incident of a message.
pub fn dedup_key(letter: &Letter) -> String {
    let content = &letter.content;
    let named = content
        .alert
        .as_ref()
        .and_then(|alert| alert.dedup_key.clone());
    let own = || format!("{}:{}", content.source_kind, content.source_id);
    cut(&named.unwrap_or_else(own), 255)
}

impl Pagerduty {
    fn body(&self, letter: &Letter) -> Value {
        let alert = letter.content.alert.as_ref();
        let over = alert.is_some_and(|alert| alert.status == AlertStatus::Resolved);
        let severity = alert.map_or(Severity::Info, |alert| alert.severity);
        json!({
            "routing_key": self.routing_key,
            "event_action": if over { "resolve" } else { "trigger" },
            "dedup_key": dedup_key(letter),
            "payload": {
                "summary": cut(&letter.content.subject, 1_024),
                "source": letter.content.topic_name.as_deref().unwrap_or("Pulse"),
                "severity": severity,
                "timestamp": letter.at.to_rfc3339(),
                "custom_details": {"text": cut(&letter.text, 20_000)},
            },
        })
    }
}

impl Channel for Pagerduty {
    type Message = Letter;

    async fn attempt(&self, ctx: &Ctx, letter: &Letter) -> Report {
        let own = match self.region.as_deref() {
            Some("eu") => API_EU,
            _ => API,
        };
        let base = api::base(self.base_url.as_ref(), own);
        let request = Post {
            url: &format!("{base}/v2/enqueue"),
            content_type: JSON,
            headers: &[],
            body: &self.body(letter).to_string(),
        };
        match api::post(ctx, &request).await {
            Ok(answer) => {
                let id = answer.at("/dedup_key");
                answer.called(id)
            }
            Err(report) => report,
        }
    }
}
