//! Whether the monitor does its work: are checks run when they are due?
//!
//! Invariant: it is read from what Postgres has, so that a schedule that stands still is seen by
//! whoever asks, not by itself.
//! Failure: 503 when the schedule stalls, or when nobody can tell.

pub mod http;
mod store;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::scope::Scope;

/// A connection may be this late, in seconds: the minute tick wakes an object that lost its alarm.
const PATIENCE: i64 = 150;
/// The minute tick may be this old, in seconds.
const TICK: i64 = 180;

/// How late the scheduler is.
#[derive(Deserialize)]
pub struct Pace {
    /// By how much the latest connection is late.
    late_seconds: Option<i64>,
    /// How long ago the minute tick was.
    tick_age_seconds: Option<i64>,
}

/// Whether checks run when they are due.
#[derive(Serialize, ToSchema)]
pub struct MonitorHealth {
    /// `ok`, or `stalled`.
    pub status: &'static str,
    /// By how much the connection that waits longest is late; 0 when none is.
    pub late_seconds: i64,
    /// How long ago the minute tick was.
    #[schema(required = true)]
    pub tick_age_seconds: Option<i64>,
    /// The caller's connections that are late, the latest first; none without a credential.
    #[schema(required = true)]
    pub late: Option<Vec<LateConnection>>,
}

/// A connection that is late.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct LateConnection {
    /// The connection.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// By how much, in seconds.
    pub late_seconds: i64,
}

impl MonitorHealth {
    /// Whether the schedule stands still.
    pub fn is_stalled(&self) -> bool {
        self.status != "ok"
    }
}

/// Looks.
pub async fn check(ctx: &Ctx, scope: Option<&Scope>) -> Result<MonitorHealth> {
    let pace = ctx
        .pg
        .function(&store::PACE, &json!({"now": ctx.now}))
        .await?;
    let late = match scope {
        Some(scope) => {
            let asked = json!({"now": ctx.now, "patience": PATIENCE});
            Some(ctx.pg.call(scope, &store::LATE, &asked).await?)
        }
        None => None,
    };
    let late_seconds = pace.late_seconds.unwrap_or_default().max(0);
    let ticks = pace.tick_age_seconds.is_some_and(|age| age < TICK);
    Ok(MonitorHealth {
        status: match late_seconds < PATIENCE && ticks {
            true => "ok",
            false => "stalled",
        },
        late_seconds,
        tick_age_seconds: pace.tick_age_seconds,
        late,
    })
}
