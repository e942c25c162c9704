-- A run is taken once, however often it is brought home; and what was filled in from the past.
--
-- Invariant: the runs of a connection have numbers that grow; one that is not above the last is known already. What is
-- filled in takes the place of nothing that a run found, and is for the check as it was when it was asked.
-- Lock order: connection, table, check, alert, incident, message, realtime channel.
-- Failure: an answer that was lost is asked for again, and nothing is written twice.

alter table monitor_connections add column taken_run bigint not null default 0;
comment on column monitor_connections.taken_run is 'The number of the last run that was taken.';
grant update (taken_run) on monitor_connections to pulse_app;

-- As app.record_monitor_run, unless the run was taken before: then {"known": true}. A run without a number asked nothing.
create function app.take_monitor_run(p jsonb) returns jsonb language plpgsql volatile
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_id    uuid := (p ->> 'id')::uuid;
  v_run   bigint := (p ->> 'run')::bigint;
  v_taken bigint;
  v_done  jsonb;
begin
  perform app.system_only();
  select c.taken_run into v_taken from monitor_connections c where c.id = v_id for no key update;
  if not found then
    return null;
  end if;
  if v_run <= v_taken then
    return jsonb_build_object('known', true);
  end if;
  v_done := app.record_monitor_run(p);
  if v_run is not null and v_done ? 'standing' then
    update monitor_connections c set taken_run = v_run where c.id = v_id;
  end if;
  return v_done;
end
$$;

-- {"id", "check", "revision", "asked_at", "backfill", "as_of", "points": [{"at", "value"}], "judged": [{"at", "outcome",
-- "low", "high", "alerted"}], "ledger"}: what was filled in of a check, what all of it would have been called,
-- and how far it is. Answers {"known": true} when the check was changed meanwhile, and null when the connection is gone.
create function app.take_monitor_backfill(p jsonb) returns jsonb language plpgsql volatile
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_id       uuid := (p ->> 'id')::uuid;
  v_check    uuid := (p ->> 'check')::uuid;
  v_revision integer := (p ->> 'revision')::integer;
begin
  perform app.system_only();
  perform from monitor_connections c where c.id = v_id for no key update;
  if not found then
    return null;
  end if;
  perform app.add_monitor_work(v_id, p -> 'ledger');
  update monitor_checks k set backfill = p -> 'backfill', learnt = k.learnt + 1
  where k.id = v_check and k.connection_id = v_id and k.revision = v_revision
    and k.backfill ->> 'asked_at' is not distinct from p ->> 'asked_at';
  if not found then
    return jsonb_build_object('known', true);
  end if;
  insert into monitor_results as r (tenant_id, check_id, at, revision, origin, outcome, value, as_of)
  select app.tenant(), v_check, x.at, v_revision, 'backfill', 'learning', x.value, (p ->> 'as_of')::timestamptz
  from jsonb_to_recordset(coalesce(p -> 'points', '[]')) as x (at timestamptz, value float8)
  on conflict (check_id, at, revision) do update set value = excluded.value, as_of = excluded.as_of
  where r.origin = 'backfill';
  update monitor_results r set outcome = x.outcome, low = x.low, high = x.high, alerted = x.alerted
  from jsonb_to_recordset(coalesce(p -> 'judged', '[]')) as x (at timestamptz, outcome text, low float8, high float8,
    alerted boolean)
  where r.check_id = v_check and r.at = x.at and r.revision = v_revision and r.origin = 'backfill';
  return jsonb_build_object('known', false);
end
$$;
grant execute on function app.take_monitor_run(jsonb), app.take_monitor_backfill(jsonb) to pulse_app;
call app.seal();
