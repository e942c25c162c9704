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
pub const KINDS: [&str; 7] = [
    "checkin", "cron", "detector", "outbound", "recovery", "roles", "ticket",
];

/// Runs the cases of a file's text: CSV for `detector`, JSON for the others.
pub fn run(kind: &str, text: &str) -> Result<Vec<CaseResult>, Invalid> {
    match kind {
        "checkin" => crate::checkin::cases::run(text),
        "cron" => crate::cron::cases::run(text),
        "detector" => crate::detector::cases::run(text),
        "outbound" => crate::outbound::cases::run(text),
        "recovery" => crate::live::cases::run(text),
        "roles" => crate::roles::cases::run(text),
        "ticket" => crate::checkin::ticket::cases::run(text),
        _ => Err(Invalid::one(
            "",
            "unknown_kind",
            format!("Case files are of kind {}.", KINDS.join(", ")),
        )),
    }
}

/// A file of cases that need nothing but themselves: `{"meta": …, "cases": [{"id": …, …}]}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Simple<T> {
    #[serde(default, rename = "meta")]
    _meta: serde_json::Value,
    cases: Vec<Named<T>>,
}

#[derive(Deserialize)]
struct Named<T> {
    id: String,
    #[serde(flatten)]
    case: T,
}

/// Runs such a file: `check` says what was not as expected, or nothing.
pub(crate) fn each<T: serde::de::DeserializeOwned>(
    json: &str,
    check: impl Fn(&T) -> Option<String>,
) -> Result<Vec<CaseResult>, Invalid> {
    let file: Simple<T> = serde_json::from_str(json).map_err(|error| {
        Invalid::one(
            "",
            "malformed_cases",
            format!("Not a file of such cases: {error}."),
        )
    })?;
    let result = |named: Named<T>| {
        let detail = check(&named.case).unwrap_or_default();
        CaseResult {
            id: named.id,
            passed: detail.is_empty(),
            detail,
        }
    };
    Ok(file.cases.into_iter().map(result).collect())
}

/// What to say of an expectation that was not met.
pub(crate) fn differs<T: PartialEq + std::fmt::Debug>(expected: T, found: T) -> Option<String> {
    (expected != found).then(|| format!("expected {expected:?}, got {found:?}"))
}
