//! SQL of badge templates.
//!
//! Invariant: every statement sees its tenant's rows only.
//! Failure: a table on which check-in was never enabled is 404.

use serde_json::Value;

use super::{Change, Stored};
use crate::checkin::Followed;
use crate::platform::pg::Statement;

/// The template of a table.
pub const GET: Statement<Value, Stored> = Statement::new(
    "select jsonb_build_object('badge_template', e.badge_template, 'version', e.version)
       from pulse_enabled_tables e
      where e.table_id = ($1->>'table_id')::uuid",
);

/// Replaces it.
pub const PUT: Statement<Change, Followed<Stored>> = Statement::new(
    "update pulse_enabled_tables as e
        set badge_template = nullif($1->'badge_template', 'null'),
            version = e.version + 1, updated_at = app.clock($1)
      where e.table_id = ($1->>'table_id')::uuid
        and app.expect_version(e.version, ($1->>'if_match')::int)
     returning app.followed(jsonb_build_object('badge_template', e.badge_template,
                                               'version', e.version), e.table_id)",
);
