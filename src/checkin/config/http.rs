//! Routes of check-in configurations: decode, call, render.
//!
//! Invariant: the guest key is shown to managers only.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::operations::pages;
use crate::platform::http::{Access, Answer, Call, Route, created, json, no_content, routes};

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
    /// For `If-Match`.
    pub version: i64,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

pub use rules::checkin::gate::Gate;
pub use rules::checkin::settings::Settings as PulseSettings;

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_enable, enable => Access::May(Verb::Create, Resource::PulseConfig);
        __path_get, get => Access::May(Verb::Read, Resource::PulseConfig);
        __path_patch, patch => Access::May(Verb::Write, Resource::PulseConfig);
        __path_disable, disable => Access::May(Verb::Delete, Resource::PulseConfig);
    ]
}

/// Enables check-in on a guest list.
#[utoipa::path(post, path = "/pulse", operation_id = "enable_pulse", request_body = EnableIn,
    responses((status = 201, body = PulseConfig)))]
async fn enable(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<EnableIn>().await?;
    created(&super::enable(call.ctx, &scope, input).await?)
}

/// The configuration and cached statistics. A browser that navigates here gets the dashboard page.
#[utoipa::path(get, path = "/pulse/{table_id}", operation_id = "get_pulse",
    params(("table_id" = Uuid, Path)), responses((status = 200, body = PulseConfig)))]
async fn get(call: Call<'_>) -> Answer {
    if pages::wants_html(&call) {
        return pages::serve(&call, "dashboard.html").await;
    }
    let config = super::get(call.ctx, &call.scope().await?, call.id("table_id")?).await?;
    versioned(config)
}

/// Changes settings and gates.
#[utoipa::path(patch, path = "/pulse/{table_id}", operation_id = "update_pulse",
    params(("table_id" = Uuid, Path)), request_body = PulsePatch,
    responses((status = 200, body = PulseConfig)))]
async fn patch(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<PulsePatch>().await?;
    let (table, if_match) = (call.id("table_id")?, call.if_match()?);
    versioned(super::patch(call.ctx, &scope, table, if_match, input).await?)
}

/// Disables check-in. The history stays.
#[utoipa::path(delete, path = "/pulse/{table_id}", operation_id = "disable_pulse",
    params(("table_id" = Uuid, Path)), responses((status = 204)))]
async fn disable(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    super::disable(call.ctx, &scope, call.id("table_id")?, call.if_match()?).await?;
    no_content()
}

fn versioned(config: Value) -> Answer {
    let version = config
        .get("version")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    Ok(json(&config)?.version(version))
}
