//! What comes in and goes out at guests.
//!
//! Invariant: unknown fields are refused; the API document is made from these types.
//! Failure: see the problems of the API document.

use rules::checkin::guest::Status;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A guest.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Row {
    /// The guest.
    pub id: Uuid,
    /// The list.
    pub table_id: Uuid,
    /// Display name.
    pub name: String,
    /// Email address.
    pub email: Option<String>,
    /// What is scanned.
    pub barcode: Option<String>,
    /// Ticket category.
    pub category: Option<String>,
    /// Whether the guest may come at all.
    pub status: Status,
    /// First instant of admission, RFC 3339.
    #[schema(format = DateTime)]
    pub valid_from: Option<String>,
    /// Last instant of admission, RFC 3339.
    #[schema(format = DateTime)]
    pub valid_until: Option<String>,
    /// What the person at the door must see.
    pub attention_note: Option<String>,
    /// How many people the ticket is for.
    #[schema(minimum = 1, maximum = 1000)]
    pub party: u16,
    /// Anything else that was given or imported, as the database writes it: its numbers may be
    /// longer than any type here holds.
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
    /// Where the row comes from.
    pub source: Source,
    /// For `If-Match`.
    pub version: i64,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// Where a row comes from.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// One call.
    Api,
    /// An import.
    Import,
    /// The door.
    WalkIn,
}

/// A page of guests.
#[derive(Serialize, ToSchema)]
pub struct Rows {
    /// Newest first.
    pub items: Vec<Row>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Which guests.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RowsQuery {
    /// Part of the name, the address or the code; case and accents do not matter. A device must
    /// give three characters or more.
    #[param(max_length = 512)]
    pub q: Option<String>,
    /// Of this category.
    #[param(max_length = 80)]
    pub category: Option<String>,
    /// Of this status.
    #[param(inline)]
    pub status: Option<Status>,
    /// 1 to 200; 50 when absent.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    #[param(max_length = 1024)]
    pub cursor: Option<String>,
}
