//! The answer to a scan or an annulment.
//!
//! Invariant: a pure view of the log entry, so a replay is answered with the same bytes for ever.
//! Failure: none.

use serde::Serialize;
use uuid::Uuid;

use super::entry::{CheckIn, Entry, FirstEntry};
use super::guest::GuestView;
use super::question::Question;
use super::verdict::{Reason, Verdict, Warning};

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ScanAnswer<'a> {
    /// What to do.
    pub verdict: Verdict,
    /// Why it was not accepted.
    pub reason: Option<Reason>,
    /// The same for people.
    pub explanation: &'a str,
    /// What to know besides.
    pub warnings: &'a [Warning],
    /// The record.
    pub check_in: Option<CheckIn>,
    /// The guest.
    pub guest: Option<&'a GuestView>,
    /// When and where the guest first entered.
    pub first_entry: Option<&'a FirstEntry>,
    /// People of the ticket who have entered; of tickets for several.
    pub arrived: Option<u32>,
    /// What the guest has to be asked, when the answer is `incomplete`.
    pub questions: &'a [Question],
    /// Place in the log.
    pub seq: u64,
}

/// The answer of a log entry of this table.
pub fn answer(entry: &Entry, table_id: Uuid) -> ScanAnswer<'_> {
    ScanAnswer {
        verdict: entry.verdict,
        reason: entry.reason,
        explanation: &entry.explanation,
        warnings: &entry.warnings,
        check_in: entry.check_in(table_id),
        guest: entry.guest.as_ref(),
        first_entry: entry.first_entry.as_ref(),
        arrived: entry.arrived,
        questions: &entry.questions,
        seq: entry.seq,
    }
}
