//! What alerts should be, told from the whole history at once: by looking for the runs that begin and
//! end each episode, not by carrying a state along.
//!
//! Invariant: uses nothing of the rules but the words for what was seen.

use chrono::{DateTime, TimeDelta, Utc};
use rules::alert::matcher::Matchers;
use rules::alert::route::Mode;
use rules::alert::silence::Silence;
use rules::alert::{Kind, Policy, Seen, Severity, Subject, Target, What};

use super::story::{Act, Chapter, Story};

/// One thing that concerns a target, and in which chapter.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mark {
    Breach(Severity),
    Ok,
    Unknown,
    /// Time passed.
    Tick,
    /// Somebody ended it.
    Hand,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    chapter: usize,
    at: DateTime<Utc>,
    mark: Mark,
}

/// One alert that fired.
#[derive(Clone, Debug)]
pub struct Episode {
    pub since: DateTime<Utc>,
    /// In which chapter, and when.
    pub fired: (usize, DateTime<Utc>),
    pub ended: Option<(usize, DateTime<Utc>)>,
    /// Breaches of it: chapter, time, the worst so far.
    pub breaches: Vec<(usize, DateTime<Utc>, Severity)>,
}

/// What happens to a target, in order: with the chapter.
pub type Expected = Vec<(usize, What)>;

impl Episode {
    pub fn fires_in(&self, chapter: usize) -> bool {
        self.fired.0 <= chapter && self.ended.is_none_or(|(ended, _)| ended > chapter)
    }

    pub fn severity_in(&self, chapter: usize) -> Severity {
        let known = self.breaches.iter().rev();
        known
            .clone()
            .find(|(at, ..)| *at <= chapter)
            .map_or(self.breaches[0].2, |one| one.2)
    }

    pub fn breached_in(&self, chapter: usize) -> DateTime<Utc> {
        let known = self.breaches.iter().filter(|(at, ..)| *at <= chapter);
        known.map(|one| one.1).max().unwrap()
    }

    /// When it last became worse while it fired.
    pub fn worse_in(&self, chapter: usize) -> Option<(usize, DateTime<Utc>)> {
        let mut found = None;
        for pair in self.breaches.windows(2) {
            if pair[1].2 > pair[0].2 && pair[1].1 > self.fired.1 && pair[1].0 <= chapter {
                found = Some((pair[1].0, pair[1].1));
            }
        }
        found
    }
}

fn items(story: &Story, target: &Target) -> Vec<Item> {
    let mut items = Vec::new();
    let mut latest: Option<DateTime<Utc>> = None;
    for (number, chapter) in story.chapters.iter().enumerate() {
        for act in &chapter.acts {
            if let Act::Resolve(id) = act
                && target_of(story, number, *id) == Some(*target)
            {
                items.push(Item {
                    chapter: number,
                    at: chapter.now,
                    mark: Mark::Hand,
                });
            }
        }
        for sighting in chapter
            .sightings
            .iter()
            .filter(|sighting| sighting.target == *target)
        {
            if latest.is_none_or(|latest| sighting.at > latest) {
                latest = Some(sighting.at);
                let mark = match &sighting.seen {
                    Seen::Breach(severity, _) => Mark::Breach(*severity),
                    Seen::Ok(_) => Mark::Ok,
                    Seen::Unknown => Mark::Unknown,
                };
                items.push(Item {
                    chapter: number,
                    at: sighting.at,
                    mark,
                });
            }
        }
        items.push(Item {
            chapter: number,
            at: chapter.now,
            mark: Mark::Tick,
        });
    }
    items
}

/// The target of an alert that stood before a chapter.
fn target_of(story: &Story, chapter: usize, id: uuid::Uuid) -> Option<Target> {
    let before = &story.chapters[chapter.checked_sub(1)?];
    before
        .alerts
        .iter()
        .find(|alert| alert.id == id)
        .map(|alert| alert.target)
}

/// The episodes of a target, and all that happens to it.
pub fn episodes(story: &Story, target: &Target, policy: &Policy) -> (Vec<Episode>, Expected) {
    let all = items(story, target);
    let (mut found, mut expected) = (Vec::new(), Vec::new());
    let mut from = 0;
    let mut floor: Option<DateTime<Utc>> = None;
    loop {
        let fresh = |item: &Item| floor.is_none_or(|floor| item.at > floor);
        let breach = |item: &Item| matches!(item.mark, Mark::Breach(_));
        let Some(first) = (from..all.len()).find(|n| breach(&all[*n]) && fresh(&all[*n])) else {
            return (found, expected);
        };
        let since = all[first].at;
        let fires =
            (first..all.len()).find(|n| breach(&all[*n]) && all[*n].at - since >= policy.for_);
        let clears = (first..all.len()).find(|n| all[*n].mark == Mark::Ok);
        match (fires, clears) {
            (Some(fires), clears) if clears.is_none_or(|clears| fires < clears) => {
                if fires != first {
                    expected.push((all[first].chapter, What::Pending));
                }
                let episode = episode(&all, first, fires, policy, &mut expected);
                let ended = episode.1;
                found.push(episode.0);
                let Some(end) = ended else {
                    return (found, expected);
                };
                floor = floor.max(Some(all[end].at));
                from = end + 1;
            }
            (_, Some(clears)) => {
                expected.push((all[first].chapter, What::Pending));
                expected.push((all[clears].chapter, What::Cleared));
                from = clears + 1;
            }
            _ => {
                expected.push((all[first].chapter, What::Pending));
                return (found, expected);
            }
        }
    }
}

