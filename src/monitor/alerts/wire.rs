//! What comes in and goes out at alerts and incidents.
//!
//! Invariant: what an alert is and may become is decided by `rules::alert`.
//! Failure: 422 with the pointer of each field.

use std::collections::BTreeMap;

use rules::alert::evidence::Evidence;
use rules::alert::incident::Scope;
use rules::alert::mark::Mark;
use rules::alert::quiet::{Sent, Week};
use rules::alert::{Alert, Cause, Kind, Mute, Severity, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::tenant::LiveAt;

/// An alert.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct MonitorAlert {
    /// The alert.
    pub id: Uuid,
    /// The connection.
    pub connection_id: Uuid,
    /// The table, if it is about one.
    #[schema(required = true)]
    pub table_id: Option<Uuid>,
    /// The check, if it is about one.
    #[schema(required = true)]
    pub check_id: Option<Uuid>,
    /// What is wrong.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// The worst it was.
    pub severity: Severity,
    /// Its first breach, RFC 3339.
    pub since: String,
    /// When it fired.
    #[schema(required = true)]
    pub fired_at: Option<String>,
    /// When it was over.
    #[schema(required = true)]
    pub resolved_at: Option<String>,
    /// Why it is over.
    #[schema(required = true)]
    pub cause: Option<Cause>,
    /// How many runs breached.
    pub breaches: u32,
    /// The last breach.
    pub breached_at: String,
    /// What the last breach saw.
    pub evidence: Evidence,
    /// The incident it is part of.
    #[schema(required = true)]
    pub incident_id: Option<Uuid>,
    /// Who looks after it.
    #[schema(required = true)]
    pub acknowledged: Option<Acknowledged>,
    /// What people say it was.
    #[schema(required = true)]
    pub mark: Option<AlertMarked>,
    /// Why nothing is told of it.
    #[schema(required = true)]
    pub muted_by: Option<Mute>,
    /// The connection's name.
    pub connection: String,
    /// The table's name, with its schema.
    #[schema(required = true)]
    pub table: Option<String>,
    /// The check's name.
    #[schema(required = true)]
    pub check: Option<String>,
    /// RFC 3339.
    pub updated_at: String,
}

/// Who looks after an alert.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct Acknowledged {
    /// Who.
    #[schema(required = true)]
    pub by: Option<Uuid>,
    /// When, RFC 3339.
    pub at: String,
}

/// What people say an alarm was.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct AlertMarked {
    /// It.
    pub mark: Mark,
    /// Who says so.
    #[schema(required = true)]
    pub by: Option<Uuid>,
    /// When, RFC 3339.
    pub at: String,
}

/// A page of alerts.
#[derive(Serialize, ToSchema)]
pub struct MonitorAlerts {
    /// Newest first.
    pub items: Vec<MonitorAlert>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
    /// Where to subscribe from to miss no change of them; none before there is a connection.
    #[schema(required = true)]
    pub live: Option<LiveAt>,
}

/// Alerts as they are found.
#[derive(Deserialize)]
pub(super) struct Found {
    pub items: Vec<MonitorAlert>,
    pub live: Option<LiveAt>,
}

/// How quiet the channels are.
#[derive(Serialize, ToSchema)]
pub struct AlertQuietness {
    /// The noisiest first.
    pub data: Vec<QuietChannel>,
}

/// How quiet a channel is.
#[derive(Serialize, ToSchema)]
pub struct QuietChannel {
    /// The channel; none for addresses that routes name themselves.
    #[schema(required = true)]
    pub channel_id: Option<Uuid>,
    /// What people call it; none for a channel that is gone.
    #[schema(required = true)]
    pub name: Option<String>,
    /// The weeks, the last one first.
    pub weeks: Vec<Week>,
}

/// Which weeks.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QuietnessQuery {
    /// How many, ending now: 1 to 53; 4 unless given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 53)]
    pub weeks: Option<String>,
}

/// What was sent, and what the channels are called.
#[derive(Deserialize)]
pub(super) struct SentMessages {
    pub sent: Vec<Sent>,
    pub names: BTreeMap<Uuid, String>,
}

/// Which alerts.
#[derive(Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AlertsQuery {
    /// Those that stand so.
    pub state: Option<State>,
    /// Those of this kind.
    pub kind: Option<Kind>,
    /// Those that are so bad.
    pub severity: Option<Severity>,
    /// Those of this connection.
    pub connection_id: Option<Uuid>,
    /// Those of this table.
    pub table_id: Option<Uuid>,
    /// Those of this check.
    pub check_id: Option<Uuid>,
    /// Those of this incident.
    pub incident_id: Option<Uuid>,
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// What an alarm was.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkIn {
    /// `true_alarm` or `false_alarm`; `null` takes an earlier mark back.
    pub mark: Option<Mark>,
}

/// An incident: alerts of one connection that began together.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct MonitorIncident {
    /// The incident.
    pub id: Uuid,
    /// The connection.
    pub connection_id: Uuid,
    /// What it is about.
    pub scope: Scope,
    /// When its first alert fired, RFC 3339.
    pub opened_at: String,
    /// When its last alert was over.
    #[schema(required = true)]
    pub closed_at: Option<String>,
    /// The incident that took it in.
    #[schema(required = true)]
    pub absorbed_by: Option<Uuid>,
    /// How many alerts it has had.
    pub alert_count: u32,
    /// How many of them fire.
    pub firing: u32,
    /// How many messages were sent about it.
    pub messages: u32,
    /// The connection's name.
    pub connection: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// A page of incidents.
#[derive(Serialize, ToSchema)]
pub struct MonitorIncidents {
    /// Newest first.
    pub items: Vec<MonitorIncident>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Which incidents.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct IncidentsQuery {
    /// Those that are over, or those that are not.
    pub open: Option<bool>,
    /// Those of this connection.
    pub connection_id: Option<Uuid>,
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// What an act is decided on.
#[derive(Deserialize)]
pub(super) struct Known {
    pub data: Alert,
    pub standing: i64,
    pub actor: Option<Uuid>,
}
