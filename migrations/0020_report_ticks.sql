-- What ticks do for reports: due schedules claimed, runs looked at again, what was left lying ended.
--
-- Invariant: a tick changes a schedule only if it is as the tick has read it (compare-and-set on next_run_at and on
-- what else of the config was under way). Every function may be repeated: what was done already is not done again.
-- Lock order: config, job, message, realtime channel.
-- Failure: nothing is left that no later tick finds: a job that is under way has a wake_at.

-- What else of a config is under way: runs, and runs that wait for those. Backfills are nobody's rivals.
create function app.report_runs(p_config uuid, out running integer, out waiting integer) language sql stable as $$
  select count(*) filter (where not j.buffered), count(*) filter (where j.buffered)
  from report_jobs j
  where j.config_id = p_config and app.report_job_open(j.state, j.review)
    and j.origin <> 'backfill'
$$;

-- What is due, soonest first. With `tenant`, of that tenant only.
create function app.due_reports(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_now    timestamptz := app.clock(p);
  v_tenant uuid := (p ->> 'tenant')::uuid;
  v_limit  integer := (p ->> 'limit')::integer;
  v_due    report_configs[];
begin
  if v_tenant is null then
    v_due := array(select c from report_configs c where c.due_at <= v_now order by c.due_at, c.id limit v_limit);
  else
    v_due := array(select c from report_configs c where c.tenant_id = v_tenant and c.due_at <= v_now
                   order by c.due_at, c.id limit v_limit);
  end if;
  return (
    select coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'tenant', c.tenant_id, 'cron', c.cron,
      'timezone', c.cron_timezone, 'jitter', c.jitter, 'overlap', c.overlap,
      'next_run_at', app.utc(c.next_run_at), 'running', u.running,
      'waiting', u.waiting) order by c.due_at, c.id), '[]')
    from unnest(v_due) c cross join lateral app.report_runs(c.id) u);
end
$$;

