//! The crossings between wasm and JavaScript, few and wide.
//!
//! Each header read, URL parse or `sql.exec` through the generic bindings crosses the boundary
//! several times, and the crossings are what a request costs. `boundary.js` does the same in one.
//! Invariant: a request's head comes in as one string; an answer goes out in one call.
//! Failure: a JavaScript exception arrives as `Err`, never as a trap.
#![allow(
    missing_docs,
    reason = "wasm_bindgen items; each is described in boundary.js"
)]

use wasm_bindgen::prelude::*;
use worker::js_sys;
use worker::web_sys;

#[wasm_bindgen(module = "/src/platform/boundary.js")]
extern "C" {
    pub fn head(request: &web_sys::Request) -> String;

    #[wasm_bindgen(js_name = bodyText, catch)]
    pub async fn body_text(request: &web_sys::Request, limit: f64) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch)]
    pub fn respond(
        status: u16,
        headers: &str,
        body: &JsValue,
    ) -> Result<web_sys::Response, JsValue>;

    #[wasm_bindgen(js_name = respondJson, catch)]
    pub fn respond_json(
        status: u16,
        content_type: &str,
        request_id: &str,
        timing: &str,
        body: &str,
    ) -> Result<web_sys::Response, JsValue>;

    #[wasm_bindgen(js_name = callObject, catch)]
    pub async fn call_object(
        namespace: &JsValue,
        name: &str,
        jurisdiction: Option<&str>,
        hint: Option<&str>,
        command: &str,
        body: &str,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = upgradeAt, catch)]
    pub async fn upgrade_at(
        namespace: &JsValue,
        name: &str,
        jurisdiction: Option<&str>,
        hint: Option<&str>,
        request: &web_sys::Request,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = sqlRun, catch)]
    pub fn sql_run(sql: &JsValue, query: &str, bindings: &js_sys::Array) -> Result<(), JsValue>;

    #[wasm_bindgen(js_name = sqlRun3, catch)]
    pub fn sql_run3(sql: &JsValue, query: &str, a: f64, b: &str, c: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(js_name = sqlLines, catch)]
    pub fn sql_lines(
        sql: &JsValue,
        query: &str,
        bindings: &js_sys::Array,
    ) -> Result<String, JsValue>;

    #[wasm_bindgen(js_name = streamOf)]
    pub fn stream_of(pull: &JsValue) -> web_sys::ReadableStream;

    #[wasm_bindgen(js_name = readerOf)]
    pub fn reader_of(request: &web_sys::Request) -> JsValue;

    #[wasm_bindgen(js_name = readChunk, catch)]
    pub async fn read_chunk(reader: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = closeSocket)]
    pub fn close_socket(socket: &JsValue);

    #[wasm_bindgen(js_name = armAlarm)]
    pub fn arm_alarm(state: &JsValue, at: f64);

    #[wasm_bindgen(catch)]
    pub async fn drain(request: &web_sys::Request, limit: f64) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = randomBytes)]
    pub fn random_bytes(target: &mut [u8]);
}

/// The head of a request, as [`head`] gives it. Empty string means the header was not there.
#[derive(Debug, Default, Clone)]
pub struct Head {
    pub method: String,
    pub url: String,
    pub authorization: String,
    pub content_type: String,
    pub content_length: String,
    pub idempotency_key: String,
    pub if_match: String,
    pub if_none_match: String,
    pub origin: String,
    pub request_id: String,
    pub tenant: String,
    pub test_now: String,
    pub source: String,
    pub upgrade: String,
    pub protocol: String,
    pub accept: String,
    pub preflight_method: String,
}

impl Head {
    /// Reads the head in one crossing.
    pub fn of(request: &web_sys::Request) -> Self {
        Self::parse(&head(request))
    }

    fn parse(text: &str) -> Self {
        let mut lines = text.split('\n');
        let mut next = || lines.next().unwrap_or_default().to_owned();
        Self {
            method: next(),
            url: next(),
            authorization: next(),
            content_type: next(),
            content_length: next(),
            idempotency_key: next(),
            if_match: next(),
            if_none_match: next(),
            origin: next(),
            request_id: next(),
            tenant: next(),
            test_now: next(),
            source: next(),
            upgrade: next(),
            protocol: next(),
            accept: next(),
            preflight_method: next(),
        }
    }

    /// The path of the URL, still percent-encoded, and the query without its question mark.
    pub fn path_and_query(&self) -> (&str, &str) {
        let after_scheme = self.url.find("://").map_or(0, |at| at + 3);
        let rest = self.url.get(after_scheme..).unwrap_or_default();
        let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
        path.split_once('?').unwrap_or((path, ""))
    }
}
