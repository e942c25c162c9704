//! Frames: what a client says, read strictly; what the server says, written once.
//!
//! Invariant: a frame is one JSON object with a positive `id` and exactly one verb, and no field
//! that the protocol does not name. An event is written once, whoever gets it.
//! Failure: anything else is [`Malformed`], which closes the socket with
//! [`close::MALFORMED`](super::close::MALFORMED). The body of a scan, a batch or a status is passed on
//! unread: what is wrong with it is answered, not punished.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::log::{MAX_EPOCH, Position};
use crate::time;

mod write;

pub use write::{
    Event, Watcher, connected, error, event, noted, presence, refreshed, subscribed, synced,
    unsubscribed, verdict,
};

/// Longest frame read, in bytes.
pub const MAX_FRAME: usize = 64 * 1024;
/// Longest channel name, in bytes.
pub const MAX_CHANNEL: usize = 64;
/// Longest name a client gives itself, in characters.
pub const MAX_CLIENT: usize = 64;
/// The greatest `id`: the greatest integer that JavaScript counts to.
pub const MAX_ID: u64 = (1 << 53) - 1;

/// A frame that breaks the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// What a client says. Borrows from the text of the frame.
#[derive(Clone, Debug)]
pub enum ClientFrame<'a> {
    /// Here I am.
    Connect {
        /// Number of the request.
        id: u64,
        /// Access or device token.
        token: String,
        /// What the client calls itself, for example `dashboard/1.4`.
        client: Option<String>,
    },
    /// Send me a channel.
    Subscribe {
        /// Number of the request.
        id: u64,
        /// Its name.
        channel: String,
        /// Where the client was.
        recover: Option<Position>,
    },
    /// No more of a channel.
    Unsubscribe {
        /// Number of the request.
        id: u64,
        /// Its name.
        channel: String,
    },
    /// Who watches a channel?
    Presence {
        /// Number of the request.
        id: u64,
        /// Its name.
        channel: String,
    },
    /// A newer token.
    Refresh {
        /// Number of the request.
        id: u64,
        /// Access or device token.
        token: String,
    },
    /// A scan, as the body of `POST /pulse/check-ins`.
    Scan {
        /// Number of the request.
        id: u64,
        /// The body, unread.
        body: &'a RawValue,
    },
    /// Several scans, as the body of `POST /pulse/check-ins/sync`.
    Sync {
        /// Number of the request.
        id: u64,
        /// The body, unread.
        body: &'a RawValue,
    },
    /// What a device says of itself, as the body of `POST /pulse/sessions/{id}/status`.
    Status {
        /// Number of the request.
        id: u64,
        /// The body, unread.
        body: &'a RawValue,
    },
    /// I have read this far. Not answered; a reader that sends these is cut off by how much it has
    /// not read instead of by its silence.
    Ack {
        /// Its name.
        channel: String,
        /// The last event read.
        offset: u64,
    },
    /// Still there. Only seen when the runtime did not answer it by itself.
    Ping {
        /// What to say: bare to a bare ping, a JSON text to a JSON text.
        answer: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw<'a> {
    id: u64,
    #[serde(default)]
    connect: Option<Connect>,
    #[serde(default)]
    subscribe: Option<Subscribe>,
    #[serde(default)]
    unsubscribe: Option<Channel>,
    #[serde(default)]
    presence: Option<Channel>,
    #[serde(default)]
    refresh: Option<Refresh>,
    #[serde(default, borrow)]
    scan: Option<&'a RawValue>,
    #[serde(default, borrow)]
    sync: Option<&'a RawValue>,
    #[serde(default, borrow)]
    status: Option<&'a RawValue>,
    #[serde(default)]
    ack: Option<Ack>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ack {
    channel: String,
    offset: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Connect {
    token: String,
    #[serde(default)]
    client: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refresh {
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscribe {
    channel: String,
    #[serde(default)]
    recover: Option<Position>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Channel {
    channel: String,
}

/// Reads one text frame.
pub fn parse(text: &str) -> Result<ClientFrame<'_>, Malformed> {
    match text {
        "ping" => return Ok(ClientFrame::Ping { answer: "pong" }),
        "\"ping\"" => return Ok(ClientFrame::Ping { answer: "\"pong\"" }),
        _ => {}
    }
    // serde would take a JSON array for the struct as well.
    if text.len() > MAX_FRAME || !text.trim_start().starts_with('{') {
        return Err(Malformed);
    }
    let raw: Raw<'_> = serde_json::from_str(text).map_err(|_| Malformed)?;
    let id = raw.id;
    let verbs = [
        raw.connect.is_some(),
        raw.subscribe.is_some(),
        raw.unsubscribe.is_some(),
        raw.presence.is_some(),
        raw.refresh.is_some(),
        raw.scan.is_some(),
        raw.sync.is_some(),
        raw.status.is_some(),
        raw.ack.is_some(),
    ];
    if id == 0 || id > MAX_ID || verbs.iter().filter(|said| **said).count() != 1 {
        return Err(Malformed);
    }
    if let Some(it) = raw.connect {
        let printable = |name: String| {
            name.chars()
                .filter(|c| !c.is_control())
                .take(MAX_CLIENT)
                .collect()
        };
        Ok(ClientFrame::Connect {
            id,
            token: it.token,
            client: it.client.map(printable),
        })
    } else if let Some(it) = raw.subscribe {
        if it
            .recover
            .as_ref()
            .is_some_and(|position| position.epoch.len() > MAX_EPOCH)
        {
            return Err(Malformed);
        }
        Ok(ClientFrame::Subscribe {
            id,
            channel: named(it.channel)?,
            recover: it.recover,
        })
    } else if let Some(it) = raw.unsubscribe {
        Ok(ClientFrame::Unsubscribe {
            id,
            channel: named(it.channel)?,
        })
    } else if let Some(it) = raw.presence {
        Ok(ClientFrame::Presence {
            id,
            channel: named(it.channel)?,
        })
    } else if let Some(it) = raw.refresh {
        Ok(ClientFrame::Refresh {
            id,
            token: it.token,
        })
    } else if let Some(it) = raw.ack {
        Ok(ClientFrame::Ack {
            channel: named(it.channel)?,
            offset: it.offset,
        })
    } else if let Some(body) = raw.sync {
        Ok(ClientFrame::Sync {
            id,
            body: object(Some(body))?,
        })
    } else if let Some(body) = raw.status {
        Ok(ClientFrame::Status {
            id,
            body: object(Some(body))?,
        })
    } else {
        let body = object(raw.scan)?;
        Ok(ClientFrame::Scan { id, body })
    }
}

fn object(body: Option<&RawValue>) -> Result<&RawValue, Malformed> {
    body.filter(|body| body.get().starts_with('{'))
        .ok_or(Malformed)
}

fn named(channel: String) -> Result<String, Malformed> {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':');
    if (1..=MAX_CHANNEL).contains(&channel.len()) && channel.bytes().all(plain) {
        Ok(channel)
    } else {
        Err(Malformed)
    }
}

/// An instant as a JSON text.
fn quoted(instant: DateTime<Utc>) -> String {
    format!("\"{}\"", time::render(instant))
}

#[cfg(test)]
mod tests;
