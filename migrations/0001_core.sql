-- Core: roles, row-level security, app.call, idempotency, heartbeats, the realtime log.
--
-- Invariant: every table has row-level security forced, and a tenant's rows are reachable only while
-- app.tenant_id names that tenant in the current transaction; unset means zero rows.
-- Failure: a broken rule raises SQLSTATE PUnnn (nnn = HTTP status), message = stable code,
-- detail = text for people, column = JSON pointer of the wrong field, if there is one.
--
-- Three roles.
--   the migrating role  owns the tables. It may be a superuser (embedded server) or a plain owner with
--                       createrole (managed server); forced security then applies to it as well.
--   pulse_app           the Worker. Owns nothing, bypasses nothing, sees one tenant at a time.
--   pulse_definer       cannot log in. Owns every security definer function, so these run with its rights:
--                       the grants listed in these files, through the policy `definer` of each table.
--                       Were they owned by the migrating role, they would bypass security when that is a
--                       superuser, and see nothing when it is a plain owner. bypassrls is never used.
--
-- Functions that fix their search_path end it with pg_temp: unnamed, temporary tables would be found first,
-- and a caller's own "memberships" would stand in for ours.
--
-- Trust boundary: the Worker states the actor whose token signature it verified; keys, sessions, devices and
-- memberships are verified here. Statement texts given to app.call are constants of the Worker, never
-- built from input; all input is one jsonb parameter.

do $$
declare
  name text;
begin
  foreach name in array array['pulse_app', 'pulse_definer'] loop
    begin
      execute format('create role %I %s', name, case name when 'pulse_app' then 'login' else 'nologin' end);
      if name = 'pulse_app' then
        alter role pulse_app set timezone = 'UTC';
        alter role pulse_app set jit = off;
        alter role pulse_app set lock_timeout = '10s';
        alter role pulse_app set statement_timeout = '50s';
      end if;
    exception when duplicate_object or unique_violation then
      null; -- roles belong to the server: another database of it made them
    end;
    if exists (select from pg_roles where rolname = name and (rolsuper or rolbypassrls)) then
      raise exception 'role % must be neither superuser nor bypassrls', name;
    end if;
  end loop;
  if pg_has_role('pulse_app', 'pulse_definer', 'member') then
    raise exception 'role pulse_app must not be a member of pulse_definer';
  end if;

  -- A plain owner must be able to hand functions over. It does not inherit: its own reads stay under policy.
  if not (select rolsuper from pg_roles where rolname = current_user) then
    if current_setting('server_version_num')::int >= 160000 then
      if not pg_has_role(current_user, 'pulse_definer', 'set') then
        execute 'grant pulse_definer to current_user with inherit false, set true';
      end if;
    elsif not pg_has_role(current_user, 'pulse_definer', 'member') then
      execute 'grant pulse_definer to current_user';
    end if;
  end if;
end
$$;

create schema app;
comment on schema app is 'Functions of Pulse. Tables are in public.';
grant usage on schema app to pulse_app, pulse_definer;
grant create on schema app to pulse_definer; -- needed to own functions in it
grant usage on schema public to pulse_app, pulse_definer;

-- Puts a table under the rules. Policies say which rows, grants say who at all.
--   p_tenant  the column that holds the tenant; null: the table is reached through definer functions only.
--   p_device  which rows a device may read; null: none. Devices and guest scanners change nothing (a table
--             that takes their inserts names its own condition in p_insert).
-- The tenant is compared by itself, so that an index on it serves. Functions stand in sub-selects, which are
-- evaluated once per statement and not once per row.
create procedure app.protect(p_table regclass, p_tenant text default 'tenant_id', p_device text default null,
  p_insert text default 'false')
language plpgsql as $$
declare
  stranger text;
