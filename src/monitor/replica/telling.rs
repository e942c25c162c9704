//! What a run does to the alerts of its connection, and the one call that brings it all home.
//!
//! Invariant: results, alerts and messages are written in one transaction, while the alerts stand as
//! they were read; whoever lost the race reads them again and decides again.
//! Failure: with Postgres away nothing is written; the run is kept and brought home later.

use chrono::{DateTime, TimeDelta, Utc};
use rules::alert::incident::Grouping;
use rules::alert::notify::{News, Notification};
use rules::alert::{
    self, Evaluation, Evidence, Kind, Policy, Seen, Setup, Severity, Sighting, Subject, Target,
    Unit, Watched, act, text,
};
use rules::civil::Zone;
use rules::monitor::check::{self, Check};
use rules::monitor::outcome::Outcome;
use serde_json::{Value, json};
use uuid::Uuid;

use super::contact::Contact;
use super::judging::Ran;
use super::plan::{Plan, PlannedCheck, PlannedTable, Standing};

/// How long a connection must be away before anybody is told, and back before that is over.
const AWAY: TimeDelta = TimeDelta::seconds(60);

/// What is watched of a connection, and what was seen of it.
pub struct Told<'a> {
    plan: &'a Plan,
    connection: Uuid,
    watched: Vec<Watched>,
    sightings: Vec<Sighting>,
}

impl<'a> Told<'a> {
    /// What a run saw.
    pub fn of(
        plan: &'a Plan,
        connection: Uuid,
        contact: Option<&Contact>,
        ran: &[Ran],
        now: DateTime<Utc>,
    ) -> Self {
        let mut told = Self {
            plan,
            connection,
            watched: Vec::new(),
            sightings: Vec::new(),
        };
        told.connection(contact, now);
        for check in &plan.checks {
            if let Some(table) = plan.table(check.table_id) {
                let seen = ran.iter().find(|ran| ran.check == check.id);
                told.check(check, table, seen, now);
            }
        }
        told
    }

    fn connection(&mut self, contact: Option<&Contact>, now: DateTime<Utc>) {
        let policy = Policy {
            for_: AWAY,
            keep_firing_for: TimeDelta::zero(),
            hysteresis: 0.0,
        };
        let soon = Policy {
            for_: TimeDelta::zero(),
            ..policy
        };
        let (down, lag) = contact.map_or((Seen::Unknown, Seen::Unknown), Contact::seen);
        for (kind, policy, seen) in [(Kind::ConnectionDown, policy, down), (Kind::Lag, soon, lag)] {
            let target = Target {
                connection: self.connection,
                table: None,
                check: None,
                kind,
            };
            self.watched
                .push(self.plan.about_connection(target, policy));
            if contact.is_some() {
                self.sightings.push(Sighting {
                    target,
                    seen,
                    at: now,
                    last: self.plan.last_run_at,
                });
            }
        }
    }

    fn check(
        &mut self,
        planned: &PlannedCheck,
        table: &PlannedTable,
        ran: Option<&Ran>,
        now: DateTime<Utc>,
    ) {
        let check = planned.check();
        let data = match check.as_ref().map(|check| &check.kind) {
            Some(check::Kind::Schema(_)) => Kind::Schema,
            _ => Kind::Check,
        };
        let seconds = |of: fn(&Check) -> u32| {
            let seconds = check.as_ref().map(of).unwrap_or_default();
            TimeDelta::seconds(seconds.into())
        };
        let policy = Policy {
            for_: seconds(|check| check.for_),
            keep_firing_for: seconds(|check| check.keep_firing),
            hysteresis: check.as_ref().map_or(0.0, |check| check.hysteresis),
        };
        let name = check.as_ref().map_or("", |check| &check.name).to_owned();
        for kind in [data, Kind::Errored, Kind::Misconfigured] {
            let target = Target {
                connection: self.connection,
                table: Some(table.id),
                check: Some(planned.id),
                kind,
            };
            let watched = self
                .plan
                .about_check(target, policy, table, check.as_ref(), &name);
            self.watched.push(watched);
            if let Some(ran) = ran {
                self.sightings.push(Sighting {
                    target,
                    seen: seen(kind, ran, check.as_ref()),
                    at: now,
                    last: planned.state.seen_at,
                });
            }
        }
    }

    /// What follows for alerts that stand so.
    pub fn evaluate(&self, standing: &Standing, now: DateTime<Utc>) -> Evaluation {
        let mut before = alert::Standing {
            alerts: standing.alerts.clone(),
            incidents: standing.incidents.clone(),
        };
        let watches = |target: &Target| {
            self.watched
                .iter()
                .any(|watched| watched.subject.target == *target)
        };
        let mut removed = Vec::new();
        let mut forgotten = Vec::new();
        for alert in &mut before.alerts {
            if watches(&alert.target) {
                continue;
            }
            match alert.state {
                alert::State::Pending => forgotten.push(alert.id),
                _ => removed.extend(act::remove(alert, now).map(|change| (alert.clone(), change))),
            }
        }
        before.alerts.retain(|alert| !forgotten.contains(&alert.id));
        let (routes, silences) = (standing.routes(), standing.silences());
        let setup = Setup {
            watched: &self.watched,
            routes: &routes,
            silences: &silences,
            grouping: Grouping::default(),
        };
        let mut evaluation = alert::evaluate(before, &self.sightings, &setup, now);
        for (alert, change) in removed {
            evaluation.changes.push(change);
            if !evaluation.alerts.iter().any(|known| known.id == alert.id) {
                evaluation.alerts.push(alert);
            }
        }
        evaluation.cleared.extend(forgotten);
        evaluation
    }

