//! Bodies that are never whole in memory: read chunk by chunk, or written part by part.
//!
//! Invariant: the next chunk is read, and the next part made, only when the one before was used, so
//! a slow peer slows the work down and fills nothing.
//! Failure: a body that breaks off is 400; an answer that cannot go on is cut, so that nobody takes
//! its beginning for the whole.

use std::future::Future;
use std::rc::Rc;

use worker::js_sys::{Promise, Uint8Array};
use worker::wasm_bindgen::closure::Closure;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::future_to_promise;
use worker::web_sys;

use crate::platform::boundary;
use crate::platform::error::{Error, Result};
use crate::platform::log::{self, Level};

/// The body of a request, chunk by chunk.
pub struct Chunks {
    reader: JsValue,
    left: usize,
    limit: usize,
}

impl Chunks {
    /// Takes the body of a request; more than `limit` bytes of it are refused.
    pub fn of(request: &web_sys::Request, limit: usize) -> Self {
        Self { reader: boundary::reader_of(request), left: limit, limit }
    }

    /// The next chunk; none at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        if self.reader.is_null() {
            return Ok(None);
        }
        let chunk = boundary::read_chunk(&self.reader)
            .await
            .map_err(|_| Error::malformed("body_broken", "The body broke off."))?;
        let Some(chunk) = chunk.dyn_ref::<Uint8Array>() else { return Ok(None) };
        let chunk = chunk.to_vec();
        match self.left.checked_sub(chunk.len()) {
            Some(left) => self.left = left,
            None => return Err(too_large(self.limit)),
        }
        Ok(Some(chunk))
    }
}

/// 413: the body has more than `limit` bytes.
pub fn too_large(limit: usize) -> Error {
    Error::new(413, "body_too_large", format!("The body may have {limit} bytes at most."))
}

/// A body made of the parts that `next` answers until it answers none. It is asked for one part at
/// a time, after the answer's head has gone out; `request_id` names it in the log when it fails.
pub fn parts<F, W>(request_id: &str, next: F) -> web_sys::ReadableStream
where
    F: Fn() -> W + 'static,
    W: Future<Output = Result<Option<String>>> + 'static,
{
    let request_id: Rc<str> = request_id.into();
    let pull = Closure::<dyn FnMut() -> Promise>::new(move || {
        let (request_id, part) = (Rc::clone(&request_id), next());
        future_to_promise(async move {
            match part.await {
                Ok(Some(part)) => Ok(part.into()),
                Ok(None) => Ok(JsValue::NULL),
                Err(error) => {
                    let context = error.context.unwrap_or_else(|| error.code.to_string());
                    log::write(
                        Level::Error,
                        "stream cut",
                        &[("request.id", request_id.as_ref().into()), ("context", context.into())],
                    );
                    Err(JsValue::from_str("the answer cannot go on"))
                }
            }
        })
    });
    boundary::stream_of(&pull.into_js_value())
}
