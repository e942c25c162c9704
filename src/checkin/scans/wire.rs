//! What goes out at scans and their records, and how lists are asked for.
//!
//! Invariant: a scan comes in as `rules::checkin` reads it, over HTTP as over a socket.
//! Failure: see the problems of the API document.

use rules::checkin::entry::{CheckIn, FirstEntry};
use rules::checkin::guest::GuestView;
use rules::checkin::verdict::{Reason, Verdict, Warning};
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
    /// Place in the table's log.
    pub seq: u64,
}

/// A page of records.
#[derive(Serialize, ToSchema)]
pub struct CheckIns {
    /// Newest first.
    pub items: Vec<CheckIn>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
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
