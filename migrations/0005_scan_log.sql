-- Between the live object and Postgres: what it pulls (list, scanners, settings, its own log) and the batches
-- of scans that it flushes.
--
-- Invariant: the log has no holes (a batch that would leave one is refused), an entry is applied once however
-- often its batch arrives, and an entry that cannot be applied never holds up the ones behind it.
-- Failure: PU409 seq_gap (detail = the seq to send from), PU404 table_not_enabled, PU403 for any other caller.

create function app.system_only() returns void language plpgsql as $$
begin
  if app.actor_kind() <> 'system' then
    perform app.fail('PU403', 'role_not_allowed', 'Only the live object does this.');
  end if;
end
$$;

-- Settings, scanners and the next rows of a table. What the object asks from is what it has: that is
-- remembered, so the minute sweep knows which objects missed a poke. An empty page proves that it has all
-- rows up to rows_seq as read before, so the object pulls until a page is empty.
-- Without sorts, so that pages come off the index in order: after an import the statistics are late, and a plan
-- made for an empty list would read and sort all of a full one for every page.
create function app.pull_table(p jsonb) returns jsonb language plpgsql
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
      'valid_until', app.utc(r.valid_until), 'attention_note', r.attention_note, 'source', r.source,
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

create function app.pull_log(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp set enable_sort = off as $$
declare
  v_table uuid := (p ->> 'table_id')::uuid;
  v_limit integer := least(coalesce((p ->> 'limit')::integer, 2000), 10000);
  entries jsonb;
begin
  perform app.system_only();
  select coalesce(jsonb_agg(l.entry order by l.seq), '[]') into entries
  from (select seq, entry from pulse_scan_log where table_id = v_table and seq > coalesce((p ->> 'after')::bigint, 0)
        order by seq limit v_limit) l;
  return jsonb_build_object('entries', entries, 'more', jsonb_array_length(entries) = v_limit,
    'last_seq', (select last_seq from pulse_enabled_tables where table_id = v_table));
end
$$;

-- Shows log entries as check-ins. The order of steps is the lock order; within a batch it does not matter,
-- because repeats and annulments name the record they touch and first_of_guest is settled at the end.
-- Planned anew at each call, because an event grows faster than kept plans and statistics follow; and records
-- are found by their id alone, which leaves the planner one index to choose.
create function app.apply_scans(p_table uuid, p_entries jsonb) returns void language plpgsql
set search_path = pg_catalog, public, app, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  guests uuid[];
begin
  update pulse_scanner_sessions s set total_scans = s.total_scans + n.scans, last_seen_at = greatest(s.last_seen_at, n.seen)
  from (select (e ->> 'session_id')::uuid as id, count(*) as scans, max((e ->> 'received_at')::timestamptz) as seen
        from jsonb_array_elements(p_entries) e
        where e ->> 'kind' = 'scan' and e ->> 'session_id' is not null group by 1) n
  where s.id = n.id;

  insert into pulse_rows (id, tenant_id, table_id, name, email, barcode, category, source, created_at, updated_at)
  select (w ->> 'id')::uuid, app.tenant(), p_table, coalesce(w ->> 'name', ''), w ->> 'email', w ->> 'barcode',
         w ->> 'category', 'walk_in', (e ->> 'received_at')::timestamptz, (e ->> 'received_at')::timestamptz
  from jsonb_array_elements(p_entries) e, lateral (select e -> 'new_row') x (w)
  where jsonb_typeof(w) = 'object'
  on conflict (id) do nothing;

  insert into pulse_check_ins (
    id, tenant_id, table_id, row_id, seq, verdict, reason, direction, barcode, gate, session_id, actor_kind, actor_id,
    scanner_name, scanner_email, check_in_time, scanned_at, sent_at, received_at, clock_skew_ms, force_sent, forced,
    overrode, walk_in, first_of_guest, inside_delta, last_scanned_at, row_data, notes, nonce)
  select e.check_in_id, app.tenant(), p_table, e.row_id, e.seq, e.verdict, e.reason, e.direction, e.barcode, e.gate,
    e.session_id, e.actor ->> 'kind', (e.actor ->> 'id')::uuid, e.scanner ->> 'name', e.scanner ->> 'email',
    e.check_in_time, e.scanned_at, e.sent_at, e.received_at, coalesce(e.clock_skew_ms, 0), coalesce(e.force_sent, false),
    coalesce(e.forced, false), e.overrode, coalesce(e.walk_in, false), coalesce(e.first_of_guest, false),
    coalesce(e.inside_delta, 0), e.check_in_time, nullif(e.guest, 'null'), e.notes, e.nonce_key
  from jsonb_to_recordset(p_entries) as e (
    seq bigint, check_in_id uuid, row_id uuid, effect text, verdict text, reason text, direction text, barcode text,
    gate text, session_id uuid, actor jsonb, scanner jsonb, check_in_time timestamptz, scanned_at timestamptz,
    sent_at timestamptz, received_at timestamptz, clock_skew_ms bigint, force_sent boolean, forced boolean, overrode text,
    walk_in boolean, first_of_guest boolean, inside_delta smallint, guest jsonb, notes text, nonce_key text)
  where e.effect in ('admit', 'exit', 'refuse')
  order by e.seq;

  update pulse_check_ins c set scan_count = c.scan_count + n.scans, last_scanned_at = greatest(c.last_scanned_at, n.latest)
  from (select (e ->> 'check_in_id')::uuid as id, count(*) as scans, max((e ->> 'check_in_time')::timestamptz) as latest
        from jsonb_array_elements(p_entries) e where e ->> 'effect' = 'repeat' group by 1) n
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

create function app.flush_scans(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  v_table   uuid := (p ->> 'table_id')::uuid;
  v_known   bigint;
  v_first   bigint;
  v_last    bigint;
  v_count   bigint;
  entries   jsonb := p -> 'entries';
  fresh     bigint[];
  failed    bigint[] := '{}';
  conflicts bigint[];
  one       jsonb;
begin
  perform app.system_only();
  if jsonb_path_exists(p, '$.entries[*].new_row') then
    perform from pulse_tables where id = v_table for no key update; -- walk-ins: first in the lock order
  end if;
  select last_seq into v_known from pulse_enabled_tables where table_id = v_table;
  if not found then
    perform app.fail('PU404', 'table_not_enabled', 'Check-in is not enabled for this table.');
  end if;
  select min(x.seq), max(x.seq), count(distinct x.seq) into v_first, v_last, v_count
  from jsonb_array_elements(entries) e, lateral (select (e ->> 'seq')::bigint) x (seq);
  if v_first > v_known + 1 or v_last - v_first + 1 <> v_count then
    perform app.fail('PU409', 'seq_gap', (v_known + 1)::text);
  end if;

  -- A twin of this batch waits here until the first commits, and then finds nothing fresh.
  with stored as (
    insert into pulse_scan_log (tenant_id, table_id, seq, nonce_key, entry)
    select app.tenant(), v_table, (e ->> 'seq')::bigint, e ->> 'nonce_key', e
    from jsonb_array_elements(entries) e order by 3
    on conflict (table_id, seq) do nothing returning seq)
  select coalesce(array_agg(seq order by seq), '{}') into fresh from stored;

  -- Known entries must be the same ones: a difference means two objects gave out one number.
  if cardinality(fresh) < v_count then
    with sent as materialized (select (e ->> 'seq')::bigint as seq, e as entry from jsonb_array_elements(entries) e)
    select array_agg(l.seq order by l.seq) into conflicts
    from sent join pulse_scan_log l on l.table_id = v_table and l.seq = sent.seq
    where sent.seq <> all (fresh) and l.entry <> sent.entry;
    select coalesce(jsonb_agg(e), '[]') into entries
    from jsonb_array_elements(entries) e where (e ->> 'seq')::bigint = any (fresh);
  end if;

  if cardinality(fresh) > 0 then
    begin
      perform app.apply_scans(v_table, entries);
    exception when data_exception or integrity_constraint_violation then
      for one in select e from jsonb_array_elements(entries) e order by (e ->> 'seq')::bigint loop
        begin
          perform app.apply_scans(v_table, jsonb_build_array(one));
        exception when data_exception or integrity_constraint_violation then
          update pulse_scan_log set error = sqlerrm where table_id = v_table and seq = (one ->> 'seq')::bigint;
          failed := failed || (one ->> 'seq')::bigint;
        end;
      end loop;
    end;
  end if;

  update pulse_enabled_tables set last_seq = greatest(last_seq, v_last),
    reported_seq = greatest(reported_seq, v_last, (p ->> 'head')::bigint)
  where table_id = v_table and (last_seq < v_last or reported_seq < greatest(v_last, (p ->> 'head')::bigint))
  returning last_seq into v_known;
  return jsonb_build_object(
    'last_seq', greatest(v_known, (select last_seq from pulse_enabled_tables where table_id = v_table)),
    'applied', cardinality(fresh) - cardinality(failed), 'failed', to_jsonb(failed),
    'conflicts', coalesce(to_jsonb(conflicts), '[]'));
end
$$;

grant execute on function app.system_only(), app.pull_table(jsonb), app.pull_log(jsonb), app.apply_scans(uuid, jsonb),
  app.flush_scans(jsonb) to pulse_app;
call app.seal();
