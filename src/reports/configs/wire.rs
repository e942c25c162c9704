//! What comes in and goes out at reports.
//!
//! Invariant: every wrong field is reported, not only the first; what is stored is a report as a
//! whole, checked as a whole.
//! Failure: 422 with the pointer of each field.

use rules::cron::Lint;
use rules::invalid::Invalid;
use rules::patch::Patch;
use rules::report::config;
use rules::schedule::{Overlap, Schedule};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::platform::error::Result;
use crate::reports::schedule::timed;

/// A new report.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ReportIn {
    /// What people call it.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// What it is for.
    #[schema(max_length = 2000)]
    pub description: Option<String>,
    /// What is asked of the writer. Without a model, its fenced `sql` blocks are the report.
    #[schema(min_length = 1, max_length = 20000)]
    pub prompt: String,
    /// Minute, hour, day of the month, month, day of the week.
    #[schema(min_length = 1, max_length = 256)]
    pub cron: String,
    /// IANA zone that the schedule is meant in; UTC without.
    #[schema(max_length = 100)]
    pub cron_timezone: Option<String>,
    /// Whether it runs; it does unless this says `false`.
    pub enabled: Option<bool>,
    /// Whom it is sent to: e-mail addresses; phone numbers (`+14155550123`) where a channel takes
    /// them.
    #[schema(max_items = 100)]
    pub recipients: Option<Vec<String>>,
    /// What carries it; without one for e-mail, the tenant's default does.
    #[schema(max_items = 10)]
    pub channels: Option<Vec<Uuid>>,
    /// The template that it is written by.
    pub template_id: Option<Uuid>,
    /// What happens when a run is due while another is under way; `skip` unless said.
    pub overlap: Option<Overlap>,
    /// Runs up to a tenth of the period later, always by the same time.
    pub jitter: Option<bool>,
    /// Holds a report with a figure that no query result explains for review.
    pub strict: Option<bool>,
    /// Sends nothing when the queries found nothing.
    pub skip_if_empty: Option<bool>,
    /// Sends only if this holds: `orders.total > 100`.
    #[schema(max_length = 500)]
    pub send_if: Option<String>,
    /// Attaches the query results as CSV.
    pub attach_csv: Option<bool>,
    /// Pauses after so many failures in a row; 0 or null for never. 5 unless said.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 100)]
    pub pause_after: Patch<u32>,
}

/// Changes to a report; what is absent stays.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ReportPatch {
    /// What people call it.
    #[schema(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// What it is for.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub description: Patch<String>,
    /// What is asked of the writer.
    #[schema(min_length = 1, max_length = 20000)]
    pub prompt: Option<String>,
    /// Another schedule; the next run follows from it.
    #[schema(min_length = 1, max_length = 256)]
    pub cron: Option<String>,
    /// Another zone; `null` for UTC.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 100)]
    pub cron_timezone: Patch<String>,
    /// Whether it runs.
    pub enabled: Option<bool>,
    /// Whom it is sent to.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 100)]
    pub recipients: Patch<Vec<String>>,
    /// What carries it.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Uuid>>, max_items = 10)]
    pub channels: Patch<Vec<Uuid>>,
    /// The template that it is written by.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub template_id: Patch<Uuid>,
    /// What happens when a run is due while another is under way.
    pub overlap: Option<Overlap>,
    /// Runs up to a tenth of the period later.
    pub jitter: Option<bool>,
    /// Holds a report with a figure that no query result explains for review.
    pub strict: Option<bool>,
    /// Sends nothing when the queries found nothing.
    pub skip_if_empty: Option<bool>,
    /// Sends only if this holds.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500)]
    pub send_if: Patch<String>,
    /// Attaches the query results as CSV.
    pub attach_csv: Option<bool>,
    /// Pauses after so many failures in a row; 0 or null for never.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 100)]
    pub pause_after: Patch<u32>,
}

/// A report.
#[derive(Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The report.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What is asked of the writer.
    pub prompt: String,
    /// The schedule.
    pub cron: String,
    /// The zone it is meant in; null for UTC.
    #[schema(required = true)]
    pub cron_timezone: Option<String>,
    /// The schedule in words, with the next run that a clock change moves.
    #[serde(default)]
    pub schedule: String,
    /// What may surprise in the schedule.
    #[serde(default)]
    pub warnings: Vec<Lint>,
    /// Whether it runs.
    pub enabled: bool,
    /// Whom it is sent to.
    #[schema(required = true)]
    pub recipients: Option<Vec<String>>,
    /// What carries it.
    pub channels: Vec<Uuid>,
    /// The template that it is written by.
    #[schema(required = true)]
    pub template_id: Option<Uuid>,
    /// What happens when a run is due while another is under way.
    pub overlap: Overlap,
    /// Whether it runs up to a tenth of the period later.
    pub jitter: bool,
    /// Whether a figure that no query result explains holds it for review.
    pub strict: bool,
    /// Whether nothing is sent when the queries found nothing.
    pub skip_if_empty: bool,
    /// Sent only if this holds.
    #[schema(required = true)]
    pub send_if: Option<String>,
    /// Whether the query results are attached as CSV.
    pub attach_csv: bool,
    /// Pauses after so many failures in a row.
    #[schema(required = true)]
    pub pause_after: Option<u32>,
    /// When a run last began, RFC 3339.
    #[schema(required = true)]
    pub last_run_at: Option<String>,
    /// The next occurrence, RFC 3339; null: it does not run.
    #[schema(required = true)]
    pub next_run_at: Option<String>,
    /// Version of the time zone data that the next occurrence was computed with.
    pub tzdata: String,
    /// Since when it is paused, RFC 3339.
    #[schema(required = true)]
    pub paused_at: Option<String>,
    /// Why.
    #[schema(required = true)]
    pub pause_reason: Option<PauseReason>,
    /// Failures since the last success.
    pub failures: u32,
    /// Occurrences that nobody ran in time.
    pub missed: u64,
    /// Occurrences that were not run because another run was under way.
    pub overlap_skipped: u64,
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