fn episode(
    all: &[Item],
    first: usize,
    fires: usize,
    policy: &Policy,
    expected: &mut Expected,
) -> (Episode, Option<usize>) {
    let ends = (fires + 1..all.len()).find(|end| ends(all, fires, *end, policy));
    let mut worst = Severity::Warn;
    let mut breaches = Vec::new();
    expected.push((all[fires].chapter, What::Fired));
    for (n, item) in all
        .iter()
        .enumerate()
        .take(ends.unwrap_or(all.len()))
        .skip(first)
    {
        if let Mark::Breach(severity) = item.mark {
            let worse = n > fires && severity > worst;
            worst = worst.max(severity);
            breaches.push((item.chapter, item.at, worst));
            if worse {
                expected.push((item.chapter, What::Escalated));
            }
        }
    }
    if let Some(end) = ends {
        expected.push((all[end].chapter, What::Resolved));
    }
    let episode = Episode {
        since: all[first].at,
        fired: (all[fires].chapter, all[fires].at),
        ended: ends.map(|end| (all[end].chapter, all[end].at)),
        breaches,
    };
    (episode, ends)
}

/// Whether an episode that fired is over with an item.
fn ends(all: &[Item], fires: usize, end: usize, policy: &Policy) -> bool {
    if all[end].mark == Mark::Hand {
        return true;
    }
    let last_breach = (fires..=end)
        .rev()
        .find(|n| matches!(all[*n].mark, Mark::Breach(_)))
        .unwrap();
    let good: Vec<usize> = (last_breach..=end)
        .filter(|n| all[*n].mark == Mark::Ok)
        .collect();
    let (Some(first), Some(last)) = (good.first(), good.last()) else {
        return false;
    };
    let unsure = (*last..end).any(|n| all[n].mark == Mark::Unknown);
    matches!(all[end].mark, Mark::Ok | Mark::Tick)
        && !unsure
        && all[end].at - all[*first].at >= policy.keep_firing_for
}

/// Whether matchers match.
pub fn matches(matchers: &Matchers, subject: &Subject, severity: Severity) -> bool {
    let target = subject.target;
    let connections = &matchers.connections;
    if !connections.is_empty() && !connections.contains(&target.connection) {
        return false;
    }
    if !matchers.tables.is_empty() && !matchers.tables.iter().any(|id| Some(*id) == target.table) {
        return false;
    }
    if !matchers.kinds.is_empty() && !matchers.kinds.contains(&target.kind) {
        return false;
    }
    matchers.severities.is_empty() || matchers.severities.contains(&severity)
}

/// Whether a silence of a story mutes at an instant: windows are looked for second by second.
pub fn mutes(silence: &Silence, now: DateTime<Utc>) -> bool {
    let settings = silence.settings();
    let (starts, ends) = (settings.starts_at.unwrap(), settings.ends_at.unwrap());
    let Some(seconds) = settings.duration_seconds else {
        return starts <= now && now < ends;
    };
    (0..i64::from(seconds)).any(|back| {
        let begins = now - TimeDelta::seconds(back);
        begins.timestamp() % 1_200 == 0 && starts <= begins && begins < ends
    })
}

/// The places of the routes that decide about an alert.
pub fn routes(chapter: &Chapter, subject: &Subject, severity: Severity) -> Vec<usize> {
    let all = chapter.routes.routes.iter().enumerate();
    let matching = all.filter(|(_, route)| matches(&route.settings.matchers, subject, severity));
    let places: Vec<usize> = matching.map(|(place, _)| place).collect();
    match chapter.routes.mode {
        Mode::First => places.into_iter().take(1).collect(),
        Mode::All => places,
    }
}

/// Whether alerts of one kind hold back those of a target.
pub fn holds(kind: Kind, target: &Target) -> bool {
    match kind {
        Kind::ConnectionDown => target.kind != Kind::ConnectionDown,
        Kind::Lag => target.table.is_some(),
        _ => false,
    }
}
