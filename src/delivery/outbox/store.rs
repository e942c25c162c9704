//! SQL of the outbox.
//!
//! Invariant: every statement sees its tenant's messages only, and of those what was kept here.
//! Failure: what is not there answers no row, which is 404.

use serde::Deserialize;
use serde_json::Value;

use super::wire::Kept;
use crate::platform::pg::Statement;

/// What is kept, and whether whoever asks may speak for its recipient.
#[derive(Deserialize)]
pub struct Found {
    /// What is kept.
    #[serde(flatten)]
    pub kept: Kept,
    /// Whether it is somebody who manages the tenant's messages.
    pub manages: bool,
}

/// What is kept, newest first.
pub const LIST: Statement<Value, Vec<Kept>> = Statement::new(
    "select coalesce(jsonb_agg(app.message_json(d) order by d.id desc), '[]')
       from (select d.* from message_deliveries d
              where d.channel_kind = 'outbox' and d.status = 'sent'
                and ($1->>'recipient' is null or lower(d.recipient) = lower($1->>'recipient'))
                and ($1->>'before' is null or d.id < ($1->>'before')::uuid)
              order by d.id desc
              limit ($1->>'limit')::int) d",
);

/// One of them.
pub const GET: Statement<Value, Found> = Statement::new(
    "select app.message_json(d)
            || jsonb_build_object('manages', coalesce(app.role() in ('admin', 'manager'), false))
       from message_deliveries d
      where d.id = ($1->>'id')::uuid and d.channel_kind = 'outbox' and d.status = 'sent'",
);
