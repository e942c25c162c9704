-- Report sources: what reports may be written about, as views, the one function that queries them.
--
-- Invariant: a query sees one tenant, thrice over: the views are read under row-level security, each is
-- filtered by the tenant's id as a literal, and neither role behind it can reach anything else. It is one
-- statement and changes nothing: Postgres takes it as a cursor, in a transaction that is read only. The text
-- that runs was written by the Worker's guard (rules::sql_guard), not by whoever asked.
-- Failure: PU422 at /sql for a query that fails (query_failed), would cost too much (query_too_costly), or
-- answers what cannot be shown; one that takes too long ends its connection (25P04, from Postgres 17 on).
--
-- Two roles, neither of which can log in.
--   pulse_report_owner   owns the views; may read the columns they show, under the policies of the tables.
--   pulse_report_reader  owns app.run_query; may read the views.
--
-- Another source is a view in schema report with a column tenant_id, a comment on it and on each other column,
-- a grant of the columns it shows to pulse_report_owner, and `call app.add_source('report.name')`.

do $$
declare
  name text;
begin
  foreach name in array array['pulse_report_owner', 'pulse_report_reader'] loop
    begin
      execute format('create role %I nologin', name);
    exception when duplicate_object or unique_violation then
      null; -- roles belong to the server: another database of it made them
    end;
    if exists (select from pg_roles where rolname = name and (rolsuper or rolbypassrls)) then
      raise exception 'role % must be neither superuser nor bypassrls', name;
    end if;
    if pg_has_role('pulse_app', name, 'member') then
      raise exception 'role pulse_app must not be a member of %', name;
    end if;
    -- As in the first migration: a plain owner must be able to hand things over.
    if not (select rolsuper from pg_roles where rolname = current_user) then
      if current_setting('server_version_num')::int >= 160000 then
        if not pg_has_role(current_user, name, 'set') then
          execute format('grant %I to current_user with inherit false, set true', name);
        end if;
      elsif not pg_has_role(current_user, name, 'member') then
        execute format('grant %I to current_user', name);
      end if;
    end if;
  end loop;
end
$$;

create schema report;
comment on schema report is 'What reports are written about: views, each filtered by tenant.';
grant usage on schema report to pulse_report_reader;
grant create on schema report to pulse_report_owner; -- needed to own views in it
grant usage on schema app to pulse_report_reader;
grant execute on function app.tenant(), app.staff_tenant() to pulse_report_owner, pulse_report_reader;
grant execute on function app.fail(text, text, text, text) to pulse_report_reader;

-- What the values of a type are to a report; null: they cannot be shown.
create function app.column_kind(p_type regtype) returns text language sql stable parallel safe as $$
  select case
    when p_type in ('smallint'::regtype, 'integer', 'bigint', 'numeric', 'real', 'double precision') then 'number'
    when p_type in ('timestamptz'::regtype, 'timestamp', 'date', 'time') then 'time'
    when p_type = 'boolean'::regtype then 'bool'
    when p_type in ('text'::regtype, 'varchar', 'bpchar', 'name', 'uuid', 'interval') then 'text'
  end
$$;
grant execute on function app.column_kind(regtype) to pulse_app, pulse_report_reader;

-- Makes a view a source, or refuses it.
create procedure app.add_source(p_view regclass)
language plpgsql as $$
declare
  stranger text;
  flaw     text;
begin
  select case
      when c.relkind <> 'v' or c.relnamespace <> 'report'::regnamespace then 'is no view in schema report'
      when obj_description(c.oid, 'pg_class') is null then 'has no comment'
      when not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id'
                         and a.atttypid = 'uuid'::regtype) then 'has no tenant_id'
    end into flaw
  from pg_class c where c.oid = p_view;
  select coalesce(flaw, min(format('has a column %s without a comment, or of a type that cannot be shown', a.attname)))
  into flaw
  from pg_attribute a
  where a.attrelid = p_view and a.attnum > 0 and a.attname <> 'tenant_id'
    and (col_description(p_view, a.attnum) is null or app.column_kind(a.atttypid) is null);
  if flaw is not null then
    raise exception '% %', p_view, flaw;
  end if;
  execute format('revoke all on %s from public', p_view);
  foreach stranger in array array['anon', 'authenticated'] loop
    if exists (select from pg_roles where rolname = stranger) then
      execute format('revoke all on %s from %I', p_view, stranger);
    end if;
  end loop;
  execute format('grant select on %s to pulse_report_reader', p_view);
  execute format('alter view %s owner to pulse_report_owner', p_view);
