//! SQL of silences.
//!
//! Invariant: every statement sees its tenant's silences only. A change wakes the objects of all
//! connections that have alerts, because any of them may be concerned.
//! Failure: a silence that is not there answers no row, which is 404.

use serde::Deserialize;
use serde_json::Value;

use super::wire::Stored;
use crate::platform::pg::Statement;

/// What is no longer there.
#[derive(Deserialize)]
pub struct Gone {}

/// A new silence.
pub const INSERT: Statement<Value, Stored> = Statement::new(
    "insert into monitor_silences as s (id, tenant_id, settings, ends_at, created_by, created_at,
                                        updated_at)
     select ($1->>'id')::uuid, app.tenant(), $1->'settings', ($1->>'ends_at')::timestamptz,
            app.actor_id(), app.clock($1), app.clock($1)
      where ((select count(*) from monitor_silences o
               where o.ends_at is null or o.ends_at > app.clock($1)) < ($1->>'most')::int
             or app.fail('PU409', 'too_many_silences', 'A tenant has at most 200 silences.'))
        and app.monitor_rethink()
     returning app.monitor_silence_json(s)",
);

/// Silences, newest first.
pub const LIST: Statement<Value, Vec<Stored>> = Statement::new(
    "select coalesce(jsonb_agg(app.monitor_silence_json(s) order by s.id desc), '[]')
       from (select s.* from monitor_silences s
              where $1->>'before' is null or s.id < ($1->>'before')::uuid
              order by s.id desc
              limit ($1->>'limit')::int) s",
);

/// One silence.
pub const GET: Statement<Value, Stored> = Statement::new(
    "select app.monitor_silence_json(s) from monitor_silences s where s.id = ($1->>'id')::uuid",
);

/// Other settings.
pub const PATCH: Statement<Value, Stored> = Statement::new(
    "update monitor_silences as s
        set settings = $1->'settings', ends_at = ($1->>'ends_at')::timestamptz,
            updated_at = app.clock($1)
      where s.id = ($1->>'id')::uuid and app.monitor_rethink()
        and app.expect_version(s.version, ($1->>'if_match')::int)
     returning app.monitor_silence_json(s)",
);

/// Ends and removes a silence.
pub const DELETE: Statement<Value, Gone> = Statement::new(
    "delete from monitor_silences s
      where s.id = ($1->>'id')::uuid and app.monitor_rethink()
        and app.expect_version(s.version, ($1->>'if_match')::int)
     returning jsonb_build_object('id', s.id)",
);