begin
  execute format('alter table %s enable row level security', p_table);
  execute format('alter table %s force row level security', p_table);
  execute format('create policy definer on %s to pulse_definer using (true) with check (true)', p_table);
  if p_tenant is not null and p_device is null then
    execute format('create policy tenant on %s using (%I = (select app.staff_tenant())) '
                   'with check (%2$I = (select app.staff_tenant()))', p_table, p_tenant);
  elsif p_tenant is not null then
    execute format('create policy tenant on %s using (%I = (select app.tenant())) '
                   'with check (%2$I = (select app.tenant()))', p_table, p_tenant);
    execute format('create policy confined on %s as restrictive to pulse_app '
                   'using ((select app.staff_tenant()) is not null or %s) '
                   'with check ((select app.staff_tenant()) is not null or %s)', p_table, p_device, p_insert);
  end if;
  execute format('revoke all on %s from public', p_table);
  -- Some hosts grant new tables to their own API roles by default.
  foreach stranger in array array['anon', 'authenticated'] loop
    if exists (select from pg_roles where rolname = stranger) then
      execute format('revoke all on %s from %I', p_table, stranger);
    end if;
  end loop;
end
$$;

-- Ends a migration: nothing in app is executable by everyone, and definer functions change hands.
-- Grants come before it, because afterwards the functions are no longer ours to grant. To change one in a
-- later migration: set local role pulse_definer; create or replace …; reset role.
create procedure app.seal()
language plpgsql as $$
declare
  f record;
begin
  for f in
    select p.oid::regprocedure as signature, p.prosecdef
    from pg_proc p
    where p.pronamespace = 'app'::regnamespace
      and p.proowner = (select oid from pg_roles where rolname = current_user)
  loop
    execute format('revoke all on routine %s from public', f.signature);
    if f.prosecdef then
      execute format('alter routine %s owner to pulse_definer', f.signature);
    end if;
  end loop;
end
$$;

-- What a transaction knows of its caller. app.call sets it; nothing outlives the transaction. In plpgsql,
-- because policies use these: the planner would parse and inline an SQL function anew for every statement,
-- which was measured at half of the cost of a small read.
create function app.tenant() returns uuid language plpgsql stable parallel safe
  as $$ begin return nullif(current_setting('app.tenant_id', true), '')::uuid; end $$;
create function app.actor_kind() returns text language plpgsql stable parallel safe
  as $$ begin return coalesce(current_setting('app.actor_kind', true), ''); end $$;
create function app.actor_id() returns uuid language plpgsql stable parallel safe
  as $$ begin return nullif(current_setting('app.actor_id', true), '')::uuid; end $$;
create function app.role() returns text language plpgsql stable parallel safe
  as $$ begin return coalesce(current_setting('app.role', true), ''); end $$;
create function app.request() returns text language plpgsql stable parallel safe
  as $$ begin return coalesce(current_setting('app.request', true), ''); end $$;

-- The tenant whose rows the caller may reach: its tenant, but none for a device or a guest scanner. Those
-- reach only what a policy of their own names: their table, and for a device itself.
create function app.staff_tenant() returns uuid language plpgsql stable parallel safe as $$
begin
  if current_setting('app.actor_kind', true) in ('device', 'anonymous') then
    return null;
  end if;
  return nullif(current_setting('app.tenant_id', true), '')::uuid;
end
$$;
create function app.actor_table() returns uuid language plpgsql stable parallel safe
  as $$ begin return nullif(current_setting('app.actor_table', true), '')::uuid; end $$;
create function app.device_table() returns uuid language plpgsql stable parallel safe
  as $$ begin return case when app.actor_kind() = 'device' then app.actor_table() end; end $$;
create function app.device_id() returns uuid language plpgsql stable parallel safe
  as $$ begin return case when app.actor_kind() = 'device' then app.actor_id() end; end $$;

create function app.clock(p jsonb) returns timestamptz language sql stable parallel safe
  as $$ select coalesce((p ->> 'now')::timestamptz, now()) $$;
comment on function app.clock(jsonb) is 'The time of an operation: its input may move it (tests), else now().';

