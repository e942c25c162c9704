//! Routes of guests: decode, call, render.
//!
//! Invariant: types here are what goes over the wire, and the API document is made from them.
//! Failure: see the problems of the API document.

use rules::checkin::guest::Status;
use rules::guest_row::{GuestIn, GuestPatch};
use rules::roles::{Resource, Verb};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::platform::error::Result;
use crate::platform::http::{
    Access, Answer, Body, Call, Reply, Route, created, json, no_content, routes,
};

/// A guest.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Row {
    /// The guest.
    pub id: Uuid,
    /// The list.
    pub table_id: Uuid,
    /// Display name.
    pub name: String,
    /// Email address.
    pub email: Option<String>,
    /// What is scanned.
    pub barcode: Option<String>,
    /// Ticket category.
    pub category: Option<String>,
    /// Whether the guest may come at all.
    pub status: Status,
    /// First instant of admission, RFC 3339.
    #[schema(format = DateTime)]
    pub valid_from: Option<String>,
    /// Last instant of admission, RFC 3339.
    #[schema(format = DateTime)]
    pub valid_until: Option<String>,
    /// What the person at the door must see.
    pub attention_note: Option<String>,
    /// Anything else that was given or imported.
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
    /// Where the row comes from.
    pub source: Source,
    /// For `If-Match`.
    pub version: i64,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// Where a row comes from.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// One call.
    Api,
    /// An import.
    Import,
    /// The door.
    WalkIn,
}

/// A page of guests.
#[derive(Serialize, ToSchema)]
pub struct Rows {
    /// Newest first.
    pub items: Vec<Row>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Which guests.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RowsQuery {
    /// Part of the name, the address or the code; case and accents do not matter. A device must
    /// give three characters or more.
    #[param(max_length = 512)]
    pub q: Option<String>,
    /// Of this category.
    #[param(max_length = 80)]
    pub category: Option<String>,
    /// Of this status.
    #[param(inline)]
    pub status: Option<Status>,
    /// 1 to 200; 50 when absent.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    #[param(max_length = 1024)]
    pub cursor: Option<String>,
}

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
