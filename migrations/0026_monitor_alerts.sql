-- Alerts, the incidents they are part of, who is told of them, and what a run brings home.
--
-- Invariant: the alerts of a connection are moved by one writer at a time: whoever read them at a standing writes only
-- while that stands. What rules decided is kept whole in data; columns beside it are for looking. A notification is a
-- message with the same id, posted in the transaction that moved the alert, once.
-- Lock order: connection, table, check, alert, incident, message, realtime channel.
-- Failure: a run that lost the race is told so and begins again with what stands now.

alter table monitor_connections add column standing integer not null default 0;
comment on column monitor_connections.standing is 'Grows with every change of its alerts.';
grant update (standing) on monitor_connections to pulse_app;

create table monitor_incidents (
  id            uuid not null constraint monitor_incidents_pkey primary key,
  tenant_id     uuid not null,
  connection_id uuid not null,
  data          jsonb not null,
  opened_at     timestamptz not null,
  closed_at     timestamptz,
  finished      boolean not null default false,
  updated_at    timestamptz not null default now(),
  constraint monitor_incidents_tenant_id_key unique (tenant_id, id),
  constraint monitor_incidents_connection_fkey foreign key (tenant_id, connection_id)
    references monitor_connections (tenant_id, id) on delete cascade
) with (fillfactor = 70);
comment on column monitor_incidents.finished is 'It is over, and whoever was told of it knows.';
create index monitor_incidents_connection_idx on monitor_incidents (connection_id) where not finished;
create index monitor_incidents_tenant_idx on monitor_incidents (tenant_id, connection_id, id);

create table monitor_alerts (
  id            uuid not null constraint monitor_alerts_pkey primary key,
  tenant_id     uuid not null,
  connection_id uuid not null,
  table_id      uuid,
  check_id      uuid,
  kind          text not null,
  state         text not null,
  severity      text not null,
  data          jsonb not null,
  muted_by      jsonb,
  since         timestamptz not null,
  fired_at      timestamptz,
  resolved_at   timestamptz,
  incident_id   uuid,
  updated_at    timestamptz not null default now(),
  constraint monitor_alerts_tenant_id_key unique (tenant_id, id),
  constraint monitor_alerts_connection_fkey foreign key (tenant_id, connection_id)
    references monitor_connections (tenant_id, id) on delete cascade,
  constraint monitor_alerts_state_check check (state in ('pending', 'firing', 'resolved')),
  constraint monitor_alerts_severity_check check (severity in ('warn', 'fail'))
) with (fillfactor = 70);
comment on column monitor_alerts.check_id is 'No reference: what fired outlives its check.';
create index monitor_alerts_connection_idx on monitor_alerts (connection_id, state);
create index monitor_alerts_target_idx on monitor_alerts (connection_id, kind, table_id, check_id, since desc);
create index monitor_alerts_tenant_idx on monitor_alerts (tenant_id, connection_id, id);
create index monitor_alerts_incident_idx on monitor_alerts (incident_id) where incident_id is not null;

create table monitor_alert_changes (
  tenant_id uuid not null,
  alert_id  uuid not null,
  number    integer not null,
  what      text not null,
  severity  text not null,
  at        timestamptz not null,
  constraint monitor_alert_changes_pkey primary key (alert_id, number),
  constraint monitor_alert_changes_alert_fkey foreign key (tenant_id, alert_id)
    references monitor_alerts (tenant_id, id) on delete cascade
);
create index monitor_alert_changes_alert_idx on monitor_alert_changes (tenant_id, alert_id);

create table monitor_notifications (
  id          uuid not null constraint monitor_notifications_pkey primary key,
  tenant_id   uuid not null,
  key         text not null,
  incident_id uuid not null,
  number      integer not null,
  channel_id  uuid,
  route_id    uuid,
  reason      text not null,
  alerts      integer not null,
  at          timestamptz not null,
  constraint monitor_notifications_key_key unique (key),
  constraint monitor_notifications_incident_fkey foreign key (tenant_id, incident_id)
    references monitor_incidents (tenant_id, id) on delete cascade
);
comment on column monitor_notifications.id is 'Of the message''s source too.';
comment on column monitor_notifications.alerts is 'How many alerts it told as new or worse.';
create index monitor_notifications_incident_idx on monitor_notifications (tenant_id, incident_id);
create index monitor_notifications_at_idx on monitor_notifications (tenant_id, at);

