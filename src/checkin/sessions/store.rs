//! SQL of scanner sessions.
//!
//! Invariant: every statement sees its tenant's rows only.
//! Failure: a table on which check-in was never enabled is 404.

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::pairing::{Exchanged, Started};
use crate::checkin::Followed;
use crate::platform::pg::{Function, Statement};

/// A new session on a table with check-in.
pub const INSERT: Statement<Value, Followed<Value>> =
    Statement::new("select app.at_home(app.add_session($1))");

/// Sessions, newest first.
pub const LIST: Statement<Value, Vec<Value>> = Statement::new(
    "select coalesce(jsonb_agg(app.session_json(s) order by s.id desc), '[]')
       from (select s.* from pulse_scanner_sessions s
              where ($1->>'table_id' is null or s.table_id = ($1->>'table_id')::uuid
                     or s.id in (select x.session_id from pulse_session_tables x
                                  where x.table_id = ($1->>'table_id')::uuid and not x.removed))
                and ($1->>'active' is null or s.is_active = ($1->>'active')::bool)
                and ($1->>'before' is null or s.id < ($1->>'before')::uuid)
              order by s.id desc
              limit ($1->>'limit')::int) s",
);

/// Changes what is given.
pub const PATCH: Statement<Value, Followed<Changed>> =
    Statement::new("select app.at_home(app.change_session($1))");

/// A session that was changed.
#[derive(Deserialize)]
pub struct Changed {
    /// What it is now.
    pub session: Value,
    /// Its further tables, those that were taken away too.
    pub told: Vec<Uuid>,
}

/// The pairing token of a session.
pub const START_PAIRING: Statement<Value, Started> =
    Statement::new("select app.start_pairing($1) || jsonb_build_object('id', $1->'id')");

/// A pairing token for a device token, before anyone is known.
pub const PAIR: Function<Value, Exchanged> =
    Function::new("select app.pair($1::text::jsonb)::text");

/// A new generation of device tokens.
pub const ROLL: Statement<Value, Followed<Value>> =
    Statement::new("select app.at_home(app.roll_session($1))");

/// Closes for good.
pub const REVOKE: Statement<Value, Followed<Value>> =
    Statement::new("select app.at_home(app.revoke_session($1))");
