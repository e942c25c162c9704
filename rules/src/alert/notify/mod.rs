//! Which messages are due.
//!
//! What a receiver is to know of an incident is compared with what it was told: the difference is
//! the news. News wait for `group_wait` before the first message and until `group_interval` after
//! the one before; what got worse waits for `group_wait` only, and whoever an escalation reaches is
//! told at once. What is over before it was told is no news any more. Without news, what still fires
//! and is not acknowledged is repeated.
//!
//! As in Alertmanager (`needsUpdate`), but for: the log is kept per incident and receiver, not per
//! group and route, so that a receiver that several routes lead to is told once; worse news do not
//! wait for the interval; whoever was told of the beginning is told of the end, even when the route
//! is gone; what is over while it is muted is told when the mute ends; and a message says only what
//! is new, with the rest as still failing.
//!
//! Invariant: a receiver is told once that an alert fires, once that it is worse, once that it is
//! over, in this order; nothing while it is muted. The n-th message about an incident to a receiver
//! has the same key and identifier whenever it is made.
//! Failure: none; what a lost answer makes again has the same identifier.

mod thread;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thread::Due;
use uuid::{Builder, Uuid};

use crate::alert::incident::Incident;
use crate::alert::route::{Receiver, Route, Routes};
use crate::alert::step::Alert;
use crate::alert::target::{Severity, Subject};

/// What a receiver was told of an alert that it does not know to be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// How bad it was then.
    pub severity: Severity,
    /// When it was told first.
    pub at: DateTime<Utc>,
}

/// What one receiver was told of one incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// The receiver.
    pub receiver: Receiver,
    /// Since when there are news that wait.
    pub waiting_since: Option<DateTime<Utc>>,
    /// How many messages it got; numbers the next.
    pub sent: u32,
    /// When it got the last one.
    pub sent_at: Option<DateTime<Utc>>,
    /// What it was told of each alert.
    pub told: BTreeMap<Uuid, Told>,
}

/// Why a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = NotificationReason))]
pub enum Reason {
    /// Something changed.
    News,
    /// Nobody acknowledged in time.
    Escalation,
    /// It still fires.
    Repeat,
}

/// What a message says of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = NotificationNews))]
pub enum News {
    /// It fires.
    Fired,
    /// It is worse.
    Escalated,
    /// It is over.
    Resolved,
    /// It still fires, as was told before.
    Standing,
}

/// One alert of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Which.
    pub id: Uuid,
    /// What is said of it.
    pub news: News,
    /// The alert as it is; none when nothing is known of it any more.
    pub alert: Option<Alert>,
}

/// One message to one receiver. All that it takes to post it, but for the words.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// Its identifier, always the same for the same key.
    pub id: Uuid,
    /// The incident, the receiver and the number.
    pub key: String,
    /// The incident.
    pub incident: Uuid,
    /// Which message about the incident to the receiver, from 1.
    pub number: u32,
    /// Whom to.
    pub receiver: Receiver,
    /// The route that leads there; none when no route does any more.
    pub route: Option<Uuid>,
    /// Why.
    pub reason: Reason,
    /// What is said: news first, then what still stands.
    pub lines: Vec<Line>,
    /// Whether all that the receiver was told of is over with this.
    pub over: bool,
    /// When it was made.
    pub at: DateTime<Utc>,
}

/// What decides what is due.
pub struct View<'a> {
    /// Every alert of the incidents.
    pub alerts: &'a BTreeMap<Uuid, Alert>,
    /// What an alert is about; none for what is not watched any more.
    pub subject: &'a dyn Fn(&Alert) -> Option<&'a Subject>,
    /// Whether nothing may be told of an alert now.
    pub muted: &'a dyn Fn(&Alert) -> bool,
    /// The routes.
    pub routes: &'a Routes,
}

/// Who is to know of an alert.
struct Wanted<'a> {
    route: (usize, &'a Route),
    /// The alerts, and whether it is an escalation that leads here.
    alerts: BTreeMap<Uuid, bool>,
}

type Wants<'a> = BTreeMap<(Option<Uuid>, Option<String>), (Receiver, Wanted<'a>)>;

