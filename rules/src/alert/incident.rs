//! Incidents: alerts of one connection that began together.
//!
//! What fires on a table joins the incident of that table, if it is open and began less than a
//! window ago. When several tables of a connection fire within a window, they are one incident:
//! the oldest of which nobody was told yet takes in the others. What is about the connection itself
//! is an incident of its own, so that it waits for nothing.
//!
//! Invariant: an alert that fired is part of one incident. An incident of which somebody was told
//! keeps its alerts, so that nobody is told twice. It closes when all its alerts are over, and does
//! not open again.
//! Failure: none.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::notify::Thread;
use super::step::Alert;

/// What makes one incident of several alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// How long after its beginning an incident takes in others.
    pub window: TimeDelta,
    /// So many tables of a connection are one incident.
    pub tables: usize,
}

impl Default for Grouping {
    fn default() -> Self {
        Self {
            window: TimeDelta::minutes(10),
            tables: 3,
        }
    }
}

/// What an incident is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "of", content = "table")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = IncidentScope))]
pub enum Scope {
    /// One table.
    Table(Uuid),
    /// Several tables of the connection.
    Tables,
    /// The connection itself.
    Connection,
}

/// Alerts that began together, and who was told of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its identifier.
    pub id: Uuid,
    /// The connection.
    pub connection: Uuid,
    /// What it is about.
    pub scope: Scope,
    /// When its first alert fired.
    pub opened_at: DateTime<Utc>,
    /// When its last alert was over.
    pub closed_at: Option<DateTime<Utc>>,
    /// The incident that took it in, before anybody was told of it.
    pub absorbed_by: Option<Uuid>,
    /// Its alerts, but for those that are over and need not be told any more.
    pub alerts: BTreeSet<Uuid>,
    /// How many alerts it has had.
    pub count: u32,
    /// What each receiver was told.
    pub threads: Vec<Thread>,
}

/// What happened to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = IncidentTurn))]
pub enum Turn {
    /// It began.
    Opened,
    /// An alert joined it.
    Joined,
    /// It is about several tables now.
    Widened,
    /// Another one took it in.
    Absorbed,
    /// It is over.
    Closed,
}

impl Incident {
    /// Whether anybody was told of it.
    pub fn is_told(&self) -> bool {
        self.threads.iter().any(|thread| thread.sent > 0)
    }

    /// Whether there is nothing left to do with it: it is over, and whoever was told of its
    /// beginning was told of its end.
    pub fn is_finished(&self) -> bool {
        let owed = |thread: &Thread| !thread.told.is_empty();
        self.closed_at.is_some() && !self.threads.iter().any(owed)
    }

    fn begin(alert: &Alert, scope: Scope, at: DateTime<Utc>) -> Self {
        Self {
            id: alert.target.id("incident", alert.since),
            connection: alert.target.connection,
            scope,
            opened_at: at,
            closed_at: None,
            absorbed_by: None,
            alerts: BTreeSet::new(),
            count: 0,
            threads: Vec::new(),
        }
    }

    fn takes(&mut self, alert: &mut Alert) {
        if self.alerts.insert(alert.id) {
            self.count = self.count.saturating_add(1);
        }
        alert.incident = Some(self.id);
    }
}

/// Gives every alert that fires its incident, and closes those whose alerts are all over.
pub fn group(
    incidents: &mut Vec<Incident>,
    alerts: &mut BTreeMap<Uuid, Alert>,
    grouping: &Grouping,
    now: DateTime<Utc>,
) -> Vec<(Uuid, Turn)> {
    let mut turns = Vec::new();
    let alone = alerts
        .values()
        .filter(|alert| alert.is_firing() && alert.incident.is_none());
    let mut alone: Vec<_> = alone.map(|alert| (alert.fired_at, alert.id)).collect();
    alone.sort_unstable();
    for (_, id) in alone {
        place(id, incidents, alerts, grouping, &mut turns);
    }
    for incident in incidents
        .iter_mut()
        .filter(|incident| incident.closed_at.is_none())
    {
        let fires = |id: &Uuid| alerts.get(id).is_some_and(Alert::is_firing);
        if !incident.alerts.iter().any(fires) {
            let ends = incident
                .alerts
                .iter()
                .filter_map(|id| alerts.get(id)?.resolved_at);
            incident.closed_at = Some(ends.max().unwrap_or(now));
            turns.push((incident.id, Turn::Closed));
        }
    }
    turns
}

