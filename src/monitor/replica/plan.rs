//! What the object of a connection goes by, as Postgres tells it.
//!
//! Invariant: read anew for every run, so that a change is followed by the next run at the latest.
//! Failure: a check whose definition cannot be read any more is misconfigured, and no other is held
//! up by it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rules::alert::incident::Incident;
use rules::alert::route::{self, Mode, Route, Routes};
use rules::alert::silence::{self, Silence};
use rules::alert::{Alert, Policy, Subject, Target, Watched};
use rules::detector::Streak;
use rules::monitor::TableName;
use rules::monitor::backfill::Backfill;
use rules::monitor::check::Check;
use rules::monitor::due::Entry;
use rules::monitor::schema::Snapshot;
use rules::monitor::shift::Histogram;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::Home;
use super::store::Access;

/// How a connection is asked, what is watched through it, and how that stands.
#[derive(Deserialize)]
pub struct Plan {
    /// How to sign in.
    pub access: Access,
    /// What people call the connection.
    pub name: String,
    /// Where its tenant keeps objects.
    pub live: Home,
    /// When it was last asked.
    pub last_run_at: Option<DateTime<Utc>>,
    /// When it was to be looked at next, to the microsecond, as Postgres words it.
    pub due_at: Option<String>,
    /// The tables.
    pub tables: Vec<PlannedTable>,
    /// Their checks.
    pub checks: Vec<PlannedCheck>,
    /// The alerts, and who is told of them.
    pub standing: Standing,
}

/// A table that is watched.
#[derive(Deserialize)]
pub struct PlannedTable {
    /// The monitored table.
    pub id: Uuid,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What routes and silences go by.
    pub labels: BTreeMap<String, String>,
    /// Who is asked about it.
    pub owner: Option<String>,
    /// What it holds.
    pub description: Option<String>,
    /// What to do.
    pub runbook_url: Option<String>,
    /// Its columns as they were last seen.
    pub columns: Option<Snapshot>,
}

/// A check of one of them.
#[derive(Deserialize)]
pub struct PlannedCheck {
    /// The check.
    pub id: Uuid,
    /// Its table.
    pub table_id: Uuid,
    /// What it is.
    pub definition: Value,
    /// Its version, that it was run as.
    pub version: i64,
    /// Grows when it measures something else.
    pub revision: i32,
    /// Grows when results are changed that it learned from.
    pub learnt: i64,
    /// How far its history is filled in.
    pub backfill: Backfill,
    /// What the run before left.
    pub state: State,
    /// Since when it runs.
    pub since: DateTime<Utc>,
    /// The period that was run last.
    pub last_at: Option<DateTime<Utc>>,
    /// What was measured last.
    pub last_value: Option<f64>,
}

/// What one run of a check leaves for the next.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct State {
    /// Of the detector.
    pub streak: Streak,
    /// What values were like, for a check of their shift.
    pub histogram: Option<Histogram>,
    /// When it last ran.
    pub seen_at: Option<DateTime<Utc>>,
}

/// The alerts of a connection, and who is told of them.
#[derive(Deserialize)]
pub struct Standing {
    /// Grows with every change.
    pub standing: i64,
    /// Alerts that matter.
    pub alerts: Vec<Alert>,
    /// Incidents that are not finished.
    pub incidents: Vec<Incident>,
    routes: Vec<Stored<route::Settings>>,
    mode: Mode,
    silences: Vec<Stored<silence::Settings>>,
}

#[derive(Deserialize)]
struct Stored<T> {
    id: Uuid,
    settings: T,
}

impl PlannedTable {
    /// Its name with its schema.
    pub fn qualified(&self) -> TableName {
        TableName {
            schema: self.schema.clone(),
            name: self.name.clone(),
        }
    }
}

impl PlannedCheck {
    /// What it is; none when nobody can tell any more.
    pub fn check(&self) -> Option<Check> {
        serde_json::from_value(self.definition.clone()).ok()
    }

    /// The check as its schedule sees it. `claimed` is what this object has begun.
    pub fn entry(&self, every: u32, claimed: Option<DateTime<Utc>>) -> Entry {
        Entry {
            check: self.id,
            every,
            since: self.since,
            last: self.last_at.max(claimed),
        }
    }
}

impl Standing {
    /// Who is told of what.
    pub fn routes(&self) -> Routes {
        let route = |stored: &Stored<route::Settings>| Route {
            id: stored.id,
            settings: stored.settings.clone(),
        };
        Routes {
            mode: self.mode,
            routes: self.routes.iter().map(route).collect(),
        }
    }

    /// What is not told.
    pub fn silences(&self) -> Vec<Silence> {
        let silences = self.silences.iter();
        let silence = |stored: &Stored<silence::Settings>| {
            Silence::new(stored.id, stored.settings.clone()).ok()
        };
        silences.filter_map(silence).collect()
    }
}

impl Plan {
    /// A table by its id.
    pub fn table(&self, id: Uuid) -> Option<&PlannedTable> {
        self.tables.iter().find(|table| table.id == id)
    }

    /// A check is filled in this far now.
    pub fn filled(&mut self, check: Uuid, backfill: Backfill) {
        if let Some(known) = self.checks.iter_mut().find(|known| known.id == check) {
            known.backfill = backfill;
        }
    }

    /// Something that is watched about the connection itself.
    pub fn about_connection(&self, target: Target, policy: Policy) -> Watched {
        let subject = Subject {
            target,
            connection: self.name.clone(),
            table: None,
            check: None,
            labels: BTreeMap::new(),
            owner: None,
            description: None,
            runbook: None,
        };
        Watched { subject, policy }
    }

    /// Something that is watched about a check.
    pub fn about_check(
        &self,
        target: Target,
        policy: Policy,
        table: &PlannedTable,
        check: Option<&Check>,
        name: &str,
    ) -> Watched {
        let mut labels = table.labels.clone();
        labels.extend(check.map(|check| check.labels.clone()).unwrap_or_default());
        let of = |own: Option<&Option<String>>, tables: &Option<String>| {
            own.cloned().flatten().or_else(|| tables.clone())
        };
        let subject = Subject {
            target,
            connection: self.name.clone(),
            table: Some(format!("{}.{}", table.schema, table.name)),
            check: Some(name.to_owned()),
            labels,
            owner: of(check.map(|check| &check.owner), &table.owner),
            description: of(check.map(|check| &check.description), &table.description),
            runbook: of(check.map(|check| &check.runbook_url), &table.runbook_url),
        };
        Watched { subject, policy }
    }
}
