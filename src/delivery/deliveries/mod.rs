//! Deliveries: what was sent to an endpoint, what came of it, and sending it again.
//!
//! Invariant: a delivery keeps its event id for ever, so a receiver that has seen it can drop it.
//! Failure: one that is being sent at this moment cannot be sent again: 409.

pub mod http;
mod store;
mod wire;

pub use wire::{Attempt, Delivery};

use rules::page::Page;
use serde_json::json;
use uuid::Uuid;

use super::announce;
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::pg::Called;
use crate::platform::scope::Scope;
use wire::{DeliveriesQuery, DeliveryDetail};

/// Deliveries to an endpoint, newest first.
pub async fn list(
    ctx: &Ctx,
    scope: &Scope,
    webhook: Uuid,
    query: &DeliveriesQuery,
) -> Result<Page<Delivery>> {
    let limit = rules::page::limit(query.limit.as_deref())?;
    let filter = json!({
        "webhook_id": webhook,
        "status": query.status,
        "event": query.event,
        "before": rules::page::decode::<Uuid>(query.cursor.as_deref())?,
        "limit": limit + 1,
    });
    let found = ctx.pg.call(scope, &store::LIST, &filter).await?;
    Ok(rules::page::cut(found, limit, |delivery| delivery.id))
}

/// One delivery with its attempts.
pub async fn get(ctx: &Ctx, scope: &Scope, delivery: Uuid) -> Result<DeliveryDetail> {
    ctx.pg
        .call(scope, &store::GET, &json!({"id": delivery}))
        .await
}

/// Sends a delivery again, now and with the whole schedule of retries, whatever came of it before.
pub async fn retry(ctx: &Ctx, scope: &Scope, delivery: Uuid) -> Result<Called<Delivery>> {
    let which = json!({"id": delivery});
    let done = ctx.pg.call_full(scope, &store::RETRY, &which).await?;
    announce(ctx, done.tenant).await;
    Ok(done)
}
