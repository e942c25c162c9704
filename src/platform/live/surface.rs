//! What an object shows on its sockets.
//!
//! Invariant: positions and events are read without waiting, so that nothing comes between them.
//! Failure: an error is answered on the frame that asked; the socket lives.

use chrono::{DateTime, Utc};
use rules::live::log::Channel;
use rules::live::session::{Access, Identity};

use crate::platform::error::Result;

/// A reader whose token was good.
pub struct Known {
    /// Who.
    pub identity: Identity,
    /// When the token ends.
    pub expires_at: DateTime<Utc>,
}

/// An event, its data already JSON.
pub struct Happened {
    /// Its place in the channel.
    pub offset: u64,
    /// What kind, for example `checkin.accepted`.
    pub kind: &'static str,
    /// When.
    pub at: DateTime<Utc>,
    /// JSON.
    pub data: String,
}

/// What an object shows on its sockets.
#[expect(
    async_fn_in_trait,
    reason = "an object runs on one thread, so its futures need not be Send"
)]
pub trait Surface {
    /// Verifies a token.
    async fn identify(&self, token: &str, now: DateTime<Utc>) -> Result<Known>;

    /// Makes sure that a member of staff is confirmed, before their socket does something. May ask
    /// the database, and may close sockets, this one too. Not called for devices and guests.
    async fn confirm(&self, reader: &Identity, now: DateTime<Utc>) -> Result<()>;

    /// Whether a channel exists and this reader may see it.
    fn access(&self, identity: &Identity, channel: &str) -> Access;

    /// Where a channel is.
    fn channel(&self, channel: &str) -> Result<Channel>;

    /// The events after `offset`, oldest first; of a latest-value channel that value.
    fn events_after(&self, channel: &str, offset: u64) -> Result<Vec<Happened>>;

    /// Decides a scan sent over the socket; the body and the answer are those of the HTTP call.
    fn scan(&self, identity: &Identity, body: &str, now: DateTime<Utc>) -> Result<String>;

    /// Takes several scans sent over the socket; as over HTTP too.
    fn sync(&self, identity: &Identity, body: &str, now: DateTime<Utc>) -> Result<String>;

    /// Takes what a device says of itself over the socket.
    fn status(&self, identity: &Identity, body: &str, now: DateTime<Utc>) -> Result<()>;
}