create function app.utc(p timestamptz) returns text language sql stable parallel safe
  as $$ select to_char(p at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;
comment on function app.utc(timestamptz) is 'RFC 3339, UTC, milliseconds: how the API writes times.';

-- Never returns. Its type lets a statement refuse in a condition: where … and (fine or app.fail(…)).
create function app.fail(p_state text, p_code text, p_detail text, p_pointer text default null) returns boolean
language plpgsql volatile cost 100000 as $$
begin
  if p_pointer is null then
    raise exception using errcode = p_state, message = p_code, detail = p_detail;
  end if;
  raise exception using errcode = p_state, message = p_code, detail = p_detail, column = p_pointer;
end
$$;

-- Last condition of an update's where clause. The cost makes the planner evaluate it after all others, so
-- that it sees only the row that is about to change.
create function app.expect_version(p_version integer, p_expected integer) returns boolean
language plpgsql volatile cost 100000 as $$
begin
  if p_expected is not null and p_expected <> p_version then
    perform app.fail('PU412', 'stale_version', format('The object has version %s, not %s.', p_version, p_expected));
  end if;
  return true;
end
$$;

-- Trigger of the objects that people edit: any writer, psql included, moves version and updated_at.
create function app.touch() returns trigger language plpgsql as $$
begin
  new.version := old.version + 1;
  if new.updated_at is not distinct from old.updated_at then
    new.updated_at := now();
  end if;
  return new;
end
$$;

create table idempotency_keys (
  tenant_id   uuid not null,
  actor_id    uuid not null,
  key         text not null,
  fingerprint text not null,
  result      jsonb,
  created_at  timestamptz not null default now(),
  constraint idempotency_keys_pkey primary key (tenant_id, actor_id, key),
  constraint idempotency_keys_key_check check (length(key) between 1 and 255)
);
comment on table idempotency_keys is 'Results of writes, replayed for 24 h when a caller repeats its key.';
create index idempotency_keys_created_at_idx on idempotency_keys (created_at);
call app.protect('idempotency_keys', null);
create policy tenant on idempotency_keys
  using (tenant_id = (select app.tenant())) with check (tenant_id = (select app.tenant()));
grant select, insert, update on idempotency_keys to pulse_app;

-- One operation of the Worker: one statement, one round trip, one transaction, one jsonb.
-- Order: authorise the actor, check the role, set the tenant, replay or claim the idempotency key, execute.
create function app.call(
  p_actor jsonb, p_roles text[], p_sql text, p_input jsonb, p_idempotency jsonb, p_request text
) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, public, app, pg_temp
as $$
declare
  who      jsonb := app.authorize(p_actor);
  v_tenant uuid := (who ->> 'tenant')::uuid;
  v_owner  uuid := coalesce((who ->> 'actor')::uuid, '00000000-0000-0000-0000-000000000000');
  v_role   text := who ->> 'role';
  v_roles  text[] := coalesce(p_roles, '{}');
  v_result jsonb;
  v_print  text;
begin
  -- No roles listed means any role a person can hold; confined callers must be named.
  if v_role <> all (v_roles) and (cardinality(v_roles) > 0 or v_role in ('device', 'anonymous')) then
    perform app.fail('PU403', 'role_not_allowed', format('The role %s may not do this.', v_role));
  end if;

  perform set_config('app.tenant_id', who ->> 'tenant', true),
          set_config('app.actor_kind', who ->> 'kind', true),
          set_config('app.actor_id', coalesce(who ->> 'actor', ''), true),
          set_config('app.actor_table', coalesce(who ->> 'table', ''), true),
          set_config('app.role', v_role, true),
          set_config('app.request', coalesce(p_request, ''), true);

  if p_idempotency is not null then
    -- A concurrent twin waits here on the unique key until the first has committed or gone.
    insert into idempotency_keys as k (tenant_id, actor_id, key, fingerprint, created_at)
    values (v_tenant, v_owner, p_idempotency ->> 'key', p_idempotency ->> 'fingerprint', app.clock(p_idempotency))
    on conflict (tenant_id, actor_id, key) do update
      set fingerprint = excluded.fingerprint, result = null, created_at = excluded.created_at
      where k.created_at <= excluded.created_at - interval '24 hours';
    if not found then
      select k.fingerprint, k.result into v_print, v_result
      from idempotency_keys k
      where k.tenant_id = v_tenant and k.actor_id = v_owner and k.key = p_idempotency ->> 'key';
      if v_print is distinct from p_idempotency ->> 'fingerprint' then
        perform app.fail('PU422', 'idempotency_key_reused', 'This Idempotency-Key was used with another request.');
      end if;
      return jsonb_build_object('result', v_result, 'role', v_role, 'actor', who -> 'actor', 'kind', who -> 'kind',
                                'tenant', v_tenant, 'replayed', true);
    end if;
  end if;

  execute p_sql into v_result using p_input;

  if p_idempotency is not null then
    update idempotency_keys k set result = v_result
    where k.tenant_id = v_tenant and k.actor_id = v_owner and k.key = p_idempotency ->> 'key';
  end if;
  return jsonb_build_object('result', v_result, 'role', v_role, 'actor', who -> 'actor', 'kind', who -> 'kind',
                            'tenant', v_tenant, 'replayed', false);
end
$$;

create table heartbeats (
  name text not null constraint heartbeats_pkey primary key,
  at   timestamptz not null
);
comment on table heartbeats is 'When the cron and the queue last ran; /health reads it.';
call app.protect('heartbeats', null);
grant select, insert, update, delete on heartbeats to pulse_definer;

-- The realtime log of what Postgres is the authority for. An event takes its offset from the channel's row,
-- which stays locked until commit: offsets are dense and in commit order, a rolled-back one leaves no hole.
create table realtime_channels (
  tenant_id   uuid not null,
  channel     text not null,
  epoch       text not null default substr(replace(gen_random_uuid()::text, '-', ''), 1, 12),
  last_offset bigint not null default 0,
  constraint realtime_channels_pkey primary key (tenant_id, channel)
);
create table realtime_events (
  tenant_id    uuid not null,
  channel      text not null,
  "offset"     bigint not null,
  type         text not null,
  data         jsonb not null,
  created_at   timestamptz not null default now(),
  broadcast_at timestamptz,
  constraint realtime_events_pkey primary key (tenant_id, channel, "offset"),
  constraint realtime_events_channel_fkey foreign key (tenant_id, channel)
    references realtime_channels (tenant_id, channel) on delete cascade
);
comment on column realtime_events.broadcast_at is 'When the live object sent it; minus created_at is the latency.';
create index realtime_events_waiting_idx on realtime_events (created_at) where broadcast_at is null;
create index realtime_events_created_at_idx on realtime_events (created_at);
call app.protect('realtime_channels');
call app.protect('realtime_events');
grant select, insert, update on realtime_channels to pulse_app;
grant select, insert, update (broadcast_at) on realtime_events to pulse_app;
grant select on realtime_channels to pulse_definer;
grant select, delete on realtime_events to pulse_definer;
grant select, delete on idempotency_keys to pulse_definer;

-- For triggers, which know the tenant from the row that changed.
create function app.emit_for(p_tenant uuid, p_channel text, p_type text, p_data jsonb) returns bigint
language plpgsql as $$
declare
  taken bigint;
begin
  insert into public.realtime_channels as c (tenant_id, channel, last_offset) values (p_tenant, p_channel, 1)
  on conflict (tenant_id, channel) do update set last_offset = c.last_offset + 1
  returning c.last_offset into taken;
  insert into public.realtime_events (tenant_id, channel, "offset", type, data)
  values (p_tenant, p_channel, taken, p_type, p_data);
  return taken;
end
$$;
create function app.emit(p_channel text, p_type text, p_data jsonb) returns bigint language sql
  as $$ select app.emit_for(app.tenant(), p_channel, p_type, p_data) $$;

grant execute on function
  app.tenant(), app.actor_kind(), app.actor_id(), app.actor_table(), app.role(), app.request(),
  app.staff_tenant(), app.device_table(), app.device_id(),
  app.clock(jsonb), app.utc(timestamptz), app.fail(text, text, text, text), app.expect_version(integer, integer)
to pulse_app, pulse_definer;
grant execute on function
  app.call(jsonb, text[], text, jsonb, jsonb, text),
  app.emit(text, text, jsonb), app.emit_for(uuid, text, text, jsonb)
to pulse_app;
call app.seal();