-- Makes the jobs of due schedules and moves these on. A schedule that is no longer as it was read, or that another
-- tick holds, stays as it is.
create function app.claim_reports(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_held   uuid[];
  v_rivals uuid[];
  v_result jsonb;
begin
  v_held := array(
    select c.id
    from report_configs c
    join jsonb_to_recordset(p -> 'claims') as w (id uuid, next_run_at timestamptz) on w.id = c.id
    where c.next_run_at = w.next_run_at
    order by c.id for no key update of c skip locked);
  -- Who cancels writes twice to channels: what it locks it locks in order, and before.
  v_rivals := array(
    select w.id from jsonb_to_recordset(p -> 'claims') as w (id uuid, decision text)
    where w.decision = 'cancel_others' and w.id = any (v_held));
  if v_rivals <> '{}' then
    perform from report_jobs j
    where j.config_id = any (v_rivals) and app.report_job_open(j.state, j.review)
    order by j.id for no key update;
    perform from realtime_channels r
    where r.channel = 'reports' and r.tenant_id in (select c.tenant_id from report_configs c where c.id = any (v_held))
    order by r.tenant_id for no key update;
  end if;

  with claims as (
    select w.*, c.tenant_id
    from jsonb_to_recordset(p -> 'claims') as w (id uuid, running integer, waiting integer, scheduled_for timestamptz,
      decision text, missed bigint, following timestamptz, nominal text, due_at timestamptz)
    join report_configs c on c.id = w.id
    cross join lateral app.report_runs(w.id) u
    where w.id = any (v_held) and u.running = w.running and u.waiting = w.waiting),
  canceled as (
    update report_jobs j set state = 'finished', result = 'canceled', error_code = 'overlap',
      error = 'The next run took its place.', fence = j.fence + 1, lease_until = null, wake_at = null,
      buffered = false, finished_at = now(), updated_at = now()
    from claims w
    where w.decision = 'cancel_others' and j.config_id = w.id and app.report_job_open(j.state, j.review)
      and j.origin <> 'backfill' and w.scheduled_for is not null
      -- Only a run that is made takes a place.
      and not exists (select from report_jobs o where o.config_id = w.id and o.scheduled_for = w.scheduled_for)
    returning j.id),
  closed as (
    update report_job_attempts a set code = 'canceled', error = 'The next run took its place.'
    from canceled x where a.job_id = x.id and a.code is null and a.duration_ms is null),
  made as (
    insert into report_jobs as j (id, tenant_id, config_id, origin, scheduled_for, as_of, buffered, wake_at)
    select app.new_id(), w.tenant_id, w.id, 'schedule', w.scheduled_for, w.scheduled_for, w.decision = 'buffer',
           now() + interval '2 minutes'
    from claims w
    where w.scheduled_for is not null and w.decision <> 'skip'
    on conflict (config_id, scheduled_for) do nothing
    returning j.id, j.tenant_id, j.config_id, j.buffered),
  moved as (
    update report_configs c set next_run_at = w.following, next_nominal = w.nominal, due_at = w.due_at, tzdata = p ->> 'tzdata',
      missed = c.missed + w.missed,
      overlap_skipped = c.overlap_skipped + (w.scheduled_for is not null and w.decision = 'skip')::integer
    from claims w where c.id = w.id
    returning c.id)
  select jsonb_build_object('claimed', (select count(*) from moved),
    'jobs', (select coalesce(jsonb_agg(jsonb_build_object('tenant', m.tenant_id, 'config', m.config_id, 'job', m.id,
               'waits', m.buffered) order by m.id), '[]') from made m))
  into v_result;
  return v_result;
end
$$;

-- How many schedules of a tenant run at all.
create function app.running_reports() returns integer language sql stable as $$
  select count(*)::integer from report_configs where due_at is not null
$$;

-- Tenants that have something due.
create function app.due_report_tenants(p jsonb) returns jsonb
language sql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
  select coalesce(jsonb_agg(x.tenant_id order by x.tenant_id), '[]')
  from (select distinct c.tenant_id from report_configs c where c.due_at <= app.clock(p) limit 10000) x
$$;

-- Schedules whose next run was computed with older time zone data, those first that run first. What is due already is
-- run as it is; what newer data has computed stays, because two versions may work side by side for a while.
create function app.stale_report_schedules(p jsonb) returns jsonb
language sql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
  select coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'tenant', c.tenant_id, 'cron', c.cron,
    'timezone', c.cron_timezone, 'jitter', c.jitter, 'overlap', c.overlap, 'next_run_at', app.utc(c.next_run_at),
    'nominal', c.next_nominal) order by c.due_at, c.id), '[]')
  from (select * from report_configs c
        where c.due_at > app.clock(p) and c.tzdata < p ->> 'tzdata'
        order by c.due_at, c.id limit (p ->> 'limit')::integer) c
$$;
create index report_configs_tzdata_idx on report_configs (tzdata) where due_at is not null;

