//! What a channel remembers, and what a reader that was away may still have.
//!
//! Invariant: offsets are dense from 1 and never reused within an epoch. Recovery is all or
//! nothing: every event after the reader's position, in order, or none.
//! Failure: a position of another epoch, ahead of the channel, or older than what is kept, is
//! [`Recovery::Lost`]; the reader reads the snapshot.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// The newest events that are always kept.
pub const KEEP_EVENTS: usize = 1_000;
/// The age up to which events are always kept, in milliseconds: 5 minutes.
pub const KEEP_MS: i64 = 5 * 60 * 1_000;
/// Longest epoch read from a client, in bytes.
pub const MAX_EPOCH: usize = 64;

/// A place in a channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Which life of the channel: changes when its history was lost or rewritten.
    pub epoch: String,
    /// The last event seen; 0 before the first.
    pub offset: u64,
}

impl Position {
    /// The place after event `offset` of `epoch`.
    pub fn new(epoch: impl Into<String>, offset: u64) -> Self {
        Self {
            epoch: epoch.into(),
            offset,
        }
    }
}

/// What kind of events a channel carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Every event counts.
    Counted,
    /// Each event replaces the one before; only the newest is kept.
    Latest,
}

/// What a reader that was away gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Everything kept after this offset; for a [`Kind::Latest`] channel that is the newest value,
    /// unless the reader has it.
    All {
        /// The reader's own offset.
        after: u64,
    },
    /// Nothing: read the snapshot.
    Lost,
}

/// Decides a recovery. `oldest_kept` is the offset of the oldest event in the history; one past
/// `current` when nothing is kept.
pub fn recover(kind: Kind, asked: &Position, current: &Position, oldest_kept: u64) -> Recovery {
    let known = asked.epoch == current.epoch && asked.offset <= current.offset;
    let whole = match kind {
        Kind::Counted => asked.offset.saturating_add(1) >= oldest_kept,
        Kind::Latest => true,
    };
    if known && whole {
        Recovery::All {
            after: asked.offset,
        }
    } else {
        Recovery::Lost
    }
}

/// The oldest offset that has to be kept: an event may go only when it is both out of the newest
/// [`KEEP_EVENTS`] and older than [`KEEP_MS`]. `last` is the channel's offset; `young` is the offset
/// of the oldest event younger than [`KEEP_MS`], if there is one.
pub fn keep_from(last: u64, young: Option<u64>) -> u64 {
    let newest = last.saturating_sub(KEEP_EVENTS as u64) + 1;
    young.map_or(newest, |young| young.min(newest))
}

/// One kept event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept<T> {
    /// Its place.
    pub offset: u64,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// What happened.
    pub event: T,
}

/// A channel's history in memory. The objects keep theirs in storage under the same rules.
#[derive(Clone, Debug)]
pub struct Log<T> {
    kind: Kind,
    epoch: String,
    last: u64,
    kept: VecDeque<Kept<T>>,
}

impl<T> Log<T> {
    /// An empty channel.
    pub fn new(kind: Kind, epoch: impl Into<String>) -> Self {
        Self::resumed(kind, Position::new(epoch, 0))
    }

    /// A channel that goes on after `position` with no history.
    pub fn resumed(kind: Kind, position: Position) -> Self {
        Self {
            kind,
            epoch: position.epoch,
            last: position.offset,
            kept: VecDeque::new(),
        }
    }

    /// Where the channel is.
    pub fn position(&self) -> Position {
        Position::new(self.epoch.clone(), self.last)
    }

    /// The offset the next event takes. Taking it is [`Log::append`]: a write that is rolled back
    /// before that leaves no gap.
    pub fn next(&self) -> u64 {
        self.last + 1
    }

    /// Records an event and returns its offset.
    pub fn append(&mut self, event: T, at_ms: i64) -> u64 {
        if self.kind == Kind::Latest {
            self.kept.clear();
        }
        self.last += 1;
        self.kept.push_back(Kept {
            offset: self.last,
            at_ms,
            event,
        });
        self.last
    }

    /// The offset of the oldest event kept; one past the last when there is none.
    pub fn oldest_kept(&self) -> u64 {
        self.kept.front().map_or(self.last + 1, |kept| kept.offset)
    }

    /// Forgets what need not be kept at `now_ms`; returns how many events went.
    pub fn trim(&mut self, now_ms: i64) -> usize {
        let young = self
            .kept
            .iter()
            .find(|kept| now_ms.saturating_sub(kept.at_ms) < KEEP_MS)
            .map(|kept| kept.offset);
        let from = keep_from(self.last, young);
        let before = self.kept.len();
        while self
            .kept
            .front()
            .is_some_and(|kept| kept.offset < from && self.kind == Kind::Counted)
        {
            self.kept.pop_front();
        }
        before - self.kept.len()
    }

    /// What a reader at `asked` gets: every event after it in order, or nothing at all.
    pub fn recover(&self, asked: &Position) -> Option<impl Iterator<Item = &Kept<T>>> {
        match recover(self.kind, asked, &self.position(), self.oldest_kept()) {
            Recovery::All { after } => {
                Some(self.kept.iter().filter(move |kept| kept.offset > after))
            }
            Recovery::Lost => None,
        }
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
