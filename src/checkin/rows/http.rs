//! Routes of guests: decode, call, render.
//!
//! Invariant: nothing is decided here.
//! Failure: see the problems of the API document.

use rules::guest_row::{GuestIn, GuestPatch};
use rules::roles::{Resource, Verb};

use super::wire::{Row, Rows, RowsQuery};
use crate::platform::error::Result;
use crate::platform::http::{
    Access, Answer, Body, Call, Reply, Route, created, json, no_content, routes,
};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_create, create => Access::May(Verb::Create, Resource::GuestRow);
        __path_list, list => Access::May(Verb::Search, Resource::GuestRow);
        __path_get, get => Access::May(Verb::Read, Resource::GuestRow);
        __path_patch, patch => Access::May(Verb::Write, Resource::GuestRow);
        __path_delete, delete => Access::May(Verb::Delete, Resource::GuestRow);
    ]
}

/// Adds a guest. 409 `barcode_taken` when another guest of the list has the code.
#[utoipa::path(post, path = "/pulse/tables/{id}/rows", operation_id = "create_row",
    params(("id" = Uuid, Path)), request_body = GuestIn,
    responses((status = 201, body = Row)))]
async fn create(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<GuestIn>().await?;
    let done = super::create(call.ctx, &scope, call.id("id")?, input).await?;
    Ok(created(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Lists or searches the guests of a list. A device must search.
#[utoipa::path(get, path = "/pulse/tables/{id}/rows", operation_id = "list_rows",
    params(("id" = Uuid, Path), RowsQuery), responses((status = 200, body = Rows)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope, call.id("id")?, call.query()?).await?)
}

/// One guest.
#[utoipa::path(get, path = "/pulse/tables/{id}/rows/{row}", operation_id = "get_row",
    params(("id" = Uuid, Path), ("row" = Uuid, Path)),
    responses((status = 200, body = Row), (status = 304, description = "Unchanged.")))]
async fn get(call: Call<'_>) -> Answer {
    let row = super::get(call.ctx, &call.scope().await?, row_of(&call)?).await?;
    match call.unchanged(row.version) {
        true => Ok(Reply::new(304, Body::Empty).version(row.version)),
        false => Ok(json(&row)?.version(row.version)),
    }
}

/// Changes a guest; what is absent stays, `null` clears. 409 `barcode_taken` when another guest of
/// the list has the code.
#[utoipa::path(patch, path = "/pulse/tables/{id}/rows/{row}", operation_id = "update_row",
    params(("id" = Uuid, Path), ("row" = Uuid, Path)), request_body = GuestPatch,
    responses((status = 200, body = Row)))]
async fn patch(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<GuestPatch>().await?;
    let (row, if_match) = (row_of(&call)?, call.if_match()?);
    let done = super::patch(call.ctx, &scope, row, if_match, input).await?;
    Ok(json(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Takes a guest off the list. Past check-ins keep their record.
#[utoipa::path(delete, path = "/pulse/tables/{id}/rows/{row}", operation_id = "delete_row",
    params(("id" = Uuid, Path), ("row" = Uuid, Path)), responses((status = 204)))]
async fn delete(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    super::delete(call.ctx, &scope, row_of(&call)?, call.if_match()?).await?;
    no_content()
}

fn row_of(call: &Call<'_>) -> Result<super::RowOf> {
    Ok((call.id("id")?, call.id("row")?))
}
