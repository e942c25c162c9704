//! SQL of guest lists.
//!
//! Invariant: every statement sees its tenant's lists only, and of these the ones not deleted.
//! Failure: a list that is not there answers no row, which is 404.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Table;
use crate::checkin::Followed;
use crate::platform::pg::Statement;

/// A new list.
#[derive(Serialize)]
pub struct NewTable {
    pub id: Uuid,
    pub name: String,
    pub timezone: String,
}

/// Which lists.
#[derive(Serialize)]
pub struct Filter {
    /// Those older than this one.
    pub before: Option<Uuid>,
    pub limit: u32,
}

/// Which list, at which version.
#[derive(Serialize)]
pub struct Target {
    pub id: Uuid,
    pub if_match: Option<i64>,
}

/// What changes on a list; what is absent stays.
#[derive(Serialize)]
pub struct Change {
    #[serde(flatten)]
    pub target: Target,
    pub name: Option<String>,
    pub timezone: Option<String>,
}

/// What is no longer there.
#[derive(Deserialize)]
pub struct Gone {}

/// A new list.
pub const INSERT: Statement<NewTable, Table> = Statement::new(
    "insert into pulse_tables as t (id, tenant_id, name, timezone, created_at, updated_at)
     values (($1->>'id')::uuid, app.tenant(), $1->>'name', $1->>'timezone',
             app.clock($1), app.clock($1))
     returning app.table_json(t)",
);

/// Lists, newest first.
pub const LIST: Statement<Filter, Vec<Table>> = Statement::new(
    "select coalesce(jsonb_agg(found.json order by found.id desc), '[]')
       from (select t.id, app.table_json(t) as json
               from pulse_tables t
              where t.deleted_at is null
                and ($1->>'before' is null or t.id < ($1->>'before')::uuid)
              order by t.id desc
              limit ($1->>'limit')::int) found",
);

/// One list.
pub const GET: Statement<Target, Table> = Statement::new(
    "select app.table_json(t)
       from pulse_tables t
      where t.id = ($1->>'id')::uuid and t.deleted_at is null",
);

/// Changes what is given.
pub const PATCH: Statement<Change, Followed<Table>> = Statement::new(
    "update pulse_tables as t
        set name = coalesce($1->>'name', t.name),
            timezone = coalesce($1->>'timezone', t.timezone),
            updated_at = app.clock($1)
      where t.id = ($1->>'id')::uuid and t.deleted_at is null
        and app.expect_version(t.version, ($1->>'if_match')::int)
     returning app.followed(app.table_json(t), t.id)",
);

/// Takes a list away; its guests and their history stay in the database. While it is scanned, it
/// stays.
pub const DELETE: Statement<Target, Gone> = Statement::new(
    "update pulse_tables as t
        set deleted_at = app.clock($1), updated_at = app.clock($1)
      where t.id = ($1->>'id')::uuid and t.deleted_at is null
        and app.expect_version(t.version, ($1->>'if_match')::int)
        and (not exists (select from pulse_enabled_tables e where e.table_id = t.id and e.enabled)
             or app.fail('PU409', 'table_enabled', 'Disable check-in on this list first.'))
     returning jsonb_build_object('id', t.id)",
);
