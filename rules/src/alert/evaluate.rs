//! One evaluation: what was seen goes in, what is to be stored and sent comes out.
//!
//! In one transaction a caller reads the [`Standing`] of a connection, calls [`evaluate`], writes
//! [`Evaluation::alerts`] and [`Evaluation::incidents`] over what it read, deletes
//! [`Evaluation::cleared`], appends [`Evaluation::changes`] and [`Evaluation::turns`], and posts each
//! of [`Evaluation::notifications`] as a message whose source is [`Notification::id`]. It reads: all
//! alerts that are not resolved, those of incidents that are not finished, the latest alert of each
//! target that was seen, and each `lag` and `connection_down` that ended within
//! [`GRACE`](super::inhibit::GRACE); and all incidents that are not finished.
//!
//! Invariant: the same standing and the same input give the same result. What was seen before, or
//! later than the last that was seen, changes nothing.
//! Failure: two evaluations of the same standing at once would each lose what the other one found:
//! the caller lets only one of them write (a version of the connection, compared and set). Their
//! messages have the same identifiers.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::incident::{self, Grouping, Incident, Turn};
use super::inhibit::{self, Inhibitors};
use super::notify::{self, Notification, View, earlier};
use super::route::Routes;
use super::silence::{Silence, Status};
use super::step::{self, Alert, Change, Policy, Seen, State};
use super::target::{Subject, Target};

/// All that is kept of the alerts of a connection, or of several.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Alerts: those that are not over, those of open incidents, the last one of a target, and those
    /// that others wait for.
    pub alerts: Vec<Alert>,
    /// Incidents that are not finished.
    pub incidents: Vec<Incident>,
}

/// Something that is watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// What people call it.
    pub subject: Subject,
    /// How its alerts come and go.
    pub policy: Policy,
}

/// What a run saw of a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// The target; it must be watched.
    pub target: Target,
    /// What it saw.
    pub seen: Seen,
    /// When it ran.
    pub at: DateTime<Utc>,
    /// When the last run before it ran whose sighting was taken, as it is stored. One that is not
    /// later is a repeat, or late, and changes nothing.
    pub last: Option<DateTime<Utc>>,
}

/// What is set up.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// What is watched: at least what was seen, and what alerts are about.
    pub watched: &'a [Watched],
    /// Who is told.
    pub routes: &'a Routes,
    /// What is not told.
    pub silences: &'a [Silence],
    /// What makes an incident.
    pub grouping: Grouping,
}

/// Why nothing is told of an alert that fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by", content = "id")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AlertMute))]
pub enum Mute {
    /// This silence.
    Silence(Uuid),
    /// This alert.
    Alert(Uuid),
}

/// What came of an evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// What to go on with.
    pub standing: Standing,
    /// Alerts that are new or were changed.
    pub alerts: Vec<Alert>,
    /// Alerts that never fired and are to be forgotten.
    pub cleared: Vec<Uuid>,
    /// Incidents that are new or were changed.
    pub incidents: Vec<Incident>,
    /// What happened to alerts, in order.
    pub changes: Vec<Change>,
    /// What happened to incidents, in order.
    pub turns: Vec<(Uuid, Turn)>,
    /// What is to be sent.
    pub notifications: Vec<Notification>,
    /// The alerts that fire and are muted.
    pub muted: BTreeMap<Uuid, Mute>,
    /// When to evaluate again if nothing is seen until then.
    pub next: Option<DateTime<Utc>>,
}

/// Takes what was seen, and says what follows at `now`. Also to be called without anything seen: when
/// [`Evaluation::next`] has come, and after people acted or changed the setup.
pub fn evaluate(
    before: Standing,
    sightings: &[Sighting],
    setup: &Setup<'_>,
    now: DateTime<Utc>,
) -> Evaluation {
    let known = setup.watched.iter();
    let known: BTreeMap<Target, &Watched> = known
        .map(|watched| (watched.subject.target, watched))
        .collect();
    let mut result = Evaluation::default();
    let mut alerts: BTreeMap<Uuid, Alert> = BTreeMap::new();
    for alert in &before.alerts {
        alerts.insert(alert.id, alert.clone());
    }
    see(&mut alerts, sightings, &known, &mut result);
    for alert in alerts.values_mut() {
        let Some(watched) = known.get(&alert.target) else {
            continue;
        };
        result
            .changes
            .extend(step::tick(alert, &watched.policy, now));
        if let Some(at) = step::recovers_at(alert, &watched.policy) {
            earlier(&mut result.next, at);
        }
    }
    let mut incidents = before.incidents.clone();
    result.turns = incident::group(&mut incidents, &mut alerts, &setup.grouping, now);
    tell(&alerts, &mut incidents, &known, setup, now, &mut result);
    for incident in &mut incidents {
        let told: BTreeSet<Uuid> = incident
            .threads
            .iter()
            .flat_map(|thread| thread.told.keys().copied())
            .collect();
        let fires = |id: &Uuid| alerts.get(id).is_some_and(Alert::is_firing);
        incident.alerts.retain(|id| fires(id) || told.contains(id));
    }
    result.alerts = changed(&before.alerts, alerts.values(), |alert| alert.id);
    result.incidents = changed(&before.incidents, incidents.iter(), |incident| incident.id);
    incidents.retain(|incident| !incident.is_finished());
    result.standing = Standing {
        alerts: kept(alerts, &incidents, now),
        incidents,
    };
    result
}

