//! The live object of one check-in table: the authority on its scans while the event runs.
//!
//! A thin shell over `rules::checkin`: load, decide, append, broadcast. Postgres is the record, at
//! most about a second behind; this object rebuilds itself from it when its storage is empty.
//! Invariant: a scan is acknowledged only when its one appended row is durable (the output gate
//! holds answers and socket messages until then), and no scan waits for Postgres.
//! Failure: an evicted or killed object reads its storage again; entries that had not reached
//! Postgres are still in it. An append that finds its place taken means a successor is running:
//! this instance lets go of its memory and reads again.
#![allow(
    missing_docs,
    reason = "the macro of the object makes methods of its own"
)]

mod access;
mod badge;
mod channels;
mod commands;
mod devices;
mod exits;
mod heard;
mod record;
mod roster;
mod several;
mod staff;
mod storage;
mod store;
mod sync;
mod table;
mod tickets;

pub use commands::REPLAYED;
pub use roster::UNCHANGED;
pub use several::Known;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::lock::Mutex;
use uuid::Uuid;
use worker::{
    DurableObject, Env, Request, Response, State, WebSocket, WebSocketIncomingMessage,
    durable_object,
};

use crate::platform::boundary::{self, Head};
use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::live::Hub;
use crate::platform::log::{self, Level};
use crate::platform::object::{self, Alarm, Caller};
use crate::platform::scope::Scope;
use storage::Storage;
use table::Table;

/// How long entries gather before they go to Postgres.
const GATHER: TimeDelta = TimeDelta::milliseconds(250);
/// How long to wait after Postgres did not take them.
const RETRY: TimeDelta = TimeDelta::seconds(1);

/// The live object of one check-in table.
#[durable_object]
pub struct CheckinTable {
    state: State,
    env: Env,
    hub: Rc<Hub>,
    table: Rc<RefCell<Option<Rc<Table>>>>,
    opening: Mutex<()>,
    pulling: Mutex<()>,
    leaving: Mutex<()>,
    confirming: Mutex<()>,
    pulled_at: Cell<Option<DateTime<Utc>>>,
    alarm: Alarm,
    stats_due: Rc<Cell<bool>>,
    devices_due: Rc<Cell<bool>>,
    /// Who was on line when the list was last sent; none since the object woke.
    devices_online: Rc<RefCell<Option<BTreeSet<Uuid>>>>,
}

impl DurableObject for CheckinTable {
    fn new(state: State, env: Env) -> Self {
        let hub = Rc::new(Hub::open(&state));
        Self {
            state,
            env,
            hub,
            table: Rc::default(),
            opening: Mutex::new(()),
            pulling: Mutex::new(()),
            leaving: Mutex::new(()),
            confirming: Mutex::new(()),
            pulled_at: Cell::new(None),
            alarm: Alarm::default(),
            stats_due: Rc::default(),
            devices_due: Rc::default(),
            devices_online: Rc::default(),
        }
    }

    /// Only a WebSocket comes as a request.
    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        match self.upgrade(&Head::of(request.inner())).await {
            Ok(response) => Ok(response.into()),
            Err(error) => object::refuse(error),
        }
    }

    async fn alarm(&self) -> worker::Result<Response> {
        self.alarm.forget();
        if let Err(error) = self.wake().await {
            log::write(
                Level::Warn,
                "alarm",
                &[
                    ("code", error.code.as_ref().into()),
                    ("context", error.context.into()),
                ],
            );
            self.arm(clock::now() + RETRY);
        }
        Ok(boundary::respond(200, "", &worker::wasm_bindgen::JsValue::NULL)?.into())
    }

    async fn websocket_message(
        &self,
        socket: WebSocket,
        message: WebSocketIncomingMessage,
    ) -> worker::Result<()> {
        let text = match message {
            WebSocketIncomingMessage::String(text) => text,
            WebSocketIncomingMessage::Binary(_) => String::new(),
        };
        self.hub.message(&socket, &text, self).await;
        self.arm_for_sockets();
        Ok(())
    }

    async fn websocket_close(
        &self,
        socket: WebSocket,
        code: usize,
        _reason: String,
        _was_clean: bool,
    ) -> worker::Result<()> {
        self.left(self.hub.closed(&socket, code).as_ref());
        Ok(())
    }

    async fn websocket_error(
        &self,
        socket: WebSocket,
        _error: worker::Error,
    ) -> worker::Result<()> {
        self.left(self.hub.closed(&socket, 1006).as_ref());
        Ok(())
    }
}

