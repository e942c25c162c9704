//! The realtime protocol as pure code: what a channel remembers, what frames say, what a socket may
//! do next.
//!
//! Invariant: a reader that recovers gets every event once and in order, or is told that it has to
//! read the snapshot; there is no third answer.
//! Failure: a frame that breaks the protocol closes its own socket and no other.

pub mod cases;
pub mod close;
pub mod frame;
pub mod log;
pub mod session;
pub mod standing;

/// How long a socket may stay silent before it counts as gone, in milliseconds: a ping every 25 s,
/// and 8 s for it to arrive.
pub const ALIVE_WITHIN_MS: i64 = 33_000;

/// Whether a socket last heard of at `seen_ms` still counts as there.
pub fn alive(seen_ms: i64, now_ms: i64) -> bool {
    now_ms.saturating_sub(seen_ms) <= ALIVE_WITHIN_MS
}
