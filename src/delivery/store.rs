//! SQL of the outbox.
//!
//! Invariant: claiming and settling run as the Worker's own job for one tenant; what crosses tenants
//! answers their ids only.
//! Failure: a settlement under an older fence changes nothing and is not counted.

use chrono::{DateTime, Utc};
use rules::checkin::entry::Entry;
use rules::delivery::settle::{Health, Status};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::platform::pg::{Function, Statement};

/// How a message goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An HTTP request to an endpoint of the tenant.
    Webhook,
}

/// A message to send, held by a lease.
#[derive(Deserialize)]
pub struct Claimed {
    /// The delivery.
    pub id: Uuid,
    /// Which claim this is.
    pub fence: i64,
    /// Retries so far.
    pub step: usize,
    /// How it goes out.
    pub channel: Kind,
    /// Names the event to the receiver.
    pub event_id: String,
    /// The type of the event.
    pub event: String,
    /// The check-in table it is about.
    pub table_id: Option<Uuid>,
    /// The entry of that table's log which is the event.
    pub entry: Option<Entry>,
    /// The data of an event that is no entry of a log.
    pub payload: Option<Box<RawValue>>,
    /// When the delivery was made.
    #[serde(with = "rules::time::ms")]
    pub created_at: DateTime<Utc>,
    /// The endpoint.
    pub endpoint_id: Uuid,
    /// Its address.
    pub url: String,
    /// Its secret, sealed.
    pub secret: String,
    /// The secret before, sealed, while it signs too.
    pub previous_secret: Option<String>,
}

/// What came of a claim.
#[derive(Serialize)]
pub struct Settled {
    /// The delivery.
    pub id: Uuid,
    /// Which claim.
    pub fence: i64,
    /// The endpoint.
    pub endpoint_id: Uuid,
    /// Where the delivery stands now.
    pub outcome: Status,
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
    /// HTTP status.
    pub status: Option<u16>,
    /// How the answer begins.
    pub answer: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
}

/// Settles, then claims.
#[derive(Serialize)]
pub struct Take {
    /// What was sent.
    pub results: Vec<Settled>,
    /// How many to claim.
    pub free: usize,
    /// At most so many at once for an endpoint.
    pub per_endpoint: usize,
    /// The same for one whose last attempt failed.
    pub per_failing: usize,
    /// How long a claim holds.
    pub lease_ms: u64,
    /// After failing this long an endpoint is disabled.
    pub give_up_ms: u64,
}

/// What was claimed.
#[derive(Deserialize)]
pub struct Taken {
    /// To be sent, in this order.
    pub claimed: Vec<Claimed>,
    /// Whether something due was left.
    pub more: bool,
}

/// Settles what was sent and claims what is due.
pub const TAKE: Statement<Take, Taken> = Statement::new("select app.take_deliveries($1)");

/// Tenants with something due that nobody is sending.
pub const WAITING: Function<Value, Vec<Uuid>> =
    Function::new("select app.waiting_deliveries($1::text::jsonb)::text");

/// Deletes old deliveries.
pub const SWEEP: Function<Value, Value> =
    Function::new("select app.sweep_deliveries($1::text::jsonb)::text");
