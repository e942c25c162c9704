//! What the tests of alerts share: a small world of connections, tables and checks whose standing is
//! written to JSON and read back between any two evaluations; seeded randomness.
#![allow(dead_code)]

#[path = "../seeded_support/mod.rs"]
mod seeded;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rules::alert::incident::{Grouping, Turn};
use rules::alert::matcher::Matchers;
use rules::alert::notify::{News, Notification};
use rules::alert::route::{self, Receiver, Route, Routes};
use rules::alert::silence::{self, Silence};
use rules::alert::*;
use uuid::Uuid;

#[allow(unused_imports, reason = "each test uses a part of it")]
pub use seeded::Random;

pub fn t(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_760_000_400 + seconds, 0).unwrap()
}

pub fn secs(seconds: i64) -> TimeDelta {
    TimeDelta::seconds(seconds)
}

pub fn fails() -> Seen {
    Seen::Breach(Severity::Fail, reading(3.0))
}

pub fn warns() -> Seen {
    Seen::Breach(Severity::Warn, reading(7.0))
}

pub fn well() -> Seen {
    Seen::Ok(reading(50.0))
}

pub fn reading(value: f64) -> Evidence {
    Evidence {
        value: Some(value),
        low: Some(10.0),
        high: Some(90.0),
        unit: Unit::Rows,
        as_of: Some(t(0)),
        said: String::new(),
    }
}

pub fn connection(n: u128) -> Uuid {
    Uuid::from_u128(0xc0 + n)
}

/// The check of a table of connection 0.
pub fn check(table: u128) -> Target {
    check_of(0, table, 0)
}

pub fn check_of(of: u128, table: u128, n: u128) -> Target {
    Target {
        connection: connection(of),
        table: Some(Uuid::from_u128(0x1000 * (of + 1) + table)),
        check: Some(Uuid::from_u128(0x100_0000 * (of + 1) + 0x100 * table + n)),
        kind: Kind::Check,
    }
}

pub fn whole(of: u128, kind: Kind) -> Target {
    Target {
        connection: connection(of),
        table: None,
        check: None,
        kind,
    }
}

pub fn down() -> Target {
    whole(0, Kind::ConnectionDown)
}

pub fn subject(target: Target) -> Subject {
    let table = target
        .table
        .map(|table| format!("public.t{}", table.as_u128() & 0xfff));
    Subject {
        target,
        connection: "shop".to_owned(),
        check: target.check.map(|_| "Row count".to_owned()),
        labels: BTreeMap::from([("team".to_owned(), "core".to_owned())]),
        owner: None,
        description: None,
        runbook: None,
        table,
    }
}

pub fn receiver(n: u128) -> Receiver {
    Receiver {
        channel_id: Some(Uuid::from_u128(0xcafe + n)),
        address: None,
    }
}

/// A route for everything: 30 s, 5 min, 4 h.
pub fn route(n: u128, settings: route::Settings) -> Route {
    Route {
        id: Uuid::from_u128(0x4000 + n),
        settings,
    }
}

pub fn everything(to: u128) -> route::Settings {
    route::Settings {
        name: "All".to_owned(),
        receivers: vec![receiver(to)],
        ..route::Settings::default()
    }
}

/// A silence of everything about connection 0.
pub fn silence(n: u128, from: i64, until: i64) -> Silence {
    let settings = silence::Settings {
        matchers: Matchers {
            connections: vec![connection(0)],
            ..Matchers::default()
        },
        starts_at: Some(t(from)),
        ends_at: Some(t(until)),
        ..silence::Settings::default()
    };
    Silence::new(Uuid::from_u128(0x5000 + n), settings).unwrap()
}