    /// A message as it is posted.
    pub fn message(&self, notification: &Notification, link: Option<&str>) -> Value {
        let subject = |target: &Target| -> Option<&Subject> {
            let mut watched = self.watched.iter();
            let found = watched.find(|watched| watched.subject.target == *target);
            found.map(|watched| &watched.subject)
        };
        let zone = Zone::utc();
        let message = text::message(&text::MessageIn {
            notification,
            subject: &subject,
            zone: &zone,
            link,
        });
        let news = |news: News| matches!(news, News::Fired | News::Escalated);
        let alerts = notification.lines.iter().filter(|line| news(line.news));
        let receiver = &notification.receiver;
        json!({
            "id": notification.id, "key": notification.key, "incident": notification.incident,
            "number": notification.number, "channel_id": receiver.channel_id,
            "route": notification.route, "reason": notification.reason, "alerts": alerts.count(),
            "at": notification.at,
            "message": {
                "topic_kind": null, "topic_id": null, "topic_name": null,
                "source_kind": "monitor", "source_id": notification.id,
                "subject": message.subject, "text": message.text, "html": message.html,
                "alert": message.alert,
                "recipients": [{"channel_id": receiver.channel_id, "address": receiver.address}],
            },
        })
    }
}

/// What a run says about one kind of alert of its check.
fn seen(kind: Kind, ran: &Ran, check: Option<&Check>) -> Seen {
    let evidence = || Evidence {
        value: ran.result.value,
        low: ran.result.low,
        high: ran.result.high,
        unit: check.map_or(Unit::Plain, unit),
        as_of: ran.result.as_of,
        said: ran.text.clone(),
    };
    // Where that counts, the limits that a value must be well inside of.
    let inside = || {
        let evidence = evidence();
        let limits = check.filter(|check| check.hysteresis > 0.0);
        let (low, high) = limits.map_or((None, None), |check| check.thresholds.limits());
        Evidence {
            low: evidence.low.or(low),
            high: evidence.high.or(high),
            ..evidence
        }
    };
    match (kind, ran.outcome) {
        (Kind::Errored, Outcome::Errored) => Seen::Breach(Severity::Warn, evidence()),
        (Kind::Misconfigured, Outcome::Misconfigured) => Seen::Breach(Severity::Fail, evidence()),
        // An error says that it is there, and configured.
        (Kind::Misconfigured, Outcome::Errored) => Seen::Ok(evidence()),
        (Kind::Errored | Kind::Misconfigured, outcome)
            if outcome.is_verdict() || matches!(outcome, Outcome::Learning { .. }) =>
        {
            Seen::Ok(evidence())
        }
        (Kind::Errored | Kind::Misconfigured, _) => Seen::Unknown,
        (_, Outcome::Pass) => Seen::Ok(inside()),
        (_, Outcome::Warn) => Seen::Breach(Severity::Warn, evidence()),
        (_, Outcome::Fail) => Seen::Breach(Severity::Fail, evidence()),
        _ => Seen::Unknown,
    }
}

fn unit(check: &Check) -> Unit {
    match (&check.kind, check.measure) {
        (check::Kind::Freshness(_), _) => Unit::Seconds,
        (check::Kind::Volume(_) | check::Kind::RowCount(_), _)
        | (check::Kind::DuplicateKeys(_), _) => Unit::Rows,
        (_, check::Measure::Rows) => Unit::Rows,
        (
            check::Kind::NullRate(_)
            | check::Kind::Uniqueness(_)
            | check::Kind::AcceptedValues(_)
            | check::Kind::Range(_)
            | check::Kind::Pattern(_)
            | check::Kind::Reference(_)
            | check::Kind::Assertion(_),
            check::Measure::Share,
        ) => Unit::Share,
        _ => Unit::Plain,
    }
}

/// What of an evaluation is written.
pub fn written(told: &Told<'_>, evaluation: &Evaluation, public_url: &str, to: &mut Value) {
    let link = |incident: Uuid| {
        (!public_url.is_empty()).then(|| format!("{public_url}/monitor?incident={incident}"))
    };
    let alerts: Vec<Value> = evaluation
        .alerts
        .iter()
        .map(|alert| {
            json!({
                "id": alert.id, "table_id": alert.target.table, "check_id": alert.target.check,
                "kind": alert.target.kind, "state": alert.state, "severity": alert.severity,
                "data": alert, "since": alert.since, "fired_at": alert.fired_at,
                "resolved_at": alert.resolved_at, "incident_id": alert.incident,
            })
        })
        .collect();
    let incidents: Vec<Value> = evaluation
        .incidents
        .iter()
        .map(|incident| {
            json!({
                "id": incident.id, "data": incident, "opened_at": incident.opened_at,
                "closed_at": incident.closed_at, "finished": incident.is_finished(),
            })
        })
        .collect();
    let notifications: Vec<Value> = evaluation
        .notifications
        .iter()
        .map(|notification| told.message(notification, link(notification.incident).as_deref()))
        .collect();
    let moved = !(alerts.is_empty() && incidents.is_empty() && evaluation.cleared.is_empty());
    if let Some(fields) = to.as_object_mut() {
        if moved {
            fields.insert("alerts".to_owned(), alerts.into());
        }
        fields.insert("cleared".to_owned(), json!(evaluation.cleared));
        fields.insert("incidents".to_owned(), incidents.into());
        fields.insert("changes".to_owned(), json!(evaluation.changes));
        fields.insert("muted".to_owned(), json!(evaluation.muted));
        fields.insert("notifications".to_owned(), notifications.into());
    }
}
