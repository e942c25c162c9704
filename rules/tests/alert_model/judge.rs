//! Judges what was sent in a story, by the model and by nothing that the rules keep.
//!
//! Invariant: the first thing that is wrong is told with its chapter.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use rules::alert::inhibit::GRACE;
use rules::alert::notify::{News, Notification, Reason};
use rules::alert::route::Receiver;
use rules::alert::*;
use uuid::Uuid;

use super::model::{self, Episode};
use super::story::{Act, Chapter, Story};

type Which = (Target, DateTime<Utc>);

/// What is known of a target.
struct Known<'a> {
    watched: &'a Watched,
    episodes: Vec<Episode>,
}

struct Judge<'a> {
    story: &'a Story,
    known: BTreeMap<Target, Known<'a>>,
    /// Which silences mute, by chapter.
    mutes: Vec<Vec<bool>>,
    /// What each receiver was told of what still stands for it: how bad, and when first.
    told: BTreeMap<(Receiver, Which), (Severity, DateTime<Utc>)>,
    /// What each receiver was told the end of.
    ended: BTreeSet<(Receiver, Which)>,
    /// Since when a receiver is to know something, as seen in every chapter since.
    waits: BTreeMap<(Receiver, Which, News), DateTime<Utc>>,
    /// Since when there is something that a receiver is to know of an incident.
    pending: BTreeMap<(Receiver, Uuid), DateTime<Utc>>,
    /// The incident of each episode.
    incidents: BTreeMap<Which, Uuid>,
    acked: BTreeMap<Which, usize>,
    last_sent: BTreeMap<(Receiver, Uuid), DateTime<Utc>>,
    ids: BTreeSet<Uuid>,
    keys: BTreeSet<String>,
}

/// What is wrong with a story, if anything.
pub fn judge(story: &Story) -> Result<usize, String> {
    let mut known = BTreeMap::new();
    for watched in &story.watched {
        let target = watched.subject.target;
        let (episodes, expected) = model::episodes(story, &target, &watched.policy);
        let happened = |(number, chapter): (usize, &Chapter)| {
            let of = |change: &&(Target, What)| change.0 == target;
            chapter
                .changes
                .iter()
                .filter(of)
                .map(|change| (number, change.1))
                .collect::<Vec<_>>()
        };
        let happened: Vec<_> = story
            .chapters
            .iter()
            .enumerate()
            .flat_map(happened)
            .collect();
        if happened != expected {
            return Err(format!("{target:?}: {happened:?} instead of {expected:?}"));
        }
        known.insert(target, Known { watched, episodes });
    }
    let mutes = |chapter: &Chapter| {
        story
            .silences
            .iter()
            .map(|silence| model::mutes(silence, chapter.now))
            .collect()
    };
    let mut judge = Judge {
        story,
        known,
        mutes: story.chapters.iter().map(mutes).collect(),
        told: BTreeMap::new(),
        ended: BTreeSet::new(),
        waits: BTreeMap::new(),
        pending: BTreeMap::new(),
        incidents: BTreeMap::new(),
        acked: BTreeMap::new(),
        last_sent: BTreeMap::new(),
        ids: BTreeSet::new(),
        keys: BTreeSet::new(),
    };
    let mut count = 0;
    for chapter in 0..story.chapters.len() {
        judge.acknowledge(chapter);
        judge
            .look(chapter)
            .map_err(|wrong| format!("chapter {chapter}: {wrong}"))?;
        for notification in &story.chapters[chapter].sent {
            count += 1;
            judge
                .read(chapter, notification)
                .map_err(|wrong| format!("chapter {chapter}: {wrong}: {notification:#?}"))?;
        }
        judge
            .late(chapter)
            .map_err(|wrong| format!("chapter {chapter}: {wrong}"))?;
    }
    match judge.waits.iter().next() {
        Some((lost, since)) => Err(format!("never told: {lost:?} since {since}")),
        None => Ok(count),
    }
}

