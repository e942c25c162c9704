//! SQL of guest keys.
//!
//! Invariant: every statement sees its tenant's rows only.
//! Failure: a table on which check-in was never enabled is 404.

use serde_json::Value;

use super::Key;
use crate::checkin::Followed;
use crate::platform::pg::Statement;

/// The key of a table.
pub const KEY: Statement<Value, Key> = Statement::new(
    "select jsonb_build_object('guest_key', e.guest_key, 'enabled', e.enabled, 'guest_scanning',
                               coalesce((e.settings->>'guest_scanning')::bool, false))
       from pulse_enabled_tables e
      where e.table_id = ($1->>'table_id')::uuid",
);

/// Replaces it.
pub const ROLL: Statement<Value, Followed<Key>> = Statement::new(
    "with rolled as (
       update pulse_enabled_tables as e
          set guest_key = $1->>'guest_key', version = e.version + 1, updated_at = app.clock($1)
        where e.table_id = ($1->>'table_id')::uuid
       returning e.*)
     select app.followed(jsonb_build_object('guest_key', r.guest_key, 'enabled', r.enabled,
                           'guest_scanning', coalesce((r.settings->>'guest_scanning')::bool, false)),
                         r.table_id)
       from rolled r",
);
