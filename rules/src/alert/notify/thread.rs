//! What one receiver is told of one incident, message by message.
//!
//! Invariant: what counts as told and the message that tells it are made together.
//! Failure: none.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{Line, News, Notification, Reason, Thread, Told, View, Wanted, key};
use crate::alert::incident::Incident;
use crate::alert::route::{Receiver, Route};
use crate::alert::step::Alert;

/// What there is to do.
pub(super) enum Due {
    Now(Box<Notification>),
    At(DateTime<Utc>),
    Never,
}

impl Thread {
    pub(super) fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            waiting_since: None,
            sent: 0,
            sent_at: None,
            told: BTreeMap::new(),
        }
    }

    pub(super) fn due(
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
