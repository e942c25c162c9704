//! Checks of a table, and what came of them.
//!
//! Invariant: a check that is stored was found right by `rules::monitor::check`; SQL in it was parsed
//! and is written out anew whenever it runs.
//! Failure: 422 for what is not right; 409 while a replica cannot be asked.

pub mod http;
mod store;
mod wire;

use chrono::{DateTime, Utc};
use rules::invalid::Invalid;
use rules::monitor::check::{Check, CheckIn, CheckPatch};
use rules::page::Page;
use serde_json::json;
use uuid::Uuid;

use super::replica;
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::pg::Called;
use crate::platform::scope::Scope;
use wire::{CheckResult, MonitorCheck, MonitorChecks, ResultsQuery};

/// Adds a check.
pub async fn create(
    ctx: &Ctx,
    scope: &Scope,
    table: Uuid,
    input: CheckIn,
) -> Result<Called<MonitorCheck>> {
    let which = json!({"table_id": table});
    let named = ctx.pg.call(&reading(scope), &store::TABLE, &which).await?;
    let check = input.validate(&named.table)?;
    let new = json!({"id": ctx.new_id(), "table_id": table, "definition": check});
    let made = ctx.pg.call_full(scope, &store::INSERT, &new).await?;
    followed(ctx, made).await
}

/// The checks of a table, oldest first.
pub async fn list(ctx: &Ctx, scope: &Scope, table: Uuid) -> Result<MonitorChecks> {
    let which = json!({"table_id": table});
    let items = ctx.pg.call(scope, &store::LIST, &which).await?;
    Ok(MonitorChecks { items })
}

/// One check.
pub async fn get(ctx: &Ctx, scope: &Scope, table: Uuid, check: Uuid) -> Result<MonitorCheck> {
    let which = json!({"table_id": table, "id": check});
    ctx.pg.call(scope, &store::GET, &which).await
}

/// Changes a check.
pub async fn patch(
    ctx: &Ctx,
    scope: &Scope,
    (table, check): (Uuid, Uuid),
    if_match: Option<i64>,
    input: CheckPatch,
) -> Result<Called<MonitorCheck>> {
    let which = json!({"table_id": table, "id": check});
    let known = ctx.pg.call(&reading(scope), &store::KNOWN, &which).await?;
    let before: Check = serde_json::from_value(known.definition)?;
    let after = before.patch(input, &known.table)?;
    let change = json!({
        "table_id": table, "id": check, "definition": after,
        "if_match": if_match.unwrap_or(known.version),
    });
    let done = ctx.pg.call_full(scope, &store::PATCH, &change).await?;
    followed(ctx, done).await
}

/// Removes a check.
pub async fn delete(
    ctx: &Ctx,
    scope: &Scope,
    (table, check): (Uuid, Uuid),
    if_match: Option<i64>,
) -> Result<()> {
    let which = json!({"table_id": table, "id": check, "if_match": if_match});
    let gone = ctx.pg.call_full(scope, &store::DELETE, &which).await?;
    followed(ctx, gone).await.map(drop)
}

/// What came of a check, newest first.
pub async fn results(
    ctx: &Ctx,
    scope: &Scope,
    (table, check): (Uuid, Uuid),
    query: &ResultsQuery,
) -> Result<Page<CheckResult>> {
    let mut invalid = Invalid::default();
    let from = invalid.take(time("/from", query.from.as_deref())).flatten();
    let to = invalid.take(time("/to", query.to.as_deref())).flatten();
    invalid.or(())?;
    let limit = rules::page::limit(query.limit.as_deref())?;
    let filter = json!({
        "table_id": table, "id": check, "from": from, "to": to, "outcome": query.outcome,
        "before": rules::page::decode::<String>(query.cursor.as_deref())?,
        "limit": limit + 1,
    });
    let found = ctx.pg.call(scope, &store::RESULTS, &filter).await?;
    Ok(rules::page::cut(found, limit, |result| result.at.clone()))
}

/// Runs the checks of a table now. A dry run stores nothing and tells nobody.
pub async fn run(ctx: &Ctx, scope: &Scope, table: Uuid, dry: bool) -> Result<Vec<CheckResult>> {
    let which = json!({"table_id": table});
    let home = ctx.pg.call_full(scope, &store::HOME, &which).await?;
    let ran = replica::run(ctx, home.tenant, &home.result, table, dry).await?;
    let results = ran.into_iter().map(serde_json::from_value::<CheckResult>);
    Ok(results.collect::<core::result::Result<_, _>>()?)
}

/// What is read is nobody's answer: the key of a repeated request belongs to the write.
fn reading(scope: &Scope) -> Scope {
    Scope {
        idempotency: None,
        ..scope.clone()
    }
}

async fn followed<T>(ctx: &Ctx, done: Called<replica::Followed<T>>) -> Result<Called<T>> {
    replica::changed(ctx, done.tenant, &done.result).await;
    done.try_map(|followed| Ok(followed.it))
}

fn time(pointer: &str, text: Option<&str>) -> core::result::Result<Option<DateTime<Utc>>, Invalid> {
    let read = |text: &str| DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
    text.map(read).transpose().map_err(|_| {
        let message = "Must be a time such as 2026-05-01T00:00:00Z.";
        Invalid::one(pointer, "invalid_time", message)
    })
}
