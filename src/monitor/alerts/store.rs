//! SQL of alerts and incidents.
//!
//! Invariant: every statement sees its tenant's alerts only.
//! Failure: an alert that is not there answers no row, which is 404.

use serde::Deserialize;
use serde_json::Value;

use super::wire::{Known, MonitorAlert, MonitorIncident};
use crate::monitor::replica::Followed;
use crate::platform::pg::Statement;

/// What came of an act.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Acted {
    /// The alerts were moved by somebody else meanwhile.
    Conflict {
        /// Always true.
        #[serde(rename = "conflict")]
        _conflict: bool,
    },
    /// It is done.
    Done(Box<Followed<MonitorAlert>>),
}

/// Alerts, newest first.
pub const LIST: Statement<Value, Vec<MonitorAlert>> = Statement::new(
    "select coalesce(jsonb_agg(app.monitor_alert_json(a) order by a.id desc), '[]')
       from (select a.* from monitor_alerts a
              where ($1->>'before' is null or a.id < ($1->>'before')::uuid)
                and ($1->>'state' is null or a.state = $1->>'state')
                and ($1->>'kind' is null or a.kind = $1->>'kind')
                and ($1->>'severity' is null or a.severity = $1->>'severity')
                and ($1->>'connection_id' is null
                     or a.connection_id = ($1->>'connection_id')::uuid)
                and ($1->>'table_id' is null or a.table_id = ($1->>'table_id')::uuid)
                and ($1->>'check_id' is null or a.check_id = ($1->>'check_id')::uuid)
                and ($1->>'incident_id' is null or a.incident_id = ($1->>'incident_id')::uuid)
              order by a.id desc
              limit ($1->>'limit')::int) a",
);

/// One alert.
pub const GET: Statement<Value, MonitorAlert> = Statement::new(
    "select app.monitor_alert_json(a) from monitor_alerts a where a.id = ($1->>'id')::uuid",
);

/// What an act is decided on.
pub const KNOWN: Statement<Value, Known> = Statement::new(
    "select jsonb_build_object('data', a.data, 'standing', c.standing, 'actor', app.actor_id())
       from monitor_alerts a join monitor_connections c on c.id = a.connection_id
      where a.id = ($1->>'id')::uuid",
);

/// Writes what came of an act.
pub const ACT: Statement<Value, Acted> = Statement::new("select app.act_on_alert($1)");

/// Incidents, newest first.
pub const INCIDENTS: Statement<Value, Vec<MonitorIncident>> = Statement::new(
    "select coalesce(jsonb_agg(app.monitor_incident_json(i) order by i.id desc), '[]')
       from (select i.* from monitor_incidents i
              where ($1->>'before' is null or i.id < ($1->>'before')::uuid)
                and ($1->>'open' is null or (i.closed_at is null) = ($1->>'open')::bool)
                and ($1->>'connection_id' is null
                     or i.connection_id = ($1->>'connection_id')::uuid)
              order by i.id desc
              limit ($1->>'limit')::int) i",
);

/// One incident.
pub const INCIDENT: Statement<Value, MonitorIncident> = Statement::new(
    "select app.monitor_incident_json(i) from monitor_incidents i where i.id = ($1->>'id')::uuid",
);
