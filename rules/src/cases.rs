//! Case files: decisions written down as data, run through the rules.
//!
//! Invariant: each kind of file is run by the product that owns it; every case gets a result.
//! Failure: an unknown kind, or a file of another form, is refused as a whole.

use serde::{Deserialize, Serialize};

use crate::invalid::Invalid;

/// What became of one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The case's name in its file.
    pub id: String,
    /// Everything was as expected.
    pub passed: bool,
    /// What was not; empty when it passed.
    pub detail: String,
}

/// The kinds of case files.
pub const KINDS: [&str; 1] = ["checkin"];

/// Runs the cases of a file's text.
pub fn run(kind: &str, json: &str) -> Result<Vec<CaseResult>, Invalid> {
    match kind {
        "checkin" => crate::checkin::cases::run(json),
        _ => Err(Invalid::one(
            "",
            "unknown_kind",
            format!("Case files are of kind {}.", KINDS.join(", ")),
        )),
    }
}
