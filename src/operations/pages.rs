//! The pages: static files of the deployment, served with the headers a page needs.
//!
//! Invariant: scripts, styles and connections come from this origin only, wasm included (its keyword
//! allows no script to be made of text); no page can be framed.
//! Failure: a page that the deployment does not have is 404.

use crate::platform::error::Error;
use crate::platform::http::{Access, Answer, Body, Call, Reply, Route, routes};

/// The binding of the static files.
const BINDING: &str = "ASSETS";
const HTML: &str = "text/html; charset=utf-8";
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
                      connect-src 'self' ws: wss:; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";
/// The viewer of the API document writes style attributes and carries its icons as data.
const VIEWER: &str = "; style-src 'self' 'unsafe-inline'; font-src 'self' data:";

/// Whether a browser navigates here, rather than a program calling the API.
pub fn wants_html(call: &Call<'_>) -> bool {
    call.head.authorization.is_empty() && call.head.accept.contains("text/html")
}

/// One of the pages of `web/public`, named with its extension.
pub async fn serve(call: &Call<'_>, file: &str) -> Answer {
    let assets = call.ctx.env.assets(BINDING)?;
    // The file server answers a page under its name without extension and redirects the other.
    let name = file.trim_end_matches(".html");
    let name = if name == "index" { "" } else { name };
    let mut page = assets
        .fetch(format!("https://assets.internal/{name}"), None)
        .await?;
    if page.status_code() != 200 {
        return Err(Error::not_found().because(format!("page {file}: {}", page.status_code())));
    }
    let policy = match file {
        "docs.html" => format!("{POLICY}{VIEWER}"),
        _ => POLICY.to_owned(),
    };
    Ok(Reply::new(200, Body::Text(HTML, page.text().await?))
        .header("content-security-policy", policy)
        .header(
            "permissions-policy",
            "camera=(self), microphone=(), geolocation=()",
        )
        .header("cache-control", "no-cache")
        // One address may be a page and an API resource.
        .header("vary", "accept, authorization, origin"))
}

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_get_home, get_home => Access::Public;
        __path_get_scanner, get_scanner => Access::Public;
        __path_get_badge_page, get_badge_page => Access::Public;
    ]
}

/// The front page: sign in, guest lists, import.
#[utoipa::path(get, path = "/", operation_id = "get_home",
    responses((status = 200, body = String, content_type = "text/html")))]
async fn get_home(call: Call<'_>) -> Answer {
    serve(&call, "index.html").await
}

/// The scanner page.
#[utoipa::path(get, path = "/pulse-scanner", operation_id = "get_scanner",
    responses((status = 200, body = String, content_type = "text/html")))]
async fn get_scanner(call: Call<'_>) -> Answer {
    serve(&call, "scanner.html").await
}

/// Prints badges: `/pulse-badge#table=<id>&check_in=<id>,<id>`.
#[utoipa::path(get, path = "/pulse-badge", operation_id = "get_badge_page",
    responses((status = 200, body = String, content_type = "text/html")))]
async fn get_badge_page(call: Call<'_>) -> Answer {
    serve(&call, "pulse-badge.html").await
}
