//! Faults that are really done to the running stack: processes killed, Postgres stopped, storage
//! lost.
//!
//! Invariant: one fault at a time, so every test takes the lock first; run apart from the other
//! tests, which a killed runtime would disturb.
//! Failure: the promise that was broken, with the operations that show it.

use tokio::sync::{Mutex, MutexGuard};

#[path = "faults/budgets.rs"]
mod budgets;
#[path = "faults/crowd.rs"]
mod crowd;
#[path = "faults/cut.rs"]
mod cut;
#[path = "faults/flush.rs"]
mod flush;
#[path = "faults/jurisdictions.rs"]
mod jurisdictions;
#[path = "faults/kill.rs"]
mod kill;
#[path = "faults/large.rs"]
mod large;
#[path = "faults/lost_storage.rs"]
mod lost_storage;
#[path = "faults/messages.rs"]
mod messages;
#[path = "faults/monitor.rs"]
mod monitor;
#[path = "faults/monitor_told.rs"]
mod monitor_told;
#[path = "faults/outbox.rs"]
mod outbox;
#[path = "faults/postgres.rs"]
mod postgres;
#[path = "faults/queues.rs"]
mod queues;
#[path = "faults/repeats.rs"]
mod repeats;
#[path = "faults/reports.rs"]
mod reports;
#[path = "faults/roster.rs"]
mod roster;
#[path = "faults/standing.rs"]
mod standing;

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Waits until no other fault is under way.
async fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().await
}
