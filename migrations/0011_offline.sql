-- Check-in without a connection: what devices decided by themselves, tickets for several people, answers given at
-- the door.
--
-- Invariant: conflict says which entries are one too many as the live object's log says it, whatever the order in
-- which devices reported; nobody who went through is erased.
-- Failure: as before: an entry that cannot be shown stays in the log with its error.

alter table pulse_rows add column party smallint not null default 1,
  add constraint pulse_rows_party_check check (party between 1 and 1000);
comment on column pulse_rows.party is 'How many people the ticket is for.';
alter table pulse_check_ins
  add column people smallint not null default 1,
  add column offline text,
  add column device text,
  add column conflict jsonb,
  add column answers jsonb not null default '{}';
comment on column pulse_check_ins.offline is 'What a device without a connection had told the guest.';
comment on column pulse_check_ins.conflict is 'The entry that stands before this one, when this one is one too many.';
create index pulse_check_ins_conflict_idx on pulse_check_ins (table_id, id) where conflict is not null;
grant insert (party), update (party) on pulse_rows to pulse_app;
grant update (conflict) on pulse_check_ins to pulse_app;

create or replace function app.row_json(r pulse_rows) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', r.id, 'table_id', r.table_id, 'name', r.name, 'email', r.email,
    'barcode', r.barcode, 'category', r.category, 'status', r.status, 'valid_from', app.utc(r.valid_from),
    'valid_until', app.utc(r.valid_until), 'attention_note', r.attention_note, 'party', r.party, 'data', r.data, 'source', r.source,
    'version', r.version, 'created_at', app.utc(r.created_at), 'updated_at', app.utc(r.updated_at));
end
$$;
create or replace function app.check_in_json(c pulse_check_ins) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', c.id, 'table_id', c.table_id, 'row_id', c.row_id, 'seq', c.seq, 'verdict', c.verdict,
    'reason', c.reason, 'direction', c.direction, 'barcode', c.barcode, 'gate', c.gate, 'session_id', c.session_id,
    'scanner_name', c.scanner_name, 'scanner_email', c.scanner_email, 'check_in_time', app.utc(c.check_in_time),
    'scanned_at', app.utc(c.scanned_at), 'sent_at', app.utc(c.sent_at), 'received_at', app.utc(c.received_at),
    'clock_skew_ms', c.clock_skew_ms, 'force_sent', c.force_sent, 'forced', c.forced, 'overrode', c.overrode,
    'walk_in', c.walk_in, 'scan_count', c.scan_count, 'last_scanned_at', app.utc(c.last_scanned_at),
    'row_data', c.row_data, 'notes', c.notes, 'people', c.people,
    'offline', c.offline, 'device', c.device, 'conflict', c.conflict, 'answers', c.answers,
    'annulled_at', app.utc(c.annulled_at), 'annulled_by', c.annulled_by);
end
$$;

