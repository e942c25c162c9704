//! Guest lists as CSV, written while they are read.
//!
//! Invariant: the guests come in the order they were added, page after page, and memory holds one
//! page. What is exported imports to the same guests. A guest who is added or changed meanwhile is
//! in it or not, whole.
//! Failure: a list that is not there is 404; once the answer has begun, it is cut, never ended as if
//! it were whole.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rules::export::{self, Reader};
use rules::roles::{Resource, Verb};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::rows::{self, Exported};
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::http::{Access, Answer, Body, Call, Reply, Route, parts, routes};
use crate::platform::pg::Pg;
use crate::platform::scope::Scope;

/// How to export.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// Write for a spreadsheet: a byte order mark at the start, and `'` before each cell that would
    /// run as a formula (one that begins with `=`, `+`, `-`, `@`, tab or carriage return). The
    /// import takes both off again. Without it, cells are what they are.
    pub spreadsheet: Option<bool>,
}

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![__path_export_rows, export_rows => Access::May(Verb::Transfer, Resource::GuestRow);]
}

/// All guests of a list as CSV, in the order they were added. Each field of `data` has a column
/// (the first 900 by name).
#[utoipa::path(get, path = "/pulse/tables/{id}/export", operation_id = "export_rows",
    params(("id" = Uuid, Path), ExportQuery),
    responses((status = 200, body = String, content_type = "text/csv")))]
async fn export_rows(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let reader = match call.query::<ExportQuery>()?.spreadsheet {
        Some(true) => Reader::Spreadsheet,
        _ => Reader::Program,
    };
    let export = Export::begin(call.ctx, scope, call.id("id")?, reader).await?;
    let name = file_name(&export.name);
    let export = Rc::new(export);
    let body = parts(&call.ctx.request_id, move || {
        let export = Rc::clone(&export);
        async move { export.part().await }
    });
    Ok(
        Reply::new(200, Body::Stream("text/csv; charset=utf-8", body))
            .header("content-disposition", name),
    )
}

/// An export under way.
struct Export {
    pg: Pg,
    scope: Scope,
    table: Uuid,
    reader: Reader,
    name: String,
    keys: Vec<String>,
    /// The part that is ready: header and first page.
    ready: RefCell<Option<String>>,
    /// Behind whom the next page starts.
    after: Cell<Option<Uuid>>,
}

impl Export {
    /// Reads the first page, so that what is wrong is told by the status.
    async fn begin(ctx: &Ctx, scope: Scope, table: Uuid, reader: Reader) -> Result<Self> {
        let Exported {
            name,
            keys,
            rows,
            last,
        } = rows::export(&ctx.pg, &scope, table, None).await?;
        let mut text = match reader {
            Reader::Spreadsheet => export::BOM.to_owned(),
            Reader::Program => String::new(),
        };
        text.push_str(&export::header(&keys, reader));
        rows.iter()
            .for_each(|guest| text.push_str(&export::row(guest, &keys, reader)));
        let (ready, after) = (RefCell::new(Some(text)), Cell::new(last));
        Ok(Self {
            pg: ctx.pg.clone(),
            scope,
            table,
            reader,
            name,
            keys,
            ready,
            after,
        })
    }

    /// The next part of the file.
    async fn part(&self) -> Result<Option<String>> {
        let ready = self.ready.take();
        if ready.is_some() {
            return Ok(ready);
        }
        let Some(after) = self.after.take() else {
            return Ok(None);
        };
        let page = rows::export(&self.pg, &self.scope, self.table, Some(after)).await?;
        self.after.set(page.last);
        let text: String = page
            .rows
            .iter()
            .map(|guest| export::row(guest, &self.keys, self.reader))
            .collect();
        // An empty part would not wake the reader of a stream.
        Ok(Some(text).filter(|text| !text.is_empty()))
    }
}

/// `Content-Disposition` with the name of the list: as it is (RFC 8187), and in plain letters for
/// readers that do not know that.
fn file_name(list: &str) -> String {
    let plain: String = list
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ') {
                c
            } else {
                '_'
            }
        })
        .collect();
    let exact: String = list
        .bytes()
        .map(|byte| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect();
    format!("attachment; filename=\"{plain}.csv\"; filename*=UTF-8''{exact}.csv")
}
