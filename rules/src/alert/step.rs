//! What one run does to the alert of its target.
//!
//! pending → firing → resolved. `for`: a breach must stand so long before it fires, counted from
//! the first breach to a later one. `keep_firing_for`: it resolves when it was well so long.
//!
//! As Prometheus has it, but for: a run that says nothing ([`Seen::Unknown`]) ends no wait and
//! resolves nothing, where a missing sample would; a firing alert that is well resolves when its
//! time is over ([`tick`]), not only with the next run, which may be a day away; one alert has both
//! severities, and worsens at once, without a second `for`; severity never falls while it fires, so
//! that a value that wavers between the limits is told once.
//!
//! Invariant: a run that is not later than the last one changes nothing, so a repeat is none. Fired
//! and resolved happen once to each alert; what breaches after that is another alert.
//! Failure: none.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::evidence::Evidence;
use super::mark::Marked;
use super::target::{Severity, Target};

/// Where an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AlertState))]
pub enum State {
    /// It breaches, but not long enough.
    Pending,
    /// It fires.
    Firing,
    /// It is over.
    Resolved,
}

/// Why an alert is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AlertCause))]
pub enum Cause {
    /// It is well again.
    Recovered,
    /// Somebody said so.
    ByHand,
    /// It is not watched any more.
    Removed,
}

/// How an alert comes and goes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Policy {
    /// How long a breach must stand before it fires.
    pub for_: TimeDelta,
    /// How long it must be well before it resolves.
    pub keep_firing_for: TimeDelta,
    /// How far inside its limits a value must be to be well again: a part of their width.
    pub hysteresis: f64,
}

/// What a run saw.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// Something is wrong.
    Breach(Severity, Evidence),
    /// All is well.
    Ok(Evidence),
    /// Nothing that could be judged: skipped, inconclusive, learning.
    Unknown,
}

/// Who said that it is being looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Who.
    pub by: Option<Uuid>,
    /// When.
    pub at: DateTime<Utc>,
}

/// A firing alert that is well at the moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// Since when.
    pub since: DateTime<Utc>,
    /// A run since then could not be judged: the next good one decides.
    pub unsure: bool,
    /// What the last good run saw.
    pub evidence: Evidence,
}

/// One alert, from its first breach to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Its identifier.
    pub id: Uuid,
    /// What it is about.
    pub target: Target,
    /// Where it stands.
    pub state: State,
    /// The worst it was.
    pub severity: Severity,
    /// Its first breach.
    pub since: DateTime<Utc>,
    /// When it fired.
    pub fired_at: Option<DateTime<Utc>>,
    /// When it was over.
    pub resolved_at: Option<DateTime<Utc>>,
    /// Why.
    pub cause: Option<Cause>,
    /// Set while it fires and is well.
    pub recovery: Option<Recovery>,
    /// The last run that was looked at.
    pub seen_at: DateTime<Utc>,
    /// The last breach.
    pub breached_at: DateTime<Utc>,
    /// How many runs breached.
    pub breaches: u32,
    /// What the last breach saw.
    pub evidence: Evidence,
    /// How many changes there were; numbers the next.
    pub changes: u32,
    /// The incident it is part of.
    pub incident: Option<Uuid>,
    /// Set when somebody looks after it.
    pub ack: Option<Ack>,
    /// What people say it was.
    pub mark: Option<Marked>,
}

/// What happened to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AlertWhat))]
pub enum What {
    /// It breached for the first time.
    Pending,
    /// It fires.
    Fired,
    /// It got worse.
    Escalated,
    /// It is over.
    Resolved,
    /// It went away before it fired: as if it had never been.
    Cleared,
}

/// One change of one alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The alert.
    pub alert: Uuid,
    /// Which of its changes, from 1: with the alert, the name of the change.
    pub number: u32,
    /// What happened.
    pub what: What,
    /// How bad it is now.
    pub severity: Severity,
    /// When.
    pub at: DateTime<Utc>,
}

impl Alert {
    /// Whether it fires.
    pub fn is_firing(&self) -> bool {
        self.state == State::Firing
    }

    fn change(&mut self, what: What, at: DateTime<Utc>) -> Change {
        self.changes = self.changes.saturating_add(1);
        Change {
            alert: self.id,
            number: self.changes,
            what,
            severity: self.severity,
            at,
        }
    }

    pub(super) fn resolve(&mut self, cause: Cause, at: DateTime<Utc>) -> Change {
        self.state = State::Resolved;
        self.resolved_at = Some(at);
        self.cause = Some(cause);
        self.seen_at = self.seen_at.max(at);
        self.change(What::Resolved, at)
    }
}

