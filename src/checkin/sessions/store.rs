//! SQL of scanner sessions.
//!
//! Invariant: every statement sees its tenant's rows only.
//! Failure: a table on which check-in was never enabled is 404.

use serde_json::Value;

use super::pairing::{Exchanged, Started};
use crate::platform::pg::{Function, Statement};

/// A new session on a table with check-in.
pub const INSERT: Statement<Value, Value> = Statement::new(
    "insert into pulse_scanner_sessions as s
            (id, tenant_id, table_id, name, gate, profile, scanner_name, scanner_email,
             device_info, created_by)
     select ($1->>'id')::uuid, app.tenant(), e.table_id, $1->>'name', $1->>'gate',
            coalesce($1->>'profile', 'scanner'), $1->>'scanner_name', $1->>'scanner_email',
            coalesce(nullif($1->'device_info', 'null'), '{}'), app.actor_id()
       from pulse_enabled_tables e
      where e.table_id = ($1->>'table_id')::uuid and e.enabled
     returning app.session_json(s)",
);

/// Sessions, newest first.
pub const LIST: Statement<Value, Vec<Value>> = Statement::new(
    "select coalesce(jsonb_agg(app.session_json(s) order by s.id desc), '[]')
       from (select s.* from pulse_scanner_sessions s
              where ($1->>'table_id' is null or s.table_id = ($1->>'table_id')::uuid)
                and ($1->>'active' is null or s.is_active = ($1->>'active')::bool)
                and ($1->>'before' is null or s.id < ($1->>'before')::uuid)
              order by s.id desc
              limit ($1->>'limit')::int) s",
);

/// Changes what is given.
pub const PATCH: Statement<Value, Value> = Statement::new(
    "update pulse_scanner_sessions as s
        set name = coalesce($1->>'name', s.name),
            gate = case when $1 ? 'gate' then $1->>'gate' else s.gate end,
            profile = coalesce($1->>'profile', s.profile),
            scanner_name = case when $1 ? 'scanner_name' then $1->>'scanner_name'
                                else s.scanner_name end,
            scanner_email = case when $1 ? 'scanner_email' then $1->>'scanner_email'
                                 else s.scanner_email end,
            device_info = coalesce(nullif($1->'device_info', 'null'), s.device_info),
            is_active = coalesce(($1->>'is_active')::bool, s.is_active),
            revoked_at = case when ($1->>'is_active')::bool then null else s.revoked_at end,
            version = s.version + 1, updated_at = app.clock($1)
      where s.id = ($1->>'id')::uuid
        and app.expect_version(s.version, ($1->>'if_match')::int)
     returning app.session_json(s)",
);

/// The pairing token of a session.
pub const START_PAIRING: Statement<Value, Started> =
    Statement::new("select app.start_pairing($1) || jsonb_build_object('id', $1->'id')");

/// A pairing token for a device token, before anyone is known.
pub const PAIR: Function<Value, Exchanged> =
    Function::new("select app.pair($1::text::jsonb)::text");

/// A new generation of device tokens.
pub const ROLL: Statement<Value, Value> = Statement::new("select app.roll_session($1)");

/// Closes for good.
pub const REVOKE: Statement<Value, Value> = Statement::new("select app.revoke_session($1)");
