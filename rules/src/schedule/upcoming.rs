//! The runs to come, as they are shown before and after a schedule is saved.
//!
//! Invariant: the same runs as the ticks will claim when none is missed; at most
//! [`MOST_UPCOMING`].
//! Failure: a list that ends early where the calendar does.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::overlap::{Decision, Overlap, Unfinished, overlap};
use super::{Schedule, jitter};
use crate::cron::{Note, Run};
use crate::time;

/// Most runs shown.
pub const MOST_UPCOMING: usize = 100;

/// What is known of the runs under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Busy {
    /// Those that are not finished now.
    pub unfinished: Unfinished,
    /// How long one usually takes, when that is known.
    pub usual: Option<TimeDelta>,
}

/// A run to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = UpcomingRun))]
pub struct Upcoming {
    /// Its nominal instant: what the run is known by.
    #[serde(with = "time::ms")]
    pub scheduled_for: DateTime<Utc>,
    /// What the clock shows then, with its offset.
    pub local: String,
    /// The time by the expression; another one where the clock skips it.
    pub nominal: String,
    /// What a change of the clock does to it.
    pub note: Option<Note>,
    /// When it starts: later by its jitter.
    #[serde(with = "time::ms")]
    pub starts_at: DateTime<Utc>,
    /// The jitter.
    pub jitter_seconds: i64,
    /// What the policy does if the run before is not finished by then.
    pub if_busy: Decision,
    /// What it will do if every run takes as long as usual.
    pub expected: Decision,
    /// That in one sentence, when it does not just start.
    pub overlap_note: Option<String>,
}

/// The next `n` runs after an instant.
pub fn upcoming(
    id: Uuid,
    schedule: &Schedule,
    from: DateTime<Utc>,
    n: usize,
    busy: Busy,
) -> Vec<Upcoming> {
    let mut after = from;
    let runs = std::iter::from_fn(|| {
        let run = schedule.cron.next(&schedule.zone, after)?;
        after = run.at;
        Some(run)
    });
    let mut load = Load::new(schedule.overlap, from, busy);
    runs.take(n.min(MOST_UPCOMING))
        .map(|run| load.next(run, |at| jitter(id, schedule, at)))
        .collect()
}

/// Runs under way, as far as they can be foreseen.
struct Load {
    policy: Overlap,
    usual: TimeDelta,
    /// When those that are active end.
    ends: VecDeque<DateTime<Utc>>,
    /// One waits for the last of them.
    buffered: bool,
}

impl Load {
    fn new(policy: Overlap, from: DateTime<Utc>, busy: Busy) -> Self {
        let usual = busy.usual.unwrap_or_default().max(TimeDelta::zero());
        // They began before, nobody says when: at the latest they end a whole run from now.
        let end = from.checked_add_signed(usual).unwrap_or(from);
        let active = usize::try_from(busy.unfinished.active).unwrap_or(usize::MAX);
        Self {
            policy,
            usual,
            ends: std::iter::repeat_n(end, active.min(MOST_UPCOMING)).collect(),
            buffered: busy.unfinished.buffered > 0,
        }
    }

    fn next(&mut self, run: Run, jitter: impl Fn(DateTime<Utc>) -> TimeDelta) -> Upcoming {
        self.finish(run.at);
        let unfinished = Unfinished {
            active: u32::try_from(self.ends.len()).unwrap_or(u32::MAX),
            buffered: self.buffered.into(),
        };
        let expected = overlap(self.policy, unfinished);
        let jitter = jitter(run.at);
        let starts_at = run.at + jitter;
        match expected {
            Decision::Start => self.ends.push_back(self.end(starts_at)),
            Decision::CancelOthersAndStart => {
                self.buffered = false;
                self.ends = VecDeque::from([self.end(starts_at)]);
            }
            Decision::Buffer => self.buffered = true,
            Decision::Skip => {}
        }
        let busy = Unfinished {
            active: 1,
            buffered: 0,
        };
        Upcoming {
            scheduled_for: run.at,
            local: run.local,
            nominal: run.nominal,
            note: run.note,
            starts_at,
            jitter_seconds: jitter.num_seconds(),
            if_busy: overlap(self.policy, busy),
            expected,
            overlap_note: note(expected).map(str::to_owned),
        }
    }

    /// Lets go what has ended by an instant.
    fn finish(&mut self, now: DateTime<Utc>) {
        let last = self.ends.iter().max().copied();
        self.ends.retain(|end| *end > now);
        if self.buffered && self.ends.is_empty() {
            let began = last.unwrap_or(now);
            self.buffered = false;
            self.ends.push_back(self.end(began));
            self.ends.retain(|end| *end > now);
        }
    }

    fn end(&self, began: DateTime<Utc>) -> DateTime<Utc> {
        began.checked_add_signed(self.usual).unwrap_or(began)
    }
}

fn note(expected: Decision) -> Option<&'static str> {
    match expected {
        Decision::Start => None,
        Decision::Skip => Some("Left out, because the run before will not be finished."),
        Decision::Buffer => Some("Starts when the run before is finished."),
        Decision::CancelOthersAndStart => {
            Some("Cancels the run before, which will not be finished.")
        }
    }
}
