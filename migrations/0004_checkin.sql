-- Check-in: enabled tables, scanner sessions, check-ins, the scan log, their policies and statistics.
--
-- Invariant: while an event runs its live object decides; pulse_scan_log is the object's log as it was
-- acknowledged, append-only by privilege, and pulse_check_ins is what the log says. Cached statistics equal a
-- recount at every commit, because statement triggers add exactly what changed.
-- Failure: a log entry that cannot be shown as a check-in stays in the log with its error and stops no other.

create table pulse_enabled_tables (
  table_id          uuid not null constraint pulse_enabled_tables_pkey primary key,
  tenant_id         uuid not null,
  enabled           boolean not null default true,
  settings          jsonb not null default '{}',
  gates             jsonb not null default '[]',
  guest_key         text,
  version           integer not null default 1,
  enabled_at        timestamptz not null default now(),
  disabled_at       timestamptz,
  created_at        timestamptz not null default now(),
  updated_at        timestamptz not null default now(),
  total_rows        integer not null default 0,
  checked_in        integer not null default 0,
  inside            integer not null default 0,
  walk_ins          integer not null default 0,
  duplicates        integer not null default 0,
  refused           jsonb not null default '{}',
  last_check_in_at  timestamptz,
  last_seq          bigint not null default 0,
  reported_seq      bigint not null default 0,
  devices_seq       bigint not null default 0,
  seen_rows_seq     bigint not null default -1,
  seen_devices_seq  bigint not null default -1,
  seen_config_seq   bigint not null default -1,
  constraint pulse_enabled_tables_tenant_key unique (tenant_id, table_id),
  constraint pulse_enabled_tables_table_fkey foreign key (tenant_id, table_id)
    references pulse_tables (tenant_id, id) on delete cascade,
  constraint pulse_enabled_tables_settings_check check (jsonb_typeof(settings) = 'object'),
  constraint pulse_enabled_tables_gates_check check (jsonb_typeof(gates) = 'array')
) with (fillfactor = 50); -- every flush updates the counters: keep the new version on the same page
comment on column pulse_enabled_tables.total_rows is
  'Guests on the list: its rows not deleted, walk-ins among them.';
comment on column pulse_enabled_tables.last_seq is
  'Last log entry that Postgres has.';
comment on column pulse_enabled_tables.reported_seq is
  'Last log entry the object said it has; beyond last_seq the record is behind.';
comment on column pulse_enabled_tables.devices_seq is
  'Last change_seq given to one of its scanner sessions.';
comment on column pulse_enabled_tables.seen_rows_seq is
  'With the two after it: what the object has pulled; the minute sweep pokes it when behind.';

create table pulse_scanner_sessions (
  id            uuid not null default gen_random_uuid() constraint pulse_scanner_sessions_pkey primary key,
  tenant_id     uuid not null,
  table_id      uuid not null,
  name          text not null,
  gate          text,
  profile       text not null default 'scanner',
  scanner_name  text,
  scanner_email text,
  device_info   jsonb not null default '{}',
  is_active     boolean not null default true,
  revoked_at    timestamptz,
  last_seen_at  timestamptz,
  total_scans   integer not null default 0,
  change_seq    bigint not null default 0,
  version       integer not null default 1,
  created_by    uuid,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  constraint pulse_scanner_sessions_enabled_fkey foreign key (tenant_id, table_id)
    references pulse_enabled_tables (tenant_id, table_id) on delete cascade,
  constraint pulse_scanner_sessions_profile_check check (profile in ('scanner', 'kiosk', 'viewer'))
);
create index pulse_scanner_sessions_table_idx on pulse_scanner_sessions (table_id, id);

