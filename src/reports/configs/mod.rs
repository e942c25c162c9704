//! Reports as they are asked for: prompt, schedule, recipients, and whether they run.
//!
//! Invariant: the next run is known from the moment a report is made, and follows its schedule
//! whenever that changes; a report that does not run has none.
//! Failure: 412 when somebody else has changed the report meanwhile and the caller said which
//! version it knows; without that, the change is made on top of theirs.

pub mod http;
mod store;
mod wire;

pub use wire::Report;

use rules::page::Page;
use rules::report::config;
use rules::schedule::Schedule;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::schedule::timed;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::pg::Called;
use crate::platform::scope::Scope;
use wire::{ReportIn, ReportPatch, ReportsQuery, Stored};

/// How often a change is made again on top of somebody else's.
const TRIES: usize = 10;

/// Adds a report.
pub async fn create(ctx: &Ctx, scope: &Scope, input: ReportIn) -> Result<Called<Report>> {
    let (stored, schedule) = input.check()?;
    let id = ctx.new_id();
    let mut new = written(ctx, id, &stored)?;
    put(&mut new, "most", json!(config::PER_TENANT));
    plan(ctx, &mut new, id, &schedule);
    let new = new.into();
    let done = ctx.pg.call_full(scope, &store::INSERT, &new).await?;
    done.try_map(|report| Ok(report.told(ctx)))
}

/// Reports, newest first.
pub async fn list(ctx: &Ctx, scope: &Scope, query: &ReportsQuery) -> Result<Page<Report>> {
    let limit = rules::page::limit(query.limit.as_deref())?;
    let filter = json!({
        "enabled": query.enabled,
        "before": rules::page::decode::<Uuid>(query.cursor.as_deref())?,
        "limit": limit + 1,
    });
    let found = ctx.pg.call(scope, &store::LIST, &filter).await?;
    let mut page = rules::page::cut(found, limit, |report| report.id);
    page.items = page.items.into_iter().map(|one| one.told(ctx)).collect();
    Ok(page)
}

/// One report.
pub async fn get(ctx: &Ctx, scope: &Scope, report: Uuid) -> Result<Report> {
    let which = json!({"id": report});
    let found = ctx.pg.call(scope, &store::GET, &which).await?;
    Ok(found.told(ctx))
}

/// Changes what is given.
pub async fn update(
    ctx: &Ctx,
    scope: &Scope,
    report: Uuid,
    if_match: Option<i64>,
    input: ReportPatch,
) -> Result<Called<Report>> {
    let mut tries = TRIES;
    loop {
        // What is read is nobody's answer: the key of a repeated request belongs to the write.
        let mut reading = scope.clone();
        reading.idempotency = None;
        let before = ctx
            .pg
            .call(&reading, &store::GET, &json!({"id": report}))
            .await?;
        let change = changed(ctx, &before, if_match, input.clone())?;
        tries -= 1;
        match ctx.pg.call_full(scope, &store::UPDATE, &change).await {
            Err(error) if error.status == 412 && if_match.is_none() && tries > 0 => {}
            done => return done?.try_map(|report| Ok(report.told(ctx))),
        }
    }
}

fn changed(ctx: &Ctx, before: &Report, if_match: Option<i64>, input: ReportPatch) -> Result<Value> {
    let (stored, schedule) = input.check(before)?;
    let mut change = written(ctx, before.id, &stored)?;
    if stored.reschedules(before) {
        plan(ctx, &mut change, before.id, &schedule);
    }
    put(
        &mut change,
        "if_match",
        json!(if_match.unwrap_or(before.version)),
    );
    Ok(change.into())
}

/// Removes a report, with its runs; what was sent stays in the outbox.
pub async fn delete(ctx: &Ctx, scope: &Scope, report: Uuid, if_match: Option<i64>) -> Result<()> {
    let which = json!({"id": report, "if_match": if_match});
    ctx.pg.call(scope, &store::DELETE, &which).await.map(drop)
}

/// Pauses a report. Runs that are under way go on.
pub async fn pause(
    ctx: &Ctx,
    scope: &Scope,
    report: Uuid,
    if_match: Option<i64>,
) -> Result<Called<Report>> {
    let which = json!({"id": report, "if_match": if_match, "now": rules::time::render(ctx.now)});
    let done = ctx.pg.call_full(scope, &store::PAUSE, &which).await?;
    done.try_map(|report| Ok(report.told(ctx)))
}

/// Lets a report run again.
pub async fn resume(
    ctx: &Ctx,
    scope: &Scope,
    report: Uuid,
    if_match: Option<i64>,
) -> Result<Called<Report>> {
    let mut reading = scope.clone();
    reading.idempotency = None;
    let before = ctx
        .pg
        .call(&reading, &store::GET, &json!({"id": report}))
        .await?;
    let mut which = Map::new();
    put(&mut which, "id", json!(report));
    put(&mut which, "now", json!(rules::time::render(ctx.now)));
    put(
        &mut which,
        "if_match",
        json!(if_match.unwrap_or(before.version)),
    );
    put(&mut which, "enabled", json!(before.enabled));
    plan(ctx, &mut which, report, &before.timed()?);
    let which = which.into();
    let done = ctx.pg.call_full(scope, &store::RESUME, &which).await?;
    done.try_map(|report| Ok(report.told(ctx)))
}

fn written(ctx: &Ctx, id: Uuid, stored: &Stored) -> Result<Map<String, Value>> {
    let Value::Object(mut written) = serde_json::to_value(stored)? else {
        return Err(Error::internal("a report is an object"));
    };
    put(&mut written, "id", json!(id));
    put(&mut written, "now", json!(rules::time::render(ctx.now)));
    Ok(written)
}

fn put(fields: &mut Map<String, Value>, name: &str, value: Value) {
    fields.insert(name.to_owned(), value);
}

/// Adds the next run, if there is to be one.
fn plan(ctx: &Ctx, change: &mut Map<String, Value>, id: Uuid, schedule: &Schedule) {
    let next = match change.get("enabled") == Some(&Value::Bool(true)) {
        true => timed::first(id, schedule, ctx.now),
        false => None,
    };
    let next = next.as_ref();
    let at = next.map(|next| rules::time::render(next.at));
    let due = next.map(|next| rules::time::render(next.due));
    put(change, "next_run_at", json!(at));
    put(
        change,
        "next_nominal",
        json!(next.map(|next| &next.nominal)),
    );
    put(change, "due_at", json!(due));
    put(change, "tzdata", json!(rules::cron::tzdata_version()));
}

impl Report {
    /// Its schedule.
    pub fn timed(&self) -> Result<Schedule> {
        let zone = self.cron_timezone.as_deref();
        Ok(timed::schedule(
            &self.cron,
            zone,
            self.jitter,
            self.overlap,
        )?)
    }

    /// The report with its schedule in words.
    fn told(mut self, ctx: &Ctx) -> Self {
        if let Ok(schedule) = self.timed() {
            self.schedule = schedule.cron.describe(&schedule.zone, ctx.now);
            self.warnings = schedule.cron.lint();
        }
        self
    }
}
