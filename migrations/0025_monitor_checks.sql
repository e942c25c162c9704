-- What is watched: tables of a replica, their checks, and what came of each run.
--
-- Invariant: a check has one result for each of its periods (unique on check, at and revision), written in the
-- transaction that moves the check on; what is filled in from the past never takes the place of what a run found. What a check is was validated by the Worker and is kept whole in definition.
-- Lock order: connection, table, check, alert, incident, message.
-- Failure: a run that is reported twice changes nothing the second time.

create table monitor_tables (
  id            uuid not null constraint monitor_tables_pkey primary key,
  tenant_id     uuid not null,
  connection_id uuid not null,
  schema_name   text not null,
  table_name    text not null,
  description   text,
  owner         text,
  runbook_url   text,
  labels        jsonb not null default '{}',
  enabled       boolean not null default true,
  columns       jsonb,
  columns_at    timestamptz,
  version       integer not null default 1,
  created_by    uuid,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  constraint monitor_tables_tenant_id_key unique (tenant_id, id),
  constraint monitor_tables_name_key unique (connection_id, schema_name, table_name),
  constraint monitor_tables_connection_fkey foreign key (tenant_id, connection_id)
    references monitor_connections (tenant_id, id) on delete cascade,
  constraint monitor_tables_name_check check (length(schema_name) between 1 and 63 and length(table_name) between 1 and 63)
) with (fillfactor = 80);
comment on column monitor_tables.columns is 'Its columns as they were last seen.';
create index monitor_tables_connection_idx on monitor_tables (tenant_id, connection_id);

create table monitor_checks (
  id            uuid not null constraint monitor_checks_pkey primary key,
  tenant_id     uuid not null,
  connection_id uuid not null,
  table_id      uuid not null,
  name          text not null,
  kind          text not null,
  definition    jsonb not null,
  every         integer not null,
  enabled       boolean not null default true,
  state         jsonb not null default '{}',
  revision      integer not null default 1,
  learnt        integer not null default 0,
  backfill      jsonb not null default '{"state": "unavailable", "points": 0}',
  last_at       timestamptz,
  last_outcome  text,
  last_value    double precision,
  version       integer not null default 1,
  created_by    uuid,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  constraint monitor_checks_tenant_id_key unique (tenant_id, id),
  constraint monitor_checks_name_key unique (table_id, name),
  constraint monitor_checks_table_fkey foreign key (tenant_id, table_id)
    references monitor_tables (tenant_id, id) on delete cascade,
  constraint monitor_checks_every_check check (every between 60 and 86400)
) with (fillfactor = 70);
comment on column monitor_checks.state is 'What the rules carry from one run to the next.';
comment on column monitor_checks.revision is 'Grows when it measures something else; nothing is learned from values of another.';
comment on column monitor_checks.learnt is 'Grows when results are changed that were learned from.';
comment on column monitor_checks.backfill is 'How far its history is filled in from the rows that are there.';
create index monitor_checks_table_idx on monitor_checks (tenant_id, table_id);
create index monitor_checks_connection_idx on monitor_checks (connection_id, id);

create table monitor_results (
  tenant_id   uuid not null,
  check_id    uuid not null,
  at          timestamptz not null,
  revision    integer not null,
  origin      text not null,
  outcome     text not null,
  reason      text,
  value       double precision,
  low         double precision,
  high        double precision,
  as_of       timestamptz,
  detail      jsonb not null default '{}',
  duration_ms integer,
  buffers     bigint,
  alerted     boolean not null default false,
  mark        text,
  ran_at      timestamptz not null default now(),
  constraint monitor_results_pkey primary key (check_id, at, revision),
  constraint monitor_results_check_fkey foreign key (tenant_id, check_id)
    references monitor_checks (tenant_id, id) on delete cascade,
  constraint monitor_results_origin_check check (origin in ('schedule', 'manual', 'backfill')),
  constraint monitor_results_outcome_check check (outcome in ('pass', 'warn', 'fail', 'learning', 'inconclusive',
    'skipped', 'errored', 'misconfigured')),
  constraint monitor_results_mark_check check (mark in ('true_alarm', 'false_alarm'))
);
comment on column monitor_results.at is 'The period it is about.';
comment on column monitor_results.revision is 'Of the check, when it was measured.';
comment on column monitor_results.reason is 'Why it was skipped, or could not be judged.';
comment on column monitor_results.as_of is 'The state of the data that was looked at.';
comment on column monitor_results.mark is 'What people said of the alarm that it was part of.';
create index monitor_results_check_idx on monitor_results (tenant_id, check_id);
create index monitor_results_at_idx on monitor_results (at);

