//! Check-in on a guest list: enabled or not, with which settings and gates.
//!
//! Invariant: disabling keeps all history; enabling again goes on with it. Settings and gates are
//! whole and valid in Postgres; the live object follows them.
//! Failure: a change that reached Postgres but not the object is picked up by the minute sweep.

pub mod http;
mod store;
mod wire;

use rules::checkin::gate;
use rules::checkin::settings::Settings;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::changed;
use crate::platform::crypto;
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::scope::Scope;
use wire::{EnableIn, PulsePatch};

/// Enables check-in on a table.
pub async fn enable(ctx: &Ctx, scope: &Scope, input: EnableIn) -> Result<Value> {
    let mut invalid = rules::invalid::Invalid::default();
    let settings = invalid.take(Settings::parse(&object(input.settings), "/settings"));
    let gates = invalid.take(gate::parse(&input.gates.unwrap_or_default(), "/gates"));
    let (settings, gates) = invalid.or((settings, gates))?;
    let new = json!({
        "table_id": input.table_id,
        "settings": settings,
        "gates": gates,
        "guest_key": crypto::secret(),
    });
    let done = ctx.pg.call_full(scope, &store::ENABLE, &new).await?;
    // The object is made where its tenant asked for: its first call places it.
    changed(ctx, done.tenant, input.table_id, done.result.live.as_ref()).await;
    Ok(done.result.it)
}

/// The configuration and cached statistics of a table.
pub async fn get(ctx: &Ctx, scope: &Scope, table: Uuid) -> Result<Value> {
    ctx.pg
        .call(scope, &store::GET, &json!({"table_id": table}))
        .await
}

/// Changes the settings and gates that are given; `null` puts a setting back to its default.
pub async fn patch(
    ctx: &Ctx,
    scope: &Scope,
    table: Uuid,
    if_match: Option<i64>,
    input: PulsePatch,
) -> Result<Value> {
    let mut invalid = rules::invalid::Invalid::default();
    let sent = object(input.settings);
    let settings = invalid.take(Settings::parse(&sent, "/settings"));
    let gates = match input.gates {
        None => Some(None),
        Some(gates) => invalid.take(gate::parse(&gates, "/gates")).map(Some),
    };
    let (settings, gates) = invalid.or((settings, gates))?;
    let change = json!({
        "table_id": table,
        "settings": only_sent(&sent, &json!(settings)),
        "gates": gates.flatten(),
        "if_match": if_match,
    });
    let done = ctx.pg.call_full(scope, &store::PATCH, &change).await?;
    changed(ctx, done.tenant, table, done.result.live.as_ref()).await;
    Ok(done.result.it)
}

/// Disables check-in: the doors close, the history stays.
pub async fn disable(ctx: &Ctx, scope: &Scope, table: Uuid, if_match: Option<i64>) -> Result<()> {
    let change = json!({"table_id": table, "if_match": if_match});
    let done = ctx.pg.call_full(scope, &store::DISABLE, &change).await?;
    changed(ctx, done.tenant, table, done.result.live.as_ref()).await;
    Ok(())
}

fn object(settings: Option<Value>) -> Value {
    settings.unwrap_or_else(|| json!({}))
}

/// Of the checked settings, those that were sent, so that the others stay as they are.
fn only_sent(sent: &Value, checked: &Value) -> Value {
    let (Some(sent), Some(checked)) = (sent.as_object(), checked.as_object()) else {
        return json!({});
    };
    let kept = |(name, _): (&String, &Value)| Some((name.clone(), checked.get(name)?.clone()));
    Value::Object(sent.iter().filter_map(kept).collect::<Map<_, _>>())
}
