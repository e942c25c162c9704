-- Delivery: messages for recipients outside, the endpoints they go to, every attempt to send them.
--
-- Invariant: an event has one row for each endpoint that wants it, made in the transaction that records the
-- event, and is sent until the endpoint has it or is given up. Who sends a row holds it by a lease and a fence:
-- what comes back under an older fence changes nothing.
-- Lock order: endpoint, delivery, attempt.
-- Failure: a sender that dies lets its lease run out; the next one sends the row again, under the same event id.

create table webhook_endpoints (
  id              uuid not null default gen_random_uuid() constraint webhook_endpoints_pkey primary key,
  tenant_id       uuid not null constraint webhook_endpoints_tenant_fkey references tenants on delete cascade,
  url             text not null,
  events          text[] not null,
  table_id        uuid,
  description     text,
  enabled         boolean not null default true,
  secret          text not null,
  previous_secret text,
  previous_until  timestamptz,
  failing_since   timestamptz,
  paused_until    timestamptz,
  disabled_at     timestamptz,
  disabled_reason text,
  version         integer not null default 1,
  created_by      uuid,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  constraint webhook_endpoints_tenant_id_key unique (tenant_id, id),
  constraint webhook_endpoints_table_fkey foreign key (tenant_id, table_id)
    references pulse_tables (tenant_id, id) on delete cascade,
  constraint webhook_endpoints_url_check check (length(url) between 1 and 2048),
  constraint webhook_endpoints_events_check check (cardinality(events) between 1 and 20),
  constraint webhook_endpoints_reason_check check (disabled_reason in ('gone', 'failing'))
);
comment on column webhook_endpoints.events is 'Types of events, or groups such as checkin.*.';
comment on column webhook_endpoints.table_id is 'Events of this table only.';
comment on column webhook_endpoints.secret is 'Sealed by the Worker for this row; the one before it too.';
comment on column webhook_endpoints.previous_until is 'Until then the secret before signs too.';
comment on column webhook_endpoints.failing_since is 'The first failure after the last success.';
comment on column webhook_endpoints.paused_until is 'It asked to be left alone until then.';
comment on column webhook_endpoints.disabled_reason is 'Null when it was switched off by hand.';
create index webhook_endpoints_tenant_idx on webhook_endpoints (tenant_id, id);
create index webhook_endpoints_table_idx on webhook_endpoints (tenant_id, table_id);

-- The outbox. A channel says how a message reaches its recipient; more channels bring columns of their own.
create table deliveries (
  id          uuid not null constraint deliveries_pkey primary key,
  tenant_id   uuid not null,
  channel     text not null,
  endpoint_id uuid,
  event_id    text not null,
  event_type  text not null,
  table_id    uuid,
  seq         bigint,
  payload     jsonb,
  status      text not null default 'pending',
  attempts    integer not null default 0,
  step        integer not null default 0,
  due_at      timestamptz not null default now(),
  lease_until timestamptz,
  fence       bigint not null default 0,
  last_status integer,
  last_error  text,
  settled_at  timestamptz,
  created_at  timestamptz not null default now(),
  constraint deliveries_tenant_id_key unique (tenant_id, id),
  constraint deliveries_event_key unique (endpoint_id, event_id),
  constraint deliveries_endpoint_fkey foreign key (tenant_id, endpoint_id)
    references webhook_endpoints (tenant_id, id) on delete cascade,
  constraint deliveries_channel_check check (channel in ('webhook')),
  constraint deliveries_recipient_check check (channel <> 'webhook' or endpoint_id is not null),
  constraint deliveries_status_check check (status in ('pending', 'delivered', 'failed')),
  constraint deliveries_event_id_check check (event_id ~ '^[A-Za-z0-9_-]+$')
) with (fillfactor = 70); -- each is updated a few times: claimed, settled
comment on column deliveries.event_id is 'Names the event to the receiver, the same with every attempt.';
comment on column deliveries.seq is 'The event is this entry of the scan log of table_id; payload is null then.';
comment on column deliveries.step is 'Retries since it was made, or since it was asked for again.';
comment on column deliveries.due_at is 'When it is sent next.';
comment on column deliveries.lease_until is 'Somebody is sending it; after that time, nobody is any more.';
comment on column deliveries.fence is 'Grows with every claim; only the latest claim may settle.';
create index deliveries_endpoint_idx on deliveries (endpoint_id, id);
create index deliveries_due_idx on deliveries (endpoint_id, due_at) where status = 'pending';
create index deliveries_waiting_idx on deliveries (due_at) where status = 'pending';
create index deliveries_created_at_idx on deliveries (created_at);

