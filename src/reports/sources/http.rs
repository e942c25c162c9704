//! Routes of sources: decode, call, render.
//!
//! Invariant: nothing is decided here.
//! Failure: see the problems of the API document.

use rules::report::Dataset;
use rules::roles::{Resource, Verb};

use super::wire::{QueryIn, Source, Sources};
use crate::platform::http::{Access, Answer, Call, Route, json, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_list, list => Access::May(Verb::Read, Resource::ReportSource);
        __path_query, query => Access::May(Verb::Search, Resource::ReportSource);
        __path_get, get => Access::May(Verb::Read, Resource::ReportSource);
    ]
}

/// Lists what reports can be written about, with every column.
#[utoipa::path(get, path = "/api/sources", operation_id = "list_report_sources",
    responses((status = 200, body = Sources)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope).await?)
}

/// One source, with its columns.
#[utoipa::path(get, path = "/api/sources/{name}", operation_id = "get_report_source",
    params(("name" = String, Path)), responses((status = 200, body = Source)))]
async fn get(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::get(call.ctx, &scope, call.word("name")?).await?)
}

/// Runs one `SELECT` over the sources. What is allowed is a part of SQL: see docs/writer.md. The
/// answer says what was run, which is the query as it was understood.
#[utoipa::path(post, path = "/api/sources/query", operation_id = "query_report_sources",
    request_body = QueryIn, responses((status = 200, body = Dataset)))]
async fn query(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let input = call.body::<QueryIn>().await?;
    json(&super::query(call.ctx, &scope, input).await?)
}