fn place(
    id: Uuid,
    incidents: &mut Vec<Incident>,
    alerts: &mut BTreeMap<Uuid, Alert>,
    grouping: &Grouping,
    turns: &mut Vec<(Uuid, Turn)>,
) {
    let Some((connection, table, at)) = alerts.get(&id).map(|alert| {
        let at = alert.fired_at.unwrap_or(alert.since);
        (alert.target.connection, alert.target.table, at)
    }) else {
        return;
    };
    let near = |incident: &Incident| {
        incident.connection == connection
            && incident.closed_at.is_none()
            && (at - incident.opened_at).abs() <= grouping.window
    };
    let of =
        |scope: Scope| move |incident: &&mut Incident| near(incident) && incident.scope == scope;
    let scope = match table {
        None => Scope::Connection,
        Some(table) => {
            let joins = match incidents.iter_mut().find(of(Scope::Tables)) {
                Some(wide) => Some(wide),
                None => incidents.iter_mut().find(of(Scope::Table(table))),
            };
            if let (Some(incident), Some(alert)) = (joins, alerts.get_mut(&id)) {
                incident.takes(alert);
                turns.push((incident.id, Turn::Joined));
                return;
            }
            match tables_near(alerts, connection, at, grouping) >= grouping.tables.max(2) {
                true => Scope::Tables,
                false => Scope::Table(table),
            }
        }
    };
    let untold = |incident: &Incident| {
        near(incident) && matches!(incident.scope, Scope::Table(_)) && !incident.is_told()
    };
    let home = match scope {
        Scope::Tables => widen(incidents, alerts, untold, at, turns),
        Scope::Table(_) | Scope::Connection => None,
    };
    let Some(alert) = alerts.get_mut(&id) else {
        return;
    };
    match home.and_then(|home| incidents.iter_mut().find(|incident| incident.id == home)) {
        Some(incident) => {
            incident.takes(alert);
            turns.push((incident.id, Turn::Joined));
        }
        None => {
            let mut incident = Incident::begin(alert, scope, at);
            incident.takes(alert);
            turns.push((incident.id, Turn::Opened));
            incidents.push(incident);
        }
    }
}

/// How many tables of a connection began to fire within a window of an instant.
fn tables_near(
    alerts: &BTreeMap<Uuid, Alert>,
    connection: Uuid,
    at: DateTime<Utc>,
    grouping: &Grouping,
) -> usize {
    let near = |alert: &&Alert| {
        alert.target.connection == connection
            && alert.is_firing()
            && alert
                .fired_at
                .is_some_and(|fired| (at - fired).abs() <= grouping.window)
    };
    let tables = alerts
        .values()
        .filter(near)
        .filter_map(|alert| alert.target.table);
    tables.collect::<BTreeSet<_>>().len()
}

/// Makes the oldest of some incidents one of several tables that takes in the others.
fn widen(
    incidents: &mut [Incident],
    alerts: &mut BTreeMap<Uuid, Alert>,
    of: impl Fn(&Incident) -> bool,
    at: DateTime<Utc>,
    turns: &mut Vec<(Uuid, Turn)>,
) -> Option<Uuid> {
    let oldest = incidents.iter().filter(|incident| of(incident));
    let home = oldest
        .min_by_key(|incident| (incident.opened_at, incident.id))?
        .id;
    let mut taken: BTreeSet<Uuid> = BTreeSet::new();
    for other in incidents
        .iter_mut()
        .filter(|other| other.id != home && of(other))
    {
        taken.append(&mut other.alerts);
        other.threads.clear();
        other.closed_at = Some(at);
        other.absorbed_by = Some(home);
        turns.push((other.id, Turn::Absorbed));
    }
    let incident = incidents.iter_mut().find(|incident| incident.id == home)?;
    incident.scope = Scope::Tables;
    turns.push((home, Turn::Widened));
    for id in taken {
        if let Some(alert) = alerts.get_mut(&id) {
            incident.takes(alert);
        }
    }
    Some(home)
}
