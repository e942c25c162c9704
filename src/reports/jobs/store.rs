//! SQL of runs of reports.
//!
//! Invariant: every statement sees its tenant's runs only; what changes a run under way names the
//! fence of its claim.
//! Failure: a run that is not there answers null, which is 404.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::produce::File;
use super::wire::{Backfilled, ReportJob, ReportJobDetail};
use crate::platform::pg::{Function, Statement};
use crate::reports::configs::Report;
use rules::report::Dataset;
use rules::report::figures::Checked;
use rules::report::job::Stage;

/// What a claim answers.
#[derive(Deserialize)]
pub struct Claimed {
    /// What there is to do; none when the job ended with the claim.
    pub work: Option<Work>,
    /// A run that waited for this one.
    #[serde(default)]
    pub next: Option<Uuid>,
}

/// A job that was claimed.
#[derive(Deserialize)]
pub struct Work {
    /// The job.
    pub id: Uuid,
    /// Which claim this is.
    pub fence: i64,
    /// Attempts at this stage.
    pub step: u32,
    /// What is to be done.
    pub stage: Stage,
    /// The time that the report is about.
    pub as_of: chrono::DateTime<chrono::Utc>,
    /// The report, if it was written.
    pub report: Option<String>,
    /// What it was written from.
    pub data: Option<Vec<Dataset>>,
    /// Its figures.
    pub figures: Option<Checked>,
    /// What was asked for.
    pub config: Report,
    /// The template that it is written by.
    pub template: Option<String>,
}

/// What is written down with a fence.
#[derive(Serialize)]
pub struct Held<T> {
    /// The job.
    pub id: Uuid,
    /// Which claim.
    pub fence: i64,
    /// How long the claim holds from now.
    pub lease_ms: u64,
    /// What.
    #[serde(flatten)]
    pub what: T,
}

/// What came of handing a report over.
#[derive(Deserialize)]
pub struct Delivered {
    /// Whether there is something to send.
    #[serde(default)]
    pub sent: bool,
    /// A run that waited for this one.
    #[serde(default)]
    pub next: Option<Uuid>,
    /// Why the delivery module did not take it.
    #[serde(default)]
    pub failed: Option<Refused>,
}

/// Why a report could not be handed over.
#[derive(Deserialize)]
pub struct Refused {
    /// Stable.
    pub code: String,
    /// For people.
    pub detail: Option<String>,
    /// Whether waiting changes nothing.
    #[serde(rename = "final")]
    pub last: bool,
}

/// A run that waited for one that ended.
#[derive(Deserialize)]
pub struct Next {
    /// It.
    pub next: Option<Uuid>,
}

/// A job that was canceled.
#[derive(Deserialize)]
pub struct Canceled {
    /// The job.
    pub job: ReportJobDetail,
    /// A run that waited for it.
    pub next: Option<Uuid>,
}

/// What is no longer there.
#[derive(Deserialize)]
pub struct Found {}

/// A report as it is sent.
#[derive(Deserialize)]
pub struct Shown {
    /// The HTML part.
    pub html: String,
    /// The pictures of it.
    pub pictures: Vec<File>,
}

/// A job of a tenant.
#[derive(Deserialize)]
pub struct Waiting {
    /// The tenant.
    pub tenant: Uuid,
    /// The job.
    pub job: Uuid,
}

/// Takes a job, if there is something to do.
pub const CLAIM: Statement<Value, Option<Claimed>> =
    Statement::new("select app.claim_report_job($1)").nullable();

/// Holds a job for longer.
pub const RENEW: Statement<Held<Value>, bool> = Statement::new("select app.renew_report_job($1)");

/// Keeps what was written.
pub const STORE: Statement<Held<Value>, bool> = Statement::new("select app.store_report($1)");

/// Hands a report over to delivery.
pub const DELIVER: Statement<Held<Value>, Delivered> =
    Statement::new("select app.deliver_report($1)");

/// Notes a failure.
pub const FAIL: Statement<Held<Value>, Next> = Statement::new("select app.fail_report_job($1)");

/// A run that somebody asks for.
pub const PUBLISH: Statement<Value, ReportJob> = Statement::new("select app.publish_report($1)");

/// Runs of the past.
pub const BACKFILL: Statement<Value, Backfilled> = Statement::new("select app.backfill_report($1)");

/// A report and its template.
pub const SOURCE: Statement<Value, Source> = Statement::new(
    "select jsonb_build_object('config', app.report_config_json(c), 'template', t.body)
       from report_configs c left join report_templates t on t.id = c.template_id
      where c.id = ($1->>'id')::uuid",
);

/// What a report is written from.
#[derive(Deserialize)]
pub struct Source {
    /// What was asked for.
    pub config: Report,
    /// The template that it is written by.
    pub template: Option<String>,
}

/// Runs of a report, newest first.
pub const LIST: Statement<Value, Vec<ReportJob>> = Statement::new(
    "select (select coalesce(jsonb_agg(app.report_job_json(j) order by j.id desc), '[]')
               from (select j.* from report_jobs j
                      where j.config_id = c.id
                        and ($1->>'state' is null or j.state = $1->>'state')
                        and ($1->>'result' is null or j.result = $1->>'result')
                        and ($1->>'review' is null or j.review = $1->>'review')
                        and ($1->>'origin' is null or j.origin = $1->>'origin')
                        and ($1->>'before' is null or j.id < ($1->>'before')::uuid)
                      order by j.id desc
                      limit ($1->>'limit')::int) j)
       from report_configs c
      where c.id = ($1->>'config_id')::uuid",
);

/// One run.
pub const GET: Statement<Value, ReportJobDetail> = Statement::new(
    "select app.report_job_detail(j) from report_jobs j where j.id = ($1->>'id')::uuid",
);

/// The report of a run as it is sent.
pub const SHOW: Statement<Value, Shown> = Statement::new(
    "select jsonb_build_object('html', d.html, 'pictures', (
              select coalesce(jsonb_agg(a), '[]')
                from jsonb_array_elements(d.attachments) a
               where a->>'content_id' is not null))
       from report_documents d
      where d.job_id = ($1->>'id')::uuid",
);

/// Makes a job due now.
pub const RERUN: Statement<Value, Found> = Statement::new("select app.rerun_report_job($1)");

/// Ends a job.
pub const CANCEL: Statement<Value, Canceled> = Statement::new("select app.cancel_report_job($1)");

/// Decides on a report that is held.
pub const REVIEW: Statement<Value, ReportJobDetail> =
    Statement::new("select app.review_report_job($1)");

/// Ends what was left lying, of the caller's tenant.
pub const CLEANUP: Statement<Value, Vec<Uuid>> = Statement::new(
    "select app.cleanup_report_jobs($1 || jsonb_build_object('tenant', app.tenant()))",
);

/// The same of every tenant.
pub const CLEANUP_ALL: Function<Value, Vec<Uuid>> =
    Function::new("select app.cleanup_report_jobs($1::text::jsonb)::text");

/// Deletes old jobs; answers how many.
pub const SWEEP: Function<Value, usize> =
    Function::new("select app.sweep_report_jobs($1::text::jsonb)::text");

/// Jobs that are due and that nobody works on.
pub const WAKE: Function<Value, Vec<Waiting>> =
    Function::new("select app.wake_report_jobs($1::text::jsonb)::text");
