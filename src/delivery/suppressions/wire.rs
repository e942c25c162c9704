//! What comes in and goes out at suppressions.
//!
//! Invariant: an address is kept in lower case, as it is compared.
//! Failure: 422 with the pointer of each field.

use rules::invalid::Invalid;
use rules::{email, phone};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Longest note, in characters.
const NOTE: usize = 500;

/// Somebody to send nothing to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuppressionIn {
    /// An e-mail address or a phone number.
    #[schema(min_length = 3, max_length = 254)]
    pub address: String,
    /// Why, for people.
    #[schema(max_length = 500)]
    pub note: Option<String>,
}

/// Somebody nothing is sent to.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct Suppression {
    /// The suppression.
    pub id: Uuid,
    /// The address.
    pub address: String,
    /// Why.
    pub reason: SuppressionReason,
    /// Messages of this topic only.
    #[schema(required = true)]
    pub topic_kind: Option<String>,
    /// The same.
    #[schema(required = true)]
    pub topic_id: Option<Uuid>,
    /// What the provider or whoever made it said.
    #[schema(required = true)]
    pub note: Option<String>,
    /// Who made it.
    #[schema(required = true)]
    pub created_by: Option<Uuid>,
    /// RFC 3339.
    pub created_at: String,
}

/// Why nothing is sent.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SuppressionReason {
    /// The address does not work.
    Bounce,
    /// The recipient called a message spam.
    Complaint,
    /// The recipient unsubscribed.
    Unsubscribe,
    /// Somebody here said so.
    Manual,
}

/// A page of suppressions.
#[derive(Serialize, ToSchema)]
pub struct Suppressions {
    /// Newest first.
    pub items: Vec<Suppression>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Which suppressions.
#[derive(Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SuppressionsQuery {
    /// Of this address.
    pub address: Option<String>,
    /// For this reason.
    pub reason: Option<SuppressionReason>,
    /// Of this topic.
    pub topic_id: Option<Uuid>,
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl SuppressionIn {
    /// What is stored, checked.
    pub(super) fn check(&self) -> Result<Value, Invalid> {
        let mut invalid = Invalid::default();
        let address = match self.address.contains('@') {
            true => email::parse("/address", &self.address),
            false => phone::parse("/address", &self.address),
        };
        let address = invalid.take(address);
        let note = rules::name::optional("/note", self.note.as_deref(), NOTE);
        let note = invalid.take(note).flatten();
        invalid.or(json!({"address": address, "note": note}))
    }
}
