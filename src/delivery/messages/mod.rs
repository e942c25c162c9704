//! Messages: what products told people and services, to whom, by which channel, and what came of it.
//!
//! Products post with `app.post_message` in a transaction of their own and then call
//! [`super::announce`].
//! Invariant: each recipient has one delivery of a message for each channel, whatever happens to the
//! Worker in between.
//! Failure: what may have arrived and what certainly did not are told apart; the first is sent again
//! only by hand.

pub mod http;
mod letter;
mod outbox;
mod store;
mod wire;

pub use letter::{Alert, AlertStatus, Attachment, Content, Letter, OWNER, Severity};
pub use outbox::Messages;
pub use wire::Message;

use rules::page::Page;
use serde_json::json;
use uuid::Uuid;

use super::announce;
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::pg::Called;
use crate::platform::scope::Scope;
use wire::{MessageDetail, MessagesQuery};

/// Messages, newest first.
pub async fn list(ctx: &Ctx, scope: &Scope, query: &MessagesQuery) -> Result<Page<Message>> {
    let limit = rules::page::limit(query.limit.as_deref())?;
    let mut filter = serde_json::to_value(query)?;
    if let Some(fields) = filter.as_object_mut() {
        let before = rules::page::decode::<Uuid>(query.cursor.as_deref())?;
        fields.insert("before".to_owned(), json!(before));
        fields.insert("limit".to_owned(), json!(limit + 1));
    }
    let found = ctx.pg.call(scope, &store::LIST, &filter).await?;
    Ok(rules::page::cut(found, limit, |message| message.id))
}

/// One message with its attempts.
pub async fn get(ctx: &Ctx, scope: &Scope, message: Uuid) -> Result<MessageDetail> {
    let which = json!({"id": message});
    ctx.pg.call(scope, &store::GET, &which).await
}

/// What was posted.
pub async fn content(ctx: &Ctx, scope: &Scope, message: Uuid) -> Result<Content> {
    let which = json!({"id": message});
    ctx.pg.call(scope, &store::CONTENT, &which).await
}

/// Sends again what failed or may not have arrived, now and with the whole schedule of retries.
pub async fn retry(ctx: &Ctx, scope: &Scope, message: Uuid) -> Result<Called<Message>> {
    let which = json!({"id": message});
    let done = ctx.pg.call_full(scope, &store::RETRY, &which).await?;
    announce(ctx, done.tenant).await;
    Ok(done)
}