/// Steps the alerts by what was seen.
fn see(
    alerts: &mut BTreeMap<Uuid, Alert>,
    sightings: &[Sighting],
    known: &BTreeMap<Target, &Watched>,
    result: &mut Evaluation,
) {
    // The last alert of each target.
    let mut latest: BTreeMap<Target, (DateTime<Utc>, Uuid)> = BTreeMap::new();
    for alert in alerts.values() {
        let one = latest
            .entry(alert.target)
            .or_insert((alert.since, alert.id));
        *one = (*one).max((alert.since, alert.id));
    }
    for sighting in sightings {
        let Some(watched) = known.get(&sighting.target) else {
            continue;
        };
        if sighting.last.is_some_and(|last| sighting.at <= last) {
            continue;
        }
        let before = latest.get(&sighting.target).map(|(_, id)| *id);
        let state = before.and_then(|id| alerts.get(&id));
        let (after, change) = step::step(
            state,
            &sighting.target,
            &watched.policy,
            sighting.seen.clone(),
            sighting.at,
        );
        result.changes.extend(change);
        match after {
            Some(alert) => {
                latest.insert(alert.target, (alert.since, alert.id));
                alerts.insert(alert.id, alert);
            }
            None => {
                if let Some(id) = before {
                    alerts.remove(&id);
                    latest.remove(&sighting.target);
                    result.cleared.push(id);
                }
            }
        }
    }
}

/// Makes the messages that are due.
fn tell(
    alerts: &BTreeMap<Uuid, Alert>,
    incidents: &mut [Incident],
    known: &BTreeMap<Target, &Watched>,
    setup: &Setup<'_>,
    now: DateTime<Utc>,
    result: &mut Evaluation,
) {
    let subject = |alert: &Alert| known.get(&alert.target).map(|watched| &watched.subject);
    let active = setup
        .silences
        .iter()
        .filter_map(|silence| match silence.status(now) {
            Status::Active { until } => Some((silence, until)),
            Status::Pending { .. } | Status::Expired => None,
        });
    let active: Vec<_> = active.collect();
    let inhibitors = Inhibitors::of(alerts.values(), now);
    let mut mutes: BTreeMap<Uuid, Mute> = BTreeMap::new();
    for alert in alerts
        .values()
        .filter(|alert| alert.state != State::Pending)
    {
        let silenced = active.iter().find(|(silence, _)| {
            subject(alert).is_some_and(|subject| silence.matches(subject, alert.severity))
        });
        let held = inhibitors.holds(alert);
        let (mute, until) = match (silenced, held) {
            (Some((silence, until)), _) => (Mute::Silence(silence.id), Some(*until)),
            (None, Some(held)) => (Mute::Alert(held.by), held.until),
            (None, None) => continue,
        };
        mutes.insert(alert.id, mute);
        if let Some(until) = until {
            earlier(&mut result.next, until);
        }
    }
    let view = View {
        alerts,
        subject: &subject,
        muted: &|alert| mutes.contains_key(&alert.id),
        routes: setup.routes,
    };
    for incident in incidents.iter_mut() {
        let (made, next) = notify::due(incident, &view, now);
        result.notifications.extend(made);
        if let Some(at) = next {
            earlier(&mut result.next, at);
        }
    }
    mutes.retain(|id, _| alerts.get(id).is_some_and(Alert::is_firing));
    result.muted = mutes;
}

/// What is new or not as it was.
fn changed<'a, T: Clone + PartialEq + 'a>(
    before: &[T],
    after: impl Iterator<Item = &'a T>,
    id: impl Fn(&T) -> Uuid,
) -> Vec<T> {
    let before: BTreeMap<Uuid, &T> = before.iter().map(|one| (id(one), one)).collect();
    let differs = |one: &&T| before.get(&id(one)).is_none_or(|before| *before != *one);
    after.filter(differs).cloned().collect()
}

/// The alerts that matter later on.
fn kept(alerts: BTreeMap<Uuid, Alert>, incidents: &[Incident], now: DateTime<Utc>) -> Vec<Alert> {
    let mut latest: BTreeMap<Target, (DateTime<Utc>, Uuid)> = BTreeMap::new();
    for alert in alerts.values() {
        let one = latest
            .entry(alert.target)
            .or_insert((alert.since, alert.id));
        *one = (*one).max((alert.since, alert.id));
    }
    let open: BTreeSet<Uuid> = incidents
        .iter()
        .flat_map(|incident| incident.alerts.iter().copied())
        .collect();
    let matters = |alert: &Alert| {
        alert.state != State::Resolved
            || open.contains(&alert.id)
            || inhibit::may_hold(alert, now)
            || latest
                .get(&alert.target)
                .is_some_and(|(_, id)| *id == alert.id)
    };
    alerts.into_values().filter(matters).collect()
}
