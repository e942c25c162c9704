//! The only code that talks to Postgres.
//!
//! An operation is one unnamed typed statement that answers one row with one column of JSON text:
//! that is what surely survives Hyperdrive's transaction pooling, and it is one round trip.
//! Invariant: statement texts are constants; input travels as one JSON parameter; the tenant, the
//! caller's membership and role are verified in the same transaction that does the work.
//! Failure: a database that does not answer within [`PATIENCE`] is 503; an error raised by our SQL
//! becomes the problem it names; anything else is 500 and a log line.

pub mod session;

use std::cell::{Cell, OnceCell};
use std::future::Future;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Config as PgConfig, NoTls};
use uuid::Uuid;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::{Env, Hyperdrive, Socket, worker_sys};

use super::boundary;
use super::error::{Error, Result};
use super::scope::Scope;

/// How long a call waits for Postgres, connection included.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The code of a statement that took longer than it allowed itself.
pub const TOO_SLOW: &str = "statement_too_slow";

/// A statement of a tenant: constant SQL whose `$1` is the input as `jsonb`, answering one `jsonb`.
pub struct Statement<I, O> {
    sql: &'static str,
    conflicts: &'static [(&'static str, &'static str)],
    nullable: bool,
    patience: Duration,
    types: PhantomData<fn(&I) -> O>,
}

impl<I, O> Statement<I, O> {
    /// A statement without constraints a caller can run into, whose `null` means 404.
    pub const fn new(sql: &'static str) -> Self {
        Self {
            sql,
            conflicts: &[],
            nullable: false,
            patience: PATIENCE,
            types: PhantomData,
        }
    }

    /// A statement that does much at once may take this long instead of [`PATIENCE`].
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// `null` is an answer like any other.
    pub const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// Names the problem codes (409) that broken constraints mean.
    pub const fn conflicts(mut self, names: &'static [(&'static str, &'static str)]) -> Self {
        self.conflicts = names;
        self
    }
}

/// A function that works before or across tenants: fixed text, `$1` is the input as JSON text.
pub struct Function<I, O> {
    sql: &'static str,
    conflicts: &'static [(&'static str, &'static str)],
    types: PhantomData<fn(&I) -> O>,
}

impl<I, O> Function<I, O> {
    /// `sql` is `select app.name($1::text::jsonb)::text`.
    pub const fn new(sql: &'static str) -> Self {
        Self {
            sql,
            conflicts: &[],
            types: PhantomData,
        }
    }

    /// Names the problem codes (409) that broken constraints mean.
    pub const fn conflicts(mut self, names: &'static [(&'static str, &'static str)]) -> Self {
        self.conflicts = names;
        self
    }
}

/// What `app.call` answers.
pub struct Called<O> {
    /// What the statement answered.
    pub result: O,
    /// The caller's role.
    pub role: String,
    /// The caller.
    pub actor: Uuid,
    /// The tenant it was done for.
    pub tenant: Uuid,
    /// Whether this is the kept answer of an earlier call with the same `Idempotency-Key`.
    pub replayed: bool,
}

impl<O> Called<O> {
    /// The same with what is made of the answer.
    pub fn try_map<P>(self, make: impl FnOnce(O) -> Result<P>) -> Result<Called<P>> {
        Ok(Called {
            result: make(self.result)?,
            role: self.role,
            actor: self.actor,
            tenant: self.tenant,
            replayed: self.replayed,
        })
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    role: String,
    actor: Option<Uuid>,
    tenant: Uuid,
    #[serde(default)]
    replayed: bool,
}

const CALL: &str = "select app.call($1::text::jsonb, string_to_array(nullif($2, ''), ','), $3, \
                    $4::text::jsonb, $5::text::jsonb, $6)::text";

/// The database of one event. Counts what it does, for `Server-Timing`.
#[derive(Clone)]
pub struct Pg {
    env: Env,
    request_id: String,
    spent: Rc<Spent>,
}

#[derive(Default)]
struct Spent {
    calls: Cell<u32>,
    connect_ms: Cell<i64>,
    statement_ms: Cell<i64>,
}

thread_local! {
    static TARGET: OnceCell<PgConfig> = const { OnceCell::new() };
}

impl Pg {
    /// Nothing is connected before the first call.
    pub fn new(env: &Env, request_id: &str) -> Self {
        Self {
            env: env.clone(),
            request_id: request_id.to_owned(),
            spent: Rc::default(),
        }
    }