-- Log facts only: nothing here may refuse what was already acknowledged at a door, so no length checks and
-- no foreign keys to guests or scanners.
create table pulse_check_ins (
  id              uuid not null default gen_random_uuid() constraint pulse_check_ins_pkey primary key,
  tenant_id       uuid not null,
  table_id        uuid not null,
  row_id          uuid,
  seq             bigint,
  verdict         text not null,
  reason          text,
  direction       text not null default 'entry',
  barcode         text,
  gate            text,
  session_id      uuid,
  actor_kind      text,
  actor_id        uuid,
  scanner_name    text,
  scanner_email   text,
  check_in_time   timestamptz not null default now(),
  scanned_at      timestamptz,
  sent_at         timestamptz,
  received_at     timestamptz not null default now(),
  clock_skew_ms   bigint not null default 0,
  force_sent      boolean not null default false,
  forced          boolean not null default false,
  overrode        text,
  walk_in         boolean not null default false,
  first_of_guest  boolean not null default false,
  inside_delta    smallint not null default 0,
  scan_count      integer not null default 1,
  last_scanned_at timestamptz not null default now(),
  row_data        jsonb,
  notes           text,
  nonce           text,
  annulled_at     timestamptz,
  annulled_by     uuid,
  annul_seq       bigint,
  created_at      timestamptz not null default now(),
  constraint pulse_check_ins_seq_key unique (table_id, seq),
  constraint pulse_check_ins_enabled_fkey foreign key (tenant_id, table_id)
    references pulse_enabled_tables (tenant_id, table_id) on delete cascade,
  constraint pulse_check_ins_verdict_check check (verdict in ('accepted', 'duplicate', 'refused')),
  constraint pulse_check_ins_direction_check check (direction in ('entry', 'exit'))
);
comment on column pulse_check_ins.seq is 'Its entry in the log; null when it was written beside the live object.';
comment on column pulse_check_ins.check_in_time is
  'Scan time of the first scan, corrected for the device''s clock; repeats never move it.';
comment on column pulse_check_ins.first_of_guest is 'The one standing admission that counts its guest as checked in.';
comment on column pulse_check_ins.inside_delta is 'What it adds to the people inside, its annulment included.';
-- Lists are newest first by id, within a table or a tenant, by one filter.
create index pulse_check_ins_tenant_idx on pulse_check_ins (tenant_id, id);
create index pulse_check_ins_table_idx on pulse_check_ins (table_id, id);
create index pulse_check_ins_row_idx on pulse_check_ins (table_id, row_id, id);
create index pulse_check_ins_time_idx on pulse_check_ins (table_id, check_in_time);
create index pulse_check_ins_session_idx on pulse_check_ins (table_id, session_id, id);
create index pulse_check_ins_gate_idx on pulse_check_ins (table_id, gate, id);
create index pulse_check_ins_verdict_idx on pulse_check_ins (table_id, verdict, id);

create table pulse_scan_log (
  tenant_id  uuid not null,
  table_id   uuid not null,
  seq        bigint not null,
  nonce_key  text,
  entry      jsonb not null,
  error      text,
  created_at timestamptz not null default now(),
  constraint pulse_scan_log_pkey primary key (table_id, seq),
  constraint pulse_scan_log_enabled_fkey foreign key (tenant_id, table_id)
    references pulse_enabled_tables (tenant_id, table_id) on delete cascade
);
comment on table pulse_scan_log is 'The live object''s log: it rebuilds itself from here.';
comment on column pulse_scan_log.error is 'Why this entry is not shown in pulse_check_ins.';

-- Is this table open to guests without an account? Asked for callers who may read nothing themselves.
create function app.guest_scanning(p_tenant uuid, p_table uuid) returns boolean
language sql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
  select e.enabled and coalesce((e.settings ->> 'guest_scanning')::boolean, false)
  from pulse_enabled_tables e join pulse_tables t on t.id = e.table_id
  where e.table_id = p_table and e.tenant_id = p_tenant and t.deleted_at is null
$$;

-- A device reads its own table and itself, and adds check-ins to it. A guest scanner adds check-ins to its
-- table while that takes guests, and reads nothing. Log numbers are the object's to give.
call app.protect('pulse_enabled_tables', p_device => 'table_id = (select app.device_table())');
call app.protect('pulse_scanner_sessions', p_device => 'id = (select app.device_id())');
call app.protect('pulse_check_ins', p_device => 'table_id = (select app.device_table())',
  p_insert => 'table_id = (select app.actor_table()) '
    'and (table_id = (select app.device_table()) or app.guest_scanning(tenant_id, table_id))');
call app.protect('pulse_scan_log');
create policy numbers on pulse_check_ins as restrictive for insert to pulse_app
  with check (seq is null or (select app.actor_kind()) = 'system');
create policy system on pulse_scan_log as restrictive to pulse_app using ((select app.actor_kind()) = 'system');

grant select,
      insert (table_id, tenant_id, enabled, settings, gates, guest_key, enabled_at, created_at, updated_at),
      update (enabled, settings, gates, guest_key, version, enabled_at, disabled_at, updated_at,
              last_seq, reported_seq, seen_rows_seq, seen_devices_seq, seen_config_seq) on pulse_enabled_tables to pulse_app;
