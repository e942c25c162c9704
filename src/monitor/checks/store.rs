//! SQL of checks and their results.
//!
//! Invariant: every statement sees its tenant's checks only, below the table that is named; a change
//! locks its connection first, as runs do.
//! Failure: a check that is not there answers no row, which is 404. Constraint
//! `monitor_checks_name_key` means that the table has a check of that name.

use rules::monitor::TableName;
use rules::monitor::backfill::Backfill;
use serde::Deserialize;
use serde_json::Value;

use super::wire::{CheckPoint, CheckResult, MonitorCheck};
use crate::monitor::replica::Followed;
use crate::platform::pg::Statement;

/// What is no longer there.
#[derive(Deserialize)]
pub struct Gone {}

/// The table that a check is about.
#[derive(Deserialize)]
pub struct Named {
    /// Its schema and name on the replica.
    pub table: TableName,
}

/// What a change is made to.
#[derive(Deserialize)]
pub struct Known {
    /// The table that it is about.
    pub table: TableName,
    /// What it is.
    pub definition: Value,
    /// Its version.
    pub version: i64,
}

/// A check of a table that is there.
pub const INSERT: Statement<Value, Followed<MonitorCheck>> = Statement::new(
    "with made as (
       insert into monitor_checks as k (id, tenant_id, connection_id, table_id, name, kind,
              definition, every, enabled, backfill, created_by, created_at, updated_at)
       select ($1->>'id')::uuid, app.tenant(), t.connection_id, t.id, $1#>>'{definition,name}',
              $1#>>'{definition,kind}', $1->'definition', ($1#>>'{definition,every}')::int,
              ($1#>>'{definition,enabled}')::bool,
              ($1->'backfill') || jsonb_build_object('asked_at', app.utc(app.clock($1))),
              app.actor_id(), app.clock($1), app.clock($1)
         from monitor_tables t
        where t.id = ($1->>'table_id')::uuid
          and ((select count(*) from monitor_checks o where o.table_id = t.id) < 100
               or app.fail('PU409', 'too_many_checks', 'A table has at most 100 checks.'))
       returning k.*)
     select app.monitor_followed(app.monitor_check_json(made), made.connection_id) from made",
)
.conflicts(&[("monitor_checks_name_key", "check_exists")]);

/// The checks of a table; none when there is no such table.
pub const LIST: Statement<Value, Vec<MonitorCheck>> = Statement::new(
    "select (select coalesce(jsonb_agg(app.monitor_check_json(k) order by k.id), '[]')
               from monitor_checks k where k.table_id = t.id)
       from monitor_tables t where t.id = ($1->>'table_id')::uuid",
);

/// One check.
pub const GET: Statement<Value, MonitorCheck> = Statement::new(
    "select app.monitor_check_json(k) from monitor_checks k
      where k.id = ($1->>'id')::uuid and k.table_id = ($1->>'table_id')::uuid",
);

/// The table that a new check is about.
pub const TABLE: Statement<Value, Named> = Statement::new(
    "select jsonb_build_object('table', jsonb_build_object('schema', t.schema_name,
                                                           'name', t.table_name))
       from monitor_tables t where t.id = ($1->>'table_id')::uuid",
);

/// What a change is made to.
pub const KNOWN: Statement<Value, Known> = Statement::new(
    "select jsonb_build_object('definition', k.definition, 'version', k.version,
              'table', jsonb_build_object('schema', t.schema_name, 'name', t.table_name))
       from monitor_checks k join monitor_tables t on t.id = k.table_id
      where k.id = ($1->>'id')::uuid and k.table_id = ($1->>'table_id')::uuid",
);

/// Another definition. `anew` says that it measures something else, of which nothing is known yet; with
/// `backfill` its history is filled in anew.
pub const PATCH: Statement<Value, Followed<MonitorCheck>> = Statement::new(
    "with held as materialized (
       select c.id from monitor_connections c
        where c.id = (select k.connection_id from monitor_checks k where k.id = ($1->>'id')::uuid)
          for no key update)
     update monitor_checks as k
        set name = $1#>>'{definition,name}', kind = $1#>>'{definition,kind}',
            definition = $1->'definition', every = ($1#>>'{definition,every}')::int,
            enabled = ($1#>>'{definition,enabled}')::bool,
            state = case when ($1->>'anew')::bool then '{}' else k.state end,
            last_value = case when ($1->>'anew')::bool then null else k.last_value end,
            revision = k.revision + ($1->>'anew')::bool::int,
            backfill = case when $1 ? 'backfill'
                            then ($1->'backfill') || jsonb_build_object('asked_at', app.utc(app.clock($1)))
                            else k.backfill end,
            updated_at = app.clock($1)
       from held
      where k.id = ($1->>'id')::uuid and k.connection_id = held.id and k.table_id = ($1->>'table_id')::uuid
        and app.expect_version(k.version, ($1->>'if_match')::int)
     returning app.monitor_followed(app.monitor_check_json(k), k.connection_id)",
)
.conflicts(&[("monitor_checks_name_key", "check_exists")]);

/// Fills in its history anew, unless that is under way.
pub const BACKFILL: Statement<Value, Followed<Backfill>> = Statement::new(
    "with held as materialized (
       select c.id from monitor_connections c
        where c.id = (select k.connection_id from monitor_checks k where k.id = ($1->>'id')::uuid)
          for no key update)
     update monitor_checks as k
        set backfill = case when k.backfill->>'state' in ('waiting', 'running')
                             and $1#>>'{backfill,state}' = 'waiting' then k.backfill
                            else ($1->'backfill')
                                 || jsonb_build_object('asked_at', app.utc(app.clock($1))) end
       from held
      where k.id = ($1->>'id')::uuid and k.connection_id = held.id
        and k.table_id = ($1->>'table_id')::uuid
        and app.expect_version(k.version, ($1->>'version')::int)
     returning app.monitor_followed(k.backfill - 'progress', k.connection_id)",
);