-- Settings, scanners and the next rows of a table. What the object asks from is what it has: that is
-- remembered, so the minute sweep knows which objects missed a poke. An empty page proves that it has all
-- rows up to rows_seq as read before, so the object pulls until a page is empty.
-- Without sorts, so that pages come off the index in order: after an import the statistics are late, and a plan
-- made for an empty list would read and sort all of a full one for every page.
create or replace function app.pull_list(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp set enable_sort = off as $$
declare
  v_table   uuid := (p ->> 'table_id')::uuid;
  v_limit   integer := least(coalesce((p ->> 'limit')::integer, 2000), 10000);
  v_rows    bigint := coalesce((p ->> 'rows_seq')::bigint, -1);
  v_after   uuid := coalesce((p ->> 'row_id')::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_devices bigint := coalesce((p ->> 'devices_seq')::bigint, -1);
  v_config  bigint := coalesce((p ->> 'config_seq')::bigint, -1);
  result    jsonb;
  changed   jsonb;
begin
  perform app.system_only();
  select app.enabled_json(e, true) || jsonb_build_object('tenant_id', e.tenant_id, 'name', t.name,
      'timezone', t.timezone, 'deleted', t.deleted_at is not null, 'row_count', t.row_count, 'rows_seq', t.rows_seq,
      'devices_seq', e.devices_seq, 'config_seq', e.version + t.version)
  into result
  from pulse_enabled_tables e join pulse_tables t on t.id = e.table_id where e.table_id = v_table;
  if result is null then
    return null;
  end if;

  select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('id', r.id, 'name', r.name, 'email', r.email,
      'barcode', r.barcode, 'category', r.category, 'status', r.status, 'valid_from', app.utc(r.valid_from),
      'valid_until', app.utc(r.valid_until), 'attention_note', r.attention_note, 'party', nullif(r.party, 1), 'source', r.source,
      'change_seq', r.change_seq, 'deleted', case when r.deleted_at is not null then true end))
      order by r.change_seq, r.id), '[]')
  into changed
  from (select * from pulse_rows where table_id = v_table and (change_seq, id) > (v_rows, v_after)
        order by change_seq, id limit v_limit) r;

  if jsonb_array_length(changed) = 0 then
    v_rows := (result ->> 'rows_seq')::bigint;
  else
    v_rows := -1;
  end if;
  update pulse_enabled_tables set seen_rows_seq = greatest(seen_rows_seq, v_rows),
    seen_devices_seq = greatest(seen_devices_seq, v_devices), seen_config_seq = greatest(seen_config_seq, v_config)
  where table_id = v_table and (seen_rows_seq < v_rows or seen_devices_seq < v_devices or seen_config_seq < v_config);
  return jsonb_build_object('config', result, 'rows', changed, 'more', jsonb_array_length(changed) = v_limit,
    'devices', (select coalesce(jsonb_agg(app.session_json(s) || jsonb_build_object('change_seq', s.change_seq)
                                          order by s.change_seq), '[]')
                from pulse_scanner_sessions s where s.table_id = v_table and s.change_seq > v_devices));
end
$$;

