//! New time zone data: schedules that were computed with other data are computed again.
//!
//! Invariant: which data a schedule was computed with is stored with it; an isolate that has found
//! nothing to do looks once a day only, because a deployment makes new isolates.
//! Failure: a schedule that is not reached keeps its old data, and is found again.

use std::cell::Cell;

use chrono::{DateTime, TimeDelta, Utc};
use rules::schedule::Schedule;
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
/// No change of a zone's rules moves an occurrence by more than this.
const MOVES_BY: TimeDelta = TimeDelta::hours(4);

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
    // The occurrence that was next is near where it was; one that has moved into the past is caught
    // up by the tick.
    let from = stale.since.max(stale.next_run_at - MOVES_BY);
    let next = read.as_ref().and_then(|schedule| {
        let run = schedule.cron.next(&schedule.zone, from)?;
        Some(timed::next(stale.id, schedule, run.at))
    });
    let change = json!({
        "id": stale.id, "was": render(stale.next_run_at),
        "next_run_at": next.map(|next| render(next.at)),
        "due_at": next.map(|next| render(next.due)),
        "tzdata": rules::cron::tzdata_version(),
        "notice": notice(stale, read.as_ref(), next),
    });
    let scope = Scope::system(stale.tenant);
    let call = ctx.pg.call(&scope, &store::RESCHEDULE, &change);
    call.await.map(drop)
}

/// What the owner is told, if anything has changed for them.
fn notice(stale: &Stale, schedule: Option<&Schedule>, next: Option<Next>) -> Option<Value> {
    if next.is_some_and(|next| next.at == stale.next_run_at) {
        return None;
    }
    let zone = stale.timezone.as_deref().unwrap_or("UTC");
    let local = |at: DateTime<Utc>| match schedule {
        Some(schedule) => format!(
            "{} {} ({} UTC)",
            schedule.zone.local_day(at),
            schedule.zone.clock(at),
            render(at)
        ),
        None => format!("{} UTC", render(at)),
    };
    let before = local(stale.next_run_at);
    let after = next.map_or_else(
        || "It does not run any more: this time zone is no longer known.".to_owned(),
        |next| format!("The next run is now on {}.", local(next.at)),
    );
    let moves = format!("The next run was to be on {before}.\n{after}");
    Some(notices::moved(&moves, zone))
}
