//! The one error of the product: what a caller is told, and what only the log is told.
//!
//! Invariant: `context` never leaves the Worker; everything else may be shown to the caller.
//! Failure: none; this is how failures travel, also from an object to the Worker, as JSON.

use std::borrow::Cow;

use rules::invalid::{FieldError, Invalid};
use serde::{Deserialize, Serialize};

/// Short for a result with the product's error.
pub type Result<T> = core::result::Result<T, Error>;

/// Why a call was not answered as asked. Status codes follow the HTTP conventions of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// HTTP status.
    pub status: u16,
    /// Stable, snake_case.
    pub code: Cow<'static, str>,
    /// One sentence for a person.
    pub detail: Cow<'static, str>,
    /// The fields that were wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Seconds after which a retry makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// For the log only.
    #[serde(skip)]
    pub context: Option<String>,
}

impl Error {
    /// An error with this status, code and sentence.
    pub fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            context: None,
        }
    }

    /// 400: what came is not what it claims to be.
    pub fn malformed(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, code, detail)
    }

    /// 401: no credential, or one that is not (or no longer) good.
    pub fn unauthenticated(code: impl Into<Cow<'static, str>>) -> Self {
        Self::new(401, code, "This call needs a valid credential.")
    }

    /// 403: the credential is good, but not for this.
    pub fn forbidden(code: impl Into<Cow<'static, str>>, detail: &'static str) -> Self {
        Self::new(403, code, detail)
    }

    /// 404: nothing there, or nothing that this caller may know of.
    pub fn not_found() -> Self {
        Self::new(404, "not_found", "There is nothing here.")
    }

    /// 409: the state of things does not allow it.
    pub fn conflict(
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(409, code, detail)
    }

    /// 503: a part that is needed is away; trying again later is right.
    pub fn unavailable(what: &str) -> Self {
        let mut error = Self::new(
            503,
            "unavailable",
            "A part this call needs does not answer; try again.",
        );
        error.retry_after = Some(1);
        error.context = Some(what.to_owned());
        error
    }

    /// 429: too much; wait this many seconds.
    pub fn too_many(retry_after: u32) -> Self {
        let mut error = Self::new(
            429,
            "too_many_requests",
            "Too many requests; wait and retry.",
        );
        error.retry_after = Some(retry_after.max(1));
        error
    }

    /// 500: a fault of ours. The context goes to the log, not to the caller.
    pub fn internal(context: impl Into<String>) -> Self {
        let mut error = Self::new(500, "internal", "Something went wrong on our side.");
        error.context = Some(context.into());
        error
    }

    /// The same error with something for the log.
    pub fn because(mut self, context: impl Into<String>) -> Self {
        self.context = Some(context.into());
        self
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        let mut error = Self::new(422, "invalid", "Some of what was sent is not right.");
        error.errors = invalid.errors;
        error
    }
}

impl From<worker::Error> for Error {
    fn from(error: worker::Error) -> Self {
        Self::internal(error.to_string())
    }
}

impl From<wasm_bindgen::JsValue> for Error {
    fn from(value: wasm_bindgen::JsValue) -> Self {
        Self::internal(format!("{value:?}"))
    }
}

/// JSON of our own making that does not serialise is a fault of ours.
impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error.to_string())
    }
}
