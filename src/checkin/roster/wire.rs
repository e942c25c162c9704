//! How the guest list is asked for, and what comes.
//!
//! Invariant: the object writes the answer as it stands here.
//! Failure: a limit out of range is 422.

use rules::invalid::Invalid;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::platform::error::Result;

const PAGE: u32 = 5_000;
const MOST: u32 = 20_000;

/// Which part of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RosterQuery {
    /// A `position` of an earlier answer: only what changed since. One that is not known any more
    /// gets the whole list.
    pub since: Option<String>,
    /// `next` of the page before.
    pub after: Option<Uuid>,
    /// Guests of a page, 1 to 20,000; 5,000 when absent.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 20000)]
    pub limit: Option<String>,
    /// Each guest sealed with their own code. Guests' phones and kiosks always get it so.
    pub sealed: Option<bool>,
}

impl RosterQuery {
    pub(super) fn limit(&self) -> Result<u32> {
        let Some(text) = &self.limit else {
            return Ok(PAGE);
        };
        match text.parse() {
            Ok(limit) if (1..=MOST).contains(&limit) => Ok(limit),
            _ => Err(Invalid::one("/limit", "out_of_range", "1 to 20000.").into()),
        }
    }
}

/// A page of the list, or what changed.
#[derive(Serialize, ToSchema)]
pub struct Roster {
    /// Where the list is. Of a list in pages keep that of the first page, and ask for what changed
    /// since when the last has come.
    pub position: String,
    /// The same as a number that grows with every change, for people and dashboards: what a scanner
    /// reports as its `roster_seq`. Numbers of different logs do not compare.
    pub seq: u64,
    /// Whether this is of the whole list.
    pub full: bool,
    /// What a scanner needs besides guests; not with later pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<RosterTable>,
    /// Guests as rows of the list, each with `v`: entries and exits that stand, as `[record, seq,
    /// milliseconds since 1970, is exit, was decided without a connection, people, gate]`.
    #[schema(value_type = Vec<Object>)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Value>,
    /// Guests as `[name, sealed]`; see the offline contract.
    #[schema(value_type = Vec<Vec<String>>)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sealed: Vec<Vec<String>>,
    /// The salt of what is sealed, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// Guests, or names of what is sealed, that are gone.
    pub gone: Vec<String>,
    /// Where the next page starts.
    #[schema(required = true)]
    pub next: Option<Uuid>,
}

/// What a scanner needs besides guests.
#[derive(Serialize, ToSchema)]
pub struct RosterTable {
    /// The table.
    pub table_id: Uuid,
    /// Its name.
    pub name: String,
    /// Settings, gates and time zone.
    #[schema(value_type = Object)]
    pub config: Value,
    /// Keys and revocations of signed tickets.
    #[schema(value_type = Object)]
    pub tickets: Value,
}
