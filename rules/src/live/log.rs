//! Where a channel is, and what a reader that was away may still have.
//!
//! Invariant: offsets are dense from 1 and never reused within an epoch. Recovery is all or
//! nothing: every event after the reader's position, in order, or none.
//! Failure: a position of another epoch, ahead of the channel, or older than what can be had, is
//! [`Recovery::Lost`]; the reader reads the snapshot.

use serde::{Deserialize, Serialize};

/// How many of the newest events can be had of a channel whose events count. The protocol promises
/// 1,000 or five minutes; these are five minutes of 33 a second, and about what one answer can carry.
pub const WINDOW: u64 = 10_000;
const _: () = assert!(WINDOW >= 1_000);
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
    /// Each event replaces the one before; only the newest can be had.
    Latest,
}

/// What a reader that was away gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Everything after this offset; for a [`Kind::Latest`] channel that is the newest value,
    /// unless the reader has it.
    All {
        /// The reader's own offset.
        after: u64,
    },
    /// Nothing: read the snapshot.
    Lost,
}

/// Decides a recovery. `oldest_kept` is the offset of the oldest event that can be had; one past
/// `current` when there is none.
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

/// Where a channel is, and how far back its events can be had. What an object shows on its sockets is
/// decided with this; where it keeps the events is its own business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Whether its events count or only the latest value does.
    pub kind: Kind,
    /// Its last event.
    pub position: Position,
    /// The oldest event that can be had.
    pub oldest: u64,
}

impl Channel {
    /// A channel whose events count, of which the newest `kept` can be had.
    pub fn counted(position: Position, kept: u64) -> Self {
        Self {
            kind: Kind::Counted,
            oldest: position.offset.saturating_sub(kept).saturating_add(1),
            position,
        }
    }

    /// A channel that shows its latest value.
    pub fn latest(position: Position) -> Self {
        Self {
            kind: Kind::Latest,
            oldest: 1,
            position,
        }
    }

    /// What a reader gets that was at `asked`: every event after that, as `after` reads them, in
    /// order; or nothing at all, and then it reads the snapshot.
    pub fn missed<E, F>(
        &self,
        asked: &Position,
        after: impl FnOnce(u64) -> Result<Vec<E>, F>,
    ) -> Result<Option<Vec<E>>, F> {
        match recover(self.kind, asked, &self.position, self.oldest) {
            Recovery::All { after } if after == self.position.offset => Ok(Some(Vec::new())),
            Recovery::All { after: offset } => after(offset).map(Some),
            Recovery::Lost => Ok(None),
        }
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
