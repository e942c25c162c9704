//! The guest list as scanners take it with them.
//!
//! Invariant: it comes from the table's live object, which knows who is in already; scanners that
//! nobody vouches for get it sealed, each guest with their own code.
//! Failure: a table that allows no work without a connection gives it to nobody.

pub mod http;
mod wire;

use serde_json::json;
use uuid::Uuid;

use super::ask;
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::object::ObjectAnswer;
use crate::platform::scope::Scope;
use wire::RosterQuery;

/// A page of the list, or what changed since a position. `known` is the position the asker has.
pub async fn get(
    ctx: &Ctx,
    scope: &Scope,
    table: Uuid,
    query: &RosterQuery,
    known: Option<&str>,
) -> Result<ObjectAnswer> {
    let input = json!({
        "since": query.since, "after": query.after, "limit": query.limit()?,
        "sealed": query.sealed.unwrap_or(false), "known": known,
    });
    ask(ctx, scope, table, "roster", &input.to_string()).await
}
