//! What the server says.
//!
//! Invariant: what is written is one JSON object. `data` and bodies come in as JSON already, so that
//! an event with a thousand readers is serialised once.
//! Failure: none.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::quoted;
use crate::live::log::{Kind, Position};

/// An event of a channel, its `data` already JSON.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Its channel.
    pub channel: &'a str,
    /// Its place in the channel.
    pub offset: u64,
    /// What kind, for example `checkin.accepted`.
    pub kind: &'a str,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// JSON.
    pub data: &'a str,
}

/// Who watches a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Watcher<'a> {
    /// The socket.
    pub session: &'a str,
    /// `user`, `key` or `device`.
    pub kind: &'a str,
    /// The user, key or scanner session.
    pub id: &'a str,
    /// What the client calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<&'a str>,
}

/// `{"id":1,"connected":{…}}`. `ttl` in seconds.
pub fn connected(id: u64, session: &str, ttl: i64, server_time: DateTime<Utc>) -> String {
    format!(
        r#"{{"id":{id},"connected":{{"session":{},"ttl":{ttl},"server_time":{}}}}}"#,
        text(session),
        quoted(server_time)
    )
}

/// `{"id":6,"refreshed":{…}}`. `ttl` in seconds.
pub fn refreshed(id: u64, ttl: i64) -> String {
    format!(r#"{{"id":{id},"refreshed":{{"ttl":{ttl}}}}}"#)
}

/// `{"id":3,"subscribed":{…}}` with the events since the reader was away, oldest first. `kind`
/// tells a client whether offsets are dense (`counted`) or may skip (`latest`).
pub fn subscribed<'a>(
    id: u64,
    channel: &str,
    kind: Kind,
    position: &Position,
    recovered: bool,
    events: impl IntoIterator<Item = Event<'a>>,
) -> String {
    let mut out = format!(
        r#"{{"id":{id},"subscribed":{{"channel":{},"kind":"{}","epoch":{},"offset":{},"recovered":{recovered},"events":["#,
        text(channel),
        match kind {
            Kind::Counted => "counted",
            Kind::Latest => "latest",
        },
        text(&position.epoch),
        position.offset
    );
    let before = out.len();
    for event in events {
        if out.len() > before {
            out.push(',');
        }
        push_event(&mut out, &event);
    }
    out.push_str("]}}");
    out
}

/// `{"id":4,"unsubscribed":{…}}`.
pub fn unsubscribed(id: u64, channel: &str) -> String {
    format!(
        r#"{{"id":{id},"unsubscribed":{{"channel":{}}}}}"#,
        text(channel)
    )
}

/// `{"event":{…}}`: the same text for every reader.
pub fn event(event: &Event<'_>) -> String {
    let mut out =
        String::with_capacity(event.data.len() + event.channel.len() + event.kind.len() + 96);
    out.push_str(r#"{"event":"#);
    push_event(&mut out, event);
    out.push('}');
    out
}

/// `{"id":3,"error":{…}}`. `temporary`: worth trying again.
pub fn error(id: u64, code: &str, message: &str, temporary: bool) -> String {
    format!(
        r#"{{"id":{id},"error":{{"code":{},"message":{},"temporary":{temporary}}}}}"#,
        text(code),
        text(message)
    )
}

/// `{"id":5,"presence":{…}}`.
pub fn presence(id: u64, channel: &str, watchers: &[Watcher<'_>]) -> String {
    let watchers = serde_json::to_string(watchers).unwrap_or_else(|_| "[]".to_owned());
    format!(
        r#"{{"id":{id},"presence":{{"channel":{},"watchers":{watchers}}}}}"#,
        text(channel)
    )
}

/// `{"id":9,"verdict":{…}}`; the body as `POST /pulse/check-ins` answers it.
pub fn verdict(id: u64, body: &str) -> String {
    format!(r#"{{"id":{id},"verdict":{body}}}"#)
}

/// `{"id":9,"synced":{…}}`; the body as `POST /pulse/check-ins/sync` answers it.
pub fn synced(id: u64, body: &str) -> String {
    format!(r#"{{"id":{id},"synced":{body}}}"#)
}

/// `{"id":7,"noted":{}}`: a status was taken.
pub fn noted(id: u64) -> String {
    format!(r#"{{"id":{id},"noted":{{}}}}"#)
}

fn push_event(out: &mut String, event: &Event<'_>) {
    use std::fmt::Write;
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        r#"{{"channel":{},"offset":{},"type":{},"at":{},"data":{}}}"#,
        text(event.channel),
        event.offset,
        text(event.kind),
        quoted(event.at),
        event.data
    );
}

/// A JSON text. Names of channels, codes and the like need no escaping and are not walked twice.
fn text(value: &str) -> String {
    if value
        .bytes()
        .all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\')
    {
        format!("\"{value}\"")
    } else {
        serde_json::to_string(value).unwrap_or_else(|_| "\"\"".to_owned())
    }
}