    /// Runs a tenant's statement.
    pub async fn call<I, O>(
        &self,
        scope: &Scope,
        statement: &Statement<I, O>,
        input: &I,
    ) -> Result<O>
    where
        I: Serialize,
        O: DeserializeOwned,
    {
        Ok(self.call_full(scope, statement, input).await?.result)
    }

    /// As [`Pg::call`], with who the caller turned out to be.
    pub async fn call_full<I, O>(
        &self,
        scope: &Scope,
        statement: &Statement<I, O>,
        input: &I,
    ) -> Result<Called<O>>
    where
        I: Serialize,
        O: DeserializeOwned,
    {
        let actor = scope.actor().to_string();
        let idempotency = scope
            .idempotency
            .as_ref()
            .map(|i| serde_json::json!({"key": i.key, "fingerprint": i.fingerprint}).to_string());
        let roles = scope.role_list();
        let input = serde_json::to_string(input)?;
        let text = self
            .one(
                CALL,
                &[
                    (&actor, Type::TEXT),
                    (&roles, Type::TEXT),
                    (&statement.sql, Type::TEXT),
                    (&input, Type::TEXT),
                    (&idempotency, Type::TEXT),
                    (&self.request_id, Type::TEXT),
                ],
                statement.conflicts,
                statement.patience,
            )
            .await?
            .ok_or_else(Error::not_found)?;
        let envelope: Envelope<'_> = serde_json::from_str(&text)?;
        let result = envelope.result.map_or("null", RawValue::get);
        if result == "null" && !statement.nullable {
            return Err(Error::not_found());
        }
        Ok(Called {
            result: decode(result)?,
            role: envelope.role,
            actor: envelope.actor.unwrap_or_default(),
            tenant: envelope.tenant,
            replayed: envelope.replayed,
        })
    }

    /// Runs a function that works before or across tenants.
    pub async fn function<I, O>(&self, function: &Function<I, O>, input: &I) -> Result<O>
    where
        I: Serialize,
        O: DeserializeOwned,
    {
        let input = serde_json::to_string(input)?;
        let params: &[(&(dyn ToSql + Sync), Type)] = &[(&input, Type::TEXT)];
        let text = self
            .one(function.sql, params, function.conflicts, PATIENCE)
            .await?;
        decode(text.as_deref().unwrap_or("null"))
    }

    /// `pg;dur=3;desc="1 call, connect 1 ms"`, or nothing when Postgres was not asked.
    pub fn timing(&self) -> Option<String> {
        let calls = self.spent.calls.get();
        (calls > 0).then(|| {
            let (connect, statement) = (self.spent.connect_ms.get(), self.spent.statement_ms.get());
            format!("connect;dur={connect}, statement;dur={statement};desc=\"{calls}\"")
        })
    }

    async fn one(
        &self,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
        conflicts: &[(&str, &str)],
        patience: Duration,
    ) -> Result<Option<String>> {
        within(patience, async {
            let began = worker::js_sys::Date::now();
            let client = self.connect().await?;
            let connected = worker::js_sys::Date::now();
            let row = client.query_typed_opt(sql, params).await;
            let done = worker::js_sys::Date::now();
            self.spent.calls.set(self.spent.calls.get() + 1);
            add(&self.spent.connect_ms, connected - began);
            add(&self.spent.statement_ms, done - connected);
            let row = row.map_err(|error| problem(&error, conflicts))?;
            match row {
                Some(row) => row
                    .try_get(0)
                    .map_err(|error| Error::internal(error.to_string())),
                None => Ok(None),
            }
        })
        .await
    }