call app.protect('monitor_tables');
call app.protect('monitor_checks');
call app.protect('monitor_results');

grant select, delete,
      insert (id, tenant_id, connection_id, schema_name, table_name, description, owner, runbook_url, labels, enabled,
              created_by, created_at, updated_at),
      update (description, owner, runbook_url, labels, enabled, columns, columns_at, version, updated_at)
      on monitor_tables to pulse_app;
grant select, delete,
      insert (id, tenant_id, connection_id, table_id, name, kind, definition, every, enabled, backfill, created_by,
              created_at, updated_at),
      update (name, kind, definition, every, enabled, state, revision, learnt, backfill, last_at, last_outcome, last_value,
              version, updated_at)
      on monitor_checks to pulse_app;
grant select, insert, update on monitor_results to pulse_app;
grant select on monitor_tables, monitor_checks to pulse_definer;
grant select, delete on monitor_results to pulse_definer;

-- What runs note of a table or check is no change of it.
create trigger touch before update on monitor_tables for each row
  when ((old.description, old.owner, old.runbook_url, old.labels, old.enabled)
        is distinct from (new.description, new.owner, new.runbook_url, new.labels, new.enabled))
  execute function app.touch();
create trigger touch before update on monitor_checks for each row
  when ((old.definition, old.enabled) is distinct from (new.definition, new.enabled))
  execute function app.touch();

create function app.monitor_table_json(t monitor_tables) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', t.id, 'connection_id', t.connection_id, 'schema', t.schema_name, 'name', t.table_name,
    'description', t.description, 'owner', t.owner, 'runbook_url', t.runbook_url, 'labels', t.labels,
    'enabled', t.enabled, 'columns', t.columns, 'columns_at', app.utc(t.columns_at),
    'checks', (select jsonb_build_object('total', count(*), 'enabled', count(*) filter (where c.enabled),
                 'failing', count(*) filter (where c.last_outcome = 'fail'),
                 'warning', count(*) filter (where c.last_outcome = 'warn'))
               from monitor_checks c where c.table_id = t.id),
    'created_by', t.created_by, 'version', t.version, 'created_at', app.utc(t.created_at),
    'updated_at', app.utc(t.updated_at));
end
$$;

create function app.monitor_check_json(c monitor_checks) returns jsonb language plpgsql stable as $$
begin
  return c.definition || jsonb_build_object('id', c.id, 'table_id', c.table_id, 'connection_id', c.connection_id,
    'enabled', c.enabled, 'last_at', app.utc(c.last_at), 'last_outcome', c.last_outcome, 'last_value', c.last_value,
    'backfill', c.backfill - 'progress', 'created_by', c.created_by, 'version', c.version, 'created_at', app.utc(c.created_at),
    'updated_at', app.utc(c.updated_at));
end
$$;

create function app.monitor_result_json(r monitor_results) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('check_id', r.check_id, 'at', app.utc(r.at), 'revision', r.revision,
    'origin', r.origin, 'outcome', r.outcome,
    'reason', r.reason, 'value', r.value, 'low', r.low, 'high', r.high, 'as_of', app.utc(r.as_of), 'detail', r.detail,
    'duration_ms', r.duration_ms, 'buffers', r.buffers, 'alerted', r.alerted, 'mark', r.mark, 'ran_at', app.utc(r.ran_at));
end
$$;

-- Results are kept for 100 days: what is learned from, and a little. Up to `limit` at a time; answers how many are gone.
create function app.sweep_monitor(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_results integer;
  v_hours   integer;
begin
  with old as (
    select r.check_id, r.at, r.revision from monitor_results r
    where r.at < app.clock(p) - interval '100 days'
    order by r.at limit (p ->> 'limit')::integer for update skip locked)
  delete from monitor_results r using old where r.check_id = old.check_id and r.at = old.at and r.revision = old.revision;
  get diagnostics v_results = row_count;
  delete from monitor_ledger l where l.hour < app.clock(p) - interval '100 days';
  get diagnostics v_hours = row_count;
  return jsonb_build_object('results', v_results, 'hours', v_hours);
end
$$;
grant update on monitor_results to pulse_definer;

grant execute on function app.monitor_table_json(monitor_tables), app.monitor_check_json(monitor_checks),
  app.monitor_result_json(monitor_results) to pulse_app, pulse_definer;
grant execute on function app.sweep_monitor(jsonb) to pulse_app;
call app.seal();
