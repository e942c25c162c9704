//! Schedules of reports: what they mean, and the ticks that run them.
//!
//! Invariant: an occurrence is run once, however many ticks find it; null is never due.
//! Failure: occurrences that no tick came for are caught up by the latest one, if it is not too old;
//! the others are counted as missed.

mod due;
pub mod http;
mod store;
pub mod timed;
mod wire;
mod zones;

pub use due::all;
pub use zones::{renew, renew_once};

use chrono::{DateTime, TimeDelta, Utc};
use rules::invalid::Invalid;
use rules::report::config;
use rules::schedule::{self, Busy, Schedule, Unfinished};
use rules::time::render;
use serde_json::json;
use uuid::Uuid;

use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::queue::{self, Job};
use crate::platform::scope::Scope;
use wire::{Dispatch, Dispatched, Ticked, UpcomingIn, UpcomingQuery, UpcomingRuns};

/// Runs that are told unless said otherwise.
const USUAL: usize = 10;

/// What a schedule that is not saved yet would mean.
pub async fn foresee(ctx: &Ctx, scope: &Scope, input: &UpcomingIn) -> Result<UpcomingRuns> {
    ctx.pg.call(scope, &store::MAY, &json!({})).await?;
    let mut invalid = Invalid::default();
    let zone = input.cron_timezone.as_deref();
    let overlap = input.overlap.unwrap_or_default();
    let read = timed::schedule(&input.cron, zone, input.jitter.unwrap_or(false), overlap);
    let schedule = invalid.take(read);
    let n = input.n.map(|n| n.to_string());
    let n = invalid.take(config::count("/n", n.as_deref(), USUAL, config::UPCOMING));
    let (schedule, n) = invalid.or((schedule, n))?;
    let from = input.from.unwrap_or(ctx.now);
    let schedule = schedule.ok_or_else(Invalid::default)?;
    let n = n.unwrap_or(USUAL);
    Ok(runs(Uuid::nil(), &schedule, from, n, Busy::default()))
}

/// The next runs of a report.
pub async fn upcoming(
    ctx: &Ctx,
    scope: &Scope,
    report: Uuid,
    query: &UpcomingQuery,
) -> Result<UpcomingRuns> {
    let n = config::count("/n", query.n.as_deref(), USUAL, config::UPCOMING)?;
    let from = query.from.as_deref();
    let from = from
        .map(|text| rules::time::parse("/from", text))
        .transpose()?;
    let which = json!({"id": report});
    let known = ctx.pg.call(scope, &store::KNOWN, &which).await?;
    let busy = Busy {
        unfinished: Unfinished {
            active: known.running,
            buffered: known.waiting,
        },
        usual: known.usual_ms.map(TimeDelta::milliseconds),
    };
    let schedule = known.config.timed()?;
    Ok(runs(report, &schedule, from.unwrap_or(ctx.now), n, busy))
}

fn runs(id: Uuid, schedule: &Schedule, from: DateTime<Utc>, n: usize, busy: Busy) -> UpcomingRuns {
    UpcomingRuns {
        cron: schedule.cron.to_string(),
        cron_timezone: schedule.zone.name().to_owned(),
        schedule: schedule.cron.describe(&schedule.zone, from),
        warnings: schedule.cron.lint(),
        tzdata: rules::cron::tzdata_version(),
        runs: schedule::upcoming(id, schedule, from, n, busy),
    }
}

/// Looks for what is due of the caller's tenant.
pub async fn tick(ctx: &Ctx, scope: &Scope) -> Result<Ticked> {
    due::tenant(ctx, scope).await
}

/// The same for the Worker's own job.
pub async fn tick_tenant(ctx: &Ctx, tenant: Uuid) -> Result<()> {
    tick(ctx, &Scope::system(tenant)).await.map(drop)
}

/// Looks for what is due of every tenant: one read says whose turn it is, and the queue does the
/// rest, each tenant on its own.
pub async fn dispatch(ctx: &Ctx) -> Result<Dispatched> {
    let asked = json!({"now": render(ctx.now)});
    let tenants = ctx.pg.function(&store::TENANTS, &asked).await?;
    let jobs: Vec<Job> = tenants
        .iter()
        .map(|tenant| Job::ReportTick { tenant: *tenant })
        .collect();
    let sent = queue::send_all(ctx, queue::BINDING, &jobs).await;
    let error = sent.err().map(|error| error.detail.to_string());
    let results = tenants.into_iter().map(|tenant| Dispatch {
        tenant_id: Some(tenant),
        success: error.is_none(),
        error: error.clone(),
        tick: None,
    });
    Ok(Dispatched::of(true, results.collect()))
}

/// The same for the caller's tenant alone, done at once.
pub async fn dispatch_own(ctx: &Ctx, scope: &Scope) -> Result<Dispatched> {
    let only = Dispatch {
        tenant_id: None,
        success: true,
        error: None,
        tick: Some(tick(ctx, scope).await?),
    };
    Ok(Dispatched::of(false, vec![only]))
}

impl Dispatched {
    fn of(hosting_enabled: bool, results: Vec<Dispatch>) -> Self {
        let successful = results.iter().filter(|one| one.success).count();
        Self {
            total: results.len(),
            successful,
            failed: results.len() - successful,
            hosting_enabled,
            results,
        }
    }
}
