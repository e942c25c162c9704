//! What comes in and goes out at schedules and ticks.
//!
//! Invariant: what is told of a schedule before it is saved is what is told of it afterwards.
//! Failure: 422 with the pointer of each field.

use chrono::{DateTime, Utc};
use rules::cron::Lint;
use rules::schedule::{Overlap, Upcoming};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A schedule to look at before it is saved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UpcomingIn {
    /// Minute, hour, day of the month, month, day of the week.
    #[schema(min_length = 1, max_length = 256)]
    pub cron: String,
    /// IANA zone that the schedule is meant in; UTC without.
    #[schema(max_length = 100)]
    pub cron_timezone: Option<String>,
    /// Runs after this, RFC 3339; after now unless said.
    pub from: Option<DateTime<Utc>>,
    /// How many; 10 unless said.
    #[schema(minimum = 1, maximum = 100)]
    pub n: Option<usize>,
    /// As in the report.
    pub jitter: Option<bool>,
    /// As in the report.
    pub overlap: Option<Overlap>,
}

/// How many runs to tell.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UpcomingQuery {
    /// 1 to 100; 10 unless said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    pub n: Option<String>,
    /// Runs after this, RFC 3339; after now unless said.
    #[param(value_type = Option<DateTime<Utc>>)]
    pub from: Option<String>,
}

/// What a schedule means.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpcomingRuns {
    /// The schedule.
    pub cron: String,
    /// The zone it is meant in.
    pub cron_timezone: String,
    /// In words, with the next run that a clock change moves.
    pub schedule: String,
    /// What may surprise in it.
    pub warnings: Vec<Lint>,
    /// Version of the time zone data that this was computed with.
    pub tzdata: &'static str,
    /// The next runs.
    pub runs: Vec<Upcoming>,
}

/// What a tick found and did.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ticked {
    /// Reports that have a next run.
    pub checked: usize,
    /// Reports that a job was made for.
    pub triggered: usize,
    /// The others.
    pub skipped: usize,
    /// The reports that a job was made for.
    pub triggered_configs: Vec<Uuid>,
}

impl Ticked {
    /// What a tick answers.
    pub(super) fn of(enabled: usize, triggered_configs: Vec<Uuid>) -> Self {
        let triggered = triggered_configs.len();
        Self {
            checked: enabled.max(triggered),
            triggered,
            skipped: enabled.saturating_sub(triggered),
            triggered_configs,
        }
    }
}

/// What a dispatch did.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dispatched {
    /// Ticks.
    pub total: usize,
    /// Those that were done, or handed to the queue.
    pub successful: usize,
    /// Those that were not.
    pub failed: usize,
    /// Whether all tenants were looked after, and not the caller's alone.
    pub hosting_enabled: bool,
    /// Each tick.
    pub results: Vec<Dispatch>,
}

/// One tick of a dispatch.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dispatch {
    /// The tenant; null for the caller's own.
    pub tenant_id: Option<Uuid>,
    /// Whether it was done, or handed to the queue.
    pub success: bool,
    /// Why not.
    pub error: Option<String>,
    /// What it found, where it was done at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tick: Option<Ticked>,
}
