//! Routes of checks: decode, call, render.
//!
//! Invariant: nothing is decided here.
//! Failure: see the problems of the API document.

use rules::monitor::backfill::Backfill;
use rules::monitor::check::{CheckIn, CheckPatch};
use rules::roles::{Resource, Verb};

use super::wire::{
    CheckHistory, CheckResults, HistoryQuery, MonitorCheck, MonitorChecks, ResultsQuery, TableRun,
};
use crate::platform::http::{
    Access, Answer, Call, Reply, Route, created, json, no_content, routes,
};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_create, create => Access::May(Verb::Write, Resource::MonitoredTable);
        __path_list, list => Access::May(Verb::Read, Resource::MonitoredTable);
        __path_get, get => Access::May(Verb::Read, Resource::MonitoredTable);
        __path_patch, patch => Access::May(Verb::Write, Resource::MonitoredTable);
        __path_delete, delete => Access::May(Verb::Write, Resource::MonitoredTable);
        __path_results, results => Access::May(Verb::Read, Resource::MonitoredTable);
        __path_history, history => Access::May(Verb::Read, Resource::MonitoredTable);
        __path_backfill, backfill => Access::May(Verb::Write, Resource::MonitoredTable);
        __path_run, run => Access::May(Verb::Write, Resource::MonitoredTable);
        __path_dry_run, dry_run => Access::May(Verb::Write, Resource::MonitoredTable);
    ]
}

/// Adds a check to a table; it runs for the first time at once.
#[utoipa::path(post, path = "/api/tables/{id}/checks", operation_id = "create_check",
    params(("id" = Uuid, Path)), request_body = CheckIn,
    responses((status = 201, body = MonitorCheck)))]
async fn create(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<CheckIn>().await?;
    let done = super::create(call.ctx, &scope, call.id("id")?, input).await?;
    Ok(created(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Lists the checks of a table.
#[utoipa::path(get, path = "/api/tables/{id}/checks", operation_id = "list_checks",
    params(("id" = Uuid, Path)), responses((status = 200, body = MonitorChecks)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope, call.id("id")?).await?)
}

/// One check.
#[utoipa::path(get, path = "/api/tables/{id}/checks/{check_id}", operation_id = "get_check",
    params(("id" = Uuid, Path), ("check_id" = Uuid, Path)),
    responses((status = 200, body = MonitorCheck)))]
async fn get(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let check = super::get(call.ctx, &scope, call.id("id")?, call.id("check_id")?).await?;
    Ok(json(&check)?.version(check.version))
}

/// Changes a check.
#[utoipa::path(patch, path = "/api/tables/{id}/checks/{check_id}", operation_id = "update_check",
    params(("id" = Uuid, Path), ("check_id" = Uuid, Path)), request_body = CheckPatch,
    responses((status = 200, body = MonitorCheck)))]
async fn patch(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<CheckPatch>().await?;
    let which = (call.id("id")?, call.id("check_id")?);
    let done = super::patch(call.ctx, &scope, which, call.if_match()?, input).await?;
    Ok(json(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Removes a check with what came of it.
#[utoipa::path(delete, path = "/api/tables/{id}/checks/{check_id}", operation_id = "delete_check",
    params(("id" = Uuid, Path), ("check_id" = Uuid, Path)), responses((status = 204)))]
async fn delete(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    let which = (call.id("id")?, call.id("check_id")?);
    super::delete(call.ctx, &scope, which, call.if_match()?).await?;
    no_content()
}

/// What came of a check, newest first.
#[utoipa::path(get, path = "/api/tables/{id}/checks/{check_id}/results",
    operation_id = "list_check_results",
    params(("id" = Uuid, Path), ("check_id" = Uuid, Path), ResultsQuery),
    responses((status = 200, body = CheckResults)))]
async fn results(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let which = (call.id("id")?, call.id("check_id")?);
    json(&super::results(call.ctx, &scope, which, &call.query()?).await?)
}

/// What a check measured in a time, for a chart: at most about as many points as are wanted, of which
/// no warning and no failure is left out.
#[utoipa::path(get, path = "/api/tables/{id}/checks/{check_id}/history",
    operation_id = "get_check_history",
    params(("id" = Uuid, Path), ("check_id" = Uuid, Path), HistoryQuery),
    responses((status = 200, body = CheckHistory)))]
async fn history(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let which = (call.id("id")?, call.id("check_id")?);
    json(&super::history(call.ctx, &scope, which, &call.query()?).await?)
}

/// Fills in what a check would have measured in the last eight weeks, from the rows that are there: one
/// statement every ten seconds, for a quarter of the budget at most. Nobody is told of anything that is
/// found. A new check that learns does so of itself.
#[utoipa::path(post, path = "/api/tables/{id}/checks/{check_id}/backfill",
    operation_id = "backfill_check",
    params(("id" = Uuid, Path), ("check_id" = Uuid, Path)),
    responses((status = 202, body = Backfill)))]
async fn backfill(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let which = (call.id("id")?, call.id("check_id")?);
    let begun = super::backfill(call.ctx, &scope, which).await?;
    Ok(Reply {
        status: 202,
        ..json(&begun)?
    })
}

/// Runs all checks of a table now, whenever they would be due.
#[utoipa::path(post, path = "/api/tables/{id}/run", operation_id = "run_table",
    params(("id" = Uuid, Path)), responses((status = 200, body = TableRun)))]
async fn run(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let items = super::run(call.ctx, &scope, call.id("id")?, false).await?;
    json(&TableRun { items })
}

/// Runs all checks of a table and says what came of them, with statements and costs. Nothing is
/// stored, nothing is learned and nobody is told.
#[utoipa::path(post, path = "/api/tables/{id}/dry-run", operation_id = "dry_run_table",
    params(("id" = Uuid, Path)), responses((status = 200, body = TableRun)))]
async fn dry_run(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let items = super::run(call.ctx, &scope, call.id("id")?, true).await?;
    json(&TableRun { items })
}
