-- Scheduled reports: what is to be written when, each time it was written, and what came of it.
--
-- Invariant: an occurrence of a schedule has one job (unique on config and scheduled_for), made in the transaction
-- that moves the schedule on, by whichever tick comes first. Who works on a job holds it by a lease and a fence:
-- what comes back under an older fence changes nothing. A report that was written is kept and never written again,
-- whatever becomes of its delivery.
-- Lock order: config, job, message, realtime channel.
-- Failure: a worker that dies lets its lease run out; the minute tick finds the job by wake_at.

create table report_templates (
  id          uuid not null constraint report_templates_pkey primary key,
  tenant_id   uuid not null constraint report_templates_tenant_fkey references tenants on delete cascade,
  name        text not null,
  description text,
  body        text not null,
  version     integer not null default 1,
  created_by  uuid,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  constraint report_templates_tenant_id_key unique (tenant_id, id),
  constraint report_templates_name_check check (length(name) between 1 and 200),
  constraint report_templates_body_check check (length(body) between 1 and 50000)
);

create table report_configs (
  id              uuid not null constraint report_configs_pkey primary key,
  tenant_id       uuid not null constraint report_configs_tenant_fkey references tenants on delete cascade,
  name            text not null,
  description     text not null default '',
  prompt          text not null,
  cron            text not null,
  cron_timezone   text,
  enabled         boolean not null default true,
  recipients      text[],
  channels        uuid[] not null default '{}',
  template_id     uuid,
  overlap         text not null default 'skip',
  jitter          boolean not null default false,
  strict          boolean not null default false,
  skip_if_empty   boolean not null default false,
  send_if         text,
  attach_csv      boolean not null default false,
  pause_after     integer,
  next_run_at     timestamptz,
  next_nominal    text,
  due_at          timestamptz,
  tzdata          text not null,
  last_run_at     timestamptz,
  paused_at       timestamptz,
  pause_reason    text,
  failures        integer not null default 0,
  missed          bigint not null default 0,
  overlap_skipped bigint not null default 0,
  version         integer not null default 1,
  created_by      uuid,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  constraint report_configs_tenant_id_key unique (tenant_id, id),
  constraint report_configs_template_fkey foreign key (tenant_id, template_id)
    references report_templates (tenant_id, id),
  constraint report_configs_name_check check (length(name) between 1 and 200),
  constraint report_configs_prompt_check check (length(prompt) between 1 and 20000),
  constraint report_configs_recipients_check check (cardinality(recipients) between 1 and 100),
  constraint report_configs_channels_check check (cardinality(channels) <= 10),
  constraint report_configs_overlap_check check (overlap in ('skip', 'buffer_one', 'cancel_other', 'allow')),
  constraint report_configs_pause_check check (pause_reason in ('by_hand', 'failures')
                                               and (pause_reason is null) = (paused_at is null)),
  -- Who does not run has no next run: null never means due.
  constraint report_configs_due_check check ((next_run_at is null) = (due_at is null)
                                             and (next_run_at is null or enabled and paused_at is null))
) with (fillfactor = 80);
comment on column report_configs.next_run_at is 'The nominal instant of the next occurrence.';
comment on column report_configs.next_nominal is 'What the schedule calls it, whatever the clocks show: 2027-03-14T02:30:00.';
comment on column report_configs.due_at is 'The same, later by the jitter: what ticks look for.';
comment on column report_configs.tzdata is 'Version of the time zone data that next_run_at was computed with.';
comment on column report_configs.pause_after is 'Pauses itself after so many failures in a row; null: never.';
comment on column report_configs.missed is 'Occurrences that nobody ran in time.';
comment on column report_configs.overlap_skipped is 'Occurrences that were not run because another run was under way.';
create index report_configs_due_idx on report_configs (due_at, id) where due_at is not null;
create index report_configs_tenant_due_idx on report_configs (tenant_id, due_at, id) where due_at is not null;
create index report_configs_template_idx on report_configs (tenant_id, template_id) where template_id is not null;

-- Whether a job is under way: not finished, and not waiting for a reviewer.
create function app.report_job_open(p_state text, p_review text) returns boolean
language sql immutable parallel safe as $$ select p_state <> 'finished' and p_review is distinct from 'pending' $$;
grant execute on function app.report_job_open(text, text) to pulse_app, pulse_definer;

