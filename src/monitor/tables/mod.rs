//! Tables that are watched through a connection.
//!
//! Invariant: a table is watched once on each connection; what is checked of it is its checks'
//! business.
//! Failure: a table that the replica does not have is one all the same: its checks say so.

pub mod http;
mod store;
mod wire;

use rules::page::Page;
use serde_json::json;
use uuid::Uuid;

use super::replica;
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::pg::Called;
use crate::platform::scope::Scope;
use wire::{MonitoredTable, MonitoredTableIn, MonitoredTablePatch, MonitoredTablesQuery};

/// Adds a table.
pub async fn create(
    ctx: &Ctx,
    scope: &Scope,
    input: MonitoredTableIn,
) -> Result<Called<MonitoredTable>> {
    let connection = input.connection_id;
    let (schema, name, checked) = input.check()?;
    let mut new = serde_json::to_value(checked)?;
    if let Some(fields) = new.as_object_mut() {
        fields.insert("id".to_owned(), json!(ctx.new_id()));
        fields.insert("connection_id".to_owned(), json!(connection));
        fields.insert("schema".to_owned(), json!(schema));
        fields.insert("name".to_owned(), json!(name));
    }
    let made = ctx.pg.call_full(scope, &store::INSERT, &new).await?;
    followed(ctx, made).await
}

/// Tables, newest first.
pub async fn list(
    ctx: &Ctx,
    scope: &Scope,
    query: &MonitoredTablesQuery,
) -> Result<Page<MonitoredTable>> {
    let limit = rules::page::limit(query.limit.as_deref())?;
    let filter = json!({
        "connection_id": query.connection_id,
        "before": rules::page::decode::<Uuid>(query.cursor.as_deref())?,
        "limit": limit + 1,
    });
    let found = ctx.pg.call(scope, &store::LIST, &filter).await?;
    Ok(rules::page::cut(found, limit, |table| table.id))
}

/// One table.
pub async fn get(ctx: &Ctx, scope: &Scope, table: Uuid) -> Result<MonitoredTable> {
    ctx.pg.call(scope, &store::GET, &json!({"id": table})).await
}

/// Changes a table.
pub async fn patch(
    ctx: &Ctx,
    scope: &Scope,
    table: Uuid,
    if_match: Option<i64>,
    input: MonitoredTablePatch,
) -> Result<Called<MonitoredTable>> {
    let mut change = serde_json::to_value(input.check()?)?;
    if let Some(fields) = change.as_object_mut() {
        fields.insert("id".to_owned(), json!(table));
        fields.insert("if_match".to_owned(), json!(if_match));
    }
    let done = ctx.pg.call_full(scope, &store::PATCH, &change).await?;
    followed(ctx, done).await
}

/// Removes a table with its checks.
pub async fn delete(ctx: &Ctx, scope: &Scope, table: Uuid, if_match: Option<i64>) -> Result<()> {
    let which = json!({"id": table, "if_match": if_match});
    let gone = ctx.pg.call_full(scope, &store::DELETE, &which).await?;
    followed(ctx, gone).await.map(drop)
}

async fn followed<T>(ctx: &Ctx, done: Called<replica::Followed<T>>) -> Result<Called<T>> {
    replica::changed(ctx, done.tenant, &done.result).await;
    done.try_map(|followed| Ok(followed.it))
}
