//! SQL of suppressions.
//!
//! Invariant: an address and a topic have one row; one that is there already stays as it is.
//! Failure: what is not there answers no row, which is 404.

use serde::Deserialize;
use serde_json::Value;

use super::wire::Suppression;
use crate::platform::pg::Statement;

/// What is no longer there, or is there now.
#[derive(Deserialize)]
pub struct Done {}

/// Suppresses an address; answers what was there before, if it was.
pub const INSERT: Statement<Value, Suppression> = Statement::new(
    "with made as (
       insert into suppressions (id, tenant_id, address, reason, note, created_by, created_at)
       values (($1->>'id')::uuid, app.tenant(), lower($1->>'address'), 'manual', $1->>'note',
               app.actor_id(), app.clock($1))
       on conflict do nothing
       returning *)
     select to_jsonb(s) || jsonb_build_object('created_at', app.utc(s.created_at))
       from (select * from made
             union all
             select * from suppressions where address = lower($1->>'address') and topic_id is null) s
      limit 1",
);

/// Unsubscribes an address from a topic.
pub const UNSUBSCRIBE: Statement<Value, Done> = Statement::new(
    "with made as (
       insert into suppressions (id, tenant_id, address, reason, topic_kind, topic_id)
       values (app.new_id(), app.tenant(), lower($1->>'address'), 'unsubscribe',
               $1->>'topic_kind', ($1->>'topic_id')::uuid)
       on conflict do nothing)
     select '{}'::jsonb",
);

/// Suppressions, newest first.
pub const LIST: Statement<Value, Vec<Suppression>> = Statement::new(
    "select coalesce(jsonb_agg(to_jsonb(s) || jsonb_build_object('created_at', app.utc(s.created_at))
                               order by s.id desc), '[]')
       from (select s.* from suppressions s
              where ($1->>'address' is null or s.address = lower($1->>'address'))
                and ($1->>'reason' is null or s.reason = $1->>'reason')
                and ($1->>'topic_id' is null or s.topic_id = ($1->>'topic_id')::uuid)
                and ($1->>'before' is null or s.id < ($1->>'before')::uuid)
              order by s.id desc
              limit ($1->>'limit')::int) s",
);

/// Lets messages go to an address again.
pub const DELETE: Statement<Value, Done> = Statement::new(
    "delete from suppressions s where s.id = ($1->>'id')::uuid returning '{}'::jsonb",
);

/// What a topic was called when something was last sent of it.
pub const TOPIC: Statement<Value, Option<String>> = Statement::new(
    "select to_jsonb(m.topic_name) from messages m
      where m.topic_kind = $1->>'topic_kind' and m.topic_id = ($1->>'topic_id')::uuid
      order by m.created_at desc limit 1",
)
.nullable();