create table delivery_attempts (
  delivery_id uuid not null,
  tenant_id   uuid not null,
  number      integer not null,
  at          timestamptz not null,
  duration_ms integer not null,
  status      integer,
  answer      text,
  error       text,
  constraint delivery_attempts_pkey primary key (delivery_id, number),
  constraint delivery_attempts_delivery_fkey foreign key (tenant_id, delivery_id)
    references deliveries (tenant_id, id) on delete cascade
);
comment on column delivery_attempts.answer is 'The first 1,024 bytes of what the receiver answered.';
create index delivery_attempts_delivery_idx on delivery_attempts (tenant_id, delivery_id);

call app.protect('webhook_endpoints');
call app.protect('deliveries');
call app.protect('delivery_attempts');

grant select, delete,
      insert (id, tenant_id, url, events, table_id, description, enabled, secret, created_by, created_at, updated_at),
      update (url, events, table_id, description, enabled, secret, previous_secret, previous_until, failing_since,
              paused_until, disabled_at, disabled_reason, version, updated_at) on webhook_endpoints to pulse_app;
grant select, insert (id, tenant_id, channel, endpoint_id, event_id, event_type, payload, due_at, created_at),
      update (status, attempts, step, due_at, lease_until, fence, last_status, last_error, settled_at)
      on deliveries to pulse_app;
grant select, insert on delivery_attempts to pulse_app;
grant select (id, tenant_id, table_id, events, enabled) on webhook_endpoints to pulse_definer;
grant select (id, tenant_id, endpoint_id, event_id, status, due_at, lease_until, created_at), delete,
      insert (id, tenant_id, channel, endpoint_id, event_id, event_type, table_id, seq, due_at, created_at)
      on deliveries to pulse_definer;

-- What the sender notes of an endpoint's health is no change of it.
create trigger touch before update on webhook_endpoints for each row
  when ((old.url, old.events, old.table_id, old.description, old.enabled, old.secret)
        is distinct from (new.url, new.events, new.table_id, new.description, new.enabled, new.secret))
  execute function app.touch();

-- A UUIDv7 (RFC 9562 §5.7) of now; its twelve bits behind the milliseconds are their fraction (§6.2, method 3),
-- so that rows made one after the other sort in that order.
create function app.new_id() returns uuid language sql volatile as $$
  select encode(overlay(uuid_send(gen_random_uuid())
      placing substr(int8send(micros / 1000), 3) || substr(int8send(x'7000'::int + micros % 1000 * 4096 / 1000), 7)
      from 1 for 8), 'hex')::uuid
  from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as micros) now
$$;
comment on function app.new_id() is 'Identifiers of rows that no Worker makes.';

-- One row for each endpoint that wants an entry of the log, in the transaction that stores it: an entry is stored
-- once, so its event is too, and is there if the entry is. How many were made is left for whoever stored it.
create function app.announce_scans() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  made integer;
begin
  if not exists (select from webhook_endpoints e
                 where e.enabled and e.tenant_id in (select a.tenant_id from added a)) then
    return null;
  end if;
  insert into deliveries (id, tenant_id, channel, endpoint_id, event_id, event_type, table_id, seq)
  select app.new_id(), e.tenant_id, 'webhook', e.id, 'evt_' || replace(a.table_id::text, '-', '') || '_' || a.seq,
         t.type, a.table_id, a.seq
  from added a
  cross join lateral (
    select 'checkin.' || case a.entry ->> 'effect' when 'admit' then 'accepted' when 'repeat' then 'duplicate'
      when 'refuse' then 'refused' when 'exit' then 'exited' when 'annul' then 'annulled'
      else a.entry ->> 'effect' end) t (type)
  join webhook_endpoints e on e.tenant_id = a.tenant_id and e.enabled
    and (e.table_id is null or e.table_id = a.table_id) and e.events && array[t.type, 'checkin.*']
  order by a.seq
  on conflict (endpoint_id, event_id) do nothing;
  get diagnostics made = row_count;
  perform set_config('app.announced',
                     (coalesce(nullif(current_setting('app.announced', true), ''), '0')::integer + made)::text, true);
  return null;
