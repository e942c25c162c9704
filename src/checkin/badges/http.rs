//! Routes of badges: decode, call, render.
//!
//! Invariant: see the module.
//! Failure: see the problems of the API document.

use rules::checkin::badge::Template;
use rules::roles::{Resource, Verb};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::platform::http::{Access, Answer, Body, Call, Reply, Route, json, no_content, routes};

/// The content type of a label.
const SVG: &str = "image/svg+xml";

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_get, get => Access::May(Verb::Read, Resource::BadgeTemplate);
        __path_put, put => Access::May(Verb::Write, Resource::BadgeTemplate);
        __path_delete, delete => Access::May(Verb::Delete, Resource::BadgeTemplate);
        __path_draw, draw => Access::May(Verb::Read, Resource::Badge);
    ]
}

/// Whose label.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OfTable {
    /// The check-in table.
    table_id: Uuid,
}

/// What the labels of a table look like: its own template, or the default name card.
#[utoipa::path(get, path = "/pulse/{table_id}/badge-template", operation_id = "get_badge_template",
    params(("table_id" = Uuid, Path)), responses((status = 200, body = Template)))]
async fn get(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let (template, version) = super::get(call.ctx, &scope, call.id("table_id")?).await?;
    Ok(json(&template)?.version(version))
}

/// Replaces the template of a table. The `ETag` is that of the table's configuration.
#[utoipa::path(put, path = "/pulse/{table_id}/badge-template", operation_id = "put_badge_template",
    params(("table_id" = Uuid, Path)), request_body = Template,
    responses((status = 200, body = Template)))]
async fn put(call: Call<'_>) -> Answer {
    let (scope, template) = call.write::<Template>().await?;
    let (table, if_match) = (call.id("table_id")?, call.if_match()?);
    let (template, version) = super::put(call.ctx, &scope, table, if_match, Some(template)).await?;
    Ok(json(&template)?.version(version))
}

/// Puts the default template back.
#[utoipa::path(delete, path = "/pulse/{table_id}/badge-template",
    operation_id = "delete_badge_template", params(("table_id" = Uuid, Path)),
    responses((status = 204)))]
async fn delete(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    super::put(
        call.ctx,
        &scope,
        call.id("table_id")?,
        call.if_match()?,
        None,
    )
    .await?;
    no_content()
}

/// The label of a guest who was let in: an SVG in millimetres. For staff and the table's own
/// devices. 409 `not_an_admission` for a record that let nobody in.
#[utoipa::path(get, path = "/pulse/check-ins/{id}/badge.svg", operation_id = "get_badge",
    params(("id" = Uuid, Path), OfTable),
    responses((status = 200, body = String, content_type = "image/svg+xml")))]
async fn draw(call: Call<'_>) -> Answer {
    let (scope, of) = (call.scope().await?, call.query::<OfTable>()?);
    let label = super::draw(call.ctx, &scope, of.table_id, call.id("id")?).await?;
    Ok(Reply::new(200, Body::Text(SVG, label.body)))
}
