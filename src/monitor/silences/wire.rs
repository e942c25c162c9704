//! What comes in and goes out at silences.
//!
//! Invariant: what a silence may be is decided by `rules::alert::silence`.
//! Failure: 422 with the pointer of each field.

use rules::alert::silence::{Settings, Status};
use rules::patch::Patch;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A silence.
#[derive(Serialize, ToSchema)]
pub struct Silence {
    /// The silence.
    pub id: Uuid,
    /// What it is about, and when.
    pub settings: Settings,
    /// Where it stands.
    pub status: Option<Status>,
    /// Who made it.
    #[schema(required = true)]
    pub created_by: Option<Uuid>,
    /// For `If-Match`.
    pub version: i64,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// A silence as it is stored.
#[derive(Deserialize)]
pub(super) struct Stored {
    pub id: Uuid,
    pub settings: Settings,
    pub created_by: Option<Uuid>,
    pub version: i64,
    pub created_at: String,
    pub updated_at: String,
}

/// A page of silences.
#[derive(Serialize, ToSchema)]
pub struct Silences {
    /// Newest first.
    pub items: Vec<Silence>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Changes to a silence; what is absent stays.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SilencePatch {
    /// Why.
    #[schema(value_type = Option<String>)]
    pub comment: Patch<String>,
    /// When it ends, RFC 3339; `null` lets windows recur for ever.
    #[schema(value_type = Option<String>)]
    pub ends_at: Patch<String>,
}

/// Which silences.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SilencesQuery {
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}