create table monitor_routes (
  id         uuid not null constraint monitor_routes_pkey primary key,
  tenant_id  uuid not null constraint monitor_routes_tenant_fkey references tenants on delete cascade,
  position   integer not null,
  settings   jsonb not null,
  enabled    boolean not null default true,
  version    integer not null default 1,
  created_by uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint monitor_routes_tenant_id_key unique (tenant_id, id)
);
create index monitor_routes_tenant_idx on monitor_routes (tenant_id, position, id);

create table monitor_silences (
  id         uuid not null constraint monitor_silences_pkey primary key,
  tenant_id  uuid not null constraint monitor_silences_tenant_fkey references tenants on delete cascade,
  settings   jsonb not null,
  ends_at    timestamptz,
  created_by uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  version    integer not null default 1,
  constraint monitor_silences_tenant_id_key unique (tenant_id, id)
);
create index monitor_silences_tenant_idx on monitor_silences (tenant_id, id);

create table monitor_settings (
  tenant_id  uuid not null constraint monitor_settings_pkey primary key
    constraint monitor_settings_tenant_fkey references tenants on delete cascade,
  route_mode text not null default 'first',
  constraint monitor_settings_mode_check check (route_mode in ('first', 'all'))
);

call app.protect('monitor_incidents');
call app.protect('monitor_alerts');
call app.protect('monitor_alert_changes');
call app.protect('monitor_notifications');
call app.protect('monitor_routes');
call app.protect('monitor_silences');
call app.protect('monitor_settings');
grant select, insert, update on monitor_incidents, monitor_notifications, monitor_alert_changes to pulse_app;
grant select, insert, update, delete on monitor_alerts, monitor_routes, monitor_silences, monitor_settings to pulse_app;

create trigger touch before update of position, settings, enabled on monitor_routes
  for each row execute function app.touch();
create trigger touch before update of settings on monitor_silences for each row execute function app.touch();

-- All that an evaluation of a connection's alerts begins with.
create function app.monitor_standing(p_connection uuid) returns jsonb language plpgsql stable
set search_path = pg_catalog, public, app, pg_temp as $$
begin
  return jsonb_build_object(
    'standing', (select c.standing from monitor_connections c where c.id = p_connection),
    'alerts', (
      select coalesce(jsonb_agg(a.data order by a.id), '[]') from monitor_alerts a
      where a.connection_id = p_connection
        and (a.state <> 'resolved'
             or a.incident_id in (select i.id from monitor_incidents i where i.connection_id = p_connection and not i.finished)
             or a.id in (select distinct on (l.kind, l.table_id, l.check_id) l.id from monitor_alerts l
                         where l.connection_id = p_connection and l.resolved_at > now() - interval '1 day'
                         order by l.kind, l.table_id, l.check_id, l.since desc))),
    'incidents', (
      select coalesce(jsonb_agg(i.data order by i.id), '[]') from monitor_incidents i
      where i.connection_id = p_connection and not i.finished),
    'routes', (
      select coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'settings', r.settings) order by r.position, r.id), '[]')
      from monitor_routes r where r.enabled),
    'mode', coalesce((select s.route_mode from monitor_settings s), 'first'),
    'silences', (
      select coalesce(jsonb_agg(jsonb_build_object('id', s.id, 'settings', s.settings) order by s.id), '[]')
      from monitor_silences s where s.ends_at is null or s.ends_at > now() - interval '8 days'));
end
$$;

-- What the object of a connection goes by: how to sign in, what is watched and how it stands.
create function app.monitor_plan(p jsonb) returns jsonb language plpgsql volatile
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_id uuid := (p ->> 'id')::uuid;
begin
  perform app.system_only();
  return (
    select jsonb_build_object('access', app.monitor_access(p), 'name', c.name, 'live', app.home(),
      'last_run_at', app.utc(c.last_run_at), 'due_at', c.due_at::text,
      'tables', (
        select coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'schema', t.schema_name, 'name', t.table_name,
          'labels', t.labels, 'owner', t.owner, 'description', t.description, 'runbook_url', t.runbook_url,
          'columns', t.columns) order by t.id), '[]')
        from monitor_tables t where t.connection_id = v_id and t.enabled),
      'checks', (
        select coalesce(jsonb_agg(jsonb_build_object('id', k.id, 'table_id', k.table_id, 'definition', k.definition,
          'version', k.version, 'revision', k.revision, 'learnt', k.learnt, 'backfill', k.backfill, 'state', k.state, 'since', app.utc(k.created_at), 'last_at', app.utc(k.last_at),
          'last_value', k.last_value) order by k.id), '[]')
        from monitor_checks k join monitor_tables t on t.id = k.table_id
        where k.connection_id = v_id and k.enabled and t.enabled),
      'standing', app.monitor_standing(v_id))
    from monitor_connections c where c.id = v_id);
