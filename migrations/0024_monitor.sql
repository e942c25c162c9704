-- The monitor: connections to read replicas and what was asked of them.
--
-- Invariant: the password of a connection is here sealed only, for this tenant, this row and this version of it. One
-- object owns the socket of a connection; what it asked is counted per hour, so that what we cost can be shown.
-- Lock order: connection, table, check, alert, incident, message.
-- Failure: a connection whose object has lost its alarm is found by its due_at.

create table monitor_connections (
  id                  uuid not null constraint monitor_connections_pkey primary key,
  tenant_id           uuid not null constraint monitor_connections_tenant_fkey references tenants on delete cascade,
  name                text not null,
  host                text not null,
  port                integer not null default 5432,
  database            text not null,
  username            text not null,
  secret              text not null,
  secret_version      integer not null default 1,
  sslmode             text not null default 'require',
  allow_primary       boolean not null default false,
  primary_reason      text,
  lag_limit_seconds   integer not null default 300,
  budget_statements   integer not null default 3600,
  budget_milliseconds integer not null default 300000,
  budget_buffers      bigint not null default 2000000,
  enabled             boolean not null default true,
  due_at              timestamptz,
  last_run_at         timestamptz,
  last_ok_at          timestamptz,
  last_error          text,
  last_error_code     text,
  lag_ms              bigint,
  server_version      text,
  breaker             text not null default 'closed',
  version             integer not null default 1,
  created_by          uuid,
  created_at          timestamptz not null default now(),
  updated_at          timestamptz not null default now(),
  constraint monitor_connections_tenant_id_key unique (tenant_id, id),
  constraint monitor_connections_name_check check (length(name) between 1 and 120),
  constraint monitor_connections_host_check check (length(host) between 1 and 255),
  constraint monitor_connections_port_check check (port between 1 and 65535),
  constraint monitor_connections_database_check check (length(database) between 1 and 63),
  constraint monitor_connections_username_check check (length(username) between 1 and 63),
  constraint monitor_connections_sslmode_check check (sslmode in ('require', 'disable')),
  constraint monitor_connections_primary_check check (not allow_primary or primary_reason is not null),
  constraint monitor_connections_breaker_check check (breaker in ('closed', 'tight', 'open'))
) with (fillfactor = 80);
comment on column monitor_connections.secret is 'The password, sealed by the Worker for tenant, row and secret_version.';
comment on column monitor_connections.due_at is 'When its object has something to do next; null: there is nothing to do.';
comment on column monitor_connections.lag_limit_seconds is 'Above it, data checks say nothing.';
comment on column monitor_connections.budget_statements is 'Per hour, as the other two.';
create index monitor_connections_tenant_idx on monitor_connections (tenant_id, id);
create index monitor_connections_due_idx on monitor_connections (due_at) where due_at is not null;

-- What we asked of a replica, by the hour.
create table monitor_ledger (
  tenant_id     uuid not null,
  connection_id uuid not null,
  hour          timestamptz not null,
  statements    integer not null default 0,
  milliseconds  bigint not null default 0,
  buffers       bigint not null default 0,
  runs          integer not null default 0,
  skipped       jsonb not null default '{}',
  constraint monitor_ledger_pkey primary key (connection_id, hour),
  constraint monitor_ledger_connection_fkey foreign key (tenant_id, connection_id)
    references monitor_connections (tenant_id, id) on delete cascade
) with (fillfactor = 70);
comment on column monitor_ledger.skipped is 'What was not asked, by why.';
create index monitor_ledger_connection_idx on monitor_ledger (tenant_id, connection_id);
create index monitor_ledger_hour_idx on monitor_ledger (hour);

call app.protect('monitor_connections');
call app.protect('monitor_ledger');

