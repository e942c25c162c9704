//! What comes in and goes out at checks and their results.
//!
//! Invariant: what a check may be is decided by `rules::monitor::check`.
//! Failure: 422 with the pointer of each field.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rules::monitor::backfill::Backfill;
use rules::monitor::check::{Measure, Samples, Scope, Threshold};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A check of a table.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct MonitorCheck {
    /// The check.
    pub id: Uuid,
    /// Its table.
    pub table_id: Uuid,
    /// The connection through which it is read.
    pub connection_id: Uuid,
    /// What people call it.
    pub name: String,
    /// What it is for.
    #[schema(required = true)]
    pub description: Option<String>,
    /// Who is asked about it.
    #[schema(required = true)]
    pub owner: Option<String>,
    /// What to do when it fails.
    #[schema(required = true)]
    pub runbook_url: Option<String>,
    /// The kind, such as `freshness`.
    pub kind: String,
    /// What the kind was told.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub settings: Value,
    /// Which rows it is about.
    #[serde(default)]
    pub scope: Scope,
    /// How wrong rows are counted.
    #[serde(default)]
    pub measure: Measure,
    /// From where on it warns.
    #[schema(required = true)]
    pub warn: Option<Threshold>,
    /// From where on it fails.
    #[schema(required = true)]
    pub fail: Option<Threshold>,
    /// How often it runs, in seconds.
    pub every: u32,
    /// How long it must fail before anyone is told, in seconds.
    #[serde(rename = "for")]
    pub for_: u32,
    /// How long it must pass before that is over, in seconds.
    pub keep_firing: u32,
    /// How far inside its limits a value must be for that, as a share.
    #[serde(default)]
    pub hysteresis: f64,
    /// Which wrong rows are shown.
    #[schema(required = true)]
    pub samples: Option<Samples>,
    /// What routes and silences go by.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// By whose clock days and weeks are meant.
    #[serde(default)]
    #[schema(required = true)]
    pub timezone: Option<String>,
    /// Days of that zone that are not like others of their weekday.
    #[serde(default)]
    pub holidays: Vec<NaiveDate>,
    /// Whether it runs.
    pub enabled: bool,
    /// How far its history is filled in.
    pub backfill: Backfill,
    /// The period that was run last, RFC 3339.
    #[schema(required = true)]
    pub last_at: Option<String>,
    /// What came of that.
    #[schema(required = true)]
    pub last_outcome: Option<String>,
    /// What was measured last.
    #[schema(required = true)]
    pub last_value: Option<f64>,
    /// Who made it.
    #[schema(required = true)]
    pub created_by: Option<Uuid>,
    /// For `If-Match`.
    pub version: i64,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// The checks of a table.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct MonitorChecks {
    /// Oldest first.
    pub items: Vec<MonitorCheck>,
}

/// What came of one run of a check.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct CheckResult {
    /// The check.
    pub check_id: Uuid,
    /// The period that it is about, RFC 3339.
    pub at: String,
    /// Grows when the check measures something else.
    pub revision: i32,
    /// `schedule`, `manual` or `backfill`.
    pub origin: String,
    /// `pass`, `warn`, `fail`, `learning`, `inconclusive`, `skipped`, `errored` or `misconfigured`.
    pub outcome: String,
    /// Why, as a code.
    #[schema(required = true)]
    pub reason: Option<String>,
    /// What was measured.
    #[schema(required = true)]
    pub value: Option<f64>,
    /// Not below this was expected.
    #[schema(required = true)]
    pub low: Option<f64>,
    /// Not above this.
    #[schema(required = true)]
    pub high: Option<f64>,
    /// The state of the data that was looked at, RFC 3339.
    #[schema(required = true)]
    pub as_of: Option<String>,
    /// Everything else there is to say: words, the statement, its cost, what the detector went by.
    #[schema(value_type = Object)]
    pub detail: Value,
    /// How long it took.
    #[schema(required = true)]
    pub duration_ms: Option<i64>,
    /// About how many buffers were read.
    #[schema(required = true)]
    pub buffers: Option<i64>,
    /// Whether it was judged anomalous.
    pub alerted: bool,
    /// What people said of the alarm that it was part of.
    #[serde(default)]
    #[schema(required = true)]
    pub mark: Option<String>,
    /// When it ran, RFC 3339; none for a dry run.
    #[serde(default)]
    #[schema(required = true)]
    pub ran_at: Option<String>,
}

/// A page of results.
#[derive(Serialize, ToSchema)]
pub struct CheckResults {
    /// Newest first.
    pub items: Vec<CheckResult>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// What came of running the checks of a table at once.
#[derive(Serialize, ToSchema)]
pub struct TableRun {
    /// One for each check that runs.
    pub items: Vec<CheckResult>,
}

/// Which results.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ResultsQuery {
    /// Those of this time and later, RFC 3339.
    pub from: Option<String>,
    /// Those before this time, RFC 3339.
    pub to: Option<String>,
    /// Those with this outcome: `pass`, `warn`, `fail`, `learning`, `inconclusive`, `skipped`, `errored`
    /// or `misconfigured`.
    pub outcome: Option<String>,
    /// Those that came about so: `schedule`, `manual` or `backfill`.
    pub origin: Option<String>,
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A point of a chart.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct CheckPoint {
    /// The period that it is about, RFC 3339.
    pub at: String,
    /// What was measured.
    #[schema(required = true)]
    pub value: Option<f64>,
    /// Not below this was expected.
    #[schema(required = true)]
    pub low: Option<f64>,
    /// Not above this.
    #[schema(required = true)]
    pub high: Option<f64>,
    /// What came of it.
    pub outcome: String,
}

/// What a check measured, for a chart.
#[derive(Serialize, ToSchema)]
pub struct CheckHistory {
    /// Oldest first.
    pub data: Vec<CheckPoint>,
}

/// Which points.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// From this time on, RFC 3339; a week before `to` unless given.
    pub from: Option<String>,
    /// Before this time, RFC 3339; now unless given.
    pub to: Option<String>,
    /// About how many, 1 to 1,000; 300 unless given. Warnings and failures are never left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub points: Option<String>,
}
