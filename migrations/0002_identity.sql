-- Identity: tenants, users, memberships, invitations, sessions, login attempts, API keys; who may act.
--
-- Invariant: pulse_app reads no password, refresh token, key or invitation hash, and no user who is not a member
-- of its tenant. The Worker makes all hashes; secrets never reach SQL.
-- Failure: PU401 when the caller is nobody any more, PU409 last_admin when a tenant would lose its last admin.

create table tenants (
  id           uuid not null default gen_random_uuid() constraint tenants_pkey primary key,
  name         text not null,
  jurisdiction text not null default 'none',
  region       text,
  version      integer not null default 1,
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now(),
  constraint tenants_name_check check (length(name) between 1 and 200),
  constraint tenants_jurisdiction_check check (jurisdiction in ('none', 'eu')),
  constraint tenants_region_check check (region in ('wnam', 'enam', 'sam', 'weur', 'eeur', 'apac', 'oc', 'afr', 'me'))
);
comment on column tenants.jurisdiction is 'Where its live objects are kept; fixed, because objects do not move.';

create table users (
  id               uuid not null default gen_random_uuid() constraint users_pkey primary key,
  email            text not null,
  name             text,
  password_hash    text,
  external_subject text constraint users_external_subject_key unique,
  created_at       timestamptz not null default now(),
  constraint users_email_check check (length(email) between 3 and 320)
);
comment on column users.password_hash is 'PHC string, argon2id; null for users of an external identity provider.';
create unique index users_email_key on users (lower(email));

create table memberships (
  tenant_id  uuid not null constraint memberships_tenant_fkey references tenants on delete cascade,
  user_id    uuid not null constraint memberships_user_fkey references users on delete cascade,
  role       text not null,
  version    integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint memberships_pkey primary key (tenant_id, user_id),
  constraint memberships_role_check check (role in ('admin', 'manager', 'agent', 'read_only', 'dentist', 'patient'))
);
create index memberships_user_idx on memberships (user_id, created_at);

create table invitations (
  id          uuid not null default gen_random_uuid() constraint invitations_pkey primary key,
  tenant_id   uuid not null constraint invitations_tenant_fkey references tenants on delete cascade,
  email       text not null,
  role        text not null,
  token_hash  text not null constraint invitations_token_hash_key unique,
  invited_by  uuid,
  created_at  timestamptz not null default now(),
  expires_at  timestamptz not null,
  accepted_at timestamptz,
  constraint invitations_email_check check (length(email) between 3 and 320),
  constraint invitations_role_check check (role in ('admin', 'manager', 'agent', 'read_only', 'dentist', 'patient'))
);
create unique index invitations_pending_key on invitations (tenant_id, lower(email)) where accepted_at is null;

create table sessions (
  id             uuid not null default gen_random_uuid() constraint sessions_pkey primary key,
  user_id        uuid not null constraint sessions_user_fkey references users on delete cascade,
  tenant_id      uuid constraint sessions_tenant_fkey references tenants on delete set null,
  refresh_hashes text[] not null,
  previous_hash  text,
  rotated_at     timestamptz,
  generation     integer not null default 1,
  created_at     timestamptz not null default now(),
  last_used_at   timestamptz not null default now(),
  expires_at     timestamptz not null,
  revoked_at     timestamptz
);
comment on column sessions.refresh_hashes is
  'Valid refresh tokens: one, or the siblings that twin requests within the grace received.';
create index sessions_user_idx on sessions (user_id);

create table login_attempts (
  scope        text not null,
  subject      text not null,
  window_start timestamptz not null,
  failures     integer not null,
  constraint login_attempts_pkey primary key (scope, subject),
  constraint login_attempts_scope_check check (scope in ('account', 'source'))
);
comment on column login_attempts.subject is 'SHA-256 of the email or the source: the table tells nobody who tried.';

