//! One socket: from its first frame to its end.
//!
//! Invariant: before a token was accepted nothing but `connect` is answered; nothing is delivered
//! later than [`GRACE_MS`] past the token's expiry. All of it serialises into the socket's
//! hibernation attachment (16 KiB).
//! Failure: a broken protocol, a missing token, an expired one: each ends the socket with its close
//! code. A channel one may not see is an error answer; the socket lives.

use serde::{Deserialize, Serialize};

use super::close::{self, Close};
use super::frame::{self, ClientFrame};
use super::log::Position;

/// How long a socket may stay without a token, in milliseconds.
pub const TOKEN_WITHIN_MS: i64 = 10_000;
/// How long after the token's expiry a newer one is waited for, in milliseconds.
pub const GRACE_MS: i64 = 25_000;
/// Most channels one socket has.
pub const MAX_CHANNELS: usize = 32;

/// Who is on the other side, as the verified token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `user`, `key`, `device` or `anonymous`.
    #[serde(rename = "k")]
    pub kind: String,
    /// The user, key or scanner session.
    #[serde(rename = "i")]
    pub id: String,
    /// The sign-in a user's token came from; ending it ends the socket.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<String>,
    /// The tenant.
    #[serde(rename = "t")]
    pub tenant: String,
    /// The role within it.
    #[serde(rename = "r")]
    pub role: crate::roles::Role,
    /// What a device is for.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<crate::roles::Profile>,
    /// Which of a device's tokens it came with; see [`crate::token::DeviceClaims`].
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
    /// When the database last confirmed a member of staff, in Unix milliseconds; none for devices
    /// and guests, whom the object itself knows.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub confirmed_ms: Option<i64>,
}

/// The state of one socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The socket's own id, told in `connected`.
    #[serde(rename = "n")]
    pub id: String,
    #[serde(rename = "o")]
    opened_ms: i64,
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    who: Option<Who>,
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    channels: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Who {
    #[serde(rename = "i")]
    identity: Identity,
    #[serde(rename = "e")]
    expires_ms: i64,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    client: Option<String>,
}

/// Whether a channel may be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may.
    Granted,
    /// It exists here, but not for this reader.
    Forbidden,
    /// There is none of that name here.
    Unknown,
}

/// What the shell does next.
#[derive(Clone, Debug)]
pub enum Action<'a> {
    /// Verify the token, then call [`Session::accept`]; if it is not good, close with
    /// [`close::REVOKED`].
    Verify {
        /// Number of the request.
        id: u64,
        /// What to verify.
        token: String,
        /// What the client calls itself.
        client: Option<String>,
    },
    /// Verify the newer token, then call [`Session::renew`]; if it is not good, answer an error.
    Renew {
        /// Number of the request.
        id: u64,
        /// What to verify.
        token: String,
    },
    /// Answer [`frame::subscribed`] with what the reader missed. The channel is already noted.
    Subscribed {
        /// Number of the request.
        id: u64,
        /// The channel.
        channel: String,
        /// Where the reader was.
        recover: Option<Position>,
    },
    /// Answer [`frame::presence`].
    Presence {
        /// Number of the request.
        id: u64,
        /// The channel.
        channel: String,
    },
    /// Decide the scan and answer [`frame::verdict`].
    Scan {
        /// Number of the request.
        id: u64,
        /// The body of the scan, unread JSON.
        body: &'a str,
    },
    /// Take the scans and answer [`frame::synced`].
    Sync {
        /// Number of the request.
        id: u64,
        /// The body of the batch, unread JSON.
        body: &'a str,
    },
    /// Take the report and answer [`frame::noted`].
    Status {
        /// Number of the request.
        id: u64,
        /// The body of the report, unread JSON.
        body: &'a str,
    },
    /// The reader has read up to here.
    Acknowledged,
    /// Send this.
    Answer(String),
    /// End the socket.
    Close(Close),
}

impl Action<'_> {
    /// The number of a request that does something, rather than watch.
    pub fn acts(&self) -> Option<u64> {
        match self {
            Self::Scan { id, .. } | Self::Sync { id, .. } | Self::Status { id, .. } => Some(*id),
            _ => None,
        }
    }
}

impl Session {
    /// A socket just opened.
    pub fn new(id: impl Into<String>, now_ms: i64) -> Self {
        Self {
            id: id.into(),
            opened_ms: now_ms,
            who: None,
            channels: Vec::new(),
        }
    }

    /// Who is on the other side, once the token was accepted.
    pub fn identity(&self) -> Option<&Identity> {
        self.who.as_ref().map(|who| &who.identity)
    }

    /// What the client calls itself.
    pub fn client(&self) -> Option<&str> {
        self.who.as_ref().and_then(|who| who.client.as_deref())
    }

    /// Whether events of this channel go to this socket.
    pub fn has(&self, channel: &str) -> bool {
        self.who.is_some() && self.channels.iter().any(|name| name == channel)
    }

    /// The channels of this socket.
    pub fn channels(&self) -> &[String] {
        &self.channels
    }

    /// When this socket ends unless something happens, in Unix milliseconds.
    pub fn deadline_ms(&self) -> i64 {
        match &self.who {
            None => self.opened_ms.saturating_add(TOKEN_WITHIN_MS),
            Some(who) => who.expires_ms.saturating_add(GRACE_MS),
        }
    }

    /// Whether it ends now, and how.
    pub fn due(&self, now_ms: i64) -> Option<Close> {
        let over = now_ms >= self.deadline_ms();
        over.then_some(if self.who.is_some() {
            close::EXPIRED
        } else {
            close::NO_TOKEN
        })
    }

