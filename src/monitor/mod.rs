//! The monitor: finds broken production data within minutes, through read replicas, without ever
//! loading production.
//!
//! A connection leads to a replica, a table of it has checks, a check has results, and what they say
//! moves alerts. One object per connection owns the only socket and asks.
//! Invariant: at most one backend of ours per connection; nothing is asked of a server that is no
//! replica unless its owner says so; nothing is asked that no budget covers.
//! Failure: what could not be asked is a result too, and never opens or closes an alert about data.

mod alerts;
mod checks;
mod connections;
mod health;
mod replica;
mod routing;
mod silences;
mod store;
mod tables;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::http::Module;

/// How many results are deleted at a time.
const SWEPT: u64 = 50_000;
/// How often in a day: what a thousand checks of every minute leave, several times over.
const SWEEPS: usize = 200;

/// The routes of the monitor.
pub fn routes() -> Vec<Module> {
    let mut routes = connections::http::routes();
    routes.extend(tables::http::routes());
    routes.extend(checks::http::routes());
    routes.extend(alerts::http::routes());
    routes.extend(silences::http::routes());
    routes.extend(routing::http::routes());
    routes.extend(health::http::routes());
    vec![Module {
        tag: "Monitor",
        about: "Connections to read replicas, the tables watched there, and what was found.",
        routes,
    }]
}

/// What a minute does for the monitor: wakes objects that lost their alarm.
pub async fn minute(ctx: &Ctx) -> Result<usize> {
    replica::wake(ctx).await
}

/// What a day does for the monitor: deletes results that nothing is learned from any more.
pub async fn daily(ctx: &Ctx) -> Result<Value> {
    let asked = json!({"limit": SWEPT});
    let mut all = Swept::default();
    for _ in 0..SWEEPS {
        let swept = ctx.pg.function(&store::SWEEP, &asked).await?;
        all.results += swept.results;
        all.hours += swept.hours;
        if swept.results < SWEPT {
            break;
        }
    }
    Ok(serde_json::to_value(all)?)
}

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct Swept {
    /// Results.
    results: u64,
    /// Hours of the ledger.
    hours: u64,
}
