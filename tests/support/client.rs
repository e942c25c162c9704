//! A small HTTP client of Pulse: JSON in and out, every header kept, assertions that say what came.
//!
//! Invariant: no redirect is followed, and one call is one request; only a GET whose connection was
//! lost is asked once more (not with [`Call::attempt`]).
//! Failure: an expectation that is not met panics at the caller's line with request and answer.

use crate::clock;
use crate::stack;
use chrono::{DateTime, Utc};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

/// Someone who talks to Pulse: an address and the headers each of their requests carries.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    http: reqwest::Client,
    headers: HeaderMap,
}

impl Client {
    /// Nobody in particular, at the running stack.
    pub fn anonymous() -> Self {
        Self::at_url(&stack::url())
    }

    /// Nobody in particular, at an address of choice.
    pub fn at_url(base: &str) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(120))
            // The runtime closes a connection that rested for 5 s.
            .pool_idle_timeout(Duration::from_secs(1))
            .no_proxy()
            .build()
            .expect("an HTTP client");
        Self {
            base: base.to_owned(),
            http,
            headers: HeaderMap::new(),
        }
    }

    /// The same with another bearer token: a user's, a device's or an API key.
    pub fn with_token(&self, token: &str) -> Self {
        self.with_header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// The same with one more header on each request.
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        let (name, value) = header(name, value);
        other.headers.insert(name, value);
        other
    }

    /// The same at another time, as far as the Worker is concerned.
    pub fn at(&self, now: DateTime<Utc>) -> Self {
        self.with_header(clock::HEADER, &clock::rfc3339(now))
    }

    /// The bearer token of this client; empty when it has none.
    pub fn token(&self) -> &str {
        let value = self
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        value
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or_default()
    }

    /// The address the client talks to.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A request with any method.
    pub fn call(&self, method: &str, path: &str) -> Call {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let shown = format!("{method} {path}");
        let request = self.http.request(method, format!("{}{path}", self.base));
        Call {
            request: request.headers(self.headers.clone()),
            shown,
        }
    }

    /// A GET.
    pub fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    /// A DELETE.
    pub fn delete(&self, path: &str) -> Call {
        self.call("DELETE", path)
    }

    /// A POST of JSON.
    pub fn post(&self, path: &str, body: &Value) -> Call {
        self.call("POST", path).json(body)
    }

    /// A PATCH of JSON.
    pub fn patch(&self, path: &str, body: &Value) -> Call {
        self.call("PATCH", path).json(body)
    }
}

fn header(name: &str, value: &str) -> (HeaderName, HeaderValue) {
    let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
    (name, HeaderValue::from_str(value).expect("a header value"))
}

/// A request about to be sent; `.await` sends it.
#[derive(Debug)]
#[must_use]
pub struct Call {
    request: reqwest::RequestBuilder,
    shown: String,
}

impl Call {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let (name, value) = header(name, value);
        self.request = self.request.header(name, value);
        self
    }

    /// Sets a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Sets any body.
    pub fn body(mut self, content_type: &str, body: impl Into<reqwest::Body>) -> Self {
        self.request = self.request.header(CONTENT_TYPE, content_type).body(body);
        self
    }

    /// Gives up after so long.
    pub fn timeout(mut self, patience: Duration) -> Self {
        self.request = self.request.timeout(patience);
        self
    }

    /// Sends it and leaves the body of the answer to be read.
    pub async fn stream(self) -> Stream {
        let answer = self.request.send().await;
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", self.shown));
        Stream {
            status: answer.status().as_u16(),
            answer,
        }
    }

    /// Sends it; a lost connection is an error, any answer is not.
    pub async fn attempt(self) -> Result<Reply, String> {
        let lost = |error: reqwest::Error| format!("{error:?}");
        let answer = self.request.send().await.map_err(lost)?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await.map_err(lost)?.to_vec();
        Ok(Reply {
            status,
            headers,
            body,
            asked: self.shown,
        })
    }
}

/// An answer whose body is read bit by bit.
#[derive(Debug)]
pub struct Stream {
    /// HTTP status.
    pub status: u16,
    answer: reqwest::Response,
}

impl Stream {
    /// The next bytes, whenever they come; none at the end.
    pub async fn part(&mut self) -> Result<Option<Vec<u8>>, String> {
        let part = self.answer.chunk().await;
        let part = part.map_err(|error| format!("{error:?}"))?;
        Ok(part.map(|part| part.to_vec()))
    }
}

impl IntoFuture for Call {
    type Output = Reply;
    type IntoFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let shown = self.shown.clone();
            // A kept connection may be closed by the server at the moment it is used again, after a
            // refusal whose body was left unread for example; asking once more is what any client
            // does when it only reads.
            let again = shown
                .starts_with("GET ")
                .then(|| self.request.try_clone())
                .flatten();
            match (self.attempt().await, again) {
                (Ok(reply), _) => reply,
                (Err(_), Some(request)) => Call {
                    request,
                    shown: shown.clone(),
                }
                .attempt()
                .await
                .unwrap_or_else(|error| panic!("{shown}: {error}")),
                (Err(error), None) => panic!("{shown}: {error}"),
            }
        })
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Vec<u8>,
    asked: String,
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON in {self}"))
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The value at a JSON pointer; null when there is none.
    #[track_caller]
    pub fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or(Value::Null)
    }

    /// The text at a JSON pointer.
    #[track_caller]
    pub fn text_at(&self, pointer: &str) -> String {
        match self.at(pointer) {
            Value::String(text) => text,
            _ => panic!("no text at {pointer} in {self}"),
        }
    }

    /// The elements of the array at a JSON pointer.
    #[track_caller]
    pub fn list_at(&self, pointer: &str) -> Vec<Value> {
        match self.at(pointer) {
            Value::Array(items) => items,
            _ => panic!("no array at {pointer} in {self}"),
        }
    }

    /// Demands a status.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// Demands a problem document that blames the request.
    #[track_caller]
    pub fn expect_status_4xx(self) -> Self {
        assert!((400..500).contains(&self.status), "{self}");
        let status = self.status;
        self.problem_of(status)
    }

    /// Demands a problem document with this status and code.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Self {
        let this = self.problem_of(status);
        assert_eq!(this.at("/code"), code, "{this}");
        this
    }

    /// Demands a well-formed problem document with this status, whatever its code.
    #[track_caller]
    pub fn problem_of(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        let kind = self.header("content-type").unwrap_or_default().to_owned();
        assert!(
            kind.starts_with("application/problem+json"),
            "content type {kind} of {self}"
        );
        assert_eq!(self.at("/status"), status, "{self}");
        for member in ["/type", "/title", "/detail", "/code", "/request_id"] {
            assert!(self.at(member).is_string(), "{member} of {self}");
        }
        assert!(self.at("/errors").is_array(), "/errors of {self}");
        assert_eq!(
            self.header("x-request-id"),
            self.at("/request_id").as_str(),
            "{self}"
        );
        self
    }

    /// Demands that the problem names this field.
    #[track_caller]
    pub fn points_at(self, pointer: &str) -> Self {
        let named = self
            .list_at("/errors")
            .iter()
            .any(|error| error["pointer"] == pointer);
        assert!(named, "{pointer} is not named in {self}");
        self
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.text();
        let shown: String = text.chars().take(2_000).collect();
        write!(out, "{} -> {} {shown}", self.asked, self.status)
    }
}