    /// What a text frame leads to. `access` says whether a channel exists and may be seen.
    pub fn on_text<'a>(
        &mut self,
        text: &'a str,
        now_ms: i64,
        access: impl FnOnce(&Identity, &str) -> Access,
    ) -> Action<'a> {
        match frame::parse(text) {
            Ok(frame) => self.on_frame(frame, now_ms, access),
            Err(frame::Malformed) => Action::Close(close::MALFORMED),
        }
    }

    /// What a frame leads to.
    pub fn on_frame<'a>(
        &mut self,
        frame: ClientFrame<'a>,
        now_ms: i64,
        access: impl FnOnce(&Identity, &str) -> Access,
    ) -> Action<'a> {
        if let Some(close) = self.due(now_ms) {
            return Action::Close(close);
        }
        let Some(who) = &self.who else {
            return match frame {
                ClientFrame::Connect { id, token, client } => Action::Verify { id, token, client },
                ClientFrame::Ping { answer } => Action::Answer(answer.to_owned()),
                _ => Action::Close(close::MALFORMED),
            };
        };
        match frame {
            ClientFrame::Ping { answer } => Action::Answer(answer.to_owned()),
            ClientFrame::Connect { id, .. } => {
                refuse(id, "already_connected", "This socket is connected already.")
            }
            ClientFrame::Ack { .. } => Action::Acknowledged,
            ClientFrame::Refresh { id, token } => Action::Renew { id, token },
            ClientFrame::Scan { id, body } => Action::Scan {
                id,
                body: body.get(),
            },
            ClientFrame::Sync { id, body } => Action::Sync {
                id,
                body: body.get(),
            },
            ClientFrame::Status { id, body } => Action::Status {
                id,
                body: body.get(),
            },
            ClientFrame::Subscribe {
                id,
                channel,
                recover,
            } => {
                match access(&who.identity, &channel) {
                    Access::Forbidden => return forbidden(id),
                    Access::Unknown => return unknown(id),
                    Access::Granted => {}
                }
                if self.channels.contains(&channel) {
                    return refuse(
                        id,
                        "already_subscribed",
                        "This socket has that channel already.",
                    );
                }
                if self.channels.len() >= MAX_CHANNELS {
                    return refuse(
                        id,
                        "too_many_channels",
                        "This socket has as many channels as it may.",
                    );
                }
                self.channels.push(channel.clone());
                Action::Subscribed {
                    id,
                    channel,
                    recover,
                }
            }
            ClientFrame::Unsubscribe { id, channel } => {
                let before = self.channels.len();
                self.channels.retain(|name| *name != channel);
                if self.channels.len() == before {
                    return refuse(
                        id,
                        "not_subscribed",
                        "This socket does not have that channel.",
                    );
                }
                Action::Answer(frame::unsubscribed(id, &channel))
            }
            ClientFrame::Presence { id, channel } => match access(&who.identity, &channel) {
                Access::Granted => Action::Presence { id, channel },
                Access::Forbidden => forbidden(id),
                Access::Unknown => unknown(id),
            },
        }
    }

    /// The token was good: the socket is theirs until it expires. Returns the `ttl` in seconds, or
    /// how to close when the token is past already.
    pub fn accept(
        &mut self,
        identity: Identity,
        client: Option<String>,
        expires_ms: i64,
        now_ms: i64,
    ) -> Result<i64, Close> {
        if expires_ms <= now_ms {
            return Err(close::REVOKED);
        }
        self.who = Some(Who {
            identity,
            expires_ms,
            client,
        });
        Ok((expires_ms - now_ms) / 1_000)
    }

    /// A newer token was good: the same reader stays, with its channels and, maybe, another role.
    /// Returns the `ttl` in seconds, or the error code to answer. Channels the new role may not see
    /// are the shell's to drop, with [`Session::drop_channels`].
    pub fn renew(
        &mut self,
        identity: Identity,
        expires_ms: i64,
        now_ms: i64,
    ) -> Result<i64, &'static str> {
        let Some(who) = &mut self.who else {
            return Err("not_connected");
        };
        let same = who.identity.kind == identity.kind
            && who.identity.id == identity.id
            && who.identity.tenant == identity.tenant;
        if !same {
            return Err("other_identity");
        }
        if expires_ms <= now_ms {
            return Err("token_expired");
        }
        who.identity = identity;
        who.expires_ms = expires_ms;
        Ok((expires_ms - now_ms) / 1_000)
    }

    /// The same reader has another role from now on.
    pub fn set_role(&mut self, role: crate::roles::Role) {
        if let Some(who) = &mut self.who {
            who.identity.role = role;
        }
    }

    /// Drops the channels that may no longer be seen and returns their names.
    pub fn drop_channels(&mut self, keep: impl Fn(&Identity, &str) -> bool) -> Vec<String> {
        let Some(who) = &self.who else {
            return Vec::new();
        };
        let (kept, gone) = self
            .channels
            .drain(..)
            .partition(|name| keep(&who.identity, name));
        self.channels = kept;
        gone
    }
}

fn refuse<'a>(id: u64, code: &str, message: &str) -> Action<'a> {
    Action::Answer(frame::error(id, code, message, false))
}

fn forbidden<'a>(id: u64) -> Action<'a> {
    refuse(id, "forbidden", "You may not see that channel.")
}

fn unknown<'a>(id: u64) -> Action<'a> {
    refuse(id, "unknown_channel", "There is no such channel here.")
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
