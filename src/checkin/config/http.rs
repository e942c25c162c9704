//! Routes of check-in configurations: decode, call, render.
//!
//! Invariant: the guest key is shown to managers only.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};
use serde_json::Value;

use super::wire::{EnableIn, PulseConfig, PulsePatch};
use crate::operations;
use crate::platform::http::{Access, Answer, Call, Route, created, json, no_content, routes};

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
    if operations::wants_html(&call) {
        return operations::page(&call, "dashboard.html").await;
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
