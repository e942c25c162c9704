//! Routes of templates of reports: decode, call, render.
//!
//! Invariant: nothing is decided here.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::wire::{Template, TemplateIn, TemplatePatch, Templates, TemplatesQuery};
use crate::platform::http::{Access, Answer, Call, Route, created, json, no_content, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_create, create => Access::May(Verb::Create, Resource::ReportTemplate);
        __path_list, list => Access::May(Verb::Read, Resource::ReportTemplate);
        __path_get, get => Access::May(Verb::Read, Resource::ReportTemplate);
        __path_update, update => Access::May(Verb::Write, Resource::ReportTemplate);
        __path_delete, delete => Access::May(Verb::Delete, Resource::ReportTemplate);
    ]
}

/// Adds a template.
#[utoipa::path(post, path = "/api/pulse-templates", operation_id = "create_report_template",
    request_body = TemplateIn, responses((status = 201, body = Template)))]
async fn create(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<TemplateIn>().await?;
    let done = super::create(call.ctx, &scope, input).await?;
    Ok(created(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Lists templates.
#[utoipa::path(get, path = "/api/pulse-templates", operation_id = "list_report_templates",
    params(TemplatesQuery), responses((status = 200, body = Templates)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope, &call.query()?).await?)
}

/// One template.
#[utoipa::path(get, path = "/api/pulse-templates/{id}", operation_id = "get_report_template",
    params(("id" = Uuid, Path)), responses((status = 200, body = Template)))]
async fn get(call: Call<'_>) -> Answer {
    let template = super::get(call.ctx, &call.scope().await?, call.id("id")?).await?;
    Ok(json(&template)?.version(template.version))
}

/// Changes what is given of a template; runs that begin from then on are written by it.
#[utoipa::path(put, path = "/api/pulse-templates/{id}", operation_id = "update_report_template",
    params(("id" = Uuid, Path)), request_body = TemplatePatch,
    responses((status = 200, body = Template)))]
async fn update(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<TemplatePatch>().await?;
    let (id, if_match) = (call.id("id")?, call.if_match()?);
    let done = super::update(call.ctx, &scope, id, if_match, input).await?;
    Ok(json(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Removes a template that no report is written by.
#[utoipa::path(delete, path = "/api/pulse-templates/{id}",
    operation_id = "delete_report_template", params(("id" = Uuid, Path)),
    responses((status = 204)))]
async fn delete(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    super::delete(call.ctx, &scope, call.id("id")?, call.if_match()?).await?;
    no_content()
}
