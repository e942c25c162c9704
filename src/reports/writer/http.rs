//! Routes of writers: decode, call, render.
//!
//! Invariant: nothing is decided here.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::wire::{Draft, TryIn, Writer, WriterIn};
use crate::platform::http::{Access, Answer, Call, Route, json, no_content, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_get, get => Access::May(Verb::Read, Resource::ReportWriter);
        __path_put, put => Access::May(Verb::Write, Resource::ReportWriter);
        __path_delete, delete => Access::May(Verb::Delete, Resource::ReportWriter);
        __path_attempt, attempt => Access::May(Verb::Create, Resource::ReportWriter);
    ]
}

/// Who writes the reports: what the tenant says, or else the deployment. A key is never shown.
#[utoipa::path(get, path = "/api/writer", operation_id = "get_report_writer",
    responses((status = 200, body = Writer)))]
async fn get(call: Call<'_>) -> Answer {
    let writer = super::get(call.ctx, &call.scope().await?).await?;
    Ok(json(&writer)?.version(writer.version))
}

/// Sets who writes the reports of this tenant. A key is kept, sealed, for the address it was given
/// for; with another address it must be given again.
#[utoipa::path(put, path = "/api/writer", operation_id = "set_report_writer",
    request_body = WriterIn, responses((status = 200, body = Writer)))]
async fn put(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<WriterIn>().await?;
    let done = super::put(call.ctx, &scope, call.if_match()?, input).await?;
    Ok(json(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Leaves it to the deployment again; the key is forgotten.
#[utoipa::path(delete, path = "/api/writer", operation_id = "delete_report_writer",
    responses((status = 204)))]
async fn delete(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    super::delete(call.ctx, &scope, call.if_match()?).await?;
    no_content()
}

/// Writes a report about now, which is neither kept nor sent. May take as long as a report may.
#[utoipa::path(post, path = "/api/writer/try", operation_id = "try_report_writer",
    request_body = TryIn, responses((status = 200, body = Draft)))]
async fn attempt(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let input = call.body::<TryIn>().await?;
    json(&super::attempt(call.ctx, &scope, input).await?)
}