/// Why a report is paused.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// Somebody paused it.
    ByHand,
    /// It failed too often in a row.
    Failures,
}

/// A page of reports.
#[derive(Serialize, ToSchema)]
pub struct Reports {
    /// Newest first.
    pub items: Vec<Report>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Which reports.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReportsQuery {
    /// Those that are enabled, or those that are not.
    #[param(value_type = Option<bool>)]
    pub enabled: Option<bool>,
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A report as it is stored.
#[derive(Serialize)]
pub struct Stored {
    name: String,
    description: String,
    prompt: String,
    cron: String,
    cron_timezone: Option<String>,
    enabled: bool,
    recipients: Option<Vec<String>>,
    channels: Vec<Uuid>,
    template_id: Option<Uuid>,
    overlap: Overlap,
    jitter: bool,
    strict: bool,
    skip_if_empty: bool,
    send_if: Option<String>,
    attach_csv: bool,
    pause_after: Option<u32>,
    /// Whether recipients or channels are new, and have to be looked at.
    routed: bool,
}

/// Failures in a row that pause a report whose maker said nothing.
const PAUSE_AFTER: u32 = 5;

impl ReportIn {
    /// The report, checked, and its schedule.
    pub(super) fn check(self) -> Result<(Stored, Schedule)> {
        let nothing = Report {
            enabled: true,
            pause_after: Some(PAUSE_AFTER),
            ..Report::default()
        };
        let patch = ReportPatch {
            name: Some(self.name),
            description: of(self.description),
            prompt: Some(self.prompt),
            cron: Some(self.cron),
            cron_timezone: of(self.cron_timezone),
            enabled: self.enabled,
            recipients: of(self.recipients),
            channels: of(self.channels),
            template_id: of(self.template_id),
            overlap: self.overlap,
            jitter: self.jitter,
            strict: self.strict,
            skip_if_empty: self.skip_if_empty,
            send_if: of(self.send_if),
            attach_csv: self.attach_csv,
            pause_after: self.pause_after,
        };
        patch.check(&nothing)
    }
}

fn of<T>(given: Option<T>) -> Patch<T> {
    given.map_or(Patch::Absent, Patch::Value)
}

impl ReportPatch {
    /// What the report is with these changes, checked, and its schedule.
    pub(super) fn check(self, before: &Report) -> Result<(Stored, Schedule)> {
        let before = before.clone();
        let mut invalid = Invalid::default();
        let name = self.name.unwrap_or(before.name);
        let name = invalid.take(rules::name::parse("/name", &name, config::NAME));
        let description = self.description.apply(Some(before.description));
        let description = invalid.take(config::description(&description.unwrap_or_default()));
        let prompt = invalid.take(config::prompt(&self.prompt.unwrap_or(before.prompt)));
        let cron = self.cron.unwrap_or(before.cron);
        let zone = self.cron_timezone.apply(before.cron_timezone);
        let overlap = self.overlap.unwrap_or(before.overlap);
        let jitter = self.jitter.unwrap_or(before.jitter);
        let schedule = invalid.take(timed::schedule(&cron, zone.as_deref(), jitter, overlap));
        let routed = !self.channels.is_absent() || !self.recipients.is_absent();
        let recipients = self.recipients.apply(before.recipients).unwrap_or_default();
        let recipients = invalid.take(config::recipients(recipients));
        let channels = self.channels.apply(Some(before.channels));
        let channels = invalid.take(config::channels(channels.unwrap_or_default()));
        let send_if = self.send_if.apply(before.send_if).unwrap_or_default();
        let send_if = invalid.take(config::send_if(&send_if));
        let pause_after = self.pause_after.apply(before.pause_after);
        let pause_after = invalid.take(config::pause_after(pause_after.unwrap_or_default()));
        let checked = (name, prompt, schedule);
        let (Some(name), Some(prompt), Some(schedule)) = invalid.or(checked)? else {
            return Err(Invalid::default().into());
        };
        let stored = Stored {
            name,
            description: description.unwrap_or_default(),
            prompt,
            cron: schedule.cron.to_string(),
            cron_timezone: zone.map(|_| schedule.zone.name().to_owned()),
            enabled: self.enabled.unwrap_or(before.enabled),
            recipients: recipients.flatten(),
            channels: channels.unwrap_or_default(),
            template_id: self.template_id.apply(before.template_id),
            overlap,
            jitter,
            strict: self.strict.unwrap_or(before.strict),
            skip_if_empty: self.skip_if_empty.unwrap_or(before.skip_if_empty),
            send_if: send_if.flatten(),
            attach_csv: self.attach_csv.unwrap_or(before.attach_csv),
            pause_after: pause_after.flatten(),
            routed,
        };
        Ok((stored, schedule))
    }
}

impl Stored {
    /// Whether the next run follows from something else than before.
    pub(super) fn reschedules(&self, before: &Report) -> bool {
        (&self.cron, &self.cron_timezone, self.jitter, self.enabled)
            != (
                &before.cron,
                &before.cron_timezone,
                before.jitter,
                before.enabled,
            )
    }
}