end
$$;

grant select (id, tenant_id, name, timezone, row_count, created_at, deleted_at) on pulse_tables to pulse_report_owner;
grant select (table_id, tenant_id, enabled, checked_in, inside, walk_ins, last_check_in_at) on pulse_enabled_tables
  to pulse_report_owner;
grant select (id, tenant_id, table_id, name, category, status, party, source, valid_from, valid_until, created_at,
              updated_at, deleted_at) on pulse_rows to pulse_report_owner;
grant select (id, tenant_id, table_id, row_id, session_id, verdict, reason, direction, gate, check_in_time, received_at,
              scan_count, last_scanned_at, people, forced, overrode, walk_in, first_of_guest, offline, row_data,
              annulled_at) on pulse_check_ins to pulse_report_owner;
grant select (id, tenant_id, table_id, name, gate, profile, is_active, total_scans, last_seen_at, created_at)
  on pulse_scanner_sessions to pulse_report_owner;
grant select (id, tenant_id, description) on webhook_endpoints to pulse_report_owner;
grant select (id, tenant_id, endpoint_id, event_type, status, attempts, last_status, created_at, settled_at)
  on deliveries to pulse_report_owner;

create view report.guest_tables as
  select t.tenant_id, t.id, t.name, t.timezone, t.row_count as guests, coalesce(e.enabled, false) as check_in_enabled,
    coalesce(e.checked_in, 0) as checked_in, coalesce(e.inside, 0) as inside, coalesce(e.walk_ins, 0) as walk_ins,
    e.last_check_in_at, t.created_at
  from pulse_tables t left join pulse_enabled_tables e on e.table_id = t.id and e.tenant_id = t.tenant_id
  where t.deleted_at is null;
comment on view report.guest_tables is 'Guest lists, one row each, with how their check-in stands now.';
comment on column report.guest_tables.id is 'The list.';
comment on column report.guest_tables.name is 'What the list is called.';
comment on column report.guest_tables.timezone is 'IANA time zone of the event.';
comment on column report.guest_tables.guests is 'Guests on the list, walk-ins among them.';
comment on column report.guest_tables.check_in_enabled is 'Whether guests can be checked in.';
comment on column report.guest_tables.checked_in is 'Guests who have been admitted and not annulled.';
comment on column report.guest_tables.inside is 'People inside now.';
comment on column report.guest_tables.walk_ins is 'Guests who were added at the door.';
comment on column report.guest_tables.last_check_in_at is 'When the last guest was admitted.';
comment on column report.guest_tables.created_at is 'When the list was made.';
call app.add_source('report.guest_tables');

create view report.guests as
  select g.tenant_id, g.id, g.table_id, t.name as table_name, g.name, g.category, g.status, g.party as people, g.source,
    g.valid_from, g.valid_until, g.created_at, g.updated_at
  from pulse_rows g join pulse_tables t on t.id = g.table_id and t.tenant_id = g.tenant_id
  where g.deleted_at is null and t.deleted_at is null;
comment on view report.guests is
  'Guests, one row each. E-mail addresses, codes and the columns of an import are not part of it.';
comment on column report.guests.id is 'The guest.';
comment on column report.guests.table_id is 'The list the guest is on: guest_tables.id.';
comment on column report.guests.table_name is 'What that list is called.';
comment on column report.guests.name is 'The guest''s name.';
comment on column report.guests.category is 'The kind of ticket, as the organiser names it.';
comment on column report.guests.status is 'confirmed, canceled, blocked, revoked or unpaid.';
comment on column report.guests.people is 'How many people the ticket is for.';
comment on column report.guests.source is 'api, import, or walk_in for those added at the door.';
comment on column report.guests.valid_from is 'From when the ticket is good; null: always.';
comment on column report.guests.valid_until is 'Until when the ticket is good; null: always.';
comment on column report.guests.created_at is 'When the guest was put on the list.';
comment on column report.guests.updated_at is 'When the guest was last changed.';
call app.add_source('report.guests');

