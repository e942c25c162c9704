-- One scanner for several tables: besides its own, a session may scan for others of its tenant.
--
-- Invariant: each of those tables' objects is told of every change of the session, because its place in the
-- table's changes moves with it. A table that was taken away stays as a mark, or its object would never hear of it.
-- Failure: a table that the caller may not name fails the whole change. Locks are taken in one order: the session,
-- then its tables by their ids, so that neither two changes nor a flush of scans wait for each other in a circle.

create table pulse_session_tables (
  session_id uuid not null constraint pulse_session_tables_session_fkey references pulse_scanner_sessions on delete cascade,
  table_id   uuid not null,
  tenant_id  uuid not null,
  removed    boolean not null default false,
  change_seq bigint not null default 0,
  constraint pulse_session_tables_pkey primary key (session_id, table_id),
  constraint pulse_session_tables_enabled_fkey foreign key (tenant_id, table_id)
    references pulse_enabled_tables (tenant_id, table_id) on delete cascade
);
comment on table pulse_session_tables is 'The tables a scanner session scans for besides its own.';
comment on column pulse_session_tables.change_seq is 'Place in the changes of that table''s scanners (its devices_seq).';
create index pulse_session_tables_table_idx on pulse_session_tables (table_id, change_seq);
call app.protect('pulse_session_tables', p_device => 'session_id = (select app.device_id())');
grant select, insert, update (removed) on pulse_session_tables to pulse_app;
grant select, update (change_seq) on pulse_session_tables to pulse_definer;

create function app.stamp_session_table() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, app, pg_temp as $$
begin
  update pulse_enabled_tables set devices_seq = devices_seq + 1 where table_id = new.table_id
  returning devices_seq into new.change_seq;
  new.change_seq := coalesce(new.change_seq, 0);
  return new;
end
$$;
create trigger stamp before insert or update on pulse_session_tables
  for each row execute function app.stamp_session_table();

-- The tables of a session, in the order of their locks.
create function app.lock_tables(p_tables uuid[]) returns void language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
begin
  perform from pulse_enabled_tables where table_id = any (p_tables) order by table_id for no key update;
end
$$;

-- Before its own table is stamped, see the trigger stamp.
create function app.lock_session_tables() returns trigger language plpgsql
security definer set search_path = pg_catalog, public, app, pg_temp as $$
begin
  perform app.lock_tables(new.table_id || array(select table_id from pulse_session_tables where session_id = new.id));
  return new;
end
$$;
create trigger lock_tables before
  update of name, gate, profile, scanner_name, scanner_email, device_info, is_active, revoked_at
  on pulse_scanner_sessions for each row execute function app.lock_session_tables();

create function app.stamp_session_tables() returns trigger language plpgsql
security definer set search_path = pg_catalog, public, app, pg_temp as $$
begin
  update pulse_session_tables set change_seq = change_seq where session_id = new.id and not removed;
  return null;
end
$$;
create trigger stamp_tables after
  update of name, gate, profile, scanner_name, scanner_email, device_info, is_active, revoked_at
  on pulse_scanner_sessions for each row execute function app.stamp_session_tables();

-- Gives a session its further tables; whichever it had and is not given is taken away. Answers all that were
-- touched.
create function app.give_tables(p_session uuid, p_home uuid, p_tables jsonb) returns uuid[] language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_wanted uuid[] := array(select t::uuid from jsonb_array_elements_text(p_tables) t);
  v_known  uuid[] := array(select table_id from pulse_session_tables where session_id = p_session);
  v_place  integer;
begin
  if p_home = any (v_wanted) then
    perform app.fail('PU422', 'repeated', 'The table of the session itself needs not be named again.',
                     format('/also/%s', array_position(v_wanted, p_home) - 1));
  end if;
  perform app.lock_tables(p_home || v_known || v_wanted);
  select min(w.place) - 1 into v_place
  from unnest(v_wanted) with ordinality w (id, place)
  left join pulse_enabled_tables e on e.table_id = w.id and e.enabled and e.tenant_id = app.staff_tenant()
  where e.table_id is null and w.id not in (select x.table_id from pulse_session_tables x
                                            where x.session_id = p_session and not x.removed);
  if v_place is not null then
    perform app.fail('PU404', 'table_not_found', 'There is no such table with check-in.', format('/also/%s', v_place));
  end if;
  insert into pulse_session_tables as x (session_id, table_id, tenant_id)
  select p_session, w, app.staff_tenant() from unnest(v_wanted) w order by w
  on conflict (session_id, table_id) do update set removed = false where x.removed;
  update pulse_session_tables set removed = true
  where session_id = p_session and not removed and table_id <> all (v_wanted);
  return v_known || v_wanted;
end
$$;

