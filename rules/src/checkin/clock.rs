//! When a scan really happened, although devices have wrong clocks.
//!
//! Invariant: the corrected time is never after the time of receipt.
//! Failure: times outside the years 2000 to 2099 are refused; a large skew is only flagged.

use chrono::{DateTime, TimeDelta, Utc};

use crate::invalid::Invalid;
use crate::time;

/// A skew beyond this is worth a warning.
pub const LARGE_SKEW: TimeDelta = TimeDelta::seconds(30);

/// The times of one scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When it happened, by the server's clock as far as that can be known.
    pub check_in_time: DateTime<Utc>,
    /// When it happened, by the device's clock.
    pub scanned_at: Option<DateTime<Utc>>,
    /// When the device sent it, by the device's clock.
    pub sent_at: Option<DateTime<Utc>>,
    /// When it arrived, by the server's clock.
    pub received_at: DateTime<Utc>,
    /// Milliseconds added to the device's clock, travel time included; 0 when nothing is known.
    pub clock_skew_ms: i32,
    /// The device's clock is off by more than [`LARGE_SKEW`].
    pub large_skew: bool,
}

impl Times {
    /// Corrects a device's clock. With `sent_at` the skew is what lies between sending and
    /// receipt; without it `scanned_at` is believed unless it is in the future; without either
    /// the scan happened at receipt.
    pub fn correct(
        scanned_at: Option<DateTime<Utc>>,
        sent_at: Option<DateTime<Utc>>,
        received_at: DateTime<Utc>,
    ) -> Result<Self, Invalid> {
        let mut invalid = Invalid::default();
        for (pointer, at) in [("/scanned_at", scanned_at), ("/sent_at", sent_at)] {
            if at.is_some_and(|at| !(SANE.0..SANE.1).contains(&at.timestamp())) {
                invalid.add(pointer, "out_of_range", "The year must be 2000 to 2099.");
            }
        }
        let (scanned_at, sent_at) = (scanned_at.map(time::to_ms), sent_at.map(time::to_ms));
        let received_at = time::to_ms(received_at);
        let skew = match (scanned_at, sent_at) {
            (_, Some(sent)) => received_at - sent,
            (Some(scanned), None) if scanned > received_at => received_at - scanned,
            _ => TimeDelta::zero(),
        };
        let scanned = scanned_at.map(|at| at.checked_add_signed(skew).unwrap_or(received_at));
        let millis = skew
            .num_milliseconds()
            .clamp(i32::MIN.into(), i32::MAX.into());
        invalid.or(Self {
            check_in_time: scanned.unwrap_or(received_at).min(received_at),
            scanned_at,
            sent_at,
            received_at,
            clock_skew_ms: i32::try_from(millis).unwrap_or_default(),
            large_skew: skew.abs() > LARGE_SKEW,
        })
    }
}

/// 2000-01-01 and 2100-01-01, in Unix seconds.
const SANE: (i64, i64) = (946_684_800, 4_102_444_800);
