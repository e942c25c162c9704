-- Operations: placement, the minute tick, the daily sweep, health and metrics. Across tenants, hence definer
-- functions with narrow answers: ids and numbers, no guest and no user.
--
-- Invariant: tick and sweep take no state from their caller; run twice at once they do the same as once.
-- Failure: an object that is not told now is listed again by the next tick.

create index pulse_import_rows_created_at_idx on pulse_import_rows (created_at);
grant select, delete on pulse_import_rows to pulse_definer;

-- Where the live object of a table lives. Asked before anyone is authorised: the id alone opens nothing.
create function app.placement(p jsonb) returns jsonb
language sql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
  select jsonb_build_object('tenant_id', t.tenant_id, 'jurisdiction', n.jurisdiction, 'region', n.region,
    'enabled', coalesce(e.enabled, false), 'guest_scanning', coalesce(app.guest_scanning(t.tenant_id, t.id), false))
  from pulse_tables t join tenants n on n.id = t.tenant_id left join pulse_enabled_tables e on e.table_id = t.id
  where t.id = (p ->> 'table_id')::uuid and t.deleted_at is null
$$;

create function app.tick(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_at     timestamptz := app.clock(p);
  v_swept  integer;
  v_tables jsonb;
  v_events jsonb;
begin
  insert into heartbeats as h (name, at) values (p ->> 'name', v_at)
  on conflict (name) do update set at = greatest(h.at, excluded.at);
  if p ->> 'name' <> 'cron' then
    return jsonb_build_object('at', app.utc(v_at));
  end if;

  delete from pulse_import_rows where created_at < v_at - interval '1 hour';
  get diagnostics v_swept = row_count;

  -- Objects that missed a poke (something changed that they have not pulled), or whose flush is overdue.
  select coalesce(jsonb_agg(jsonb_build_object('table_id', x.table_id, 'tenant_id', x.tenant_id,
      'jurisdiction', x.jurisdiction, 'region', x.region, 'reason', x.reason)), '[]') into v_tables
  from (
    select e.table_id, e.tenant_id, n.jurisdiction, n.region,
           case when e.reported_seq > e.last_seq then 'record' else 'roster' end as reason
    from pulse_enabled_tables e join pulse_tables t on t.id = e.table_id join tenants n on n.id = e.tenant_id
    where e.reported_seq > e.last_seq or t.rows_seq > e.seen_rows_seq or e.devices_seq > e.seen_devices_seq
       or e.version + t.version > e.seen_config_seq
    order by e.updated_at desc limit 200) x;

  select coalesce(jsonb_agg(jsonb_build_object('tenant_id', x.tenant_id, 'channel', x.channel, 'pending', x.pending,
      'jurisdiction', x.jurisdiction, 'region', x.region)), '[]') into v_events
  from (
    select v.tenant_id, v.channel, count(*) as pending, n.jurisdiction, n.region
    from realtime_events v join tenants n on n.id = v.tenant_id
    where v.broadcast_at is null and v.created_at < v_at - interval '5 seconds'
    group by 1, 2, 4, 5 order by min(v.created_at) limit 200) x;

  return jsonb_build_object('at', app.utc(v_at), 'swept_imports', v_swept, 'stale_tables', v_tables, 'channels', v_events);
end
$$;

create function app.sweep(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_at   timestamptz := app.clock(p);
  gone   integer;
  result jsonb := '{}';
begin
  delete from idempotency_keys where created_at <= v_at - interval '24 hours';
  get diagnostics gone = row_count;
  result := result || jsonb_build_object('idempotency_keys', gone);
  delete from pulse_import_rows where created_at < v_at - interval '1 hour';
  get diagnostics gone = row_count;
  result := result || jsonb_build_object('import_rows', gone);
  delete from login_attempts where window_start < v_at - interval '1 day';
  get diagnostics gone = row_count;
  result := result || jsonb_build_object('login_attempts', gone);
  -- Kept a month after they ended, so that a late use is told what happened instead of "unknown".
  delete from invitations where accepted_at is null and expires_at < v_at - interval '30 days';
  get diagnostics gone = row_count;
  result := result || jsonb_build_object('invitations', gone);
  delete from sessions where least(expires_at, revoked_at) < v_at - interval '30 days';
  get diagnostics gone = row_count;
  result := result || jsonb_build_object('sessions', gone);
  delete from realtime_events where created_at < v_at - interval '1 day' and broadcast_at is not null;
  get diagnostics gone = row_count;
  return result || jsonb_build_object('realtime_events', gone);
end
$$;

create function app.health(p jsonb default '{}') returns jsonb
language sql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
  select jsonb_build_object('ok', true, 'now', app.utc(clock_timestamp()),
    'server_version', current_setting('server_version'),
    'heartbeats', coalesce((select jsonb_object_agg(name, jsonb_build_object('at', app.utc(at),
                      'age_seconds', floor(extract(epoch from app.clock(p) - at)))) from heartbeats), '{}'))
$$;

create function app.metrics(p jsonb default '{}') returns jsonb
language sql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
  select jsonb_build_object(
    'tenants', (select count(*) from tenants),
    'users', (select count(*) from users),
    'sessions_live', (select count(*) from sessions where revoked_at is null and expires_at > app.clock(p)),
    'guest_tables', (select count(*) from pulse_tables where deleted_at is null),
    'guest_rows', (select coalesce(sum(row_count), 0) from pulse_tables where deleted_at is null),
    'tables_enabled', count(*) filter (where e.enabled),
    'guests_checked_in', coalesce(sum(e.checked_in), 0),
    'guests_inside', coalesce(sum(e.inside), 0),
    'scans_recorded', coalesce(sum(e.last_seq), 0),
    'scans_unflushed', coalesce(sum(greatest(e.reported_seq - e.last_seq, 0)), 0),
    'scans_unapplied', (select count(*) from pulse_scan_log where error is not null),
    'import_rows_staged', (select count(*) from pulse_import_rows),
    'events_waiting', (select count(*) from realtime_events where broadcast_at is null),
    'accounts_blocked', (select count(*) from login_attempts where scope = 'account' and failures > 10
                           and window_start > app.clock(p) - interval '15 minutes'))
  from pulse_enabled_tables e
$$;

create index pulse_scan_log_error_idx on pulse_scan_log (table_id) where error is not null;
grant select on pulse_scan_log to pulse_definer;
grant execute on function app.placement(jsonb), app.tick(jsonb), app.sweep(jsonb), app.health(jsonb), app.metrics(jsonb)
  to pulse_app;
call app.seal();
