//! Alerts that follow from another one are not told.
//!
//! While a connection is down nothing else is told of it; while its replica lags nothing is told of
//! its tables. As in Alertmanager, an inhibitor that is itself silenced still inhibits.
//!
//! When the inhibitor goes away, an alert that was seen last before that is old news: it is held
//! until a run confirms it, or [`GRACE`] has passed. Alertmanager would tell it at once, and tell
//! with the next run that it is over.
//!
//! Invariant: an alert that stands is held for a bounded time after its inhibitor ended.
//! Failure: none.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::step::Alert;
use super::target::{Kind, Target};

/// How long an alert waits to be confirmed when its inhibitor is gone.
pub const GRACE: TimeDelta = TimeDelta::minutes(10);

/// Those that inhibit, out of all alerts.
#[derive(Clone, Debug, Default)]
pub struct Inhibitors<'a> {
    known: Vec<&'a Alert>,
}

/// Why an alert is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The alert that inhibits it.
    pub by: Uuid,
    /// When that ends by itself; none while the inhibitor fires.
    pub until: Option<DateTime<Utc>>,
}

impl<'a> Inhibitors<'a> {
    /// Finds them.
    pub fn of(alerts: impl IntoIterator<Item = &'a Alert>, now: DateTime<Utc>) -> Self {
        let counts = |alert: &&Alert| may_hold(alert, now);
        Self {
            known: alerts.into_iter().filter(counts).collect(),
        }
    }

    /// Whether an alert is held now.
    pub fn holds(&self, alert: &Alert) -> Option<Held> {
        let applies = |other: &&&Alert| inhibits(&other.target, &alert.target);
        let held = self.known.iter().filter(applies).filter_map(|other| {
            let until = match over(other) {
                None => None,
                Some(over) if alert.is_firing() && alert.breached_at <= over => Some(over + GRACE),
                Some(_) => return None,
            };
            Some(Held {
                by: other.id,
                until,
            })
        });
        // One that fires holds longest.
        held.max_by_key(|held| (held.until.is_none(), held.until))
    }
}

/// Whether an alert may hold others: it inhibits, or did so until a moment ago.
pub fn may_hold(alert: &Alert, now: DateTime<Utc>) -> bool {
    matches!(alert.target.kind, Kind::ConnectionDown | Kind::Lag)
        && (alert.is_firing() || over(alert).is_some_and(|over| now < over + GRACE))
}

/// When an inhibitor that had fired ended.
fn over(alert: &Alert) -> Option<DateTime<Utc>> {
    alert.fired_at.and(alert.resolved_at)
}

fn inhibits(by: &Target, of: &Target) -> bool {
    by.connection == of.connection
        && match by.kind {
            Kind::ConnectionDown => of.kind != Kind::ConnectionDown,
            Kind::Lag => of.table.is_some(),
            _ => false,
        }
}
