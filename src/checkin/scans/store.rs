//! SQL of check-in records.
//!
//! Invariant: every statement sees its tenant's rows only; records are written by the live objects.
//! Failure: a record that has not reached Postgres yet is 404 here.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::wire::Filter;
use crate::platform::pg::Statement;

/// Which records, and where to go on.
#[derive(Serialize)]
pub struct Position {
    /// Which.
    #[serde(flatten)]
    pub filter: Filter,
    /// Of a list: those older than this one.
    pub before: Option<Uuid>,
    /// Of an export: those newer than this one.
    pub after: Option<Uuid>,
    /// Of a list of one table: up to this place in its log.
    pub upto: Option<u64>,
    /// At most this many.
    pub limit: u32,
}

/// A page of an export.
#[derive(Deserialize)]
pub struct Exported {
    /// Oldest first, each as the API shows it.
    pub records: Vec<Box<RawValue>>,
    /// The last of them; none when no page follows.
    pub last: Option<Uuid>,
}

/// Records, newest first.
pub const LIST: Statement<Position, Vec<Value>> = Statement::new(
    "select coalesce(jsonb_agg(app.check_in_json(c) order by c.id desc), '[]')
       from (select c.* from pulse_check_ins c
              where ($1->>'table_id' is null or c.table_id = ($1->>'table_id')::uuid)
                and ($1->>'row_id' is null or c.row_id = ($1->>'row_id')::uuid)
                and ($1->>'session_id' is null or c.session_id = ($1->>'session_id')::uuid)
                and ($1->>'gate' is null or c.gate = $1->>'gate')
                and ($1->>'verdict' is null or c.verdict = $1->>'verdict')
                and ($1->>'from' is null or c.check_in_time >= ($1->>'from')::timestamptz)
                and ($1->>'to' is null or c.check_in_time < ($1->>'to')::timestamptz)
                and ($1->>'before' is null or c.id < ($1->>'before')::uuid)
                and (c.seq <= ($1->>'upto')::bigint) is not false
              order by c.id desc
              limit ($1->>'limit')::int) c",
);

/// Records, oldest first.
pub const EXPORT: Statement<Position, Exported> = Statement::new(
    "select jsonb_build_object('records', page.records,
              'last', case when jsonb_array_length(page.records) = ($1->>'limit')::int
                           then page.records->-1->'id' end)
       from (select coalesce(jsonb_agg(app.check_in_json(c) order by c.id), '[]') as records
               from (select c.* from pulse_check_ins c
                      where ($1->>'table_id' is null or c.table_id = ($1->>'table_id')::uuid)
                        and ($1->>'session_id' is null
                             or c.session_id = ($1->>'session_id')::uuid)
                        and ($1->>'gate' is null or c.gate = $1->>'gate')
                        and ($1->>'verdict' is null or c.verdict = $1->>'verdict')
                        and ($1->>'from' is null
                             or c.check_in_time >= ($1->>'from')::timestamptz)
                        and ($1->>'to' is null or c.check_in_time < ($1->>'to')::timestamptz)
                        and ($1->>'after' is null or c.id > ($1->>'after')::uuid)
                      order by c.id
                      limit ($1->>'limit')::int) c) page",
);

/// One record.
pub const GET: Statement<Value, Value> = Statement::new(
    "select app.check_in_json(c) from pulse_check_ins c where c.id = ($1->>'id')::uuid",
);
