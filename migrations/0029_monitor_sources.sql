-- What reports may say of the monitor: alerts, results of checks, and what a replica was asked.
--
-- Invariant: as for every source: views of one tenant, without addresses, roles or passwords of connections, without SQL of
-- checks and without rows of the databases that are watched.
-- Failure: see 0022_report_sources.sql.

grant select (id, tenant_id, name) on monitor_connections to pulse_report_owner;
grant select (id, tenant_id, schema_name, table_name) on monitor_tables to pulse_report_owner;
grant select (id, tenant_id, table_id, connection_id, name, kind) on monitor_checks to pulse_report_owner;
grant select (tenant_id, check_id, at, origin, outcome, reason, value, low, high, duration_ms, buffers)
  on monitor_results to pulse_report_owner;
grant select (id, tenant_id, connection_id, table_id, check_id, kind, state, severity, data, since, fired_at, resolved_at,
              incident_id) on monitor_alerts to pulse_report_owner;
grant select (tenant_id, connection_id, hour, statements, milliseconds, buffers, runs) on monitor_ledger
  to pulse_report_owner;

create view report.monitor_alerts as
  select a.tenant_id, a.id, a.incident_id, c.name as connection, t.schema_name || '.' || t.table_name as table_name,
    k.name as check_name, a.kind, a.state, a.severity, a.since, a.fired_at, a.resolved_at,
    extract(epoch from a.resolved_at - a.fired_at) as seconds,
    a.data ->> 'ack' is not null as acknowledged, a.data #>> '{mark,mark}' as mark
  from monitor_alerts a
  join monitor_connections c on c.id = a.connection_id and c.tenant_id = a.tenant_id
  left join monitor_tables t on t.id = a.table_id and t.tenant_id = a.tenant_id
  left join monitor_checks k on k.id = a.check_id and k.tenant_id = a.tenant_id;
comment on view report.monitor_alerts is 'Alerts of the monitor, one row each.';
comment on column report.monitor_alerts.id is 'The alert.';
comment on column report.monitor_alerts.incident_id is 'What it was told as a part of; null before it fired.';
comment on column report.monitor_alerts.connection is 'What the connection is called.';
comment on column report.monitor_alerts.table_name is 'The table, with its schema; null: it is about the connection, or the table is gone.';
comment on column report.monitor_alerts.check_name is 'The check; null: it is about the connection, or the check is gone.';
comment on column report.monitor_alerts.kind is 'check, schema, errored, misconfigured, lag or connection_down.';
comment on column report.monitor_alerts.state is 'pending, firing or resolved.';
comment on column report.monitor_alerts.severity is 'warn or fail.';
comment on column report.monitor_alerts.since is 'When it was first seen.';
comment on column report.monitor_alerts.fired_at is 'When it fired; null: it has not.';
comment on column report.monitor_alerts.resolved_at is 'When it was over; null: it is not.';
comment on column report.monitor_alerts.seconds is 'How long it fired; null: it still does, or never did.';
comment on column report.monitor_alerts.acknowledged is 'Whether somebody looked after it.';
comment on column report.monitor_alerts.mark is 'true_alarm or false_alarm, as people said; null: nobody said.';
call app.add_source('report.monitor_alerts');

create view report.monitor_results as
  select r.tenant_id, r.check_id, c.name as connection, t.schema_name || '.' || t.table_name as table_name,
    k.name as check_name, k.kind, r.at, r.origin, r.outcome, r.reason, r.value, r.low, r.high, r.duration_ms, r.buffers
  from monitor_results r
  join monitor_checks k on k.id = r.check_id and k.tenant_id = r.tenant_id
  join monitor_tables t on t.id = k.table_id and t.tenant_id = k.tenant_id
  join monitor_connections c on c.id = k.connection_id and c.tenant_id = k.tenant_id;
comment on view report.monitor_results is 'What came of checks, one row for each check and period. Kept for 100 days.';
comment on column report.monitor_results.check_id is 'The check.';
comment on column report.monitor_results.connection is 'What the connection is called.';
comment on column report.monitor_results.table_name is 'The table, with its schema.';
comment on column report.monitor_results.check_name is 'What the check is called.';
comment on column report.monitor_results.kind is 'freshness, volume, null_rate and so on.';
comment on column report.monitor_results.at is 'The period it is about.';
comment on column report.monitor_results.origin is 'schedule, manual or backfill.';
comment on column report.monitor_results.outcome is
  'pass, warn, fail, learning, inconclusive, skipped, errored or misconfigured.';
comment on column report.monitor_results.reason is 'Why it was skipped, or could not be judged.';
comment on column report.monitor_results.value is 'What was measured.';
comment on column report.monitor_results.low is 'Not expected below this.';
comment on column report.monitor_results.high is 'Not expected above this.';
comment on column report.monitor_results.duration_ms is 'How long it took, in milliseconds.';
comment on column report.monitor_results.buffers is 'About how many buffers were read.';
call app.add_source('report.monitor_results');

create view report.monitor_impact as
  select l.tenant_id, c.name as connection, l.hour, l.statements, l.milliseconds, l.buffers, l.runs
  from monitor_ledger l join monitor_connections c on c.id = l.connection_id and c.tenant_id = l.tenant_id;
comment on view report.monitor_impact is 'What replicas were asked, one row for each connection and hour. Kept for 100 days.';
comment on column report.monitor_impact.connection is 'What the connection is called.';
comment on column report.monitor_impact.hour is 'The beginning of the hour.';
comment on column report.monitor_impact.statements is 'Statements that ran.';
comment on column report.monitor_impact.milliseconds is 'How long they ran together.';
comment on column report.monitor_impact.buffers is 'About how many buffers they read.';
comment on column report.monitor_impact.runs is 'Checks that were run.';
call app.add_source('report.monitor_impact');
call app.seal();