create table report_jobs (
  id            uuid not null constraint report_jobs_pkey primary key,
  tenant_id     uuid not null,
  config_id     uuid not null,
  origin        text not null,
  scheduled_for timestamptz,
  as_of         timestamptz not null,
  deliver       boolean not null default true,
  buffered      boolean not null default false,
  state         text not null default 'created',
  result        text,
  stage         text not null default 'generate',
  skipped       text,
  warning       text,
  error         text,
  error_code    text,
  step          integer not null default 0,
  attempts      integer not null default 0,
  due_at        timestamptz not null default now(),
  wake_at       timestamptz,
  lease_until   timestamptz,
  fence         bigint not null default 0,
  payload       jsonb,
  data          jsonb,
  figures       jsonb,
  untraced      integer,
  writer        text,
  usage         jsonb,
  email_sent    boolean not null default false,
  email_sent_at timestamptz,
  review        text,
  reviewed_by   uuid,
  reviewed_at   timestamptz,
  created_by    uuid,
  started_at    timestamptz,
  finished_at   timestamptz,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  constraint report_jobs_tenant_id_key unique (tenant_id, id),
  constraint report_jobs_occurrence_key unique (config_id, scheduled_for),
  constraint report_jobs_config_fkey foreign key (tenant_id, config_id)
    references report_configs (tenant_id, id) on delete cascade,
  constraint report_jobs_origin_check check (origin in ('schedule', 'manual', 'backfill')),
  constraint report_jobs_state_check check (state in ('created', 'running', 'finished')),
  constraint report_jobs_result_check check (result in ('success', 'error', 'canceled')
                                             and (result is null) = (state <> 'finished')),
  constraint report_jobs_stage_check check (stage in ('generate', 'render', 'deliver')),
  constraint report_jobs_skipped_check check (skipped in ('empty', 'condition', 'no_recipients', 'delivery_off')),
  constraint report_jobs_review_check check (review in ('pending', 'approved', 'rejected')
                                             and (review <> 'pending' or state = 'running' and lease_until is null)),
  constraint report_jobs_wake_check check (wake_at is null or state <> 'finished' and review is distinct from 'pending')
) with (fillfactor = 70); -- each is updated a few times: claimed, stored, finished
comment on column report_jobs.scheduled_for is 'The nominal instant of the occurrence; null when somebody asked for the run.';
comment on column report_jobs.as_of is 'The instant that the report is about.';
comment on column report_jobs.buffered is 'Waits until the run before it has ended.';
comment on column report_jobs.step is 'Attempts at this stage, the one under way included.';
comment on column report_jobs.due_at is 'Not worked on before.';
comment on column report_jobs.wake_at is 'When the minute tick has the queue look at it again; null: never.';
comment on column report_jobs.lease_until is 'Somebody works on it; after that time, nobody does any more.';
comment on column report_jobs.fence is 'Grows with every claim; only the latest claim may write.';
comment on column report_jobs.skipped is 'Why a report that was written is not sent.';
comment on column report_jobs.warning is 'What went wrong without keeping the report from being sent.';
comment on column report_jobs.review is
  'pending: it is written and waits for a reviewer, and for nothing else; null: nobody needs to look at it.';
comment on column report_jobs.data is 'The query results that the report is made of.';
create index report_jobs_config_idx on report_jobs (config_id, id);
create index report_jobs_unfinished_idx on report_jobs (config_id) where state <> 'finished';
create index report_jobs_wake_idx on report_jobs (wake_at) where wake_at is not null;
create index report_jobs_stale_idx on report_jobs (created_at) where state <> 'finished';
create index report_jobs_finished_idx on report_jobs (finished_at) where state = 'finished';

create table report_job_attempts (
  job_id      uuid not null,
  tenant_id   uuid not null,
  number      integer not null,
  stage       text not null,
  at          timestamptz not null,
  duration_ms integer,
  code        text,
  error       text,
  constraint report_job_attempts_pkey primary key (job_id, number),
  constraint report_job_attempts_job_fkey foreign key (tenant_id, job_id)
    references report_jobs (tenant_id, id) on delete cascade
);
comment on column report_job_attempts.duration_ms is 'Null while it is under way, and when nobody knows.';
comment on column report_job_attempts.code is 'Null when it worked, or is under way.';
create index report_job_attempts_job_idx on report_job_attempts (tenant_id, job_id);

