//! A batch of scans: what a device queued without a connection, or simply several at once.
//!
//! Invariant: each item is answered, in the order they came; they become durable together, and an
//! item that is wrong keeps none of the others from being recorded. What undoes a scan is taken
//! after the scans of its batch. A queue stays its device's, whoever brings it: a scan that the
//! device delivered itself is not recorded again.
//! Failure: a batch that is no batch is refused as a whole; one that was not acknowledged is sent
//! again and changes nothing, because each item has its nonce.

use chrono::{DateTime, Utc};
use rules::checkin::annul::UndoIn;
use rules::checkin::caller::Caller as Scanner;
use rules::checkin::scan::ScanIn;
use rules::invalid::Invalid;
use rules::roles::{Resource, Verb};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::CheckinTable;
use super::access::{self, Granted};
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
    #[serde(default)]
    guest_device: Option<Uuid>,
    #[serde(default, with = "rules::time::ms_option")]
    sent_at: Option<DateTime<Utc>>,
    items: Vec<Box<RawValue>>,
}

/// Enough of an item to know what it is.
#[derive(Default, Deserialize)]
struct Kind {
    annul: Option<IgnoredAny>,
}

/// Who brings a batch.
struct Bringer<'a> {
    caller: &'a Scanner,
    may_undo: bool,
    now: DateTime<Utc>,
    sent_at: Option<DateTime<Utc>>,
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
        granted: &Granted,
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
        let caller = &granted.caller;
        let brought = match (batch.session_id, batch.guest_device) {
            (Some(session), None) => Some(access::bringing(table, caller, session)?),
            (None, Some(device)) => Some(access::bringing_guests(table, caller, device)?),
            (None, None) => None,
            (Some(_), Some(_)) => {
                let told = "A queue is a scanner's or a guest's phone's.";
                return Err(Invalid::one("/guest_device", "one_of", told).into());
            }
        };
        let by = Bringer {
            caller: brought.as_ref().unwrap_or(caller),
            may_undo: granted.may(Verb::Annul, Resource::CheckIn),
            now,
            sent_at: batch.sent_at,
        };
        let undoes = |item: &RawValue| {
            let kind = serde_json::from_str::<Kind>(item.get()).unwrap_or_default();
            kind.annul.is_some()
        };
        let (last, first): (Vec<_>, Vec<_>) =
            (batch.items.iter().enumerate()).partition(|(_, item)| undoes(item));
        let mut results = Vec::with_capacity(batch.items.len());
        for (place, item) in first {
            results.push((place, self.synced(table, &by, item, Self::scan_item)?));
        }
        for (place, item) in last {
            results.push((place, self.synced(table, &by, item, Self::undo_item)?));
        }
        results.sort_unstable_by_key(|(place, _)| *place);
        self.stats_changed();
        let body = serde_json::to_string(&Synced {
            results: results.into_iter().map(|(_, outcome)| outcome).collect(),
            seq: table.seq(),
        })?;
        Ok(ObjectAnswer { status: 200, body })
    }

    /// What became of an item; an error when the whole batch has to be sent again.
    fn synced(
        &self,
        table: &Table,
        by: &Bringer<'_>,
        item: &RawValue,
        take: impl Fn(&Self, &Table, &Bringer<'_>, &str) -> Result<ObjectAnswer>,
    ) -> Result<Outcome> {
        match take(self, table, by, item.get()) {
            Err(error) if error.status >= 500 => Err(error),
            outcome => told(outcome),
        }
    }

    fn scan_item(&self, table: &Table, by: &Bringer<'_>, item: &str) -> Result<ObjectAnswer> {
        let mut scan = decode::<ScanIn>(item)?;
        scan.sent_at = scan.sent_at.or(by.sent_at);
        self.scan_one(table, by.caller, by.now, scan, &[])
    }

    fn undo_item(&self, table: &Table, by: &Bringer<'_>, item: &str) -> Result<ObjectAnswer> {
        let mut undo = decode::<UndoIn>(item)?;
        if undo.table_id != table.identity.borrow().table_id && !undo.table_id.is_nil() {
            return Err(Error::not_found());
        }
        if !by.may_undo {
            return Err(Error::forbidden(
                "role_not_allowed",
                "This credential may not undo.",
            ));
        }
        undo.sent_at = undo.sent_at.or(by.sent_at);
        let check_in = undo.annul;
        self.undo(table, by.caller, check_in, &undo.parse(by.now)?)
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
