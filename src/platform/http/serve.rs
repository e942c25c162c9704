//! One request, from the runtime's event to its answer.
//!
//! Invariant: whatever a handler does, the caller gets a well-formed answer with a request id, and
//! a failure is logged once, here.
//! Failure: an answer that cannot be built is the runtime's plain 500.

use std::fmt::Write as _;
use std::rc::Rc;

use serde_json::json;
use worker::wasm_bindgen::JsValue;
use worker::{Env, web_sys};

use super::call::Call;
use super::problem::Problem;
use super::reply::{Answer, Body, Reply};
use super::route::{Found, Routes};
use crate::platform::boundary::{self, Head};
use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::error::Error;
use crate::platform::log::{self, Level};

/// A request that takes longer is logged as a warning.
const SLOW_MS: i64 = 1_000;
/// How much of a body nobody wanted is read all the same, in bytes, so that the caller gets the answer
/// and keeps its connection: what an ordinary call may send. A file that was taken as an upload is read
/// to the upload's own limit. Who sends more than that is cut off while still sending.
const UNREAD: f64 = 1_048_576.0;
const PROBLEM: &str = "application/problem+json";
const JSON: &str = "application/json";
const EXPOSED: &str = "x-request-id, server-timing, etag, retry-after, idempotent-replayed";
const ALLOWED: &str = "authorization, content-type, idempotency-key, if-match, if-none-match, \
                       x-request-id, x-tenant-id";

/// Answers one request.
pub async fn serve(
    routes: &Routes,
    request: web_sys::Request,
    env: Env,
    context: worker::Context,
) -> worker::Result<web_sys::Response> {
    let head = Head::of(&request);
    let mut ctx = Ctx::new(env, own_id(&head.request_id), Some(Rc::new(context)));
    let began = ctx.now;
    if ctx.config.test_clock
        && let Ok(moved) = chrono::DateTime::parse_from_rfc3339(&head.test_now)
    {
        ctx.now = moved.to_utc();
    }
    let (path, query) = head.path_and_query();
    let (route, answer) = match routes.find(&head.method, path) {
        _ if head.method == "OPTIONS" && !head.preflight_method.is_empty() => ("", preflight()),
        Found::Route(route, params) => {
            let call = Call::new(&ctx, &head, &request, path, query, route.access, params);
            (route.path.as_str(), (route.handler)(call).await)
        }
        Found::Methods(allow) => ("", method_not_allowed(&allow)),
        Found::Nothing => ("", Err(Error::not_found())),
    };
    if !matches!(head.method.as_str(), "GET" | "HEAD") {
        // Whoever sent one that is not wanted is answered all the same; one that breaks off has nobody
        // left to answer.
        let _ = boundary::drain(&request, UNREAD).await;
    }
    let status = match &answer {
        Ok(reply) => reply.status,
        Err(error) => error.status,
    };
    let took = (clock::now() - began).num_milliseconds();
    log_request(
        &ctx,
        &head.method,
        route,
        status,
        took,
        answer.as_ref().err(),
    );
    respond(&ctx, &head, took, answer)
}

/// A request id a caller sent is taken over when it is short and plain.
fn own_id(sent: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (!sent.is_empty() && sent.len() <= 128 && sent.chars().all(plain)).then(|| sent.to_owned())
}

fn preflight() -> Answer {
    Ok(Reply::new(204, Body::Empty)
        .header(
            "access-control-allow-methods",
            "GET, POST, PUT, PATCH, DELETE",
        )
        .header("access-control-allow-headers", ALLOWED)
        .header("access-control-max-age", "600"))
}

fn method_not_allowed(allow: &str) -> Answer {
    let mut error = Error::new(
        405,
        "method_not_allowed",
        format!("This path answers {allow}."),
    );
    error.context = Some(allow.to_owned());
    Err(error)
}