create table api_keys (
  id           uuid not null default gen_random_uuid() constraint api_keys_pkey primary key,
  tenant_id    uuid not null constraint api_keys_tenant_fkey references tenants on delete cascade,
  name         text not null,
  role         text not null,
  key_hash     text not null,
  prefix       text not null,
  created_by   uuid,
  created_at   timestamptz not null default now(),
  expires_at   timestamptz,
  last_used_at timestamptz,
  revoked_at   timestamptz,
  constraint api_keys_name_check check (length(name) between 1 and 200),
  constraint api_keys_role_check check (role in ('admin', 'manager', 'agent', 'read_only'))
);
create index api_keys_tenant_idx on api_keys (tenant_id, id);

alter table realtime_channels add constraint realtime_channels_tenant_fkey
  foreign key (tenant_id) references tenants on delete cascade;
alter table idempotency_keys add constraint idempotency_keys_tenant_fkey
  foreign key (tenant_id) references tenants on delete cascade;

call app.protect('tenants', 'id');
call app.protect('users', null);
call app.protect('memberships');
call app.protect('invitations');
call app.protect('sessions', null);
call app.protect('login_attempts', null);
call app.protect('api_keys');

-- Columns are named where a hash must stay unreadable: `returning *` and to_jsonb(row) then fail, by design.
grant select, update (name, region, version, updated_at) on tenants to pulse_app;
grant select, update (role, version, updated_at), delete on memberships to pulse_app;
grant select (id, tenant_id, email, role, invited_by, created_at, expires_at, accepted_at), delete
  on invitations to pulse_app;
grant select (id, tenant_id, name, role, prefix, created_by, created_at, expires_at, last_used_at, revoked_at),
      insert, update (revoked_at) on api_keys to pulse_app;

grant select, insert, update (updated_at) on tenants to pulse_definer;
grant select, insert, update (external_subject) on users to pulse_definer;
grant select, insert on memberships to pulse_definer;
grant select, insert, update (accepted_at), delete on invitations to pulse_definer;
grant select, insert, update, delete on sessions to pulse_definer;
grant select, insert, update, delete on login_attempts to pulse_definer;
grant select, update (last_used_at) on api_keys to pulse_definer;

create trigger touch before update of name, region on tenants for each row execute function app.touch();
create trigger touch before update of role on memberships for each row execute function app.touch();

create function app.keep_an_admin() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, app, pg_temp as $$
begin
  if old.role = 'admin' and (tg_op = 'DELETE' or new.role <> 'admin') then
    -- The tenant's row is the lock: two admins who remove each other at once take turns.
    -- No row means the tenant itself is being deleted.
    perform from tenants where id = old.tenant_id for no key update;
    if found and not exists (select from memberships
                             where tenant_id = old.tenant_id and role = 'admin' and user_id <> old.user_id) then
      perform app.fail('PU409', 'last_admin', 'A tenant keeps at least one admin.');
    end if;
  end if;
  return case tg_op when 'DELETE' then old else new end;
end
$$;
create trigger keep_an_admin before update of role or delete on memberships
  for each row execute function app.keep_an_admin();

create function app.tenant_json(t tenants, p_role text) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', t.id, 'name', t.name, 'jurisdiction', t.jurisdiction, 'region', t.region,
               'version', t.version, 'role', p_role, 'created_at', app.utc(t.created_at));
end
$$;

-- Who the actor is and what it may be here. One indexed query; on the way it notes the use of a session or
-- key, at most every five minutes and never waiting for another request that does the same.
create function app.authorize(p_actor jsonb) returns jsonb
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
    select d.table_id into r from pulse_scanner_sessions d
    where d.id = v_id and d.tenant_id = v_tenant and d.is_active and d.revoked_at is null;
    if not found then
      perform app.fail('PU401', 'device_revoked', 'This scanner is no longer paired.');
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

