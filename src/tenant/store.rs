//! SQL of a tenant's live channels.
//!
//! Invariant: every statement sees its tenant's events only; what is answered is noted as sent.
//! Failure: a channel that nothing was ever emitted to is answered as empty.

use std::collections::BTreeMap;

use rules::roles::Role;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Place;
use crate::platform::pg::Statement;

/// Where a tenant's object is; verifies the caller by the way.
pub const PLACE: Statement<Value, Place> = Statement::new("select app.home()");

/// The role of each of `members`, in their order; none for who is nobody here any more.
pub const STANDING: Statement<Value, Vec<Option<Role>>> = Statement::new("select app.standing($1)");

/// A channel, and what is new there.
#[derive(Deserialize)]
pub struct Pulled {
    /// Which life of it.
    pub epoch: String,
    /// Its last event.
    pub offset: u64,
    /// The events after what was known, in order.
    pub events: Vec<Emitted>,
}

/// An event.
#[derive(Deserialize, Serialize)]
pub struct Emitted {
    /// Its place.
    pub offset: u64,
    /// When, RFC 3339.
    pub at: String,
    /// JSON.
    pub data: Box<RawValue>,
}

/// What is new in the channels of `after`: `{"alerts": {"epoch", "offset"}}`. At most `limit` events
/// of each; of a channel that is not known, or in another life, the newest `limit`.
pub const PULL: Statement<Value, BTreeMap<String, Pulled>> = Statement::new(
    "with heads as (
       select w.key as channel, c.epoch, c.last_offset,
              case when w.value->>'epoch' = c.epoch then (w.value->>'offset')::bigint
                   else greatest(c.last_offset - ($1->>'limit')::int, 0) end as known
         from jsonb_each($1->'after') w
         join realtime_channels c on c.channel = w.key),
     fresh as (
       select h.channel, e.\"offset\", e.created_at, e.data
         from heads h cross join lateral (
           select e.* from realtime_events e
            where e.channel = h.channel and e.\"offset\" > h.known
              and e.\"offset\" <= h.last_offset
            order by e.\"offset\" limit ($1->>'limit')::int) e),
     sent as (
       update realtime_events e set broadcast_at = now()
         from fresh f
        where e.channel = f.channel and e.\"offset\" = f.\"offset\" and e.broadcast_at is null)
     select coalesce(jsonb_object_agg(h.channel, jsonb_build_object('epoch', h.epoch,
              'offset', h.last_offset, 'events', (
                select coalesce(jsonb_agg(jsonb_build_object('offset', f.\"offset\",
                         'at', app.utc(f.created_at), 'data', f.data) order by f.\"offset\"), '[]')
                  from fresh f where f.channel = h.channel))), '{}')
       from heads h",
);
