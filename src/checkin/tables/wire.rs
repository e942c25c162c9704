//! What comes in and goes out at guest lists.
//!
//! Invariant: unknown fields are refused; the API document is made from these types.
//! Failure: see the problems of the API document.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A new guest list.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TableIn {
    /// What the team calls it.
    #[schema(
        min_length = 1,
        max_length = 120,
        pattern = r"^\s*[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*\s*$",
        example = "Opening night"
    )]
    pub name: String,
    /// A zone of the IANA database, where the event takes place. UTC when absent.
    #[schema(min_length = 1, max_length = 64, example = "Europe/Berlin")]
    pub timezone: Option<String>,
}

/// Changes to a guest list; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TablePatch {
    /// What the team calls it.
    #[schema(
        min_length = 1,
        max_length = 120,
        pattern = r"^\s*[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*\s*$"
    )]
    pub name: Option<String>,
    /// A zone of the IANA database.
    #[schema(min_length = 1, max_length = 64, example = "Europe/Berlin")]
    pub timezone: Option<String>,
}

/// A guest list.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Table {
    /// The list.
    pub id: Uuid,
    /// What the team calls it.
    pub name: String,
    /// A zone of the IANA database.
    pub timezone: String,
    /// Guests on it.
    pub row_count: i64,
    /// For `If-Match`.
    pub version: i64,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// A page of guest lists.
#[derive(Serialize, ToSchema)]
pub struct Tables {
    /// Newest first.
    pub items: Vec<Table>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TablesQuery {
    /// 1 to 200; 50 when absent.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    #[param(max_length = 1024)]
    pub cursor: Option<String>,
}