-- The user behind a token of the external identity provider, made on first sight. Linking to an existing
-- account of the same email needs "link": only a deployment whose provider verifies emails may say so.
create function app.external_user(p_actor jsonb) returns uuid
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_id uuid;
begin
  if p_actor ->> 'subject' is null or p_actor ->> 'email' is null then
    perform app.fail('PU401', 'actor_unknown', 'The token names no email.');
  end if;
  select id into v_id from users where external_subject = p_actor ->> 'subject';
  if v_id is null then
    insert into users (id, email, external_subject)
    values (coalesce((p_actor ->> 'new_id')::uuid, gen_random_uuid()), p_actor ->> 'email', p_actor ->> 'subject')
    on conflict do nothing returning id into v_id;
  end if;
  if v_id is null then
    -- Taken meanwhile by a twin request, or an account of this email exists already.
    update users set external_subject = p_actor ->> 'subject'
    where lower(email) = lower(p_actor ->> 'email') and external_subject is null and (p_actor ->> 'link')::boolean
    returning id into v_id;
    if v_id is null then
      select id into v_id from users where external_subject = p_actor ->> 'subject';
    end if;
  end if;
  if v_id is null then
    perform app.fail('PU409', 'email_taken', 'An account with this email exists; sign in with its password.', '/email');
  end if;
  return v_id;
end
$$;

-- Members with what a tenant may know of them. Empty without a tenant.
create function app.members() returns table (
  user_id uuid, email text, name text, role text, version integer, created_at timestamptz)
language sql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
  select m.user_id, u.email, u.name, m.role, m.version, m.created_at
  from memberships m join users u on u.id = m.user_id
  where m.tenant_id = app.staff_tenant()
$$;

create function app.member_json(p_user uuid) returns jsonb language sql stable as $$
  select jsonb_build_object('user', jsonb_build_object('id', m.user_id, 'email', m.email, 'name', m.name),
    'role', m.role, 'version', m.version, 'created_at', app.utc(m.created_at))
  from app.members() m where m.user_id = p_user
$$;

create function app.set_member_role(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
begin
  update memberships set role = p ->> 'role'
  where tenant_id = app.tenant() and user_id = (p ->> 'user_id')::uuid
    and app.expect_version(version, (p ->> 'if_match')::integer);
  return app.member_json((p ->> 'user_id')::uuid);
end
$$;

create function app.remove_member(p jsonb) returns jsonb language sql
set search_path = pg_catalog, public, app, pg_temp as $$
  delete from memberships where tenant_id = app.tenant() and user_id = (p ->> 'user_id')::uuid
  returning jsonb_build_object('removed', true)
$$;

-- Invites an email; a pending invitation of the same email is replaced, so its old token dies.
create function app.invite(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_tenant uuid := app.staff_tenant();
  i        invitations;
begin
  if v_tenant is null then
    perform app.fail('PU403', 'role_not_allowed', 'Only staff invite.');
  elsif exists (select from memberships m join users u on u.id = m.user_id
                where m.tenant_id = v_tenant and lower(u.email) = lower(p ->> 'email')) then
    perform app.fail('PU409', 'already_a_member', 'This person is a member already.', '/email');
  end if;
  delete from invitations where tenant_id = v_tenant and lower(email) = lower(p ->> 'email') and accepted_at is null;
  insert into invitations (id, tenant_id, email, role, token_hash, invited_by, created_at, expires_at)
  values ((p ->> 'id')::uuid, v_tenant, p ->> 'email', p ->> 'role', p ->> 'token_hash', app.actor_id(), app.clock(p),
          coalesce((p ->> 'expires_at')::timestamptz, app.clock(p) + interval '7 days'))
  returning * into i;
  return app.invitation_json(i.id, i.email, i.role, i.invited_by, i.created_at, i.expires_at, i.accepted_at);
end
$$;

create function app.invitation_json(p_id uuid, p_email text, p_role text, p_by uuid, p_created timestamptz,
  p_expires timestamptz, p_accepted timestamptz) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', p_id, 'email', p_email, 'role', p_role, 'invited_by', p_by,
    'created_at', app.utc(p_created), 'expires_at', app.utc(p_expires), 'accepted_at', app.utc(p_accepted));
end
$$;

grant execute on function app.tenant_json(tenants, text), app.member_json(uuid),
  app.invitation_json(uuid, text, text, uuid, timestamptz, timestamptz, timestamptz) to pulse_app, pulse_definer;
grant execute on function app.authorize(jsonb), app.members(), app.set_member_role(jsonb), app.remove_member(jsonb),
  app.invite(jsonb) to pulse_app;
call app.seal();
