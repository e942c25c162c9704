//! Scheduled reports: a prompt, a schedule, and a report that arrives once, on time, with true
//! numbers.
//!
//! A tick makes a job of an occurrence, a queue brings it to a worker, the worker has the report
//! written, checks its figures, makes the message and hands it over to delivery.
//! Invariant: one job for each occurrence and one message for each recipient, however often a tick,
//! a message of the queue or a worker comes twice; a report that was written is kept.
//! Failure: tried again by stage; what is lost, the minute tick finds.

mod configs;
mod jobs;
mod notices;
mod picture;
mod schedule;
mod sources;
mod templates;
mod writer;

pub use jobs::work;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::http::Module;

/// The binding of the queue that brings jobs to workers.
pub const BINDING: &str = "REPORTS";

/// The routes of reports.
pub fn routes() -> Vec<Module> {
    let mut reports = configs::http::routes();
    reports.extend(schedule::http::routes());
    let mut runs = jobs::http::routes();
    runs.extend(templates::http::routes());
    let mut writers = sources::http::routes();
    writers.extend(writer::http::routes());
    vec![
        Module {
            tag: "Reports",
            about: "Prompts on a schedule, written and sent.",
            routes: reports,
        },
        Module {
            tag: "Report runs",
            about: "Runs of reports, previews, and the templates that reports are written by.",
            routes: runs,
        },
        Module {
            tag: "Report writers",
            about: "What reports can be written about, and who writes them: a language model, or the builtin writer.",
            routes: writers,
        },
    ]
}

/// What a minute does for reports: runs what is due, and brings back jobs that nobody works on.
pub async fn minute(ctx: &Ctx) -> Result<Value> {
    // None of these waits for the others to succeed.
    let swept = schedule::all(ctx).await;
    let woken = jobs::wake(ctx).await;
    let renewed = schedule::renew_once(ctx).await;
    let (swept, woken, renewed) = (swept?, woken?, renewed?);
    let (due, triggered) = (swept.due, swept.triggered.len());
    Ok(json!({"due": due, "triggered": triggered, "woken": woken, "renewed": renewed}))
}

/// What a day does for reports: ends what was left lying, deletes what is old.
pub async fn daily(ctx: &Ctx) -> Result<Value> {
    let renewed = schedule::renew(ctx).await;
    let swept = jobs::sweep(ctx).await;
    let (renewed, swept) = (renewed?, swept?);
    Ok(json!({"renewed": renewed, "jobs": swept}))
}

/// Runs what is due of a tenant.
pub async fn tick(ctx: &Ctx, tenant: Uuid) -> Result<()> {
    schedule::tick_tenant(ctx, tenant).await
}