grant select,
      insert (id, tenant_id, table_id, name, gate, profile, scanner_name, scanner_email, device_info, created_by,
              created_at, updated_at),
      update (name, gate, profile, scanner_name, scanner_email, device_info, is_active, revoked_at, last_seen_at,
              total_scans, version, updated_at) on pulse_scanner_sessions to pulse_app;
grant select, insert,
      update (scan_count, last_scanned_at, first_of_guest, inside_delta, notes, annulled_at, annulled_by, annul_seq)
      on pulse_check_ins to pulse_app;
grant select, insert, update (error) on pulse_scan_log to pulse_app;
grant select, update (total_rows, checked_in, inside, walk_ins, duplicates, refused, last_check_in_at, devices_seq)
  on pulse_enabled_tables to pulse_definer;
grant select on pulse_scanner_sessions, pulse_check_ins to pulse_definer;

create trigger touch before update of enabled, settings, gates, guest_key on pulse_enabled_tables
  for each row execute function app.touch();

-- A session's change takes the table's next devices_seq, in commit order like a row's. Being seen and
-- counting scans are no changes.
create function app.stamp_session() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, app, pg_temp as $$
begin
  if tg_op = 'UPDATE' then
    new.version := old.version + 1;
    if new.updated_at = old.updated_at then
      new.updated_at := now();
    end if;
  end if;
  update pulse_enabled_tables set devices_seq = devices_seq + 1 where table_id = new.table_id
  returning devices_seq into new.change_seq;
  new.change_seq := coalesce(new.change_seq, 0);
  return new;
end
$$;
create trigger stamp before insert or
  update of name, gate, profile, scanner_name, scanner_email, device_info, is_active, revoked_at
  on pulse_scanner_sessions for each row execute function app.stamp_session();

-- Statistics. Statement triggers add differences; nothing is ever counted again. They run as pulse_definer: a
-- device's insert counts though it may update nothing.
create function app.take_total() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, app, pg_temp as $$
begin
  -- The lock keeps rows from changing between this look and the insert.
  select row_count into new.total_rows from pulse_tables where id = new.table_id for no key update;
  new.total_rows := coalesce(new.total_rows, 0); -- no such table: the foreign key says so next
  return new;
end
$$;
create trigger take_total before insert on pulse_enabled_tables for each row execute function app.take_total();

-- The changed rows with a sign: the trigger's transition tables as one relation.
create function app.changes(p_op text) returns text language sql immutable as $$
  select case p_op
    when 'INSERT' then 'select 1 as sign, a.* from added a'
    when 'DELETE' then 'select -1 as sign, r.* from removed r'
    else 'select 1 as sign, a.* from added a union all select -1, r.* from removed r' end
$$;

create function app.update_row_counts() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  d record;
begin
  for d in execute
    'select table_id, sum(sign) as n from (' || app.changes(tg_op) || ') x
     where deleted_at is null group by table_id having sum(sign) <> 0 order by table_id'
  loop
    update pulse_tables set row_count = row_count + d.n where id = d.table_id;
    update pulse_enabled_tables set total_rows = total_rows + d.n where table_id = d.table_id;
  end loop;
  return null;
end
$$;
create trigger count_insert after insert on pulse_rows referencing new table as added
  for each statement execute function app.update_row_counts();
create trigger count_update after update on pulse_rows referencing old table as removed new table as added
  for each statement execute function app.update_row_counts();
create trigger count_delete after delete on pulse_rows referencing old table as removed
  for each statement execute function app.update_row_counts();

-- What a check-in counts for: an annulled one admits nobody, but its repeats and refusals did happen;
-- inside_delta holds the annulment already (see app.apply_scans).
create function app.update_pulse_stats() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  d record;
begin
  for d in execute $q$
    select table_id, refusal, sum(sign) as n,
      coalesce(sum(sign) filter (where admitted and direction = 'entry' and first_of_guest), 0) as checked_in,
      sum(sign * inside_delta) as inside,
      coalesce(sum(sign) filter (where admitted and walk_in), 0) as walk_ins,
      sum(sign * (scan_count - 1)) + coalesce(sum(sign) filter (where verdict = 'duplicate'), 0) as duplicates,
      max(check_in_time) filter (where sign = 1 and admitted and direction = 'entry') as latest
    from (select *, verdict = 'accepted' and annulled_at is null as admitted,
                 case when verdict = 'refused' then coalesce(reason, 'unknown') end as refusal
          from ($q$ || app.changes(tg_op) || $q$) changes) x
    group by table_id, refusal order by table_id, refusal $q$
  loop
    perform app.add_stats(d.table_id, d.refusal, d.n, d.checked_in, d.inside, d.walk_ins, d.duplicates, d.latest);
  end loop;
  return null;
