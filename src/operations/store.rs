//! SQL of operations: heartbeats, what a tick finds, health and metrics.
//!
//! Invariant: all of it works across tenants, through functions with fixed text and narrow answers.
//! Failure: what one tick does not get done, the next one finds.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value;

use crate::checkin::LiveTable;
use crate::platform::pg::Function;

/// What the minute found.
#[derive(Deserialize)]
pub struct Due {
    /// Tables whose live objects are behind.
    #[serde(default)]
    pub stale_tables: Vec<LiveTable>,
    /// Channels with events that were not broadcast.
    #[serde(default)]
    pub channels: Vec<Value>,
    /// Lines of abandoned imports that were deleted.
    #[serde(default)]
    pub swept_imports: i64,
}

/// When each part last ran.
#[derive(Deserialize)]
pub struct Beats {
    /// By the part's name.
    pub heartbeats: HashMap<String, Beat>,
}

/// When a part last ran.
#[derive(Deserialize)]
pub struct Beat {
    /// Seconds ago.
    pub age_seconds: i64,
}

/// Gauges of the whole deployment.
#[derive(Deserialize)]
pub struct Metrics {
    /// By their names.
    pub gauges: BTreeMap<String, Value>,
    /// By the part's name.
    pub heartbeats: BTreeMap<String, Beat>,
}

/// Beats the cron's heart and finds what is due.
pub const CRON: Function<Value, Due> = Function::new("select app.tick($1::text::jsonb)::text");

/// Beats another heart.
pub const BEAT: Function<Value, Value> = Function::new("select app.tick($1::text::jsonb)::text");

/// Objects that were to let everybody out and have not said that they did.
pub const EXITS: Function<Value, Vec<LiveTable>> =
    Function::new("select app.exits_due($1::text::jsonb)::text");

/// Deletes what has outlived its use; answers how much of each.
pub const SWEEP: Function<Value, BTreeMap<String, Value>> =
    Function::new("select app.sweep($1::text::jsonb)::text");

/// A round trip, and when each part last ran.
pub const HEALTH: Function<Value, Beats> =
    Function::new("select app.health($1::text::jsonb)::text");

/// Gauges, and when each part last ran.
pub const METRICS: Function<Value, Metrics> = Function::new(
    "select jsonb_build_object('gauges',
              app.metrics($1::text::jsonb) || app.monitor_metrics($1::text::jsonb),
              'heartbeats', app.health('{}')->'heartbeats')::text",
);
