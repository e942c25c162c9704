//! A random history: what is watched, what runs see, what people do, and what goes wrong between.
//!
//! Invariant: the same seed tells the same story.

use chrono::{DateTime, TimeDelta, Utc};
use rules::alert::matcher::Matchers;
use rules::alert::notify::Notification;
use rules::alert::route::{self, Mode, Route, Routes, Step};
use rules::alert::silence::{self, Silence};
use rules::alert::*;
use uuid::Uuid;

use std::collections::BTreeMap;

use super::alert_support::*;

/// What somebody did.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Ack(Uuid),
    Resolve(Uuid),
}

/// One evaluation that was written down.
pub struct Chapter {
    pub now: DateTime<Utc>,
    /// Before it.
    pub acts: Vec<Act>,
    pub sightings: Vec<Sighting>,
    pub routes: Routes,
    pub sent: Vec<Notification>,
    pub changes: Vec<(Target, What)>,
    /// Alerts as they were after it.
    pub alerts: Vec<Alert>,
}

pub struct Story {
    pub watched: Vec<Watched>,
    pub silences: Vec<Silence>,
    pub chapters: Vec<Chapter>,
}

/// The moment everything calms down.
const CHANGES: usize = 50;
const TAIL: i64 = 20;

pub fn tell(seed: u64, evaluate: Evaluate) -> Story {
    let random = &mut Random::new(seed);
    let mut world = begin(random, evaluate);
    let mut chapters = Vec::new();
    let mut health: BTreeMap<Target, u64> = BTreeMap::new();
    let mut clock = 0;
    for _ in 0..CHANGES {
        clock += 15 + random.below(90) as i64;
        // Now and then a clock is late.
        let late = if random.chance(8) {
            random.below(150) as i64
        } else {
            0
        };
        let now = t(clock - late);
        let mut seen = Vec::new();
        for watched in &world.watched {
            let target = watched.subject.target;
            let calm = if target.table.is_none() { 92 } else { 70 };
            let state = health.entry(target).or_insert(0);
            if !random.chance(78) {
                *state = if random.chance(calm) {
                    0
                } else {
                    1 + random.below(3)
                };
            }
            if random.chance(65) {
                seen.push((
                    target,
                    [well(), fails(), warns(), Seen::Unknown][*state as usize].clone(),
                ));
            }
        }
        let acts = people(random, &world);
        let sightings = world.sightings(now, &seen);
        if random.chance(10) {
            // Worked out, but never written down; then once more.
            let (standing, known) = (world.standing.clone(), world.changes.len());
            perform(&mut world, &acts, now);
            world.try_see(now, &sightings);
            world.changes.truncate(known);
            world.standing = standing;
            clock += 5;
        }
        let again = t(clock - late);
        chapter(&mut world, &mut chapters, acts, again, &sightings);
        if random.chance(15) {
            // Written down, but the answer was lost: the same again, with what was known before.
            chapter(
                &mut world,
                &mut chapters,
                Vec::new(),
                t(clock + 1),
                &sightings,
            );
        }
        if random.chance(10) && chapters.len() > 3 {
            // An old one comes late, and says when the last one was.
            let old = chapters[chapters.len() - 3].sightings.clone();
            let fresh = |mut sighting: Sighting| {
                sighting.last = world.last.get(&sighting.target).copied();
                sighting
            };
            let old: Vec<_> = old.into_iter().map(fresh).collect();
            chapter(&mut world, &mut chapters, Vec::new(), t(clock + 2), &old);
        }
        if random.chance(2) && world.routes.routes.len() > 1 {
            world.routes.routes.pop();
        }
    }
    for step in 0..TAIL {
        chapter(
            &mut world,
            &mut chapters,
            Vec::new(),
            t(clock + 180 * step),
            &[],
        );
    }
    Story {
        watched: world.watched,
        silences: world.silences,
        chapters,
    }
}

fn chapter(
    world: &mut World,
    chapters: &mut Vec<Chapter>,
    acts: Vec<Act>,
    now: DateTime<Utc>,
    sightings: &[Sighting],
) {
    let before = world.changes.len();
    let mut named = world.standing.alerts.clone();
    perform(world, &acts, now);
    let sent = world.take(now, sightings);
    let alerts = world.standing.alerts.clone();
    named.extend(alerts.clone());
    let target = |id: Uuid| named.iter().find(|alert| alert.id == id).unwrap().target;
    let changes = world.changes[before..].iter();
    chapters.push(Chapter {
        now,
        acts,
        sightings: sightings.to_vec(),
        routes: world.routes.clone(),
        sent,
        changes: changes
            .map(|change| (target(change.alert), change.what))
            .collect(),
        alerts,
    });
}

