//! Routes of alerts: decode, call, render.
//!
//! Invariant: nothing is decided here.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::wire::{AlertRoute, AlertRoutes, RouteIn, RoutePatch, RoutingIn};
use crate::platform::http::{Access, Answer, Call, Route, created, json, no_content, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_create, create => Access::May(Verb::Write, Resource::AlertRoute);
        __path_list, list => Access::May(Verb::Read, Resource::AlertRoute);
        __path_mode, mode => Access::May(Verb::Write, Resource::AlertRoute);
        __path_get, get => Access::May(Verb::Read, Resource::AlertRoute);
        __path_patch, patch => Access::May(Verb::Write, Resource::AlertRoute);
        __path_delete, delete => Access::May(Verb::Write, Resource::AlertRoute);
    ]
}

/// Adds a route: who is told of which alerts.
#[utoipa::path(post, path = "/api/routes", operation_id = "create_alert_route",
    request_body = RouteIn, responses((status = 201, body = AlertRoute)))]
async fn create(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<RouteIn>().await?;
    let done = super::create(call.ctx, &scope, input).await?;
    Ok(created(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Lists all routes in the order they are tried.
#[utoipa::path(get, path = "/api/routes", operation_id = "list_alert_routes",
    responses((status = 200, body = AlertRoutes)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope).await?)
}

/// Says whether the first route that matches decides, or all that match do.
#[utoipa::path(put, path = "/api/routes", operation_id = "set_alert_routing",
    request_body = RoutingIn, responses((status = 200, body = RoutingIn)))]
async fn mode(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<RoutingIn>().await?;
    json(&super::mode(call.ctx, &scope, &input).await?)
}

/// One route.
#[utoipa::path(get, path = "/api/routes/{id}", operation_id = "get_alert_route",
    params(("id" = Uuid, Path)), responses((status = 200, body = AlertRoute)))]
async fn get(call: Call<'_>) -> Answer {
    let route = super::get(call.ctx, &call.scope().await?, call.id("id")?).await?;
    Ok(json(&route)?.version(route.version))
}

/// Changes a route.
#[utoipa::path(patch, path = "/api/routes/{id}", operation_id = "update_alert_route",
    params(("id" = Uuid, Path)), request_body = RoutePatch,
    responses((status = 200, body = AlertRoute)))]
async fn patch(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<RoutePatch>().await?;
    let (id, if_match) = (call.id("id")?, call.if_match()?);
    let done = super::patch(call.ctx, &scope, id, if_match, input).await?;
    Ok(json(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Removes a route. Whoever was told of something is told of its end all the same.
#[utoipa::path(delete, path = "/api/routes/{id}", operation_id = "delete_alert_route",
    params(("id" = Uuid, Path)), responses((status = 204)))]
async fn delete(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    super::delete(call.ctx, &scope, call.id("id")?, call.if_match()?).await?;
    no_content()
}