fn log_request(
    ctx: &Ctx,
    method: &str,
    route: &str,
    status: u16,
    took: i64,
    error: Option<&Error>,
) {
    let level = match status {
        500..=502 | 504.. => Level::Error,
        503 => Level::Warn,
        _ if took > SLOW_MS => Level::Warn,
        _ => Level::Info,
    };
    if !ctx.config.logs(level) {
        return;
    }
    log::write(
        level,
        "request",
        &[
            ("request.id", json!(ctx.request_id)),
            ("http.method", json!(method)),
            ("http.route", json!(route)),
            ("http.status", json!(status)),
            ("duration_ms", json!(took)),
            ("pg", json!(ctx.pg.timing())),
            ("code", json!(error.map(|e| &e.code))),
            (
                "context",
                json!(
                    error
                        .filter(|e| e.status >= 500)
                        .and_then(|e| e.context.as_ref())
                ),
            ),
        ],
    );
}

fn respond(ctx: &Ctx, head: &Head, took: i64, answer: Answer) -> worker::Result<web_sys::Response> {
    let mut timing = ctx.pg.timing().map_or_else(String::new, |pg| pg + ", ");
    let _ = write!(timing, "total;dur={took}");
    let allowed = ctx
        .config
        .cors_origins
        .iter()
        .any(|o| o == "*" || *o == head.origin);
    let reply = answer.unwrap_or_else(|error| problem(ctx, &error));
    let plain = reply.headers.is_empty() && (head.origin.is_empty() || !allowed);
    if plain
        && head.method != "HEAD"
        && let Body::Json(body) = &reply.body
    {
        return Ok(boundary::respond_json(
            reply.status,
            JSON,
            &ctx.request_id,
            &timing,
            body,
        )?);
    }
    let (content_type, body) = match reply.body {
        Body::Raw(response) => return Ok(response),
        Body::Empty => ("", JsValue::NULL),
        Body::Json(text) if reply.status >= 400 => (PROBLEM, text.into()),
        Body::Json(text) => (JSON, text.into()),
        Body::Text(kind, text) => (kind, text.into()),
        Body::Stream(kind, stream) => (kind, stream.into()),
    };
    let mut headers = String::with_capacity(512);
    let mut add = |name: &str, value: &str| {
        let _ = writeln!(headers, "{name}\n{}", value.replace(['\r', '\n'], " "));
    };
    if !content_type.is_empty() {
        add("content-type", content_type);
    }
    add("x-request-id", &ctx.request_id);
    add("server-timing", &timing);
    add("x-content-type-options", "nosniff");
    add("referrer-policy", "no-referrer");
    add(
        "strict-transport-security",
        "max-age=31536000; includeSubDomains",
    );
    let own = |name: &str| reply.headers.iter().any(|(n, _)| *n == name);
    if !own("content-security-policy") {
        add(
            "content-security-policy",
            "default-src 'none'; frame-ancestors 'none'",
        );
    }
    if !own("cache-control") {
        add("cache-control", "no-store");
    }
    add("vary", "origin");
    if allowed && !head.origin.is_empty() {
        add("access-control-allow-origin", &head.origin);
        add("access-control-expose-headers", EXPOSED);
    }
    for (name, value) in &reply.headers {
        add(name, value);
    }
    let body = if head.method == "HEAD" {
        JsValue::NULL
    } else {
        body
    };
    Ok(boundary::respond(reply.status, headers.trim_end(), &body)?)
}

fn problem(ctx: &Ctx, error: &Error) -> Reply {
    let body = serde_json::to_string(&Problem::of(error, &ctx.request_id)).unwrap_or_default();
    let mut reply = Reply::new(error.status, Body::Json(body)).header("vary", "origin");
    if let Some(seconds) = error.retry_after {
        reply = reply.header("retry-after", seconds.to_string());
    }
    match error.status {
        401 => reply.header("www-authenticate", "Bearer"),
        405 => reply.header("allow", error.context.clone().unwrap_or_default()),
        _ => reply,
    }
}
