-- Guest lists: tables, their rows, search, bulk import.
--
-- Invariant: rows_seq of a table grows in commit order, and every change of a row carries the value of its
-- transaction in change_seq: who has read all up to n misses nothing that commits later.
-- Lock order, the same everywhere, so that writers wait and never deadlock: row, table, scan log, scanner
-- session, check-in, enabled table.
-- Failure: an import is all or nothing unless the caller asked for the good lines only.

create table pulse_tables (
  id         uuid not null default gen_random_uuid() constraint pulse_tables_pkey primary key,
  tenant_id  uuid not null constraint pulse_tables_tenant_fkey references tenants on delete cascade,
  name       text not null,
  timezone   text not null default 'UTC',
  rows_seq   bigint not null default 0,
  row_count  integer not null default 0,
  version    integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint pulse_tables_tenant_id_key unique (tenant_id, id),
  constraint pulse_tables_name_check check (length(name) between 1 and 200)
) with (fillfactor = 50); -- room for rows_seq to move in place
comment on table pulse_tables is 'Guest lists.';
comment on column pulse_tables.timezone is 'IANA zone of the event: its midnight resets daily limits.';
comment on column pulse_tables.rows_seq is 'Last change_seq given to one of its rows.';
comment on column pulse_tables.row_count is 'Rows not deleted; kept by trigger.';

-- What search compares: case and accents folded, so that "muller" finds "Müller". ASCII takes the short way.
create function app.fold(p text) returns text language sql immutable parallel safe as $$
  select case when octet_length(p) = length(p) then lower(p)
    else lower(regexp_replace(normalize(p, NFKD), '[\u0300-\u036f]', '', 'g') collate "und-x-icu") end
