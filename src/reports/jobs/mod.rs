//! Runs of reports: made by ticks, by hand and for the past; worked on; looked at; ended.
//!
//! Invariant: an occurrence has one job; a job has one worker at a time, and one message to each
//! recipient however often it is tried.
//! Failure: what a lost message of the queue or a dead worker leaves behind, the minute tick finds.

pub mod http;
mod produce;
mod run;
mod store;
mod wire;

pub use run::work;

use std::time::Duration;

use rules::invalid::Invalid;
use rules::page::Page;
use rules::report::{config, document};
use rules::time::render;
use serde_json::{Value, json};
use uuid::Uuid;

use super::BINDING;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::pg::Called;
use crate::platform::queue::{self, Job};
use crate::platform::scope::Scope;
use produce::{Asked, File};
use wire::{
    BackfillIn, Backfilled, CleanedUp, Message, Payload, Preview, PreviewFile, PreviewIn,
    ReportJob, ReportJobDetail, ReportJobsQuery,
};

/// Jobs that one minute tick brings back to the queue.
const WAKE: usize = 1_000;
/// Jobs that one statement ends or deletes: far less than what a statement has time for.
const SWEEP: usize = 1_000;

/// Tells the queue that jobs of a tenant may be due.
pub async fn announce(ctx: &Ctx, tenant: Uuid, jobs: &[Uuid]) {
    let jobs: Vec<Job> = jobs
        .iter()
        .map(|job| Job::ReportJob { tenant, job: *job })
        .collect();
    announce_all(ctx, &jobs).await;
}

/// The same for jobs of several tenants.
pub async fn announce_all(ctx: &Ctx, jobs: &[Job]) {
    // What the queue loses, the minute tick finds.
    let _ = queue::send_all(ctx, BINDING, jobs).await;
}

async fn announce_after(ctx: &Ctx, tenant: Uuid, job: Uuid, wait: Duration) {
    let job = Job::ReportJob { tenant, job };
    let _ = queue::send_to(ctx, BINDING, &job, wait).await;
}

/// Brings jobs back to the queue that are due and that nobody works on; answers how many.
pub async fn wake(ctx: &Ctx) -> Result<usize> {
    let found = ctx
        .pg
        .function(&store::WAKE, &json!({"limit": WAKE}))
        .await?;
    let jobs: Vec<Job> = found
        .iter()
        .map(|one| Job::ReportJob {
            tenant: one.tenant,
            job: one.job,
        })
        .collect();
    announce_all(ctx, &jobs).await;
    Ok(jobs.len())
}

/// Ends jobs that were left lying, and deletes old ones.
pub async fn sweep(ctx: &Ctx) -> Result<Value> {
    let part = json!({"limit": SWEEP});
    let (mut canceled, mut swept) = (0, 0);
    loop {
        let ended = ctx.pg.function(&store::CLEANUP_ALL, &part).await?.len();
        canceled += ended;
        if ended < SWEEP {
            break;
        }
    }
    loop {
        let gone = ctx.pg.function(&store::SWEEP, &part).await?;
        swept += gone;
        if gone < SWEEP {
            break;
        }
    }
    Ok(json!({"canceled": canceled, "swept": swept}))
}

/// A run, now, because somebody asks for it.
pub async fn publish(ctx: &Ctx, scope: &Scope, report: Uuid) -> Result<Called<ReportJob>> {
    let new = json!({"id": ctx.new_id(), "config_id": report, "now": render(ctx.now)});
    let done = ctx.pg.call_full(scope, &store::PUBLISH, &new).await?;
    announce(ctx, done.tenant, &[done.result.id]).await;
    Ok(done)
}

/// Runs of the past, which tell of their time; none is made twice.
pub async fn backfill(
    ctx: &Ctx,
    scope: &Scope,
    report: Uuid,
    input: BackfillIn,
) -> Result<Called<Backfilled>> {
    let mut reading = scope.clone();
    reading.idempotency = None;
    let config = super::configs::get(ctx, &reading, report).await?;
    let occurrences = past(ctx, &config, &input)?;
    let new = json!({
        "config_id": report, "deliver": input.deliver.unwrap_or(false),
        "occurrences": occurrences,
    });
    let done = ctx.pg.call_full(scope, &store::BACKFILL, &new).await?;
    let jobs: Vec<Uuid> = done.result.jobs.iter().map(|job| job.id).collect();
    announce(ctx, done.tenant, &jobs).await;
    Ok(done)
}

/// The occurrences that a backfill asks for.
fn past(ctx: &Ctx, config: &super::configs::Report, input: &BackfillIn) -> Result<Vec<String>> {
    let schedule = config.timed()?;
    let refuse = |pointer: &str, code: &str, message: String| {
        Err(Error::from(Invalid::one(pointer, code, message)))
    };
    if input.to > ctx.now {
        let message = "Must not be later than now.".to_owned();
        return refuse("/to", "in_the_future", message);
    }
    if input.from >= input.to {
        let message = "Must be later than the beginning.".to_owned();
        return refuse("/to", "out_of_range", message);
    }
    let mut found = Vec::new();
    let mut after = input.from;
    while let Some(run) = schedule.cron.next(&schedule.zone, after) {
        if run.at > input.to {
            break;
        }
        if found.len() == config::BACKFILL {
            let most = config::BACKFILL;
            let message =
                format!("The range has more than {most} occurrences; ask for a part of it.");
            return refuse("/to", "too_many", message);
        }
        after = run.at;
        found.push(render(run.at));
    }
    Ok(found)
}

