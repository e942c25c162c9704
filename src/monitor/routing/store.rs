//! SQL of routes of alerts.
//!
//! Invariant: every statement sees its tenant's routes and channels only; a route leads to channels
//! that are there when it is written.
//! Failure: a route that is not there answers no row, which is 404; a channel that is not there is
//! 422.

use serde::Deserialize;
use serde_json::Value;

use super::wire::{AlertRoute, AlertRoutes, RoutingIn};
use crate::platform::pg::Statement;

/// What is no longer there.
#[derive(Deserialize)]
pub struct Gone {}

/// A new route.
pub const INSERT: Statement<Value, AlertRoute> = Statement::new(
    "insert into monitor_routes as r (id, tenant_id, position, settings, enabled, created_by,
                                      created_at, updated_at)
     select ($1->>'id')::uuid, app.tenant(),
            coalesce(($1->>'position')::int,
                     (select coalesce(max(o.position), 0) + 10 from monitor_routes o)),
            $1->'settings', coalesce(($1->>'enabled')::bool, true), app.actor_id(),
            app.clock($1), app.clock($1)
      where ((select count(*) from monitor_routes) < ($1->>'most')::int
             or app.fail('PU409', 'too_many_routes', 'A tenant has at most 100 routes.'))
        and app.monitor_channels($1->'settings') and app.monitor_rethink()
     returning app.monitor_route_json(r)",
);

/// All routes, in the order they are tried.
pub const LIST: Statement<Value, AlertRoutes> = Statement::new(
    "select jsonb_build_object(
              'mode', coalesce((select s.route_mode from monitor_settings s), 'first'),
              'items', (select coalesce(jsonb_agg(app.monitor_route_json(r)
                                                  order by r.position, r.id), '[]')
                          from monitor_routes r))",
);

/// One route.
pub const GET: Statement<Value, AlertRoute> = Statement::new(
    "select app.monitor_route_json(r) from monitor_routes r where r.id = ($1->>'id')::uuid",
);

/// Other settings.
pub const PATCH: Statement<Value, AlertRoute> = Statement::new(
    "update monitor_routes as r
        set settings = $1->'settings', position = coalesce(($1->>'position')::int, r.position),
            enabled = coalesce(($1->>'enabled')::bool, r.enabled), updated_at = app.clock($1)
      where r.id = ($1->>'id')::uuid
        and app.monitor_channels($1->'settings') and app.monitor_rethink()
        and app.expect_version(r.version, ($1->>'if_match')::int)
     returning app.monitor_route_json(r)",
);

/// Removes a route.
pub const DELETE: Statement<Value, Gone> = Statement::new(
    "delete from monitor_routes r
      where r.id = ($1->>'id')::uuid and app.monitor_rethink()
        and app.expect_version(r.version, ($1->>'if_match')::int)
     returning jsonb_build_object('id', r.id)",
);

/// Says which of the routes that match decide.
pub const MODE: Statement<Value, RoutingIn> = Statement::new(
    "insert into monitor_settings as s (tenant_id, route_mode)
     select app.tenant(), $1->>'mode' where app.monitor_rethink()
     on conflict (tenant_id) do update set route_mode = excluded.route_mode
     returning jsonb_build_object('mode', s.route_mode)",
);
