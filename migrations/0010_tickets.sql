-- Signed tickets: the keys of each guest list, what was issued and taken back, and how the object learns of it.
--
-- Invariant: a guest has one good ticket at most. Numbers of keys and tickets are given out under the lock of
-- their list's row: dense, in commit order. What the object must know (a key, a revocation) carries the list's
-- next rows_seq, so who has read all up to n misses nothing. Private keys come here sealed, and codes never:
-- the Worker signs what it is answered.
-- Failure: PU422 tickets_refused when one of what was named cannot be used; nothing is changed then. The same
-- call as a `review` changes nothing either and tells which, by their places.

create table pulse_ticket_keys (
  tenant_id   uuid not null,
  table_id    uuid not null,
  number      integer not null,
  public_key  text not null,
  private_key text not null,
  change_seq  bigint not null default 0,
  created_by  uuid,
  created_at  timestamptz not null default now(),
  retired_at  timestamptz,
  revoked_at  timestamptz,
  constraint pulse_ticket_keys_pkey primary key (table_id, number),
  constraint pulse_ticket_keys_table_fkey foreign key (tenant_id, table_id)
    references pulse_tables (tenant_id, id) on delete cascade,
  constraint pulse_ticket_keys_number_check check (number > 0)
);
comment on table pulse_ticket_keys is 'Ed25519 keys that sign the tickets of a guest list.';
comment on column pulse_ticket_keys.private_key is 'Sealed by the Worker under DATA_KEYS.';
comment on column pulse_ticket_keys.retired_at is 'It signs no more; what it signed stays good unless it is revoked.';
create unique index pulse_ticket_keys_signing_idx on pulse_ticket_keys (table_id) where retired_at is null;

create table pulse_tickets (
  id          uuid not null constraint pulse_tickets_pkey primary key,
  tenant_id   uuid not null,
  table_id    uuid not null,
  row_id      uuid not null,
  serial      integer not null,
  key_number  integer not null,
  category    text,
  valid_from  timestamptz,
  valid_until timestamptz,
  issued_by   uuid,
  issued_at   timestamptz not null default now(),
  revoked_by  uuid,
  revoked_at  timestamptz,
  change_seq  bigint,
  constraint pulse_tickets_serial_key unique (table_id, serial),
  constraint pulse_tickets_table_fkey foreign key (tenant_id, table_id)
    references pulse_tables (tenant_id, id) on delete cascade,
  constraint pulse_tickets_serial_check check (serial > 0)
);
comment on table pulse_tickets is 'Tickets that were issued.';
comment on column pulse_tickets.change_seq is
  'Of its revocation, for the object. None while it is good, and when its key was revoked: the key says it all.';
comment on column pulse_tickets.revoked_at is 'Final: scanners forget no revocation.';
create unique index pulse_tickets_good_idx on pulse_tickets (table_id, row_id) where revoked_at is null;
create index pulse_tickets_row_idx on pulse_tickets (table_id, row_id, serial);
create index pulse_tickets_changes_idx on pulse_tickets (table_id, change_seq, serial) where change_seq is not null;

-- Devices see public keys only, through app.ticket_keys.
call app.protect('pulse_ticket_keys');
call app.protect('pulse_tickets');
grant select,
      insert (tenant_id, table_id, number, public_key, private_key, created_by, created_at),
      update (retired_at, revoked_at) on pulse_ticket_keys to pulse_app;
grant select,
      insert (id, tenant_id, table_id, row_id, serial, key_number, category, valid_from, valid_until, issued_by, issued_at),
      update (revoked_by, revoked_at) on pulse_tickets to pulse_app;
grant select (table_id, number, public_key, created_at, retired_at, revoked_at) on pulse_ticket_keys to pulse_definer;

-- Whoever makes or revokes a key, or revokes a ticket, psql included: the change is stamped like a row's, once
-- per transaction and list, and the object told so by rows_seq.
create function app.stamp_ticket() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    if new.revoked_at is null then
      perform app.fail('PU409', 'already_revoked', 'What was revoked stays so.');
    end if;
    if tg_table_name = 'pulse_tickets' then
      if exists (select from public.pulse_ticket_keys k
                 where k.table_id = new.table_id and k.number = new.key_number and k.revoked_at is not null) then
        return new;
      end if;
    end if;
  end if;
  if not starts_with(coalesce(current_setting('app.row_stamp', true), ''), new.table_id || ' ' || new.tenant_id || ' ') then
    perform app.bump_rows(new.table_id);
  end if;
  new.change_seq := substr(current_setting('app.row_stamp', true), 75)::bigint;
  return new;
