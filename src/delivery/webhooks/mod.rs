//! Webhooks: endpoints of a tenant that are told what happens, signed as Standard Webhooks says.
//!
//! Invariant: a secret is shown when it is made and never again; at rest it is sealed for its row.
//! After a rotation the secret before signs too, for a day.
//! Failure: 422 for an address that may not be called; an endpoint that is gone or failed for five
//! days is disabled and says why.

mod channel;
pub mod http;
mod store;
mod wire;

pub use channel::Events;

use rules::delivery::signature;
use rules::page::Page;
use serde_json::json;
use uuid::Uuid;

use super::announce;
use super::deliveries::Delivery;
use crate::platform::crypto::DataKeys;
use crate::platform::ctx::{Ctx, random};
use crate::platform::error::{Error, Result};
use crate::platform::pg::Called;
use crate::platform::scope::Scope;
use store::{Endpoint, Made, NewSecret};
use wire::{WebhookIn, WebhookPatch, WebhooksQuery};

/// Adds an endpoint; the answer holds its secret, this once.
pub async fn create(ctx: &Ctx, scope: &Scope, input: WebhookIn) -> Result<Called<Endpoint>> {
    let mut new = input.check(ctx)?;
    let id = ctx.new_id();
    if let Some(fields) = new.as_object_mut() {
        fields.insert("id".to_owned(), json!(id));
        fields.insert("secret".to_owned(), sealed(ctx, id)?.into());
    }
    opened(ctx, ctx.pg.call_full(scope, &store::INSERT, &new).await?)
}

/// Endpoints, newest first.
pub async fn list(ctx: &Ctx, scope: &Scope, query: &WebhooksQuery) -> Result<Page<Endpoint>> {
    let limit = rules::page::limit(query.limit.as_deref())?;
    let filter = json!({
        "before": rules::page::decode::<Uuid>(query.cursor.as_deref())?,
        "limit": limit + 1,
    });
    let found = ctx.pg.call(scope, &store::LIST, &filter).await?;
    Ok(rules::page::cut(found, limit, |endpoint| endpoint.id))
}

/// One endpoint.
pub async fn get(ctx: &Ctx, scope: &Scope, webhook: Uuid) -> Result<Endpoint> {
    ctx.pg
        .call(scope, &store::GET, &json!({"id": webhook}))
        .await
}

/// Changes an endpoint. Enabling it forgets that it failed; disabling it ends what waits for it.
pub async fn patch(
    ctx: &Ctx,
    scope: &Scope,
    webhook: Uuid,
    if_match: Option<i64>,
    input: WebhookPatch,
) -> Result<Called<Endpoint>> {
    let mut change = input.check(ctx)?;
    change.insert("id".to_owned(), json!(webhook));
    change.insert("if_match".to_owned(), json!(if_match));
    ctx.pg.call_full(scope, &store::PATCH, &change.into()).await
}

/// Removes an endpoint, with its deliveries.
pub async fn delete(ctx: &Ctx, scope: &Scope, webhook: Uuid, if_match: Option<i64>) -> Result<()> {
    let which = json!({"id": webhook, "if_match": if_match});
    ctx.pg.call(scope, &store::DELETE, &which).await.map(drop)
}

/// Gives an endpoint another secret, shown this once.
pub async fn rotate(
    ctx: &Ctx,
    scope: &Scope,
    webhook: Uuid,
    if_match: Option<i64>,
) -> Result<Called<Endpoint>> {
    let new = NewSecret {
        id: webhook,
        secret: sealed(ctx, webhook)?,
        if_match,
    };
    opened(ctx, ctx.pg.call_full(scope, &store::ROTATE, &new).await?)
}

/// Sends a `ping`, as any event is sent.
pub async fn test(ctx: &Ctx, scope: &Scope, webhook: Uuid) -> Result<Called<Delivery>> {
    let new = json!({"id": ctx.new_id(), "webhook_id": webhook});
    let done = ctx.pg.call_full(scope, &store::TEST, &new).await?;
    announce(ctx, done.tenant).await;
    Ok(done)
}

/// A new secret, sealed for the endpoint.
fn sealed(ctx: &Ctx, webhook: Uuid) -> Result<String> {
    let secret = signature::secret(random::<32>());
    DataKeys::parse(&ctx.config.data_keys)?.seal(&owner(webhook), secret.as_bytes())
}

/// Opens a sealed secret of the endpoint.
fn open(ctx: &Ctx, webhook: Uuid, sealed: &str) -> Result<String> {
    let secret = DataKeys::parse(&ctx.config.data_keys)?.open(&owner(webhook), sealed)?;
    String::from_utf8(secret).map_err(|_| Error::internal("a webhook's secret is no text"))
}

/// What a secret is sealed for. The row's id is enough: it belongs to one tenant for good.
fn owner(webhook: Uuid) -> String {
    format!("webhook_endpoints/{webhook}/secret")
}

/// Shows the secret that was stored: to a repeated request, that of the first.
fn opened(ctx: &Ctx, done: Called<Made>) -> Result<Called<Endpoint>> {
    let Made {
        mut webhook,
        secret,
    } = done.result;
    webhook.secret = Some(open(ctx, webhook.id, &secret)?);
    Ok(Called {
        result: webhook,
        role: done.role,
        actor: done.actor,
        tenant: done.tenant,
        replayed: done.replayed,
    })
}
