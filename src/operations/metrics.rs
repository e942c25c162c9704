//! `GET /metrics`: gauges for Prometheus, of the whole deployment rather than of one isolate.
//!
//! Invariant: one round trip to the database; a database that is away is a metric, not a failure.
//! Failure: 401 without the operator token, where one is set.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use super::store::{self, Metrics};
use crate::platform::http::{Access, Answer, Body, Call, Reply, Route, routes};
use crate::platform::pg::within;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Prometheus text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

fn render(metrics: Option<&Metrics>) -> String {
    let mut text = String::with_capacity(2048);
    let version = env!("CARGO_PKG_VERSION");
    gauge(&mut text, "pulse_build_info", "The Worker that answers.");
    let _ = writeln!(text, "pulse_build_info{{version=\"{version}\"}} 1");
    gauge(&mut text, "pulse_database_up", "Whether Postgres answers.");
    let _ = writeln!(text, "pulse_database_up {}", u8::from(metrics.is_some()));
    let Some(metrics) = metrics else { return text };
    gauge(
        &mut text,
        "pulse_heartbeat_age_seconds",
        "Since the cron and the queue last ran.",
    );
    for (name, beat) in &metrics.heartbeats {
        let age = beat.age_seconds;
        let _ = writeln!(
            text,
            "pulse_heartbeat_age_seconds{{name=\"{}\"}} {age}",
            label(name)
        );
    }
    for (name, value) in &metrics.gauges {
        let Some(value) = value.as_f64() else {
            continue;
        };
        let name = format!("pulse_{}", label(name));
        gauge(&mut text, &name, "As counted in Postgres.");
        let _ = writeln!(text, "{name} {value}");
    }
    text
}

fn gauge(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
}

/// What a name or label may hold without quoting.
fn label(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![__path_get_metrics, get_metrics => Access::Operator;]
}

/// Gauges in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "get_metrics",
    responses((status = 200, body = String, content_type = "text/plain")))]
async fn get_metrics(call: Call<'_>) -> Answer {
    call.operator()?;
    let asked = json!({});
    let metrics = within(PATIENCE, call.ctx.pg.function(&store::METRICS, &asked))
        .await
        .ok();
    Ok(Reply::new(200, Body::Text(TEXT, render(metrics.as_ref()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_prometheus_text() {
        let metrics = serde_json::from_value(json!({
            "gauges": {"tenants": 3, "note": "x"},
            "heartbeats": {"cron": {"at": "2026-01-01T00:00:00.000Z", "age_seconds": 12}},
        }));
        let text = render(Some(&metrics.unwrap()));
        assert!(
            text.contains("# TYPE pulse_tenants gauge\npulse_tenants 3\n"),
            "{text}"
        );
        assert!(
            text.contains("pulse_heartbeat_age_seconds{name=\"cron\"} 12\n"),
            "{text}"
        );
        assert!(!text.contains("note"), "{text}");
    }

    #[test]
    fn a_database_that_is_away_is_a_metric() {
        let text = render(None);
        assert!(text.contains("\npulse_database_up 0\n"), "{text}");
        assert!(!text.contains("heartbeat"), "{text}");
    }
}
