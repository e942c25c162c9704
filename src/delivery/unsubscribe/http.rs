//! Routes of unsubscribing: decode, call, render.
//!
//! Invariant: GET changes nothing; POST asks for no credential, because the link is one.
//! Failure: 404 for a link that is none.

use super::page;
use crate::platform::boundary;
use crate::platform::http::{Access, Answer, Call, Route, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_look, look => Access::Public;
        __path_act, act => Access::Public;
    ]
}

/// A page that asks whether to unsubscribe. It changes nothing.
#[utoipa::path(get, path = "/api/unsubscribe/{token}", operation_id = "show_unsubscribe",
    params(("token" = String, Path)),
    responses((status = 200, body = String, content_type = "text/html")))]
async fn look(call: Call<'_>) -> Answer {
    Ok(page::question(
        &super::look(call.ctx, call.part("token")).await?,
    ))
}

/// Unsubscribes, as a mail program does with one click (RFC 8058) and the page with its button. The
/// body is not looked at.
#[utoipa::path(post, path = "/api/unsubscribe/{token}", operation_id = "unsubscribe",
    params(("token" = String, Path)),
    responses((status = 200, body = String, content_type = "text/html")))]
async fn act(call: Call<'_>) -> Answer {
    // A body that nobody reads may cost the caller the answer.
    let _ = boundary::drain(call.request, 65_536.0).await;
    Ok(page::done(&super::act(call.ctx, call.part("token")).await?))
}
