//! Silences and maintenance windows: for a while nothing is told of what they match.
//!
//! Invariant: alerts go on and are recorded meanwhile; see `rules::alert::silence`.
//! Failure: 422 for what is not right; a silence works from the next run of a connection on, or the
//! next minute.

pub mod http;
mod store;
mod wire;

use chrono::{DateTime, Utc};
use rules::alert::silence::{self, Settings};
use rules::invalid::Invalid;
use rules::page::Page;
use serde_json::json;
use uuid::Uuid;

use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::pg::Called;
use crate::platform::scope::Scope;
use wire::{Silence, SilencePatch, SilencesQuery, Stored};

/// Adds a silence.
pub async fn create(ctx: &Ctx, scope: &Scope, input: Settings) -> Result<Called<Silence>> {
    let settings = silence::check(input, ctx.now)?;
    let new = json!({
        "id": ctx.new_id(), "settings": settings, "ends_at": settings.ends_at,
        "most": silence::PER_TENANT,
    });
    let made = ctx.pg.call_full(scope, &store::INSERT, &new).await?;
    made.try_map(|stored| Ok(shown(ctx, stored)))
}

/// Silences, newest first.
pub async fn list(ctx: &Ctx, scope: &Scope, query: &SilencesQuery) -> Result<Page<Silence>> {
    let limit = rules::page::limit(query.limit.as_deref())?;
    let filter = json!({
        "before": rules::page::decode::<Uuid>(query.cursor.as_deref())?,
        "limit": limit + 1,
    });
    let found = ctx.pg.call(scope, &store::LIST, &filter).await?;
    let found = found.into_iter().map(|stored| shown(ctx, stored));
    Ok(rules::page::cut(found.collect(), limit, |silence| {
        silence.id
    }))
}

/// One silence.
pub async fn get(ctx: &Ctx, scope: &Scope, silence: Uuid) -> Result<Silence> {
    let which = json!({"id": silence});
    Ok(shown(ctx, ctx.pg.call(scope, &store::GET, &which).await?))
}

/// Changes why and until when.
pub async fn patch(
    ctx: &Ctx,
    scope: &Scope,
    silence: Uuid,
    if_match: Option<i64>,
    input: SilencePatch,
) -> Result<Called<Silence>> {
    // What is read is nobody's answer: the key of a repeated request belongs to the write.
    let reading = Scope {
        idempotency: None,
        ..scope.clone()
    };
    let which = json!({"id": silence});
    let known = ctx.pg.call(&reading, &store::GET, &which).await?;
    let ends_at = input.ends_at.try_map(|text| time(&text))?;
    let settings = Settings {
        comment: input.comment.apply(known.settings.comment.clone()),
        ends_at: ends_at.apply(known.settings.ends_at),
        ..known.settings
    };
    let settings = silence::check(settings, ctx.now)?;
    let change = json!({
        "id": silence, "settings": settings, "ends_at": settings.ends_at,
        "if_match": if_match.unwrap_or(known.version),
    });
    let done = ctx.pg.call_full(scope, &store::PATCH, &change).await?;
    done.try_map(|stored| Ok(shown(ctx, stored)))
}

/// Ends and removes a silence.
pub async fn delete(ctx: &Ctx, scope: &Scope, silence: Uuid, if_match: Option<i64>) -> Result<()> {
    let which = json!({"id": silence, "if_match": if_match});
    ctx.pg.call(scope, &store::DELETE, &which).await.map(drop)
}

fn shown(ctx: &Ctx, stored: Stored) -> Silence {
    let inforce = silence::Silence::new(stored.id, stored.settings.clone()).ok();
    Silence {
        id: stored.id,
        status: inforce.map(|silence| silence.status(ctx.now)),
        settings: stored.settings,
        created_by: stored.created_by,
        version: stored.version,
        created_at: stored.created_at,
        updated_at: stored.updated_at,
    }
}

fn time(text: &str) -> core::result::Result<DateTime<Utc>, Invalid> {
    let read = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
    read.map_err(|_| {
        let message = "Must be a time such as 2026-05-01T00:00:00Z.";
        Invalid::one("/ends_at", "invalid_time", message)
    })
}
