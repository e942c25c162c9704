//! Bodies that are never whole in memory: read chunk by chunk, or written part by part.
//!
//! Invariant: the next chunk is read, and the next part made, only when the one before was used, so
//! a slow peer slows the work down and fills nothing.
//! Failure: a body that breaks off is 400, one that is too large 413; an answer that cannot go on is
//! cut, so that nobody takes its beginning for the whole.

use std::future::Future;
use std::rc::Rc;

use sha2::{Digest, Sha256};
use worker::js_sys::{Promise, Uint8Array};
use worker::wasm_bindgen::closure::Closure;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::future_to_promise;
use worker::web_sys;

use crate::platform::error::{Error, Result};
use crate::platform::log::{self, Level};
use crate::platform::scope::Idempotency;
use crate::platform::{boundary, crypto};

/// The body of a request, chunk by chunk.
pub struct Upload {
    reader: JsValue,
    left: usize,
    limit: usize,
    key: Option<(String, Sha256)>,
}

impl Upload {
    /// Takes the body of a request, of which more than `limit` bytes are refused. With an
    /// idempotency key, what is read goes into its fingerprint, which begins with `asked`.
    pub(super) fn of(
        request: &web_sys::Request,
        limit: usize,
        asked: Option<(&str, &str)>,
    ) -> Self {
        let key = asked.map(|(key, asked)| (key.to_owned(), Sha256::new_with_prefix(asked)));
        Self {
            reader: boundary::reader_of(request),
            left: limit,
            limit,
            key,
        }
    }

    /// The next chunk; none at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        if self.reader.is_null() {
            return Ok(None);
        }
        let chunk = boundary::read_chunk(&self.reader)
            .await
            .map_err(|_| Error::malformed("body_broken", "The body broke off."))?;
        let Some(chunk) = chunk.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec) else {
            return Ok(None);
        };
        match self.left.checked_sub(chunk.len()) {
            Some(left) => self.left = left,
            None => return Err(too_large(self.limit)),
        }
        if let Some((_, hash)) = &mut self.key {
            hash.update(&chunk);
        }
        Ok(Some(chunk))
    }

    /// Reads the rest and forgets it: a caller that is still sending would not see the answer.
    pub async fn drain(&mut self) {
        while let Ok(Some(_)) = self.next().await {}
    }

    /// The key the caller gave and the fingerprint of what it asked. Right at the end of the body.
    pub fn idempotency(&self) -> Option<Idempotency> {
        let (key, hash) = self.key.as_ref()?;
        let fingerprint = crypto::hex(&hash.clone().finalize());
        Some(Idempotency {
            key: key.clone(),
            fingerprint,
        })
    }
}

/// 413: the body has more than `limit` bytes.
pub(super) fn too_large(limit: usize) -> Error {
    Error::new(
        413,
        "body_too_large",
        format!("The body may have {limit} bytes at most."),
    )
}

/// A body made of the parts that `next` answers until it answers none. It is asked for one part at
/// a time, the first when the answer's head goes out; `request_id` names it in the log if it fails.
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
                Ok(part) => Ok(part.map_or(JsValue::NULL, JsValue::from)),
                Err(error) => {
                    let context = error.context.unwrap_or_else(|| error.code.to_string());
                    let fields = [
                        ("request.id", request_id.as_ref().into()),
                        ("context", context.into()),
                    ];
                    log::write(Level::Error, "stream.cut", &fields);
                    Err(JsValue::from_str("the answer cannot go on"))
                }
            }
        })
    });
    // The runtime frees the closure with the stream.
    boundary::stream_of(&pull.into_js_value())
}
