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

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::incident::Incident;
use super::route::{Receiver, Route, Routes};
use super::step::Alert;
use super::target::{Severity, Subject};

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

/// Who is to know of what, by the routes as they are now.
fn wanted<'a>(
    incident: &Incident,
    view: &View<'a>,
    now: DateTime<Utc>,
    next: &mut Option<DateTime<Utc>>,
) -> Wants<'a> {
    let mut wants = Wants::new();
    let firing = incident.alerts.iter().filter_map(|id| view.alerts.get(id));
    for alert in firing.filter(|alert| alert.is_firing()) {
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
            let Some(told) = told.filter(|_| alert.ack.is_none()) else {
                continue;
            };
            for step in &settings.escalation {
                let at = told + step.after();
                match now >= at {
                    true => step
                        .receivers
                        .iter()
                        .for_each(|receiver| want(receiver, true)),
                    false => earlier(next, at),
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

pub(super) fn earlier(next: &mut Option<DateTime<Utc>>, at: DateTime<Utc>) {
    *next = Some(next.map_or(at, |next| next.min(at)));
}

enum Due {
    Now(Box<Notification>),
    At(DateTime<Utc>),
    Never,
}

impl Thread {
    fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            waiting_since: None,
            sent: 0,
            sent_at: None,
            told: BTreeMap::new(),
        }
    }

    fn due(
        &mut self,
        incident: &Incident,
        wanted: Option<&Wanted<'_>>,
        view: &View<'_>,
        now: DateTime<Utc>,
    ) -> Due {
        let route = wanted.map(|wanted| wanted.route.1);
        let news = self.news(incident, wanted, view);
        if news.is_empty() {
            self.waiting_since = None;
            return self.repeat(incident, wanted, view, now);
        }
        // A clock that is late does not make the wait shorter.
        let happened = news.iter().filter_map(|(_, _, at)| *at).max();
        let since = *self
            .waiting_since
            .get_or_insert(happened.map_or(now, |at| at.max(now)));
        let escalation = news.iter().any(|(id, news, _)| {
            *news == News::Fired && wanted.is_some_and(|w| w.alerts.get(id) == Some(&true))
        });
        let worse = news.iter().any(|(_, news, _)| *news == News::Escalated);
        let ready = since + route.map(Route::group_wait).unwrap_or_default();
        let apart = route.map(Route::group_interval).unwrap_or_default();
        let at = match self.sent_at {
            _ if escalation => now,
            Some(sent) if !worse => ready.max(sent + apart),
            _ => ready,
        };
        if now < at {
            return Due::At(at);
        }
        let reason = match escalation {
            true => Reason::Escalation,
            false => Reason::News,
        };
        for (id, news, _) in &news {
            self.tell(*id, *news, view, now);
        }
        let mut lines: Vec<(Uuid, News)> =
            news.into_iter().map(|(id, news, _)| (id, news)).collect();
        let standing = self.standing(wanted, view).map(|(id, _)| id);
        let known: Vec<Uuid> = standing
            .filter(|id| !lines.iter().any(|(new, _)| new == id))
            .collect();
        lines.extend(known.into_iter().map(|id| (id, News::Standing)));
        Due::Now(Box::new(
            self.send(incident, route, reason, lines, view, now),
        ))
    }

    /// What this receiver is to know and was not told, and when that happened.
    fn news(
        &self,
        incident: &Incident,
        wanted: Option<&Wanted<'_>>,
        view: &View<'_>,
    ) -> Vec<(Uuid, News, Option<DateTime<Utc>>)> {
        let mut news = Vec::new();
        let known = self.told.keys().filter(|id| !incident.alerts.contains(id));
        for id in incident.alerts.iter().chain(known) {
            let told = self.told.get(id);
            let Some(alert) = view.alerts.get(id) else {
                news.extend(told.map(|_| (*id, News::Resolved, None)));
                continue;
            };
            let wants = wanted.is_some_and(|wanted| wanted.alerts.contains_key(id));
            let found = match (alert.is_firing(), told) {
                (true, None) if wants => (News::Fired, alert.fired_at),
                (true, Some(told)) if wants && alert.severity > told.severity => {
                    (News::Escalated, Some(alert.breached_at))
                }
                (false, Some(_)) => (News::Resolved, alert.resolved_at),
                _ => continue,
            };
            if !(view.muted)(alert) {
                news.push((*id, found.0, found.1));
            }
        }
        news.sort_by_key(|(id, news, _)| (*news, *id));
        news
    }

    /// What was told, still fires and may be told again; and whether somebody looks after it.
    fn standing<'a>(
        &'a self,
        wanted: Option<&'a Wanted<'_>>,
        view: &'a View<'_>,
    ) -> impl Iterator<Item = (Uuid, bool)> {
        let wanted = move |id: &&Uuid| wanted.is_some_and(|wanted| wanted.alerts.contains_key(*id));
        let alerts = self
            .told
            .keys()
            .filter(wanted)
            .filter_map(|id| view.alerts.get(id));
        let stands = |alert: &&Alert| alert.is_firing() && !(view.muted)(alert);
        alerts
            .filter(stands)
            .map(|alert| (alert.id, alert.ack.is_some()))
    }

    fn repeat(
        &mut self,
        incident: &Incident,
        wanted: Option<&Wanted<'_>>,
        view: &View<'_>,
        now: DateTime<Utc>,
    ) -> Due {
        let route = wanted.map(|wanted| wanted.route.1);
        let open = self.standing(wanted, view).filter(|(_, acked)| !acked);
        let lines: Vec<_> = open.map(|(id, _)| (id, News::Standing)).collect();
        let interval = route.and_then(Route::repeat_interval);
        let (false, Some(interval), Some(sent)) = (lines.is_empty(), interval, self.sent_at) else {
            return Due::Never;
        };
        let at = sent + interval.max(TimeDelta::seconds(1));
        match now >= at {
            true => Due::Now(Box::new(self.send(
                incident,
                route,
                Reason::Repeat,
                lines,
                view,
                now,
            ))),
            false => Due::At(at),
        }
    }

    fn tell(&mut self, id: Uuid, news: News, view: &View<'_>, now: DateTime<Utc>) {
        let severity = view.alerts.get(&id).map(|alert| alert.severity);
        match (news, severity) {
            (News::Fired | News::Escalated, Some(severity)) => {
                let told = self.told.entry(id).or_insert(Told { severity, at: now });
                told.severity = severity;
            }
            (News::Resolved, _) => {
                self.told.remove(&id);
            }
            _ => {}
        }
    }

    fn send(
        &mut self,
        incident: &Incident,
        route: Option<&Route>,
        reason: Reason,
        lines: Vec<(Uuid, News)>,
        view: &View<'_>,
        now: DateTime<Utc>,
    ) -> Notification {
        self.sent = self.sent.saturating_add(1);
        self.sent_at = self.sent_at.max(Some(now));
        self.waiting_since = None;
        let (key, id) = key(incident.id, &self.receiver, self.sent);
        let line = |(id, news): (Uuid, News)| Line {
            id,
            news,
            alert: view.alerts.get(&id).cloned(),
        };
        Notification {
            id,
            key,
            incident: incident.id,
            number: self.sent,
            receiver: self.receiver.clone(),
            route: route.map(|route| route.id),
            reason,
            lines: lines.into_iter().map(line).collect(),
            over: self.told.is_empty(),
            at: now,
        }
    }
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