create view report.scans as
  select c.tenant_id, c.id, c.table_id, t.name as table_name, c.row_id as guest_id, c.row_data ->> 'name' as guest_name,
    c.row_data ->> 'category' as category, c.verdict, c.reason, c.direction, c.gate, c.session_id as scanner_id,
    c.check_in_time as scanned_at, c.received_at, c.scan_count as times_scanned, c.last_scanned_at, c.people, c.forced,
    c.overrode, c.walk_in, c.first_of_guest, c.offline, c.annulled_at
  from pulse_check_ins c join pulse_tables t on t.id = c.table_id and t.tenant_id = c.tenant_id
  where t.deleted_at is null;
comment on view report.scans is
  'What happened at the doors: admissions, exits and refusals, one row each, those annulled later too.';
comment on column report.scans.id is 'The record.';
comment on column report.scans.table_id is 'The guest list: guest_tables.id.';
comment on column report.scans.table_name is 'What that list is called.';
comment on column report.scans.guest_id is 'The guest: guests.id. Null where the code is nobody''s.';
comment on column report.scans.guest_name is 'The guest''s name at that moment.';
comment on column report.scans.category is 'The guest''s category at that moment.';
comment on column report.scans.verdict is 'accepted, duplicate or refused.';
comment on column report.scans.reason is 'Why a guest was not let in, such as wrong_gate; null when accepted.';
comment on column report.scans.direction is 'entry or exit.';
comment on column report.scans.gate is 'The gate it happened at.';
comment on column report.scans.scanner_id is 'The scanner: scanners.id.';
comment on column report.scans.scanned_at is 'When the code was first scanned.';
comment on column report.scans.received_at is 'When Pulse learnt of it; later than scanned_at without a connection.';
comment on column report.scans.times_scanned is 'How often the same scan was repeated, the first included.';
comment on column report.scans.last_scanned_at is 'When it was last repeated.';
comment on column report.scans.people is 'How many people the ticket is for.';
comment on column report.scans.forced is 'Let in although the rules said no.';
comment on column report.scans.overrode is 'The reason that was overruled then.';
comment on column report.scans.walk_in is 'The guest was added at the door.';
comment on column report.scans.first_of_guest is 'The admission that counts its guest as checked in.';
comment on column report.scans.offline is 'What a device without a connection had told the guest.';
comment on column report.scans.annulled_at is 'When it was undone; null while it stands.';
call app.add_source('report.scans');

create view report.check_ins as
  select c.tenant_id, c.id, c.table_id, t.name as table_name, c.row_id as guest_id, c.row_data ->> 'name' as guest_name,
    c.row_data ->> 'category' as category, c.gate, c.session_id as scanner_id, c.check_in_time as checked_in_at,
    c.people, c.walk_in, c.forced, c.first_of_guest
  from pulse_check_ins c join pulse_tables t on t.id = c.table_id and t.tenant_id = c.tenant_id
  where t.deleted_at is null and c.verdict = 'accepted' and c.direction = 'entry' and c.annulled_at is null;
comment on view report.check_ins is
  'Admissions that stand, one row each: no refusals, no exits, nothing annulled. A guest who leaves and comes back has '
  'several; count those with first_of_guest to count guests.';
comment on column report.check_ins.id is 'The admission.';
comment on column report.check_ins.table_id is 'The guest list: guest_tables.id.';
comment on column report.check_ins.table_name is 'What that list is called.';
comment on column report.check_ins.guest_id is 'The guest: guests.id.';
comment on column report.check_ins.guest_name is 'The guest''s name at that moment.';
comment on column report.check_ins.category is 'The guest''s category at that moment.';
comment on column report.check_ins.gate is 'The gate the guest came in by.';
comment on column report.check_ins.scanner_id is 'The scanner: scanners.id.';
comment on column report.check_ins.checked_in_at is 'When the guest was admitted.';
comment on column report.check_ins.people is 'How many people the ticket is for.';
comment on column report.check_ins.walk_in is 'The guest was added at the door.';
comment on column report.check_ins.forced is 'Let in although the rules said no.';
comment on column report.check_ins.first_of_guest is 'The admission that counts its guest as checked in.';
call app.add_source('report.check_ins');

