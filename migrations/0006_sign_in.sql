-- Signing in and out: register, login, refresh, logout, invitations accepted, tenants made. No tenant is set
-- yet, so these are definer functions with fixed text; each takes one jsonb and answers one.
--
-- Invariant: a login attempt counts before its password is looked at, and an unknown account counts and answers
-- like a known one. A refresh token works once; using an old one ends its session.
-- Failure: raised as PUnnn, except where the transaction must commit to have an effect: a blocked login and a
-- reused refresh token are answers, because an exception would undo the count or the revocation.

create function app.identity_json(p_user uuid, p_tenant uuid, p_session uuid) returns jsonb language sql stable as $$
  select jsonb_build_object(
    'user', jsonb_build_object('id', u.id, 'email', u.email, 'name', u.name),
    'tenant', (select app.tenant_json(t, m.role) from memberships m join tenants t on t.id = m.tenant_id
               where m.user_id = u.id and m.tenant_id = p_tenant),
    'session', (select jsonb_build_object('id', s.id, 'expires_at', app.utc(s.expires_at))
                from sessions s where s.id = p_session))
  from users u where u.id = p_user
$$;

-- The tenant a session works in: the wanted one, which must be the user's, else the user's oldest, else none.
create function app.home_tenant(p_user uuid, p_wanted uuid) returns uuid language plpgsql as $$
declare
  found uuid;
begin
  select m.tenant_id into found from memberships m
  where m.user_id = p_user and (p_wanted is null or m.tenant_id = p_wanted) order by m.created_at, m.tenant_id limit 1;
  if found is null and p_wanted is not null then
    perform app.fail('PU401', 'not_a_member', 'You are not a member of this tenant.');
  end if;
  return found;
end
$$;

create function app.open_session(p jsonb, p_user uuid, p_tenant uuid) returns void language sql as $$
  insert into sessions (id, user_id, tenant_id, refresh_hashes, created_at, last_used_at, expires_at)
  values ((p ->> 'session_id')::uuid, p_user, p_tenant, array[p ->> 'refresh_hash'], app.clock(p), app.clock(p),
          app.clock(p) + interval '30 days')
$$;

create function app.found_tenant(p jsonb, p_name text, p_user uuid) returns uuid language sql as $$
  with t as (
    insert into tenants (id, name, jurisdiction, region, created_at, updated_at)
    values ((p ->> 'tenant_id')::uuid, p_name, coalesce(p ->> 'jurisdiction', 'none'), p ->> 'region',
            app.clock(p), app.clock(p))
    returning id)
  insert into memberships (tenant_id, user_id, role, created_at) select id, p_user, 'admin', app.clock(p) from t
  returning tenant_id
$$;

create function app.new_user(p jsonb, p_email text) returns uuid language sql as $$
  insert into users (id, email, name, password_hash, created_at)
  values ((p ->> 'user_id')::uuid, btrim(p_email), p ->> 'name', p ->> 'password_hash', app.clock(p))
  on conflict (lower(email)) do nothing returning id
$$;

