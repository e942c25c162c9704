//! What comes in and goes out at check-in configurations.
//!
//! Invariant: unknown fields are refused; settings and gates are read by `rules::checkin`.
//! Failure: see the problems of the API document.

use rules::checkin::badge::Template;
use rules::checkin::gate::Gate;
use rules::checkin::settings::Settings as PulseSettings;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Enables check-in on a table.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnableIn {
    /// The guest list.
    pub table_id: Uuid,
    /// See `PulseSettings`; what is absent has its default.
    #[schema(value_type = Option<PulseSettings>)]
    pub settings: Option<Value>,
    /// At most 200.
    #[schema(value_type = Option<Vec<Gate>>, max_items = 200)]
    pub gates: Option<Value>,
}

/// Changes a configuration; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PulsePatch {
    /// The settings to change; `null` puts one back to its default.
    #[schema(value_type = Option<PulseSettings>)]
    pub settings: Option<Value>,
    /// All gates, replacing the ones before.
    #[schema(value_type = Option<Vec<Gate>>, max_items = 200)]
    pub gates: Option<Value>,
}

/// Check-in on a table.
#[derive(Serialize, ToSchema)]
pub struct PulseConfig {
    /// The guest list.
    pub table_id: Uuid,
    /// Whether scans are taken.
    pub enabled: bool,
    /// All settings.
    #[schema(inline)]
    pub settings: PulseSettings,
    /// The gates.
    pub gates: Vec<Gate>,
    /// Statistics as Postgres caches them, about a second behind the dashboard.
    pub stats: Value,
    /// What guest scanners present; managers only.
    pub guest_key: Option<String>,
    /// What badges look like, if not as usual.
    pub badge_template: Option<Template>,
    /// For `If-Match`.
    pub version: i64,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}
