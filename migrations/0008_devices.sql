-- Devices of check-in: pairing, generations of their tokens, what they say of themselves; badge templates.
--
-- Invariant: a pairing token is kept as its hash, holds for one device once, and there is one for a session at a
-- time. Of a session's device tokens only those of its generation count.
-- Failure: a refused pairing is an answer, not an exception, because the attempt it counts must be committed.

alter table pulse_scanner_sessions
  add column generation integer not null default 0,
  add column paired_at timestamptz,
  add column device_status jsonb,
  add constraint pulse_scanner_sessions_device_status_check check (jsonb_typeof(device_status) = 'object');
comment on column pulse_scanner_sessions.generation is
  'Counts up when it is paired, rolled or revoked: device tokens of an earlier one are refused.';
comment on column pulse_scanner_sessions.device_status is
  'What the device last said of itself, as the live object passed it on.';
grant update (device_status) on pulse_scanner_sessions to pulse_app;
grant update (generation, paired_at, device_info, is_active, revoked_at, updated_at)
  on pulse_scanner_sessions to pulse_definer;

create table pulse_pairings (
  session_id uuid not null constraint pulse_pairings_pkey primary key
    constraint pulse_pairings_session_fkey references pulse_scanner_sessions on delete cascade,
  tenant_id  uuid not null,
  token_hash text not null constraint pulse_pairings_token_hash_key unique,
  created_by uuid,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at    timestamptz
);
comment on table pulse_pairings is 'The pairing token of a session: shown as a QR code, exchanged once for a device token.';
call app.protect('pulse_pairings');
grant select, insert, update, delete on pulse_pairings to pulse_definer;

alter table login_attempts drop constraint login_attempts_scope_check;
alter table login_attempts
  add constraint login_attempts_scope_check check (scope in ('account', 'source', 'pairing'));

