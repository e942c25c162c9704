//! Ticks: due reports are claimed, and their jobs handed to the queue.
//!
//! Invariant: two statements a batch, each its own transaction: what is due is read, decided on here,
//! and written if nothing of it has changed meanwhile. Ticks may run twice at once, by hand too.
//! Failure: what one tick does not get done, the next one finds.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rules::schedule::{self, Decision, Schedule, Unfinished};
use rules::time::render;
use serde_json::json;
use uuid::Uuid;

use super::store::{self, Claim, Claimed, Claims, Due, Made};
use super::timed;
use super::wire::Ticked;
use crate::delivery;
use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::log::{self, Level};
use crate::platform::queue::Job;
use crate::platform::scope::Scope;
use crate::reports::{jobs, notices};

/// Reports claimed by one statement.
const BATCH: usize = 500;
/// How long one tick goes on; the next one follows within a minute.
const PATIENCE: Duration = Duration::from_secs(40);
/// After so many batches that others have claimed, a tick leaves them to it.
const BEATEN: u32 = 3;

/// What a tick did.
#[derive(Default)]
pub struct Swept {
    /// Reports that were due.
    pub due: usize,
    /// The reports that jobs were made for.
    pub triggered: Vec<Uuid>,
}

/// Claims what is due, whoever's it is.
pub async fn all(ctx: &Ctx) -> Result<Swept> {
    let began = clock::now();
    let mut swept = Swept::default();
    let mut beaten = 0;
    let asked = json!({"limit": BATCH, "now": render(ctx.now)});
    loop {
        let due = ctx.pg.function(&store::DUE, &asked).await?;
        let (found, full) = (!due.is_empty(), due.len() == BATCH);
        swept.due += due.len();
        let moved = claim(ctx, due, &mut swept).await?;
        beaten = if found && moved == 0 { beaten + 1 } else { 0 };
        if !full && moved > 0 || !found || beaten == BEATEN || late(began) {
            return Ok(swept);
        }
    }
}

/// Claims what is due of the caller's tenant.
pub async fn tenant(ctx: &Ctx, scope: &Scope) -> Result<Ticked> {
    let began = clock::now();
    let mut swept = Swept::default();
    let asked = json!({"limit": BATCH, "now": render(ctx.now)});
    loop {
        let found = ctx.pg.call(scope, &store::DUE_OF_TENANT, &asked).await?;
        let full = found.due.len() == BATCH;
        let moved = claim(ctx, found.due, &mut swept).await?;
        if !full || moved == 0 || late(began) {
            return Ok(Ticked::of(found.enabled, swept.triggered));
        }
    }
}

fn late(began: DateTime<Utc>) -> bool {
    (clock::now() - began).to_std().unwrap_or_default() > PATIENCE
}

/// Claims a batch and hands its jobs to the queue; answers how many schedules moved on.
async fn claim(ctx: &Ctx, due: Vec<Due>, swept: &mut Swept) -> Result<usize> {
    if due.is_empty() {
        return Ok(0);
    }
    let (mut claims, mut stopped) = (Vec::new(), 0);
    for due in due {
        match decide(&due, ctx.now) {
            Some(claim) => claims.push(claim),
            None => stopped += usize::from(stop(ctx, &due).await?),
        }
    }
    let claims = Claims {
        claims,
        tzdata: rules::cron::tzdata_version(),
    };
    let Claimed { claimed, jobs } = ctx.pg.function(&store::CLAIM, &claims).await?;
    swept.triggered.extend(jobs.iter().map(|made| made.config));
    let ready: Vec<Job> = jobs.iter().filter(|made| !made.waits).map(job).collect();
    jobs::announce_all(ctx, &ready).await;
    Ok(claimed + stopped)
}

/// Stops a schedule whose zone this build's data no longer knows, rather than have it come again for
/// ever, and tells its owner.
async fn stop(ctx: &Ctx, due: &Due) -> Result<bool> {
    let fields = [("report.id", due.id.to_string().into())];
    log::write(Level::Error, "report.schedule", &fields);
    let zone = due.timezone.as_deref().unwrap_or("UTC");
    let change = json!({
        "id": due.id, "was": render(due.next_run_at), "missed": 1,
        "tzdata": rules::cron::tzdata_version(), "notice": notices::stopped(zone),
    });
    let scope = Scope::system(due.tenant);
    let stopped = ctx.pg.call(&scope, &store::RESCHEDULE, &change).await?;
    delivery::announce(ctx, due.tenant).await;
    Ok(stopped)
}

fn job(made: &Made) -> Job {
    Job::ReportJob {
        tenant: made.tenant,
        job: made.job,
    }
}

/// What becomes of a report that is due; none when its schedule cannot be read any more.
fn decide(due: &Due, now: DateTime<Utc>) -> Option<Claim> {
    let zone = due.timezone.as_deref();
    let schedule = timed::schedule(&due.cron, zone, due.jitter, due.overlap).ok()?;
    // An occurrence counts from when ticks look for it.
    let seen = now - schedule::jitter(due.id, &schedule, due.next_run_at);
    let found = schedule::claim(&schedule, due.next_run_at, seen);
    let following = found
        .next_run_at
        .and_then(|at| timed::next(due.id, &schedule, at));
    let following = following.as_ref();
    Some(Claim {
        id: due.id,
        next_run_at: due.next_run_at,
        running: due.running,
        waiting: due.waiting,
        scheduled_for: found.scheduled_for.map(render),
        decision: decision(&schedule, due),
        missed: found.missed,
        following: following.map(|next| render(next.at)),
        nominal: following.map(|next| next.nominal.clone()),
        due_at: following.map(|next| render(next.due)),
    })
}

fn decision(schedule: &Schedule, due: &Due) -> &'static str {
    let unfinished = Unfinished {
        active: due.running,
        buffered: due.waiting,
    };
    match schedule::overlap(schedule.overlap, unfinished) {
        Decision::Start => "start",
        Decision::Skip => "skip",
        Decision::Buffer => "buffer",
        Decision::CancelOthersAndStart => "cancel_others",
    }
}
