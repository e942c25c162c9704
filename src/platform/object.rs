//! Calls to Durable Objects, and an object's own storage.
//!
//! A command is a call of the object's method (see `entry.js`) with a name and a text: one line of
//! JSON saying who calls and when, then the input as it came. The answer is a text too: the status,
//! then JSON, which is an [`Error`] from 400 on.
//! Invariant: an object is named by its resource's id inside its tenant's jurisdiction.
//! Failure: an object that cannot be reached or is overloaded is 503 with a wait.

use std::cell::Cell;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use worker::js_sys::{Array, Reflect};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::{State, web_sys};

use super::boundary;
use super::ctx::Ctx;
use super::error::{Error, Result};
use super::log::{self, Level};
use super::scope::{Credential, Jurisdiction};

/// The alarm of an object, as this instance of it set it.
#[derive(Debug, Default)]
pub struct Alarm {
    at: Cell<Option<DateTime<Utc>>>,
}

impl Alarm {
    /// Sets it, unless an earlier one is set. The write is part of the event's transaction.
    pub fn set(&self, state: &State, at: DateTime<Utc>) {
        if self.at.get().is_some_and(|set| set <= at) {
            return;
        }
        self.at.set(Some(at));
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds are far below 2^53"
        )]
        boundary::arm_alarm(state.as_raw(), at.timestamp_millis() as f64);
    }

    /// It rang, or may be lost: whatever is asked for next is set.
    pub fn forget(&self) {
        self.at.set(None);
    }
}

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The binding of its namespace.
    pub binding: &'static str,
    /// The resource it stands for.
    pub id: Uuid,
    /// Where it must live.
    pub jurisdiction: Jurisdiction,
    /// Where it should be placed if this is its first call.
    pub region: Option<String>,
}

/// Who calls an object, when, and as part of which request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Caller {
    /// Verified as far as is possible without the database.
    pub credential: Credential,
    /// The tenant asked for, if not the credential's own.
    pub tenant: Option<Uuid>,
    /// The time of the request.
    pub now: DateTime<Utc>,
    /// The request.
    pub request_id: String,
}

/// An object's answer: status and JSON text.
pub struct ObjectAnswer {
    /// 200 or 201; 208 marks a replay of an earlier answer.
    pub status: u16,
    /// JSON.
    pub body: String,
}

/// Sends a command. `input` is appended as it is.
pub async fn call(
    ctx: &Ctx,
    address: &Address,
    command: &str,
    caller: &Caller,
    input: &str,
) -> Result<ObjectAnswer> {
    let mut body = serde_json::to_string(caller)?;
    body.reserve(input.len() + 1);
    body.push('\n');
    body.push_str(input);
    let answer = boundary::call_object(
        &namespace(ctx, address)?,
        &address.id.to_string(),
        jurisdiction(ctx, address),
        address.region.as_deref(),
        command,
        &body,
    )
    .await
    .map_err(|error| Error::unavailable(&format!("object {command}: {error:?}")))?
    .as_string()
    .unwrap_or_default();
    let (status, body) = answer.split_once('\n').unwrap_or(("500", ""));
    let status = status.parse().unwrap_or(500);
    if status < 400 {
        return Ok(ObjectAnswer {
            status,
            body: body.to_owned(),
        });
    }
    Err(serde_json::from_str(body)
        .unwrap_or_else(|_| Error::unavailable(&format!("object {command} answered {status}"))))
}

/// Hands a WebSocket upgrade over.
pub async fn upgrade(
    ctx: &Ctx,
    address: &Address,
    request: &web_sys::Request,
) -> Result<web_sys::Response> {
    boundary::upgrade_at(
        &namespace(ctx, address)?,
        &address.id.to_string(),
        jurisdiction(ctx, address),
        address.region.as_deref(),
        request,
    )
    .await
    .map_err(|error| Error::unavailable(&format!("object upgrade: {error:?}")))?
    .dyn_into()
    .map_err(|_| Error::internal("an object answered no response"))
}

fn namespace(ctx: &Ctx, address: &Address) -> Result<JsValue> {
    Reflect::get(&ctx.env, &address.binding.into())
        .ok()
        .filter(|binding| !binding.is_undefined())
        .ok_or_else(|| Error::internal(format!("binding {} is missing", address.binding)))
}

fn jurisdiction(ctx: &Ctx, address: &Address) -> Option<&'static str> {
    match address.jurisdiction {
        Jurisdiction::None => None,
        named => ctx.config.jurisdictions.then(|| named.as_str()),
    }
}

/// Splits a command's body into who calls and the input.
pub fn open(body: &str) -> Result<(Caller, &str)> {
    let (caller, input) = body.split_once('\n').unwrap_or((body, ""));
    Ok((serde_json::from_str(caller)?, input))
}

/// What an object answers to a command, as it travels.
pub fn answer(outcome: Result<ObjectAnswer>) -> String {
    let (status, body) = sent(outcome);
    format!("{status}\n{body}")
}

/// Why an object does not take a WebSocket.
pub fn refuse(error: Error) -> worker::Result<worker::Response> {
    let (status, body) = sent(Err(error));
    Ok(boundary::respond(status, "", &body.into())?.into())
}

fn sent(outcome: Result<ObjectAnswer>) -> (u16, String) {
    let error = match outcome {
        Ok(answer) => return (answer.status, answer.body),
        Err(error) => error,
    };
    if let Some(context) = error.context.as_ref().filter(|_| error.status >= 500) {
        log::write(
            Level::Error,
            "object",
            &[
                ("code", error.code.as_ref().into()),
                ("context", context.as_str().into()),
            ],
        );
    }
    (
        error.status,
        serde_json::to_string(&error).unwrap_or_default(),
    )
}

/// An object's SQLite.
///
/// Statements run synchronously; those without an `await` in between are one transaction, and no
/// answer or socket message leaves the object before they are durable (the output gate).
pub struct Sql(JsValue);

impl Sql {
    /// The storage of this object.
    pub fn of(state: &State) -> Self {
        let storage = state.storage();
        let storage: &JsValue = storage.as_raw();
        Self(Reflect::get(storage, &"sql".into()).unwrap_or(JsValue::UNDEFINED))
    }

    /// Runs statements without an answer.
    pub fn run(&self, query: &str, bindings: &[JsValue]) -> Result<()> {
        boundary::sql_run(&self.0, query, &bindings.iter().collect::<Array>()).map_err(failed)
    }

    /// Appends one row `(number, text, text)` in one crossing. `Ok(false)`: a unique constraint
    /// said no, and nothing was written.
    pub fn append(&self, query: &str, a: f64, b: &str, c: &str) -> Result<bool> {
        match boundary::sql_run3(&self.0, query, a, b, c) {
            Ok(()) => Ok(true),
            Err(error) if message(&error).contains("UNIQUE") => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    /// The first column of each row, one line each. Columns must be JSON text or plain words.
    pub fn lines(&self, query: &str, bindings: &[JsValue]) -> Result<String> {
        boundary::sql_lines(&self.0, query, &bindings.iter().collect::<Array>()).map_err(failed)
    }

    /// The one value a query answers, if any.
    pub fn value(&self, query: &str, bindings: &[JsValue]) -> Result<Option<String>> {
        let mut text = self.lines(query, bindings)?;
        Ok(text.pop().map(|_| text))
    }
}

fn message(error: &JsValue) -> String {
    error.dyn_ref::<worker::js_sys::Error>().map_or_else(
        || format!("{error:?}"),
        |error| String::from(error.message()),
    )
}

fn failed(error: JsValue) -> Error {
    Error::internal(format!("object storage: {}", message(&error)))
}