create view report.scanners as
  select s.tenant_id, s.id, s.table_id, t.name as table_name, s.name, s.gate, s.profile, s.is_active, s.total_scans,
    s.last_seen_at, s.created_at
  from pulse_scanner_sessions s join pulse_tables t on t.id = s.table_id and t.tenant_id = s.tenant_id
  where t.deleted_at is null;
comment on view report.scanners is 'Scanners at the doors, one row each.';
comment on column report.scanners.id is 'The scanner.';
comment on column report.scanners.table_id is 'The guest list it scans for: guest_tables.id.';
comment on column report.scanners.table_name is 'What that list is called.';
comment on column report.scanners.name is 'What the scanner is called.';
comment on column report.scanners.gate is 'The gate it stands at.';
comment on column report.scanners.profile is 'scanner, kiosk or viewer.';
comment on column report.scanners.is_active is 'Whether it may scan.';
comment on column report.scanners.total_scans is 'How many scans it made.';
comment on column report.scanners.last_seen_at is 'When it was last heard of.';
comment on column report.scanners.created_at is 'When it was set up.';
call app.add_source('report.scanners');

create view report.webhook_deliveries as
  select d.tenant_id, d.id, e.description as webhook, d.event_type, d.status, d.attempts, d.last_status, d.created_at,
    d.settled_at
  from deliveries d join webhook_endpoints e on e.id = d.endpoint_id and e.tenant_id = d.tenant_id;
comment on view report.webhook_deliveries is 'Events sent to webhooks, one row per event and webhook. Kept for a month.';
comment on column report.webhook_deliveries.id is 'The delivery.';
comment on column report.webhook_deliveries.webhook is 'What the webhook is for, as its owner describes it.';
comment on column report.webhook_deliveries.event_type is 'Such as checkin.accepted.';
comment on column report.webhook_deliveries.status is 'pending, delivered or failed.';
comment on column report.webhook_deliveries.attempts is 'How often it was tried.';
comment on column report.webhook_deliveries.last_status is 'HTTP status of the last answer.';
comment on column report.webhook_deliveries.created_at is 'When the event happened.';
comment on column report.webhook_deliveries.settled_at is 'When it was delivered or given up.';
call app.add_source('report.webhook_deliveries');

grant select (id, tenant_id, name, cron, cron_timezone, enabled, paused_at, recipients, last_run_at, next_run_at, failures,
              missed, created_at) on report_configs to pulse_report_owner;
grant select (id, tenant_id, config_id, origin, scheduled_for, state, result, review, skipped, error_code, attempts, untraced,
              writer, email_sent, started_at, finished_at, created_at) on report_jobs to pulse_report_owner;
grant select (id, tenant_id, message_id, source_kind, channel_kind, channel_name, status, attempts, last_status, bounce,
              sent_at, delivered_at, created_at) on message_deliveries to pulse_report_owner;

create view report.report_configs as
  select r.tenant_id, r.id, r.name, r.cron, r.cron_timezone as timezone, r.enabled, r.paused_at,
    coalesce(cardinality(r.recipients), 0) as recipients, r.last_run_at, r.next_run_at, r.failures, r.missed, r.created_at
  from report_configs r;
comment on view report.report_configs is 'Scheduled reports, one row each.';
comment on column report.report_configs.id is 'The report.';
comment on column report.report_configs.name is 'What the report is called.';
comment on column report.report_configs.cron is 'Its schedule, a cron expression.';
comment on column report.report_configs.timezone is 'IANA time zone of the schedule; null: UTC.';
comment on column report.report_configs.enabled is 'Whether it runs.';
comment on column report.report_configs.paused_at is 'Since when it is paused; null: it is not.';
comment on column report.report_configs.recipients is 'How many people it is sent to.';
comment on column report.report_configs.last_run_at is 'When it last ran.';
comment on column report.report_configs.next_run_at is 'When it runs next.';
comment on column report.report_configs.failures is 'Failures in a row, up to now.';
comment on column report.report_configs.missed is 'Occurrences that nobody ran in time.';
comment on column report.report_configs.created_at is 'When it was made.';
call app.add_source('report.report_configs');