create table report_documents (
  job_id      uuid not null constraint report_documents_pkey primary key,
  tenant_id   uuid not null,
  subject     text not null,
  html        text not null,
  text        text not null,
  attachments jsonb not null,
  created_at  timestamptz not null default now(),
  constraint report_documents_job_fkey foreign key (tenant_id, job_id)
    references report_jobs (tenant_id, id) on delete cascade
);
comment on table report_documents is 'Reports as they are sent, but for what differs from recipient to recipient.';
create index report_documents_job_idx on report_documents (tenant_id, job_id);

call app.protect('report_templates');
call app.protect('report_configs');
call app.protect('report_jobs');
call app.protect('report_job_attempts');
call app.protect('report_documents');

grant select, insert, update, delete on report_templates, report_configs to pulse_app;
grant select, insert, update on report_jobs, report_job_attempts, report_documents to pulse_app;
grant select, update (next_run_at, next_nominal, due_at, tzdata, missed, overlap_skipped) on report_configs to pulse_definer;
grant select, insert, update, delete on report_jobs to pulse_definer;
grant select, update on report_job_attempts to pulse_definer;

-- What the schedule and the runs note of a config is no change of it.
create trigger touch before update on report_configs for each row
  when ((old.name, old.description, old.prompt, old.cron, old.cron_timezone, old.enabled, old.recipients, old.channels,
         old.template_id, old.overlap, old.jitter, old.strict, old.skip_if_empty, old.send_if, old.attach_csv,
         old.pause_after, old.paused_at)
        is distinct from
        (new.name, new.description, new.prompt, new.cron, new.cron_timezone, new.enabled, new.recipients, new.channels,
         new.template_id, new.overlap, new.jitter, new.strict, new.skip_if_empty, new.send_if, new.attach_csv,
         new.pause_after, new.paused_at))
  execute function app.touch();
create trigger touch before update of name, description, body on report_templates
  for each row execute function app.touch();

-- Many events of one kind at once, each [{tenant_id, data}], in this order: one lock per channel and transaction.
create function app.emit_all(p_channel text, p_type text, p_events jsonb) returns void language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
begin
  with fresh as (
    select (e.value ->> 'tenant_id')::uuid as tenant_id, e.value -> 'data' as data, e.place
    from jsonb_array_elements(p_events) with ordinality e (value, place)),
  taken as (
    insert into realtime_channels as c (tenant_id, channel, last_offset)
    select f.tenant_id, p_channel, count(*) from fresh f group by 1 order by 1
    on conflict (tenant_id, channel) do update set last_offset = c.last_offset + excluded.last_offset
    returning c.tenant_id, c.last_offset)
  -- No live object follows these channels yet, so none of them waits to be broadcast.
  insert into realtime_events (tenant_id, channel, "offset", type, data, broadcast_at)
  select f.tenant_id, p_channel, t.last_offset - count(*) over (partition by f.tenant_id)
           + row_number() over (partition by f.tenant_id order by f.place), p_type, f.data, now()
  from fresh f join taken t using (tenant_id);
end
$$;
grant select, insert, update on realtime_channels to pulse_definer;
grant insert on realtime_events to pulse_definer;

create function app.report_job_event(j report_jobs) returns jsonb language sql stable as $$
  select jsonb_build_object('tenant_id', j.tenant_id, 'data', jsonb_build_object('id', j.id, 'pulseConfigId', j.config_id,
    'state', j.state, 'result', j.result, 'stage', j.stage, 'review', j.review, 'emailSent', j.email_sent, 'error', j.error))
$$;
create function app.emit_new_report_jobs() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  events jsonb := (select jsonb_agg(app.report_job_event(n) order by n.id) from fresh n);
begin
  if events is not null then
    perform app.emit_all('reports', 'report_job', events);
  end if;
  return null;
