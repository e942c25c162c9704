//! The live object of a tenant: its channels, and the sockets of its staff.
//!
//! Invariant: the record is in Postgres; what was pulled is kept here, so that a reader who was away gets
//! what it missed without anybody being asked. Offsets are those of Postgres: dense, in commit order.
//! Failure: an object that lost its storage pulls the newest events again; readers that are further behind
//! read the list again.
#![allow(
    missing_docs,
    reason = "the macro of the object makes methods of its own"
)]

use std::cell::Cell;

use chrono::TimeDelta;
use futures_util::lock::Mutex;
use rules::roles::{Resource, Verb};
use serde_json::json;
use uuid::Uuid;
use worker::wasm_bindgen::prelude::*;
use worker::{
    DurableObject, Env, Request, Response, State, WebSocket, WebSocketIncomingMessage,
    durable_object,
};

use super::readers::Readers;
use super::storage::Storage;
use super::store;
use crate::platform::boundary::{self, Head};
use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::live::{Happened, Hub};
use crate::platform::object::{self, Alarm, ObjectAnswer};
use crate::platform::scope::{Credential, Scope};

/// The channels, what their events are called, and who may watch them.
const CHANNELS: [(&str, &str, Verb, Resource); 1] =
    [("alerts", "alert", Verb::Read, Resource::MonitorAlert)];
/// Most events of a channel that are pulled at once, and the fewest that are kept.
pub(super) const KEPT: u64 = 2_000;
/// How soon after now an alarm is set at the earliest.
const SOON: TimeDelta = TimeDelta::milliseconds(250);

/// Whether there is such a channel.
pub fn is_channel(name: &str) -> bool {
    CHANNELS.iter().any(|(known, ..)| *known == name)
}

/// Who may watch a channel; none when there is no such channel.
pub(super) fn watching(name: &str) -> Option<(Verb, Resource)> {
    let known = CHANNELS.iter().find(|(known, ..)| *known == name);
    known.map(|(_, _, verb, resource)| (*verb, *resource))
}

/// The live object of one tenant.
#[durable_object]
pub struct Tenant {
    pub(super) state: State,
    env: Env,
    pub(super) hub: Hub,
    pub(super) readers: Readers,
    pulling: Mutex<()>,
    pulled: Cell<bool>,
    alarm: Alarm,
}

impl DurableObject for Tenant {
    fn new(state: State, env: Env) -> Self {
        let hub = Hub::open(&state);
        Self {
            state,
            env,
            hub,
            readers: Readers::default(),
            pulling: Mutex::new(()),
            pulled: Cell::new(false),
            alarm: Alarm::default(),
        }
    }

    /// Only a WebSocket comes as a request.
    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        let head = Head::of(request.inner());
        match self.hub.accept(&head, clock::now(), self).await {
            Ok(response) => {
                self.arm();
                Ok(response.into())
            }
            Err(error) => object::refuse(error),
        }
    }

    async fn alarm(&self) -> worker::Result<Response> {
        self.alarm.forget();
        let now = clock::now();
        if self.hub.next_deadline().is_some_and(|at| at <= now) {
            self.hub.sweep(now);
        }
        self.confirm_all().await;
        self.arm();
        Ok(boundary::respond(200, "", &JsValue::NULL)?.into())
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
        self.arm();
        Ok(())
    }

    async fn websocket_close(
        &self,
        socket: WebSocket,
        code: usize,
        _reason: String,
        _was_clean: bool,
    ) -> worker::Result<()> {
        self.hub.closed(&socket, code);
        Ok(())
    }

    async fn websocket_error(
        &self,
        socket: WebSocket,
        _error: worker::Error,
    ) -> worker::Result<()> {
        self.hub.closed(&socket, 1006);
        Ok(())
    }
}

#[wasm_bindgen(
    wasm_bindgen = worker::wasm_bindgen,
    wasm_bindgen_futures = worker::wasm_bindgen_futures,
    js_sys = worker::js_sys
)]
impl Tenant {
    /// Runs a command for the Worker: see `platform::object`.
    pub async fn command(&self, name: String, body: String) -> String {
        object::answer(self.run(&name, &body).await)
    }
}

impl Tenant {
    async fn run(&self, command: &str, body: &str) -> Result<ObjectAnswer> {
        let (who, input) = object::open(body)?;
        if who.credential != Credential::System {
            return Err(Error::not_found());
        }
        match command {
            "pull" => self.pull().await?,
            "standing" => self.standing_changed(serde_json::from_str(input)?).await,
            _ => return Err(Error::internal(format!("unknown command {command}"))),
        }
        Ok(ObjectAnswer {
            status: 200,
            body: "{}".to_owned(),
        })
    }

    pub(super) fn ctx(&self) -> Ctx {
        Ctx::new(self.env.clone(), None, None)
    }

    /// The tenant's id is the object's name.
    pub(super) fn tenant(&self) -> Result<Uuid> {
        let name = self.state.id().name().unwrap_or_default();
        Uuid::try_parse(&name).map_err(|_| Error::not_found())
    }

    /// Makes sure that all is here that was emitted before somebody came.
    pub(super) async fn caught_up(&self) -> Result<()> {
        match self.pulled.get() {
            true => Ok(()),
            false => self.pull().await,
        }
    }

    /// Gets what is new from Postgres and sends it to who watches.
    async fn pull(&self) -> Result<()> {
        let _one_at_a_time = self.pulling.lock().await;
        let ctx = self.ctx();
        let scope = Scope::system(self.tenant()?);
        let storage = Storage::make(&self.state)?;
        loop {
            let mut after = serde_json::Map::new();
            for (name, ..) in CHANNELS {
                after.insert(name.to_owned(), json!(storage.position(name)?));
            }
            let asked = json!({"after": after, "limit": KEPT});
            let pulled = ctx.pg.call(&scope, &store::PULL, &asked).await?;
            let mut more = false;
            for (name, found) in &pulled {
                storage.keep(name, found)?;
                for event in &found.events {
                    self.hub.publish(name, &happened(name, event)?);
                }
                let last = found.events.last().map(|event| event.offset);
                more |= last.is_some_and(|last| last < found.offset);
            }
            if !more {
                self.pulled.set(true);
                return Ok(());
            }
        }
    }

    fn arm(&self) {
        let due = [self.hub.next_deadline(), self.readers.due(&self.hub)];
        let Some(at) = due.into_iter().flatten().min() else {
            return;
        };
        let at = at.max(clock::now() + SOON);
        self.alarm.set(&self.state, at);
    }
}

/// An event as it is sent.
pub(super) fn happened(channel: &str, event: &store::Emitted) -> Result<Happened> {
    let known = CHANNELS.iter().find(|(name, ..)| *name == channel);
    let kind = known.map_or("event", |(_, kind, ..)| *kind);
    let at = rules::time::try_parse(&event.at);
    Ok(Happened {
        offset: event.offset,
        kind,
        at: at.ok_or_else(|| Error::internal("an event without a time"))?,
        data: event.data.get().to_owned(),
    })
}
