//! Spreading runs that are due at the same minute.
//!
//! Invariant: depends on nothing but the id, the schedule and the occurrence; runs keep their order.
//! Failure: none; without jitter it is zero.

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Occurrences, Schedule};

/// However rare the runs, none waits longer.
pub const MOST: TimeDelta = TimeDelta::hours(1);
/// The part of the period that may pass.
const SHARE: i32 = 10;

pub(super) fn of(id: Uuid, schedule: &Schedule, at: DateTime<Utc>) -> TimeDelta {
    if !schedule.jitter {
        return TimeDelta::zero();
    }
    // Runs may be close on one side and far on the other: `*/5 9 * * *`.
    let before = schedule
        .cron
        .period(&schedule.zone, at - TimeDelta::seconds(1));
    let behind = schedule
        .next(at)
        .map_or(TimeDelta::days(1), |next| next - at);
    let room = (before.min(behind) / SHARE).min(MOST);
    let room = u64::try_from(room.num_seconds()).unwrap_or_default();
    let seconds = (u128::from(share(id)) * u128::from(room + 1)) >> 64;
    TimeDelta::seconds(i64::try_from(seconds).unwrap_or_default())
}

/// The id's own part of the room, as a fraction of 2⁶⁴.
fn share(id: Uuid) -> u64 {
    let digest: [u8; 32] = Sha256::digest(id.as_bytes()).into();
    digest
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::civil::Zone;
    use crate::cron::Cron;
    use crate::schedule::Overlap;

    fn schedule(cron: &str, jitter: bool) -> Schedule {
        Schedule {
            cron: Cron::parse(cron).unwrap(),
            zone: Zone::parse("America/New_York").unwrap(),
            jitter,
            overlap: Overlap::Skip,
        }
    }

    #[test]
    fn it_is_the_same_for_the_same_id_and_at_most_a_tenth_of_the_period() {
        for (cron, most) in [
            ("* * * * *", 6),
            ("*/5 * * * *", 30),
            ("0 * * * *", 360),
            ("0 9 * * *", 3_600),
            ("0 0 1 1 *", 3_600),
        ] {
            let schedule = schedule(cron, true);
            let mut seen = std::collections::BTreeSet::new();
            let mut at = "2026-06-01T00:00:00Z".parse().unwrap();
            for number in 0..500 {
                at = schedule.next(at).unwrap();
                let id = Uuid::from_u128(number);
                let found = of(id, &schedule, at);
                assert_eq!(found, of(id, &schedule, at));
                assert!(found >= TimeDelta::zero() && found.num_seconds() <= most);
                assert_eq!(found.subsec_nanos(), 0);
                seen.insert(found);
            }
            let (least, greatest) = (seen.first().unwrap(), seen.last().unwrap());
            assert!(least.num_seconds() <= most / 20 && greatest.num_seconds() >= most * 9 / 10);
        }
    }

    #[test]
    fn it_is_off_unless_it_is_on() {
        let at = "2026-06-01T13:00:00Z".parse().unwrap();
        let off = of(Uuid::from_u128(7), &schedule("0 9 * * *", false), at);
        assert_eq!(off, TimeDelta::zero());
    }

    #[test]
    fn runs_keep_their_order_where_close_ones_end() {
        let schedule = schedule("*/5 9 * * *", true);
        for number in 0..200 {
            let at = "2026-06-01T13:55:00Z".parse().unwrap();
            assert!(of(Uuid::from_u128(number), &schedule, at).num_seconds() <= 30);
        }
    }
}
