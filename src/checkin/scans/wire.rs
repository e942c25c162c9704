//! What goes out at scans and their records, and how lists are asked for.
//!
//! Invariant: a scan comes in as `rules::checkin` reads it, over HTTP as over a socket.
//! Failure: see the problems of the API document.

use rules::checkin::annul::UndoIn;
use rules::checkin::dashboard::LivePosition;
use rules::checkin::entry::{CheckIn, FirstEntry};
use rules::checkin::guest::GuestView;
use rules::checkin::question::Question;
use rules::checkin::scan::ScanIn;
use rules::checkin::verdict::{Reason, Verdict, Warning};
use rules::invalid::FieldError;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::platform::error::Result;

/// The answer to a scan or an annulment.
#[derive(Serialize, ToSchema)]
pub struct ScanAnswer {
    /// What to do.
    pub verdict: Verdict,
    /// Why it was not accepted.
    #[schema(required = true)]
    pub reason: Option<Reason>,
    /// The same for people.
    pub explanation: String,
    /// What to know besides.
    pub warnings: Vec<Warning>,
    /// The record.
    #[schema(required = true)]
    pub check_in: Option<CheckIn>,
    /// The guest.
    #[schema(required = true)]
    pub guest: Option<GuestView>,
    /// When and where the guest first entered.
    #[schema(required = true)]
    pub first_entry: Option<FirstEntry>,
    /// People of the ticket who have entered; of tickets for several.
    #[schema(required = true)]
    pub arrived: Option<u32>,
    /// What the guest has to be asked, when the answer is `incomplete`.
    pub questions: Vec<Question>,
    /// Place in the table's log.
    pub seq: u64,
}

/// A batch of scans.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncIn {
    /// The check-in table.
    #[expect(dead_code, reason = "the object reads it")]
    pub table_id: Uuid,
    /// The scanner session that queued the scans, when its device does not bring them itself. A
    /// manager may bring those of any scanner of the table, such as a revoked one, as they are:
    /// what its device delivered before is not recorded again.
    #[expect(dead_code, reason = "the object reads it")]
    pub session_id: Option<Uuid>,
    /// The guest's phone that queued it (the UUID of its credential), for a manager who brings what is
    /// left on it after the guest key changed or guest scanning ended.
    #[expect(dead_code, reason = "the object reads it")]
    pub guest_device: Option<Uuid>,
    /// When the batch was sent, by the device's clock; for items that do not say themselves.
    #[expect(dead_code, reason = "the object reads it")]
    pub sent_at: Option<chrono::DateTime<chrono::Utc>>,
    /// Scans, in any order, and what undoes them.
    #[schema(min_items = 1, max_items = 200)]
    #[expect(dead_code, reason = "the object reads it")]
    pub items: Vec<SyncItem>,
}

/// An item of a batch.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the object reads it")]
pub enum SyncItem {
    /// A scan.
    Scan(Box<ScanIn>),
    /// Undoes a scan that the device decided without a connection; taken after the scans of its
    /// batch. A device may do so for 15 minutes by its own clock.
    Undo(UndoIn),
}

/// What became of a batch.
#[derive(Serialize, ToSchema)]
pub struct Synced {
    /// One for each item, in their order.
    pub results: Vec<SyncResult>,
    /// Place of the last entry in the table's log.
    pub seq: u64,
}

/// What became of one item.
#[derive(Serialize, ToSchema)]
pub struct SyncResult {
    /// As for a single scan: 201 when an admission was recorded, 200 for any other verdict or a
    /// replay, 4xx when the item was not taken. 409 `pulse_disabled` (a scan without `offline`, at
    /// a table that is closed) may be taken later; any other is wrong for ever.
    pub status: u16,
    /// It had been answered before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
    /// As for a single scan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<ScanAnswer>,
    /// Why the item was not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<SyncError>,
}

/// Why an item was not taken.
#[derive(Serialize, ToSchema)]
pub struct SyncError {
    /// Stable.
    pub code: String,
    /// One sentence.
    pub detail: String,
    /// The wrong fields.
    pub errors: Vec<FieldError>,
}

/// A page of records.
#[derive(Serialize, ToSchema)]
pub struct CheckIns {
    /// Newest first.
    pub items: Vec<CheckIn>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
    /// Of a list of one table: where to subscribe from, so that no later record is missed and none
    /// comes twice.
    #[schema(required = true)]
    pub live: Option<LivePosition>,
}

/// Which records.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CheckInsQuery {
    /// Of this table.
    pub table_id: Option<Uuid>,
    /// Of this guest.
    pub row_id: Option<Uuid>,
    /// Scanned with this device.
    pub session_id: Option<Uuid>,
    /// Scanned at this gate.
    pub gate: Option<String>,
    /// With this verdict. Duplicates are counted on the first record and are no records.
    pub verdict: Option<Verdict>,
    /// Not before, RFC 3339.
    #[param(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    pub from: Option<String>,
    /// Before, RFC 3339.
    #[param(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    pub to: Option<String>,
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Which table a record is of.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfTable {
    /// The table, if it is known: the record is then there as soon as its scan was answered.
    pub table_id: Option<Uuid>,
}

/// Which records, checked.
#[derive(Clone, Serialize)]
pub struct Filter {
    /// Of this table.
    pub table_id: Option<Uuid>,
    /// Of this guest.
    pub row_id: Option<Uuid>,
    /// Scanned with this device.
    pub session_id: Option<Uuid>,
    /// Scanned at this gate.
    pub gate: Option<String>,
    /// With this verdict.
    pub verdict: Option<Verdict>,
    /// Not before.
    pub from: Option<String>,
    /// Before.
    pub to: Option<String>,
}

impl CheckInsQuery {
    pub(super) fn filter(&self) -> Result<Filter> {
        Ok(Filter {
            table_id: self.table_id,
            row_id: self.row_id,
            session_id: self.session_id,
            gate: self.gate.clone(),
            verdict: self.verdict,
            from: time("/from", self.from.as_deref())?,
            to: time("/to", self.to.as_deref())?,
        })
    }
}

/// Reads an instant of a query.
pub(super) fn time(pointer: &str, text: Option<&str>) -> Result<Option<String>> {
    let time = text
        .map(|text| rules::time::parse(pointer, text))
        .transpose()?;
    Ok(time.map(rules::time::render))
}
