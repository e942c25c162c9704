//! The object itself: a thin shell that owns the session, its alarm and its storage.
//!
//! Invariant: one thing is asked of the replica at a time; commands come from the Worker only, for
//! the tenant that the Worker names.
//! Failure: what an alarm does not get done, the next one does; a connection that is gone leaves
//! nothing behind.
#![allow(
    missing_docs,
    reason = "the macro of the object makes methods of its own"
)]

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::lock::Mutex;
use rules::monitor::breaker::{self, Breaker};
use rules::monitor::ledger::Work;
use rules::monitor::session::Limits;
use serde_json::json;
use uuid::Uuid;
use worker::wasm_bindgen::prelude::*;
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use super::asking::Asking;
use super::browse::{self, Look};
use super::home;
use super::line::Line;
use super::memory::Memory;
use super::storage::Storage;
use super::store::{self, Access};
use super::test;
use super::wake::{Done, Wake, Which};
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::log::{self, Level};
use crate::platform::object::{self, Alarm, Caller, ObjectAnswer};
use crate::platform::scope::{Credential, Scope};
use crate::platform::{boundary, clock};

/// How long to wait after an alarm that did not get everything done.
const RETRY: TimeDelta = TimeDelta::seconds(5);

/// The object of one connection.
#[durable_object]
pub struct Replica {
    state: State,
    env: Env,
    line: Mutex<Line>,
    memory: Mutex<Memory>,
    alarm: Alarm,
}

impl DurableObject for Replica {
    fn new(state: State, env: Env) -> Self {
        Self {
            state,
            env,
            line: Mutex::default(),
            memory: Mutex::default(),
            alarm: Alarm::default(),
        }
    }

    async fn fetch(&self, _request: Request) -> worker::Result<Response> {
        object::refuse(Error::not_found())
    }

    async fn alarm(&self) -> worker::Result<Response> {
        self.alarm.forget();
        if let Err(error) = self.wake().await {
            log::write(
                Level::Warn,
                "replica",
                &[
                    ("code", error.code.as_ref().into()),
                    ("context", error.context.into()),
                ],
            );
            self.arm(clock::now() + RETRY);
        }
        Ok(boundary::respond(200, "", &JsValue::NULL)?.into())
    }
}

#[wasm_bindgen(
    wasm_bindgen = worker::wasm_bindgen,
    wasm_bindgen_futures = worker::wasm_bindgen_futures,
    js_sys = worker::js_sys
)]
impl Replica {
    /// Runs a command for the Worker: see `platform::object`.
    pub async fn command(&self, name: String, body: String) -> String {
        object::answer(self.run(&name, &body).await)
    }
}

impl Replica {
    async fn run(&self, command: &str, body: &str) -> Result<ObjectAnswer> {
        let (who, input) = object::open(body)?;
        let tenant = tenant(&who)?;
        let ctx = Ctx::new(
            self.env.clone(),
            Some(format!("{}.object", who.request_id)),
            None,
        );
        match command {
            "test" => answer(&self.test(&ctx, tenant).await?),
            "browse" => {
                let look: Look = serde_json::from_str(input)?;
                answer(&self.browse(&ctx, tenant, &look).await?)
            }
            "run" | "dry-run" => {
                let table: Uuid = serde_json::from_str(input)?;
                let dry = command == "dry-run";
                let done = self.round(&ctx, tenant, Which::Of(table), dry).await?;
                let ran = done.map(|done| done.ran).unwrap_or_default();
                let results: Vec<_> = ran.into_iter().map(|ran| ran.result).collect();
                answer(&results)
            }
            "changed" => {
                self.changed(&ctx, tenant).await?;
                answer(&json!({}))
            }
            // The minute tick: the alarm was lost, or is late. It waits for no replica.
            "wake" => {
                Storage::make(&self.state)?.put("tenant", &tenant)?;
                self.alarm.forget();
                self.arm(clock::now());
                answer(&json!({}))
            }
            _ => Err(Error::internal(format!("unknown command {command}"))),
        }
    }

    /// A changed connection is signed in to anew; of one that is gone nothing stays.
    async fn changed(&self, ctx: &Ctx, tenant: Uuid) -> Result<()> {
        match self.access(ctx, tenant).await {
            Ok(access) => {
                Storage::make(&self.state)?.put("tenant", &tenant)?;
                // Whoever asks at the moment does not keep the caller waiting; the next one opens anew.
                if let Some(mut line) = self.line.try_lock() {
                    line.try_again();
                    line.close_unless(access.version).await;
                }
                self.arm(clock::now());
                Ok(())
            }
            Err(error) if error.status == 404 => self.forget().await,
            Err(error) => Err(error),
        }
    }

