//! Badges: what the labels of a table look like, and the label of one guest.
//!
//! Invariant: a template is checked before it is stored; a label is drawn by the table's live object
//! with what it holds, so that printing goes on while Postgres is away.
//! Failure: a template that reached Postgres but not the live object is picked up by the minute sweep.

pub mod http;
mod store;

use rules::checkin::badge::{self, Template};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{ask, changed};
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::object::ObjectAnswer;
use crate::platform::scope::Scope;

/// A template as the store answers it, with the version of the table's configuration.
#[derive(Deserialize)]
pub struct Stored {
    #[serde(default, deserialize_with = "badge::stored")]
    badge_template: Option<Template>,
    version: i64,
}

/// A change of a template.
#[derive(Serialize)]
pub struct Change {
    table_id: Uuid,
    badge_template: Option<Template>,
    if_match: Option<i64>,
}

/// The template of a table and the version of its configuration.
pub async fn get(ctx: &Ctx, scope: &Scope, table: Uuid) -> Result<(Template, i64)> {
    let which = json!({"table_id": table});
    Ok(shown(ctx.pg.call(scope, &store::GET, &which).await?))
}

/// Replaces the template of a table; none puts the default back.
pub async fn put(
    ctx: &Ctx,
    scope: &Scope,
    table_id: Uuid,
    if_match: Option<i64>,
    template: Option<Template>,
) -> Result<(Template, i64)> {
    let change = Change {
        table_id,
        badge_template: template.map(Template::check).transpose()?,
        if_match,
    };
    let done = ctx.pg.call_full(scope, &store::PUT, &change).await?;
    changed(ctx, done.tenant, table_id, done.result.live.as_ref()).await;
    Ok(shown(done.result.it))
}

/// The label of a check-in, as SVG.
pub async fn draw(ctx: &Ctx, scope: &Scope, table: Uuid, check_in: Uuid) -> Result<ObjectAnswer> {
    ask(ctx, scope, table, "badge", &check_in.to_string()).await
}

fn shown(stored: Stored) -> (Template, i64) {
    (stored.badge_template.unwrap_or_default(), stored.version)
}
