//! What a handler answers.
//!
//! Invariant: bodies are serialised once, here.
//! Failure: a body that does not serialise is a 500 with its reason in the log.

use serde::Serialize;
use worker::web_sys;

use crate::platform::error::Result;

/// What every handler returns.
pub type Answer = Result<Reply>;

/// The body of a reply.
pub enum Body {
    /// None.
    Empty,
    /// JSON text.
    Json(String),
    /// Other text, with its content type.
    Text(&'static str, String),
    /// Text that is produced while it is sent, with its content type.
    Stream(&'static str, web_sys::ReadableStream),
    /// A finished response: an upgrade, or a static file.
    Raw(web_sys::Response),
}

/// Status, own headers, body.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers besides those every answer has.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
}

impl Reply {
    /// A reply without headers of its own.
    pub fn new(status: u16, body: Body) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
        }
    }

    /// With one more header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With the `ETag` of an object that carries a version.
    pub fn version(self, version: i64) -> Self {
        self.header("etag", format!("\"{version}\""))
    }

    /// Marked, if so, as the kept answer of an earlier call with the same `Idempotency-Key`.
    pub fn replayed(self, replayed: bool) -> Self {
        match replayed {
            true => self.header("idempotent-replayed", "true"),
            false => self,
        }
    }
}

/// 200 with JSON.
pub fn json(value: &impl Serialize) -> Answer {
    Ok(Reply::new(200, Body::Json(serde_json::to_string(value)?)))
}

/// 201 with JSON.
pub fn created(value: &impl Serialize) -> Answer {
    Ok(Reply::new(201, Body::Json(serde_json::to_string(value)?)))
}

/// 204.
pub fn no_content() -> Answer {
    Ok(Reply::new(204, Body::Empty))
}