end
$$;
create function app.add_stats(p_table uuid, p_refusal text, p_n bigint, p_checked_in bigint, p_inside bigint,
  p_walk_ins bigint, p_duplicates bigint, p_latest timestamptz) returns void
language sql security definer set search_path = pg_catalog, public, app, pg_temp as $$
  update pulse_enabled_tables set
    checked_in = checked_in + p_checked_in, inside = inside + p_inside, walk_ins = walk_ins + p_walk_ins,
    duplicates = duplicates + p_duplicates, last_check_in_at = greatest(last_check_in_at, p_latest),
    refused = case when p_refusal is null then refused
      else refused || jsonb_build_object(p_refusal, coalesce((refused ->> p_refusal)::bigint, 0) + p_n) end
  where table_id = p_table
$$;
create trigger update_pulse_stats_insert after insert on pulse_check_ins referencing new table as added
  for each statement execute function app.update_pulse_stats();
create trigger update_pulse_stats_update after update on pulse_check_ins
  referencing old table as removed new table as added
  for each statement execute function app.update_pulse_stats();
create trigger update_pulse_stats_delete after delete on pulse_check_ins referencing old table as removed
  for each statement execute function app.update_pulse_stats();

-- What the API shows. In plpgsql, which plans the long expression once per connection, not once per statement.
create function app.enabled_json(e pulse_enabled_tables, p_guest_key boolean) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('table_id', e.table_id, 'enabled', e.enabled, 'settings', e.settings, 'gates', e.gates,
    'stats', jsonb_build_object('total', e.total_rows, 'checked_in', e.checked_in, 'inside', e.inside,
      'walk_ins', e.walk_ins, 'duplicates', e.duplicates, 'refused', e.refused,
      'last_check_in_at', app.utc(e.last_check_in_at), 'last_seq', e.last_seq),
    'version', e.version, 'created_at', app.utc(e.created_at), 'updated_at', app.utc(e.updated_at))
    || case when p_guest_key then jsonb_build_object('guest_key', e.guest_key) else '{}' end;
end
$$;
create function app.session_json(s pulse_scanner_sessions) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', s.id, 'table_id', s.table_id, 'name', s.name, 'gate', s.gate, 'profile', s.profile,
    'scanner_name', s.scanner_name, 'scanner_email', s.scanner_email, 'device_info', s.device_info,
    'is_active', s.is_active, 'revoked_at', app.utc(s.revoked_at), 'last_seen_at', app.utc(s.last_seen_at),
    'total_scans', s.total_scans, 'created_by', s.created_by, 'version', s.version,
    'created_at', app.utc(s.created_at), 'updated_at', app.utc(s.updated_at));
end
$$;
create function app.check_in_json(c pulse_check_ins) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', c.id, 'table_id', c.table_id, 'row_id', c.row_id, 'seq', c.seq, 'verdict', c.verdict,
    'reason', c.reason, 'direction', c.direction, 'barcode', c.barcode, 'gate', c.gate, 'session_id', c.session_id,
    'scanner_name', c.scanner_name, 'scanner_email', c.scanner_email, 'check_in_time', app.utc(c.check_in_time),
    'scanned_at', app.utc(c.scanned_at), 'sent_at', app.utc(c.sent_at), 'received_at', app.utc(c.received_at),
    'clock_skew_ms', c.clock_skew_ms, 'force_sent', c.force_sent, 'forced', c.forced, 'overrode', c.overrode,
    'walk_in', c.walk_in, 'scan_count', c.scan_count, 'last_scanned_at', app.utc(c.last_scanned_at),
    'row_data', c.row_data, 'notes', c.notes, 'annulled_at', app.utc(c.annulled_at), 'annulled_by', c.annulled_by);
end
$$;

grant execute on function app.guest_scanning(uuid, uuid), app.enabled_json(pulse_enabled_tables, boolean),
  app.session_json(pulse_scanner_sessions), app.check_in_json(pulse_check_ins) to pulse_app, pulse_definer;
grant execute on function app.changes(text) to pulse_definer;
call app.seal();
