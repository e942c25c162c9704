//! Checks of a table, and what came of them.
//!
//! Invariant: a check that is stored was found right by `rules::monitor::check`; SQL in it was parsed
//! and is written out anew whenever it runs.
//! Failure: 422 for what is not right; 409 while a replica cannot be asked.

pub mod http;
mod store;
mod wire;

use chrono::{DateTime, TimeDelta, Utc};
use rules::invalid::Invalid;
use rules::monitor::backfill::Backfill;
use rules::monitor::check::{Check, CheckIn, CheckPatch};
use rules::page::Page;
use serde_json::json;
use uuid::Uuid;

use super::replica;
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::pg::Called;
use crate::platform::scope::Scope;
use wire::{CheckHistory, CheckResult, HistoryQuery, MonitorCheck, MonitorChecks, ResultsQuery};

/// Points of a chart unless others are wanted.
const POINTS: u32 = 300;
/// Most points of a chart that are wanted.
const MOST: u32 = 1_000;
/// The time of a chart unless another is wanted.
const WEEK: TimeDelta = TimeDelta::weeks(1);

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
    let new = json!({
        "id": ctx.new_id(), "table_id": table, "definition": check,
        "backfill": Backfill::of(&check),
    });
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
    let mut change = json!({
        "table_id": table, "id": check, "definition": after,
        "anew": !after.measures_as(&before), "if_match": if_match.unwrap_or(known.version),
    });
    if let (false, Some(fields)) = (after.is_filled_as(&before), change.as_object_mut()) {
        fields.insert("backfill".to_owned(), json!(Backfill::of(&after)));
    }
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
        "table_id": table, "id": check, "from": from, "to": to,
        "outcome": query.outcome, "origin": query.origin,
        "before": rules::page::decode::<(String, i32)>(query.cursor.as_deref())?,
        "limit": limit + 1,
    });
    let found = ctx.pg.call(scope, &store::RESULTS, &filter).await?;
    Ok(rules::page::cut(found, limit, |result| {
        (result.at.clone(), result.revision)
    }))
}

/// What a check measured in a time, oldest first.
pub async fn history(
    ctx: &Ctx,
    scope: &Scope,
    (table, check): (Uuid, Uuid),
    query: &HistoryQuery,
) -> Result<CheckHistory> {
    let mut invalid = Invalid::default();
    let from = invalid.take(time("/from", query.from.as_deref())).flatten();
    let to = invalid.take(time("/to", query.to.as_deref())).flatten();
    let points = query.points.as_deref().map_or(Ok(POINTS), str::parse);
    let points = points.ok().filter(|points| (1..=MOST).contains(points));
    if points.is_none() {
        let message = format!("Must be a number from 1 to {MOST}.");
        invalid.add("/points", "out_of_range", message);
    }
    invalid.or(())?;
    let to = to.unwrap_or(ctx.now);
    let asked = json!({
        "table_id": table, "id": check, "from": from.unwrap_or(to - WEEK), "to": to,
        "points": points,
    });
    let data = ctx.pg.call(scope, &store::HISTORY, &asked).await?;
    Ok(CheckHistory { data })
}

/// Has the history of a check filled in, unless that is under way.
pub async fn backfill(ctx: &Ctx, scope: &Scope, (table, check): (Uuid, Uuid)) -> Result<Backfill> {
    let which = json!({"table_id": table, "id": check});
    // Twice the same changes nothing, so no answer needs to be kept.
    let scope = &reading(scope);
    let known = ctx.pg.call(scope, &store::KNOWN, &which).await?;
    let definition: Check = serde_json::from_value(known.definition)?;
    let asked = json!({
        "table_id": table, "id": check, "version": known.version,
        "backfill": Backfill::of(&definition),
    });
    let begun = ctx.pg.call_full(scope, &store::BACKFILL, &asked).await?;
    Ok(followed(ctx, begun).await?.result)
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
