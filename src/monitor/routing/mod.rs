//! Routes: who is told of which alerts, and how fast.
//!
//! Invariant: what no route matches is recorded and shown, and nobody is told; see
//! `rules::alert::route`.
//! Failure: 422 for what is not right, among it channels that are not there.

pub mod http;
mod store;
mod wire;

use rules::alert::route;
use serde_json::json;
use uuid::Uuid;

use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::pg::Called;
use crate::platform::scope::Scope;
use wire::{AlertRoute, AlertRoutes, RouteIn, RoutePatch, RoutingIn};

/// Adds a route.
pub async fn create(ctx: &Ctx, scope: &Scope, input: RouteIn) -> Result<Called<AlertRoute>> {
    let (position, enabled) = (route::place(input.position)?, input.enabled);
    let settings = route::check(input.settings())?;
    let new = json!({
        "id": ctx.new_id(), "settings": settings, "position": position, "enabled": enabled,
        "most": route::PER_TENANT,
    });
    ctx.pg.call_full(scope, &store::INSERT, &new).await
}

/// All routes, in the order they are tried.
pub async fn list(ctx: &Ctx, scope: &Scope) -> Result<AlertRoutes> {
    ctx.pg.call(scope, &store::LIST, &json!({})).await
}

/// One route.
pub async fn get(ctx: &Ctx, scope: &Scope, route: Uuid) -> Result<AlertRoute> {
    ctx.pg.call(scope, &store::GET, &json!({"id": route})).await
}

/// Changes a route.
pub async fn patch(
    ctx: &Ctx,
    scope: &Scope,
    route: Uuid,
    if_match: Option<i64>,
    input: RoutePatch,
) -> Result<Called<AlertRoute>> {
    let (position, enabled) = (route::place(input.position)?, input.enabled);
    // What is read is nobody's answer: the key of a repeated request belongs to the write.
    let reading = Scope {
        idempotency: None,
        ..scope.clone()
    };
    let known = get(ctx, &reading, route).await?;
    let version = known.version;
    let settings = route::check(input.settings(known))?;
    let change = json!({
        "id": route, "settings": settings, "position": position, "enabled": enabled,
        "if_match": if_match.unwrap_or(version),
    });
    ctx.pg.call_full(scope, &store::PATCH, &change).await
}

/// Removes a route.
pub async fn delete(ctx: &Ctx, scope: &Scope, route: Uuid, if_match: Option<i64>) -> Result<()> {
    let which = json!({"id": route, "if_match": if_match});
    ctx.pg.call(scope, &store::DELETE, &which).await.map(drop)
}

/// Says whether the first route that matches decides, or all that match do.
pub async fn mode(ctx: &Ctx, scope: &Scope, input: &RoutingIn) -> Result<RoutingIn> {
    let mode = json!({"mode": input.mode});
    ctx.pg.call(scope, &store::MODE, &mode).await
}
