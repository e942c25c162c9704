-- The rest of the rules at the door: guests who have not paid, and tables that everybody leaves at a time of day.
--
-- Invariant: exits_at is the next moment at which everybody leaves as the live object last said it; the minute tick
-- wakes objects whose moment has passed, which then say the next one.
-- Failure: an object that is not woken now is found by the next tick.

alter table pulse_rows drop constraint pulse_rows_status_check,
  add constraint pulse_rows_status_check check (status in ('confirmed', 'canceled', 'blocked', 'revoked', 'unpaid'));

alter table pulse_enabled_tables add column exits_at timestamptz;
comment on column pulse_enabled_tables.exits_at is 'When everybody leaves next; null where nobody is made to.';
create index pulse_enabled_tables_exits_idx on pulse_enabled_tables (exits_at) where exits_at is not null;
grant update (exits_at) on pulse_enabled_tables to pulse_app;

create function app.exits_due(p jsonb) returns jsonb
language sql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
  select coalesce(jsonb_agg(jsonb_build_object('table_id', x.table_id, 'tenant_id', x.tenant_id,
    'jurisdiction', x.jurisdiction) order by x.exits_at), '[]')
  from (
    select e.table_id, e.tenant_id, n.jurisdiction, e.exits_at
    from pulse_enabled_tables e join tenants n on n.id = e.tenant_id
    where e.enabled and e.exits_at < app.clock(p) - interval '30 seconds'
    order by e.exits_at limit 200) x
$$;
grant execute on function app.exits_due(jsonb) to pulse_app;
call app.seal();