end
$$;
create function app.emit_changed_report_jobs() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  events jsonb := (
    select jsonb_agg(app.report_job_event(n) order by n.id) from fresh n join stale o on o.id = n.id
    where (o.state, o.result, o.stage, o.review, o.email_sent, o.error)
          is distinct from (n.state, n.result, n.stage, n.review, n.email_sent, n.error));
begin
  if events is not null then
    perform app.emit_all('reports', 'report_job', events);
  end if;
  return null;
end
$$;
create trigger emit_new after insert on report_jobs referencing new table as fresh
  for each statement execute function app.emit_new_report_jobs();
create trigger emit_changed after update on report_jobs referencing old table as stale new table as fresh
  for each statement execute function app.emit_changed_report_jobs();

create function app.report_template_json(t report_templates) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', t.id, 'name', t.name, 'description', t.description, 'body', t.body,
    'version', t.version, 'createdAt', app.utc(t.created_at), 'updatedAt', app.utc(t.updated_at));
end
$$;

create function app.report_config_json(c report_configs) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', c.id, 'name', c.name, 'description', c.description, 'prompt', c.prompt,
    'cron', c.cron, 'cronTimezone', c.cron_timezone, 'enabled', c.enabled, 'recipients', to_jsonb(c.recipients),
    'channels', to_jsonb(c.channels), 'templateId', c.template_id, 'overlap', c.overlap, 'jitter', c.jitter,
    'strict', c."strict", 'skipIfEmpty', c.skip_if_empty, 'sendIf', c.send_if, 'attachCsv', c.attach_csv,
    'pauseAfter', c.pause_after, 'lastRunAt', app.utc(c.last_run_at), 'nextRunAt', app.utc(c.next_run_at),
    'tzdata', c.tzdata, 'pausedAt', app.utc(c.paused_at), 'pauseReason', c.pause_reason, 'failures', c.failures,
    'missed', c.missed, 'overlapSkipped', c.overlap_skipped, 'createdBy', c.created_by, 'version', c.version,
    'createdAt', app.utc(c.created_at), 'updatedAt', app.utc(c.updated_at));
end
$$;

-- A job as lists show it.
create function app.report_job_json(j report_jobs) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', j.id, 'pulseConfigId', j.config_id, 'origin', j.origin,
    'scheduledFor', app.utc(j.scheduled_for), 'asOf', app.utc(j.as_of), 'deliver', j.deliver, 'buffered', j.buffered,
    'state', j.state, 'result', j.result, 'stage', j.stage, 'skipped', j.skipped, 'warning', j.warning, 'error', j.error,
    'errorCode', j.error_code, 'attemptCount', j.attempts,
    'nextAttemptAt', case when app.report_job_open(j.state, j.review) and j.lease_until is null and not j.buffered
                     then app.utc(j.due_at) end,
    'untraced', j.untraced, 'writer', j.writer, 'emailSent', j.email_sent, 'emailSentAt', app.utc(j.email_sent_at),
    'review', j.review, 'reviewedAt', app.utc(j.reviewed_at), 'startedAt', app.utc(j.started_at), 'finishedAt', app.utc(j.finished_at),
    'createdAt', app.utc(j.created_at), 'updatedAt', app.utc(j.updated_at));
end
$$;

-- A job with all that is known of it.
create function app.report_job_detail(j report_jobs) returns jsonb language plpgsql stable as $$
begin
  return app.report_job_json(j) || jsonb_build_object('payload', j.payload, 'figures', j.figures, 'usage', j.usage,
    'attempts', (
      select coalesce(jsonb_agg(jsonb_build_object('number', a.number, 'stage', a.stage, 'at', app.utc(a.at),
               'durationMs', a.duration_ms, 'code', a.code, 'error', a.error) order by a.number), '[]')
      from report_job_attempts a where a.job_id = j.id),
    'deliveries', (
      select coalesce(jsonb_object_agg(d.status, d.count), '{}')
      from (select m.status, count(*) from message_deliveries m
            where m.source_kind = 'report_job' and m.source_id = j.id group by 1) d));
end
$$;

grant execute on function app.emit_all(text, text, jsonb), app.report_job_event(report_jobs) to pulse_definer;
grant execute on function app.report_template_json(report_templates), app.report_config_json(report_configs),
  app.report_job_json(report_jobs), app.report_job_detail(report_jobs) to pulse_app, pulse_definer;
call app.seal();
