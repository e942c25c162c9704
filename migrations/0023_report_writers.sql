-- Writers of reports: who writes a tenant's reports, where that is not what the deployment says.
--
-- Invariant: a key is sealed by the Worker, and kept for the address it was given for: a change of the address
-- without a new key forgets it, so that nobody who may not read it can have it sent elsewhere.
-- Failure: PU412 when the setting is not the one that was seen.

create table report_writers (
  tenant_id  uuid not null constraint report_writers_pkey primary key
    constraint report_writers_tenant_fkey references tenants on delete cascade,
  kind       text not null,
  base_url   text,
  model      text,
  key_id     uuid,
  api_key    text,
  stream     boolean not null default true,
  version    integer not null default 1,
  updated_by uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint report_writers_kind_check check (kind in ('builtin', 'model')),
  constraint report_writers_model_check check (kind = 'builtin' or base_url is not null and model is not null),
  constraint report_writers_key_check check ((api_key is null) = (key_id is null)),
  constraint report_writers_base_url_check check (length(base_url) between 1 and 2048),
  constraint report_writers_model_name_check check (length(model) between 1 and 200)
);
comment on column report_writers.api_key is 'Sealed by the Worker for key_id.';
comment on column report_writers.key_id is 'New with each key.';
call app.protect('report_writers');
grant select, insert, update, delete on report_writers to pulse_app;
create trigger touch before update on report_writers for each row execute function app.touch();

create function app.report_writer_json(w report_writers) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('kind', w.kind, 'baseUrl', w.base_url, 'model', w.model, 'keySet', w.api_key is not null,
    'stream', w.stream, 'version', w.version, 'updatedAt', app.utc(w.updated_at));
end
$$;
-- Sets it; a key that is not given again is kept with its address.
create function app.set_report_writer(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_was report_writers;
  w     report_writers;
begin
  select * into v_was from report_writers where tenant_id = app.tenant() for update;
  perform app.expect_version(coalesce(v_was.version, 0), (p ->> 'if_match')::integer);
  if not p ? 'api_key' and v_was.base_url = p ->> 'base_url' then
    p := p || jsonb_build_object('api_key', v_was.api_key, 'key_id', v_was.key_id);
  end if;
  insert into report_writers as r (tenant_id, kind, base_url, model, key_id, api_key, stream, updated_by, created_at, updated_at)
  values (app.tenant(), p ->> 'kind', p ->> 'base_url', p ->> 'model', (p ->> 'key_id')::uuid, p ->> 'api_key',
          (p ->> 'stream')::boolean, app.actor_id(), app.clock(p), app.clock(p))
  on conflict (tenant_id) do update set kind = excluded.kind, base_url = excluded.base_url, model = excluded.model,
    key_id = excluded.key_id, api_key = excluded.api_key, stream = excluded.stream, updated_by = excluded.updated_by,
    updated_at = excluded.updated_at
  returning * into w;
  return app.report_writer_json(w);
end
$$;

-- What tenants take of the deployment's model: a row each, of the day of its last report.
create table report_writer_spending (
  tenant_id uuid not null constraint report_writer_spending_pkey primary key
    constraint report_writer_spending_tenant_fkey references tenants on delete cascade,
  day       date not null,
  tokens    bigint not null
);
comment on column report_writer_spending.day is 'UTC.';
call app.protect('report_writer_spending');
grant select, insert, update on report_writer_spending to pulse_app;

-- Counts tokens of today; answers all of today.
create function app.spend_report_tokens(p jsonb) returns jsonb language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_tokens bigint;
begin
  perform app.system_only();
  insert into report_writer_spending as s (tenant_id, day, tokens)
  values (app.tenant(), (now() at time zone 'UTC')::date, (p ->> 'tokens')::bigint)
  on conflict (tenant_id) do update set day = excluded.day,
    tokens = excluded.tokens + case when s.day = excluded.day then s.tokens else 0 end
  returning tokens into v_tokens;
  return to_jsonb(v_tokens);
end
$$;

grant execute on function app.report_writer_json(report_writers), app.set_report_writer(jsonb),
  app.spend_report_tokens(jsonb) to pulse_app;
call app.seal();