end
$$;

-- What was asked of a replica in some hours, added to what is known of them: [{hour, statements, …}].
create function app.add_monitor_work(p_connection uuid, p_ledger jsonb) returns void language plpgsql volatile
set search_path = pg_catalog, public, app, pg_temp as $$
begin
  insert into monitor_ledger as l (tenant_id, connection_id, hour, statements, milliseconds, buffers, runs, skipped)
  select app.tenant(), p_connection, x.hour, x.statements, x.milliseconds, x.buffers, x.runs, coalesce(x.skipped, '{}')
  from jsonb_to_recordset(coalesce(p_ledger, '[]')) as x (hour timestamptz, statements integer, milliseconds bigint,
    buffers bigint, runs integer, skipped jsonb)
  on conflict (connection_id, hour) do update set statements = l.statements + excluded.statements,
    milliseconds = l.milliseconds + excluded.milliseconds, buffers = l.buffers + excluded.buffers,
    runs = l.runs + excluded.runs,
    skipped = l.skipped || coalesce((
      select jsonb_object_agg(s.key, coalesce((l.skipped ->> s.key)::integer, 0) + s.value::integer)
      from jsonb_each_text(excluded.skipped) s), '{}');
end
$$;

-- {"id", "ledger"}: what was asked by hand. Answers null when the connection is gone.
create function app.note_monitor_work(p jsonb) returns jsonb language plpgsql volatile
set search_path = pg_catalog, public, app, pg_temp as $$
begin
  perform app.system_only();
  perform from monitor_connections c where c.id = (p ->> 'id')::uuid for no key update;
  if not found then
    return null;
  end if;
  perform app.add_monitor_work((p ->> 'id')::uuid, p -> 'ledger');
  return '{}';
end
$$;

-- What a run brings home: results, how checks stand, what was spent, what moved, and what is to be told. Answers
-- {"standing": n, "posted": n, "emitted": n}, {"conflict": true} when alerts were moved by somebody else meanwhile, or null when the
-- connection is gone.
create function app.record_monitor_run(p jsonb) returns jsonb language plpgsql volatile
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_id       uuid := (p ->> 'id')::uuid;
  v_tenant   uuid := app.tenant();
  v_standing integer;
  v_posted   integer := 0;
  v_emitted  integer := 0;
  v_note     jsonb;