create function app.register(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_user   uuid := app.new_user(p, p ->> 'email');
  v_tenant uuid;
begin
  if v_user is null then
    perform app.fail('PU409', 'email_taken', 'An account with this email exists already.', '/email');
  end if;
  v_tenant := app.found_tenant(p, p ->> 'tenant_name', v_user);
  perform app.open_session(p, v_user, v_tenant);
  return app.identity_json(v_user, v_tenant, (p ->> 'session_id')::uuid);
end
$$;

-- Counts an attempt and answers the seconds to wait, 0 when it may go on. Windows are fixed from the first
-- attempt, so a blocked subject cannot prolong its own block.
create function app.count_attempt(p_scope text, p_subject text, p_limit integer, p_at timestamptz) returns integer
language plpgsql as $$
declare
  a login_attempts;
begin
  insert into login_attempts as x (scope, subject, window_start, failures)
  values (p_scope, encode(sha256(convert_to(p_subject, 'UTF8')), 'hex'), p_at, 1)
  on conflict (scope, subject) do update set
    window_start = case when x.window_start > p_at - interval '15 minutes' then x.window_start else p_at end,
    failures = case when x.window_start > p_at - interval '15 minutes' then least(x.failures, p_limit) + 1 else 1 end
  returning * into a;
  return case when a.failures > p_limit
    then greatest(1, ceil(extract(epoch from a.window_start + interval '15 minutes' - p_at)))::integer else 0 end;
end
$$;

create function app.login_lookup(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_email text := lower(btrim(p ->> 'email'));
  v_wait  integer;
  u       users;
begin
  -- The source first: once blocked it can no longer lock other people's accounts.
  v_wait := app.count_attempt('source', p ->> 'source', 50, app.clock(p));
  if v_wait = 0 then
    v_wait := app.count_attempt('account', v_email, 10, app.clock(p));
  end if;
  if v_wait = 0 then
    select * into u from users where lower(email) = v_email;
  end if;
  return jsonb_build_object('user_id', u.id, 'password_hash', u.password_hash, 'blocked_for_seconds', v_wait);
end
$$;

create function app.login_finish(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_user   uuid;
  v_tenant uuid;
begin
  select id into v_user from users
  where id = (p ->> 'user_id')::uuid and lower(email) = lower(btrim(p ->> 'email')) and password_hash is not null;
  if v_user is null then
    perform app.fail('PU401', 'invalid_credentials', 'Email or password is wrong.');
  end if;
  v_tenant := app.home_tenant(v_user, (p ->> 'tenant_id')::uuid);
  delete from login_attempts
  where scope = 'account' and subject = encode(sha256(convert_to(lower(btrim(p ->> 'email')), 'UTF8')), 'hex');
  update login_attempts set failures = greatest(failures - 1, 0)
  where scope = 'source' and subject = encode(sha256(convert_to(p ->> 'source', 'UTF8')), 'hex');
  perform app.open_session(p, v_user, v_tenant);
  return app.identity_json(v_user, v_tenant, (p ->> 'session_id')::uuid);
end
$$;

-- Rotates a refresh token. Valid are the hashes in refresh_hashes, and for 10 s after a rotation the hash that
-- made it: two tabs that refresh at once, or a client whose answer was lost, then get a sibling token instead
-- of losing the session. The first sibling used retires the others, so a thief inside the grace is found out at
-- the next rotation of either side. Any other secret ends the session.
create function app.refresh(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_at     timestamptz := app.clock(p);
  v_hash   text := p ->> 'secret_hash';
  v_tenant uuid;
  s        sessions;
begin
  select * into s from sessions where id = (p ->> 'session_id')::uuid for update;
  if not found then
    return jsonb_build_object('ok', false, 'code', 'refresh_token_invalid');
  elsif s.revoked_at is not null then
    return jsonb_build_object('ok', false, 'code', 'session_revoked');
  elsif s.expires_at <= v_at then
    return jsonb_build_object('ok', false, 'code', 'session_expired');
  elsif v_hash = any (s.refresh_hashes) then
    s.refresh_hashes := array[p ->> 'new_hash'];
    s.previous_hash := v_hash;
    s.rotated_at := v_at;
  elsif v_hash = s.previous_hash and v_at < s.rotated_at + interval '10 seconds' and cardinality(s.refresh_hashes) < 8 then
    s.refresh_hashes := s.refresh_hashes || (p ->> 'new_hash');
  else
    update sessions set revoked_at = v_at where id = s.id;
    return jsonb_build_object('ok', false, 'code', 'refresh_token_reused');
  end if;

  if p ->> 'tenant_id' is not null then
    v_tenant := app.home_tenant(s.user_id, (p ->> 'tenant_id')::uuid);
  else
    select m.tenant_id into v_tenant from memberships m where m.user_id = s.user_id and m.tenant_id = s.tenant_id;
    v_tenant := coalesce(v_tenant, app.home_tenant(s.user_id, null));
  end if;
  update sessions set refresh_hashes = s.refresh_hashes, previous_hash = s.previous_hash, rotated_at = s.rotated_at,
    tenant_id = v_tenant, generation = generation + 1, last_used_at = v_at, expires_at = v_at + interval '30 days'
  where id = s.id;
  return jsonb_build_object('ok', true) || app.identity_json(s.user_id, v_tenant, s.id);
end
$$;

create function app.logout(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
begin
  update sessions set revoked_at = app.clock(p)
  where id = (p ->> 'session_id')::uuid and revoked_at is null
    and (user_id = (p ->> 'user_id')::uuid or p ->> 'secret_hash' = any (refresh_hashes || previous_hash));
  return jsonb_build_object('revoked', found);
end
$$;

-- The user behind an actor that may have no tenant yet; same checks as app.authorize.
create function app.actor_user(p_actor jsonb) returns uuid
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_id uuid := (p_actor ->> 'id')::uuid;
begin
  if p_actor ->> 'kind' = 'supabase' then
    return app.external_user(p_actor);
  elsif p_actor ->> 'kind' is distinct from 'user' then
    perform app.fail('PU403', 'users_only', 'Only a signed-in user can do this.');
  elsif p_actor ->> 'session' is not null and not exists (
    select from sessions where id = (p_actor ->> 'session')::uuid and user_id = v_id
      and revoked_at is null and expires_at > app.clock(p_actor)) then
    perform app.fail('PU401', 'session_revoked', 'This session has ended; sign in again.');
  elsif not exists (select from users where id = v_id) then
    perform app.fail('PU401', 'actor_unknown', 'The caller could not be identified.');
  end if;
  return v_id;
end
$$;

-- Who am I, and where: {user, tenant, role, tenants}. The tenant is the actor's, or the oldest.
create function app.me(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  who    jsonb;
  v_user uuid;
  v_home uuid;
begin
  if p #>> '{actor,kind}' = 'key' then
    who := app.authorize(p -> 'actor');
    return (select jsonb_build_object('user', null, 'key', jsonb_build_object('id', k.id, 'name', k.name), 'role', k.role,
              'tenant', app.tenant_json(t, k.role), 'tenants', jsonb_build_array(app.tenant_json(t, k.role)))
            from api_keys k join tenants t on t.id = k.tenant_id where k.id = (who ->> 'actor')::uuid);
  end if;
  v_user := app.actor_user(p -> 'actor');
  v_home := app.home_tenant(v_user, (p #>> '{actor,tenant}')::uuid);
  return (app.identity_json(v_user, v_home, null) - 'session') || jsonb_build_object(
    'role', (select m.role from memberships m where m.user_id = v_user and m.tenant_id = v_home),
    'tenants', (select coalesce(jsonb_agg(app.tenant_json(t, m.role) order by m.created_at, t.id), '[]')
                from memberships m join tenants t on t.id = m.tenant_id where m.user_id = v_user));
end
$$;

create function app.create_tenant(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_user   uuid := app.actor_user(p -> 'actor');
  v_tenant uuid;
begin
  v_tenant := app.found_tenant(p, p ->> 'name', v_user); -- a statement of its own: the next one must see it
  return app.identity_json(v_user, v_tenant, null) -> 'tenant';
end
$$;

-- Joins a tenant by an invitation's token: as the signed-in user it was sent to, or as a new user. Whoever has
-- an account already must sign in; the token alone never opens an existing account.
create function app.accept_invitation(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_user    uuid;
  v_session uuid;
  i         invitations;
begin
  select * into i from invitations where token_hash = p ->> 'token_hash' for update;
  if not found then
    perform app.fail('PU404', 'invitation_not_found', 'There is no such invitation.');
  elsif i.accepted_at is not null then
    perform app.fail('PU410', 'invitation_used', 'This invitation was accepted already.');
  elsif i.expires_at <= app.clock(p) then
    perform app.fail('PU410', 'invitation_expired', 'This invitation has expired; ask for a new one.');
  end if;
  if jsonb_typeof(p -> 'actor') = 'object' then
    v_user := app.actor_user(p -> 'actor');
    if not exists (select from users where id = v_user and lower(email) = lower(btrim(i.email))) then
      perform app.fail('PU403', 'invitation_for_another', 'This invitation was sent to another email.');
    end if;
  elsif exists (select from users where lower(email) = lower(btrim(i.email))) then
    perform app.fail('PU401', 'sign_in_required', 'This email has an account; sign in, then accept.');
  elsif p ->> 'password_hash' is null then
    perform app.fail('PU422', 'password_required', 'Choose a password for the new account.', '/password');
  else
    v_user := app.new_user(p, i.email);
    if v_user is null then -- made by a twin request a moment ago
      perform app.fail('PU401', 'sign_in_required', 'This email has an account; sign in, then accept.');
    end if;
    v_session := (p ->> 'session_id')::uuid;
  end if;
  insert into memberships (tenant_id, user_id, role, created_at) values (i.tenant_id, v_user, i.role, app.clock(p))
  on conflict do nothing; -- a member already: the role stays
  update invitations set accepted_at = app.clock(p) where id = i.id;
  if v_session is not null then
    perform app.open_session(p, v_user, i.tenant_id);
  end if;
  return app.identity_json(v_user, i.tenant_id, v_session) || jsonb_build_object('created', v_session is not null);
end
$$;

grant execute on function app.identity_json(uuid, uuid, uuid), app.home_tenant(uuid, uuid),
  app.open_session(jsonb, uuid, uuid), app.found_tenant(jsonb, text, uuid), app.new_user(jsonb, text),
  app.count_attempt(text, text, integer, timestamptz) to pulse_definer;
grant execute on function app.register(jsonb), app.login_lookup(jsonb), app.login_finish(jsonb), app.refresh(jsonb),
  app.logout(jsonb), app.me(jsonb), app.create_tenant(jsonb), app.accept_invitation(jsonb) to pulse_app;
call app.seal();
