//! Routes of guest lists: decode, call, render.
//!
//! Invariant: nothing is decided here.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::wire::{Table, TableIn, TablePatch, Tables, TablesQuery};
use crate::platform::http::{
    Access, Answer, Body, Call, Reply, Route, created, json, no_content, routes,
};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_create, create => Access::May(Verb::Create, Resource::GuestTable);
        __path_list, list => Access::May(Verb::Read, Resource::GuestTable);
        __path_get, get => Access::May(Verb::Read, Resource::GuestTable);
        __path_patch, patch => Access::May(Verb::Write, Resource::GuestTable);
        __path_delete, delete => Access::May(Verb::Delete, Resource::GuestTable);
    ]
}

/// Makes a guest list.
#[utoipa::path(post, path = "/pulse/tables", operation_id = "create_table",
    request_body = TableIn, responses((status = 201, body = Table)))]
async fn create(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<TableIn>().await?;
    let done = super::create(call.ctx, &scope, input).await?;
    Ok(created(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Lists the guest lists of the tenant.
#[utoipa::path(get, path = "/pulse/tables", operation_id = "list_tables",
    params(TablesQuery), responses((status = 200, body = Tables)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope, &call.query()?).await?)
}

/// One guest list.
#[utoipa::path(get, path = "/pulse/tables/{id}", operation_id = "get_table",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = Table), (status = 304, description = "Unchanged.")))]
async fn get(call: Call<'_>) -> Answer {
    let table = super::get(call.ctx, &call.scope().await?, call.id("id")?).await?;
    match call.unchanged(table.version) {
        true => Ok(Reply::new(304, Body::Empty).version(table.version)),
        false => Ok(json(&table)?.version(table.version)),
    }
}

/// Renames a guest list, or moves it to another time zone.
#[utoipa::path(patch, path = "/pulse/tables/{id}", operation_id = "update_table",
    params(("id" = Uuid, Path)), request_body = TablePatch,
    responses((status = 200, body = Table)))]
async fn patch(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<TablePatch>().await?;
    let (id, if_match) = (call.id("id")?, call.if_match()?);
    let done = super::patch(call.ctx, &scope, id, if_match, input).await?;
    Ok(json(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Deletes a guest list. Check-in must be disabled on it; the history is kept.
#[utoipa::path(delete, path = "/pulse/tables/{id}", operation_id = "delete_table",
    params(("id" = Uuid, Path)), responses((status = 204)))]
async fn delete(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    super::delete(call.ctx, &scope, call.id("id")?, call.if_match()?).await?;
    no_content()
}
