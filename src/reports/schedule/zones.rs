//! New time zone data: schedules that were computed with other data are computed again.
//!
//! Invariant: which data a schedule was computed with is stored with it; an isolate that has found
//! nothing to do looks once a day only, because a deployment makes new isolates.
//! Failure: a schedule that is not reached keeps its old data, and is found again.

use std::cell::Cell;

use rules::schedule::{self, Schedule};
use rules::time::render;
use serde_json::{Value, json};

use super::store::{self, Stale};
use super::timed::{self, Next};
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::scope::Scope;
use crate::reports::notices;

/// Schedules computed again by one tick.
const BATCH: usize = 200;

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

/// Computes schedules again that were computed with other data; answers how many.
pub async fn renew(ctx: &Ctx) -> Result<usize> {
    let asked = json!({
        "tzdata": rules::cron::tzdata_version(), "limit": BATCH, "now": render(ctx.now),
    });
    let stale = ctx.pg.function(&store::STALE, &asked).await?;
    for one in &stale {
        reschedule(ctx, one).await?;
    }
    LOOKED.set(stale.len() < BATCH);
    Ok(stale.len())
}

async fn reschedule(ctx: &Ctx, stale: &Stale) -> Result<()> {
    let zone = stale.timezone.as_deref();
    let read = timed::schedule(&stale.cron, zone, stale.jitter, stale.overlap).ok();
    // One that has moved into the past is caught up by the tick.
    let next = read.as_ref().and_then(|schedule| {
        let nominal = stale.nominal.as_deref();
        let at = schedule::recompute(schedule, stale.next_run_at, nominal)?;
        timed::next(stale.id, schedule, at)
    });
    let next = next.as_ref();
    let change = json!({
        "id": stale.id, "was": render(stale.next_run_at),
        "next_run_at": next.map(|next| render(next.at)),
        "nominal": next.map(|next| &next.nominal),
        "due_at": next.map(|next| render(next.due)),
        "tzdata": rules::cron::tzdata_version(),
        "notice": notice(stale, read.as_ref(), next),
    });
    let scope = Scope::system(stale.tenant);
    let call = ctx.pg.call(&scope, &store::RESCHEDULE, &change);
    call.await.map(drop)
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
