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
pub mod cases;
pub mod checkin;
pub mod civil;
pub mod data;
pub mod delivery;
pub mod email;
pub mod export;
pub mod guest_import;
pub mod guest_row;
pub mod id;
pub mod idempotency;
pub mod invalid;
pub mod live;
pub mod name;
pub mod outbound;
pub mod page;
pub mod password;
pub mod patch;
pub mod rate;
pub mod roles;
pub mod time;
pub mod token;
