//! `GET /health`: does everything that is needed answer?
//!
//! Invariant: the answer comes within about a second, whatever is away, and tells nothing secret.
//! Failure: 503 when the database or the live objects do not answer. A queue or cron that stands
//! still is `degraded` and 200, because calls are still answered.

use std::time::Duration;

use futures_util::future::join;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::store;
use crate::checkin;
use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::http::{Access, Answer, Body, Call, Reply, Route, json as ok, routes};
use crate::platform::object::{self, Address, Caller};
use crate::platform::pg::within;
use crate::platform::scope::{Credential, Jurisdiction};

/// How long a part may take to answer.
const PATIENCE: Duration = Duration::from_millis(900);
/// A heartbeat older than this, in seconds, has stopped: cron and queue beat every minute.
const STALE: i64 = 180;

/// How Pulse is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// The sum of the checks.
    pub status: HealthStatus,
    /// The parts.
    pub checks: HealthChecks,
    /// Of the Worker.
    pub version: &'static str,
}

/// The sum of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// All is well.
    Ok,
    /// Calls are answered, but background work stands still.
    Degraded,
    /// Calls cannot be answered.
    Down,
}

/// The parts.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthChecks {
    /// A round trip to Postgres.
    pub database: Trip,
    /// A round trip to a live object.
    pub objects: Trip,
    /// When a background job last ran.
    pub queue: Beat,
    /// When the minute tick last ran.
    pub cron: Beat,
}

/// A round trip.
#[derive(Debug, Serialize, ToSchema)]
pub struct Trip {
    /// Whether it was answered.
    pub ok: bool,
    /// Milliseconds.
    pub ms: i64,
}

/// A heartbeat.
#[derive(Debug, Serialize, ToSchema)]
pub struct Beat {
    /// Whether it is recent.
    pub ok: bool,
    /// Seconds; none when it never came or cannot be read.
    pub age_seconds: Option<i64>,
}

/// Asks every part, at once.
pub async fn check(ctx: &Ctx) -> Health {
    let asked = json!({});
    let database = timed(within(PATIENCE, ctx.pg.function(&store::HEALTH, &asked)));
    let objects = timed(within(PATIENCE, ping(ctx)));
    let ((beats, database), (_, objects)) = join(database, objects).await;
    let beat = |name: &str| {
        let age = beats.as_ref()?.heartbeats.get(name)?.age_seconds;
        Some(age)
    };
    let checks = HealthChecks {
        database,
        objects,
        queue: beat_of(beat("queue")),
        cron: beat_of(beat("cron")),
    };
    Health {
        status: checks.sum(),
        checks,
        version: env!("CARGO_PKG_VERSION"),
    }
}

impl HealthChecks {
    fn sum(&self) -> HealthStatus {
        match (
            self.database.ok && self.objects.ok,
            self.queue.ok && self.cron.ok,
        ) {
            (true, true) => HealthStatus::Ok,
            (true, false) => HealthStatus::Degraded,
            (false, _) => HealthStatus::Down,
        }
    }
}

fn beat_of(age: Option<i64>) -> Beat {
    Beat {
        ok: age.is_some_and(|age| age < STALE),
        age_seconds: age,
    }
}

async fn timed<T>(work: impl Future<Output = Result<T>>) -> (Option<T>, Trip) {
    let began = clock::now();
    let outcome = work.await;
    let ms = (clock::now() - began).num_milliseconds();
    let trip = Trip {
        ok: outcome.is_ok(),
        ms,
    };
    (outcome.ok(), trip)
}

/// Reaches the object of no table, which answers without touching its storage.
async fn ping(ctx: &Ctx) -> Result<()> {
    let address = Address {
        binding: checkin::BINDING,
        id: Uuid::nil(),
        jurisdiction: Jurisdiction::None,
        region: None,
    };
    let caller = Caller {
        credential: Credential::System,
        tenant: None,
        now: ctx.now,
        request_id: ctx.request_id.clone(),
    };
    object::call(ctx, &address, "ping", &caller, "")
        .await
        .map(drop)
}

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![__path_get_health, get_health => Access::Public;]
}

/// Whether Pulse can do its work.
#[utoipa::path(get, path = "/health", operation_id = "get_health",
    responses((status = 200, body = Health), (status = 503, body = Health)))]
async fn get_health(call: Call<'_>) -> Answer {
    let health = check(call.ctx).await;
    if health.status != HealthStatus::Down {
        return ok(&health);
    }
    let body = serde_json::to_string(&health)?;
    Ok(Reply::new(503, Body::Text("application/json", body)).header("retry-after", "1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks(database: bool, objects: bool, queue: Option<i64>) -> HealthChecks {
        HealthChecks {
            database: Trip {
                ok: database,
                ms: 1,
            },
            objects: Trip { ok: objects, ms: 1 },
            queue: beat_of(queue),
            cron: beat_of(Some(0)),
        }
    }

    #[test]
    fn background_work_that_stands_still_does_not_take_pulse_down() {
        assert_eq!(checks(true, true, Some(59)).sum(), HealthStatus::Ok);
        assert_eq!(checks(true, true, Some(181)).sum(), HealthStatus::Degraded);
        assert_eq!(checks(true, true, None).sum(), HealthStatus::Degraded);
        assert_eq!(checks(false, true, Some(1)).sum(), HealthStatus::Down);
        assert_eq!(checks(true, false, Some(1)).sum(), HealthStatus::Down);
    }
}