    /// One connection for one statement: sockets cannot cross events, and the pooler behind
    /// Hyperdrive makes opening one cheap.
    async fn connect(&self) -> Result<tokio_postgres::Client> {
        let hyperdrive: Hyperdrive = self
            .env
            .hyperdrive("PG")
            .map_err(|error| Error::internal(format!("binding PG: {error}")))?;
        let target = target(&hyperdrive)?;
        let raw: &worker_sys::types::Hyperdrive = hyperdrive.as_ref().unchecked_ref();
        let socket = raw
            .connect()
            .map_err(|error| Error::unavailable(&format!("{error:?}")))?;
        let open = Open(socket.clone().into());
        let (client, connection) = target
            .connect_raw(Socket::from(socket), NoTls)
            .await
            .map_err(|error| Error::unavailable(&error.to_string()))?;
        worker::wasm_bindgen_futures::spawn_local(async move {
            // Its errors reach the statement that is waiting.
            let _ = connection.await;
            drop(open);
        });
        Ok(client)
    }
}

/// A socket that is closed when nobody needs it any more, whichever way that comes about.
struct Open(JsValue);

impl Drop for Open {
    fn drop(&mut self) {
        boundary::close_socket(&self.0);
    }
}

fn target(hyperdrive: &Hyperdrive) -> Result<PgConfig> {
    TARGET.with(|cell| {
        if let Some(target) = cell.get() {
            return Ok(target.clone());
        }
        let mut target = PgConfig::new();
        target
            .user(hyperdrive.user())
            .password(hyperdrive.password())
            .dbname(hyperdrive.database());
        Ok(cell.get_or_init(|| target).clone())
    })
}

/// Runs `work`, or gives up with 503 after `patience`.
pub async fn within<T>(patience: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    use futures_util::future::{Either, select};
    let work = std::pin::pin!(work);
    let limit = std::pin::pin!(worker::Delay::from(patience));
    match select(work, limit).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(((), _)) => Err(Error::unavailable("postgres did not answer in time")),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds of one call")]
fn add(cell: &Cell<i64>, millis: f64) {
    cell.set(cell.get() + millis as i64);
}

fn decode<O: DeserializeOwned>(json: &str) -> Result<O> {
    serde_json::from_str(json).map_err(|error| match json {
        "null" => Error::not_found(),
        _ => Error::internal(format!("an answer of postgres does not decode: {error}")),
    })
}

/// What an error of Postgres means to the caller. Errors our SQL raises have class `PU`: the last
/// three digits are the HTTP status, the message is the code, the detail is for people, the column
/// a JSON pointer.
fn problem(error: &tokio_postgres::Error, conflicts: &[(&str, &str)]) -> Error {
    let Some(db) = error.as_db_error() else {
        return Error::unavailable(&error.to_string());
    };
    let code = db.code().code();
    if let Some(status) = code
        .strip_prefix("PU")
        .and_then(|digits| digits.parse().ok())
    {
        let mut ours = Error::new(
            status,
            db.message().to_owned(),
            db.detail().unwrap_or("This cannot be done.").to_owned(),
        );
        if let Some(pointer) = db.column() {
            ours.errors.push(rules::invalid::FieldError {
                pointer: pointer.to_owned(),
                code: db.message().to_owned(),
                message: ours.detail.to_string(),
            });
        }
        if status == 429 {
            ours.retry_after = db
                .hint()
                .and_then(|seconds| seconds.parse().ok())
                .or(Some(60));
        }
        return ours;
    }
    let known = db
        .constraint()
        .and_then(|broken| conflicts.iter().find(|(name, _)| *name == broken));
    if let Some((_, code)) = known {
        return Error::conflict((*code).to_owned(), "It clashes with something that exists.");
    }
    let class = code.get(..2).unwrap_or_default();
    match (class, code) {
        // The transaction set itself a time limit.
        (_, "25P04") => {
            let mut error = Error::unavailable("transaction_timeout");
            error.code = TOO_SLOW.into();
            error
        }
        (_, "22P05") => rules::invalid::Invalid::one(
            "",
            "unsupported_character",
            "The character U+0000 cannot be stored.",
        )
        .into(),
        // Connection failures, too many connections, shutdown; deadlocks and locks held too long.
        ("08" | "53" | "57", _) | (_, "40001" | "40P01" | "55P03") => {
            Error::unavailable(&format!("{code}: {}", db.message()))
        }
        _ => Error::internal(format!("postgres {code}: {}", db.message())),
    }
}
