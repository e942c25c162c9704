//! The words of an answer: verdicts, reasons, warnings, effects.
//!
//! Invariant: each word is stable once published; people read the explanation instead.
//! Failure: none.

use serde::{Deserialize, Serialize};

/// What the person at the door is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Verdict {
    /// Let the guest pass.
    Accepted,
    /// The guest is in already.
    Duplicate,
    /// Do not let the guest pass.
    Refused,
}

/// Why a scan was not accepted, or what `force` overrode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Reason {
    /// No guest has this code or row.
    UnknownCode,
    /// The ticket was canceled.
    Canceled,
    /// The guest is blocked.
    Blocked,
    /// The ticket was revoked.
    Revoked,
    /// The ticket is not paid for.
    Unpaid,
    /// The ticket is not valid yet.
    NotYetValid,
    /// The ticket is not valid any more.
    NoLongerValid,
    /// The event does not take this category.
    WrongCategory,
    /// This gate does not take this category.
    WrongGate,
    /// The guest entered before.
    AlreadyCheckedIn,
    /// The guest has used up the entries of the day, or of the event.
    LimitReached,
    /// The venue is full.
    CapacityReached,
    /// Outside the opening time.
    EventNotOpen,
    /// Several guests share the code.
    Ambiguous,
    /// Questions must be answered first.
    Incomplete,
    /// Walk-ins are off. Only ever overridden: without `force` such a scan is refused as invalid.
    WalkInsNotAllowed,
}

/// What the person at the door, or the organiser, should know besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Warning {
    /// The device's clock is more than 30 s off.
    ClockSkew,
    /// The venue is over its capacity, and the event only warns.
    CapacityReached,
    /// The guest left without having been inside.
    NotInside,
    /// The ticket was let in twice; see the record's conflict.
    DuplicateConflict,
    /// A device without a connection let the guest in though the rules say no.
    AdmittedOffline,
    /// The code that a walk-in was given without a connection is somebody else's too: scans of it
    /// are ambiguous until one of them gets another.
    CodeShared,
}

/// What a scan does to the record.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// A new record: the guest enters.
    Admit,
    /// Counted on the guest's first record.
    Repeat,
    /// A new record: the guest was refused.
    Refuse,
    /// A new record: the guest leaves.
    Exit,
    /// An earlier record is annulled.
    Annul,
}

/// Which way the guest goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Direction {
    #[default]
    Entry,
    Exit,
}

impl Direction {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Exit => "exit",
        }
    }
}
