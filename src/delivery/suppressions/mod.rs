//! Suppressions: whom nothing is sent to, and why.
//!
//! Invariant: a bounce, a complaint or somebody here keeps everything from an address; whoever
//! unsubscribes keeps the messages of one topic from theirs.
//! Failure: none; an address that is suppressed again stays as it is.

pub mod http;
mod store;
mod wire;

use rules::delivery::unsubscribe::Subject;
use rules::page::Page;
use serde_json::json;
use uuid::Uuid;

use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::pg::Called;
use crate::platform::scope::Scope;
use wire::{Suppression, SuppressionIn, SuppressionsQuery};

/// Suppresses an address.
pub async fn create(
    ctx: &Ctx,
    scope: &Scope,
    input: &SuppressionIn,
) -> Result<Called<Suppression>> {
    let mut new = input.check()?;
    if let Some(fields) = new.as_object_mut() {
        fields.insert("id".to_owned(), json!(ctx.new_id()));
    }
    ctx.pg.call_full(scope, &store::INSERT, &new).await
}

/// Suppressions, newest first.
pub async fn list(
    ctx: &Ctx,
    scope: &Scope,
    query: &SuppressionsQuery,
) -> Result<Page<Suppression>> {
    let limit = rules::page::limit(query.limit.as_deref())?;
    let mut filter = serde_json::to_value(query)?;
    if let Some(fields) = filter.as_object_mut() {
        let before = rules::page::decode::<Uuid>(query.cursor.as_deref())?;
        fields.insert("before".to_owned(), json!(before));
        fields.insert("limit".to_owned(), json!(limit + 1));
    }
    let found = ctx.pg.call(scope, &store::LIST, &filter).await?;
    Ok(rules::page::cut(found, limit, |suppression| suppression.id))
}

/// Lets messages go to an address again.
pub async fn delete(ctx: &Ctx, scope: &Scope, suppression: Uuid) -> Result<()> {
    let which = json!({"id": suppression});
    ctx.pg.call(scope, &store::DELETE, &which).await.map(drop)
}

/// Unsubscribes whoever holds a link.
pub async fn unsubscribe(ctx: &Ctx, subject: &Subject) -> Result<()> {
    let which = json!({
        "address": subject.address, "topic_kind": subject.topic_kind, "topic_id": subject.topic,
    });
    let scope = Scope::system(subject.tenant);
    ctx.pg
        .call(&scope, &store::UNSUBSCRIBE, &which)
        .await
        .map(drop)
}

/// What the topic of a link was last called.
pub async fn topic(ctx: &Ctx, subject: &Subject) -> Result<Option<String>> {
    let which = json!({"topic_kind": subject.topic_kind, "topic_id": subject.topic});
    let scope = Scope::system(subject.tenant);
    ctx.pg.call(&scope, &store::TOPIC, &which).await
}
