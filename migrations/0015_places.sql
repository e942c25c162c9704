-- Where live objects are, answered by the statements that change what they follow.
--
-- Invariant: a change to a list on which check-in was never enabled names no object, so none is called into being
-- before enabling places it in the region of its tenant.
-- Failure: none; the minute sweep looks after objects that were not told.

-- Where the caller's tenant keeps its objects.
create function app.home() returns jsonb
language sql stable security definer set search_path = pg_catalog, public, app, pg_temp as $$
  select jsonb_build_object('jurisdiction', n.jurisdiction, 'region', n.region) from tenants n where n.id = app.tenant()
$$;

-- What came of a change, and where the object of its list is, if there is one. Volatile, so that it sees who enabled
-- check-in while the change waited for the list.
create function app.followed(p_it jsonb, p_table uuid) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
begin
  if p_it is null then
    return null;
  end if;
  return jsonb_build_object('it', p_it, 'live', case when exists (
    select from pulse_enabled_tables e where e.table_id = p_table and e.tenant_id = app.tenant()) then app.home() end);
end
$$;

-- The same where there is one for certain.
create function app.at_home(p_it jsonb) returns jsonb language sql stable as $$
  select jsonb_build_object('it', p_it, 'live', app.home()) where p_it is not null
$$;

grant execute on function app.home() to pulse_app, pulse_definer;
grant execute on function app.followed(jsonb, uuid), app.at_home(jsonb) to pulse_app;
call app.seal();
