//! When a replica is spared: conflicts with its recovery, replay that falls behind, feedback that
//! holds back vacuum on the primary.
//!
//! A long read can make a standby hold back replay, or be cancelled by it; with
//! `hot_standby_feedback` it makes the primary keep dead rows instead. So the signs of each are
//! watched, and reads become fewer, or stop for a while.
//!
//! Invariant: pauses double from five minutes to an hour and end by themselves; after one, half the
//! budget is used until ten minutes were calm. The state is all there is: same signs, same state. A
//! clock that goes back ends nothing early.
//! Failure: none.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::lag::Why;
use crate::time;

/// Conflicts within [`WINDOW`] that open it.
pub const CONFLICTS: usize = 3;
/// How long a conflict is remembered.
pub const WINDOW: TimeDelta = TimeDelta::minutes(10);
/// The first pause.
pub const FIRST: TimeDelta = TimeDelta::minutes(5);
/// The longest pause.
pub const LONGEST: TimeDelta = TimeDelta::hours(1);
/// How long it must be calm before the whole budget is used again.
pub const CALM: TimeDelta = TimeDelta::minutes(10);
/// Unreplayed WAL this old halves the budget.
pub const DELAYED: TimeDelta = TimeDelta::seconds(30);
/// Unreplayed WAL this old stops reads.
pub const STUCK: TimeDelta = TimeDelta::minutes(2);
/// What is left of the budget while it is tight.
pub const TIGHT: f64 = 0.5;

/// What was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A statement was cancelled for a conflict with recovery.
    Conflict,
    /// Where replay is, as [`super::lag::lag`] says: what for, and how far behind.
    Replay(Why, TimeDelta),
    /// `hot_standby_feedback`.
    Feedback(bool),
}

/// The state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Recent conflicts, oldest first; at most [`CONFLICTS`].
    conflicts: Vec<i64>,
    /// Until when nothing is read.
    open_until: Option<i64>,
    /// How many pauses there were in a row.
    pauses: u32,
    /// Until when the budget is tight.
    tight_until: Option<i64>,
    /// Feedback is on.
    feedback: bool,
}

/// What is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = BreakerState))]
pub enum State {
    /// The whole budget.
    Closed,
    /// Part of it.
    Tight {
        /// How much of it, 0 to 1.
        budget: f64,
    },
    /// Nothing is read but the position.
    Open {
        /// Until then.
        #[serde(with = "time::ms")]
        until: DateTime<Utc>,
    },
}

impl Breaker {
    /// What is allowed now.
    pub fn state(&self, now: DateTime<Utc>) -> State {
        let now = now.timestamp_millis();
        match self.open_until.filter(|until| *until > now) {
            Some(until) => State::Open {
                until: time::from_ms(until),
            },
            None if self.feedback || self.tight_until.is_some_and(|until| until > now) => {
                State::Tight { budget: TIGHT }
            }
            None => State::Closed,
        }
    }

    /// What part of the budget may be used now.
    pub fn factor(&self, now: DateTime<Utc>) -> f64 {
        match self.state(now) {
            State::Closed => 1.0,
            State::Tight { budget } => budget,
            State::Open { .. } => 0.0,
        }
    }

    /// The state after something was noticed.
    #[must_use]
    pub fn after(mut self, sign: Sign, now: DateTime<Utc>) -> Self {
        let at = now.timestamp_millis();
        // A pause is forgotten when it was calm for as long as the longest one.
        if self
            .tight_until
            .is_none_or(|until| until + LONGEST.num_milliseconds() <= at)
        {
            self.pauses = 0;
        }
        match sign {
            Sign::Conflict => {
                self.conflicts
                    .retain(|before| at - before < WINDOW.num_milliseconds());
                self.conflicts.push(at);
                self.tighten(at);
                if self.conflicts.len() >= CONFLICTS {
                    self.conflicts.clear();
                    self.open(at);
                }
            }
            Sign::Replay(Why::Replaying, behind) if behind >= STUCK => {
                // One pause at a time: replay may need all of it to catch up.
                if self.open_until.is_none_or(|until| until <= at) {
                    self.open(at);
                }
            }
            Sign::Replay(Why::Replaying, behind) if behind >= DELAYED => self.tighten(at),
            Sign::Replay(..) => {}
            Sign::Feedback(on) => self.feedback = on,
        }
        self
    }

    fn open(&mut self, at: i64) {
        let times = 1_i32.checked_shl(self.pauses.min(10)).unwrap_or(i32::MAX);
        let pause = (FIRST * times).min(LONGEST);
        let until = at.saturating_add(pause.num_milliseconds());
        self.open_until = self.open_until.max(Some(until));
        self.pauses = self.pauses.saturating_add(1);
        self.tighten(until);
    }

    fn tighten(&mut self, at: i64) {
        let until = at.saturating_add(CALM.num_milliseconds());
        self.tight_until = self.tight_until.max(Some(until));
    }
}
