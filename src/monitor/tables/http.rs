//! Routes of monitored tables: decode, call, render.
//!
//! Invariant: nothing is decided here.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::wire::{
    MonitoredTable, MonitoredTableIn, MonitoredTablePatch, MonitoredTables, MonitoredTablesQuery,
};
use crate::platform::http::{Access, Answer, Call, Route, created, json, no_content, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_create, create => Access::May(Verb::Create, Resource::MonitoredTable);
        __path_list, list => Access::May(Verb::Read, Resource::MonitoredTable);
        __path_get, get => Access::May(Verb::Read, Resource::MonitoredTable);
        __path_patch, patch => Access::May(Verb::Write, Resource::MonitoredTable);
        __path_delete, delete => Access::May(Verb::Delete, Resource::MonitoredTable);
    ]
}

/// Adds a table to watch.
#[utoipa::path(post, path = "/api/tables", operation_id = "create_monitored_table",
    request_body = MonitoredTableIn, responses((status = 201, body = MonitoredTable)))]
async fn create(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<MonitoredTableIn>().await?;
    let done = super::create(call.ctx, &scope, input).await?;
    Ok(created(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Lists the watched tables, newest first.
#[utoipa::path(get, path = "/api/tables", operation_id = "list_monitored_tables",
    params(MonitoredTablesQuery), responses((status = 200, body = MonitoredTables)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope, &call.query()?).await?)
}

/// One watched table.
#[utoipa::path(get, path = "/api/tables/{id}", operation_id = "get_monitored_table",
    params(("id" = Uuid, Path)), responses((status = 200, body = MonitoredTable)))]
async fn get(call: Call<'_>) -> Answer {
    let table = super::get(call.ctx, &call.scope().await?, call.id("id")?).await?;
    Ok(json(&table)?.version(table.version))
}

/// Changes what is said of a watched table.
#[utoipa::path(patch, path = "/api/tables/{id}", operation_id = "update_monitored_table",
    params(("id" = Uuid, Path)), request_body = MonitoredTablePatch,
    responses((status = 200, body = MonitoredTable)))]
async fn patch(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<MonitoredTablePatch>().await?;
    let (id, if_match) = (call.id("id")?, call.if_match()?);
    let done = super::patch(call.ctx, &scope, id, if_match, input).await?;
    Ok(json(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Stops watching a table, and forgets its checks and what came of them.
#[utoipa::path(delete, path = "/api/tables/{id}", operation_id = "delete_monitored_table",
    params(("id" = Uuid, Path)), responses((status = 204)))]
async fn delete(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    super::delete(call.ctx, &scope, call.id("id")?, call.if_match()?).await?;
    no_content()
}