end
$$;
create trigger announce after insert on pulse_scan_log referencing new table as added
  for each statement execute function app.announce_scans();

create function app.announced() returns integer language plpgsql volatile
  as $$ begin return coalesce(nullif(current_setting('app.announced', true), ''), '0')::integer; end $$;
comment on function app.announced() is 'Deliveries that this transaction made for the entries it stored.';

-- An endpoint that is switched off is sent nothing any more, however that came about.
create function app.drop_deliveries() returns trigger language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
begin
  update deliveries set status = 'failed', last_error = 'endpoint_disabled', lease_until = null, settled_at = now()
  where endpoint_id = new.id and status = 'pending';
  return null;
end
$$;
create trigger drop_deliveries after update of enabled on webhook_endpoints
  for each row when (old.enabled and not new.enabled) execute function app.drop_deliveries();

create function app.webhook_json(e webhook_endpoints) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', e.id, 'url', e.url, 'events', to_jsonb(e.events), 'table_id', e.table_id,
    'description', e.description, 'enabled', e.enabled, 'failing_since', app.utc(e.failing_since),
    'disabled_at', app.utc(e.disabled_at), 'disabled_reason', e.disabled_reason,
    'previous_secret_until', case when e.previous_until > now() then app.utc(e.previous_until) end,
    'created_by', e.created_by, 'version', e.version, 'created_at', app.utc(e.created_at),
    'updated_at', app.utc(e.updated_at));
end
$$;
create function app.delivery_json(d deliveries) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', d.id, 'webhook_id', d.endpoint_id, 'event_id', d.event_id, 'event', d.event_type,
    'table_id', d.table_id, 'status', d.status, 'attempt_count', d.attempts,
    'next_attempt_at', case when d.status = 'pending' then app.utc(d.due_at) end, 'last_status', d.last_status,
    'last_error', d.last_error, 'settled_at', app.utc(d.settled_at), 'created_at', app.utc(d.created_at));
end
$$;

