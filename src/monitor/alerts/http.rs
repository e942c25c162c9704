//! Routes of alerts and incidents: decode, call, render.
//!
//! Invariant: nothing is decided here.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::Deed;
use super::wire::{
    AlertQuietness, AlertsQuery, IncidentsQuery, MarkIn, MonitorAlert, MonitorAlerts,
    MonitorIncident, MonitorIncidents, QuietnessQuery,
};
use crate::platform::http::{Access, Answer, Call, Route, json, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_list, list => Access::May(Verb::Read, Resource::MonitorAlert);
        __path_quietness, quietness => Access::May(Verb::Read, Resource::MonitorAlert);
        __path_get, get => Access::May(Verb::Read, Resource::MonitorAlert);
        __path_ack, ack => Access::May(Verb::Write, Resource::MonitorAlert);
        __path_resolve, resolve => Access::May(Verb::Write, Resource::MonitorAlert);
        __path_mark, mark => Access::May(Verb::Write, Resource::MonitorAlert);
        __path_incidents, incidents => Access::May(Verb::Read, Resource::MonitorAlert);
        __path_incident, incident => Access::May(Verb::Read, Resource::MonitorAlert);
    ]
}

/// Lists alerts, newest first.
#[utoipa::path(get, path = "/api/alerts", operation_id = "list_alerts",
    params(AlertsQuery), responses((status = 200, body = MonitorAlerts)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope, &call.query()?).await?)
}

/// How quiet each channel was that alerts are told to, week by week. From 30 alerts a week on people
/// begin not to look (`noisy`); above 50 they do not (`ignored`).
#[utoipa::path(get, path = "/api/alerts/quietness", operation_id = "get_alert_quietness",
    params(QuietnessQuery), responses((status = 200, body = AlertQuietness)))]
async fn quietness(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::quietness(call.ctx, &scope, &call.query()?).await?)
}

/// One alert.
#[utoipa::path(get, path = "/api/alerts/{id}", operation_id = "get_alert",
    params(("id" = Uuid, Path)), responses((status = 200, body = MonitorAlert)))]
async fn get(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::get(call.ctx, &scope, call.id("id")?).await?)
}

/// Looks after an alert: it is not repeated any more and goes to nobody else, until it is over or gets
/// worse.
#[utoipa::path(post, path = "/api/alerts/{id}/ack", operation_id = "acknowledge_alert",
    params(("id" = Uuid, Path)), responses((status = 200, body = MonitorAlert)))]
async fn ack(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::act(call.ctx, &scope, call.id("id")?, Deed::Acknowledge).await?)
}

/// Says that an alert is over. What breaches after that is another alert.
#[utoipa::path(post, path = "/api/alerts/{id}/resolve", operation_id = "resolve_alert",
    params(("id" = Uuid, Path)), responses((status = 200, body = MonitorAlert)))]
async fn resolve(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::act(call.ctx, &scope, call.id("id")?, Deed::Resolve).await?)
}

/// Says whether the alarm was right, which the detector learns from.
#[utoipa::path(post, path = "/api/alerts/{id}/mark", operation_id = "mark_alert",
    params(("id" = Uuid, Path)), request_body = MarkIn,
    responses((status = 200, body = MonitorAlert)))]
async fn mark(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<MarkIn>().await?;
    json(&super::act(call.ctx, &scope, call.id("id")?, Deed::Mark(input.mark)).await?)
}

/// Lists incidents, newest first.
#[utoipa::path(get, path = "/api/incidents", operation_id = "list_incidents",
    params(IncidentsQuery), responses((status = 200, body = MonitorIncidents)))]
async fn incidents(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::incidents(call.ctx, &scope, &call.query()?).await?)
}

/// One incident.
#[utoipa::path(get, path = "/api/incidents/{id}", operation_id = "get_incident",
    params(("id" = Uuid, Path)), responses((status = 200, body = MonitorIncident)))]
async fn incident(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::incident(call.ctx, &scope, call.id("id")?).await?)
}
