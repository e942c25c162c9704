//! A guest on the list, and what a scanner is shown of them.
//!
//! Invariant: a row's barcode is trimmed and never empty.
//! Failure: none; rows were checked when they were imported.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::time;

/// Whether a guest may come at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Status {
    #[default]
    Confirmed,
    Canceled,
    Blocked,
    Revoked,
    Unpaid,
}

/// One guest as the live table keeps it. Unknown fields of a stored row are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The row.
    pub id: Uuid,
    /// Display name.
    pub name: String,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What is scanned. Several rows may share one.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "code"
    )]
    pub barcode: Option<String>,
    /// Ticket category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Whether the guest may come at all.
    #[serde(default)]
    pub status: Status,
    /// First instant of admission.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::ms_option"
    )]
    pub valid_from: Option<DateTime<Utc>>,
    /// Last instant of admission.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::ms_option"
    )]
    pub valid_until: Option<DateTime<Utc>>,
    /// What the person at the door must see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention_note: Option<String>,
    /// How many people the ticket is for, 1 to [`MAX_PARTY`].
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub party: u16,
}

/// Most people of one ticket.
pub const MAX_PARTY: u16 = 1_000;

/// What a scanner shows of a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GuestView {
    /// The row; null for a walk-in that was refused.
    pub row_id: Option<Uuid>,
    /// Display name.
    pub name: String,
    /// Left out for anonymous scanners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Ticket category.
    pub category: Option<String>,
    /// What the person at the door must see.
    pub attention_note: Option<String>,
    /// Whether the guest may come at all.
    pub status: Status,
    /// How many people the ticket is for; left out when it is one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub party: u16,
}

impl GuestView {
    /// What is shown of a row.
    pub fn of(row: &Row, with_email: bool) -> Self {
        Self {
            row_id: Some(row.id),
            name: row.name.clone(),
            email: row.email.clone().filter(|_| with_email),
            category: row.category.clone(),
            attention_note: row.attention_note.clone(),
            status: row.status,
            party: row.party,
        }
    }
}

pub(crate) fn one() -> u16 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
pub(crate) fn is_one(count: &u16) -> bool {
    *count == 1
}

/// A code as it is looked up: trimmed, absent when blank.
pub(crate) fn tidy(code: Option<String>) -> Option<String> {
    let code = code?;
    match code.trim() {
        "" => None,
        trimmed if trimmed.len() == code.len() => Some(code),
        trimmed => Some(trimmed.to_owned()),
    }
}

fn code<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(from).map(tidy)
}