-- Notes the next runs that follow from newer time zone data, where no owner has to be told. Nothing is done to what was
-- changed meanwhile or is held by a tick. Answers how many.
create function app.renew_reports(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_held uuid[];
  v_done integer;
begin
  v_held := array(
    select c.id
    from report_configs c
    join jsonb_to_recordset(p -> 'renewed') as w (id uuid, was timestamptz) on w.id = c.id
    where c.next_run_at = w.was and c.tzdata < p ->> 'tzdata'
    order by c.id for no key update of c skip locked);
  update report_configs c set next_run_at = w.next_run_at, next_nominal = w.nominal, due_at = w.due_at,
    tzdata = p ->> 'tzdata'
  from jsonb_to_recordset(p -> 'renewed') as w (id uuid, next_run_at timestamptz, nominal text, due_at timestamptz)
  where c.id = w.id and c.id = any (v_held);
  get diagnostics v_done = row_count;
  return to_jsonb(v_done);
end
$$;

-- Gives a schedule another next run, or none, and tells its owner. Nothing is done to one that was changed meanwhile.
create function app.reschedule_report(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  c report_configs;
begin
  perform app.system_only();
  update report_configs x set next_run_at = (p ->> 'next_run_at')::timestamptz, next_nominal = p ->> 'nominal',
    due_at = (p ->> 'due_at')::timestamptz, tzdata = p ->> 'tzdata',
    missed = x.missed + coalesce((p ->> 'missed')::bigint, 0)
  where x.id = (p ->> 'id')::uuid and x.next_run_at = (p ->> 'was')::timestamptz
    and (x.tzdata < p ->> 'tzdata' or p ->> 'next_run_at' is null)
  returning * into c;
  if found then
    perform app.tell_report_owner(c, 'report_moved', p -> 'notice', null);
  end if;
  return to_jsonb(c.id is not null);
end
$$;

-- Jobs that nobody works on and that are due: [{tenant, job}]. A run that waits for another is let go when that one
-- has ended. Each is looked at again in two minutes unless somebody has taken it.
create function app.wake_report_jobs(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_result jsonb;
begin
  with found as (
    select j.id, j.buffered and exists (
             select from report_jobs o
             where o.config_id = j.config_id and app.report_job_open(o.state, o.review)
               and o.origin <> 'backfill' and not o.buffered) as waits
    from report_jobs j
    where j.wake_at <= now()
    order by j.wake_at limit (p ->> 'limit')::integer for update of j skip locked),
  woken as (
    update report_jobs j set wake_at = now() + interval '2 minutes', buffered = f.waits
    from found f where j.id = f.id
    returning j.id, j.tenant_id, f.waits)
  select coalesce(jsonb_agg(jsonb_build_object('tenant', w.tenant_id, 'job', w.id)), '[]') into v_result
  from woken w where not w.waits;
  return v_result;
end
$$;

-- Ends what was left lying: runs of which nothing was seen for a day, reports that nobody has reviewed for a month. A run
-- that was taken up again lies no more. With `tenant`, of that tenant only; up to `limit`, the oldest first.
create function app.cleanup_report_jobs(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_tenant uuid := (p ->> 'tenant')::uuid;
  v_result jsonb;
begin
  with stale as (
    select j.id from report_jobs j
    where j.state <> 'finished'
      and case j.review when 'pending' then j.created_at < app.clock(p) - interval '30 days'
          else j.updated_at < app.clock(p) - interval '1 day' end
      and (j.lease_until is null or j.lease_until <= now())
      and (v_tenant is null or j.tenant_id = v_tenant)
    order by j.id limit (p ->> 'limit')::integer for update skip locked),
  ended as (
    update report_jobs j set state = 'finished', result = 'canceled', error_code = 'stale',
      error = case j.review when 'pending' then 'Nobody has reviewed it within 30 days.'
              else 'It was not finished within a day.' end,
      review = nullif(j.review, 'pending'), fence = j.fence + 1, lease_until = null, wake_at = null, buffered = false,
      finished_at = now(), updated_at = now()
    from stale s where j.id = s.id
    returning j.id),
  closed as (
    update report_job_attempts a set code = 'stale', error = 'It was not finished within a day.'
    from ended e where a.job_id = e.id and a.code is null and a.duration_ms is null)
  select coalesce(jsonb_agg(e.id order by e.id), '[]') into v_result from ended e;
  return v_result;
end
$$;

-- Finished jobs are kept for 90 days, with their reports. Up to `limit` at a time; answers how many are gone.
create function app.sweep_report_jobs(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  gone integer;
begin
  delete from report_jobs where id = any (array(
    select j.id from report_jobs j
    where j.state = 'finished' and j.finished_at < app.clock(p) - interval '90 days'
    order by j.id limit (p ->> 'limit')::integer for update skip locked));
  get diagnostics gone = row_count;
  return to_jsonb(gone);
end
$$;

grant execute on function app.report_runs(uuid) to pulse_app, pulse_definer;
grant execute on function app.due_reports(jsonb), app.claim_reports(jsonb), app.running_reports(),
  app.due_report_tenants(jsonb), app.stale_report_schedules(jsonb), app.renew_reports(jsonb), app.reschedule_report(jsonb),
  app.wake_report_jobs(jsonb), app.cleanup_report_jobs(jsonb), app.sweep_report_jobs(jsonb) to pulse_app;
call app.seal();
