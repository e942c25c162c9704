//! SQL of live objects: where they are.
//!
//! Invariant: the id of a table alone opens nothing; who asks is verified by the object.
//! Failure: a table that is not there answers null.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::places::Home;
use crate::platform::pg::Function;

/// Which table.
#[derive(Serialize)]
pub struct PlacementOf {
    /// The table.
    pub table_id: Uuid,
}

/// Where the object of a table is.
#[derive(Deserialize)]
pub struct Placement {
    /// The tenant.
    pub tenant_id: Uuid,
    /// Of the tenant.
    #[serde(flatten)]
    pub home: Home,
}

/// Where the object of a table is.
pub const PLACEMENT: Function<PlacementOf, Option<Placement>> =
    Function::new("select app.placement($1::text::jsonb)::text");
