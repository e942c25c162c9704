//! SQL of the monitor's upkeep.
//!
//! Invariant: it works across tenants, through functions with fixed text and narrow answers.
//! Failure: what one tick does not get done, the next one finds.

use serde_json::Value;

use super::Swept;
use crate::platform::pg::Function;

/// Deletes results that have outlived their use; answers how many.
pub const SWEEP: Function<Value, Swept> =
    Function::new("select app.sweep_monitor($1::text::jsonb)::text");
