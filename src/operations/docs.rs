//! The API document and its viewer.
//!
//! Invariant: the document is made from the route table that answers the calls.
//! Failure: a table that cannot be built is 500, as it would be for every call.

use std::cell::OnceCell;

use super::pages;
use crate::platform::error::Error;
use crate::platform::http::{Access, Answer, Body, Call, Reply, Route, document, routes};

thread_local! {
    static DOCUMENT: OnceCell<Result<String, String>> = const { OnceCell::new() };
}

/// The document as JSON text; made once in an isolate.
fn text() -> Result<String, String> {
    DOCUMENT.with(|cell| {
        cell.get_or_init(|| {
            let routes = crate::routes::table()?;
            document(&routes)
                .to_json()
                .map_err(|error| error.to_string())
        })
        .clone()
    })
}

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_get_document, get_document => Access::Public;
        __path_get_docs, get_docs => Access::Public;
    ]
}

/// The API as an OpenAPI 3.1 document.
#[utoipa::path(get, path = "/openapi.json", operation_id = "get_document",
    responses((status = 200, body = Object)))]
async fn get_document(_call: Call<'_>) -> Answer {
    let text = text().map_err(Error::internal)?;
    Ok(Reply::new(200, Body::Json(text)).header("cache-control", "no-cache"))
}

/// The API, to read and try.
#[utoipa::path(get, path = "/docs", operation_id = "get_docs",
    responses((status = 200, body = String, content_type = "text/html")))]
async fn get_docs(call: Call<'_>) -> Answer {
    pages::serve(&call, "docs.html").await
}
