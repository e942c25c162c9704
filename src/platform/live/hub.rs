//! The sockets of one object.
//!
//! Invariant: subscribing and reading what was missed happen without an `await` in between, so an
//! event is either among the recovered ones or sent afterwards, never both and never neither. What a
//! socket is subscribed to lives in its attachment and survives hibernation.
//! Failure: a malformed frame closes its socket (3501), a slow reader is cut off (3008); see the
//! protocol for the other codes.

use std::cell::RefCell;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rules::live::close::{self, Close};
use rules::live::frame::{self, Event, Watcher};
use rules::live::log::Position;
use rules::live::session::{Access, Action, Identity, Session};
use wasm_bindgen::prelude::*;
use worker::js_sys::Array;
use worker::{State, WebSocket, web_sys};

use super::surface::{Happened, Surface};
use crate::platform::boundary::Head;
use crate::platform::clock;
use crate::platform::ctx::id_at;
use crate::platform::error::{Error, Result};

#[wasm_bindgen(module = "/src/platform/live/sockets.js")]
extern "C" {
    #[wasm_bindgen(js_name = openHub)]
    fn open_hub(state: &JsValue) -> JsValue;
    #[wasm_bindgen(js_name = acceptSocket)]
    fn accept_socket(hub: &JsValue, protocol: &str, attachment: &str) -> Array;
    pub(super) fn sockets(hub: &JsValue) -> Array;
    #[wasm_bindgen(js_name = attachmentOf)]
    fn attachment_of(socket: &JsValue) -> String;
    fn keep(socket: &JsValue, attachment: &str);
    fn heard(hub: &JsValue, socket: &JsValue, acknowledged: bool);
    fn join(hub: &JsValue, socket: &JsValue, channel: &str);
    fn leave(hub: &JsValue, socket: &JsValue, channel: &str);
    #[wasm_bindgen(js_name = drop)]
    fn drop_socket(hub: &JsValue, socket: &JsValue);
    fn watchers(hub: &JsValue, channel: &str) -> u32;
    fn send(hub: &JsValue, socket: &JsValue, text: &str);
    fn shut(hub: &JsValue, socket: &JsValue, code: u16, reason: &str);
    #[wasm_bindgen(js_name = lastSeen)]
    fn last_seen(hub: &JsValue, socket: &JsValue) -> f64;
    pub(super) fn present(hub: &JsValue, mark: &str) -> String;
    fn publish(hub: &JsValue, channel: &str, text: &str);
}

/// The sockets of one object.
pub struct Hub {
    pub(super) js: JsValue,
    /// The times of each open socket, by its session's id.
    pub(super) times: RefCell<HashMap<String, Times>>,
}

/// What has to be looked at again, and when, in Unix milliseconds.
pub(super) struct Times {
    /// When the socket ends unless something happens.
    pub(super) deadline: i64,
    /// When its reader was confirmed, if that is a member of staff.
    pub(super) confirmed: Option<i64>,
}

impl Hub {
    /// Takes over the sockets that outlived the object's sleep.
    pub fn open(state: &State) -> Self {
        let hub = Self {
            js: open_hub(state.as_raw()),
            times: RefCell::default(),
        };
        for socket in sockets(&hub.js) {
            let Some(session) = session_of(&socket) else {
                shut(&hub.js, &socket, close::RESTART.code, close::RESTART.reason);
                continue;
            };
            for channel in session.channels() {
                join(&hub.js, &socket, channel);
            }
            hub.note_times(&session);
        }
        hub
    }

    /// Answers an upgrade. A token in the subprotocol pair counts as the first frame.
    pub async fn accept(
        &self,
        head: &Head,
        now: DateTime<Utc>,
        surface: &impl Surface,
    ) -> Result<web_sys::Response> {
        let mut offered = head.protocol.split(',').map(str::trim);
        let versioned = offered.next() == Some("pulse.v1");
        let session = Session::new(id_at(now).to_string(), now.timestamp_millis());
        let protocol = if versioned { "pulse.v1" } else { "" };
        let pair = accept_socket(&self.js, protocol, &written(&session));
        let socket = pair.get(1);
        self.note_times(&session);
        if let (true, Some(token)) = (versioned, offered.next()) {
            self.verify(&socket, 0, token, None, surface).await;
        }
        pair.get(0)
            .dyn_into()
            .map_err(|_| Error::internal("no response to an upgrade"))
    }

