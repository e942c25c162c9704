//! Schedules: which run a tick starts, what it makes up for, what it leaves out.
//!
//! Invariant: an occurrence is named by its nominal instant; of those missed, only the latest is
//! made up for, and only within the shorter of a day and the time to the next one. All others are
//! counted. Nothing here runs twice, whatever two ticks read: a claim belongs to the `next_run_at`
//! it was made from.
//! Failure: `None` where no run is left before the year 10000.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::civil::Zone;
use crate::cron::Cron;

mod jitter;
mod moved;
mod overlap;
mod upcoming;

pub use jitter::MOST as MOST_JITTER;
pub use moved::{Moved, moved, recompute};
pub use overlap::{Decision, Overlap, Unfinished, overlap};
pub use upcoming::{Busy, MOST_UPCOMING, Upcoming, upcoming};

/// A missed occurrence that is older is not made up for.
pub const CATCH_UP: TimeDelta = TimeDelta::hours(24);

/// When something runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The expression.
    pub cron: Cron,
    /// Whose wall clock it means.
    pub zone: Zone,
    /// Whether runs are spread: each starts a little after its nominal instant.
    pub jitter: bool,
    /// What to do when the run before is not finished.
    pub overlap: Overlap,
}

/// What a tick does with a schedule that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The occurrence to run; none when all that were missed are too old.
    pub scheduled_for: Option<DateTime<Utc>>,
    /// How many occurrences are left out.
    pub missed: u64,
    /// The next one.
    pub next_run_at: Option<DateTime<Utc>>,
}

/// Where occurrences come from: a schedule, or a list that was worked out before.
pub trait Occurrences {
    /// The first one after an instant.
    fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>>;
    /// The last one after one instant and not after another, and how many there are between them.
    fn latest(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Option<(DateTime<Utc>, u64)>;
}

impl Occurrences for Schedule {
    fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.cron.next(&self.zone, after).map(|run| run.at)
    }

    fn latest(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Option<(DateTime<Utc>, u64)> {
        let (run, count) = self.cron.latest(&self.zone, after, until)?;
        Some((run.at, count))
    }
}

/// What a tick does now with a schedule whose next run was to be at `next_run_at`.
pub fn claim(schedule: &impl Occurrences, next_run_at: DateTime<Utc>, now: DateTime<Utc>) -> Claim {
    if next_run_at > now {
        return Claim {
            scheduled_for: None,
            missed: 0,
            next_run_at: Some(next_run_at),
        };
    }
    let next = schedule.next(now);
    let due = schedule.latest(next_run_at - TimeDelta::milliseconds(1), now);
    let (scheduled_for, count) = due.map_or((None, 0), |(latest, count)| (Some(latest), count));
    let in_time = |latest: &DateTime<Utc>| {
        // The next one is after now, so the period has not passed either.
        now - *latest <= CATCH_UP
    };
    let scheduled_for = scheduled_for.filter(in_time);
    Claim {
        scheduled_for,
        missed: count - u64::from(scheduled_for.is_some()),
        next_run_at: next,
    }
}

/// The first run of a schedule that was made, changed or resumed now. It is never in the past.
pub fn first_run(schedule: &impl Occurrences, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    schedule.next(now)
}

/// How long after its nominal instant a run starts: the same for the same `id`, whole seconds, at
/// most a tenth of the time to the runs before and after, and at most [`jitter::MOST`].
pub fn jitter(id: Uuid, schedule: &Schedule, at: DateTime<Utc>) -> TimeDelta {
    jitter::of(id, schedule, at)
}
