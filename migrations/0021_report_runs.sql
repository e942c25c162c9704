-- Reports as they run: jobs claimed by workers, what comes back written down, what people decide about them.
--
-- Invariant: a worker changes a job only under the fence of its claim. Every function may be repeated: what was done
-- already is answered as done.
-- Lock order: config, job, message, realtime channel.
-- Failure: answered, and noted with the attempt; nothing is left that no later tick finds.

-- Locks a job and, before it, its config. Null when there is none.
create function app.lock_report_job(p_job uuid) returns report_jobs language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  j report_jobs;
begin
  perform from report_configs c where c.id = (select x.config_id from report_jobs x where x.id = p_job)
  for no key update;
  select * into j from report_jobs x where x.id = p_job for update;
  return j;
end
$$;

-- Ends the attempt that is under way.
create function app.close_report_attempt(p_job uuid, p_code text, p_error text) returns void language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
begin
  update report_job_attempts a set code = p_code, error = p_error,
    duration_ms = case when p_code is distinct from 'lost'
                  then (extract(epoch from clock_timestamp() - a.at) * 1000)::integer end
  where a.job_id = p_job and a.code is null and a.duration_ms is null;
end
$$;

create function app.open_report_attempt(j report_jobs, p_stage text) returns void language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
begin
  insert into report_job_attempts (job_id, tenant_id, number, stage, at)
  values (j.id, j.tenant_id, j.attempts + 1, p_stage, clock_timestamp());
end
$$;

-- Tells whoever made a config, or the admins when that is no member any more. `p_notice` is {subject, text}, where
-- {name}, {failures} and {error} stand for those.
create function app.tell_report_owner(c report_configs, p_kind text, p_notice jsonb, p_error text) returns void
language plpgsql set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_addresses text[] := array(select m.email from app.members() m where m.user_id = c.created_by);
  v_text      text := replace(replace(replace(p_notice ->> 'text', '{failures}', c.failures::text),
                                      '{name}', c.name), '{error}', coalesce(p_error, ''));
begin
  if cardinality(v_addresses) = 0 then
    v_addresses := array(select m.email from app.members() m where m.role = 'admin' order by m.created_at limit 5);
  end if;
  perform app.post_message(jsonb_build_object('source_kind', p_kind, 'source_id', app.new_id(),
    'subject', replace(p_notice ->> 'subject', '{name}', c.name), 'text', v_text, 'recipients', (
      select coalesce(jsonb_agg(jsonb_build_object('channel_id', null, 'address', a)), '[]') from unnest(v_addresses) a)));
end
$$;

-- Ends a job. A failure counts against its config, which pauses itself after too many in a row and tells its owner;
-- a run that waited for this one is let go: its id is answered.
create function app.finish_report_job(j report_jobs, p_result text, p_code text, p_error text, p_notice jsonb)
returns uuid language plpgsql set search_path = pg_catalog, public, app, pg_temp as $$
declare
  c         report_configs;
  v_next    uuid;
  v_pauses  boolean;
begin
  perform app.close_report_attempt(j.id, p_code, p_error);
  if j.origin <> 'backfill' and p_result <> 'canceled' then
    select * into c from report_configs x where x.id = j.config_id for no key update;
    v_pauses := p_result = 'error' and c.paused_at is null and c.failures + 1 >= c.pause_after;
    if p_result = 'error' or c.failures > 0 then
      update report_configs x set failures = case p_result when 'error' then x.failures + 1 else 0 end,
        paused_at = case when v_pauses then now() else x.paused_at end,
        pause_reason = case when v_pauses then 'failures' else x.pause_reason end,
        next_run_at = case when v_pauses then null else x.next_run_at end,
        due_at = case when v_pauses then null else x.due_at end
      where x.id = c.id returning * into c;
    end if;
    if v_pauses and p_notice is not null then
      perform app.tell_report_owner(c, 'report_paused', p_notice, p_error);
    end if;
  end if;
  update report_jobs x set state = 'finished', result = p_result, error_code = p_code, error = p_error,
    review = nullif(x.review, 'pending'), lease_until = null, wake_at = null, buffered = false,
    fence = x.fence + (p_result = 'canceled')::integer, finished_at = now(), updated_at = now()
  where x.id = j.id;
  update report_jobs x set buffered = false, due_at = now(), wake_at = now() + interval '2 minutes'
  where x.id = (select w.id from report_jobs w
                where w.config_id = j.config_id and w.buffered and w.state = 'created'
                order by w.id limit 1 for update)
    and (select r.running from app.report_runs(j.config_id) r) = 0
  returning x.id into v_next;
  return v_next;