impl Judge<'_> {
    fn now(&self, chapter: usize) -> DateTime<Utc> {
        self.story.chapters[chapter].now
    }

    fn episode(&self, which: &Which) -> &Episode {
        let episodes = &self.known[&which.0].episodes;
        episodes
            .iter()
            .find(|episode| episode.since == which.1)
            .unwrap()
    }

    fn acknowledge(&mut self, chapter: usize) {
        let alerts = self.story.chapters[chapter].alerts.iter();
        let named = alerts.filter_map(|alert| Some(((alert.target, alert.since), alert.incident?)));
        self.incidents.extend(named);
        for act in &self.story.chapters[chapter].acts {
            let Act::Ack(id) = act else { continue };
            let before = &self.story.chapters[chapter - 1].alerts;
            let alert = before.iter().find(|alert| alert.id == *id).unwrap();
            self.acked
                .entry((alert.target, alert.since))
                .or_insert(chapter);
        }
        // Whoever looks after a warning does not know of the failure.
        let (known, acked) = (&self.known, &mut self.acked);
        acked.retain(|which, since| {
            let mut episodes = known[&which.0].episodes.iter();
            let episode = episodes.find(|episode| episode.since == which.1).unwrap();
            episode
                .worse_in(chapter)
                .is_none_or(|(worse, _)| worse < *since)
        });
    }

    fn muted(&self, chapter: usize, which: &Which) -> bool {
        let (now, episode) = (self.now(chapter), self.episode(which));
        let (subject, severity) = (
            &self.known[&which.0].watched.subject,
            episode.severity_in(chapter),
        );
        let silenced =
            self.story
                .silences
                .iter()
                .zip(&self.mutes[chapter])
                .any(|(silence, mutes)| {
                    *mutes && model::matches(&silence.settings().matchers, subject, severity)
                });
        let held = self.known.iter().any(|(target, known)| {
            target.connection == which.0.connection
                && model::holds(target.kind, &which.0)
                && known.episodes.iter().any(|other| match other.ended {
                    _ if other.fires_in(chapter) => true,
                    Some((ended, at)) if ended <= chapter => {
                        now < at + GRACE
                            && episode.fires_in(chapter)
                            && episode.breached_in(chapter) <= at
                    }
                    _ => false,
                })
        });
        silenced || held
    }

    /// Who is to know of an episode, and whether only an escalation leads there.
    fn wanted(&self, chapter: usize, which: &Which) -> BTreeMap<Receiver, bool> {
        let (episode, now) = (self.episode(which), self.now(chapter));
        let mut wanted = BTreeMap::new();
        if !episode.fires_in(chapter) {
            return wanted;
        }
        let subject = &self.known[&which.0].watched.subject;
        let all = &self.story.chapters[chapter];
        for place in model::routes(all, subject, episode.severity_in(chapter)) {
            let settings = &all.routes.routes[place].settings;
            let mut first: Option<DateTime<Utc>> = None;
            for receiver in &settings.receivers {
                wanted.insert(receiver.clone(), false);
                let told = self
                    .told
                    .get(&(receiver.clone(), *which))
                    .map(|told| told.1);
                first = [first, told].into_iter().flatten().min();
            }
            let Some(first) = first.filter(|_| !self.acked.contains_key(which)) else {
                continue;
            };
            for step in &settings.escalation {
                if now - first >= TimeDelta::seconds(step.after_seconds.into()) {
                    for receiver in &step.receivers {
                        wanted.entry(receiver.clone()).or_insert(true);
                    }
                }
            }
        }
        wanted
    }

    fn all(&self) -> Vec<Which> {
        let of = |(target, known): (&Target, &Known<'_>)| {
            known
                .episodes
                .iter()
                .map(|episode| (*target, episode.since))
                .collect::<Vec<_>>()
        };
        self.known.iter().flat_map(of).collect()
    }

    /// Notes what somebody is to know now.
    fn look(&mut self, chapter: usize) -> Result<(), String> {
        let mut waits = BTreeMap::new();
        for which in self
            .all()
            .into_iter()
            .filter(|which| self.episode(which).fired.0 <= chapter)
        {
            let episode = self.episode(&which);
            let told = |(_, told): &&(Receiver, Which)| *told == which;
            let over = !episode.fires_in(chapter) && !self.told.keys().any(|key| told(&key));
            if over || self.muted(chapter, &which) {
                continue;
            }
            let mut wait = |receiver: &Receiver, news: News, happened: DateTime<Utc>| {
                let key = (receiver.clone(), which, news);
                let since = self.waits.get(&key).copied();
                waits.insert(key, since.unwrap_or(self.now(chapter).max(happened)));
            };
            for receiver in self.wanted(chapter, &which).keys() {
                match self.told.get(&(receiver.clone(), which)) {
                    None => wait(receiver, News::Fired, episode.fired.1),
                    Some((severity, _)) if episode.severity_in(chapter) > *severity => {
                        wait(
                            receiver,
                            News::Escalated,
                            episode.worse_in(chapter).map_or(episode.fired.1, |w| w.1),
                        );
                    }
                    Some(_) => {}
                }
            }
            if let Some((_, at)) = episode.ended.filter(|(ended, _)| *ended <= chapter) {
                for (receiver, _) in self.told.keys().filter(|(_, told)| *told == which) {
                    wait(receiver, News::Resolved, at);
                }
            }
        }
        let mut pending = BTreeMap::new();
        for ((receiver, which, _), since) in &waits {
            let incident = *self.incidents.get(which).ok_or("no incident")?;
            let key = (receiver.clone(), incident);
            let since = self.pending.get(&key).copied().unwrap_or(*since);
            let earliest = pending.entry(key).or_insert(since);
            *earliest = since.min(*earliest);
        }
        (self.waits, self.pending) = (waits, pending);
        Ok(())
    }

    fn read(&mut self, chapter: usize, sent: &Notification) -> Result<(), String> {
        let now = self.now(chapter);
        if !self.ids.insert(sent.id) || !self.keys.insert(sent.key.clone()) {
            return Err("sent twice".to_owned());
        }
        if sent.lines.is_empty() {
            return Err("says nothing".to_owned());
        }
        let routes = &self.story.chapters[chapter].routes.routes;
        let route = routes.iter().find(|route| Some(route.id) == sent.route);
        let last = self
            .last_sent
            .insert((sent.receiver.clone(), sent.incident), now);
        if sent.reason == Reason::Repeat {
            let every = route.and_then(|route| route.settings.repeat_interval_seconds);
            let every = every.ok_or("a repeat that nobody asked for")?;
            let last = last.ok_or("repeats what was never sent")?;
            if now - last < TimeDelta::seconds(every.into()) {
                return Err("repeated too soon".to_owned());
            }
        }
        let since = self.pending.remove(&(sent.receiver.clone(), sent.incident));
        let waited = since.map_or(TimeDelta::zero(), |since| now - since);
        let mut unattended = false;
        for line in &sent.lines {
            let alert = line.alert.as_ref().ok_or("an alert that is not known")?;
            let which = (alert.target, alert.since);
            let key = (sent.receiver.clone(), which);
            unattended |= !self.acked.contains_key(&which);
            if self.muted(chapter, &which) {
                return Err(format!("{which:?} is muted"));
            }
            if line.news == News::Standing {
                if !self.told.contains_key(&key) || !self.episode(&which).fires_in(chapter) {
                    return Err(format!("{which:?} does not stand"));
                }
                continue;
            }
            let since = self
                .waits
                .remove(&(sent.receiver.clone(), which, line.news));
            since.ok_or_else(|| format!("{:?} of {which:?} is no news", line.news))?;
            let severity = self.episode(&which).severity_in(chapter);
            match line.news {
                News::Fired if self.ended.contains(&key) => return Err("after its end".to_owned()),
                News::Resolved => {
                    self.told.remove(&key);
                    if !self.ended.insert(key) {
                        return Err("ended twice".to_owned());
                    }
                }
                _ => self.told.entry(key).or_insert((severity, now)).0 = severity,
            }
        }
        let wait = route.map_or(0, |route| route.settings.group_wait_seconds);
        let patient =
            sent.reason == Reason::Escalation || waited >= TimeDelta::seconds(wait.into());
        if sent.reason != Reason::Repeat && !patient {
            return Err("did not wait for the others".to_owned());
        }
        if sent.reason == Reason::Repeat && !unattended {
            return Err("repeated though somebody looks after it".to_owned());
        }
        let stands = self.told.keys().any(|(receiver, which)| {
            *receiver == sent.receiver && self.incidents.get(which) == Some(&sent.incident)
        });
        match stands == sent.over {
            true => Err("over, or not".to_owned()),
            false => Ok(()),
        }
    }

    /// Nobody waits longer than the longest wait of any route, and the longest interval.
    fn late(&mut self, chapter: usize) -> Result<(), String> {
        let routes = &self.story.chapters[chapter].routes.routes;
        let longest = |of: fn(&rules::alert::route::Settings) -> u32| {
            routes
                .iter()
                .map(|route| of(&route.settings))
                .max()
                .unwrap_or(0)
        };
        let most =
            longest(|one| one.group_wait_seconds) + longest(|one| one.group_interval_seconds);
        // A clock that was late may have made the message before this one later than it seems.
        let most = TimeDelta::seconds(i64::from(most) + 160);
        let now = self.now(chapter);
        match self.waits.iter().find(|(_, since)| now - **since > most) {
            Some((late, since)) => Err(format!("late: {late:?} since {since}")),
            None => Ok(()),
        }
    }
}
