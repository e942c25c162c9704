//! Templates that reports are written by.
//!
//! Invariant: a template belongs to its tenant, and stays while a report is written by it.
//! Failure: 409 for one that is in use, 422 with line and column for one that cannot be read.

pub mod http;
mod store;
mod wire;

use rules::page::Page;
use rules::report::config;
use rules::time::render;
use serde_json::json;
use uuid::Uuid;

use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::pg::Called;
use crate::platform::scope::Scope;
use wire::{Template, TemplateIn, TemplatePatch, TemplatesQuery};

/// Adds a template.
pub async fn create(ctx: &Ctx, scope: &Scope, input: TemplateIn) -> Result<Called<Template>> {
    let mut new = input.check()?;
    new.insert("id".to_owned(), json!(ctx.new_id()));
    new.insert("most".to_owned(), json!(config::TEMPLATES));
    new.insert("now".to_owned(), render(ctx.now).into());
    ctx.pg.call_full(scope, &store::INSERT, &new.into()).await
}

/// Templates, newest first.
pub async fn list(ctx: &Ctx, scope: &Scope, query: &TemplatesQuery) -> Result<Page<Template>> {
    let limit = rules::page::limit(query.limit.as_deref())?;
    let filter = json!({
        "before": rules::page::decode::<Uuid>(query.cursor.as_deref())?,
        "limit": limit + 1,
    });
    let found = ctx.pg.call(scope, &store::LIST, &filter).await?;
    Ok(rules::page::cut(found, limit, |template| template.id))
}

/// One template.
pub async fn get(ctx: &Ctx, scope: &Scope, template: Uuid) -> Result<Template> {
    let which = json!({"id": template});
    ctx.pg.call(scope, &store::GET, &which).await
}

/// Changes what is given.
pub async fn update(
    ctx: &Ctx,
    scope: &Scope,
    template: Uuid,
    if_match: Option<i64>,
    input: TemplatePatch,
) -> Result<Called<Template>> {
    let mut change = input.check()?;
    change.insert("id".to_owned(), json!(template));
    change.insert("if_match".to_owned(), json!(if_match));
    change.insert("now".to_owned(), render(ctx.now).into());
    ctx.pg
        .call_full(scope, &store::UPDATE, &change.into())
        .await
}

/// Removes a template that no report is written by.
pub async fn delete(ctx: &Ctx, scope: &Scope, template: Uuid, if_match: Option<i64>) -> Result<()> {
    let which = json!({"id": template, "if_match": if_match});
    ctx.pg.call(scope, &store::DELETE, &which).await.map(drop)
}
