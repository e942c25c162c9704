//! SQL of providers' reports.
//!
//! Invariant: runs as the Worker's own job for the channel's tenant.
//! Failure: a report of a message that is no longer on record still suppresses its address.

use serde::Deserialize;
use serde_json::Value;

use crate::platform::pg::Statement;

/// What was noted.
#[derive(Deserialize)]
pub struct Noted {}

/// Notes what was reported.
pub const NOTE: Statement<Value, Noted> = Statement::new("select app.note_message_events($1)");