/// Removes a check with what came of it.
pub const DELETE: Statement<Value, Followed<Gone>> = Statement::new(
    "with held as materialized (
       select c.id from monitor_connections c
        where c.id = (select k.connection_id from monitor_checks k where k.id = ($1->>'id')::uuid)
          for no key update)
     delete from monitor_checks k using held
      where k.id = ($1->>'id')::uuid and k.connection_id = held.id and k.table_id = ($1->>'table_id')::uuid
        and app.expect_version(k.version, ($1->>'if_match')::int)
     returning app.monitor_followed(jsonb_build_object('id', k.id), k.connection_id)",
);

/// What came of a check, newest first; none when there is no such check.
pub const RESULTS: Statement<Value, Vec<CheckResult>> = Statement::new(
    "select (select coalesce(jsonb_agg(app.monitor_result_json(r) order by r.at desc, r.revision desc), '[]')
               from (select r.* from monitor_results r
                      where r.check_id = k.id
                        and not (r.origin = 'backfill' and exists (
                              select from monitor_results o
                               where o.check_id = r.check_id and o.at = r.at
                                 and o.origin <> 'backfill'))
                        and ($1->>'from' is null or r.at >= ($1->>'from')::timestamptz)
                        and ($1->>'to' is null or r.at < ($1->>'to')::timestamptz)
                        and ($1->>'before' is null
                             or r.at <= ($1#>>'{before,0}')::timestamptz
                                and (r.at < ($1#>>'{before,0}')::timestamptz
                                     or r.revision < ($1#>>'{before,1}')::int))
                        and ($1->>'outcome' is null or r.outcome = $1->>'outcome')
                        and ($1->>'origin' is null or r.origin = $1->>'origin')
                      order by r.at desc, r.revision desc
                      limit ($1->>'limit')::int) r)
       from monitor_checks k
      where k.id = ($1->>'id')::uuid and k.table_id = ($1->>'table_id')::uuid",
);

/// What the check measured in a time, oldest first, as it measures now; none when there is no such
/// check. Of more points than are wanted, stretches of as many show every warning and failure, and of the
/// others the one that is furthest from their middle.
pub const HISTORY: Statement<Value, Vec<CheckPoint>> = Statement::new(
    "select (
       with points as (
         select r.at, r.value, r.low, r.high, r.outcome,
                row_number() over (order by r.at) as place, count(*) over () as count
           from monitor_results r
          where r.check_id = k.id and r.revision = k.revision
            and r.at >= ($1->>'from')::timestamptz and r.at < ($1->>'to')::timestamptz),
       stretches as (
         select p.*, p.outcome in ('warn', 'fail') as breach,
                case when p.count <= ($1->>'points')::int then p.place
                     else (p.place - 1) * ($1->>'points')::int / p.count end as stretch
           from points p),
       ranked as (
         select s.*, row_number() over (
                  partition by s.stretch, s.breach
                  order by abs(s.value - m.middle) desc nulls last, s.at) as rank,
                bool_or(s.breach) over (partition by s.stretch) as breached
           from stretches s
           join (select stretch, avg(value) as middle from stretches group by 1) m using (stretch))
       select coalesce(jsonb_agg(jsonb_build_object('at', app.utc(x.at), 'value', x.value,
                'low', x.low, 'high', x.high, 'outcome', x.outcome) order by x.at), '[]')
         from ranked x where x.breach or (x.rank = 1 and not x.breached))
       from monitor_checks k
      where k.id = ($1->>'id')::uuid and k.table_id = ($1->>'table_id')::uuid",
);

/// Where the object is that reads a table, if the caller may have it read.
pub const HOME: Statement<Value, Followed<Gone>> = Statement::new(
    "select jsonb_build_object('it', jsonb_build_object('id', t.id),
              'connection_id', t.connection_id, 'live', app.home())
       from monitor_tables t where t.id = ($1->>'table_id')::uuid",
);
