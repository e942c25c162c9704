-- Who has to hear that a role changed or a credential ended: live objects, which let people in on an earlier word.
--
-- Invariant: the statement that makes the change answers who has to hear of it, so telling costs no further round
-- trip; an object asks about everybody on its sockets at once.
-- Failure: an object that is not told asks by itself, once a minute.

-- The objects of tenants, those that were used last first: whoever has more tables than anybody can tell at once has
-- people at the doors of few of them.
create function app.live_tables_of(p_tenants uuid[]) returns jsonb language sql stable as $$
  select coalesce(jsonb_agg(jsonb_build_object('table_id', x.table_id, 'tenant_id', x.tenant_id,
                                               'jurisdiction', n.jurisdiction, 'region', n.region)), '[]')
  from (select e.table_id, e.tenant_id from public.pulse_enabled_tables e where e.tenant_id = any (p_tenants)
        order by greatest(e.last_check_in_at, e.updated_at) desc limit 200) x
  join public.tenants n on n.id = x.tenant_id
$$;

-- Those of the caller's tenant.
create function app.live_tables() returns jsonb
language sql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
  select app.live_tables_of(array[app.staff_tenant()])
$$;

-- Those of all the tenants of a person: a sign-in is good for each of them.
create function app.live_tables_of_user(p_user uuid) returns jsonb language sql stable as $$
  select app.live_tables_of(array(select m.tenant_id from public.memberships m where m.user_id = p_user))
$$;

-- The role of each member of staff named, in their order: {members: [{kind, id, session?}]}; null for who is nobody
-- here any more. The same conditions as in app.authorize.
create function app.standing(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_tenant uuid := app.staff_tenant();
begin
  perform app.system_only();
  return (
    select coalesce(jsonb_agg(coalesce(m.role, k.role) order by w.place), '[]')
    from jsonb_array_elements(p -> 'members') with ordinality w (who, place)
    left join memberships m on w.who ->> 'kind' = 'user' and m.tenant_id = v_tenant
      and m.user_id = (w.who ->> 'id')::uuid
      and (w.who ->> 'session' is null
           or exists (select from sessions s where s.id = (w.who ->> 'session')::uuid and s.user_id = m.user_id
                        and s.revoked_at is null and s.expires_at > now()))
    left join api_keys k on w.who ->> 'kind' = 'key' and k.tenant_id = v_tenant and k.id = (w.who ->> 'id')::uuid
      and k.revoked_at is null and (k.expires_at is null or k.expires_at > now()));
end
$$;

grant execute on function app.live_tables_of(uuid[]), app.live_tables_of_user(uuid), app.system_only() to pulse_definer;
grant execute on function app.live_tables(), app.standing(jsonb) to pulse_app;
call app.seal();

-- As before, with who has to hear of it.
set local role pulse_definer;
create or replace function app.logout(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_user uuid;
begin
  update sessions set revoked_at = app.clock(p)
  where id = (p ->> 'session_id')::uuid and revoked_at is null
    and (user_id = (p ->> 'user_id')::uuid or p ->> 'secret_hash' = any (refresh_hashes || previous_hash))
  returning user_id into v_user;
  return jsonb_build_object('revoked', v_user is not null, 'live', app.live_tables_of_user(v_user));
end
$$;

alter function app.refresh(jsonb) rename to refresh_alone;
create function app.refresh(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_answer jsonb := app.refresh_alone(p);
begin
  if v_answer ->> 'code' = 'refresh_token_reused' then
    v_answer := v_answer || jsonb_build_object('live', app.live_tables_of_user(
      (select user_id from sessions where id = (p ->> 'session_id')::uuid)));
  end if;
  return v_answer;
end
$$;
revoke all on function app.refresh(jsonb) from public;
grant execute on function app.refresh(jsonb) to pulse_app;
revoke all on function app.refresh_alone(jsonb) from pulse_app;
reset role;
