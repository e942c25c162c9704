//! What Postgres finds to do when nobody calls.
//!
//! Invariant: it takes no state from whoever asks; asked twice at once it says the same as once.
//! Failure: with Postgres away there is nothing to be found; the next tick asks again.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::store;
pub use super::store::Due;
use crate::checkin::LiveTable;
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;

/// Beats the cron's heart and finds what is due.
pub async fn due(ctx: &Ctx) -> Result<Due> {
    let cron = json!({"name": "cron"});
    ctx.pg.function(&store::CRON, &cron).await
}

/// Beats the queue's heart.
pub async fn queue_moved(ctx: &Ctx) -> Result<()> {
    let queue = json!({"name": "queue"});
    ctx.pg.function(&store::BEAT, &queue).await.map(drop)
}

/// Objects that were to let everybody out and have not said that they did.
pub async fn exits_due(ctx: &Ctx) -> Result<Vec<LiveTable>> {
    ctx.pg.function(&store::EXITS, &json!({})).await
}

/// Deletes what has outlived its use; answers how much of each.
pub async fn sweep(ctx: &Ctx) -> Result<BTreeMap<String, Value>> {
    ctx.pg.function(&store::SWEEP, &json!({})).await
}