    /// Handles a frame.
    pub async fn message(&self, socket: &WebSocket, text: &str, surface: &impl Surface) {
        let socket: &JsValue = socket.as_ref();
        let Some(mut session) = session_of(socket) else {
            return self.close(socket, close::RESTART);
        };
        let now = clock::now();
        let before = session.channels().to_vec();
        let access = |identity: &Identity, channel: &str| surface.access(identity, channel);
        let action = session.on_text(text, now.timestamp_millis(), access);
        heard(&self.js, socket, matches!(action, Action::Acknowledged));
        if session.channels() != before {
            self.keep(socket, &session);
            for channel in before.iter().filter(|channel| !session.has(channel)) {
                leave(&self.js, socket, channel);
            }
        }
        if let (Some(id), Some(who)) = (action.acts(), session.identity())
            && who.confirmed_ms.is_some()
        {
            match self.confirmed(socket, who, now, surface).await {
                Ok(confirmed) => session = confirmed,
                Err(error) => return send(&self.js, socket, &refusal(id, &error)),
            }
        }
        match action {
            Action::Verify { id, token, client } => {
                self.verify(socket, id, &token, client, surface).await;
            }
            Action::Renew { id, token } => self.renew(socket, id, &token, surface).await,
            Action::Subscribed {
                id,
                channel,
                recover,
            } => {
                join(&self.js, socket, &channel);
                let answer = subscribed(surface, id, &channel, recover.as_ref());
                send(
                    &self.js,
                    socket,
                    &answer.unwrap_or_else(|error| refusal(id, &error)),
                );
            }
            Action::Presence { id, channel } => {
                let answer = self.presence(id, &channel, now);
                send(&self.js, socket, &answer);
            }
            Action::Scan { id, body } => {
                let Some(identity) = session.identity() else {
                    return;
                };
                let answer = match surface.scan(identity, body, now) {
                    Ok(answer) => frame::verdict(id, &answer),
                    Err(error) => refusal(id, &error),
                };
                send(&self.js, socket, &answer);
            }
            Action::Sync { id, body } => {
                let Some(identity) = session.identity() else {
                    return;
                };
                let answer = match surface.sync(identity, body, now) {
                    Ok(answer) => frame::synced(id, &answer),
                    Err(error) => refusal(id, &error),
                };
                send(&self.js, socket, &answer);
            }
            Action::Status { id, body } => {
                let Some(identity) = session.identity() else {
                    return;
                };
                let answer = match surface.status(identity, body, now) {
                    Ok(()) => frame::noted(id),
                    Err(error) => refusal(id, &error),
                };
                send(&self.js, socket, &answer);
            }
            Action::Acknowledged => {}
            Action::Answer(text) => send(&self.js, socket, &text),
            Action::Close(close) => self.close(socket, close),
        }
    }

    /// The session of a member of staff as it is after they were confirmed.
    async fn confirmed(
        &self,
        socket: &JsValue,
        who: &Identity,
        now: DateTime<Utc>,
        surface: &impl Surface,
    ) -> Result<Session> {
        surface.confirm(who, now).await?;
        session_of(socket)
            .filter(|session| self.times.borrow().contains_key(&session.id))
            .ok_or_else(|| Error::unauthenticated("revoked"))
    }

    async fn verify(
        &self,
        socket: &JsValue,
        id: u64,
        token: &str,
        client: Option<String>,
        surface: &impl Surface,
    ) {
        let now = clock::now();
        let known = match surface.identify(token, now).await {
            Ok(known) => known,
            Err(error) if error.status == 503 => return self.close(socket, close::RESTART),
            Err(_) => return self.close(socket, close::REVOKED),
        };
        let Some(mut session) = session_of(socket) else {
            return;
        };
        let expires = known.expires_at.timestamp_millis();
        match session.accept(known.identity, client, expires, now.timestamp_millis()) {
            Ok(ttl) => {
                self.keep(socket, &session);
                send(
                    &self.js,
                    socket,
                    &frame::connected(id, &session.id, ttl, now),
                );
            }
            Err(close) => self.close(socket, close),
        }
    }

    async fn renew(&self, socket: &JsValue, id: u64, token: &str, surface: &impl Surface) {
        let now = clock::now();
        let known = match surface.identify(token, now).await {
            Ok(known) => known,
            Err(error) => return send(&self.js, socket, &refusal(id, &error)),
        };
        let Some(mut session) = session_of(socket) else {
            return;
        };
        let expires = known.expires_at.timestamp_millis();
        let answer = match session.renew(known.identity, expires, now.timestamp_millis()) {
            Ok(ttl) => {
                self.drop_unseen(socket, &mut session, surface);
                self.keep(socket, &session);
                frame::refreshed(id, ttl)
            }
            Err(code) => frame::error(id, code, "This token cannot be used here.", false),
        };
        send(&self.js, socket, &answer);
    }