    async fn forget(&self) -> Result<()> {
        self.line.lock().await.close().await;
        self.state.storage().delete_alarm().await?;
        self.state.storage().delete_all().await?;
        Ok(())
    }

    /// One run; none when the connection is gone.
    async fn round(
        &self,
        ctx: &Ctx,
        tenant: Uuid,
        which: Which,
        dry: bool,
    ) -> Result<Option<Done>> {
        let mut line = self.line.lock().await;
        let mut memory = self.memory.lock().await;
        let storage = Storage::make(&self.state)?;
        let mut wake = Wake {
            ctx,
            storage: &storage,
            line: &mut line,
            memory: &mut memory,
            connection: self.connection()?,
            tenant,
        };
        let done = wake.run(which, dry).await;
        if done.is_err() {
            // What was found and is not home yet is brought there by the alarm.
            self.arm(clock::now() + RETRY);
        }
        let done = done?;
        if let Some(next) = done.as_ref().and_then(|done| done.next) {
            self.arm(next);
        }
        self.arm_for(&line);
        drop((line, memory));
        if done.is_none() {
            self.forget().await?;
        }
        Ok(done)
    }

    async fn browse(&self, ctx: &Ctx, tenant: Uuid, look: &Look) -> Result<serde_json::Value> {
        let look = async |asking: &mut Asking<'_>| {
            let breaker: Breaker = asking.storage.get("breaker")?.unwrap_or_default();
            if let breaker::State::Open { until } = breaker.state(clock::now()) {
                let text = format!("The replica suffers, and is left alone until {until:?}.");
                return Err(Error::conflict("breaker", text));
            }
            browse::look(asking, look).await
        };
        self.by_hand(ctx, tenant, look).await
    }

    async fn test(&self, ctx: &Ctx, tenant: Uuid) -> Result<test::Tested> {
        let look = async |asking: &mut Asking<'_>| test::test(asking).await;
        self.by_hand(ctx, tenant, look).await
    }

    /// Asks something that somebody waits for, as long as the budget of the hour allows.
    async fn by_hand<T>(
        &self,
        ctx: &Ctx,
        tenant: Uuid,
        work: impl AsyncFnOnce(&mut Asking<'_>) -> Result<T>,
    ) -> Result<T> {
        let access = self.access(ctx, tenant).await?;
        let mut line = self.line.lock().await;
        line.try_again();
        let storage = Storage::make(&self.state)?;
        storage.put("tenant", &tenant)?;
        let mut asking = Asking {
            ctx,
            storage: &storage,
            line: &mut line,
            connection: self.connection()?,
            access: &access,
            budget: access.hourly(),
            factor: 1.0,
            ledger: storage.get("ledger")?.unwrap_or_default(),
            work: Work::default(),
            share: None,
            catalog: BTreeMap::new(),
            version: 0,
            limits: Limits::default(),
        };
        let found = work(&mut asking).await;
        storage.put("ledger", &asking.ledger)?;
        let spent = asking.work;
        self.arm_for(&line);
        drop(line);
        home::note(ctx, &storage, (tenant, self.connection()?), &spent, 0).await?;
        found
    }

    async fn wake(&self) -> Result<()> {
        let now = clock::now();
        {
            let mut line = self.line.lock().await;
            if line.closes_at().is_some_and(|at| at <= now) {
                line.close().await;
            }
        }
        let Some(storage) = Storage::open(&self.state)? else {
            return Ok(());
        };
        let Some(tenant) = storage.get("tenant")? else {
            return Ok(());
        };
        let ctx = Ctx::new(self.env.clone(), None, None);
        self.round(&ctx, tenant, Which::Due, false).await.map(drop)
    }

    async fn access(&self, ctx: &Ctx, tenant: Uuid) -> Result<Access> {
        let which = json!({"id": self.connection()?});
        let scope = Scope::system(tenant);
        ctx.pg.call(&scope, &store::ACCESS, &which).await
    }

    /// The connection's id is the object's name.
    fn connection(&self) -> Result<Uuid> {
        let name = self.state.id().name().unwrap_or_default();
        Uuid::try_parse(&name).map_err(|_| Error::not_found())
    }

    fn arm_for(&self, line: &Line) {
        if let Some(at) = line.closes_at() {
            self.arm(at);
        }
    }

    /// Sets the alarm, unless an earlier one is set.
    fn arm(&self, at: DateTime<Utc>) {
        self.alarm.set(&self.state, at);
    }
}

fn tenant(who: &Caller) -> Result<Uuid> {
    match (&who.credential, who.tenant) {
        (Credential::System, Some(tenant)) => Ok(tenant),
        _ => Err(Error::not_found()),
    }
}

fn answer<T: serde::Serialize>(body: &T) -> Result<ObjectAnswer> {
    Ok(ObjectAnswer {
        status: 200,
        body: serde_json::to_string(body)?,
    })
}
