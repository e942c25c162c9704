//! The glue between the product and where it runs: requests, Postgres, objects, sockets, secrets.
//!
//! Invariant: nothing here knows a product; products know this, never the other way round.
//! Failure: every fault of the platform becomes an [`error::Error`] with a stable code.

pub mod boundary;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod ctx;
pub mod error;
pub mod http;
pub mod live;
pub mod log;
pub mod object;
pub mod outbound;
pub mod pg;
pub mod queue;
pub mod scope;
pub mod signatures;
pub mod tcp;
pub mod token;
