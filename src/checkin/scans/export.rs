//! Check-in records as a file, written while they are read.
//!
//! Invariant: the records come in the order they were made, page after page, and memory holds one
//! page. They are the ones that the list shows under the same filter, refusals and annulled ones
//! among them; one that is made meanwhile is in it or not, whole.
//! Failure: 503 while the record cannot be brought up to date; once the answer has begun, it is cut,
//! never ended as if it were whole.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rules::checkin::export;
use rules::checkin::verdict::Verdict;
use rules::roles::{Resource, Verb};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::wire::time;
use super::{Filter, exported};
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::http::{Access, Answer, Body, Call, Reply, Route, parts, routes};
use crate::platform::pg::Pg;
use crate::platform::scope::Scope;

/// Which records, and how they are written.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// Of this table.
    pub table_id: Option<Uuid>,
    /// `csv` unless told.
    #[serde(default)]
    #[param(inline, value_type = Option<ExportFormat>)]
    pub format: ExportFormat,
    /// With this verdict. Duplicates are counted on the first record and are no records.
    pub verdict: Option<Verdict>,
    /// Scanned at this gate.
    pub gate: Option<String>,
    /// Scanned with this device.
    pub session_id: Option<Uuid>,
    /// Not before, RFC 3339.
    #[param(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    pub from: Option<String>,
    /// Before, RFC 3339.
    #[param(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    pub to: Option<String>,
}

/// How records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// For a spreadsheet.
    #[default]
    Csv,
    /// For a program: a record as the list shows it on each line.
    Ndjson,
}

impl ExportQuery {
    fn filter(&self) -> Result<Filter> {
        Ok(Filter {
            table_id: self.table_id,
            row_id: None,
            session_id: self.session_id,
            gate: self.gate.clone(),
            verdict: self.verdict,
            from: time("/from", self.from.as_deref())?,
            to: time("/to", self.to.as_deref())?,
        })
    }
}

impl ExportFormat {
    fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    fn disposition(self) -> &'static str {
        match self {
            Self::Csv => "attachment; filename=\"check-ins.csv\"",
            Self::Ndjson => "attachment; filename=\"check-ins.ndjson\"",
        }
    }

    fn header(self) -> String {
        match self {
            Self::Csv => export::header(),
            Self::Ndjson => String::new(),
        }
    }

    fn line(self, record: &RawValue) -> Result<String> {
        Ok(match self {
            Self::Csv => export::row(&serde_json::from_str::<Value>(record.get())?),
            Self::Ndjson => format!("{}\n", record.get()),
        })
    }
}

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_export_check_ins, export_check_ins => Access::May(Verb::Transfer, Resource::CheckIn);
    ]
}

/// Check-in records as a file, oldest first, refusals included.
///
/// `csv` is written for spreadsheets: it begins with a byte order mark and a header, and a cell that
/// would run as a formula (it begins with `=`, `+`, `-`, `@`, tab or carriage return) is preceded by
/// `'`. Its columns: `id`, `seq` (place in the table's log), `check_in_time` (clock corrected),
/// `verdict`, `reason`, `direction`, `guest_name`, `guest_email`, `guest_category` (as they were
/// then), `barcode`, `gate`, `scanner_name`, `scanner_email`, `scan_count`, `last_scanned_at`,
/// `walk_in`, `force_sent`, `forced`, `overrode`, `notes`, `annulled_at`, `annulled_by`,
/// `scanned_at` and `sent_at` (by the device's clock), `received_at`, `clock_skew_ms`,
/// `session_id`, `row_id`, `table_id`, `guest_attention_note`, `device`, `people`, `offline`,
/// `conflict_with`, `conflict_gap_ms`, `answers`. Times are RFC 3339 in UTC.
///
/// `ndjson` is for programs: on each line a record as `GET /pulse/check-ins` shows it.
#[utoipa::path(get, path = "/pulse/check-ins/export", operation_id = "export_check_ins",
    params(ExportQuery), responses((status = 200, content(
        (String = "text/csv"), (String = "application/x-ndjson")))))]
async fn export_check_ins(call: Call<'_>) -> Answer {
    let (scope, query) = (call.scope().await?, call.query::<ExportQuery>()?);
    let format = query.format;
    let export = Rc::new(Export::begin(call.ctx, scope, &query).await?);
    let body = parts(&call.ctx.request_id, move || {
        let export = Rc::clone(&export);
        async move { export.part().await }
    });
    Ok(Reply::new(200, Body::Stream(format.content_type(), body))
        .header("content-disposition", format.disposition()))
}

/// An export under way.
struct Export {
    pg: Pg,
    scope: Scope,
    filter: Filter,
    format: ExportFormat,
    /// The part that is ready: header and first page.
    ready: RefCell<Option<String>>,
    /// Behind which record the next page starts.
    after: Cell<Option<Uuid>>,
}

impl Export {
    /// Reads the first page, so that what is wrong is told by the status.
    async fn begin(ctx: &Ctx, scope: Scope, query: &ExportQuery) -> Result<Self> {
        let filter = query.filter()?;
        if let Some(table) = filter.table_id {
            super::up_to_date(ctx, &scope, table).await?;
        }
        let export = Self {
            pg: ctx.pg.clone(),
            scope,
            filter,
            format: query.format,
            ready: RefCell::default(),
            after: Cell::default(),
        };
        let text = export.format.header() + &export.page(None).await?;
        export.ready.replace(Some(text));
        Ok(export)
    }

    /// The next part of the file. An empty one would not wake the reader of a stream.
    async fn part(&self) -> Result<Option<String>> {
        let ready = self.ready.take();
        if ready.as_ref().is_some_and(|text| !text.is_empty()) {
            return Ok(ready);
        }
        match self.after.take() {
            None => Ok(None),
            after => Ok(Some(self.page(after).await?).filter(|text| !text.is_empty())),
        }
    }

    async fn page(&self, after: Option<Uuid>) -> Result<String> {
        let page = exported(&self.pg, &self.scope, &self.filter, after).await?;
        self.after.set(page.last);
        page.records
            .iter()
            .map(|record| self.format.line(record))
            .collect()
    }
}
