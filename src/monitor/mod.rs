//! The monitor: finds broken production data within minutes, through read replicas, without ever
//! loading production.
//!
//! A connection leads to a replica, a table of it has checks, a check has results, and what they say
//! moves alerts. One object per connection owns the only socket and asks.
//! Invariant: at most one backend of ours per connection; nothing is asked of a server that is no
//! replica unless its owner says so; nothing is asked that no budget covers.
//! Failure: what could not be asked is a result too, and never opens or closes an alert about data.

mod connections;
mod replica;
mod tables;

use crate::platform::http::Module;

/// The routes of the monitor.
pub fn routes() -> Vec<Module> {
    let mut routes = connections::http::routes();
    routes.extend(tables::http::routes());
    vec![Module {
        tag: "Monitor",
        about: "Connections to read replicas, the tables watched there, and what was found.",
        routes,
    }]
}
