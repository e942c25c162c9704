//! The local stacks: Postgres, the runtime and what stands between them.
//!
//! Invariant: one stack per folder under `.pulse/`; nothing of a stack outlives its command.
//! Failure: leftovers of a command that was killed are removed when the next one starts.

pub mod bouncer;
pub mod control;
pub mod database;
pub mod folder;
pub mod guard;
pub mod migrations;
pub mod postgres;
pub mod runtime;
pub mod scratch;
pub mod secrets;
pub mod seed;
pub mod shop;
pub mod stack;