-- Shows log entries as check-ins. The order of steps is the lock order; within a batch it does not matter,
-- because repeats and annulments name the record they touch and first_of_guest is settled at the end.
-- Planned anew at each call, because an event grows faster than kept plans and statistics follow; and records
-- are found by their id alone, which leaves the planner one index to choose.
create or replace function app.apply_scans(p_table uuid, p_entries jsonb) returns void language plpgsql
set search_path = pg_catalog, public, app, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  guests uuid[];
begin
  update pulse_scanner_sessions s set total_scans = s.total_scans + n.scans, last_seen_at = greatest(s.last_seen_at, n.seen)
  from (select (e ->> 'session_id')::uuid as id, count(*) as scans, max((e ->> 'received_at')::timestamptz) as seen
        from jsonb_array_elements(p_entries) e
        where e ->> 'kind' = 'scan' and e ->> 'session_id' is not null group by 1) n
  where s.id = n.id;

  insert into pulse_rows (id, tenant_id, table_id, name, email, barcode, category, party, source, created_at, updated_at)
  select (w ->> 'id')::uuid, app.tenant(), p_table, coalesce(w ->> 'name', ''), w ->> 'email', w ->> 'barcode',
         w ->> 'category', coalesce((w ->> 'party')::smallint, 1), 'walk_in', (e ->> 'received_at')::timestamptz, (e ->> 'received_at')::timestamptz
  from jsonb_array_elements(p_entries) e, lateral (select e -> 'new_row') x (w)
  where jsonb_typeof(w) = 'object'
  on conflict (id) do nothing;

  insert into pulse_check_ins (
    id, tenant_id, table_id, row_id, seq, verdict, reason, direction, barcode, gate, session_id, actor_kind, actor_id,
    scanner_name, scanner_email, check_in_time, scanned_at, sent_at, received_at, clock_skew_ms, force_sent, forced,
    overrode, walk_in, first_of_guest, inside_delta, last_scanned_at, row_data, notes, nonce, people, offline, device,
    conflict, answers)
  select e.check_in_id, app.tenant(), p_table, e.row_id, e.seq, e.verdict, e.reason, e.direction, e.barcode, e.gate,
    e.session_id, e.actor ->> 'kind', (e.actor ->> 'id')::uuid, e.scanner ->> 'name', e.scanner ->> 'email',
    e.check_in_time, e.scanned_at, e.sent_at, e.received_at, coalesce(e.clock_skew_ms, 0), coalesce(e.force_sent, false),
    coalesce(e.forced, false), e.overrode, coalesce(e.walk_in, false), coalesce(e.first_of_guest, false),
    coalesce(e.inside_delta, 0), e.check_in_time, nullif(e.guest, 'null'), e.notes, e.nonce_key,
    coalesce(e.people, 1), e.offline, e.device, nullif(e.conflict, 'null'), coalesce(e.answers, '{}')
  from jsonb_to_recordset(p_entries) as e (
    seq bigint, check_in_id uuid, row_id uuid, effect text, verdict text, reason text, direction text, barcode text,
    gate text, session_id uuid, actor jsonb, scanner jsonb, check_in_time timestamptz, scanned_at timestamptz,
    sent_at timestamptz, received_at timestamptz, clock_skew_ms bigint, force_sent boolean, forced boolean, overrode text,
    walk_in boolean, first_of_guest boolean, inside_delta smallint, guest jsonb, notes text, nonce_key text,
    people smallint, offline text, device text, conflict jsonb, answers jsonb)
  where e.effect in ('admit', 'exit', 'refuse')
  order by e.seq;

  update pulse_check_ins c set scan_count = c.scan_count + n.scans, last_scanned_at = greatest(c.last_scanned_at, n.latest)
  from (select (e ->> 'check_in_id')::uuid as id, count(*) as scans, max((e ->> 'check_in_time')::timestamptz) as latest
        from jsonb_array_elements(p_entries) e where e ->> 'effect' = 'repeat' group by 1) n
  where c.id = n.id;

  -- An entry that became known late, or was undone, changes which entries are one too many. The last word of a
  -- batch holds.
  update pulse_check_ins c set conflict = n.conflict
  from (select distinct on (r ->> 'check_in_id') (r ->> 'check_in_id')::uuid as id, nullif(r -> 'conflict', 'null') as conflict
        from jsonb_array_elements(p_entries) e, jsonb_array_elements(e -> 'reelected') r
        where jsonb_typeof(e -> 'reelected') = 'array'
        order by r ->> 'check_in_id', (e ->> 'seq')::bigint desc) n
  where c.id = n.id;

  -- The entry says what the undo does to the people inside (nothing, when they had left already). Materialized:
  -- under row-level security a cast in the join condition would keep it from using the index.
  with n as materialized (
    select (e ->> 'seq')::bigint as seq, (e #>> '{annuls,check_in_id}')::uuid as id, (e ->> 'at')::timestamptz as at,
           (e #>> '{actor,id}')::uuid as by, coalesce((e ->> 'inside_delta')::smallint, 0) as delta
    from jsonb_array_elements(p_entries) e where e ->> 'effect' = 'annul'),
  annulled as (
    update pulse_check_ins c
    set annulled_at = n.at, annulled_by = n.by, annul_seq = n.seq, inside_delta = c.inside_delta + n.delta
    from n where c.id = n.id and c.annulled_at is null
    returning c.row_id)
  select array_agg(distinct row_id) filter (where row_id is not null) into guests from annulled;

  if guests is not null then
    -- A guest admitted twice stays checked in by the other record.
    update pulse_check_ins c set first_of_guest = (c.seq = f.seq)
    from (select row_id, min(seq) as seq from pulse_check_ins
          where table_id = p_table and row_id = any (guests) and verdict = 'accepted' and direction = 'entry'
            and annulled_at is null
          group by row_id) f
    where c.table_id = p_table and c.row_id = f.row_id and c.verdict = 'accepted' and c.direction = 'entry'
      and c.annulled_at is null and c.first_of_guest is distinct from (c.seq = f.seq);
  end if;
end
$$;

create or replace function app.commit_import(p jsonb) returns jsonb language plpgsql
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
                            valid_until, attention_note, party, data, source, created_at, updated_at)
    select coalesce((row ->> 'id')::uuid, gen_random_uuid()), tenant_id, table_id, coalesce(row ->> 'name', ''),
           row ->> 'email', row ->> 'barcode', row ->> 'category', coalesce(row ->> 'status', 'confirmed'),
           (row ->> 'valid_from')::timestamptz, (row ->> 'valid_until')::timestamptz, row ->> 'attention_note',
           coalesce((row ->> 'party')::smallint, 1),
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

call app.seal();
