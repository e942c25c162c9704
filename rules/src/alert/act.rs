//! What people do to an alert.
//!
//! Invariant: the same act twice changes nothing the second time.
//! Failure: an act that makes no sense any more is refused with a stable code.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::mark::{Mark, Marked};
use super::step::{Ack, Alert, Cause, Change, State};

/// Why an act is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It does not fire: there is nothing to look after, or to end.
    NotFiring,
    /// It has not fired: there was no alarm to judge.
    NeverFired,
}

impl Refusal {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotFiring => "alert_not_firing",
            Self::NeverFired => "alert_never_fired",
        }
    }

    /// One sentence for a person.
    pub const fn message(self) -> &'static str {
        match self {
            Self::NotFiring => "The alert does not fire at the moment.",
            Self::NeverFired => "The alert has not fired, so there was no alarm to judge.",
        }
    }
}

/// Somebody looks after it: it is not repeated any more and goes to nobody else, until it is over or
/// gets worse. That it is over is still told.
pub fn acknowledge(alert: &mut Alert, by: Option<Uuid>, at: DateTime<Utc>) -> Result<(), Refusal> {
    if !alert.is_firing() {
        return Err(Refusal::NotFiring);
    }
    alert.ack.get_or_insert(Ack { by, at });
    Ok(())
}

/// Somebody says that it is over. What breaches after that is another alert.
pub fn resolve(alert: &mut Alert, at: DateTime<Utc>) -> Result<Option<Change>, Refusal> {
    match alert.state {
        State::Firing => Ok(Some(alert.resolve(Cause::ByHand, at))),
        State::Resolved => Ok(None),
        State::Pending => Err(Refusal::NotFiring),
    }
}

/// What it is about is not watched any more. A pending one is to be forgotten.
pub fn remove(alert: &mut Alert, at: DateTime<Utc>) -> Option<Change> {
    alert.is_firing().then(|| alert.resolve(Cause::Removed, at))
}

/// Somebody says whether the alarm was right; none takes it back.
pub fn mark(
    alert: &mut Alert,
    mark: Option<Mark>,
    by: Option<Uuid>,
    at: DateTime<Utc>,
) -> Result<(), Refusal> {
    if alert.fired_at.is_none() {
        return Err(Refusal::NeverFired);
    }
    let same = alert.mark.map(|marked| marked.mark) == mark;
    if !same {
        alert.mark = mark.map(|mark| Marked { mark, by, at });
    }
    Ok(())
}
