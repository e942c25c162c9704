//! How far the history of a check is filled in, as it is kept with the check and shown.
//!
//! Invariant: it begins where there is something to fill in from, and ends once; a check that measures
//! something else begins anew.
//! Failure: where there is nothing to fill in from, it says why.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Progress, given_up, unavailable};
use crate::monitor::check::Check;
use crate::time;

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = BackfillState))]
pub enum State {
    /// It has not begun.
    Waiting,
    /// It goes on.
    Running,
    /// All of the past is filled in.
    Done,
    /// What could not be asked is left out.
    GivenUp,
    /// There is nothing to fill in from.
    Unavailable,
}

/// How far the history of a check is filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = CheckBackfill))]
pub struct Backfill {
    /// Where it stands.
    pub state: State,
    /// Everything from here on is filled in.
    #[serde(with = "time::ms_option", default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub done_from: Option<DateTime<Utc>>,
    /// It goes back to here.
    #[serde(with = "time::ms_option", default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub until: Option<DateTime<Utc>>,
    /// How many values were filled in.
    pub points: u32,
    /// Why there is nothing to fill in from, or why it was given up.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub message: Option<String>,
    /// Since when it is asked for.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub asked_at: Option<String>,
    /// For going on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(ignore))]
    pub progress: Option<Progress>,
}

impl Backfill {
    /// That of a check that is new, or measures something new.
    pub fn of(check: &Check) -> Self {
        match unavailable(check) {
            None => Self::at(State::Waiting, None),
            Some(why) => Self::unavailable(why),
        }
    }

    /// There is nothing to fill in from, for this reason.
    pub fn unavailable(why: impl Into<String>) -> Self {
        Self::at(State::Unavailable, Some(why.into()))
    }

    fn at(state: State, message: Option<String>) -> Self {
        Self {
            state,
            done_from: None,
            until: None,
            points: 0,
            message,
            asked_at: None,
            progress: None,
        }
    }

    /// Whether there is something left to do.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Waiting | State::Running)
    }

    /// Not before then is anything asked; none when nothing is left to do.
    pub fn due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let at = self
            .progress
            .as_ref()
            .map_or(now, |progress| progress.not_before);
        self.is_open().then_some(at)
    }

    /// After a step: how far it is, and how many values came with it.
    #[must_use]
    pub fn stepped(mut self, progress: Progress, points: usize) -> Self {
        self.state = State::Running;
        self.points = self
            .points
            .saturating_add(u32::try_from(points).unwrap_or(u32::MAX));
        self.done_from = Some(progress.done_from);
        self.until = Some(progress.until);
        self.progress = Some(progress);
        self
    }

    /// A step failed for this reason, which is what is said if it was the last one.
    #[must_use]
    pub fn because(mut self, why: &str) -> Self {
        self.message = Some(why.to_owned());
        self
    }

    /// Nothing is left to do.
    #[must_use]
    pub fn ended(mut self) -> Self {
        let left = self
            .progress
            .take()
            .is_some_and(|progress| given_up(&progress));
        self.state = if left { State::GivenUp } else { State::Done };
        self.message = self.message.filter(|_| left);
        self
    }
}
