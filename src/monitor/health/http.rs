//! The route of the monitor's health: decode, call, render.
//!
//! Invariant: nothing is decided here.
//! Failure: 503 when the schedule stalls.

use super::MonitorHealth;
use crate::platform::http::{Access, Answer, Body, Call, Reply, Route, json, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![__path_health, health => Access::Public;]
}

/// Whether checks run when they are due. With a credential it says which of the tenant's connections
/// are late, and by how much.
#[utoipa::path(get, path = "/api/health", operation_id = "get_monitor_health",
    responses((status = 200, body = MonitorHealth), (status = 503, body = MonitorHealth)))]
async fn health(call: Call<'_>) -> Answer {
    let scope = match call.head.authorization.is_empty() {
        true => None,
        false => Some(call.scope().await?),
    };
    let health = super::check(call.ctx, scope.as_ref()).await?;
    if !health.is_stalled() {
        return json(&health);
    }
    let body = serde_json::to_string(&health)?;
    Ok(Reply::new(503, Body::Text("application/json", body)).header("retry-after", "10"))
}