/// How an evaluation is made: the real one, or one with a fault.
pub type Evaluate = fn(Standing, &[Sighting], &Setup<'_>, DateTime<Utc>) -> Evaluation;

pub struct World {
    /// The standing, as it was read back.
    pub standing: Standing,
    pub last: BTreeMap<Target, DateTime<Utc>>,
    pub watched: Vec<Watched>,
    pub routes: Routes,
    pub silences: Vec<Silence>,
    pub grouping: Grouping,
    pub evaluate: Evaluate,
    pub sent: Vec<Notification>,
    pub changes: Vec<Change>,
    pub turns: Vec<(Uuid, Turn)>,
    pub next: Option<DateTime<Utc>>,
    pub muted: BTreeMap<Uuid, Mute>,
}

impl World {
    pub fn new(policy: Policy, targets: impl IntoIterator<Item = Target>) -> Self {
        let watch = |target| Watched {
            subject: subject(target),
            policy,
        };
        Self {
            standing: Standing::default(),
            last: BTreeMap::new(),
            watched: targets.into_iter().map(watch).collect(),
            routes: Routes {
                routes: vec![route(0, everything(0))],
                ..Routes::default()
            },
            silences: Vec::new(),
            grouping: Grouping::default(),
            evaluate,
            sent: Vec::new(),
            changes: Vec::new(),
            turns: Vec::new(),
            next: None,
            muted: BTreeMap::new(),
        }
    }

    /// Writes the standing down and reads it back.
    fn store(&mut self, standing: &Standing) {
        let stored = serde_json::to_string(standing).unwrap();
        self.standing = serde_json::from_str(&stored).unwrap();
    }

    /// Evaluates without writing anything down.
    pub fn try_see(&self, now: DateTime<Utc>, sightings: &[Sighting]) -> Evaluation {
        let setup = Setup {
            watched: &self.watched,
            routes: &self.routes,
            silences: &self.silences,
            grouping: self.grouping,
        };
        (self.evaluate)(self.standing.clone(), sightings, &setup, now)
    }

    pub fn sightings(&self, now: DateTime<Utc>, seen: &[(Target, Seen)]) -> Vec<Sighting> {
        let sighting = |(target, seen): &(Target, Seen)| Sighting {
            target: *target,
            seen: seen.clone(),
            at: now,
            last: self.last.get(target).copied(),
        };
        seen.iter().map(sighting).collect()
    }

    /// Evaluates and writes down what came of it; answers the messages.
    pub fn take(&mut self, now: DateTime<Utc>, sightings: &[Sighting]) -> Vec<Notification> {
        let done = self.try_see(now, sightings);
        self.store(&done.standing);
        for sighting in sightings {
            let last = self.last.entry(sighting.target).or_insert(sighting.at);
            *last = (*last).max(sighting.at);
        }
        self.changes.extend(done.changes);
        self.turns.extend(done.turns);
        self.sent.extend(done.notifications.clone());
        (self.next, self.muted) = (done.next, done.muted);
        done.notifications
    }

    /// All runs of a moment.
    pub fn see(&mut self, at: i64, seen: &[(Target, Seen)]) -> Vec<Notification> {
        let sightings = self.sightings(t(at), seen);
        self.take(t(at), &sightings)
    }

    /// Nothing seen for a while, looked at every so many seconds.
    pub fn pass(&mut self, from: i64, until: i64, every: usize) -> Vec<Notification> {
        let times = (from..=until).step_by(every);
        times.flat_map(|at| self.see(at, &[])).collect()
    }

    /// What people do.
    pub fn act(&mut self, act: impl FnOnce(&mut Standing)) {
        let mut standing = self.standing.clone();
        act(&mut standing);
        self.store(&standing);
    }

    pub fn alert(&self, target: Target) -> Option<Alert> {
        let alerts = self.standing.alerts.iter().cloned();
        alerts
            .filter(|alert| alert.target == target)
            .max_by_key(|alert| alert.since)
    }

    pub fn whats(&self) -> Vec<What> {
        self.changes.iter().map(|change| change.what).collect()
    }
}

pub fn news(notifications: &[Notification]) -> Vec<Vec<News>> {
    let of = |one: &Notification| one.lines.iter().map(|line| line.news).collect();
    notifications.iter().map(of).collect()
}