-- Of the caller's tenant: settles what was sent, then claims what is due, up to `free`. No endpoint gets more
-- than `per_endpoint` at once, one that fails no more than `per_failing`, and each gets its first before any gets
-- its second. `more` says that something due was left.
create function app.take_deliveries(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  v_free    integer := coalesce((p ->> 'free')::integer, 0);
  v_each    integer := (p ->> 'per_endpoint')::integer;
  v_failing integer := (p ->> 'per_failing')::integer;
  v_lease   interval := make_interval(secs => (p ->> 'lease_ms')::double precision / 1000);
  v_settled jsonb := '[]';
  v_picked  uuid[];
  v_claimed jsonb;
begin
  perform app.system_only();

  if jsonb_array_length(coalesce(p -> 'results', '[]')) > 0 then
    perform from webhook_endpoints e
    where e.id in (select (r ->> 'endpoint_id')::uuid from jsonb_array_elements(p -> 'results') r)
    order by e.id for no key update;

    with settled as (
      update deliveries d set status = r.outcome, attempts = d.attempts + 1, step = d.step + 1, lease_until = null,
        due_at = case when r.after_ms is null then d.due_at
                 else now() + make_interval(secs => r.after_ms / 1000.0) end,
        settled_at = case when r.outcome <> 'pending' then now() end, last_status = r.status, last_error = r.error
      from jsonb_to_recordset(p -> 'results') as r (id uuid, fence bigint, outcome text, after_ms bigint, at timestamptz,
        duration_ms integer, status integer, answer text, error text, health text, pause_ms bigint)
      where d.id = r.id and d.fence = r.fence and d.status = 'pending' and d.lease_until is not null
      returning d.tenant_id, d.endpoint_id, d.attempts, r.*),
    noted as (
      insert into delivery_attempts (delivery_id, tenant_id, number, at, duration_ms, status, answer, error)
      select id, tenant_id, attempts, at, duration_ms, status, answer, error from settled)
    select coalesce(jsonb_agg(jsonb_build_object('endpoint_id', endpoint_id, 'health', health, 'pause_ms', pause_ms)),
                    '[]') into v_settled from settled;

    update webhook_endpoints e set
      failing_since = case when h.well then null else coalesce(e.failing_since, now()) end,
      paused_until = case when h.well then null
                     else greatest(e.paused_until, now() + make_interval(secs => h.pause_ms / 1000.0)) end,
      enabled = e.enabled and not h.over,
      disabled_at = case when e.enabled and h.over then now() else e.disabled_at end,
      disabled_reason = case when e.enabled and h.over then case when h.gone then 'gone' else 'failing' end
                        else e.disabled_reason end
    from (
      select x.*, x.gone or not x.well and coalesce(f.failing_since
                  < now() - make_interval(secs => (p ->> 'give_up_ms')::double precision / 1000), false) as over
      from (select (s ->> 'endpoint_id')::uuid as id, bool_or(s ->> 'health' = 'well') as well,
                   bool_or(s ->> 'health' = 'gone') as gone, max((s ->> 'pause_ms')::bigint) as pause_ms
            from jsonb_array_elements(v_settled) s group by 1) x
      join webhook_endpoints f on f.id = x.id) h
    where e.id = h.id and (not h.well or e.failing_since is not null or e.paused_until is not null or h.gone);
  end if;

  if v_free > 0 then
    select array_agg(due.id) into v_picked
    from (
      select d.id
      from webhook_endpoints e
      cross join lateral (
        select case when e.failing_since is null then v_each else v_failing end - count(*) as room
        from deliveries f where f.endpoint_id = e.id and f.status = 'pending' and f.lease_until > now()) r
      cross join lateral (
        select q.id, row_number() over (order by q.due_at, q.id) as nth, q.due_at
        from (select w.id, w.due_at from deliveries w
              where w.endpoint_id = e.id and w.status = 'pending' and w.due_at <= now()
                and (w.lease_until is null or w.lease_until <= now())
              order by w.due_at, w.id limit greatest(r.room, 0) for update skip locked) q) d
      where e.enabled and (e.paused_until is null or e.paused_until <= now())
      order by d.nth, d.due_at, d.id limit v_free) due;

    with claimed as (
      update deliveries d set lease_until = now() + v_lease, fence = d.fence + 1
      where d.id = any (v_picked)
      returning d.*)
    select jsonb_agg(jsonb_build_object('id', c.id, 'fence', c.fence, 'step', c.step, 'channel', c.channel,
        'event_id', c.event_id, 'event', c.event_type, 'table_id', c.table_id, 'entry', l.entry, 'payload', c.payload,
        'created_at', app.utc(c.created_at), 'endpoint_id', e.id, 'url', e.url, 'secret', e.secret,
        'previous_secret', case when e.previous_until > now() then e.previous_secret end)
        order by c.due_at, c.id) into v_claimed
    from claimed c
    join webhook_endpoints e on e.id = c.endpoint_id
    left join pulse_scan_log l on l.table_id = c.table_id and l.seq = c.seq;
  end if;

  return jsonb_build_object('settled', jsonb_array_length(v_settled), 'claimed', coalesce(v_claimed, '[]'),
    'more', exists (
      select from webhook_endpoints e
      cross join lateral (
        select count(*) as flying from deliveries f
        where f.endpoint_id = e.id and f.status = 'pending' and f.lease_until > now()) f
      where e.enabled and (e.paused_until is null or e.paused_until <= now())
        and f.flying < case when e.failing_since is null then v_each else v_failing end
        and exists (select from deliveries w
                    where w.endpoint_id = e.id and w.status = 'pending' and w.due_at <= now()
                      and (w.lease_until is null or w.lease_until <= now()))));
end
$$;

-- Tenants with something due that nobody is sending.
create function app.waiting_deliveries(p jsonb) returns jsonb
language sql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
  select coalesce(jsonb_agg(x.tenant_id), '[]')
  from (select distinct d.tenant_id from deliveries d
        where d.status = 'pending' and d.due_at <= app.clock(p)
          and (d.lease_until is null or d.lease_until <= app.clock(p))
        limit 500) x
$$;

-- Deliveries are kept for 30 days. One that is pending goes on.
create function app.sweep_deliveries(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  gone integer;
begin
  delete from deliveries where created_at < app.clock(p) - interval '30 days' and status <> 'pending';
  get diagnostics gone = row_count;
  return jsonb_build_object('deliveries', gone);
end
$$;

grant execute on function app.new_id() to pulse_app, pulse_definer;
grant execute on function app.announced(), app.webhook_json(webhook_endpoints), app.delivery_json(deliveries),
  app.take_deliveries(jsonb), app.waiting_deliveries(jsonb), app.sweep_deliveries(jsonb) to pulse_app;
call app.seal();
