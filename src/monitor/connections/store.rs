//! SQL of connections.
//!
//! Invariant: every statement sees its tenant's connections only. Of passwords, statements take what
//! is sealed and answer it to the object of the connection alone.
//! Failure: a connection that is not there answers no row, which is 404.

use serde::Deserialize;
use serde_json::Value;

use super::wire::{ConnectionImpact, Known, MonitorConnection};
use crate::monitor::replica::Followed;
use crate::platform::pg::Statement;

/// What is no longer there.
#[derive(Deserialize)]
pub struct Gone {}

/// Nothing but who asks.
#[derive(Deserialize)]
pub struct Nothing {}

/// Verifies that the caller may write; answers nothing else.
pub const WHOSE: Statement<Value, Nothing> = Statement::new("select '{}'::jsonb");

/// A new connection. From now on there is a channel of alerts to subscribe to.
pub const INSERT: Statement<Value, MonitorConnection> = Statement::new(
    "with live as (
       insert into realtime_channels (tenant_id, channel) values (app.tenant(), 'alerts')
       on conflict do nothing)
     insert into monitor_connections as c (id, tenant_id, name, host, port, database, username,
            secret, sslmode, allow_primary, primary_reason, lag_limit_seconds, budget_statements,
            budget_milliseconds, budget_buffers, enabled, created_by, created_at, updated_at)
     select ($1->>'id')::uuid, app.tenant(), $1->>'name', $1->>'host', ($1->>'port')::int,
            $1->>'database', $1->>'username', $1->>'secret', $1->>'sslmode',
            ($1->>'allow_primary')::bool, $1->>'primary_reason',
            ($1->>'lag_limit_seconds')::int, ($1#>>'{budget,statements}')::int,
            ($1#>>'{budget,milliseconds}')::int, ($1#>>'{budget,buffers}')::bigint,
            ($1->>'enabled')::bool, app.actor_id(), app.clock($1), app.clock($1)
      where ((select count(*) from monitor_connections) < 50
             or app.fail('PU409', 'too_many_connections', 'A tenant has at most 50 connections.'))
     returning app.monitor_connection_json(c)",
);

/// Connections, newest first.
pub const LIST: Statement<Value, Vec<MonitorConnection>> = Statement::new(
    "select coalesce(jsonb_agg(app.monitor_connection_json(c) order by c.id desc), '[]')
       from (select c.* from monitor_connections c
              where $1->>'before' is null or c.id < ($1->>'before')::uuid
              order by c.id desc
              limit ($1->>'limit')::int) c",
);

/// One connection.
pub const GET: Statement<Value, MonitorConnection> = Statement::new(
    "select app.monitor_connection_json(c) from monitor_connections c
      where c.id = ($1->>'id')::uuid",
);

/// What a change is checked against.
pub const KNOWN: Statement<Value, Known> = Statement::new(
    "select jsonb_build_object('host', c.host, 'port', c.port, 'sslmode', c.sslmode,
              'allow_primary', c.allow_primary, 'primary_reason', c.primary_reason,
              'secret_version', c.secret_version, 'version', c.version)
       from monitor_connections c where c.id = ($1->>'id')::uuid",
);

/// Changes what is given, and says where the object is that follows it.
pub const PATCH: Statement<Value, Followed<MonitorConnection>> = Statement::new(
    "update monitor_connections as c
        set name = coalesce($1->>'name', c.name),
            host = coalesce($1->>'host', c.host),
            port = coalesce(($1->>'port')::int, c.port),
            database = coalesce($1->>'database', c.database),
            username = coalesce($1->>'username', c.username),
            secret = coalesce($1->>'secret', c.secret),
            secret_version = coalesce(($1->>'secret_version')::int, c.secret_version),
            sslmode = coalesce($1->>'sslmode', c.sslmode),
            allow_primary = coalesce(($1->>'allow_primary')::bool, c.allow_primary),
            primary_reason = case when $1 ? 'primary_reason' then $1->>'primary_reason'
                                  else c.primary_reason end,
            lag_limit_seconds = coalesce(($1->>'lag_limit_seconds')::int, c.lag_limit_seconds),
            budget_statements = coalesce(($1#>>'{budget,statements}')::int, c.budget_statements),
            budget_milliseconds = coalesce(($1#>>'{budget,milliseconds}')::int,
                                           c.budget_milliseconds),
            budget_buffers = coalesce(($1#>>'{budget,buffers}')::bigint, c.budget_buffers),
            enabled = coalesce(($1->>'enabled')::bool, c.enabled),
            updated_at = app.clock($1)
      where c.id = ($1->>'id')::uuid
        and app.expect_version(c.version, ($1->>'if_match')::int)
     returning app.monitor_followed(app.monitor_connection_json(c), c.id)",
);

/// Removes a connection with all that hangs on it, and says where the object is that was its own.
pub const DELETE: Statement<Value, Followed<Gone>> = Statement::new(
    "delete from monitor_connections c
      where c.id = ($1->>'id')::uuid
        and app.expect_version(c.version, ($1->>'if_match')::int)
     returning app.monitor_followed(jsonb_build_object('id', c.id), c.id)",
);

/// Where the object of a connection is, if the caller may have it asked.
pub const HOME: Statement<Value, Followed<Gone>> = Statement::new(
    "select jsonb_build_object('it', jsonb_build_object('id', c.id), 'connection_id', c.id,
                               'live', app.home())
       from monitor_connections c where c.id = ($1->>'id')::uuid",
);

/// What was spent in the hours of the last week, newest first.
pub const IMPACT: Statement<Value, ConnectionImpact> = Statement::new(
    "select jsonb_build_object('breaker', c.breaker,
              'budget', jsonb_build_object('statements', c.budget_statements,
                          'milliseconds', c.budget_milliseconds, 'buffers', c.budget_buffers),
              'hours', (
                select coalesce(jsonb_agg(jsonb_build_object('hour', app.utc(l.hour),
                         'statements', l.statements, 'milliseconds', l.milliseconds,
                         'buffers', l.buffers, 'runs', l.runs, 'skipped', l.skipped)
                         order by l.hour desc), '[]')
                  from monitor_ledger l
                 where l.connection_id = c.id and l.hour > app.clock($1) - interval '7 days'))
       from monitor_connections c where c.id = ($1->>'id')::uuid",
);
