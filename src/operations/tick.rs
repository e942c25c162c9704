//! The minute, the day and the jobs: what is done when nobody calls.
//!
//! Invariant: a tick takes no input and may run twice at once; it looks at the state of things and
//! brings it forward.
//! Failure: what one tick does not get done, the next one finds; each logs one line.

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::{Value, json};
use worker::Env;

use super::upkeep;
use crate::checkin;
use crate::delivery;
use crate::monitor;
use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::log::{self, Level};
use crate::platform::queue::{self, Job};
use crate::reports;
use crate::tenant;

/// The minute tick of `wrangler.toml`.
pub const MINUTE: &str = "* * * * *";
/// The daily tick of `wrangler.toml`.
pub const DAILY: &str = "17 3 * * *";
/// How many objects are told at once.
const AT_ONCE: usize = 6;

type Summary = Vec<(&'static str, Value)>;

/// Runs a cron tick.
pub async fn scheduled(cron: &str, env: Env) {
    let ctx = Ctx::new(env, None, None);
    let outcome = match cron {
        MINUTE => minute(&ctx).await,
        DAILY => daily(&ctx).await,
        _ => Err(Error::internal("no tick has this schedule")),
    };
    let took = (clock::now() - ctx.now).num_milliseconds();
    let mut line: Summary = vec![
        ("cron", cron.into()),
        ("request.id", ctx.request_id.as_str().into()),
        ("duration_ms", took.into()),
    ];
    match outcome {
        Ok(summary) => {
            line.extend(summary);
            log::write(Level::Info, "tick", &line);
        }
        Err(error) => {
            line.push(("code", error.code.into()));
            line.push(("context", error.context.into()));
            log::write(Level::Error, "tick", &line);
        }
    }
}

/// Runs the reports that are due, beats the cron's heart, tells the live objects that are behind,
/// wakes the senders of what is due, and sends the queue's beat.
async fn minute(ctx: &Ctx) -> Result<Summary> {
    // Reports have a time at which they are expected, so they come first.
    let reports = reports::minute(ctx).await;
    let due = upkeep::due(ctx).await?;
    let leaving = upkeep::exits_due(ctx).await?;
    let left = stream::iter(&leaving)
        .map(|late| async move { checkin::let_all_out(ctx, late).await.is_ok() })
        .buffer_unordered(AT_ONCE)
        .filter(|left| std::future::ready(*left))
        .count()
        .await;
    let told = stream::iter(&due.stale_tables)
        .map(|stale| async move { checkin::poke(ctx, stale).await.is_ok() })
        .buffer_unordered(AT_ONCE)
        .filter(|told| std::future::ready(*told))
        .count()
        .await;
    let monitored = monitor::minute(ctx).await;
    let caught_up = tenant::catch_up(ctx, &due.channels).await;
    let waiting = delivery::wake(ctx).await;
    let queued = queue::send(ctx, &Job::Heartbeat).await.is_ok();
    Ok(vec![
        ("stale_tables", due.stale_tables.len().into()),
        ("exits_due", leaving.len().into()),
        ("exits_done", left.into()),
        ("told", told.into()),
        ("channels_waiting", due.channels.len().into()),
        ("channels_told", caught_up.into()),
        ("swept_imports", due.swept_imports.into()),
        ("tenants_sending", waiting?.into()),
        ("queued", queued.into()),
        ("reports", reports?),
        ("replicas_woken", monitored?.into()),
    ])
}

/// Deletes what has outlived its use.
async fn daily(ctx: &Ctx) -> Result<Summary> {
    // None of these waits for the others to succeed.
    let swept = upkeep::sweep(ctx).await;
    let outbox = delivery::sweep(ctx).await;
    let reports = reports::daily(ctx).await;
    let monitor = monitor::daily(ctx).await;
    Ok(vec![
        ("swept", json!(swept?)),
        ("outbox", outbox?),
        ("reports", reports?),
        ("monitor", monitor?),
    ])
}

/// Does one background job.
pub async fn job(ctx: &Ctx, job: Job) -> Result<()> {
    match job {
        Job::Heartbeat => upkeep::queue_moved(ctx).await,
        Job::RosterChanged { tenant, table } => match checkin::find(ctx, table).await? {
            Some(at) if at.tenant_id == tenant => checkin::poke(ctx, &at).await,
            _ => gone(),
        },
        Job::StandingChanged {
            tenant,
            table,
            subject,
        } => match checkin::find(ctx, table).await? {
            Some(at) if at.tenant_id == tenant => {
                checkin::standing_changed(ctx, &at, subject).await
            }
            _ => gone(),
        },
        Job::Deliveries { tenant } => delivery::send_due(ctx, tenant).await,
        Job::ReportTick { tenant } => reports::tick(ctx, tenant).await,
        Job::ReportJob { tenant, job } => reports::work(ctx, tenant, job).await,
    }
}

/// The list was deleted meanwhile: there is nobody to tell.
fn gone() -> Result<()> {
    Ok(())
}
