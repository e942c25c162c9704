//! SQL of messages.
//!
//! Invariant: every statement sees its tenant's messages only.
//! Failure: what is not there answers no row, which is 404.

use serde_json::Value;

use super::letter::Content;
use super::outbox::Claimed;
use super::wire::{Message, MessageDetail};
use crate::delivery::store::{Take, Taken};
use crate::platform::pg::Statement;

/// Settles the deliveries that ended and claims the next.
pub const TAKE: Statement<Take, Taken<Claimed>> = Statement::new("select app.take_messages($1)");

/// What was posted, with its files.
pub const CONTENT: Statement<Value, Content> = Statement::new(
    "select to_jsonb(m) || jsonb_build_object('attachments', (
              select coalesce(jsonb_agg(jsonb_build_object(
                       'name', a.name, 'content_type', a.content_type, 'content_id', a.content_id,
                       'content', translate(encode(a.content, 'base64'), E'\\n', ''))
                       order by a.position), '[]')
                from message_attachments a where a.message_id = m.id))
       from messages m
      where m.id = ($1->>'id')::uuid",
);

/// Deliveries, newest first.
pub const LIST: Statement<Value, Vec<Message>> = Statement::new(
    "select coalesce(jsonb_agg(app.message_json(d) order by d.id desc), '[]')
       from (select d.* from message_deliveries d
              where ($1->>'source_kind' is null or d.source_kind = $1->>'source_kind')
                and ($1->>'source_id' is null or d.source_id = ($1->>'source_id')::uuid)
                and ($1->>'message_id' is null or d.message_id = ($1->>'message_id')::uuid)
                and ($1->>'status' is null or d.status = $1->>'status')
                and ($1->>'channel_id' is null or d.channel_id = ($1->>'channel_id')::uuid)
                and ($1->>'recipient' is null or lower(d.recipient) = lower($1->>'recipient'))
                and ($1->>'before' is null or d.id < ($1->>'before')::uuid)
              order by d.id desc
              limit ($1->>'limit')::int) d",
);

/// One delivery with its attempts, oldest first.
pub const GET: Statement<Value, MessageDetail> = Statement::new(
    "select app.message_json(d) || jsonb_build_object('attempts', (
              select coalesce(jsonb_agg(jsonb_build_object(
                       'number', a.number, 'at', app.utc(a.at), 'duration_ms', a.duration_ms,
                       'status', a.status, 'answer', a.answer, 'error', a.error)
                       order by a.number), '[]')
                from message_attempts a where a.delivery_id = d.id))
       from message_deliveries d
      where d.id = ($1->>'id')::uuid",
);

/// Makes a delivery due now, from the first step of the schedule.
pub const RETRY: Statement<Value, Message> = Statement::new("select app.retry_message($1)");