/// A report as it would be sent now: made as in a run, delivered nowhere.
pub async fn preview(ctx: &Ctx, scope: &Scope, report: Uuid, input: PreviewIn) -> Result<Preview> {
    let which = json!({"id": report});
    let source = ctx.pg.call_full(scope, &store::SOURCE, &which).await?;
    let asked = Asked {
        tenant: source.tenant,
        config: &source.result.config,
        template: source.result.template.as_deref(),
        as_of: input.scheduled_for.unwrap_or(ctx.now),
    };
    let written = produce::write(ctx, &asked).await.map_err(Error::from)?;
    let rendered = produce::render(
        &asked,
        &written.payload.report,
        &written.data,
        &written.figures,
    );
    Ok(Preview {
        subject: rendered.subject,
        html: rendered.html,
        text: rendered.text,
        attachments: rendered
            .attachments
            .into_iter()
            .map(PreviewFile::from)
            .collect(),
        held: asked.config.strict && written.untraced > 0 && written.skipped.is_none(),
        figures: written.figures,
        payload: Payload {
            messages: written.payload.messages,
            report: written.payload.report,
        },
        writer: written.writer,
        skipped: written.skipped,
        warning: written.warning,
    })
}

/// Runs of a report, newest first.
pub async fn list(
    ctx: &Ctx,
    scope: &Scope,
    report: Uuid,
    query: &ReportJobsQuery,
) -> Result<Page<ReportJob>> {
    let limit = rules::page::limit(query.limit.as_deref())?;
    let filter = json!({
        "config_id": report, "state": query.state, "result": query.result,
        "review": query.review, "origin": query.origin,
        "before": rules::page::decode::<Uuid>(query.cursor.as_deref())?,
        "limit": limit + 1,
    });
    let found = ctx.pg.call(scope, &store::LIST, &filter).await?;
    Ok(rules::page::cut(found, limit, |job| job.id))
}

/// One run.
pub async fn get(ctx: &Ctx, scope: &Scope, job: Uuid) -> Result<ReportJobDetail> {
    ctx.pg.call(scope, &store::GET, &json!({"id": job})).await
}

/// The HTML of a run as it is sent, with its pictures in it, because a browser cannot open the
/// attachments of a mail.
pub async fn show(ctx: &Ctx, scope: &Scope, job: Uuid) -> Result<String> {
    let shown = ctx
        .pg
        .call(scope, &store::SHOW, &json!({"id": job}))
        .await?;
    let pictures: Vec<_> = shown.pictures.into_iter().map(File::open).collect();
    Ok(document::for_browser(&shown.html, &pictures))
}

/// Works on a job now, before this answers: from the stage where it stands.
pub async fn run_now(ctx: &Ctx, scope: &Scope, job: Uuid) -> Result<ReportJobDetail> {
    let which = json!({"id": job});
    let done = ctx.pg.call_full(scope, &store::RERUN, &which).await?;
    if !done.replayed {
        work(ctx, done.tenant, job).await?;
    }
    let mut reading = scope.clone();
    reading.idempotency = None;
    get(ctx, &reading, job).await
}

/// Ends a job that somebody wants no more. Whoever works on it stops soon and writes nothing.
pub async fn cancel(ctx: &Ctx, scope: &Scope, job: Uuid) -> Result<Called<ReportJobDetail>> {
    let which = json!({"id": job});
    let done = ctx.pg.call_full(scope, &store::CANCEL, &which).await?;
    if let Some(next) = done.result.next {
        announce(ctx, done.tenant, &[next]).await;
    }
    done.try_map(|canceled| Ok(canceled.job))
}

/// Decides on a report that is held: sends it as it is, or not at all.
pub async fn review(
    ctx: &Ctx,
    scope: &Scope,
    job: Uuid,
    approve: bool,
) -> Result<Called<ReportJobDetail>> {
    let decision = json!({"id": job, "approve": approve, "now": render(ctx.now)});
    let done = ctx.pg.call_full(scope, &store::REVIEW, &decision).await?;
    if approve {
        announce(ctx, done.tenant, &[job]).await;
    }
    Ok(done)
}

/// Ends what was left lying: runs of which nothing was seen for a day, and reviews after a month; the
/// oldest first, so that a call ends a part of very many.
pub async fn cleanup(ctx: &Ctx, scope: &Scope) -> Result<CleanedUp> {
    let now = json!({"now": render(ctx.now), "limit": SWEEP});
    let canceled_jobs = ctx.pg.call(scope, &store::CLEANUP, &now).await?;
    Ok(CleanedUp {
        canceled: canceled_jobs.len(),
        canceled_jobs,
    })
}

impl From<super::writer::Message> for Message {
    fn from(message: super::writer::Message) -> Self {
        Self {
            role: message.role.to_string(),
            content: message.content,
        }
    }
}

impl From<File> for PreviewFile {
    fn from(file: File) -> Self {
        Self {
            name: file.name,
            content_type: file.content_type,
            content: file.content,
            content_id: file.content_id,
        }
    }
}
