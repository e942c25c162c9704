//! SQL of webhook endpoints.
//!
//! Invariant: every statement sees its tenant's endpoints only. Of secrets, statements take and
//! answer what is sealed.
//! Failure: an endpoint or a table that is not there answers no row, which is 404.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::channel::Claimed;
pub use super::wire::Endpoint;
use crate::delivery::deliveries::Delivery;
use crate::delivery::store::{Take, Taken};
use crate::platform::pg::Statement;

/// An endpoint whose secret is new.
#[derive(Deserialize)]
pub struct Made {
    /// The endpoint.
    pub webhook: Endpoint,
    /// The secret, sealed.
    pub secret: String,
}

/// Another secret for an endpoint.
#[derive(Serialize)]
pub struct NewSecret {
    /// The endpoint.
    pub id: Uuid,
    /// The secret, sealed.
    pub secret: String,
    /// The version it must have.
    pub if_match: Option<i64>,
}

/// What is no longer there.
#[derive(Deserialize)]
pub struct Gone {}

/// Settles the deliveries that ended and claims the next.
pub const TAKE: Statement<Take, Taken<Claimed>> = Statement::new("select app.take_deliveries($1)");

/// A new endpoint.
pub const INSERT: Statement<Value, Made> = Statement::new(
    "insert into webhook_endpoints as e (id, tenant_id, url, events, table_id, description, enabled,
                                         secret, created_by, created_at, updated_at)
     select ($1->>'id')::uuid, app.tenant(), $1->>'url',
            array(select jsonb_array_elements_text($1->'events')), ($1->>'table_id')::uuid,
            $1->>'description', coalesce(($1->>'enabled')::bool, true), $1->>'secret',
            app.actor_id(), app.clock($1), app.clock($1)
      where ($1->>'table_id' is null
             or exists (select from pulse_tables t
                         where t.id = ($1->>'table_id')::uuid and t.deleted_at is null))
        and ((select count(*) from webhook_endpoints) < 50
             or app.fail('PU409', 'too_many_webhooks', 'A tenant has at most 50 webhooks.'))
     returning jsonb_build_object('webhook', app.webhook_json(e), 'secret', e.secret)",
);

/// Endpoints, newest first.
pub const LIST: Statement<Value, Vec<Endpoint>> = Statement::new(
    "select coalesce(jsonb_agg(app.webhook_json(e) order by e.id desc), '[]')
       from (select e.* from webhook_endpoints e
              where $1->>'before' is null or e.id < ($1->>'before')::uuid
              order by e.id desc
              limit ($1->>'limit')::int) e",
);

/// One endpoint.
pub const GET: Statement<Value, Endpoint> = Statement::new(
    "select app.webhook_json(e) from webhook_endpoints e where e.id = ($1->>'id')::uuid",
);

/// Changes what is given. Another address, or being enabled again, is a fresh start.
pub const PATCH: Statement<Value, Endpoint> = Statement::new(
    "update webhook_endpoints as e
        set url = coalesce($1->>'url', e.url),
            events = case when $1 ? 'events'
                          then array(select jsonb_array_elements_text($1->'events'))
                          else e.events end,
            table_id = case when $1 ? 'table_id' then ($1->>'table_id')::uuid else e.table_id end,
            description = case when $1 ? 'description' then $1->>'description'
                               else e.description end,
            enabled = coalesce(($1->>'enabled')::bool, e.enabled),
            failing_since = case when $1 ? 'url' or ($1->>'enabled')::bool then null
                                 else e.failing_since end,
            paused_until = case when $1 ? 'url' or ($1->>'enabled')::bool then null
                                else e.paused_until end,
            disabled_at = case ($1->>'enabled')::bool
                               when true then null
                               when false then coalesce(e.disabled_at, app.clock($1))
                               else e.disabled_at end,
            disabled_reason = case when ($1->>'enabled')::bool is null then e.disabled_reason end,
            updated_at = app.clock($1)
      where e.id = ($1->>'id')::uuid
        and ($1->>'table_id' is null
             or exists (select from pulse_tables t
                         where t.id = ($1->>'table_id')::uuid and t.deleted_at is null))
        and app.expect_version(e.version, ($1->>'if_match')::int)
     returning app.webhook_json(e)",
);

/// Removes an endpoint and all that was sent or is to be sent to it.
pub const DELETE: Statement<Value, Gone> = Statement::new(
    "delete from webhook_endpoints e
      where e.id = ($1->>'id')::uuid
        and app.expect_version(e.version, ($1->>'if_match')::int)
     returning jsonb_build_object('id', e.id)",
);

/// Another secret; the one before signs too for a day.
pub const ROTATE: Statement<NewSecret, Made> = Statement::new(
    "update webhook_endpoints as e
        set previous_secret = e.secret, previous_until = app.clock($1) + interval '24 hours',
            secret = $1->>'secret', updated_at = app.clock($1)
      where e.id = ($1->>'id')::uuid
        and app.expect_version(e.version, ($1->>'if_match')::int)
     returning jsonb_build_object('webhook', app.webhook_json(e), 'secret', e.secret)",
);

/// A `ping` for an endpoint.
pub const TEST: Statement<Value, Delivery> = Statement::new(
    "insert into deliveries as d (id, tenant_id, channel, endpoint_id, event_id, event_type,
                                  payload)
     select ($1->>'id')::uuid, app.tenant(), 'webhook', e.id,
            'evt_' || replace($1->>'id', '-', ''), 'ping', jsonb_build_object('webhook_id', e.id)
       from webhook_endpoints e
      where e.id = ($1->>'webhook_id')::uuid
        and (e.enabled or app.fail('PU409', 'webhook_disabled', 'Enable the webhook first.'))
     returning app.delivery_json(d)",
);
