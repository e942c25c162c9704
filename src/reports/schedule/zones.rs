//! New time zone data: schedules that were computed with older data are computed again.
//!
//! Invariant: which data a schedule was computed with is stored with it; what newer data has computed
//! stays. Those that run first come first; an isolate that has found nothing to do looks once a day
//! only, because a deployment makes new isolates.
//! Failure: a schedule that is not reached keeps its old data, and is found again.

use std::cell::Cell;
use std::time::Duration;

use rules::schedule::{self, Schedule};
use rules::time::render;
use serde_json::{Value, json};

use super::store::{self, Stale};
use super::timed::{self, Next};
use crate::delivery;
use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::scope::Scope;
use crate::reports::notices;

/// Schedules computed again by one statement.
const BATCH: usize = 500;
/// How long one tick goes on; the next one follows within a minute.
const PATIENCE: Duration = Duration::from_secs(10);

thread_local! {
    static LOOKED: Cell<bool> = const { Cell::new(false) };
}

/// As [`renew`], unless this isolate has looked already.
pub async fn renew_once(ctx: &Ctx) -> Result<usize> {
    match LOOKED.get() {
        true => Ok(0),
        false => renew(ctx).await,
    }
}

/// Computes schedules again that were computed with older data; answers how many.
pub async fn renew(ctx: &Ctx) -> Result<usize> {
    let asked = json!({
        "tzdata": rules::cron::tzdata_version(), "limit": BATCH, "now": render(ctx.now),
    });
    let began = clock::now();
    let mut renewed = 0;
    loop {
        let stale = ctx.pg.function(&store::STALE, &asked).await?;
        let done = recompute(ctx, &stale).await?;
        renewed += done;
        let all = stale.len() < BATCH;
        let late = (clock::now() - began).to_std().unwrap_or_default() > PATIENCE;
        if all || done == 0 || late {
            LOOKED.set(all);
            return Ok(renewed);
        }
    }
}

/// One statement for all that nobody has to be told of, one for each other.
async fn recompute(ctx: &Ctx, stale: &[Stale]) -> Result<usize> {
    let mut quiet = Vec::new();
    let mut done = 0;
    for one in stale {
        let zone = one.timezone.as_deref();
        let read = timed::schedule(&one.cron, zone, one.jitter, one.overlap).ok();
        // One that has moved into the past is caught up by the tick.
        let next = read.as_ref().and_then(|schedule| {
            let nominal = one.nominal.as_deref();
            let at = schedule::recompute(schedule, one.next_run_at, nominal)?;
            timed::next(one.id, schedule, at)
        });
        let next = next.as_ref();
        let notice = notice(one, read.as_ref(), next);
        let quietly = notice.is_none();
        let change = json!({
            "id": one.id, "was": render(one.next_run_at), "notice": notice,
            "next_run_at": next.map(|next| render(next.at)),
            "nominal": next.map(|next| &next.nominal),
            "due_at": next.map(|next| render(next.due)),
            "tzdata": rules::cron::tzdata_version(),
        });
        if quietly {
            quiet.push(change);
            continue;
        }
        let scope = Scope::system(one.tenant);
        let told = ctx.pg.call(&scope, &store::RESCHEDULE, &change).await?;
        done += usize::from(told);
        delivery::announce(ctx, one.tenant).await;
    }
    if quiet.is_empty() {
        return Ok(done);
    }
    let all = json!({"tzdata": rules::cron::tzdata_version(), "renewed": quiet});
    Ok(done + ctx.pg.function(&store::RENEW, &all).await?)
}

/// What the owner is told, if anything has changed for them.
fn notice(stale: &Stale, schedule: Option<&Schedule>, next: Option<&Next>) -> Option<Value> {
    let zone = stale.timezone.as_deref().unwrap_or("UTC");
    let Some(schedule) = schedule else {
        return Some(notices::stopped(zone));
    };
    let new: Vec<_> = next.iter().map(|next| next.at).collect();
    let moves = schedule::moved(&schedule.zone, &[stale.next_run_at], &new);
    let moves: Vec<_> = moves.into_iter().map(|one| one.text).collect();
    (!moves.is_empty()).then(|| notices::moved(&moves.join("\n"), zone))
}