/// What a run at `at` does to the alert of its target: the alert as it is then, if there is one, and
/// what happened.
pub fn step(
    state: Option<&Alert>,
    target: &Target,
    policy: &Policy,
    seen: Seen,
    at: DateTime<Utc>,
) -> (Option<Alert>, Option<Change>) {
    let Some(alert) = state else {
        return open(target, policy, seen, at);
    };
    if at <= alert.seen_at {
        return (Some(alert.clone()), None);
    }
    if let (State::Resolved, Seen::Breach(..)) = (alert.state, &seen) {
        return open(target, policy, seen, at);
    }
    let mut alert = alert.clone();
    alert.seen_at = at;
    match seen {
        Seen::Breach(severity, evidence) => {
            let change = breach(&mut alert, policy, severity, evidence, at);
            (Some(alert), change)
        }
        Seen::Ok(_) if alert.state == State::Pending => {
            let change = alert.change(What::Cleared, at);
            (None, Some(change))
        }
        Seen::Ok(evidence) => {
            let change = well(&mut alert, policy, evidence, at);
            (Some(alert), change)
        }
        Seen::Unknown => {
            if let Some(recovery) = &mut alert.recovery {
                recovery.unsure = true;
            }
            (Some(alert), None)
        }
    }
}

/// What the passing of time does to an alert: one that was well long enough is over.
pub fn tick(alert: &mut Alert, policy: &Policy, now: DateTime<Utc>) -> Option<Change> {
    let ends = recovers_at(alert, policy)?;
    (now >= ends).then(|| alert.resolve(Cause::Recovered, now))
}

/// When an alert is over if nothing more is seen of it.
pub fn recovers_at(alert: &Alert, policy: &Policy) -> Option<DateTime<Utc>> {
    let sure = |recovery: &&Recovery| alert.is_firing() && !recovery.unsure;
    let recovery = alert.recovery.as_ref().filter(sure)?;
    recovery.since.checked_add_signed(policy.keep_firing_for)
}

fn open(
    target: &Target,
    policy: &Policy,
    seen: Seen,
    at: DateTime<Utc>,
) -> (Option<Alert>, Option<Change>) {
    let Seen::Breach(severity, evidence) = seen else {
        return (None, None);
    };
    let mut alert = Alert {
        id: target.id("alert", at),
        target: *target,
        state: State::Pending,
        severity,
        since: at,
        fired_at: None,
        resolved_at: None,
        cause: None,
        recovery: None,
        seen_at: at,
        breached_at: at,
        breaches: 1,
        evidence: evidence.finite(),
        changes: 0,
        incident: None,
        ack: None,
        mark: None,
    };
    let change = match policy.for_ <= TimeDelta::zero() {
        true => fire(&mut alert, at),
        false => alert.change(What::Pending, at),
    };
    (Some(alert), Some(change))
}

fn fire(alert: &mut Alert, at: DateTime<Utc>) -> Change {
    alert.state = State::Firing;
    alert.fired_at = Some(at);
    alert.change(What::Fired, at)
}

fn breach(
    alert: &mut Alert,
    policy: &Policy,
    severity: Severity,
    evidence: Evidence,
    at: DateTime<Utc>,
) -> Option<Change> {
    alert.breached_at = at;
    alert.breaches = alert.breaches.saturating_add(1);
    alert.evidence = evidence.finite();
    alert.recovery = None;
    let worse = severity > alert.severity;
    alert.severity = alert.severity.max(severity);
    match alert.state {
        State::Pending => (at - alert.since >= policy.for_).then(|| fire(alert, at)),
        State::Firing if worse => {
            // Whoever looks after a warning does not know of the failure.
            alert.ack = None;
            Some(alert.change(What::Escalated, at))
        }
        State::Firing | State::Resolved => None,
    }
}

fn well(
    alert: &mut Alert,
    policy: &Policy,
    evidence: Evidence,
    at: DateTime<Utc>,
) -> Option<Change> {
    if !alert.is_firing() {
        return None;
    }
    let evidence = evidence.finite();
    if !evidence.clears(policy.hysteresis) {
        alert.recovery = None;
        return None;
    }
    let since = alert.recovery.as_ref().map_or(at, |before| before.since);
    alert.recovery = Some(Recovery {
        since,
        unsure: false,
        evidence,
    });
    tick(alert, policy, at)
}