impl CheckinTable {
    fn ctx(&self, request_id: Option<String>) -> Ctx {
        Ctx::new(self.env.clone(), request_id, None)
    }

    async fn upgrade(&self, head: &Head) -> Result<worker::web_sys::Response> {
        let accepted = self.hub.accept(head, clock::now(), self).await?;
        self.arm_for_sockets();
        Ok(accepted)
    }

    /// The table, read from storage or, when that is empty, from Postgres. `who` says for which
    /// tenant the table is asked for.
    async fn table(&self, ctx: &Ctx, who: &Caller) -> Result<Rc<Table>> {
        if let Some(table) = self.awake()? {
            return Ok(table);
        }
        let _one_at_a_time = self.opening.lock().await;
        if let Some(table) = self.awake()? {
            return Ok(table);
        }
        let table_id = self.table_id()?;
        let tenant = self.tenant_of(ctx, who).await?;
        let storage = || Storage::make(&self.state);
        let table = Rc::new(record::rebuild(ctx, storage, tenant, table_id).await?);
        self.look_out(&table);
        self.table.replace(Some(Rc::clone(&table)));
        Ok(table)
    }

    /// The table, if this object keeps it.
    fn awake(&self) -> Result<Option<Rc<Table>>> {
        if let Some(table) = self.table.borrow().as_ref() {
            return Ok(Some(Rc::clone(table)));
        }
        let Some(storage) = Storage::open(&self.state)? else {
            return Ok(None);
        };
        let Some(table) = Table::load(storage)? else {
            return Ok(None);
        };
        let table = Rc::new(table);
        // An alarm for anything else takes the place of the one that was set.
        self.look_out(&table);
        self.table.replace(Some(Rc::clone(&table)));
        Ok(Some(table))
    }

    /// The table's id is the object's name.
    fn table_id(&self) -> Result<Uuid> {
        let name = self.state.id().name().unwrap_or_default();
        Uuid::try_parse(&name).map_err(|_| Error::not_found())
    }

    async fn tenant_of(&self, ctx: &Ctx, who: &Caller) -> Result<Uuid> {
        let scope = Scope {
            credential: who.credential.clone(),
            tenant: who.tenant,
            roles: rules::roles::allowed(
                rules::roles::Verb::Read,
                rules::roles::Resource::Dashboard,
            ),
            idempotency: None,
        };
        match scope.known_tenant() {
            Some(tenant) => Ok(tenant),
            None => staff::tenant(ctx, &scope).await,
        }
    }

    /// What is due: who has to leave, the record, the sockets and who is on them.
    async fn wake(&self) -> Result<()> {
        let now = clock::now();
        if self.hub.next_deadline().is_some_and(|at| at <= now) {
            self.hub.sweep(now);
        }
        let Some(table) = self.awake()? else {
            return Ok(());
        };
        let left = self.let_all_out(&table, now).await;
        let outcome = record::flush(&self.ctx(None), &table).await;
        match &outcome {
            Ok(()) if table.flushed.get() < table.seq() => self.arm(clock::now() + GATHER),
            _ => {}
        }
        if outcome.is_ok() {
            self.note_devices(&self.ctx(None), &table).await?;
            self.note_exits(&self.ctx(None), &table).await?;
        }
        self.confirm_readers(&table).await;
        self.look_after_devices(&table)?;
        self.arm_for_sockets();
        left.and(outcome)
    }

    /// Sets the alarm, unless an earlier one is set.
    fn arm(&self, at: DateTime<Utc>) {
        self.alarm.set(&self.state, at);
    }

    fn arm_for_sockets(&self) {
        let due = [self.hub.next_deadline(), self.readers_due()];
        if let Some(at) = due.into_iter().flatten().min() {
            self.arm(at.max(clock::now() + GATHER));
        }
    }
}