create view report.report_jobs as
  select j.tenant_id, j.id, j.config_id, r.name as report, j.origin, j.scheduled_for, j.state, j.result, j.review, j.skipped,
    j.error_code, j.attempts, j.untraced, j.writer, j.email_sent, j.started_at, j.finished_at,
    extract(epoch from j.finished_at - j.started_at) as seconds, j.created_at
  from report_jobs j join report_configs r on r.id = j.config_id and r.tenant_id = j.tenant_id;
comment on view report.report_jobs is 'Runs of scheduled reports, one row each.';
comment on column report.report_jobs.id is 'The run.';
comment on column report.report_jobs.config_id is 'The report: report_configs.id.';
comment on column report.report_jobs.report is 'What the report is called.';
comment on column report.report_jobs.origin is 'schedule, manual or backfill.';
comment on column report.report_jobs.scheduled_for is 'The occurrence it is the run of; null when somebody asked for it.';
comment on column report.report_jobs.state is 'created, running or finished.';
comment on column report.report_jobs.result is 'success, error or canceled; null before it is finished.';
comment on column report.report_jobs.review is
  'pending: it is written and waits for somebody to approve or reject it; approved; rejected; null: it needs no review.';
comment on column report.report_jobs.skipped is 'Why what was written was not sent, such as empty or condition.';
comment on column report.report_jobs.error_code is 'Why it failed.';
comment on column report.report_jobs.attempts is 'How often it was tried.';
comment on column report.report_jobs.untraced is 'Figures in the report that no query result explains.';
comment on column report.report_jobs.writer is 'builtin, or the model that wrote it.';
comment on column report.report_jobs.email_sent is 'Whether it was sent by e-mail.';
comment on column report.report_jobs.started_at is 'When work on it began.';
comment on column report.report_jobs.finished_at is 'When it ended.';
comment on column report.report_jobs.seconds is 'How long it took.';
comment on column report.report_jobs.created_at is 'When it was put in line.';
call app.add_source('report.report_jobs');

create view report.message_deliveries as
  select d.tenant_id, d.id, d.message_id, d.source_kind, d.channel_kind, d.channel_name as channel, d.status, d.attempts,
    d.last_status, d.bounce, d.sent_at, d.delivered_at, d.created_at
  from message_deliveries d;
comment on view report.message_deliveries is
  'Messages to people and services, one row per message and recipient. Who the recipients are is not part of it.';
comment on column report.message_deliveries.id is 'The delivery.';
comment on column report.message_deliveries.message_id is 'The message; all its deliveries have the same.';
comment on column report.message_deliveries.source_kind is 'What it was sent for, such as report_job.';
comment on column report.message_deliveries.channel_kind is 'smtp, slack, outbox and so on.';
comment on column report.message_deliveries.channel is 'What the channel is called.';
comment on column report.message_deliveries.status is 'pending, sending, sent, failed, unknown or suppressed.';
comment on column report.message_deliveries.attempts is 'How often it was tried.';
comment on column report.message_deliveries.last_status is 'HTTP or SMTP status of the last attempt.';
comment on column report.message_deliveries.bounce is 'hard or soft; null: it did not bounce.';
comment on column report.message_deliveries.sent_at is 'When the provider took it.';
comment on column report.message_deliveries.delivered_at is 'When it arrived, where that is known.';
comment on column report.message_deliveries.created_at is 'When it was put in line.';
call app.add_source('report.message_deliveries');

-- What can be queried, for people and models. The same for every tenant.
create function app.report_sources(p jsonb default '{}') returns jsonb language sql stable as $$
  select coalesce(jsonb_agg(jsonb_build_object('name', c.relname, 'description', obj_description(c.oid, 'pg_class'),
    'columns', (
      select jsonb_agg(jsonb_build_object('name', a.attname, 'kind', app.column_kind(a.atttypid),
        'type', format_type(a.atttypid, a.atttypmod), 'description', col_description(c.oid, a.attnum)) order by a.attnum)
      from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and a.attname <> 'tenant_id')) order by c.relname), '[]')
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'report' and c.relkind = 'v'
$$;
grant execute on function app.report_sources(jsonb) to pulse_app;

