//! Scanner sessions: who stands at which gate with which device.
//!
//! Invariant: a session belongs to one table; its device token is shown once and works only while
//! the session is active. The live object knows the sessions and answers a closed one at once.
//! Failure: a change that did not reach the object is picked up by the minute sweep.

pub mod http;
mod pairing;
mod store;
mod wire;

use futures_util::future::join_all;
use rules::page::Page;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Followed, Home, changed};
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::scope::{Jurisdiction, Scope};
use crate::platform::token::{self, DeviceToken};
pub use pairing::{exchange, report, revoke, roll, start};
use store::Changed;
use wire::{SessionIn, SessionPatch, SessionsQuery};

/// Creates a session; the answer holds its device token, this once.
pub async fn create(ctx: &Ctx, scope: &Scope, input: SessionIn) -> Result<Value> {
    let new = input.check(ctx.new_id())?;
    let done = ctx.pg.call_full(scope, &store::INSERT, &new).await?;
    with_token(ctx, done.tenant, done.result).await
}

/// The session with its device token. The live object hears of it first, so that the token works
/// when it arrives.
async fn with_token(ctx: &Ctx, tenant: Uuid, done: Followed<Value>) -> Result<Value> {
    let (mut session, home) = (done.it, done.live.unwrap_or_default());
    let token = mint(ctx, tenant, home.jurisdiction, &session)?;
    if let Some(fields) = session.as_object_mut() {
        fields.insert("token".to_owned(), token.into());
    }
    tell(ctx, tenant, &session, &[], &home).await;
    Ok(session)
}

/// Tells the live objects of all the session's tables, and of `more`.
async fn tell(ctx: &Ctx, tenant: Uuid, session: &Value, more: &[Uuid], home: &Home) {
    let also = session.get("also").and_then(Value::as_array);
    let also = also.into_iter().flatten().filter_map(Value::as_str);
    let mut tables: Vec<Uuid> = also.filter_map(|id| id.parse().ok()).collect();
    tables.extend(more);
    tables.push(id_of(session, "table_id"));
    tables.sort_unstable();
    tables.dedup();
    let told = tables
        .iter()
        .map(|table| changed(ctx, tenant, *table, Some(home)));
    join_all(told).await;
}

/// The device token of a session's generation.
fn mint(ctx: &Ctx, tenant: Uuid, jurisdiction: Jurisdiction, session: &Value) -> Result<String> {
    let generation = session.get("generation").and_then(Value::as_u64);
    token::mint_device(
        ctx,
        &DeviceToken {
            session: id_of(session, "id"),
            tenant,
            table: id_of(session, "table_id"),
            profile: text_of(session, "profile"),
            generation: generation
                .and_then(|generation| u32::try_from(generation).ok())
                .ok_or_else(|| Error::internal("a session without a generation"))?,
            jurisdiction,
        },
    )
}

/// Sessions of the tenant, newest first.
pub async fn list(ctx: &Ctx, scope: &Scope, query: &SessionsQuery) -> Result<Page<Value>> {
    let limit = rules::page::limit(query.limit.as_deref())?;
    let filter = json!({
        "table_id": query.table_id,
        "active": query.active,
        "before": rules::page::decode::<Uuid>(query.cursor.as_deref())?,
        "limit": limit + 1,
    });
    let found = ctx.pg.call(scope, &store::LIST, &filter).await?;
    Ok(rules::page::cut(found, limit, |session| {
        id_of(session, "id")
    }))
}

/// Changes a session. Closing it (`is_active: false`) shuts its device out at once.
pub async fn patch(
    ctx: &Ctx,
    scope: &Scope,
    session: Uuid,
    if_match: Option<i64>,
    input: SessionPatch,
) -> Result<Value> {
    let mut change = input.check()?;
    if let Some(fields) = change.as_object_mut() {
        fields.insert("id".to_owned(), json!(session));
        fields.insert("if_match".to_owned(), json!(if_match));
    }
    let done = ctx.pg.call_full(scope, &store::PATCH, &change).await?;
    let Changed { session, told } = done.result.it;
    let home = done.result.live.unwrap_or_default();
    tell(ctx, done.tenant, &session, &told, &home).await;
    Ok(session)
}

fn text_of(value: &Value, field: &str) -> String {
    value
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn id_of(value: &Value, field: &str) -> Uuid {
    value
        .get(field)
        .and_then(Value::as_str)
        .and_then(|id| id.parse().ok())
        .unwrap_or_default()
}
