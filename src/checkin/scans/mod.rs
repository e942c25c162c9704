//! Scans and the records they leave.
//!
//! Invariant: a scan is decided by the table's live object and nowhere else; lists are read from
//! Postgres, after the object was asked to bring the record up to date.
//! Failure: with Postgres away scans go on, and lists are 503.

pub mod export;
pub mod http;
pub mod several;
mod store;
mod wire;

use rules::checkin::dashboard::LivePosition;
use rules::page::Page;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::ask;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::object::ObjectAnswer;
use crate::platform::pg::Pg;
use crate::platform::scope::Scope;
use store::{Exported, Position};
use wire::{CheckInsQuery, Filter};

/// Decides a scan; `input` is the body as it came.
pub async fn scan(ctx: &Ctx, scope: &Scope, table: Uuid, input: &str) -> Result<ObjectAnswer> {
    ask(ctx, scope, table, "scan", input).await
}

/// Takes a batch of scans.
pub async fn sync(ctx: &Ctx, scope: &Scope, table: Uuid, input: &str) -> Result<ObjectAnswer> {
    ask(ctx, scope, table, "sync", input).await
}

/// Undoes an admission. Without `table` its record is looked up.
pub async fn annul(
    ctx: &Ctx,
    scope: &Scope,
    check_in: Uuid,
    table: Option<Uuid>,
    input: &str,
) -> Result<ObjectAnswer> {
    let table = match table {
        Some(table) => table,
        None => {
            let record = ctx
                .pg
                .call(scope, &store::GET, &json!({"id": check_in}))
                .await?;
            let table = record
                .get("table_id")
                .and_then(Value::as_str)
                .unwrap_or_default();
            table.parse().map_err(|_| Error::not_found())?
        }
    };
    ask(ctx, scope, table, "annul", &format!("{check_in}\n{input}")).await
}

/// The live dashboard of a table.
pub async fn dashboard(ctx: &Ctx, scope: &Scope, table: Uuid) -> Result<ObjectAnswer> {
    ask(ctx, scope, table, "dashboard", "").await
}

/// Records, and where to follow them from.
#[derive(Serialize)]
pub struct Listed {
    #[serde(flatten)]
    page: Page<Value>,
    live: Option<LivePosition>,
}

/// Records, newest first. Of one table they are those up to the place it carries, so that whoever
/// subscribes from there gets every later one, and none twice.
pub async fn list(ctx: &Ctx, scope: &Scope, query: &CheckInsQuery) -> Result<Listed> {
    let limit = rules::page::limit(query.limit.as_deref())?;
    let mut filter = Position {
        filter: query.filter()?,
        before: rules::page::decode(query.cursor.as_deref())?,
        after: None,
        upto: None,
        limit: limit + 1,
    };
    let live = match query.table_id {
        Some(table) => up_to_date(ctx, scope, table).await?,
        None => None,
    };
    filter.upto = live.as_ref().map(|live| live.offset);
    let found = ctx.pg.call(scope, &store::LIST, &filter).await?;
    let page = rules::page::cut(found, limit, |record| {
        record
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    });
    Ok(Listed { page, live })
}

/// Records of one page of an export.
const EXPORT_PAGE: u32 = 1_000;

/// Records in the order they were made, [`EXPORT_PAGE`] at a time, from the one behind `after`.
async fn exported(
    pg: &Pg,
    scope: &Scope,
    filter: &Filter,
    after: Option<Uuid>,
) -> Result<Exported> {
    let position = Position {
        filter: filter.clone(),
        before: None,
        after,
        upto: None,
        limit: EXPORT_PAGE,
    };
    pg.call(scope, &store::EXPORT, &position).await
}

/// One record. With `table` it is there as soon as its scan was answered, without it within about a
/// second.
pub async fn get(ctx: &Ctx, scope: &Scope, check_in: Uuid, table: Option<Uuid>) -> Result<Value> {
    if let Some(table) = table {
        up_to_date(ctx, scope, table).await?;
    }
    ctx.pg
        .call(scope, &store::GET, &json!({"id": check_in}))
        .await
}

/// Has the object bring the record up to date; answers how far that reaches. A table on which
/// check-in was never enabled has none, and the list of a table of another tenant is empty.
async fn up_to_date(ctx: &Ctx, scope: &Scope, table: Uuid) -> Result<Option<LivePosition>> {
    match ask(ctx, scope, table, "flush", "").await {
        Ok(answer) => Ok(Some(serde_json::from_str(&answer.body)?)),
        Err(error) if error.status == 404 => Ok(None),
        Err(error) => Err(error),
    }
}
