//! What new time zone data does to a schedule.
//!
//! Invariant: the run that was to be next stays the next one, at the instant that its wall time has
//! now. It is neither lost, even when that instant has passed, nor run a second time.
//! Failure: none.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Occurrences, Schedule};
use crate::civil::Zone;
use crate::time;

/// Runs that are further apart are not the same run.
const MOST: TimeDelta = TimeDelta::hours(26);

/// A run that the data moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = MovedRun))]
pub struct Moved {
    /// When it was to be; none for a run that there was not.
    #[serde(with = "time::ms_option")]
    pub from: Option<DateTime<Utc>>,
    /// When it is; none for a run that there is no more.
    #[serde(with = "time::ms_option")]
    pub to: Option<DateTime<Utc>>,
    /// One sentence for a person.
    pub text: String,
}

/// The next run by the data of now, of a schedule whose next run was `old_next` by other data.
/// `nominal` is the [`nominal`](crate::cron::Run::nominal) time that was stored with it; without it
/// the nearest run is taken, which is the same unless runs are about as far apart as they moved.
pub fn recompute(
    schedule: &Schedule,
    old_next: DateTime<Utc>,
    nominal: Option<&str>,
) -> Option<DateTime<Utc>> {
    let wall = nominal.and_then(|text| text.parse::<NaiveDateTime>().ok());
    // Times that run whenever the clock shows them go by the instant.
    if let Some(wall) = wall.filter(|_| schedule.cron.is_fixed()) {
        let run = schedule.cron.from_wall(&schedule.zone, wall)?;
        return Some(run.at);
    }
    let before = schedule.latest(old_next - MOST, old_next).map(|(at, _)| at);
    let behind = schedule.next(old_next);
    match (before, behind) {
        (Some(before), Some(behind)) if old_next - before < behind - old_next => Some(before),
        (Some(before), None) => Some(before),
        (_, behind) => behind,
    }
}

/// Which runs are elsewhere: `old` and `new` are the next runs of a schedule by two versions of the
/// data, in order and as many as are known of each.
pub fn moved(zone: &Zone, old: &[DateTime<Utc>], new: &[DateTime<Utc>]) -> Vec<Moved> {
    let gone: Vec<_> = old.iter().filter(|at| !new.contains(at)).collect();
    let come: Vec<_> = new.iter().filter(|at| !old.contains(at)).collect();
    // Behind the end of the shorter list nothing is known.
    let end = old.last().min(new.last()).copied();
    let known = |at: &DateTime<Utc>| end.is_some_and(|end| *at <= end);
    let (mut gone, mut come) = (gone.into_iter().peekable(), come.into_iter().peekable());
    let mut moved = Vec::new();
    loop {
        let (from, to) = match (gone.peek(), come.peek()) {
            (Some(from), Some(to)) if (**to - **from).abs() <= MOST => (gone.next(), come.next()),
            (Some(from), Some(to)) if from < to => (gone.next(), None),
            (Some(_), None) => (gone.next(), None),
            (_, Some(_)) => (None, come.next()),
            (None, None) => return moved,
        };
        if (from.is_some() && to.is_some()) || from.or(to).is_some_and(known) {
            moved.push(Moved {
                from: from.copied(),
                to: to.copied(),
                text: text(zone, from, to),
            });
        }
    }
}

fn text(zone: &Zone, from: Option<&DateTime<Utc>>, to: Option<&DateTime<Utc>>) -> String {
    let utc = |at: &DateTime<Utc>| at.format("%-d %B %Y, %H:%M UTC").to_string();
    match (from, to) {
        (Some(from), Some(to)) => format!(
            "The run of {} is at {} now, which is {} in {}.",
            utc(from),
            utc(to),
            zone.clock(*to),
            zone.name()
        ),
        (Some(from), None) => format!("There is no run at {} any more.", utc(from)),
        (None, Some(to)) => format!("There is a run at {} now.", utc(to)),
        (None, None) => String::new(),
    }
}
