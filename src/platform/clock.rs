//! The time, where it enters the product.
//!
//! Invariant: below the entry points time is an argument; nothing else reads a clock.
//! Failure: none.

use chrono::{DateTime, Utc};

/// Now, in whole milliseconds. In a deployed Worker the clock stands still while code runs.
pub fn now() -> DateTime<Utc> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds since 1970 are far below 2^53"
    )]
    let millis = worker::js_sys::Date::now() as i64;
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH)
}