end
$$;
create trigger stamp before insert on pulse_ticket_keys for each row execute function app.stamp_ticket();
create trigger stamp_revoked before update of revoked_at on pulse_ticket_keys
  for each row when (new.revoked_at is distinct from old.revoked_at) execute function app.stamp_ticket();
create trigger stamp_revoked before update of revoked_at on pulse_tickets
  for each row when (new.revoked_at is distinct from old.revoked_at) execute function app.stamp_ticket();

create function app.ticket_json(t pulse_tickets) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', t.id, 'table_id', t.table_id, 'row_id', t.row_id, 'serial', t.serial,
    'key', t.key_number, 'category', t.category, 'valid_from', app.utc(t.valid_from),
    'valid_until', app.utc(t.valid_until), 'issued_at', app.utc(t.issued_at), 'revoked_at', app.utc(t.revoked_at));
end
$$;

-- The public keys of a list, for staff of its tenant and its own devices.
create function app.ticket_keys(p_table uuid) returns jsonb
language sql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
  select jsonb_build_object('table_id', t.id, 'algorithm', 'Ed25519',
    'signing', (select k.number from pulse_ticket_keys k where k.table_id = t.id and k.retired_at is null),
    'keys', (select coalesce(jsonb_agg(jsonb_build_object('number', k.number, 'public_key', k.public_key,
               'created_at', app.utc(k.created_at), 'retired_at', app.utc(k.retired_at),
               'revoked_at', app.utc(k.revoked_at)) order by k.number desc), '[]')
             from pulse_ticket_keys k where k.table_id = t.id))
  from pulse_tables t
  where t.id = p_table and t.tenant_id = app.tenant() and t.deleted_at is null
    and (app.staff_tenant() is not null or t.id = app.device_table())
$$;

-- Adds a key, which signs from now on. The list's row must be locked.
create function app.add_ticket_key(p jsonb) returns integer language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_table  uuid := (p ->> 'table_id')::uuid;
  v_number integer;
begin
  update pulse_ticket_keys set retired_at = app.clock(p) where table_id = v_table and retired_at is null;
  insert into pulse_ticket_keys (tenant_id, table_id, number, public_key, private_key, created_by, created_at)
  select app.tenant(), v_table, coalesce(max(k.number), 0) + 1, p ->> 'public_key', p ->> 'private_key',
         app.actor_id(), app.clock(p)
  from pulse_ticket_keys k where k.table_id = v_table
  returning number into v_number;
  if v_number > 100 then -- every scanner keeps them all
    perform app.fail('PU409', 'too_many_keys', 'A guest list has 100 ticket keys at most.');
  end if;
  return v_number;
end
$$;

-- Why a guest cannot have a ticket that is valid from p_from until p_until; null when nothing is in the way.
create function app.ticket_problem(r pulse_rows, p_from timestamptz, p_until timestamptz) returns text
language sql stable as $$
  select case
    when r.id is null or r.deleted_at is not null then 'unknown_row'
    when r.status <> 'confirmed' then 'guest_not_confirmed'
    when octet_length(r.category) > 160 then 'category_too_long'
    when greatest(r.valid_from, p_from) > least(r.valid_until, p_until) then 'never_valid' end
$$;

