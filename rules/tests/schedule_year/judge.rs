//! What must be true of a year, from its occurrences and its ticks alone.
//!
//! Invariant: judges without the decisions that it judges.
//! Failure: the first thing that is wrong, in words.

use chrono::{DateTime, TimeDelta, Utc};

use crate::weather::START;
use crate::world::{Done, Row, World};

pub fn year(world: &World<'_>) -> Result<(), String> {
    let mut done: Vec<&Done> = world.done.iter().collect();
    done.sort_by_key(|tick| tick.read);
    for (place, row) in world.rows.iter().enumerate() {
        let told = |what: String| {
            let schedule = &row.listed.schedule;
            format!("{} in {}: {what}", schedule.cron, schedule.zone.name())
        };
        self::row(place, row, &done).map_err(told)?;
    }
    Ok(())
}

fn row(place: usize, row: &Row<'_>, done: &[&Done]) -> Result<(), String> {
    if row.doubled > 0 {
        return Err(format!("{} occurrences were claimed twice", row.doubled));
    }
    if row.crowded > 0 {
        return Err("two runs at once".to_owned());
    }
    let mut claimed = row.claimed.clone();
    claimed.sort_unstable();
    claimed.dedup_by_key(|(at, _)| *at);
    if claimed.len() != row.claimed.len() {
        return Err("an occurrence has two jobs".to_owned());
    }
    let past = |at: &DateTime<Utc>| *at > START && row.next_run_at.is_none_or(|next| *at < next);
    let all = &row.listed.occurrences;
    let (mut runs, mut missed) = (0, 0);
    for (at, next) in all.iter().zip(all.iter().skip(1)) {
        if !past(at) {
            continue;
        }
        let deadline = (*next).min(*at + TimeDelta::hours(24));
        let job = claimed.binary_search_by_key(at, |(at, _)| *at);
        match job.ok().and_then(|place| Some(claimed.get(place)?.1)) {
            Some(read) if read < *at => return Err(format!("{at} ran early, at {read}")),
            Some(read) if read > deadline => return Err(format!("{at} ran late, at {read}")),
            Some(_) => runs += 1,
            None => {
                missed += 1;
                through(place, done, *at, deadline)?;
            }
        }
    }
    if runs != claimed.len() {
        return Err("a run that is no occurrence".to_owned());
    }
    match row.missed == missed {
        true => Ok(()),
        false => Err(format!("{missed} were missed, {} counted", row.missed)),
    }
}

/// An occurrence that was missed: did a tick get through in time?
fn through(
    place: usize,
    done: &[&Done],
    at: DateTime<Utc>,
    deadline: DateTime<Utc>,
) -> Result<(), String> {
    let first = done.partition_point(|tick| tick.read < at);
    let mut in_time = done[first..]
        .iter()
        .take_while(|tick| tick.read < deadline)
        .filter(|tick| tick.claim < deadline && !tick.raced.contains(&place));
    match in_time.next() {
        Some(tick) => Err(format!("{at} was missed by the tick of {}", tick.read)),
        None => Ok(()),
    }
}
