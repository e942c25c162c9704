//! The route of imports: decode, call, render.
//!
//! Invariant: types here are what goes over the wire, and the API document is made from them.
//! Failure: 422 `import_refused` with the wrong lines; 413 for a file that is too large, 415 for one
//! of another kind.

use std::collections::BTreeMap;

use rules::guest_import::{Duplicates, Format, MAX_BYTES, Problem};
use rules::invalid::Invalid;
use rules::roles::{Resource, Verb};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Order, Outcome};
use crate::platform::error::{Error, Result};
use crate::platform::http::{Access, Answer, Body, Call, Reply, Route, json, routes};

/// How to import.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// Import the right lines although others are wrong. Without it, one wrong line is enough for
    /// nothing to be imported.
    pub partial: Option<bool>,
    /// What to do with a code that an earlier line or a guest on the list has: `reject` the line
    /// (default), or `keep` both, and a scan of the code is ambiguous.
    #[param(value_type = Option<String>, pattern = "^(reject|keep)$")]
    pub duplicates: Option<Duplicates>,
    /// A JSON object of field to header, for columns that are not recognised or wrongly so; an empty
    /// header leaves the field out. Fields: `name`, `first_name`, `last_name`, `email`, `barcode`,
    /// `category`, `status`, `valid_from`, `valid_until`, `attention_note`, `paid`, `blocked`,
    /// `attention`.
    #[param(max_length = 4096, example = r#"{"barcode":"Ticket no."}"#)]
    pub map: Option<String>,
}

/// What came of an import.
#[derive(Serialize, ToSchema)]
pub struct ImportReport {
    /// Guests that are on the list now.
    pub imported: u32,
    /// Lines that are not.
    pub rejected: u32,
    /// Lines that hold a guest or should; a quoted line break does not begin a new one.
    pub lines: u32,
    /// Fields and the headers they were read from, best first.
    pub mapping: BTreeMap<String, Vec<String>>,
    /// The first hundred errors, by line.
    #[schema(max_items = 100)]
    pub errors: Vec<ImportError>,
    /// Errors in all; a line may have several.
    pub error_count: u32,
}

/// One thing that is wrong with a line.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct ImportError {
    /// From 1; in a JSON array the place of the record, from 1.
    pub line: u32,
    /// The field, if it is one field's.
    pub field: Option<String>,
    /// Stable, snake_case.
    pub code: String,
    /// One sentence for a person.
    pub message: String,
}

impl From<Problem> for ImportError {
    fn from(problem: Problem) -> Self {
        let Problem {
            line,
            field,
            code,
            message,
        } = problem;
        Self {
            line,
            field,
            code,
            message,
        }
    }
}

/// The problem of an import that was refused: what every problem has, and what the import came to.
#[derive(Serialize, ToSchema)]
pub struct ImportRefused {
    /// Names the kind of problem.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The status in words.
    pub title: &'static str,
    /// 422.
    pub status: u16,
    /// One sentence for a person.
    pub detail: String,
    /// `import_refused`.
    pub code: &'static str,
    /// The first hundred errors, by line.
    #[schema(max_items = 100)]
    pub errors: Vec<RefusedLine>,
    /// As in `x-request-id`.
    pub request_id: String,
    /// Lines that are wrong.
    pub rejected: u32,
    /// Lines that hold a guest or should; 0 when the file cannot be read.
    pub lines: u32,
    /// Fields and the headers they were read from, best first.
    pub mapping: BTreeMap<String, Vec<String>>,
    /// Errors in all.
    pub error_count: u32,
}

/// One thing that is wrong with a line of a refused import.
#[derive(Serialize, ToSchema)]
pub struct RefusedLine {
    /// Line and field: `/17/email`.
    pub pointer: String,
    /// The error.
    #[serde(flatten)]
    pub error: ImportError,
}

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
    let line = |error: ImportError| {
        let field = error
            .field
            .as_ref()
            .map(|field| format!("/{field}"))
            .unwrap_or_default();
        RefusedLine {
            pointer: format!("/{}{field}", error.line),
            error,
        }
    };
    let problem = ImportRefused {
        kind: "/docs/problems#import_refused",
        title: "Unprocessable content",
        status: 422,
        detail,
        code: "import_refused",
        errors: report.errors.into_iter().map(line).collect(),
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
