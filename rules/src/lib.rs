//! Every decision Pulse makes, as pure functions.
//!
//! Invariant: no I/O, no clock and no randomness; time, identifiers and random bytes are arguments.
//! Failure: input that breaks a rule is answered with a typed refusal, never a panic.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]
#[cfg(feature = "server")]
pub mod alert;
#[cfg(feature = "server")]
pub mod budget;
#[cfg(feature = "server")]
pub mod cases;
#[cfg(feature = "server")]
pub mod chat;
pub mod checkin;
pub mod civil;
#[cfg(feature = "server")]
pub mod cron;
pub mod data;
#[cfg(feature = "server")]
pub mod delivery;
#[cfg(feature = "server")]
pub mod detector;
pub mod email;
#[cfg(feature = "server")]
pub mod export;
#[cfg(feature = "server")]
pub mod guest_import;
#[cfg(feature = "server")]
pub mod guest_row;
pub mod id;
#[cfg(feature = "server")]
pub mod idempotency;
pub mod invalid;
#[cfg(feature = "server")]
pub mod live;
#[cfg(feature = "server")]
pub mod measure;
#[cfg(feature = "server")]
pub mod monitor;
pub mod name;
#[cfg(feature = "server")]
pub mod outbound;
#[cfg(feature = "server")]
pub mod page;
#[cfg(feature = "server")]
pub mod password;
#[cfg(feature = "server")]
pub mod patch;
#[cfg(feature = "server")]
pub mod phone;
#[cfg(feature = "server")]
pub mod qr;
#[cfg(feature = "server")]
pub mod rate;
#[cfg(feature = "server")]
pub mod report;
pub mod roles;
#[cfg(feature = "server")]
pub mod schedule;
#[cfg(feature = "server")]
pub mod sql_guard;
pub mod time;
#[cfg(feature = "server")]
pub mod token;
#[cfg(feature = "server")]
pub mod xml;
