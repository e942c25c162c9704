//! Stretches of time that rows are counted in.
//!
//! Invariant: stretches of less than a day begin at whole multiples of their length (UTC); those of a
//! day are the days of a zone, of 23 or 25 hours where its clock is changed. A stretch is closed
//! when it is over and late rows have had their time, by the moment up to which the replica is.
//! Failure: none; times no calendar reaches are cut to its ends.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::civil::Zone;
use crate::time;

/// A stretch: from its start until before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = VolumeBucket))]
pub struct Bucket {
    /// Its start.
    #[serde(with = "time::ms")]
    pub from: DateTime<Utc>,
    /// Its end.
    #[serde(with = "time::ms")]
    pub to: DateTime<Utc>,
}

/// A day.
const DAY: u32 = 86_400;

/// The stretch that an instant lies in.
pub fn around(at: DateTime<Utc>, seconds: u32, zone: &Zone) -> Bucket {
    if seconds == DAY {
        let day = zone.local_day(at);
        return Bucket {
            from: zone.start_of(day),
            to: zone.start_of(day.next()),
        };
    }
    let length = i64::from(seconds.max(1));
    let from = at.timestamp().div_euclid(length).saturating_mul(length);
    Bucket {
        from: time::from_ms(from.saturating_mul(1_000)),
        to: time::from_ms(from.saturating_add(length).saturating_mul(1_000)),
    }
}

/// The latest stretch that is closed.
pub fn closed(as_of: DateTime<Utc>, seconds: u32, late: u32, zone: &Zone) -> Bucket {
    let latest = as_of
        .checked_sub_signed(TimeDelta::seconds(late.into()))
        .unwrap_or(as_of);
    let open = around(latest, seconds, zone);
    let before = open.from.checked_sub_signed(TimeDelta::milliseconds(1));
    around(before.unwrap_or(open.from), seconds, zone)
}

/// The stretches from one instant until before another, whole ones only, at most `most`.
pub fn stretches(
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    seconds: u32,
    zone: &Zone,
    most: usize,
) -> Vec<Bucket> {
    let mut next = around(from, seconds, zone);
    if next.from < from {
        next = around(next.to, seconds, zone);
    }
    let mut found = Vec::new();
    while next.to <= until && found.len() < most && next.from < next.to {
        found.push(next);
        next = around(next.to, seconds, zone);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn bucket(from: &str, to: &str) -> Bucket {
        Bucket {
            from: at(from),
            to: at(to),
        }
    }

    #[test]
    fn a_stretch_is_closed_at_its_end_and_not_a_moment_before() {
        let utc = Zone::utc();
        let hour = bucket("2026-06-01T09:00:00Z", "2026-06-01T10:00:00Z");
        assert_eq!(closed(at("2026-06-01T10:00:00Z"), 3_600, 0, &utc), hour);
        assert_eq!(closed(at("2026-06-01T10:59:59.999Z"), 3_600, 0, &utc), hour);
        let before = bucket("2026-06-01T08:00:00Z", "2026-06-01T09:00:00Z");
        assert_eq!(
            closed(at("2026-06-01T09:59:59.999Z"), 3_600, 0, &utc),
            before
        );
    }

    #[test]
    fn late_rows_have_their_time() {
        let utc = Zone::utc();
        let hour = bucket("2026-06-01T09:00:00Z", "2026-06-01T10:00:00Z");
        assert_eq!(closed(at("2026-06-01T10:10:00Z"), 3_600, 600, &utc), hour);
        let before = bucket("2026-06-01T08:00:00Z", "2026-06-01T09:00:00Z");
        assert_eq!(closed(at("2026-06-01T10:09:59Z"), 3_600, 600, &utc), before);
    }

    #[test]
    fn days_are_those_of_the_zone_also_when_its_clock_is_changed() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let short = bucket("2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z");
        assert_eq!(closed(at("2024-03-31T22:00:00Z"), DAY, 0, &berlin), short);
        let long = bucket("2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z");
        assert_eq!(closed(at("2024-10-28T05:00:00Z"), DAY, 0, &berlin), long);
    }

    #[test]
    fn stretches_follow_each_other_without_a_gap() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        for (seconds, from, until) in [
            (60, "2026-06-01T09:00:30Z", "2026-06-01T11:00:30Z"),
            (DAY, "2024-03-20T05:00:00Z", "2024-04-20T05:00:00Z"),
        ] {
            let found = stretches(at(from), at(until), seconds, &berlin, 1_000);
            assert!(found.first().unwrap().from >= at(from));
            assert!(found.last().unwrap().to <= at(until));
            assert!(found.windows(2).all(|pair| pair[0].to == pair[1].from));
            assert_eq!(found.len(), if seconds == 60 { 119 } else { 30 });
        }
        assert_eq!(
            stretches(
                at("2026-06-01T09:00:00Z"),
                at("2026-06-02T00:00:00Z"),
                60,
                &berlin,
                7
            )
            .len(),
            7
        );
    }
}
