//! What comes in from the page and goes back to it.
//!
//! Invariant: unknown fields are refused; the same input always gives the same bytes.
//! Failure: text of another form is told with what serde says of it.

use chrono::{DateTime, Utc};
use rules::checkin::answer::ScanAnswer;
use rules::checkin::{Config, Entry, Row, ScanIn, Scanner, Tickets};
use rules::invalid::{FieldError, Invalid};
use rules::time;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::offline::Offline;

/// A table as it is taken in and given back.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The table.
    pub table_id: Uuid,
    /// Settings, gates, time zone.
    pub config: Config,
    /// Keys and revocations of signed tickets.
    #[serde(default)]
    pub tickets: Tickets,
    /// The guest list; null where there is none.
    pub roster: Option<Vec<Row>>,
    /// Which scanner this is.
    pub caller: Device,
    /// What it did so far.
    #[serde(default)]
    pub log: Vec<Entry>,
    /// What the server told, and what it is still to be told.
    #[serde(default)]
    pub offline: Offline,
}

/// The paired scanner.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Its session.
    pub session_id: Uuid,
    /// What the team calls it.
    #[serde(default)]
    pub name: Option<String>,
    /// Where it stands.
    #[serde(default)]
    pub gate: Option<String>,
    /// Who holds it.
    #[serde(default)]
    pub scanner: Option<Scanner>,
}

/// A scan with what the rules do not make themselves.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scanned {
    pub scan: ScanIn,
    #[serde(with = "time::ms")]
    pub now: DateTime<Utc>,
    pub ids: NewIds,
}

/// A scan that is decided here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    pub scan: ScanIn,
    #[serde(with = "time::ms")]
    pub now: DateTime<Utc>,
}

/// Fresh ids.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewIds {
    pub check_in: Uuid,
    pub row: Uuid,
}

/// An annulment with the time.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Annulled {
    pub check_in_id: Uuid,
    #[serde(default)]
    pub nonce: Option<String>,
    #[serde(with = "time::ms")]
    pub now: DateTime<Utc>,
}

/// What came of it.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Outcome<'a> {
    /// It stands in the log.
    Done {
        /// It had been recorded before.
        replayed: bool,
        /// An admission or an exit was recorded now.
        recorded: bool,
        /// As the API answers.
        answer: Box<ScanAnswer<'a>>,
    },
    /// Nothing was recorded.
    Refused { problem: Problem },
}

/// Why nothing was recorded.
#[derive(Serialize)]
pub struct Problem {
    /// Stable.
    pub code: String,
    /// For people.
    pub detail: String,
    /// The wrong fields.
    pub errors: Vec<FieldError>,
}

/// What a case file gave.
#[cfg(feature = "cases")]
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ran {
    Results(Vec<rules::cases::CaseResult>),
    Problem(Problem),
}

impl Problem {
    /// A problem that is no field's.
    pub fn new(code: &str, detail: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            detail: detail.into(),
            errors: Vec::new(),
        }
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self {
            errors: invalid.errors,
            ..Self::new("invalid", "The content is wrong.")
        }
    }
}

impl From<Problem> for Outcome<'_> {
    fn from(problem: Problem) -> Self {
        Self::Refused { problem }
    }
}

/// Reads JSON.
pub fn read<T: DeserializeOwned>(json: &str) -> Result<T, Problem> {
    serde_json::from_str(json).map_err(|error| Problem::new("malformed", error.to_string()))
}

/// Writes JSON. What is written here always can be.
pub fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
