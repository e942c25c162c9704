-- A run is taken once, however often it is brought home.
--
-- Invariant: the runs of a connection have numbers that grow; one that is not above the last is known already.
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
grant execute on function app.take_monitor_run(jsonb) to pulse_app;
call app.seal();
