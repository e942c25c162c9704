//! A device that asked with a connection, did not hear the answer, and decided by itself: what it
//! told the guest, against what had been answered.
//!
//! Invariant: what was told is what happened at the door, so it is what stands: who went through is
//! recorded, and the admission of who was turned away is taken back ([`super::annul::take_back`]). Where both said the same, the
//! report is the same scan, and its record has one id on either side ([`Scan::ids`]).
//! Failure: none; a report that comes again meets [`key`].

use super::entry::{Entry, Kind};
use super::scan::{Scan, record_id};
use super::state::State;
use super::verdict::{Effect, Verdict};

/// Does a report say that the guest was told otherwise than `earlier`, the entry of its nonce?
pub fn otherwise(scan: &Scan, earlier: &Entry) -> bool {
    let let_in = earlier.verdict == Verdict::Accepted;
    let decided_here = earlier.offline.is_none() && earlier.kind == Kind::Scan;
    let told = scan.offline.as_ref();
    decided_here && told.is_some_and(|told| told.admitted() != let_in)
}

/// The nonce key of the entry that such a report makes.
pub fn key(nonce_key: &str) -> String {
    format!("told|{nonce_key}")
}

/// The entry of the report itself, from what [`super::entry::record`] made of it.
pub fn entry(state: &State, mut entry: Entry) -> Entry {
    entry.nonce_key = key(&entry.nonce_key);
    if entry.effect == Effect::Refuse {
        // The id that follows from the scan is the admission's.
        let at = entry.scanned_at.unwrap_or(entry.check_in_time);
        entry.check_in_id = record_id(state.table_id, at, &entry.nonce_key);
    }
    entry
}