-- A new session on a table with check-in.
create function app.add_session(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  s pulse_scanner_sessions;
  v_table uuid := (p ->> 'table_id')::uuid;
begin
  perform app.lock_tables(v_table || array(select t::uuid from jsonb_array_elements_text(p -> 'also') t));
  insert into pulse_scanner_sessions as n (id, tenant_id, table_id, name, gate, profile, scanner_name, scanner_email,
    device_info, created_by)
  select (p ->> 'id')::uuid, app.tenant(), e.table_id, p ->> 'name', p ->> 'gate', coalesce(p ->> 'profile', 'scanner'),
    p ->> 'scanner_name', p ->> 'scanner_email', coalesce(nullif(p -> 'device_info', 'null'), '{}'), app.actor_id()
  from pulse_enabled_tables e where e.table_id = v_table and e.enabled
  returning * into s;
  if not found then
    return null;
  end if;
  perform app.give_tables(s.id, s.table_id, p -> 'also');
  return app.session_json(s);
end
$$;

-- Changes what is given. Answers the session and the tables whose objects have to hear of it.
create function app.change_session(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  s pulse_scanner_sessions;
  v_told uuid[];
begin
  select * into s from pulse_scanner_sessions where id = (p ->> 'id')::uuid for no key update;
  if not found then
    return null;
  end if;
  perform app.expect_version(s.version, (p ->> 'if_match')::integer);
  if jsonb_typeof(p -> 'also') = 'array' then
    v_told := app.give_tables(s.id, s.table_id, p -> 'also');
  else
    v_told := array(select table_id from pulse_session_tables where session_id = s.id and not removed);
  end if;
  update pulse_scanner_sessions set
    name = coalesce(p ->> 'name', name),
    gate = case when p ? 'gate' then p ->> 'gate' else gate end,
    profile = coalesce(p ->> 'profile', profile),
    scanner_name = case when p ? 'scanner_name' then p ->> 'scanner_name' else scanner_name end,
    scanner_email = case when p ? 'scanner_email' then p ->> 'scanner_email' else scanner_email end,
    device_info = coalesce(nullif(p -> 'device_info', 'null'), device_info),
    is_active = coalesce((p ->> 'is_active')::boolean, is_active),
    revoked_at = case when (p ->> 'is_active')::boolean then null else revoked_at end,
    updated_at = app.clock(p)
  where id = s.id returning * into s;
  return jsonb_build_object('session', app.session_json(s), 'told', to_jsonb(v_told));
end
$$;

alter function app.session_json(pulse_scanner_sessions) rename to session_itself_json;
create function app.session_json(s pulse_scanner_sessions) returns jsonb language plpgsql stable as $$
begin
  return app.session_itself_json(s) || jsonb_build_object('also',
    (select coalesce(jsonb_agg(x.table_id order by x.table_id), '[]')
     from public.pulse_session_tables x where x.session_id = s.id and not x.removed));
end
$$;

-- The same with the scanners that have their home elsewhere.
alter function app.pull_list(jsonb) rename to pull_own_list;
create function app.pull_list(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_pulled jsonb := app.pull_own_list(p);
  v_guests jsonb;
begin
  select jsonb_agg(app.session_json(s) || jsonb_build_object('change_seq', x.change_seq, 'removed', x.removed)
                   order by x.change_seq) into v_guests
  from pulse_session_tables x join pulse_scanner_sessions s on s.id = x.session_id
  where x.table_id = (p ->> 'table_id')::uuid and x.change_seq > coalesce((p ->> 'devices_seq')::bigint, -1);
  if v_pulled is null or v_guests is null then
    return v_pulled;
  end if;
  return jsonb_set(v_pulled, '{devices}', (v_pulled -> 'devices') || v_guests);
end
$$;

-- The scanners of a batch in one order: the objects of several tables may count scans of the same ones.
alter function app.apply_scans(uuid, jsonb) rename to apply_scans_alone;
create function app.apply_scans(p_table uuid, p_entries jsonb) returns void language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
begin
  perform from pulse_scanner_sessions
  where id in (select (e ->> 'session_id')::uuid from jsonb_array_elements(p_entries) e where e ->> 'kind' = 'scan')
  order by id for no key update;
  perform app.apply_scans_alone(p_table, p_entries);
end
$$;
alter function app.note_devices(jsonb) rename to note_devices_alone;
create function app.note_devices(p jsonb) returns bigint language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
begin
  perform app.system_only();
  perform from pulse_scanner_sessions
  where id in (select (d ->> 'id')::uuid from jsonb_array_elements(p -> 'devices') d)
  order by id for no key update;
  return app.note_devices_alone(p);
end
$$;

grant execute on function app.lock_tables(uuid[]), app.give_tables(uuid, uuid, jsonb), app.add_session(jsonb),
  app.change_session(jsonb), app.session_json(pulse_scanner_sessions), app.pull_list(jsonb),
  app.apply_scans(uuid, jsonb), app.note_devices(jsonb) to pulse_app;
grant execute on function app.session_json(pulse_scanner_sessions), app.lock_tables(uuid[]) to pulse_definer;
call app.seal();
