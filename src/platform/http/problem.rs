//! Problems as RFC 9457 describes them.
//!
//! Invariant: `code` is stable; the context of an error is logged once and never shown.
//! Failure: none.

use rules::invalid::FieldError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::platform::error::Error;

/// `application/problem+json`.
#[derive(Serialize, ToSchema)]
pub struct Problem<'a> {
    /// Names the kind of problem; a path in the documentation.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: &'static str,
    /// HTTP status.
    pub status: u16,
    /// One sentence for a person.
    pub detail: &'a str,
    /// Stable, snake_case.
    pub code: &'a str,
    /// Each wrong field.
    #[schema(value_type = Vec<FieldProblem>)]
    pub errors: &'a [FieldError],
    /// As in `x-request-id`.
    pub request_id: &'a str,
    /// `true` where a paired scanner is one no longer (`device_revoked`, `device_rolled`): it must
    /// forget its guest list and its token at once. Scans that it has not sent yet it keeps until
    /// it is paired again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub wipe: bool,
}

/// One wrong field of a problem.
#[derive(Serialize, ToSchema)]
pub struct FieldProblem {
    /// JSON pointer (RFC 6901) into what was sent.
    pub pointer: String,
    /// Stable, snake_case.
    pub code: String,
    /// One sentence for a person.
    pub message: String,
}

impl<'a> Problem<'a> {
    /// The problem an error is shown as.
    pub fn of(error: &'a Error, request_id: &'a str) -> Self {
        Self {
            kind: format!("/docs/problems#{}", error.code),
            title: title(error.status),
            status: error.status,
            detail: &error.detail,
            code: &error.code,
            errors: &error.errors,
            request_id,
            wipe: matches!(&*error.code, "device_revoked" | "device_rolled"),
        }
    }
}

fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not found",
        405 => "Method not allowed",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition failed",
        413 => "Content too large",
        415 => "Unsupported media type",
        422 => "Unprocessable content",
        426 => "Upgrade required",
        429 => "Too many requests",
        503 => "Service unavailable",
        _ => "Internal server error",
    }
}
