//! SQL of monitored tables.
//!
//! Invariant: every statement sees its tenant's tables only; a change locks its connection first, as
//! runs do.
//! Failure: a table that is not there answers no row, which is 404. Constraint
//! `monitor_tables_name_key` means that the table is watched already.

use serde::Deserialize;
use serde_json::Value;

use super::wire::MonitoredTable;
use crate::monitor::replica::Followed;
use crate::platform::pg::Statement;

/// What is no longer there.
#[derive(Deserialize)]
pub struct Gone {}

/// A table of a connection that is there.
pub const INSERT: Statement<Value, Followed<MonitoredTable>> = Statement::new(
    "with made as (
       insert into monitor_tables as t (id, tenant_id, connection_id, schema_name, table_name,
              description, owner, runbook_url, labels, enabled, created_by, created_at, updated_at)
       select ($1->>'id')::uuid, app.tenant(), c.id, $1->>'schema', $1->>'name',
              $1->>'description', $1->>'owner', $1->>'runbook_url', $1->'labels',
              ($1->>'enabled')::bool, app.actor_id(), app.clock($1), app.clock($1)
         from monitor_connections c
        where c.id = ($1->>'connection_id')::uuid
          and ((select count(*) from monitor_tables) < 2000
               or app.fail('PU409', 'too_many_tables', 'A tenant has at most 2000 tables.'))
       returning t.*)
     select app.monitor_followed(app.monitor_table_json(made), made.connection_id) from made",
)
.conflicts(&[("monitor_tables_name_key", "table_exists")]);

/// Tables, newest first.
pub const LIST: Statement<Value, Vec<MonitoredTable>> = Statement::new(
    "select coalesce(jsonb_agg(app.monitor_table_json(t) order by t.id desc), '[]')
       from (select t.* from monitor_tables t
              where ($1->>'before' is null or t.id < ($1->>'before')::uuid)
                and ($1->>'connection_id' is null
                     or t.connection_id = ($1->>'connection_id')::uuid)
              order by t.id desc
              limit ($1->>'limit')::int) t",
);

/// One table.
pub const GET: Statement<Value, MonitoredTable> = Statement::new(
    "select app.monitor_table_json(t) from monitor_tables t where t.id = ($1->>'id')::uuid",
);

/// Changes what is given.
pub const PATCH: Statement<Value, Followed<MonitoredTable>> = Statement::new(
    "with held as materialized (
       select c.id from monitor_connections c
        where c.id = (select t.connection_id from monitor_tables t where t.id = ($1->>'id')::uuid)
          for no key update)
     update monitor_tables as t
        set description = case when $1 ? 'description' then $1->>'description'
                               else t.description end,
            owner = case when $1 ? 'owner' then $1->>'owner' else t.owner end,
            runbook_url = case when $1 ? 'runbook_url' then $1->>'runbook_url'
                               else t.runbook_url end,
            labels = coalesce(nullif($1->'labels', 'null'), t.labels),
            enabled = coalesce(($1->>'enabled')::bool, t.enabled),
            updated_at = app.clock($1)
       from held
      where t.id = ($1->>'id')::uuid and t.connection_id = held.id
        and app.expect_version(t.version, ($1->>'if_match')::int)
     returning app.monitor_followed(app.monitor_table_json(t), t.connection_id)",
);

/// Removes a table with its checks and what came of them.
pub const DELETE: Statement<Value, Followed<Gone>> = Statement::new(
    "with held as materialized (
       select c.id from monitor_connections c
        where c.id = (select t.connection_id from monitor_tables t where t.id = ($1->>'id')::uuid)
          for no key update)
     delete from monitor_tables t using held
      where t.id = ($1->>'id')::uuid and t.connection_id = held.id
        and app.expect_version(t.version, ($1->>'if_match')::int)
     returning app.monitor_followed(jsonb_build_object('id', t.id), t.connection_id)",
);
