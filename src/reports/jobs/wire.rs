//! What goes out at runs of reports, and what comes in.
//!
//! Invariant: a run shows every attempt at it, and why it was not sent if it was not.
//! Failure: 422 with the pointer of each field.

use chrono::{DateTime, Utc};
use rules::report::figures::Checked;
use rules::report::job::{Skipped, Stage};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A run of a report.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportJob {
    /// The job.
    pub id: Uuid,
    /// The report it is a run of.
    pub pulse_config_id: Uuid,
    /// Why it was made.
    pub origin: Origin,
    /// The occurrence that it is the run of, RFC 3339; null when somebody asked for it.
    #[schema(required = true)]
    pub scheduled_for: Option<String>,
    /// The time that it is about, RFC 3339.
    pub as_of: String,
    /// Whether it is sent.
    pub deliver: bool,
    /// Whether it waits until the run before it has ended.
    pub buffered: bool,
    /// Where it stands.
    pub state: State,
    /// How it ended.
    #[schema(required = true)]
    pub result: Option<Outcome>,
    /// What is done, or was done last.
    pub stage: Stage,
    /// Why the report is not sent.
    #[schema(required = true)]
    pub skipped: Option<Skipped>,
    /// What went wrong without keeping the report back.
    #[schema(required = true)]
    pub warning: Option<String>,
    /// What went wrong.
    #[schema(required = true)]
    pub error: Option<String>,
    /// The same, a stable code.
    #[schema(required = true)]
    pub error_code: Option<String>,
    /// How many attempts there were.
    pub attempt_count: u32,
    /// When it is tried next, RFC 3339.
    #[schema(required = true)]
    pub next_attempt_at: Option<String>,
    /// Figures of the report that no query result explains.
    #[schema(required = true)]
    pub untraced: Option<u32>,
    /// Who wrote the report: `builtin` or a model.
    #[schema(required = true)]
    pub writer: Option<String>,
    /// Whether somebody got the e-mail and nothing of it is under way any more.
    pub email_sent: bool,
    /// When, RFC 3339.
    #[schema(required = true)]
    pub email_sent_at: Option<String>,
    /// What a reviewer says, when one is needed.
    #[schema(required = true)]
    pub review: Option<Review>,
    /// When it was approved or rejected, RFC 3339.
    #[schema(required = true)]
    pub reviewed_at: Option<String>,
    /// RFC 3339.
    #[schema(required = true)]
    pub started_at: Option<String>,
    /// RFC 3339.
    #[schema(required = true)]
    pub finished_at: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// Why a run was made.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReportOrigin)]
pub enum Origin {
    /// The schedule said so.
    Schedule,
    /// Somebody asked for it.
    Manual,
    /// Somebody asked for an occurrence of the past.
    Backfill,
}

/// Where a run stands.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReportJobState)]
pub enum State {
    /// Nobody has worked on it.
    Created,
    /// It is worked on, or will be again, or waits for a review.
    Running,
    /// It has ended.
    Finished,
}

/// How a run ended.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReportJobResult)]
pub enum Outcome {
    /// There is a report.
    Success,
    /// There is none, or it could not be handed over.
    Error,
    /// Nobody wants it any more.
    Canceled,
}

/// Where the review of a report stands.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReportReview)]
pub enum Review {
    /// The report is written, and goes nowhere until somebody decides.
    Pending,
    /// It goes out as it is.
    Approved,
    /// It goes out never.
    Rejected,
}

/// A run of a report with all that is known of it.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportJobDetail {
    /// The run.
    #[serde(flatten)]
    pub job: ReportJob,
    /// What was written; null before.
    #[schema(required = true)]
    pub payload: Option<Payload>,
    /// The figures of the report and what explains them.
    #[schema(required = true)]
    pub figures: Option<Checked>,
    /// What the writer used: tokens, queries, time.
    #[schema(required = true, value_type = Option<Object>)]
    pub usage: Option<Value>,
    /// Oldest first.
    pub attempts: Vec<ReportAttempt>,
    /// How many deliveries stand where: `{"sent": 2, "unknown": 1}`.
    #[schema(value_type = std::collections::BTreeMap<String, u64>)]
    pub deliveries: Value,
}

/// What was written.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = ReportPayload)]
pub struct Payload {
    /// The conversation with the writer.
    pub messages: Vec<Message>,
    /// The report, Markdown.
    pub report: String,
}

/// A message of the conversation with the writer.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[schema(as = ReportMessage)]
pub struct Message {
    /// `system`, `user`, `assistant` or `tool`.
    pub role: String,
    /// What was said.
    pub content: String,
}

/// One attempt at a stage of a run.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportAttempt {
    /// From 1.
    pub number: u32,
    /// What was tried.
    pub stage: Stage,
    /// When it began, RFC 3339.
    pub at: String,
    /// How long it took; null while it is under way, and when whoever worked on it did not come back.
    #[schema(required = true)]
    pub duration_ms: Option<i64>,
    /// What went wrong, a stable code; null when nothing did.
    #[schema(required = true)]
    pub code: Option<String>,
    /// The same for people.
    #[schema(required = true)]
    pub error: Option<String>,
}

/// A page of runs.
#[derive(Serialize, ToSchema)]
pub struct ReportJobs {
    /// Newest first.
    pub items: Vec<ReportJob>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Which runs.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReportJobsQuery {
    /// Those that stand there.
    pub state: Option<State>,
    /// Those that ended so.
    pub result: Option<Outcome>,
    /// Those whose review stands there.
    pub review: Option<Review>,
    /// Those that were made for this reason.
    pub origin: Option<Origin>,
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// What a preview is of.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PreviewIn {
    /// The time that the report is about, RFC 3339; now unless said.
    pub scheduled_for: Option<DateTime<Utc>>,
}

/// A report as it would be sent now.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// One line.
    pub subject: String,
    /// The HTML part; `{unsubscribe_url}` stands for what differs from recipient to recipient.
    pub html: String,
    /// The plain part.
    pub text: String,
    /// The files, pictures of the HTML among them.
    pub attachments: Vec<PreviewFile>,
    /// The figures of the report and what explains them.
    pub figures: Checked,
    /// What was written.
    pub payload: Payload,
    /// Who wrote it.
    pub writer: String,
    /// Why it would not be sent.
    pub skipped: Option<Skipped>,
    /// Whether it would be held for review.
    pub held: bool,
    /// What went wrong without keeping the report back.
    pub warning: Option<String>,
}

/// A file of a report.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewFile {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// The file, base64.
    pub content: String,
    /// What `cid:` in the HTML names it by.
    pub content_id: Option<String>,
}

/// Which occurrences of the past to run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BackfillIn {
    /// Those after this, RFC 3339.
    pub from: DateTime<Utc>,
    /// Up to and with this, RFC 3339; not later than now.
    pub to: DateTime<Utc>,
    /// Whether the reports are sent; they are not unless this says `true`.
    pub deliver: Option<bool>,
}

/// What a backfill made.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct Backfilled {
    /// Jobs that were made.
    pub created: u32,
    /// Occurrences that had a job already.
    pub existing: u32,
    /// Occurrences that the schedule has yet to run; they are left to it.
    pub due: u32,
    /// The jobs that were made, oldest occurrence first.
    pub jobs: Vec<ReportJob>,
}

/// What a cleanup did.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CleanedUp {
    /// How many jobs it canceled.
    pub canceled: usize,
    /// Which.
    pub canceled_jobs: Vec<Uuid>,
}