-- What Postgres would do for a query. As for a cursor: a text that is several statements is refused. A plan
-- shows every call, by its own name: what runs texts, or changes what the policies go by, is not called here.
create function app.query_plan(p_sql text) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_plan json;
begin
  for v_plan in execute 'explain (format json, verbose) ' || p_sql loop
    if v_plan::text ~ '\m(set_config|ts_stat|ts_rewrite|\w+_to_xml\w*)\(' then
      perform app.fail('PU422', 'function_not_allowed', 'This calls what a query must not call.', '/sql');
    end if;
    return v_plan -> 0 -> 'Plan';
  end loop;
end
$$;

-- Reads rows that are JSON arrays already, up to a number and a size. Stable: Postgres runs nothing that
-- changes anything for such a function, whatever the text says.
create function app.read_rows(p_sql text, p_rows integer, p_bytes integer) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_row  text;
  v_rows text[] := '{}';
  v_size integer := 0;
  v_more boolean := false;
begin
  for v_row in execute p_sql loop
    v_size := v_size + octet_length(v_row);
    if cardinality(v_rows) = p_rows or v_size > p_bytes then
      v_more := true;
      exit;
    end if;
    v_rows := array_append(v_rows, v_row);
  end loop;
  return jsonb_build_object('rows', ('[' || array_to_string(v_rows, ',') || ']')::jsonb, 'truncated', v_more);
end
$$;

