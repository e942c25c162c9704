//! Routes of runs of reports: decode, call, render.
//!
//! Invariant: nothing is decided here.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::wire::{
    BackfillIn, Backfilled, CleanedUp, Preview, PreviewIn, ReportJob, ReportJobDetail, ReportJobs,
    ReportJobsQuery,
};
use crate::platform::http::{Access, Answer, Body, Call, Reply, Route, created, json, routes};

const HTML: &str = "text/html; charset=utf-8";
/// A report is a stranger's text: it may look as it likes, and do nothing.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox; \
                      frame-ancestors 'self'";

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_publish, publish => Access::May(Verb::Create, Resource::ReportJob);
        __path_preview, preview => Access::May(Verb::Create, Resource::ReportJob);
        __path_backfill, backfill => Access::May(Verb::Create, Resource::ReportJob);
        __path_list, list => Access::May(Verb::Read, Resource::ReportJob);
        __path_get, get => Access::May(Verb::Read, Resource::ReportJob);
        __path_show, show => Access::May(Verb::Read, Resource::ReportJob);
        __path_run, run => Access::May(Verb::Write, Resource::ReportJob);
        __path_cancel, cancel => Access::May(Verb::Write, Resource::ReportJob);
        __path_approve, approve => Access::May(Verb::Write, Resource::ReportJob);
        __path_reject, reject => Access::May(Verb::Write, Resource::ReportJob);
        __path_cleanup, cleanup => Access::May(Verb::Write, Resource::ReportJob);
    ]
}

/// Runs a report now, whatever its schedule says; a paused one too.
#[utoipa::path(post, path = "/api/pulse/{configId}/publish", operation_id = "publish_report",
    params(("configId" = Uuid, Path)), responses((status = 201, body = ReportJob)))]
async fn publish(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    let done = super::publish(call.ctx, &scope, call.id("configId")?).await?;
    Ok(created(&done.result)?.replayed(done.replayed))
}

/// Makes a report as a run would, and shows it instead of sending it: the same bytes. The body may
/// be left out.
#[utoipa::path(post, path = "/api/pulse/{configId}/preview", operation_id = "preview_report",
    params(("configId" = Uuid, Path)), request_body = PreviewIn,
    responses((status = 200, body = Preview)))]
async fn preview(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let input = call.optional_body::<PreviewIn>().await?;
    json(&super::preview(call.ctx, &scope, call.id("configId")?, input).await?)
}

/// Runs occurrences of the past, at most 100, each as of its time; an occurrence that has a run
/// already keeps that.
#[utoipa::path(post, path = "/api/pulse/{configId}/backfill", operation_id = "backfill_report",
    params(("configId" = Uuid, Path)), request_body = BackfillIn,
    responses((status = 201, body = Backfilled)))]
async fn backfill(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<BackfillIn>().await?;
    let done = super::backfill(call.ctx, &scope, call.id("configId")?, input).await?;
    Ok(created(&done.result)?.replayed(done.replayed))
}

/// Lists runs of a report, of the last 90 days.
#[utoipa::path(get, path = "/api/pulse/{configId}/jobs", operation_id = "list_report_jobs",
    params(("configId" = Uuid, Path), ReportJobsQuery),
    responses((status = 200, body = ReportJobs)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let query = call.query()?;
    json(&super::list(call.ctx, &scope, call.id("configId")?, &query).await?)
}

/// One run, with the report, its figures and every attempt.
#[utoipa::path(get, path = "/api/pulse-job/{jobId}", operation_id = "get_report_job",
    params(("jobId" = Uuid, Path)), responses((status = 200, body = ReportJobDetail)))]
async fn get(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::get(call.ctx, &scope, call.id("jobId")?).await?)
}

/// The report as it is sent, for a browser: its pictures are in it.
#[utoipa::path(get, path = "/api/pulse-job/{jobId}/report.html", operation_id = "show_report",
    params(("jobId" = Uuid, Path)),
    responses((status = 200, body = String, content_type = "text/html")))]
async fn show(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let html = super::show(call.ctx, &scope, call.id("jobId")?).await?;
    Ok(Reply::new(200, Body::Text(HTML, html)).header("content-security-policy", POLICY))
}

/// Works on a run now, before this answers. One that failed goes on from the stage where it did; a
/// report that was written is not written again.
#[utoipa::path(post, path = "/api/pulse-job/{jobId}/run", operation_id = "run_report_job",
    params(("jobId" = Uuid, Path)), responses((status = 200, body = ReportJobDetail)))]
async fn run(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    json(&super::run_now(call.ctx, &scope, call.id("jobId")?).await?)
}

/// Ends a run. What was handed over to delivery already is sent.
#[utoipa::path(post, path = "/api/pulse-job/{jobId}/cancel", operation_id = "cancel_report_job",
    params(("jobId" = Uuid, Path)), responses((status = 200, body = ReportJobDetail)))]
async fn cancel(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    let done = super::cancel(call.ctx, &scope, call.id("jobId")?).await?;
    Ok(json(&done.result)?.replayed(done.replayed))
}

/// Sends a report that is held for review, as it is.
#[utoipa::path(post, path = "/api/pulse-job/{jobId}/approve", operation_id = "approve_report",
    params(("jobId" = Uuid, Path)), responses((status = 200, body = ReportJobDetail)))]
async fn approve(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    let done = super::review(call.ctx, &scope, call.id("jobId")?, true).await?;
    Ok(json(&done.result)?.replayed(done.replayed))
}

/// Ends a report that is held for review: it is not sent.
#[utoipa::path(post, path = "/api/pulse-job/{jobId}/reject", operation_id = "reject_report",
    params(("jobId" = Uuid, Path)), responses((status = 200, body = ReportJobDetail)))]
async fn reject(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    let done = super::review(call.ctx, &scope, call.id("jobId")?, false).await?;
    Ok(json(&done.result)?.replayed(done.replayed))
}

/// Cancels runs that are not finished a day after they were made, and held reports that nobody has
/// reviewed for a month. The daily cron does the same.
#[utoipa::path(post, path = "/api/pulse-job/cleanup", operation_id = "clean_up_report_jobs",
    responses((status = 200, body = CleanedUp)))]
async fn cleanup(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    json(&super::cleanup(call.ctx, &scope).await?)
}