-- Issues tickets to the guests that are named, or to the next page of all: those who cannot have one are an
-- error when they were named and passed over when they were not. The key that is offered is taken when the list
-- has none. Tells whether the object has to know (a new key, an earlier ticket that is revoked now).
create function app.issue_tickets(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  v_table   uuid := (p ->> 'table_id')::uuid;
  v_limit   integer := (p ->> 'limit')::integer;
  v_from    timestamptz := (p ->> 'valid_from')::timestamptz;
  v_until   timestamptz := (p ->> 'valid_until')::timestamptz;
  v_named   boolean := jsonb_typeof(p -> 'row_ids') = 'array';
  v_rows    uuid[];
  v_wrong   jsonb;
  v_key     integer;
  v_serial  integer;
  v_news    boolean := false;
  v_items   jsonb;
begin
  perform from pulse_tables where id = v_table and deleted_at is null for no key update;
  if not found then
    return null;
  end if;

  if v_named then
    select array_agg(n.id::uuid order by n.place) into v_rows
    from jsonb_array_elements_text(p -> 'row_ids') with ordinality n (id, place);
    select jsonb_agg(jsonb_build_object('place', n.place - 1, 'code', x.problem) order by n.place) into v_wrong
    from unnest(v_rows) with ordinality n (id, place)
    left join pulse_rows r on r.id = n.id and r.table_id = v_table
    cross join lateral (select app.ticket_problem(r, v_from, v_until)) x (problem)
    where x.problem is not null;
    if (p ->> 'review')::boolean then
      return jsonb_build_object('wrong', coalesce(v_wrong, '[]'));
    elsif v_wrong is not null then
      perform app.fail('PU422', 'tickets_refused', 'Not all of these guests can have a ticket.', '/row_ids');
    end if;
  else
    select coalesce(array_agg(page.id order by page.id), '{}') into v_rows
    from (select r.id from pulse_rows r
          where r.table_id = v_table and r.deleted_at is null
            and (p ->> 'after' is null or r.id > (p ->> 'after')::uuid)
            and (not (p ->> 'only_missing')::boolean
                 or not exists (select from pulse_tickets t
                                where t.table_id = v_table and t.row_id = r.id and t.revoked_at is null))
          order by r.id limit v_limit) page;
  end if;

  select number into v_key from pulse_ticket_keys where table_id = v_table and retired_at is null;
  if v_key is null then
    v_key := app.add_ticket_key(p);
    v_news := true;
  end if;
  update pulse_tickets t set revoked_at = app.clock(p), revoked_by = app.actor_id()
  where t.table_id = v_table and t.revoked_at is null and t.row_id = any (v_rows)
    and exists (select from pulse_rows r where r.id = t.row_id and r.table_id = v_table
                and app.ticket_problem(r, v_from, v_until) is null);
  v_news := v_news or found;

  select coalesce(max(serial), 0) into v_serial from pulse_tickets where table_id = v_table;
  with chosen as (
    select r, row_number() over (order by n.place) as nth
    from unnest(v_rows) with ordinality n (id, place)
    join pulse_rows r on r.id = n.id and r.table_id = v_table
    where app.ticket_problem(r, v_from, v_until) is null),
  made as (
    insert into pulse_tickets as t (id, tenant_id, table_id, row_id, serial, key_number, category, valid_from,
                                    valid_until, issued_by, issued_at)
    select (p -> 'ids' ->> (nth - 1)::integer)::uuid, app.tenant(), v_table, (r).id, v_serial + nth, v_key,
           nullif((r).category, ''), greatest((r).valid_from, v_from), least((r).valid_until, v_until),
           app.actor_id(), app.clock(p)
    from chosen
    returning t.serial, app.ticket_json(t) as json)
  select coalesce(jsonb_agg(json order by serial), '[]') into v_items from made;

  return jsonb_build_object('items', v_items, 'news', v_news,
    'skipped', cardinality(v_rows) - jsonb_array_length(v_items),
    'next', case when not v_named and cardinality(v_rows) = v_limit then v_rows[v_limit] end,
    'key', (select jsonb_build_object('number', k.number, 'public_key', k.public_key, 'private_key', k.private_key)
            from pulse_ticket_keys k where k.table_id = v_table and k.number = v_key));
end
$$;

-- Takes back the tickets that are named, or the good ones of the guests that are named.
create function app.revoke_tickets(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  v_table   uuid := (p ->> 'table_id')::uuid;
  v_named   boolean := jsonb_typeof(p -> 'ticket_ids') = 'array';
  v_ids     uuid[];
  v_wrong   jsonb;
  v_revoked integer;
begin
  perform from pulse_tables where id = v_table and deleted_at is null for no key update;
  if not found then
    return null;
  end if;
  select array_agg(n.id::uuid order by n.place) into v_ids
  from jsonb_array_elements_text(case when v_named then p -> 'ticket_ids' else p -> 'row_ids' end)
       with ordinality n (id, place);
  select jsonb_agg(n.place - 1 order by n.place) into v_wrong
  from unnest(v_ids) with ordinality n (id, place)
  where not case when v_named then exists (select from pulse_tickets t where t.id = n.id and t.table_id = v_table)
                 else exists (select from pulse_rows r where r.id = n.id and r.table_id = v_table) end;
  if (p ->> 'review')::boolean then
    return jsonb_build_object('wrong', coalesce(v_wrong, '[]'));
  elsif v_wrong is not null then
    perform app.fail('PU422', 'tickets_refused', 'Not all of these are known.',
                     case when v_named then '/ticket_ids' else '/row_ids' end);
  end if;
  update pulse_tickets t set revoked_at = app.clock(p), revoked_by = app.actor_id()
  where t.table_id = v_table and t.revoked_at is null
    and case when v_named then t.id else t.row_id end = any (v_ids);
  get diagnostics v_revoked = row_count;
  return jsonb_build_object('revoked', v_revoked);
end
$$;

-- Makes a new key sign. Earlier keys stay good, or are revoked with everything they ever signed.
create function app.rotate_ticket_key(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_table uuid := (p ->> 'table_id')::uuid;
  v_new   integer;
begin
  perform from pulse_tables where id = v_table and deleted_at is null for no key update;
  if not found then
    return null;
  end if;
  v_new := app.add_ticket_key(p);
  if (p ->> 'revoke_old')::boolean then
    update pulse_ticket_keys set revoked_at = app.clock(p)
    where table_id = v_table and number < v_new and revoked_at is null;
    update pulse_tickets set revoked_at = app.clock(p), revoked_by = app.actor_id()
    where table_id = v_table and revoked_at is null;
  end if;
  return app.ticket_keys(v_table);
end
$$;

-- What the object pulls, with what is new of tickets: all keys when one changed, and the next revocations. While
-- it lacks any of it, it does not count as having seen the list's last change, so the minute sweep pokes it.
alter function app.pull_table(jsonb) rename to pull_list;
create function app.pull_table(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp set enable_sort = off as $$
declare
  v_table  uuid := (p ->> 'table_id')::uuid;
  v_limit  integer := least(coalesce((p ->> 'limit')::integer, 2000), 10000);
  v_seq    bigint := coalesce((p ->> 'tickets_seq')::bigint, -1);
  v_serial integer := coalesce((p ->> 'ticket_serial')::integer, 2147483647);
  v_keys   jsonb;
  v_latest bigint;
  v_gone   jsonb;
  v_last   jsonb;
  result   jsonb := app.pull_list(p);
begin
  if result is null then
    return null;
  end if;
  select max(k.change_seq), jsonb_agg(jsonb_build_object('number', k.number, 'public_key', k.public_key,
      'revoked', k.revoked_at is not null) order by k.number)
  into v_latest, v_keys
  from pulse_ticket_keys k where k.table_id = v_table;
  select coalesce(jsonb_agg(t.serial order by t.change_seq, t.serial), '[]'),
         jsonb_agg(jsonb_build_array(t.change_seq, t.serial) order by t.change_seq, t.serial) -> -1
  into v_gone, v_last
  from (select change_seq, serial from pulse_tickets
        where table_id = v_table and change_seq is not null and (change_seq, serial) > (v_seq, v_serial)
        order by change_seq, serial limit v_limit) t;
  if coalesce(v_latest, -1) <= v_seq and v_last is null then
    return result;
  end if;
  update pulse_enabled_tables set seen_rows_seq = least(seen_rows_seq, (result #>> '{config,rows_seq}')::bigint - 1)
  where table_id = v_table;
  return result || jsonb_build_object('tickets', jsonb_build_object(
    'keys', coalesce(v_keys, '[]'), 'revoked', v_gone,
    'position', case when jsonb_array_length(v_gone) = v_limit then v_last
                else jsonb_build_array(greatest(v_seq, v_latest, (v_last ->> 0)::bigint), 2147483647) end));
end
$$;

grant execute on function app.ticket_json(pulse_tickets), app.ticket_keys(uuid), app.add_ticket_key(jsonb),
  app.ticket_problem(pulse_rows, timestamptz, timestamptz), app.issue_tickets(jsonb), app.revoke_tickets(jsonb),
  app.rotate_ticket_key(jsonb), app.pull_table(jsonb) to pulse_app;
call app.seal();