    fn drop_unseen(&self, socket: &JsValue, session: &mut Session, surface: &impl Surface) {
        let seen = |who: &Identity, channel: &str| surface.access(who, channel) == Access::Granted;
        for channel in session.drop_channels(seen) {
            leave(&self.js, socket, &channel);
        }
    }

    fn presence(&self, id: u64, channel: &str, now: DateTime<Utc>) -> String {
        let now = now.timestamp_millis();
        let there: Vec<Session> = sockets(&self.js)
            .iter()
            .filter(|socket| rules::live::alive(millis(last_seen(&self.js, socket)), now))
            .filter_map(|socket| session_of(&socket))
            .filter(|session| session.has(channel))
            .collect();
        let watchers: Vec<Watcher<'_>> = there
            .iter()
            .filter_map(|session| {
                let identity = session.identity()?;
                Some(Watcher {
                    session: &session.id,
                    kind: &identity.kind,
                    id: &identity.id,
                    client: session.client(),
                })
            })
            .collect();
        frame::presence(id, channel, &watchers)
    }

    /// Sends an event to everyone who has its channel.
    pub fn publish(&self, channel: &str, event: &Happened) {
        if self.watched(channel) {
            publish(&self.js, channel, &frame::event(&framed(channel, event)));
        }
    }

    /// Whether anyone has the channel.
    pub fn watched(&self, channel: &str) -> bool {
        watchers(&self.js, channel) > 0
    }

    /// Ends the sockets whose time is over.
    pub fn sweep(&self, now: DateTime<Utc>) {
        for socket in sockets(&self.js) {
            let due = session_of(&socket).and_then(|session| session.due(now.timestamp_millis()));
            if let Some(close) = due {
                self.close(&socket, close);
            }
        }
    }

    /// When [`Hub::sweep`] is next needed.
    pub fn next_deadline(&self) -> Option<DateTime<Utc>> {
        let times = self.times.borrow();
        let earliest = times.values().map(|times| times.deadline).min();
        earliest.and_then(DateTime::from_timestamp_millis)
    }

    /// After a socket closed; answers whose it was.
    pub fn closed(&self, socket: &WebSocket, code: usize) -> Option<Identity> {
        let socket: &JsValue = socket.as_ref();
        let session = session_of(socket);
        self.forget(socket);
        drop_socket(&self.js, socket);
        // The runtime wants the close answered; a code it may not echo becomes a normal one.
        let code = u16::try_from(code)
            .ok()
            .filter(|code| (3000..5000).contains(code));
        shut(&self.js, socket, code.unwrap_or(1000), "");
        session.as_ref().and_then(Session::identity).cloned()
    }

    pub(super) fn close(&self, socket: &JsValue, close: Close) {
        self.forget(socket);
        shut(&self.js, socket, close.code, close.reason);
    }

    pub(super) fn keep(&self, socket: &JsValue, session: &Session) {
        keep(socket, &written(session));
        self.note_times(session);
    }

    fn note_times(&self, session: &Session) {
        let times = Times {
            deadline: session.deadline_ms(),
            confirmed: session.identity().and_then(|who| who.confirmed_ms),
        };
        self.times.borrow_mut().insert(session.id.clone(), times);
    }

    fn forget(&self, socket: &JsValue) {
        if let Some(session) = session_of(socket) {
            self.times.borrow_mut().remove(&session.id);
        }
    }
}

fn subscribed(
    surface: &impl Surface,
    id: u64,
    name: &str,
    asked: Option<&Position>,
) -> Result<String> {
    let channel = surface.channel(name)?;
    let missed = match asked {
        None => None,
        Some(asked) => channel.missed(asked, |after| surface.events_after(name, after))?,
    };
    let recovered = missed.is_some();
    let missed = missed.unwrap_or_default();
    let events = missed.iter().map(|event| framed(name, event));
    Ok(frame::subscribed(
        id,
        name,
        channel.kind,
        &channel.position,
        recovered,
        events,
    ))
}

fn framed<'a>(channel: &'a str, event: &'a Happened) -> Event<'a> {
    Event {
        channel,
        offset: event.offset,
        kind: event.kind,
        at: event.at,
        data: &event.data,
    }
}

fn refusal(id: u64, error: &Error) -> String {
    frame::error(
        id,
        &error.code,
        &error.detail,
        error.status == 503 || error.status == 429,
    )
}

pub(super) fn session_of(socket: &JsValue) -> Option<Session> {
    serde_json::from_str(&attachment_of(socket)).ok()
}

fn written(session: &Session) -> String {
    serde_json::to_string(session).unwrap_or_default()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "milliseconds since 1970 are far below 2^53"
)]
pub(super) fn millis(at: f64) -> i64 {
    at as i64
}
