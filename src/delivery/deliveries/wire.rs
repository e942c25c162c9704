//! What goes out at deliveries, and how lists are asked for.
//!
//! Invariant: nothing of a body is shown here but what its endpoint answered.
//! Failure: see the problems of the API document.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// An event on its way to an endpoint.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct Delivery {
    /// The delivery.
    pub id: Uuid,
    /// The webhook.
    pub webhook_id: Uuid,
    /// Names the event to the receiver (`webhook-id`), the same with every attempt.
    pub event_id: String,
    /// The type of the event.
    pub event: String,
    /// The check-in table it is about.
    #[schema(required = true)]
    pub table_id: Option<Uuid>,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub attempt_count: i64,
    /// When it is tried next, RFC 3339.
    #[schema(required = true)]
    pub next_attempt_at: Option<String>,
    /// What the last attempt was answered, an HTTP status.
    #[schema(required = true)]
    pub last_status: Option<u16>,
    /// Why it was not answered, a stable code.
    #[schema(required = true)]
    pub last_error: Option<String>,
    /// When it was delivered or given up, RFC 3339.
    #[schema(required = true)]
    pub settled_at: Option<String>,
    /// RFC 3339.
    pub created_at: String,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// It will be sent, or sent again.
    Pending,
    /// The receiver took it.
    Delivered,
    /// It was given up.
    Failed,
}

/// A delivery with every attempt.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct DeliveryDetail {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// Oldest first.
    pub attempts: Vec<Attempt>,
}

/// One attempt.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct Attempt {
    /// From 1.
    pub number: i64,
    /// When it began, RFC 3339.
    pub at: String,
    /// How long it took.
    pub duration_ms: i64,
    /// HTTP status of the answer.
    #[schema(required = true)]
    pub status: Option<u16>,
    /// How the answer begins: at most 1,024 bytes.
    #[schema(required = true)]
    pub answer: Option<String>,
    /// Why there was none: `peer_timeout`, `peer_unavailable`, or what the address was refused for.
    #[schema(required = true)]
    pub error: Option<String>,
}

/// A page of deliveries.
#[derive(Serialize, ToSchema)]
pub struct Deliveries {
    /// Newest first.
    pub items: Vec<Delivery>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Which deliveries.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveriesQuery {
    /// Those that stand there.
    pub status: Option<DeliveryStatus>,
    /// Of this type.
    pub event: Option<String>,
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}
