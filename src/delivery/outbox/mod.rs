//! The outbox: e-mail that is kept here instead of being sent, to be read.
//!
//! Invariant: what is shown is what a mail server would have got: the same bytes. The recipient's
//! link, which anybody could press, is among them for those only who manage the tenant's messages.
//! Failure: a message that went elsewhere, or is yet to be sent, is not in it: 404.

pub mod http;
mod store;
mod wire;

use rules::delivery::unsubscribe::PLACEHOLDER;
use rules::page::Page;
use serde_json::json;
use uuid::Uuid;

use super::messages;
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::scope::Scope;
use store::Found;
use wire::{Kept, KeptDetail, KeptFile, OutboxQuery};

/// What is kept, newest first.
pub async fn list(ctx: &Ctx, scope: &Scope, query: &OutboxQuery) -> Result<Page<Kept>> {
    let limit = rules::page::limit(query.limit.as_deref())?;
    let filter = json!({
        "recipient": query.recipient,
        "before": rules::page::decode::<Uuid>(query.cursor.as_deref())?,
        "limit": limit + 1,
    });
    let found = ctx.pg.call(scope, &store::LIST, &filter).await?;
    Ok(rules::page::cut(found, limit, |kept| kept.id))
}

/// One message as its recipient would have it.
pub async fn get(ctx: &Ctx, scope: &Scope, kept: Uuid) -> Result<KeptDetail> {
    let which = json!({"id": kept});
    let Found { kept, manages } = ctx.pg.call(scope, &store::GET, &which).await?;
    let content = messages::content(ctx, scope, kept.message_id).await?;
    let unsubscribe = content.unsubscribe(ctx, &kept.recipient)?;
    let linked = unsubscribe.is_some();
    let shown = unsubscribe.filter(|_| manages);
    let (html, text) = match (&shown, linked) {
        (None, true) => content.bodies(Some(PLACEHOLDER)),
        (link, _) => content.bodies(link.as_deref()),
    };
    let files = content.attachments.into_iter();
    Ok(KeptDetail {
        html,
        text,
        unsubscribe_url: shown,
        attachments: files
            .map(|file| KeptFile {
                name: file.name,
                content_type: file.content_type,
                content_id: file.content_id,
                content: file.content,
            })
            .collect(),
        kept,
    })
}
