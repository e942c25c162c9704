//! What the proxy saw, for tests to judge.
//!
//! Invariant: totals never go down; the maps are bounded, the oldest requests go first.
//! Failure: none.

use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many requests the round-trip map remembers.
const REQUESTS: usize = 10_000;
/// How many violations are kept; later ones are only counted by their absence from the list.
const VIOLATIONS: usize = 1_000;
/// How much of a statement a violation shows, in characters.
const SHOWN: usize = 80;

/// One refusal of the strict rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The rule's stable name, for example `named_statement`.
    pub rule: String,
    /// The first 80 characters of the statement at fault; empty when there is none.
    pub statement: String,
}

/// Everything seen since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Client connections that got past the start-up packet.
    pub connections: u64,
    /// Connections opened to Postgres.
    pub upstream_connections: u64,
    /// Statements executed, simple queries included.
    pub statements: u64,
    /// Waits for Postgres: one for each Sync or simple query.
    pub round_trips: u64,
    /// Answers that were lost on purpose, after Postgres had done the work.
    pub lost: u64,
    /// What the strict rules refused, in order.
    pub violations: Vec<Violation>,
    /// Round trips of each request id that `app.call` named, for the last 10,000 of them.
    pub by_request: HashMap<String, u64>,
}

/// The live counters behind [`Stats`].
#[derive(Debug, Default)]
pub struct Recorder {
    seen: Mutex<(Stats, VecDeque<String>)>,
}

impl Recorder {
    fn seen(&self) -> MutexGuard<'_, (Stats, VecDeque<String>)> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counters now.
    pub fn stats(&self) -> Stats {
        self.seen().0.clone()
    }

    /// A client connected.
    pub fn connected(&self) {
        self.seen().0.connections += 1;
    }

    /// A connection to Postgres was opened.
    pub fn opened(&self) {
        self.seen().0.upstream_connections += 1;
    }

    /// An answer was lost on purpose.
    pub fn lost(&self) {
        self.seen().0.lost += 1;
    }

    /// A unit of work goes to Postgres: so many statements, in one wait.
    pub fn round_trip(&self, statements: u64, request: Option<&str>) {
        let mut seen = self.seen();
        let (stats, order) = &mut *seen;
        stats.statements += statements;
        stats.round_trips += 1;
        let Some(request) = request else { return };
        if let Some(count) = stats.by_request.get_mut(request) {
            *count += 1;
            return;
        }
        stats.by_request.insert(request.to_owned(), 1);
        order.push_back(request.to_owned());
        if order.len() > REQUESTS
            && let Some(oldest) = order.pop_front()
        {
            stats.by_request.remove(&oldest);
        }
    }

    /// A rule was broken.
    pub fn violation(&self, rule: &str, statement: &str) {
        let stats = &mut self.seen().0;
        if stats.violations.len() < VIOLATIONS {
            let statement = statement.trim().chars().take(SHOWN).collect();
            stats.violations.push(Violation {
                rule: rule.to_owned(),
                statement,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Recorder;

    #[test]
    fn the_request_map_forgets_the_oldest() {
        let recorder = Recorder::default();
        for request in 0..10_001 {
            recorder.round_trip(1, Some(&format!("r{request}")));
        }
        recorder.round_trip(1, Some("r10000"));
        let stats = recorder.stats();
        assert_eq!(stats.by_request.len(), 10_000);
        assert_eq!(stats.by_request.get("r0"), None);
        assert_eq!(stats.by_request["r10000"], 2);
        assert_eq!(stats.round_trips, 10_002);
    }

    #[test]
    fn a_violation_shows_eighty_characters() {
        let recorder = Recorder::default();
        recorder.violation("copy", &"ä".repeat(200));
        assert_eq!(recorder.stats().violations[0].statement.chars().count(), 80);
    }
}
