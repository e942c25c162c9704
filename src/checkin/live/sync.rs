//! A batch of scans: what a device queued without a connection, or simply several at once.
//!
//! Invariant: each item is answered, in the order they came; they become durable together, and an
//! item that is wrong keeps none of the others from being recorded. A queue stays its device's,
//! whoever brings it: a scan that the device delivered itself is not recorded again.
//! Failure: a batch that is no batch is refused as a whole; one that was not acknowledged is sent
//! again and changes nothing, because each item has its nonce.

use chrono::{DateTime, Utc};
use rules::checkin::caller::Caller as Scanner;
use rules::checkin::scan::ScanIn;
use rules::invalid::Invalid;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::CheckinTable;
use super::access;
use super::commands::REPLAYED;
use super::table::Table;
use crate::platform::error::{Error, Result};
use crate::platform::http::decode;
use crate::platform::object::ObjectAnswer;

/// Scans in one batch.
pub const MAX_ITEMS: usize = 200;

/// The body of `POST /pulse/check-ins/sync`, and of a batch over a socket.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    #[serde(default)]
    table_id: Uuid,
    #[serde(default)]
    session_id: Option<Uuid>,
    #[serde(default, with = "rules::time::ms_option")]
    sent_at: Option<DateTime<Utc>>,
    items: Vec<Box<RawValue>>,
}

/// What became of one item.
#[derive(Serialize)]
struct Outcome {
    /// As for a single scan: 201, 200, or why it was not taken.
    status: u16,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Wrong>,
}

#[derive(Serialize)]
struct Wrong {
    code: String,
    detail: String,
    errors: Vec<rules::invalid::FieldError>,
}

#[derive(Serialize)]
struct Synced {
    results: Vec<Outcome>,
    seq: u64,
}

impl CheckinTable {
    /// Takes a batch.
    pub(super) fn sync_body(
        &self,
        table: &Table,
        caller: &Scanner,
        now: DateTime<Utc>,
        input: &str,
    ) -> Result<ObjectAnswer> {
        let batch = decode::<Batch>(input)?;
        let table_id = table.identity.borrow().table_id;
        if batch.table_id != table_id && !batch.table_id.is_nil() {
            return Err(Error::not_found());
        }
        if batch.items.is_empty() || batch.items.len() > MAX_ITEMS {
            return Err(Invalid::one("/items", "out_of_range", "1 to 200 scans.").into());
        }
        let brought = match batch.session_id {
            Some(session) => Some(access::bringing(table, caller, session)?),
            None => None,
        };
        let caller = brought.as_ref().unwrap_or(caller);
        let mut results = Vec::with_capacity(batch.items.len());
        for item in &batch.items {
            let outcome = decode::<ScanIn>(item.get()).and_then(|mut scan| {
                scan.sent_at = scan.sent_at.or(batch.sent_at);
                self.scan_one(table, caller, now, scan, &[])
            });
            results.push(match outcome {
                Err(error) if error.status >= 500 => return Err(error),
                outcome => told(outcome)?,
            });
        }
        self.stats_changed();
        let body = serde_json::to_string(&Synced {
            results,
            seq: table.seq(),
        })?;
        Ok(ObjectAnswer { status: 200, body })
    }
}

fn told(outcome: Result<ObjectAnswer>) -> Result<Outcome> {
    Ok(match outcome {
        Ok(ObjectAnswer { status, body }) => Outcome {
            status: if status == REPLAYED { 200 } else { status },
            replayed: status == REPLAYED,
            answer: Some(RawValue::from_string(body)?),
            error: None,
        },
        Err(error) => Outcome {
            status: error.status,
            replayed: false,
            answer: None,
            error: Some(Wrong {
                code: error.code.into_owned(),
                detail: error.detail.into_owned(),
                errors: error.errors,
            }),
        },
    })
}
