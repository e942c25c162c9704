//! SQL of alerts and incidents.
//!
//! Invariant: every statement sees its tenant's alerts only.
//! Failure: an alert that is not there answers no row, which is 404.

use serde::Deserialize;
use serde_json::Value;

use super::wire::{Found, Known, MonitorAlert, MonitorIncident, SentMessages};
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

/// Alerts, newest first, and where their channel is.
pub const LIST: Statement<Value, Found> = Statement::new(
    "select jsonb_build_object(
              'live', (select jsonb_build_object('channel', c.channel, 'epoch', c.epoch,
                                                 'offset', c.last_offset)
                         from realtime_channels c where c.channel = 'alerts'),
              'items', coalesce(jsonb_agg(app.monitor_alert_json(a) order by a.id desc), '[]'))
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

/// What was sent in the last `weeks`, and what its channels are called. A false alarm counts in the
/// message that told it first.
pub const SENT: Statement<Value, SentMessages> = Statement::new(
    "with sent as (
       select n.* from monitor_notifications n
        where n.at > app.clock($1) - ($1->>'weeks')::int * interval '7 days'
          and n.at <= app.clock($1)),
     wrong as (
       select (select m.id from monitor_notifications m
                where m.incident_id = a.incident_id and m.alerts > 0 and m.at >= a.fired_at
                  and m.channel_id is not distinct from s.channel_id
                order by m.at, m.id limit 1) as id
         from (select distinct incident_id, channel_id from sent) s
         join monitor_alerts a on a.incident_id = s.incident_id
        where a.data #>> '{mark,mark}' = 'false_alarm')
     select jsonb_build_object(
       'sent', (select coalesce(jsonb_agg(jsonb_build_object('channel_id', s.channel_id,
                         'at', app.utc(s.at), 'alerts', s.alerts, 'false_alarms',
                         (select count(*) from wrong w where w.id = s.id)) order by s.at, s.id), '[]')
                  from sent s),
       'names', (select coalesce(jsonb_object_agg(c.id, c.name), '{}') from channels c
                  where c.id in (select s.channel_id from sent s)))",
);
