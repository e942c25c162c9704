//! SQL of deliveries as people see them.
//!
//! Invariant: every statement sees its tenant's deliveries only.
//! Failure: a delivery or an endpoint that is not there answers no row, which is 404.

use serde_json::Value;

use super::wire::{Delivery, DeliveryDetail};
use crate::platform::pg::Statement;

/// Deliveries to an endpoint, newest first.
pub const LIST: Statement<Value, Vec<Delivery>> = Statement::new(
    "select (select coalesce(jsonb_agg(app.delivery_json(d) order by d.id desc), '[]')
               from (select d.* from deliveries d
                      where d.endpoint_id = e.id
                        and ($1->>'status' is null or d.status = $1->>'status')
                        and ($1->>'event' is null or d.event_type = $1->>'event')
                        and ($1->>'before' is null or d.id < ($1->>'before')::uuid)
                      order by d.id desc
                      limit ($1->>'limit')::int) d)
       from webhook_endpoints e
      where e.id = ($1->>'webhook_id')::uuid",
);

/// One delivery with its attempts, oldest first.
pub const GET: Statement<Value, DeliveryDetail> = Statement::new(
    "select app.delivery_json(d) || jsonb_build_object('attempts', (
              select coalesce(jsonb_agg(jsonb_build_object(
                       'number', a.number, 'at', app.utc(a.at), 'duration_ms', a.duration_ms,
                       'status', a.status, 'answer', a.answer, 'error', a.error)
                       order by a.number), '[]')
                from delivery_attempts a where a.delivery_id = d.id))
       from deliveries d
      where d.id = ($1->>'id')::uuid",
);

/// Makes a delivery due now, from the first step of the schedule.
pub const RETRY: Statement<Value, Delivery> = Statement::new(
    "update deliveries as d
        set status = 'pending', step = 0, due_at = now(), lease_until = null, settled_at = null
       from webhook_endpoints e
      where d.id = ($1->>'id')::uuid and e.id = d.endpoint_id
        and (e.enabled or app.fail('PU409', 'webhook_disabled', 'Enable the webhook first.'))
        and (d.status <> 'pending' or d.lease_until is null or d.lease_until <= now()
             or app.fail('PU409', 'being_sent', 'It is being sent at this moment.'))
     returning app.delivery_json(d)",
);