end
$$;

-- Takes a job, if it is due and nobody works on it. Null: there is nothing to do.
create function app.claim_report_job(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_lease timestamptz := now() + make_interval(secs => (p ->> 'lease_ms')::double precision / 1000);
  j       report_jobs;
  c       report_configs;
  v_next  uuid;
begin
  perform app.system_only();
  j := app.lock_report_job((p ->> 'id')::uuid);
  if j.id is null or not app.report_job_open(j.state, j.review) or j.buffered or j.due_at > now() or j.lease_until > now() then
    return null;
  end if;
  if j.lease_until is not null then
    perform app.close_report_attempt(j.id, 'lost', 'Whoever worked on it did not come back.');
    if j.step >= (p ->> 'max_steps')::integer then
      v_next := app.finish_report_job(j, 'error', 'too_many_attempts', 'It was tried too often and never came back.',
                                      p -> 'notice');
      return jsonb_build_object('next', v_next);
    end if;
  end if;
  perform app.open_report_attempt(j, j.stage);
  update report_jobs x set state = 'running', step = x.step + 1, attempts = x.attempts + 1, fence = x.fence + 1,
    lease_until = v_lease, wake_at = v_lease, error = null, error_code = null,
    started_at = coalesce(x.started_at, now()), updated_at = now()
  where x.id = j.id returning * into j;
  select * into c from report_configs x where x.id = j.config_id;
  if j.origin <> 'backfill' and j.attempts = 1 then
    update report_configs x set last_run_at = now() where x.id = c.id;
  end if;
  return jsonb_build_object('work', jsonb_build_object('id', j.id, 'fence', j.fence, 'step', j.step, 'stage', j.stage,
    'as_of', app.utc(j.as_of), 'report', j.payload -> 'report', 'data', j.data, 'figures', j.figures,
    'config', app.report_config_json(c),
    'template', (select t.body from report_templates t where t.id = c.template_id)));
end
$$;

-- Holds a job for longer. False: it is no longer the caller's.
create function app.renew_report_job(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_lease timestamptz := now() + make_interval(secs => (p ->> 'lease_ms')::double precision / 1000);
begin
  perform app.system_only();
  update report_jobs j set lease_until = v_lease, wake_at = v_lease
  where j.id = (p ->> 'id')::uuid and j.fence = (p ->> 'fence')::bigint and j.state = 'running'
    and j.lease_until is not null;
  return to_jsonb(found);
end
$$;

-- Keeps a report that was written. False: the job is no longer the caller's, and nothing was kept.
create function app.store_report(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_lease timestamptz := now() + make_interval(secs => (p ->> 'lease_ms')::double precision / 1000);
  j       report_jobs;
begin
  perform app.system_only();
  j := app.lock_report_job((p ->> 'id')::uuid);
  if j.id is null or j.fence <> (p ->> 'fence')::bigint or j.state <> 'running' or j.lease_until is null then
    return to_jsonb(false);
  elsif j.stage <> 'generate' then
    return to_jsonb(true);
  end if;
  perform app.close_report_attempt(j.id, null, null);
  perform app.open_report_attempt(j, 'render');
  update report_jobs x set stage = 'render', step = 1, attempts = x.attempts + 1, payload = p -> 'payload',
    data = p -> 'data', figures = p -> 'figures', untraced = (p ->> 'untraced')::integer, skipped = p ->> 'skipped',
    warning = p ->> 'warning', writer = p ->> 'writer', usage = p -> 'usage', lease_until = v_lease, wake_at = v_lease, updated_at = now()
  where x.id = j.id;
  return to_jsonb(true);
end
$$;

-- Whom the report of a config goes to: [{channel_id, address}]. E-mail addresses go to each e-mail channel that is
-- named, or to the tenant's default when none is; phone numbers to those that take them; a channel that is one place
-- carries its recipient with it.
create function app.report_recipients(c report_configs) returns jsonb language plpgsql stable
set search_path = pg_catalog, public, app, pg_temp as $$
begin
  return (
    with named as (
      select w.id, app.address_kind(h.kind) as takes
      from unnest(c.channels) w (id) left join channels h on h.id = w.id),
    carriers as (
      select n.id, n.takes from named n where n.takes is not null
      union all
      select null, 'email' where not exists (select from named n where n.takes = 'email'))
    select coalesce(jsonb_agg(jsonb_build_object('channel_id', x.id, 'address', x.address)), '[]')
    from (
      select m.id, a.address from unnest(c.recipients) a (address)
      join carriers m on m.takes = case when a.address like '%@%' then 'email' else 'phone' end
      union all
      select n.id, null from named n where n.takes is null) x);
end
$$;

-- Refuses channels that are not the tenant's, and phone numbers that none of them could reach.
create function app.check_report_channels(p_channels uuid[], p_recipients text[]) returns boolean language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_place integer;
begin
  select min(w.place) - 1 into v_place
  from unnest(p_channels) with ordinality w (id, place) left join channels h on h.id = w.id where h.id is null;
  if v_place is not null then
    perform app.fail('PU422', 'channel_not_found', 'There is no such channel.', format('/channels/%s', v_place));
  end if;
  select min(w.place) - 1 into v_place from unnest(p_recipients) with ordinality w (address, place)
  where w.address not like '%@%';
  if v_place is not null and not exists (
      select from channels h where h.id = any (p_channels) and app.address_kind(h.kind) = 'phone') then
    perform app.fail('PU422', 'no_phone_channel', 'A phone number needs a channel that sends text messages.',
                     format('/recipients/%s', v_place));
  end if;
  return true;
end
$$;

-- Hands a rendered report over to delivery and ends the job, or holds it for review. `document` is what was rendered;
-- without it, what was kept. A refusal of the delivery module leaves the job at this stage and is answered.
create function app.deliver_report(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  j       report_jobs;
  c       report_configs;
  d       report_documents;
  v_to    jsonb;
  v_why   text;
  v_next  uuid;
  v_state text;
  v_code  text;
  v_text  text;
begin
  perform app.system_only();
  j := app.lock_report_job((p ->> 'id')::uuid);
  if j.id is null or j.fence <> (p ->> 'fence')::bigint or j.state <> 'running' or j.lease_until is null then
    return '{}';
  end if;
  select * into c from report_configs x where x.id = j.config_id;
  if j.stage = 'render' and p ? 'document' then
    insert into report_documents as x (job_id, tenant_id, subject, html, text, attachments)
    values (j.id, j.tenant_id, p #>> '{document,subject}', p #>> '{document,html}', p #>> '{document,text}',
            p #> '{document,attachments}')
    on conflict (job_id) do update set subject = excluded.subject, html = excluded.html, text = excluded.text,
      attachments = excluded.attachments;
    perform app.close_report_attempt(j.id, null, null);
    perform app.open_report_attempt(j, 'deliver');
    update report_jobs x set stage = 'deliver', step = 1, attempts = x.attempts + 1, updated_at = now()
    where x.id = j.id returning * into j;
  end if;
  select * into d from report_documents x where x.job_id = j.id;

  v_to := app.report_recipients(c);
  v_why := coalesce(j.skipped, case when not j.deliver then 'delivery_off'
                               when jsonb_array_length(v_to) = 0 then 'no_recipients' end);
  if v_why is null and c."strict" and j.untraced > 0 and j.review is null then
    perform app.close_report_attempt(j.id, null, null);
    update report_jobs x set review = 'pending', lease_until = null, wake_at = null, updated_at = now() where x.id = j.id;
    return jsonb_build_object('held', true);
  end if;
  if v_why is null then
    begin
      perform app.post_message(jsonb_build_object('id', app.new_id(), 'topic_kind', 'report', 'topic_id', c.id,
        'topic_name', c.name, 'source_kind', 'report_job', 'source_id', j.id, 'subject', d.subject, 'html', d.html,
        'text', d.text, 'attachments', d.attachments, 'recipients', v_to));
    exception when others then
      get stacked diagnostics v_state = returned_sqlstate, v_code = message_text, v_text = pg_exception_detail;
      return jsonb_build_object('failed', jsonb_build_object(
        'code', case when v_state like 'PU%' then v_code else 'delivery_failed' end,
        'detail', case when v_state like 'PU%' then v_text else v_state || ': ' || v_code end,
        'final', v_state like 'PU4%'));
    end;
  else
    update report_jobs x set skipped = v_why where x.id = j.id;
  end if;
  v_next := app.finish_report_job(j, 'success', null, null, null);
  return jsonb_build_object('sent', v_why is null, 'next', v_next);
end
$$;

-- Notes that an attempt failed: it is tried again after `retry_ms`, or the job ends. Answers what waited for it.
create function app.fail_report_job(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_due timestamptz := now() + make_interval(secs => (p ->> 'retry_ms')::double precision / 1000);
  j     report_jobs;
begin
  perform app.system_only();
  j := app.lock_report_job((p ->> 'id')::uuid);
  if j.id is null or j.fence <> (p ->> 'fence')::bigint or j.state <> 'running' or j.lease_until is null then
    return jsonb_build_object('next', null);
  elsif v_due is null then
    return jsonb_build_object('next', app.finish_report_job(j, 'error', p ->> 'code', p ->> 'error', p -> 'notice'));
  end if;
  perform app.close_report_attempt(j.id, p ->> 'code', p ->> 'error');
  update report_jobs x set error_code = p ->> 'code', error = p ->> 'error', lease_until = null, due_at = v_due,
    wake_at = v_due, updated_at = now()
  where x.id = j.id;
  return jsonb_build_object('next', null);
end
$$;

-- Somebody asks for a run of a config, now.
create function app.publish_report(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  c report_configs;
  j report_jobs;
  o report_jobs;
begin
  select * into c from report_configs x where x.id = (p ->> 'config_id')::uuid for no key update;
  if c.id is null then
    return null;
  end if;
  if c.overlap = 'cancel_other' then
    for o in select * from report_jobs x where x.config_id = c.id and app.report_job_open(x.state, x.review)
             and x.origin <> 'backfill' order by x.id for update loop
      perform app.finish_report_job(o, 'canceled', 'overlap', 'The next run took its place.', null);
    end loop;
  end if;
  insert into report_jobs as x (id, tenant_id, config_id, origin, as_of, wake_at, created_by)
  values ((p ->> 'id')::uuid, app.tenant(), c.id, 'manual', app.clock(p), now() + interval '2 minutes', app.actor_id())
  returning * into j;
  return app.report_job_json(j);
end
$$;

-- Jobs for past occurrences of a config; one that has a job already keeps that. What its schedule has yet to run is
-- left to the schedule.
create function app.backfill_report(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  c      report_configs;
  v_past jsonb;
  v_jobs jsonb;
begin
  select * into c from report_configs x where x.id = (p ->> 'config_id')::uuid for no key update;
  if c.id is null then
    return null;
  end if;
  select coalesce(jsonb_agg(t), '[]') into v_past
  from jsonb_array_elements_text(p -> 'occurrences') t
  where t::timestamptz < coalesce(c.next_run_at, 'infinity');
  with made as (
    insert into report_jobs as x (id, tenant_id, config_id, origin, scheduled_for, as_of, deliver, wake_at, created_by)
    select app.new_id(), c.tenant_id, c.id, 'backfill', t::timestamptz, t::timestamptz, (p ->> 'deliver')::boolean,
           now() + interval '2 minutes', app.actor_id()
    from jsonb_array_elements_text(v_past) t
    on conflict (config_id, scheduled_for) do nothing
    returning x.*)
  select coalesce(jsonb_agg(app.report_job_json(made::report_jobs) order by made.scheduled_for), '[]') into v_jobs from made;
  return jsonb_build_object('created', jsonb_array_length(v_jobs),
    'existing', jsonb_array_length(v_past) - jsonb_array_length(v_jobs),
    'due', jsonb_array_length(p -> 'occurrences') - jsonb_array_length(v_past), 'jobs', v_jobs);
end
$$;

-- Ends a job that somebody wants no more; whoever works on it can write nothing any more.
create function app.cancel_report_job(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  j      report_jobs := app.lock_report_job((p ->> 'id')::uuid);
  v_next uuid;
begin
  if j.id is null then
    return null;
  elsif j.state = 'finished' then
    perform app.fail('PU409', 'already_finished', 'This job has ended.');
  end if;
  v_next := app.finish_report_job(j, 'canceled', 'canceled', 'It was canceled.', null);
  select * into j from report_jobs x where x.id = j.id;
  return jsonb_build_object('job', app.report_job_detail(j), 'next', v_next);
end
$$;

-- What a reviewer decides of a report that is held.
create function app.review_report_job(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  j report_jobs := app.lock_report_job((p ->> 'id')::uuid);
begin
  if j.id is null then
    return null;
  elsif j.review is distinct from 'pending' then
    perform app.fail('PU409', 'not_held', 'This job does not wait for a review.');
  end if;
  update report_jobs x set review = case when (p ->> 'approve')::boolean then 'approved' else 'rejected' end,
    reviewed_by = app.actor_id(), reviewed_at = app.clock(p), updated_at = now()
  where x.id = j.id;
  if (p ->> 'approve')::boolean then
    update report_jobs x set due_at = now(), wake_at = now() + interval '2 minutes', step = 0
    where x.id = j.id;
  else
    perform app.finish_report_job(j, 'canceled', 'rejected', 'It was rejected in review.', null);
  end if;
  select * into j from report_jobs x where x.id = j.id;
  return app.report_job_detail(j);
end
$$;

-- Makes a job due now, from the stage where it stands; one that failed goes on from there.
create function app.rerun_report_job(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  j report_jobs := app.lock_report_job((p ->> 'id')::uuid);
begin
  if j.id is null then
    return null;
  elsif j.review = 'pending' then
    perform app.fail('PU409', 'held', 'This report waits for a review: approve or reject it.');
  elsif j.state = 'finished' and j.result <> 'error' then
    perform app.fail('PU409', 'already_finished', 'This job has ended.');
  elsif j.lease_until > now() then
    perform app.fail('PU409', 'already_running', 'Somebody works on this job at this moment.');
  elsif j.buffered and (select r.running from app.report_runs(j.config_id) r) > 0 then
    perform app.fail('PU409', 'waits', 'This run waits for the one under way: cancel that, or wait for its end.');
  end if;
  update report_jobs x set state = case x.state when 'created' then 'created' else 'running' end, result = null,
    finished_at = null, buffered = false, step = 0, due_at = now(), wake_at = now() + interval '2 minutes',
    updated_at = now()
  where x.id = j.id;
  return jsonb_build_object('id', j.id);
end
$$;

-- E-mail of a report counts as sent when nothing of it is under way any more and somebody got it.
create function app.note_report_mail() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_jobs uuid[] := array(select distinct n.source_id from fresh n join stale o on o.id = n.id
                         where n.source_kind = 'report_job' and o.status <> n.status order by 1);
begin
  if cardinality(v_jobs) = 0 then
    return null;
  end if;
  perform from report_jobs j where j.id = any (v_jobs) order by j.id for no key update;
  update report_jobs j set email_sent = m.done, email_sent_at = m.at, updated_at = now()
  from (
    select x.source_id, bool_and(x.status not in ('pending', 'sending')) and bool_or(x.status = 'sent') as done,
           max(x.sent_at) as at
    from message_deliveries x
    where x.source_kind = 'report_job' and x.source_id = any (v_jobs) and app.address_kind(x.channel_kind) = 'email'
    group by 1) m
  where j.id = m.source_id and j.email_sent is distinct from m.done;
  return null;
end
$$;
create trigger note_report_mail after update on message_deliveries referencing old table as stale new table as fresh
  for each statement execute function app.note_report_mail();

grant execute on function app.lock_report_job(uuid),
  app.close_report_attempt(uuid, text, text), app.open_report_attempt(report_jobs, text),
  app.tell_report_owner(report_configs, text, jsonb, text),
  app.finish_report_job(report_jobs, text, text, text, jsonb), app.claim_report_job(jsonb),
  app.renew_report_job(jsonb), app.store_report(jsonb), app.report_recipients(report_configs),
  app.check_report_channels(uuid[], text[]),
  app.deliver_report(jsonb), app.fail_report_job(jsonb), app.publish_report(jsonb), app.backfill_report(jsonb),
  app.cancel_report_job(jsonb), app.review_report_job(jsonb), app.rerun_report_job(jsonb) to pulse_app;
call app.seal();