/// The messages about an incident that are due now, which count as sent; and when to look again if
/// nothing happens.
pub fn due(
    incident: &mut Incident,
    view: &View<'_>,
    now: DateTime<Utc>,
) -> (Vec<Notification>, Option<DateTime<Utc>>) {
    let mut next: Option<DateTime<Utc>> = None;
    let mut wants = wanted(incident, view, now, &mut next);
    let mut made = Vec::new();
    let mut threads = std::mem::take(&mut incident.threads);
    for (key, (receiver, _)) in &wants {
        if !threads.iter().any(|thread| thread.receiver.key() == *key) {
            threads.push(Thread::new(receiver.clone()));
        }
    }
    for thread in &mut threads {
        let wanted = wants
            .remove(&thread.receiver.key())
            .map(|(_, wanted)| wanted);
        match thread.due(incident, wanted.as_ref(), view, now) {
            Due::Now(notification) => {
                // A repeat, or the next step, may follow.
                if let Due::At(at) = thread.due(incident, wanted.as_ref(), view, now) {
                    earlier(&mut next, at);
                }
                made.push(*notification);
            }
            Due::At(at) => earlier(&mut next, at),
            Due::Never => {}
        }
    }
    // What nobody was told through is not kept.
    threads.retain(|thread| thread.sent > 0 || thread.waiting_since.is_some());
    incident.threads = threads;
    if !made.is_empty() {
        wanted(incident, view, now, &mut next);
    }
    (made, next)
}

/// Who is to know of what, by the routes as they are now. What is over is news only for those who
/// were told of it; the routes say how long it waits.
fn wanted<'a>(
    incident: &Incident,
    view: &View<'a>,
    now: DateTime<Utc>,
    next: &mut Option<DateTime<Utc>>,
) -> Wants<'a> {
    let mut wants = Wants::new();
    for alert in incident.alerts.iter().filter_map(|id| view.alerts.get(id)) {
        let Some(subject) = (view.subject)(alert) else {
            continue;
        };
        for route in view.routes.of(subject, alert.severity) {
            let mut want = |receiver: &Receiver, escalated: bool| {
                let (_, wanted) = wants.entry(receiver.key()).or_insert_with(|| {
                    let alerts = BTreeMap::new();
                    (receiver.clone(), Wanted { route, alerts })
                });
                if route.0 < wanted.route.0 {
                    wanted.route = route;
                }
                let escalates = wanted.alerts.entry(alert.id).or_insert(escalated);
                *escalates &= escalated;
            };
            let settings = &route.1.settings;
            settings
                .receivers
                .iter()
                .for_each(|receiver| want(receiver, false));
            let told = first_told(incident, &settings.receivers, alert.id);
            for step in &settings.escalation {
                let reached = match told.map(|told| told + step.after()) {
                    // Its end is told to whom its beginning was, at the pace of the route.
                    _ if !alert.is_firing() => true,
                    Some(at) if alert.ack.is_none() && now < at => {
                        earlier(next, at);
                        false
                    }
                    Some(_) => alert.ack.is_none(),
                    None => false,
                };
                if reached {
                    step.receivers
                        .iter()
                        .for_each(|receiver| want(receiver, true));
                }
            }
        }
    }
    wants
}

fn first_told(incident: &Incident, receivers: &[Receiver], alert: Uuid) -> Option<DateTime<Utc>> {
    let of = |thread: &&Thread| {
        let key = thread.receiver.key();
        receivers.iter().any(|receiver| receiver.key() == key)
    };
    let threads = incident.threads.iter().filter(of);
    threads
        .filter_map(|thread| Some(thread.told.get(&alert)?.at))
        .min()
}

pub(in crate::alert) fn earlier(next: &mut Option<DateTime<Utc>>, at: DateTime<Utc>) {
    *next = Some(next.map_or(at, |next| next.min(at)));
}

/// The key of the n-th message about an incident to a receiver, and the identifier made of it. No
/// address is in it.
pub fn key(incident: Uuid, receiver: &Receiver, number: u32) -> (String, Uuid) {
    let (channel, address) = receiver.key();
    let mut hash = Sha256::new();
    hash.update([u8::from(channel.is_some())]);
    hash.update(channel.unwrap_or_default());
    hash.update(address.unwrap_or_default());
    let receiver = Uuid::from_u128(first(&hash.finalize()));
    let key = format!("{}_{}_{number}", incident.simple(), receiver.simple());
    let id = Builder::from_custom_bytes(first(&Sha256::digest(&key)).to_be_bytes()).into_uuid();
    (key, id)
}

fn first(digest: &[u8]) -> u128 {
    digest
        .iter()
        .take(16)
        .fold(0, |all, byte| all << 8 | u128::from(*byte))
}