$$;
create function app.like_escape(p text) returns text language sql immutable parallel safe
  as $$ select replace(replace(replace(p, '\', '\\'), '%', '\%'), '_', '\_') $$;

create table pulse_rows (
  id             uuid not null default gen_random_uuid() constraint pulse_rows_pkey primary key,
  tenant_id      uuid not null,
  table_id       uuid not null,
  change_seq     bigint not null default 0,
  search         text collate "C" not null generated always as
                   (app.fold(name || ' ' || coalesce(email, '') || ' ' || coalesce(barcode, ''))) stored,
  deleted_at     timestamptz,
  name           text not null default '',
  email          text,
  barcode        text,
  category       text,
  status         text not null default 'confirmed',
  valid_from     timestamptz,
  valid_until    timestamptz,
  attention_note text,
  data           jsonb not null default '{}',
  source         text not null default 'api',
  version        integer not null default 1,
  created_at     timestamptz not null default now(),
  updated_at     timestamptz not null default now(),
  constraint pulse_rows_status_check check (status in ('confirmed', 'canceled', 'blocked', 'revoked')),
  constraint pulse_rows_source_check check (source in ('api', 'import', 'walk_in')),
  constraint pulse_rows_barcode_check check (length(barcode) between 1 and 512),
  constraint pulse_rows_data_check check (jsonb_typeof(data) = 'object')
);
comment on table pulse_rows is 'Guests.';
comment on column pulse_rows.table_id is
  'Checked by trigger, once per transaction: a foreign key, once per row, took 45 % of an import of 100,000 rows.';
comment on column pulse_rows.barcode is
  'Not unique: real lists hold the same code twice, and a scan of it is then ambiguous.';
comment on column pulse_rows.deleted_at is
  'Rows are never removed: the live object learns of the deletion by change_seq.';
-- Newest first within a table; a scan of it also serves search, see docs/decisions.md for why no trigram index.
create index pulse_rows_list_idx on pulse_rows (table_id, id);
create index pulse_rows_changes_idx on pulse_rows (table_id, change_seq, id);
create index pulse_rows_barcode_idx on pulse_rows (table_id, barcode) where deleted_at is null;

-- Not logged: a crash empties it, and the commit then finds fewer lines than announced and refuses.
create unlogged table pulse_import_rows (
  import_id  uuid not null,
  tenant_id  uuid not null,
  table_id   uuid not null,
  line       integer not null,
  row        jsonb not null,
  problem    text,
  created_at timestamptz not null default now(),
  constraint pulse_import_rows_pkey primary key (import_id, line)
);
comment on table pulse_import_rows is 'Lines of imports under way; swept after an hour.';

call app.protect('pulse_tables', p_device => 'id = (select app.device_table())');
call app.protect('pulse_rows', p_device => 'table_id = (select app.device_table())');
call app.protect('pulse_import_rows');

-- Counters belong to the triggers: the Worker cannot write them.
grant select, insert (id, tenant_id, name, timezone, created_at, updated_at),
      update (name, timezone, version, updated_at, deleted_at) on pulse_tables to pulse_app;
grant select,
      insert (id, tenant_id, table_id, name, email, barcode, category, status, valid_from, valid_until,
              attention_note, data, source, created_at, updated_at),
      update (name, email, barcode, category, status, valid_from, valid_until, attention_note, data,
              version, updated_at, deleted_at) on pulse_rows to pulse_app;
grant select, insert, update (problem), delete on pulse_import_rows to pulse_app;
grant select, update (rows_seq, row_count) on pulse_tables to pulse_definer;
grant select, delete on pulse_rows to pulse_definer;

-- Takes the table's next rows_seq, once per transaction and table; the row lock makes the order of values the
-- order of commits. The stamp (table, its tenant, value) is kept in a transaction-local setting, which a
-- rolled-back savepoint undoes too; while it holds, so does the lock, and the table cannot go away.
create function app.bump_rows(p_table uuid) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  taken bigint;
  owner uuid;
begin
  update pulse_tables set rows_seq = rows_seq + 1
  where id = p_table and tenant_id = coalesce(app.tenant(), tenant_id) -- psql may have set none
  returning rows_seq, tenant_id into taken, owner;
  perform set_config('app.row_stamp', coalesce(p_table || ' ' || owner || ' ' || taken, ''), true);
  return taken;
end
$$;

create function app.stamp_row() returns trigger language plpgsql as $$
declare
  place text := new.table_id || ' ' || new.tenant_id || ' ';
begin
  if not starts_with(coalesce(current_setting('app.row_stamp', true), ''), place) then
    perform app.bump_rows(new.table_id);
    if not starts_with(current_setting('app.row_stamp', true), place) then
      raise foreign_key_violation using message = 'no such table in this tenant', constraint = 'pulse_rows_table_fkey';
    end if;
  end if;
  new.change_seq := substr(current_setting('app.row_stamp', true), 75)::bigint;
  if tg_op = 'UPDATE' then
    new.version := old.version + 1;
    if new.updated_at = old.updated_at then
      new.updated_at := now();
    end if;
  end if;
  return new;
end
$$;
create function app.drop_rows() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, app, pg_temp as $$
begin
  delete from pulse_rows where table_id = old.id;
  return null;
end
$$;
create trigger drop_rows after delete on pulse_tables for each row execute function app.drop_rows();
create trigger stamp before insert or update on pulse_rows for each row execute function app.stamp_row();
create trigger touch before update of name, timezone, deleted_at on pulse_tables
  for each row execute function app.touch();

-- For a guest written by hand: nobody else on the list may hold the code. Takes the table's row first, so that
-- of two writers of one code the second sees what the first committed. When a row is changed, lock it before.
create function app.claim_code(p_table uuid, p_code text, p_row uuid default null) returns boolean
language plpgsql volatile cost 100000 set search_path = pg_catalog, public, app, pg_temp as $$
begin
  if p_code is not null then
    perform app.bump_rows(p_table);
    if exists (select from pulse_rows where table_id = p_table and barcode = p_code and deleted_at is null
                 and id is distinct from p_row) then
      perform app.fail('PU409', 'barcode_taken', 'Another guest on the list has this code.', '/barcode');
    end if;
  end if;
  return true;
end
$$;

create function app.table_json(t pulse_tables) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', t.id, 'name', t.name, 'timezone', t.timezone, 'row_count', t.row_count,
    'version', t.version, 'created_at', app.utc(t.created_at), 'updated_at', app.utc(t.updated_at));
end
$$;
create function app.row_json(r pulse_rows) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', r.id, 'table_id', r.table_id, 'name', r.name, 'email', r.email,
    'barcode', r.barcode, 'category', r.category, 'status', r.status, 'valid_from', app.utc(r.valid_from),
    'valid_until', app.utc(r.valid_until), 'attention_note', r.attention_note, 'data', r.data, 'source', r.source,
    'version', r.version, 'created_at', app.utc(r.created_at), 'updated_at', app.utc(r.updated_at));
end
$$;

-- Takes one batch of parsed lines; sending it again changes nothing.
create function app.stage_rows(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  staged integer;
begin
  insert into pulse_import_rows (import_id, tenant_id, table_id, line, row, created_at)
  select (p ->> 'import_id')::uuid, app.tenant(), (p ->> 'table_id')::uuid, (e ->> 'line')::integer, e - 'line', app.clock(p)
  from jsonb_array_elements(p -> 'rows') e
  on conflict do nothing;
  get diagnostics staged = row_count;
  return jsonb_build_object('staged', staged);
end
$$;

-- Moves a staged import into the table. The table stays locked meanwhile, so no twin import slips in between
-- the look for duplicate codes and the insert.
-- Statistics know the imports of before, not this one: a nested loop over what looks like one line takes hours.
create function app.commit_import(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp set plan_cache_mode = force_custom_plan set enable_nestloop = off as $$
declare
  v_import   uuid := (p ->> 'import_id')::uuid;
  v_table    uuid := (p ->> 'table_id')::uuid;
  v_staged   integer;
  v_rejected integer := 0;
  v_imported integer := 0;
  v_errors   jsonb := '[]';
  v_commit   boolean;
begin
  perform from pulse_tables where id = v_table and deleted_at is null for no key update;
  if not found then
    perform app.fail('PU404', 'table_not_found', 'There is no such table.');
  end if;
  select count(*) into v_staged from pulse_import_rows where import_id = v_import and table_id = v_table;
  if v_staged is distinct from coalesce((p ->> 'expected')::integer, v_staged) then
    perform app.fail('PU409', 'import_incomplete',
                     format('%s of %s lines arrived; import again.', v_staged, p ->> 'expected'));
  end if;

  if coalesce(p ->> 'duplicates', 'reject') = 'reject' then
    update pulse_import_rows i set problem = d.problem
    from (
      select s.line, case
          when s.line > s.first_line then format('The code is already on line %s.', s.first_line)
          else 'The code belongs to a guest on the list already.' end as problem
      from (
        select line, row ->> 'barcode' as barcode, min(line) over (partition by row ->> 'barcode') as first_line
        from pulse_import_rows
        where import_id = v_import and table_id = v_table and row ->> 'barcode' is not null) s
      left join (
        select distinct barcode from pulse_rows where table_id = v_table and deleted_at is null) taken using (barcode)
      where s.line > s.first_line or taken.barcode is not null) d
    where i.import_id = v_import and i.line = d.line;
    get diagnostics v_rejected = row_count;
    select coalesce(jsonb_agg(jsonb_build_object('line', line, 'field', 'barcode', 'code', 'duplicate_code',
             'message', problem) order by line), '[]') into v_errors
    from (select line, problem from pulse_import_rows
          where import_id = v_import and problem is not null order by line limit 100) first_hundred;
  end if;

  v_commit := not coalesce((p ->> 'dry_run')::boolean, false)
    and (v_rejected = 0 or coalesce((p ->> 'partial')::boolean, false));
  if v_commit then
    insert into pulse_rows (id, tenant_id, table_id, name, email, barcode, category, status, valid_from,
                            valid_until, attention_note, data, source, created_at, updated_at)
    select coalesce((row ->> 'id')::uuid, gen_random_uuid()), tenant_id, table_id, coalesce(row ->> 'name', ''),
           row ->> 'email', row ->> 'barcode', row ->> 'category', coalesce(row ->> 'status', 'confirmed'),
           (row ->> 'valid_from')::timestamptz, (row ->> 'valid_until')::timestamptz, row ->> 'attention_note',
           coalesce(nullif(row -> 'data', 'null'), '{}'), 'import', app.clock(p), app.clock(p)
    from pulse_import_rows
    where import_id = v_import and table_id = v_table and problem is null
    order by line;
    get diagnostics v_imported = row_count;
  end if;
  delete from pulse_import_rows where import_id = v_import and table_id = v_table;
  return jsonb_build_object('imported', v_imported, 'rejected', v_rejected, 'error_count', v_rejected,
                            'errors', v_errors, 'committed', v_commit);
end
$$;

create function app.drop_import(p jsonb) returns jsonb language sql as $$
  with gone as (delete from public.pulse_import_rows where import_id = (p ->> 'import_id')::uuid returning 1)
  select jsonb_build_object('dropped', count(*)) from gone
$$;

grant execute on function app.fold(text), app.like_escape(text), app.table_json(pulse_tables), app.row_json(pulse_rows)
  to pulse_app, pulse_definer;
grant execute on function app.bump_rows(uuid), app.claim_code(uuid, text, uuid), app.stage_rows(jsonb),
  app.commit_import(jsonb), app.drop_import(jsonb) to pulse_app;
call app.seal();