begin
  perform app.system_only();
  select c.standing into v_standing from monitor_connections c where c.id = v_id for no key update;
  if not found then
    return null;
  end if;
  if (p ->> 'standing')::integer <> v_standing then
    return jsonb_build_object('conflict', true);
  end if;

  update monitor_tables t set columns = x.columns, columns_at = now()
  from jsonb_to_recordset(coalesce(p -> 'tables', '[]')) as x (id uuid, columns jsonb)
  where t.id = x.id and t.connection_id = v_id;

  -- What was filled in from the past gives way to what a run found, and what could not be told to what can.
  insert into monitor_results as r (tenant_id, check_id, at, revision, origin, outcome, reason, value, low, high, as_of,
                                    detail, duration_ms, buffers, alerted, ran_at)
  select v_tenant, k.id, x.at, x.revision, x.origin, x.outcome, x.reason, x.value, x.low, x.high, x.as_of,
         coalesce(x.detail, '{}'), x.duration_ms, x.buffers, coalesce(x.alerted, false),
         coalesce((p #>> '{status,run_at}')::timestamptz, now())
  from jsonb_to_recordset(coalesce(p -> 'results', '[]')) as x (check_id uuid, at timestamptz, revision integer,
    origin text, outcome text, reason text, value float8, low float8, high float8, as_of timestamptz, detail jsonb,
    duration_ms integer, buffers bigint, alerted boolean)
  join monitor_checks k on k.id = x.check_id and k.connection_id = v_id
  on conflict (check_id, at, revision) do update set origin = excluded.origin, outcome = excluded.outcome,
    reason = excluded.reason, value = excluded.value, low = excluded.low, high = excluded.high, as_of = excluded.as_of,
    detail = excluded.detail, duration_ms = excluded.duration_ms, buffers = excluded.buffers, alerted = excluded.alerted,
    ran_at = excluded.ran_at
  where r.origin = 'backfill' or r.outcome = 'learning';

  update monitor_checks k set state = x.state, last_at = x.last_at, last_outcome = x.last_outcome,
    last_value = coalesce(x.last_value, k.last_value)
  from jsonb_to_recordset(coalesce(p -> 'checks', '[]')) as x (id uuid, version integer, state jsonb, last_at timestamptz,
    last_outcome text, last_value float8)
  where k.id = x.id and k.connection_id = v_id and k.version = x.version
    and (k.last_at is null or k.last_at < x.last_at);

  perform app.add_monitor_work(v_id, p -> 'ledger');

  insert into monitor_incidents as i (id, tenant_id, connection_id, data, opened_at, closed_at, finished)
  select x.id, v_tenant, v_id, x.data, x.opened_at, x.closed_at, x.finished
  from jsonb_to_recordset(coalesce(p -> 'incidents', '[]')) as x (id uuid, data jsonb, opened_at timestamptz,
    closed_at timestamptz, finished boolean)
  on conflict (id) do update set data = excluded.data, closed_at = excluded.closed_at, finished = excluded.finished,
    updated_at = now();

  delete from monitor_alerts a
  where a.connection_id = v_id and a.fired_at is null
    and a.id in (select c::uuid from jsonb_array_elements_text(coalesce(p -> 'cleared', '[]')) c);
  insert into monitor_alerts as a (id, tenant_id, connection_id, table_id, check_id, kind, state, severity, data,
                                   since, fired_at, resolved_at, incident_id)
  select x.id, v_tenant, v_id, x.table_id, x.check_id, x.kind, x.state, x.severity, x.data, x.since, x.fired_at,
         x.resolved_at, x.incident_id
  from jsonb_to_recordset(coalesce(p -> 'alerts', '[]')) as x (id uuid, table_id uuid, check_id uuid, kind text, state text,
    severity text, data jsonb, since timestamptz, fired_at timestamptz, resolved_at timestamptz, incident_id uuid)
  on conflict (id) do update set state = excluded.state, severity = excluded.severity, data = excluded.data,
    fired_at = excluded.fired_at, resolved_at = excluded.resolved_at, incident_id = excluded.incident_id,
    updated_at = now();
  update monitor_alerts a set muted_by = p -> 'muted' -> a.id::text
  where a.connection_id = v_id and a.state = 'firing' and p ? 'muted'
    and a.muted_by is distinct from p -> 'muted' -> a.id::text;
  insert into monitor_alert_changes (tenant_id, alert_id, number, what, severity, at)
  select v_tenant, x.alert, x.number, x.what, x.severity, x.at
  from jsonb_to_recordset(coalesce(p -> 'changes', '[]')) as x (alert uuid, number integer, what text, severity text,
    at timestamptz)
  join monitor_alerts a on a.id = x.alert
  on conflict (alert_id, number) do nothing;

  for v_note in select n.value from jsonb_array_elements(coalesce(p -> 'notifications', '[]')) n loop
    insert into monitor_notifications (id, tenant_id, key, incident_id, number, channel_id, route_id, reason, alerts, at)
    values ((v_note ->> 'id')::uuid, v_tenant, v_note ->> 'key', (v_note ->> 'incident')::uuid,
            (v_note ->> 'number')::integer, (v_note ->> 'channel_id')::uuid, (v_note ->> 'route')::uuid,
            v_note ->> 'reason', (v_note ->> 'alerts')::integer, (v_note ->> 'at')::timestamptz)
    on conflict do nothing;
    if found then
      perform app.post_message(v_note -> 'message');
      v_posted := v_posted + 1;
    end if;
  end loop;

  for v_note in
    select x.value || jsonb_build_object('connection_id', v_id, 'table_id', a.table_id, 'check_id', a.check_id,
      'kind', a.kind, 'state', a.state)
    from jsonb_array_elements(coalesce(p -> 'changes', '[]')) with ordinality x (value, place)
    left join monitor_alerts a on a.id = (x.value ->> 'alert')::uuid
    order by x.place
  loop
    perform app.emit('alerts', 'alert', v_note);
    v_emitted := v_emitted + 1;
  end loop;

  update monitor_connections c set
    standing = case when p ? 'alerts' then c.standing + 1 else c.standing end,
    -- Who asked for a look since the plan was read gets it: from the minute tick if the object did not hear of it.
    due_at = case when c.due_at is not distinct from (p ->> 'due_seen')::timestamptz then (p ->> 'due_at')::timestamptz
                  else least(c.due_at, (p ->> 'due_at')::timestamptz) end,
    last_run_at = coalesce((p #>> '{status,run_at}')::timestamptz, c.last_run_at),
    last_ok_at = coalesce((p #>> '{status,ok_at}')::timestamptz, c.last_ok_at),
    last_error = case when p ? 'status' then p #>> '{status,error}' else c.last_error end,
    last_error_code = case when p ? 'status' then p #>> '{status,code}' else c.last_error_code end,
    lag_ms = case when p ? 'status' then (p #>> '{status,lag_ms}')::bigint else c.lag_ms end,
    server_version = coalesce(p #>> '{status,server_version}', c.server_version),
    breaker = coalesce(p #>> '{status,breaker}', c.breaker)
  where c.id = v_id;
  return jsonb_build_object('standing', v_standing + (p ? 'alerts')::integer, 'posted', v_posted, 'emitted', v_emitted);
end
$$;

-- Connections whose objects have something to do and have not done it: with their places. Their time moves on, so that
-- one that does not come to itself is not asked every time.
create function app.monitor_due(p jsonb) returns jsonb
language sql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
  select coalesce(jsonb_agg(jsonb_build_object('connection_id', x.id, 'tenant_id', x.tenant_id,
    'jurisdiction', x.jurisdiction, 'region', x.region) order by x.due_at), '[]')
  from (select c.id, c.tenant_id, c.due_at, n.jurisdiction, n.region
        from monitor_connections c join tenants n on n.id = c.tenant_id
        where c.due_at <= app.clock(p) - interval '20 seconds' order by c.due_at limit 500) x
$$;

-- How late the scheduler is, over all tenants.
create function app.monitor_pace(p jsonb) returns jsonb
language sql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
  select jsonb_build_object(
    'late_seconds', (select floor(extract(epoch from app.clock(p) - min(c.due_at))) from monitor_connections c
                     where c.due_at is not null),
    'tick_age_seconds', (select floor(extract(epoch from app.clock(p) - h.at)) from heartbeats h where h.name = 'cron'))
$$;

-- Who has to hear that a credential ended: as before, and the objects of tenants that have a channel of alerts.
create or replace function app.live_tables_of(p_tenants uuid[]) returns jsonb language sql stable as $$
  select coalesce(jsonb_agg(x.it), '[]')
  from (
    (select jsonb_build_object('table_id', x.table_id, 'tenant_id', x.tenant_id, 'jurisdiction', n.jurisdiction,
                               'region', n.region) as it
     from (select e.table_id, e.tenant_id from public.pulse_enabled_tables e where e.tenant_id = any (p_tenants)
           order by greatest(e.last_check_in_at, e.updated_at) desc limit 200) x
     join public.tenants n on n.id = x.tenant_id)
    union all
    (select jsonb_build_object('tenant_id', n.id, 'jurisdiction', n.jurisdiction, 'region', n.region)
     from public.realtime_channels c join public.tenants n on n.id = c.tenant_id
     where c.tenant_id = any (p_tenants) and c.channel = 'alerts')) x
$$;

-- Gauges for the operators, over all tenants: what waits, and how many channels were told more alerts in the last week
-- than people look at (from 30 on noisy, above 50 ignored).
create function app.monitor_metrics(p jsonb default '{}') returns jsonb
language sql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
  select jsonb_build_object(
    'monitor_connections', (select count(*) from monitor_connections c where c.enabled),
    'monitor_checks', (select count(*) from monitor_checks k where k.enabled),
    'monitor_late_seconds', coalesce((select greatest(floor(extract(epoch from app.clock(p) - min(c.due_at))), 0)
                                      from monitor_connections c where c.due_at is not null), 0),
    'monitor_alerts_week', coalesce(sum(x.alerts), 0),
    'monitor_alerts_week_per_channel_max', coalesce(max(x.alerts), 0),
    'monitor_channels_noisy', count(*) filter (where x.alerts between 30 and 50),
    'monitor_channels_ignored', count(*) filter (where x.alerts > 50))
  from (select sum(n.alerts) as alerts from monitor_notifications n
        where n.at > app.clock(p) - interval '7 days' group by n.tenant_id, n.channel_id) x
$$;
grant select on monitor_notifications to pulse_definer;

grant execute on function app.monitor_metrics(jsonb), app.monitor_standing(uuid), app.monitor_plan(jsonb), app.record_monitor_run(jsonb),
  app.add_monitor_work(uuid, jsonb), app.note_monitor_work(jsonb), app.monitor_due(jsonb), app.monitor_pace(jsonb)
  to pulse_app;
call app.seal();
