//! SQL of the outboxes.
//!
//! Invariant: claiming and settling run as the Worker's own job for one tenant; what crosses tenants
//! answers their ids only.
//! Failure: a settlement under an older fence changes nothing and is not counted.

use chrono::{DateTime, Utc};
use rules::budget::Budget;
use rules::delivery::settle::Health;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::platform::pg::Function;

/// What came of a claim.
#[derive(Serialize)]
pub struct Settled {
    /// The row.
    pub id: Uuid,
    /// Which claim.
    pub fence: i64,
    /// Where the row stands now.
    pub outcome: &'static str,
    /// When it is sent again, if it is; milliseconds.
    pub after_ms: Option<u64>,
    /// What it says of the endpoint.
    pub health: Health,
    /// How long the endpoint wants to be left alone; milliseconds.
    pub pause_ms: Option<u64>,
    /// When the attempt began.
    #[serde(with = "rules::time::ms")]
    pub at: DateTime<Utc>,
    /// How long it took.
    pub duration_ms: i64,
    /// The status that was answered.
    pub status: Option<u16>,
    /// How the answer begins.
    pub answer: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
    /// Whether it may have arrived without our knowing.
    pub unclear: bool,
    /// Whether there is no such recipient.
    pub bounced: bool,
    /// What the provider calls it.
    pub provider_id: Option<String>,
}

/// Settles, then claims.
#[derive(Serialize)]
pub struct Take {
    /// What was sent.
    pub results: Vec<Settled>,
    /// How many to claim.
    pub free: usize,
    /// How many bytes of content to claim.
    pub free_bytes: usize,
    /// At most so many at once for an endpoint.
    pub per_endpoint: usize,
    /// The same for one whose last attempt failed.
    pub per_failing: usize,
    /// How long a claim holds.
    pub lease_ms: u64,
    /// After failing this long an endpoint is disabled.
    pub give_up_ms: u64,
    /// How many retries there are.
    pub most_steps: usize,
    /// What the deployment's own channel is.
    pub default_kind: &'static str,
    /// How many mails a day may go out by it.
    pub mail_budget: Budget,
}

/// What was claimed.
#[derive(Deserialize)]
pub struct Taken<C> {
    /// To be sent, in this order.
    pub claimed: Vec<C>,
    /// Whether something due was left.
    pub more: bool,
}

/// Tenants with something due that nobody is sending.
pub const WAITING: Function<Value, Vec<Uuid>> =
    Function::new("select app.waiting_deliveries($1::text::jsonb)::text");

/// Deletes what is old.
pub const SWEEP: Function<Value, Value> =
    Function::new("select app.sweep_deliveries($1::text::jsonb)::text");