fn people(random: &mut Random, world: &World) -> Vec<Act> {
    let mut acts = Vec::new();
    for alert in world
        .standing
        .alerts
        .iter()
        .filter(|alert| alert.is_firing())
    {
        if random.chance(4) {
            acts.push(Act::Ack(alert.id));
        } else if random.chance(1) {
            acts.push(Act::Resolve(alert.id));
        }
    }
    acts
}

fn perform(world: &mut World, acts: &[Act], now: DateTime<Utc>) {
    if acts.is_empty() {
        return;
    }
    let mut resolved = Vec::new();
    world.act(|standing| {
        for alert in &mut standing.alerts {
            for one in acts {
                match one {
                    Act::Ack(id) if *id == alert.id => act::acknowledge(alert, None, now).unwrap(),
                    Act::Resolve(id) if *id == alert.id => {
                        resolved.extend(act::resolve(alert, now).unwrap());
                    }
                    _ => {}
                }
            }
        }
    });
    world.changes.extend(resolved);
}

fn begin(random: &mut Random, evaluate: Evaluate) -> World {
    let connections = 1 + u128::from(random.below(2));
    let mut targets = Vec::new();
    for of in 0..connections {
        targets.extend([whole(of, Kind::ConnectionDown), whole(of, Kind::Lag)]);
        for table in 0..1 + u128::from(random.below(4)) {
            for n in 0..1 + u128::from(random.below(2)) {
                targets.push(check_of(of, table, n));
            }
        }
    }
    let mut world = World::new(Policy::default(), targets);
    world.evaluate = evaluate;
    world.grouping.window = TimeDelta::minutes(5);
    for watched in &mut world.watched {
        watched.policy = Policy {
            for_: secs(*random.pick(&[0, 0, 60, 180])),
            keep_firing_for: secs(*random.pick(&[0, 120, 300])),
            hysteresis: 0.0,
        };
    }
    world.routes.mode = *random.pick(&[Mode::First, Mode::All]);
    world.routes.routes = (0..1 + random.below(4))
        .map(|n| random_route(random, n, connections))
        .collect();
    world.silences = (0..random.below(4))
        .map(|n| random_silence(random, n, connections))
        .collect();
    world
}

fn random_matchers(random: &mut Random, connections: u128, all: u64) -> Matchers {
    let mut matchers = Matchers::default();
    if random.chance(all) {
        return matchers;
    }
    let of = u128::from(random.below(connections as u64));
    match random.below(4) {
        0 => matchers.connections = vec![connection(of)],
        1 => matchers.tables = vec![check_of(of, u128::from(random.below(3)), 0).table.unwrap()],
        2 => matchers.severities = vec![*random.pick(&[Severity::Warn, Severity::Fail])],
        _ => matchers.kinds = vec![*random.pick(&[Kind::Check, Kind::Lag, Kind::ConnectionDown])],
    }
    matchers
}

fn random_route(random: &mut Random, n: u64, connections: u128) -> Route {
    let mut receivers = vec![receiver(u128::from(random.below(3)))];
    if random.chance(30) {
        receivers.push(receiver(3));
    }
    let step = |random: &mut Random, after_seconds| Step {
        after_seconds,
        receivers: vec![receiver(4 + u128::from(random.below(2)))],
    };
    let escalation = match random.below(3) {
        0 => vec![step(random, 300), step(random, 900)],
        _ => Vec::new(),
    };
    route(
        n.into(),
        route::Settings {
            name: "One of them".to_owned(),
            matchers: random_matchers(random, connections, 50),
            receivers,
            group_wait_seconds: *random.pick(&[0, 30, 90]),
            group_interval_seconds: *random.pick(&[0, 120, 300]),
            repeat_interval_seconds: *random.pick(&[None, Some(600), Some(1_800)]),
            escalation,
        },
    )
}

fn random_silence(random: &mut Random, n: u64, connections: u128) -> Silence {
    let from = random.below(3_000) as i64;
    let recurs = random.chance(40);
    let settings = silence::Settings {
        matchers: random_matchers(random, connections, 0),
        starts_at: Some(t(from)),
        ends_at: Some(t(from + 100 + random.below(1_500) as i64)),
        cron: recurs.then(|| "*/20 * * * *".to_owned()),
        duration_seconds: recurs.then_some(300),
        ..silence::Settings::default()
    };
    Silence::new(Uuid::from_u128(0x5000 + u128::from(n)), settings).unwrap()
}
