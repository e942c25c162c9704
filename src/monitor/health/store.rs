//! SQL of the monitor's health.
//!
//! Invariant: across tenants it answers times only; which connections are late, their tenant is told.
//! Failure: with Postgres away nothing is known, which is no health.

use serde_json::Value;

use super::{LateConnection, Pace};
use crate::platform::pg::{Function, Statement};

/// How late the scheduler is.
pub const PACE: Function<Value, Pace> =
    Function::new("select app.monitor_pace($1::text::jsonb)::text");

/// Which of the tenant's connections are late, the latest first.
pub const LATE: Statement<Value, Vec<LateConnection>> = Statement::new(
    "select coalesce(jsonb_agg(jsonb_build_object('id', x.id, 'name', x.name,
              'late_seconds', x.late) order by x.late desc), '[]')
       from (select c.id, c.name, floor(extract(epoch from app.clock($1) - c.due_at)) as late
               from monitor_connections c
              where c.due_at < app.clock($1) - ($1->>'patience')::int * interval '1 second'
              order by c.due_at limit 50) x",
);
