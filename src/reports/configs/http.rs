//! Routes of reports: decode, call, render.
//!
//! Invariant: nothing is decided here.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::wire::{Report, ReportIn, ReportPatch, Reports, ReportsQuery};
use crate::platform::http::{Access, Answer, Call, Route, created, json, no_content, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_create, create => Access::May(Verb::Create, Resource::Report);
        __path_list, list => Access::May(Verb::Read, Resource::Report);
        __path_get, get => Access::May(Verb::Read, Resource::Report);
        __path_update, update => Access::May(Verb::Write, Resource::Report);
        __path_delete, delete => Access::May(Verb::Delete, Resource::Report);
        __path_pause, pause => Access::May(Verb::Write, Resource::Report);
        __path_resume, resume => Access::May(Verb::Write, Resource::Report);
    ]
}

/// Adds a report. Its first run is the next occurrence of its schedule.
#[utoipa::path(post, path = "/api/pulse", operation_id = "create_report",
    request_body = ReportIn, responses((status = 201, body = Report)))]
async fn create(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<ReportIn>().await?;
    let done = super::create(call.ctx, &scope, input).await?;
    Ok(created(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Lists reports.
#[utoipa::path(get, path = "/api/pulse", operation_id = "list_reports",
    params(ReportsQuery), responses((status = 200, body = Reports)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope, &call.query()?).await?)
}

/// One report.
#[utoipa::path(get, path = "/api/pulse/{configId}", operation_id = "get_report",
    params(("configId" = Uuid, Path)), responses((status = 200, body = Report)))]
async fn get(call: Call<'_>) -> Answer {
    let report = super::get(call.ctx, &call.scope().await?, call.id("configId")?).await?;
    Ok(json(&report)?.version(report.version))
}

/// Changes what is given of a report. When the schedule changes, the next run follows from it.
#[utoipa::path(put, path = "/api/pulse/{configId}", operation_id = "update_report",
    params(("configId" = Uuid, Path)), request_body = ReportPatch,
    responses((status = 200, body = Report)))]
async fn update(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<ReportPatch>().await?;
    let (id, if_match) = (call.id("configId")?, call.if_match()?);
    let done = super::update(call.ctx, &scope, id, if_match, input).await?;
    Ok(json(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Removes a report and its runs.
#[utoipa::path(delete, path = "/api/pulse/{configId}", operation_id = "delete_report",
    params(("configId" = Uuid, Path)), responses((status = 204)))]
async fn delete(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    super::delete(call.ctx, &scope, call.id("configId")?, call.if_match()?).await?;
    no_content()
}

/// Pauses a report: it has no next run until it is resumed. Runs that are under way go on.
#[utoipa::path(post, path = "/api/pulse/{configId}/pause", operation_id = "pause_report",
    params(("configId" = Uuid, Path)), responses((status = 200, body = Report)))]
async fn pause(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    let (id, if_match) = (call.id("configId")?, call.if_match()?);
    let done = super::pause(call.ctx, &scope, id, if_match).await?;
    Ok(json(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Lets a paused report run again, from its next occurrence on; nothing is caught up.
#[utoipa::path(post, path = "/api/pulse/{configId}/resume", operation_id = "resume_report",
    params(("configId" = Uuid, Path)), responses((status = 200, body = Report)))]
async fn resume(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    let (id, if_match) = (call.id("configId")?, call.if_match()?);
    let done = super::resume(call.ctx, &scope, id, if_match).await?;
    Ok(json(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}
