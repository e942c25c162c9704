//! Routes of silences: decode, call, render.
//!
//! Invariant: nothing is decided here.
//! Failure: see the problems of the API document.

use rules::alert::silence::Settings;
use rules::roles::{Resource, Verb};

use super::wire::{Silence, SilencePatch, Silences, SilencesQuery};
use crate::platform::http::{Access, Answer, Call, Route, created, json, no_content, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_create, create => Access::May(Verb::Write, Resource::MonitorAlert);
        __path_list, list => Access::May(Verb::Read, Resource::MonitorAlert);
        __path_get, get => Access::May(Verb::Read, Resource::MonitorAlert);
        __path_patch, patch => Access::May(Verb::Write, Resource::MonitorAlert);
        __path_delete, delete => Access::May(Verb::Write, Resource::MonitorAlert);
    ]
}

/// Adds a silence, or with `cron` a maintenance window that recurs.
#[utoipa::path(post, path = "/api/silences", operation_id = "create_silence",
    request_body = Settings, responses((status = 201, body = Silence)))]
async fn create(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<Settings>().await?;
    let done = super::create(call.ctx, &scope, input).await?;
    Ok(created(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Lists silences, newest first.
#[utoipa::path(get, path = "/api/silences", operation_id = "list_silences",
    params(SilencesQuery), responses((status = 200, body = Silences)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope, &call.query()?).await?)
}

/// One silence.
#[utoipa::path(get, path = "/api/silences/{id}", operation_id = "get_silence",
    params(("id" = Uuid, Path)), responses((status = 200, body = Silence)))]
async fn get(call: Call<'_>) -> Answer {
    let silence = super::get(call.ctx, &call.scope().await?, call.id("id")?).await?;
    Ok(json(&silence)?.version(silence.version))
}

/// Changes why a silence is there, or until when.
#[utoipa::path(patch, path = "/api/silences/{id}", operation_id = "update_silence",
    params(("id" = Uuid, Path)), request_body = SilencePatch,
    responses((status = 200, body = Silence)))]
async fn patch(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<SilencePatch>().await?;
    let (id, if_match) = (call.id("id")?, call.if_match()?);
    let done = super::patch(call.ctx, &scope, id, if_match, input).await?;
    Ok(json(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Ends a silence. What still fires is told then.
#[utoipa::path(delete, path = "/api/silences/{id}", operation_id = "delete_silence",
    params(("id" = Uuid, Path)), responses((status = 204)))]
async fn delete(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    super::delete(call.ctx, &scope, call.id("id")?, call.if_match()?).await?;
    no_content()
}
