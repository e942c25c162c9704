//! SQL of schedules: what is due, and claiming it.
//!
//! Invariant: what crosses tenants answers ids, schedules and numbers, no prompt and no recipient.
//! Failure: a schedule that changed since it was read is not claimed.

use chrono::{DateTime, Utc};
use rules::schedule::Overlap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::platform::pg::{Function, Statement};
use crate::reports::configs::Report;

/// A report that is due.
#[derive(Deserialize)]
pub struct Due {
    /// The report.
    pub id: Uuid,
    /// The tenant.
    pub tenant: Uuid,
    /// Its schedule.
    pub cron: String,
    /// The zone of the schedule.
    pub timezone: Option<String>,
    /// Whether it has jitter.
    pub jitter: bool,
    /// What happens when a run is under way.
    pub overlap: Overlap,
    /// The nominal instant that is due.
    pub next_run_at: DateTime<Utc>,
    /// Runs under way.
    pub running: u32,
    /// Runs that wait for those.
    pub waiting: u32,
}

/// What a tenant has due.
#[derive(Deserialize)]
pub struct TenantDue {
    /// The reports.
    pub due: Vec<Due>,
    /// How many of its reports have a next run.
    pub enabled: usize,
}

/// What becomes of a report that is due.
#[derive(Serialize)]
pub struct Claim {
    /// The report.
    pub id: Uuid,
    /// The instant that was read.
    #[serde(with = "rules::time::ms")]
    pub next_run_at: DateTime<Utc>,
    /// What was read of its runs.
    pub running: u32,
    /// What was read of its runs.
    pub waiting: u32,
    /// The occurrence that is run; none: all of them are too old.
    pub scheduled_for: Option<String>,
    /// What the overlap policy says.
    pub decision: &'static str,
    /// Occurrences that nobody ran in time.
    pub missed: u64,
    /// The next occurrence.
    pub following: Option<String>,
    /// What the schedule calls it.
    pub nominal: Option<String>,
    /// When ticks look for it.
    pub due_at: Option<String>,
}

/// Claims of one tick.
#[derive(Serialize)]
pub struct Claims {
    /// The claims.
    pub claims: Vec<Claim>,
    /// Version of the time zone data that they were computed with.
    pub tzdata: &'static str,
}

/// What was claimed.
#[derive(Deserialize)]
pub struct Claimed {
    /// Schedules that moved on.
    pub claimed: usize,
    /// The jobs that were made.
    pub jobs: Vec<Made>,
}

/// A job that a tick made.
#[derive(Deserialize)]
pub struct Made {
    /// The tenant.
    pub tenant: Uuid,
    /// The report.
    pub config: Uuid,
    /// The job.
    pub job: Uuid,
    /// Whether it waits for another.
    pub waits: bool,
}

/// A schedule that was computed with older time zone data.
#[derive(Deserialize)]
pub struct Stale {
    /// The report.
    pub id: Uuid,
    /// The tenant.
    pub tenant: Uuid,
    /// Its schedule.
    pub cron: String,
    /// The zone of the schedule.
    pub timezone: Option<String>,
    /// Whether it has jitter.
    pub jitter: bool,
    /// What happens when a run is under way.
    pub overlap: Overlap,
    /// The next occurrence by that data.
    pub next_run_at: DateTime<Utc>,
    /// What the schedule called it.
    pub nominal: Option<String>,
}

/// Whether the caller may; nothing else is asked.
pub const MAY: Statement<Value, bool> = Statement::new("select to_jsonb(true)");

/// What is known of a report's runs.
#[derive(Deserialize)]
pub struct Known {
    /// The report.
    pub config: Report,
    /// Runs under way.
    pub running: u32,
    /// Runs that wait for those.
    pub waiting: u32,
    /// How long a run usually takes.
    pub usual_ms: Option<i64>,
}

/// A report, and what is known of its runs.
pub const KNOWN: Statement<Value, Known> = Statement::new(
    "select jsonb_build_object('config', app.report_config_json(c), 'running', r.running,
              'waiting', r.waiting, 'usual_ms', (
                select (avg(extract(epoch from j.finished_at - j.started_at)) * 1000)::bigint
                  from (select j.started_at, j.finished_at from report_jobs j
                         where j.config_id = c.id and j.result = 'success'
                         order by j.id desc limit 10) j))
       from report_configs c cross join lateral app.report_runs(c.id) r
      where c.id = ($1->>'id')::uuid",
);

/// What is due, whoever's it is.
pub const DUE: Function<Value, Vec<Due>> =
    Function::new("select app.due_reports($1::text::jsonb)::text");

/// What is due of the caller's tenant.
pub const DUE_OF_TENANT: Statement<Value, TenantDue> = Statement::new(
    "select jsonb_build_object('enabled', app.running_reports(),
              'due', app.due_reports($1 || jsonb_build_object('tenant', app.tenant())))",
);

/// Claims what is due.
pub const CLAIM: Function<Claims, Claimed> =
    Function::new("select app.claim_reports($1::text::jsonb)::text");

/// Tenants that have something due.
pub const TENANTS: Function<Value, Vec<Uuid>> =
    Function::new("select app.due_report_tenants($1::text::jsonb)::text");

/// Schedules that were computed with older time zone data.
pub const STALE: Function<Value, Vec<Stale>> =
    Function::new("select app.stale_report_schedules($1::text::jsonb)::text");

/// Notes the next runs by the data of this build where no owner has to be told; answers how many.
pub const RENEW: Function<Value, usize> =
    Function::new("select app.renew_reports($1::text::jsonb)::text");

/// Gives a report another next run, or none, and tells its owner.
pub const RESCHEDULE: Statement<Value, bool> = Statement::new("select app.reschedule_report($1)");
