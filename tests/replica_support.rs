//! The replica of the monitor's tests does what its operations say, measured from the servers' side.
//!
//! Invariant: needs no Worker. What disturbs others has a cluster of its own.
//! Failure: the operation whose effect the servers do not show.

#[path = "replica_support/commands.rs"]
mod commands;
#[path = "replica_support/conflicts.rs"]
mod conflicts;
#[path = "replica_support/costs.rs"]
mod costs;
#[path = "replica_support/links.rs"]
mod links;
#[path = "replica_support/sessions.rs"]
mod sessions;

use tokio_postgres::error::SqlState;

/// The SQLSTATE of what failed.
#[track_caller]
fn code<T>(done: Result<T, tokio_postgres::Error>) -> SqlState {
    let error = done.err().expect("an error");
    match error.code() {
        Some(code) => code.clone(),
        None => panic!("no SQLSTATE: {error:?}"),
    }
}
