//! A promise that was broken.
//!
//! Invariant: the kind says which promise, the text shows the operations or entries.
//! Failure: none.

use std::fmt;

/// Which promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// What was acknowledged is in the log.
    Kept,
    /// It is there as it was told, and a retry is told the same.
    SameAnswer,
    /// One request is one entry.
    Once,
    /// What began after an answer comes after it in the log.
    RealTime,
    /// The log has no gap and no repeat.
    Dense,
    /// Nobody is let in twice by those who could know.
    NoDouble,
    /// Nobody who had room is turned away as one who was in, and nobody on the list as unknown.
    NoRefusal,
    /// An entry that is one too many is marked, and no other is.
    Conflicts,
    /// Counters equal a replay of the log, in the object and in Postgres.
    Counters,
}

/// Every promise.
pub const PROMISES: [Promise; 9] = [
    Promise::Kept,
    Promise::SameAnswer,
    Promise::Once,
    Promise::RealTime,
    Promise::Dense,
    Promise::NoDouble,
    Promise::NoRefusal,
    Promise::Conflicts,
    Promise::Counters,
];

impl Promise {
    /// The same for people, as what must not happen.
    pub fn broken(self) -> &'static str {
        match self {
            Self::Kept => "acknowledged and lost",
            Self::SameAnswer => "told one thing, then another",
            Self::Once => "one request, two entries",
            Self::RealTime => "answers out of real-time order",
            Self::Dense => "gaps in the log",
            Self::NoDouble => "double admissions",
            Self::NoRefusal => "guests wrongly turned away",
            Self::Conflicts => "conflicts marked wrongly",
            Self::Counters => "counters that no replay gives",
        }
    }
}

/// One breach.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Of which promise.
    pub promise: Promise,
    /// What shows it.
    pub what: String,
}

impl Fault {
    /// A breach that `what` shows.
    pub fn of(promise: Promise, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { promise, what }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.promise.broken(), self.what)
    }
}

/// Panics with what was found, if anything was.
#[track_caller]
pub fn none(faults: &[Fault]) {
    let shown: Vec<String> = faults.iter().take(5).map(Fault::to_string).collect();
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        shown.join("\n")
    );
}
