//! A scan that may be for one of several tables: what this one says of it.
//!
//! Invariant: asking changes nothing. A scan that was answered here before is this table's, whatever
//! its list became since.
//! Failure: whoever may not scan here is told so, which fails the scan for all the tables.

use chrono::{DateTime, Utc};
use rules::checkin::caller::Caller as Scanner;
use rules::checkin::decide::knows;
use rules::checkin::scan::ScanIn;
use serde::{Deserialize, Serialize};

use super::CheckinTable;
use super::table::Table;
use crate::platform::error::{Error, Result};
use crate::platform::http::decode;
use crate::platform::object::ObjectAnswer;

/// What a table says of a scan.
#[derive(Serialize, Deserialize)]
pub struct Known {
    /// The table's name.
    pub name: String,
    /// It has somebody with this code, and takes scans.
    pub knows: bool,
    /// It answered this very scan before.
    pub answered: bool,
}

impl CheckinTable {
    /// Whether this table knows whom a scan is about.
    pub(super) fn known(
        table: &Table,
        caller: &Scanner,
        now: DateTime<Utc>,
        input: &str,
    ) -> Result<ObjectAnswer> {
        let scan = decode::<ScanIn>(input)?.parse(now)?;
        let nonce_key = scan.nonce_key(caller.origin());
        let identity = table.identity.borrow();
        let known = Known {
            name: identity.name.clone(),
            knows: identity.enabled && knows(&table.state.borrow(), &scan),
            answered: table.storage.by_nonce(&nonce_key)?.is_some(),
        };
        Ok(ObjectAnswer {
            status: 200,
            body: serde_json::to_string(&known)?,
        })
    }

    /// Refuses a scan that several tables know; `input` is their names, a line, and the scan.
    pub(super) fn ambiguous(
        &self,
        table: &Table,
        caller: &Scanner,
        now: DateTime<Utc>,
        input: &str,
    ) -> Result<ObjectAnswer> {
        let parts = input.split_once('\n');
        let (names, scan) = parts.ok_or_else(|| Error::internal("a scan without names"))?;
        let names: Vec<String> = serde_json::from_str(names)?;
        let answer = self.scan_one(table, caller, now, decode(scan)?, &names)?;
        self.stats_changed();
        Ok(answer)
    }
}