grant select, delete,
      insert (id, tenant_id, name, host, port, database, username, secret, sslmode, allow_primary, primary_reason,
              lag_limit_seconds, budget_statements, budget_milliseconds, budget_buffers, enabled, created_by, created_at,
              updated_at),
      update (name, host, port, database, username, secret, secret_version, sslmode, allow_primary, primary_reason,
              lag_limit_seconds, budget_statements, budget_milliseconds, budget_buffers, enabled, due_at, last_run_at,
              last_ok_at, last_error, last_error_code, lag_ms, server_version, breaker, version, updated_at)
      on monitor_connections to pulse_app;
grant select, insert, update on monitor_ledger to pulse_app;
grant select on monitor_connections to pulse_definer;
grant select, delete on monitor_ledger to pulse_definer;

-- What its object notes of a connection is no change of it.
create trigger touch before update on monitor_connections for each row
  when ((old.name, old.host, old.port, old.database, old.username, old.secret, old.sslmode, old.allow_primary,
         old.primary_reason, old.lag_limit_seconds, old.budget_statements, old.budget_milliseconds, old.budget_buffers,
         old.enabled)
        is distinct from
        (new.name, new.host, new.port, new.database, new.username, new.secret, new.sslmode, new.allow_primary,
         new.primary_reason, new.lag_limit_seconds, new.budget_statements, new.budget_milliseconds, new.budget_buffers,
         new.enabled))
  execute function app.touch();

create function app.monitor_connection_json(c monitor_connections) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', c.id, 'name', c.name, 'host', c.host, 'port', c.port, 'database', c.database,
    'username', c.username, 'sslmode', c.sslmode, 'allow_primary', c.allow_primary, 'primary_reason', c.primary_reason,
    'lag_limit_seconds', c.lag_limit_seconds,
    'budget', jsonb_build_object('statements', c.budget_statements, 'milliseconds', c.budget_milliseconds,
                                 'buffers', c.budget_buffers),
    'enabled', c.enabled, 'breaker', c.breaker, 'due_at', app.utc(c.due_at), 'last_run_at', app.utc(c.last_run_at),
    'last_ok_at', app.utc(c.last_ok_at), 'last_error', c.last_error, 'last_error_code', c.last_error_code,
    'lag_ms', c.lag_ms, 'server_version', c.server_version, 'created_by', c.created_by, 'version', c.version,
    'created_at', app.utc(c.created_at), 'updated_at', app.utc(c.updated_at));
end
$$;

-- What the object of a connection opens it with; nobody else is told.
create function app.monitor_access(p jsonb) returns jsonb language plpgsql stable
set search_path = pg_catalog, public, app, pg_temp as $$
begin
  perform app.system_only();
  return (select jsonb_build_object('tenant_id', c.tenant_id, 'host', c.host, 'port', c.port, 'database', c.database,
            'username', c.username, 'secret', c.secret, 'secret_version', c.secret_version, 'sslmode', c.sslmode,
            'allow_primary', c.allow_primary, 'lag_limit_seconds', c.lag_limit_seconds, 'version', c.version,
            'enabled', c.enabled,
            'budget', jsonb_build_object('statements', c.budget_statements, 'milliseconds', c.budget_milliseconds,
                                         'buffers', c.budget_buffers))
          from monitor_connections c where c.id = (p ->> 'id')::uuid);
end
$$;

-- What came of a change, and where the object is that follows it: it looks at once, or the minute tick has it look.
create function app.monitor_followed(p_it jsonb, p_connection uuid) returns jsonb language plpgsql volatile
set search_path = pg_catalog, public, app, pg_temp as $$
begin
  update monitor_connections c set due_at = least(c.due_at, now())
  where c.id = p_connection and (c.due_at is null or c.due_at > now());
  return jsonb_build_object('it', p_it, 'connection_id', p_connection, 'live', app.home());
end
$$;

grant execute on function app.monitor_followed(jsonb, uuid) to pulse_app;
grant execute on function app.monitor_connection_json(monitor_connections) to pulse_app, pulse_definer;
grant execute on function app.monitor_access(jsonb) to pulse_app;
call app.seal();
