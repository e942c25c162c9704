//! How well the detector does on labelled series, by events rather than by points.
//!
//! An event is a run of labelled points. An episode is what one alert would be: anomalous values
//! less than six hours, or three buckets where those are longer, apart. An event is caught when one
//! of its own points is anomalous; an episode is true when it overlaps an event.
//!
//! Invariant: a series is replayed from its first point, without its labels. What cannot be judged
//! yet counts neither way: weeks and events begin where learning ends.
//! Failure: of nothing, precision and recall are 1.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Outcome, Point, Series, replay};

/// A point whose truth is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Labelled {
    /// Where its bucket begins.
    pub at: DateTime<Utc>,
    /// What was measured.
    pub value: f64,
    /// Whether something was broken.
    pub broken: bool,
}

/// The counts of one series, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Series.
    pub series: u32,
    /// Weeks in which they were judged.
    pub weeks: f64,
    /// Events in them.
    pub events: u32,
    /// Events that were caught.
    pub caught: u32,
    /// Buckets from the beginning of those events until they were caught.
    pub delay: f64,
    /// Episodes.
    pub episodes: u32,
    /// Episodes that overlap an event.
    pub right: u32,
    /// Events while there was too little history; they are not counted above.
    pub too_early: u32,
}

impl Score {
    /// Adds another's counts.
    pub fn add(&mut self, other: &Self) {
        self.series += other.series;
        self.weeks += other.weeks;
        self.events += other.events;
        self.caught += other.caught;
        self.delay += other.delay;
        self.episodes += other.episodes;
        self.right += other.right;
        self.too_early += other.too_early;
    }

    /// The share of episodes that are true.
    pub fn precision(&self) -> f64 {
        share(self.right, self.episodes)
    }

    /// The share of events that were caught.
    pub fn recall(&self) -> f64 {
        share(self.caught, self.events)
    }

    /// The harmonic mean of both.
    pub fn f1(&self) -> f64 {
        let (precision, recall) = (self.precision(), self.recall());
        match precision + recall {
            0.0 => 0.0,
            sum => 2.0 * precision * recall / sum,
        }
    }

    /// False episodes in a week of one series.
    pub fn false_a_week(&self) -> f64 {
        match self.weeks {
            0.0 => 0.0,
            weeks => f64::from(self.episodes - self.right) / weeks,
        }
    }

    /// Buckets until an event was caught, on average; 0 is its first.
    pub fn mean_delay(&self) -> f64 {
        match self.caught {
            0 => 0.0,
            caught => self.delay / f64::from(caught),
        }
    }
}

fn share(part: u32, whole: u32) -> f64 {
    match whole {
        0 => 1.0,
        whole => f64::from(part) / f64::from(whole),
    }
}

/// A stretch of time, both ends included.
#[derive(Clone, Copy)]
struct Stretch {
    first: DateTime<Utc>,
    last: DateTime<Utc>,
}

/// Replays a series, whose own history is not read, and compares with its labels.
pub fn score(series: &Series<'_>, labelled: &[Labelled]) -> Score {
    let history: Vec<Point> = labelled.iter().map(unjudged).collect();
    let series = Series {
        history: &history,
        ..*series
    };
    let mut anomalous = Vec::new();
    let mut judged = Vec::new();
    replay(&series, |point, verdict| {
        if point.alerted {
            anomalous.push(point.at);
        }
        if !matches!(verdict.outcome, Outcome::Learning { .. }) {
            judged.push(point.at);
        }
    });
    let mut found = Score {
        series: 1,
        ..Score::default()
    };
    let (Some(first), Some(last)) = (judged.first(), judged.last()) else {
        return found;
    };
    let span = *last - *first + series.every;
    found.weeks = span.num_seconds() as f64 / TimeDelta::weeks(1).num_seconds() as f64;
    let (events, early): (Vec<Stretch>, Vec<Stretch>) = events(labelled)
        .into_iter()
        .partition(|event| event.last >= *first);
    found.too_early = count(early.len());
    found.events = count(events.len());
    for event in &events {
        let from = anomalous.partition_point(|at| *at < event.first);
        if let Some(at) = anomalous.get(from).filter(|at| **at <= event.last) {
            let late = (*at - event.first).num_seconds() as f64;
            found.caught += 1;
            found.delay += late / series.every.num_seconds().max(1) as f64;
        }
    }
    let pause = TimeDelta::hours(6).max(series.every * 3);
    for episode in anomalous.chunk_by(|one, other| *other - *one <= pause) {
        let (Some(begins), Some(ends)) = (episode.first(), episode.last()) else {
            continue;
        };
        let overlaps = |event: &Stretch| event.first <= *ends && *begins <= event.last;
        found.episodes += 1;
        found.right += u32::from(events.iter().any(overlaps));
    }
    found
}

fn unjudged(labelled: &Labelled) -> Point {
    Point {
        at: labelled.at,
        value: labelled.value,
        alerted: false,
        mark: None,
    }
}

/// The runs of labelled points.
fn events(labelled: &[Labelled]) -> Vec<Stretch> {
    let runs = labelled.chunk_by(|one, other| one.broken == other.broken);
    let stretch = |run: &[Labelled]| {
        let (first, last) = (run.first()?, run.last()?);
        first.broken.then_some(Stretch {
            first: first.at,
            last: last.at,
        })
    };
    runs.filter_map(stretch).collect()
}

fn count(amount: usize) -> u32 {
    u32::try_from(amount).unwrap_or(u32::MAX)
}