-- Makes a session's pairing token; the one before is gone.
create function app.start_pairing(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  s pulse_scanner_sessions;
  x pulse_pairings;
begin
  select * into s from pulse_scanner_sessions
  where id = (p ->> 'session_id')::uuid and tenant_id = app.staff_tenant();
  if not found then
    return null;
  elsif not s.is_active then
    perform app.fail('PU410', 'session_closed', 'This scanner session is closed; open it first.');
  end if;
  insert into pulse_pairings as n (session_id, tenant_id, token_hash, created_by, created_at, expires_at)
  values (s.id, s.tenant_id, p ->> 'token_hash', app.actor_id(), app.clock(p), app.clock(p) + interval '10 minutes')
  on conflict (session_id) do update set token_hash = excluded.token_hash, created_by = excluded.created_by,
    created_at = excluded.created_at, expires_at = excluded.expires_at, used_at = null
  returning * into x;
  return jsonb_build_object('session_id', x.session_id, 'expires_at', app.utc(x.expires_at));
end
$$;

-- Exchanges a pairing token. Of two devices that try at once the second waits on the token's row and finds it
-- used. Failures count by where they come from; a device that pairs takes its own count back.
create function app.pair(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_at   timestamptz := app.clock(p);
  v_wait integer := app.count_attempt('pairing', p ->> 'source', 50, v_at);
  x      pulse_pairings;
  s      pulse_scanner_sessions;
  e      pulse_enabled_tables;
  t      record;
begin
  if v_wait > 0 then
    return jsonb_build_object('refused', 'blocked', 'blocked_for_seconds', v_wait);
  end if;
  select * into x from pulse_pairings where token_hash = p ->> 'token_hash' for update;
  if not found then
    return jsonb_build_object('refused', 'unknown');
  elsif x.used_at is not null then
    return jsonb_build_object('refused', 'used');
  end if;
  select * into s from pulse_scanner_sessions where id = x.session_id for no key update;
  select * into e from pulse_enabled_tables where table_id = s.table_id;
  select l.name, l.timezone, n.jurisdiction into t
  from pulse_tables l join tenants n on n.id = l.tenant_id where l.id = s.table_id;
  if not s.is_active or not e.enabled then
    return jsonb_build_object('refused', 'closed');
  elsif x.expires_at <= v_at then
    return jsonb_build_object('refused', 'expired');
  end if;
  update pulse_pairings set used_at = v_at where session_id = s.id;
  update pulse_scanner_sessions set generation = generation + 1, paired_at = v_at, updated_at = v_at,
    device_info = coalesce(nullif(p -> 'device_info', 'null'), device_info) -- a change, see the trigger stamp
  where id = s.id returning * into s;
  update login_attempts set failures = greatest(failures - 1, 0)
  where scope = 'pairing' and subject = encode(sha256(convert_to(p ->> 'source', 'UTF8')), 'hex');
  return jsonb_build_object('tenant_id', s.tenant_id, 'jurisdiction', t.jurisdiction, 'session', app.session_json(s),
    'table', jsonb_build_object('id', s.table_id, 'name', t.name, 'timezone', t.timezone,
      'settings', e.settings, 'gates', e.gates));
end
$$;

-- A new generation: the device itself asks for it, or staff does.
create function app.roll_session(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  s pulse_scanner_sessions;
begin
  select * into s from pulse_scanner_sessions
  where id = (p ->> 'session_id')::uuid and (tenant_id = app.staff_tenant() or id = app.device_id())
  for no key update;
  if not found then
    return null;
  elsif not s.is_active then
    perform app.fail('PU410', 'session_closed', 'This scanner session is closed; open it first.');
  end if;
  -- Naming is_active makes it a change that the live object pulls: see the trigger stamp.
  update pulse_scanner_sessions set generation = generation + 1, is_active = true, updated_at = app.clock(p)
  where id = s.id returning * into s;
  return app.session_json(s);
end
$$;

-- Closes a session for good: even when it is opened again, it has to be paired anew.
create function app.revoke_session(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  s pulse_scanner_sessions;
begin
  -- The pairing before the session, as in app.pair.
  delete from pulse_pairings where session_id = (p ->> 'session_id')::uuid and tenant_id = app.staff_tenant();
  select * into s from pulse_scanner_sessions
  where id = (p ->> 'session_id')::uuid and tenant_id = app.staff_tenant() for no key update;
  if not found then
    return null;
  end if;
  if s.is_active or s.revoked_at is null then
    update pulse_scanner_sessions set is_active = false, revoked_at = app.clock(p), generation = generation + 1,
      updated_at = app.clock(p)
    where id = s.id returning * into s;
  end if;
  return app.session_json(s);
end
$$;

-- What the live object heard of its scanners: when they were seen, what they said. Being seen is no change of a
-- session, so nothing is pulled because of it.
create function app.note_devices(p jsonb) returns bigint language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  noted bigint;
begin
  perform app.system_only();
  update pulse_scanner_sessions s set last_seen_at = greatest(s.last_seen_at, d.seen_at),
    device_status = coalesce(nullif(d.status, 'null'), s.device_status)
  from jsonb_to_recordset(p -> 'devices') as d (id uuid, seen_at timestamptz, status jsonb)
  where s.id = d.id and s.table_id = (p ->> 'table_id')::uuid;
  get diagnostics noted = row_count;
  return noted;
end
$$;

create or replace function app.session_json(s pulse_scanner_sessions) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', s.id, 'table_id', s.table_id, 'name', s.name, 'gate', s.gate, 'profile', s.profile,
    'scanner_name', s.scanner_name, 'scanner_email', s.scanner_email, 'device_info', s.device_info,
    'is_active', s.is_active, 'revoked_at', app.utc(s.revoked_at), 'paired_at', app.utc(s.paired_at),
    'generation', s.generation, 'last_seen_at', app.utc(s.last_seen_at), 'device_status', s.device_status,
    'battery', s.device_status -> 'battery', 'charging', s.device_status -> 'charging',
    'app', s.device_status -> 'app', 'pending', s.device_status -> 'pending',
    'roster_seq', s.device_status -> 'roster_seq', 'total_scans', s.total_scans, 'created_by', s.created_by,
    'version', s.version, 'created_at', app.utc(s.created_at), 'updated_at', app.utc(s.updated_at));
end
$$;

alter table pulse_enabled_tables
  add column badge_template jsonb,
  add constraint pulse_enabled_tables_badge_template_check check (jsonb_typeof(badge_template) = 'object');
comment on column pulse_enabled_tables.badge_template is 'What badges look like; null: the name card of the product.';
grant update (badge_template) on pulse_enabled_tables to pulse_app;
drop trigger touch on pulse_enabled_tables;
create trigger touch before update of enabled, settings, gates, guest_key, badge_template on pulse_enabled_tables
  for each row execute function app.touch();

create or replace function app.enabled_json(e pulse_enabled_tables, p_guest_key boolean) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('table_id', e.table_id, 'enabled', e.enabled, 'settings', e.settings, 'gates', e.gates,
    'stats', jsonb_build_object('total', e.total_rows, 'checked_in', e.checked_in, 'inside', e.inside,
      'walk_ins', e.walk_ins, 'duplicates', e.duplicates, 'refused', e.refused,
      'last_check_in_at', app.utc(e.last_check_in_at), 'last_seq', e.last_seq),
    'badge_template', e.badge_template, 'version', e.version, 'created_at', app.utc(e.created_at), 'updated_at', app.utc(e.updated_at))
    || case when p_guest_key then jsonb_build_object('guest_key', e.guest_key) else '{}' end;
end
$$;

grant execute on function app.start_pairing(jsonb), app.pair(jsonb), app.roll_session(jsonb), app.revoke_session(jsonb),
  app.note_devices(jsonb) to pulse_app;
call app.seal();

-- As before, but for a device: its token must be of the session's generation.
set local role pulse_definer;
create or replace function app.authorize(p_actor jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_kind   text := p_actor ->> 'kind';
  v_tenant uuid := (p_actor ->> 'tenant')::uuid;
  v_id     uuid := (p_actor ->> 'id')::uuid;
  v_at     timestamptz := app.clock(p_actor);
  r        record;
begin
  if v_kind in ('user', 'supabase') then
    if v_kind = 'supabase' then
      v_id := app.external_user(p_actor);
    end if;
    select s.id, s.revoked_at, s.expires_at, s.last_used_at, m.tenant_id, m.role into r
    from (values (v_id, (p_actor ->> 'session')::uuid)) a (user_id, session_id)
    left join sessions s on s.id = a.session_id and s.user_id = a.user_id
    left join lateral (
      select x.tenant_id, x.role from memberships x
      where x.user_id = a.user_id and (v_tenant is null or x.tenant_id = v_tenant)
      order by x.created_at, x.tenant_id limit 1) m on true;
    if p_actor ->> 'session' is not null then
      if r.id is null or r.revoked_at is not null then
        perform app.fail('PU401', 'session_revoked', 'This session has ended; sign in again.');
      elsif r.expires_at <= v_at then
        perform app.fail('PU401', 'session_expired', 'This session has expired; sign in again.');
      end if;
    end if;
    if r.tenant_id is null then
      perform app.fail('PU401', 'not_a_member', 'You are not a member of this tenant.');
    end if;
    if r.last_used_at < v_at - interval '5 minutes' then
      update sessions set last_used_at = v_at
      where id = (select id from sessions where id = r.id for no key update skip locked);
    end if;
    return jsonb_build_object('kind', 'user', 'actor', v_id, 'tenant', r.tenant_id, 'role', r.role);

  elsif v_kind = 'key' then
    select k.tenant_id, k.role, k.key_hash, k.revoked_at, k.expires_at, k.last_used_at into r
    from api_keys k where k.id = v_id;
    if r.key_hash is distinct from p_actor ->> 'hash' or r.key_hash is null then
      perform app.fail('PU401', 'key_unknown', 'This API key is not known.');
    elsif r.revoked_at is not null then
      perform app.fail('PU401', 'key_revoked', 'This API key was revoked.');
    elsif r.expires_at <= v_at then
      perform app.fail('PU401', 'key_expired', 'This API key has expired.');
    elsif v_tenant <> r.tenant_id then
      perform app.fail('PU401', 'not_a_member', 'This API key belongs to another tenant.');
    end if;
    if r.last_used_at is null or r.last_used_at < v_at - interval '5 minutes' then
      update api_keys set last_used_at = v_at
      where id = (select id from api_keys where id = v_id for no key update skip locked);
    end if;
    return jsonb_build_object('kind', 'key', 'actor', v_id, 'tenant', r.tenant_id, 'role', r.role);

  elsif v_kind = 'device' then
    select d.table_id, d.generation into r from pulse_scanner_sessions d
    where d.id = v_id and d.tenant_id = v_tenant and d.is_active and d.revoked_at is null;
    if not found then
      perform app.fail('PU401', 'device_revoked', 'This scanner is no longer paired.');
    elsif r.generation <> coalesce((p_actor ->> 'generation')::integer, 0) then
      perform app.fail('PU401', 'device_rolled', 'This scanner has a newer token.');
    end if;
    return jsonb_build_object('kind', 'device', 'actor', v_id, 'tenant', v_tenant, 'role', 'device', 'table', r.table_id);

  elsif v_kind = 'anonymous' then
    if not coalesce(app.guest_scanning(v_tenant, (p_actor ->> 'table')::uuid), false) then
      perform app.fail('PU403', 'guest_scanning_off', 'This table does not take scans from guests.');
    end if;
    return jsonb_build_object('kind', 'anonymous', 'actor', v_id, 'tenant', v_tenant, 'role', 'anonymous',
                              'table', p_actor -> 'table');

  elsif v_kind = 'system' and v_tenant is not null then
    -- The Worker's own jobs (the object's flush and pull). Nobody can ask for it from outside: the Worker
    -- writes this actor as a constant, and no token or key maps to it.
    return jsonb_build_object('kind', 'system', 'actor', null, 'tenant', v_tenant, 'role', 'system');
  end if;
  perform app.fail('PU401', 'actor_unknown', 'The caller could not be identified.');
end
$$;
reset role;