-- Runs a query that the Worker's guard wrote: {sql, sources, limit, timezone}. Names in the query are those of
-- the sources, which stand before it as queries of their own, each with the tenant's id in it.
--   rows, cells, bytes: what an answer may hold. cost: what the plan may cost, in the planner's units.
-- The session's time zone is the one asked for, so that days are days there and instants carry its offset.
-- Numbers of more than fifteen digits are answered as texts: most readers of JSON would round them.
create function app.run_query(p jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set standard_conforming_strings = on set timezone = 'UTC' set intervalstyle = 'postgres'
set datestyle = 'ISO' set extra_float_digits = 1 set jit = off set max_parallel_workers_per_gather = 0 set lock_timeout = '1s'
as $$
declare
  c_rows    constant integer := 10000;
  c_cells   constant integer := 50000;
  c_columns constant integer := 50;
  c_bytes   constant integer := 2000000;
  c_cost    constant numeric := 2000000;
  c_time    constant integer := 8000;
  v_tenant  uuid := app.staff_tenant();
  v_sources text[] := array(select jsonb_array_elements_text(p -> 'sources'));
  v_with    text;
  v_found   integer;
  v_query   text;
  v_empty   record;
  v_names   text[];
  v_aliases text;
  v_types   regtype[];
  v_run     text;
  v_cost    numeric;
  v_limit   integer;
  v_answer  jsonb;
  v_message text;
begin
  if v_tenant is null then
    perform app.fail('PU403', 'role_not_allowed', 'Only staff query.');
  end if;
  begin
    perform set_config('timezone', coalesce(p ->> 'timezone', 'UTC'), true);
  exception when invalid_parameter_value then
    perform app.fail('PU422', 'unknown_timezone', 'Postgres does not know this time zone.', '/timezone');
  end;
  -- Ends the whole transaction, and with it whatever runs, also in the middle of a statement.
  if current_setting('server_version_num')::integer >= 170000
     and current_setting('transaction_timeout') = '0' then
    perform set_config('transaction_timeout', c_time::text, true);
  end if;

  select 'with ' || string_agg(format('%I as not materialized (select %s from report.%1$I where tenant_id = %3$L::uuid)',
           c.relname, x.columns, v_tenant), ', ' order by c.relname) || ' ', count(*)
  into v_with, v_found
  from pg_class c, lateral (
    select string_agg(quote_ident(a.attname), ', ' order by a.attnum) as columns from pg_attribute a
    where a.attrelid = c.oid and a.attnum > 0 and a.attname <> 'tenant_id') x
  where c.relnamespace = 'report'::regnamespace and c.relkind = 'v' and c.relname = any (v_sources);
  if v_found <> cardinality(v_sources) then
    perform app.fail('PU422', 'source_unknown', 'A source is not there any more.', '/sql');
  end if;
  v_query := format('%s select * from (%s) query', v_with, p ->> 'sql');

  begin
    -- Until this block ends; nothing in it can take it back. Every text runs as a cursor, which takes one statement.
    perform set_config('transaction_read_only', 'on', true);
    perform app.query_plan(v_query);
    for v_empty in execute v_query || ' limit 0' loop
      exit;
    end loop;
    select array_agg(k.name order by k.place) into v_names
    from json_object_keys(row_to_json(v_empty)) with ordinality k (name, place);
    if coalesce(cardinality(v_names), 0) not between 1 and c_columns then
      perform app.fail('PU422', 'too_many_columns', format('A query answers 1 to %s columns.', c_columns), '/sql');
    elsif cardinality(v_names) > (select count(distinct n) from unnest(v_names) n) then
      perform app.fail('PU422', 'duplicate_column', 'Two columns of the answer have the same name; name one of them with AS.', '/sql');
    end if;

    select string_agg('c' || n, ', ' order by n) into v_aliases from generate_subscripts(v_names, 1) n;
    v_run := format('select array[%s] from (values (1)) one left join (%s) query (%s) on false',
      (select string_agg(format('pg_typeof(c%s)', n), ', ' order by n) from generate_subscripts(v_names, 1) n),
      v_query, v_aliases);
    perform app.query_plan(v_run);
    for v_types in execute v_run loop
      exit;
    end loop;
    select format('The column %s is of the type %s, which cannot be shown; cast it to text.', v_names[n], v_types[n])
    into v_message from generate_subscripts(v_names, 1) n where app.column_kind(v_types[n]) is null limit 1;
    if v_message is not null then
      perform app.fail('PU422', 'column_type', v_message, '/sql');
    end if;

    v_limit := least((p ->> 'limit')::integer, c_rows, c_cells / cardinality(v_names));
    v_run := format('select json_build_array(%s)::text from (%s) query (%s) limit %s',
      (select string_agg(case
           when v_types[n] = 'numeric'::regtype then format(
             'case when length(translate(trim_scale(c%1$s)::text, ''-.'', '''')) <= 15 then to_json(trim_scale(c%1$s)) '
             'else to_json(trim_scale(c%1$s)::text) end', n)
           when v_types[n] = 'bigint'::regtype then format(
             'case when abs(c%1$s::numeric) <= 999999999999999 then to_json(c%1$s) else to_json(c%1$s::text) end', n)
           when v_types[n] in ('interval'::regtype, 'time') then format('c%s::text', n)
           else 'c' || n end, ', ' order by n) from generate_subscripts(v_names, 1) n),
      v_query, v_aliases, v_limit + 1);
    v_cost := (app.query_plan(v_run) ->> 'Total Cost')::numeric;
    if v_cost > c_cost then
      perform app.fail('PU422', 'query_too_costly', format('This would cost about %s units of work; %s are allowed. '
        'Narrow it down, for example by time or by table_id, or join on more columns.', round(v_cost), c_cost), '/sql');
    end if;

    v_answer := app.read_rows(v_run, v_limit, c_bytes);
    if app.staff_tenant() is distinct from v_tenant then
      perform app.fail('PU403', 'role_not_allowed', 'A query does not change who asks.');
    end if;
    return v_answer || jsonb_build_object('cost', v_cost, 'columns', (
      select jsonb_agg(jsonb_build_object('name', v_names[n], 'kind', app.column_kind(v_types[n])) order by n)
      from generate_subscripts(v_names, 1) n));
  exception
    when data_exception or cardinality_violation or syntax_error_or_access_rule_violation or feature_not_supported
      or program_limit_exceeded or configuration_limit_exceeded then
      get stacked diagnostics v_message = message_text;
      perform app.fail('PU422', 'query_failed', format('The query fails: %s.', v_message), '/sql');
  end;
  return null;
end
$$;

revoke all on function app.query_plan(text), app.read_rows(text, integer, integer), app.run_query(jsonb) from public;
grant execute on function app.run_query(jsonb) to pulse_app;
grant create on schema app to pulse_report_reader; -- needed to be given functions in it
alter function app.query_plan(text) owner to pulse_report_reader;
alter function app.read_rows(text, integer, integer) owner to pulse_report_reader;
alter function app.run_query(jsonb) owner to pulse_report_reader;
revoke create on schema app from pulse_report_reader;
call app.seal();
