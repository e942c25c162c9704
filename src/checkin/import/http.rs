//! The route of imports: decode, call, render.
//!
//! Invariant: nothing is decided here.
//! Failure: 422 `import_refused` with the wrong lines; 413 for a file that is too large, 415 for one
//! of another kind.

use std::collections::BTreeMap;

use rules::guest_import::{Format, MAX_BYTES, Problem};
use rules::invalid::Invalid;
use rules::roles::{Resource, Verb};

use super::wire::{ImportError, ImportQuery, ImportRefused, ImportReport, RefusedLine};
use super::{Order, Outcome};
use crate::platform::error::{Error, Result};
use crate::platform::http::{Access, Answer, Body, Call, Reply, Route, json, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![__path_import, import => Access::May(Verb::Transfer, Resource::GuestRow);]
}

/// Imports guests from a file: CSV as pretix, Eventbrite, Luma or a spreadsheet write it, a JSON
/// array of objects, or one JSON object a line. At most 100,000 guests and 64 MiB. Columns that are
/// no field are kept in `data`.
#[utoipa::path(post, path = "/pulse/tables/{id}/import", operation_id = "import_rows",
    params(("id" = Uuid, Path), ImportQuery),
    request_body(content((String = "text/csv"), (Vec<Object> = "application/json"),
        (String = "application/x-ndjson"))),
    responses((status = 200, body = ImportReport),
        (status = 422, description = "Nothing was imported; `errors` names the lines.",
            body = ImportRefused, content_type = "application/problem+json")))]
async fn import(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let query = call.query::<ImportQuery>()?;
    let order = Order {
        table: call.id("id")?,
        format: format_of(&call)?,
        map: map_of(query.map.as_deref())?,
        duplicates: query.duplicates.unwrap_or_default(),
        partial: query.partial.unwrap_or_default(),
    };
    let file = call.upload(usize::try_from(MAX_BYTES).unwrap_or(usize::MAX))?;
    match super::import(call.ctx, &scope, order, file).await? {
        Outcome::Imported(report, replayed) => Ok(json(&report)?.replayed(replayed)),
        Outcome::Refused(report) => refused(&call, report, None),
        Outcome::Unreadable(problem) => refused(&call, unreadable(&problem), Some(problem.message)),
    }
}

fn format_of(call: &Call<'_>) -> Result<Format> {
    Format::of(&call.head.content_type).ok_or_else(|| {
        let kinds = "The body must be text/csv, application/json or application/x-ndjson.";
        Error::new(415, "unsupported_media_type", kinds)
    })
}

fn map_of(map: Option<&str>) -> Result<BTreeMap<String, String>> {
    let Some(map) = map.filter(|map| !map.is_empty()) else {
        return Ok(BTreeMap::new());
    };
    serde_json::from_str(map).map_err(|_| {
        let wanted = "Must be a JSON object of field to header.";
        Invalid::one("/map", "invalid_map", wanted).into()
    })
}

fn unreadable(problem: &Problem) -> ImportReport {
    let errors = vec![ImportError::from(problem.clone())];
    let mapping = BTreeMap::new();
    ImportReport {
        imported: 0,
        rejected: 0,
        lines: 0,
        mapping,
        errors,
        error_count: 1,
    }
}

fn refused(call: &Call<'_>, report: ImportReport, why: Option<String>) -> Answer {
    let detail = why.unwrap_or_else(|| match report.rejected {
        1 => "One line is wrong; nothing was imported.".to_owned(),
        n => format!("{n} lines are wrong; nothing was imported."),
    });
    let problem = ImportRefused {
        kind: "/docs/problems#import_refused",
        title: "Unprocessable content",
        status: 422,
        detail,
        code: "import_refused",
        errors: report.errors.into_iter().map(RefusedLine::from).collect(),
        request_id: call.ctx.request_id.clone(),
        rejected: report.rejected,
        lines: report.lines,
        mapping: report.mapping,
        error_count: report.error_count,
    };
    // A header of its own takes an answer off the short way, which knows success only.
    let body = Body::Json(serde_json::to_string(&problem)?);
    Ok(Reply::new(422, body).header("cache-control", "no-store"))
}
