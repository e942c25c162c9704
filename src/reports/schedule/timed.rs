//! A schedule as it is typed, and when it runs next.
//!
//! Invariant: the nominal instant of an occurrence is never moved; jitter moves only when it is
//! looked for.
//! Failure: refused at `/cron` or `/cronTimezone`.

use chrono::{DateTime, TimeDelta, Utc};
use rules::civil::Zone;
use rules::cron::Cron;
use rules::invalid::Invalid;
use rules::schedule::{self, Overlap, Schedule};
use uuid::Uuid;

/// The next run of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// The nominal instant.
    pub at: DateTime<Utc>,
    /// What the schedule calls it, whatever the clocks show.
    pub nominal: String,
    /// When ticks look for it.
    pub due: DateTime<Utc>,
}

/// Reads a schedule; without a zone it is meant in UTC.
pub fn schedule(
    cron: &str,
    zone: Option<&str>,
    jitter: bool,
    overlap: Overlap,
) -> Result<Schedule, Invalid> {
    let mut invalid = Invalid::default();
    let cron = invalid.take(Cron::parse(cron));
    let zone = invalid.take(zone.map_or_else(|| Ok(Zone::utc()), of));
    match invalid.or((cron, zone))? {
        (Some(cron), Some(zone)) => Ok(Schedule {
            cron,
            zone,
            jitter,
            overlap,
        }),
        _ => Err(Invalid::default()),
    }
}

fn of(name: &str) -> Result<Zone, Invalid> {
    Zone::parse(name.trim()).map_err(|mut invalid| {
        for error in &mut invalid.errors {
            "/cronTimezone".clone_into(&mut error.pointer);
        }
        invalid
    })
}

/// The first run from now on.
pub fn first(id: Uuid, schedule: &Schedule, now: DateTime<Utc>) -> Option<Next> {
    next(id, schedule, schedule::first_run(schedule, now)?)
}

/// An occurrence with the jitter of its report.
pub fn next(id: Uuid, schedule: &Schedule, at: DateTime<Utc>) -> Option<Next> {
    let before = at - TimeDelta::milliseconds(1);
    let run = schedule.cron.next(&schedule.zone, before)?;
    Some(Next {
        at,
        nominal: run.nominal,
        due: at + schedule::jitter(id, schedule, at),
    })
}
