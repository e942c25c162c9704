//! What providers report of messages: delivered, bounced, complained.
//!
//! Invariant: a report counts when its signature is the provider's for this very channel, and not
//! before. What it says of a recipient holds for the channel's tenant only.
//! Failure: 401 for a report that is not signed as it must be, whatever it says; 404 for a channel
//! whose provider reports nothing.

pub mod http;
mod sns;
mod store;
mod verify;

use rules::delivery::channel::Kind;
use rules::delivery::facts::{Fact, resend, sendgrid, twilio};
use serde_json::json;
use uuid::Uuid;

use super::channels::{self, Anyones};
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::scope::Scope;

/// A report as it came.
pub struct Received {
    /// The body.
    pub body: String,
    /// The query of the address.
    pub query: String,
    /// The headers that signatures are in, by name.
    pub headers: Vec<(&'static str, String)>,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value)
    }
}

/// Takes a report in.
pub async fn take(ctx: &Ctx, channel: Uuid, received: &Received) -> Result<()> {
    let channel = channels::of(ctx, channel).await?;
    let channel = channel.ok_or_else(Error::not_found)?;
    let facts = match channel.kind {
        Kind::Resend => {
            verify::resend(ctx, &channel, received)?;
            resend::read(&received.body, ctx.now)
        }
        Kind::Sendgrid => {
            verify::sendgrid(ctx, &channel, received)?;
            sendgrid::read(&received.body, ctx.now)
        }
        Kind::Twilio => {
            let form = verify::twilio(ctx, &channel, received)?;
            let delivery = delivery_of(&received.query);
            twilio::read(&form, delivery, ctx.now).into_iter().collect()
        }
        Kind::Ses => sns::take(ctx, &channel, received).await?,
        _ => return Err(Error::not_found()),
    };
    note(ctx, &channel, &facts).await
}

async fn note(ctx: &Ctx, channel: &Anyones, facts: &[Fact]) -> Result<()> {
    if facts.is_empty() {
        return Ok(());
    }
    let scope = Scope::system(channel.tenant_id);
    let events = json!({"channel_id": channel.id, "events": facts});
    ctx.pg.call(&scope, &store::NOTE, &events).await.map(drop)
}

/// The delivery that the address carries along.
fn delivery_of(query: &str) -> Option<Uuid> {
    let fields: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
    let found = fields.into_iter().find(|(name, _)| name == "delivery")?;
    Uuid::try_parse(&found.1).ok()
}

/// 401: not signed as it must be.
fn unsigned() -> Error {
    Error::new(
        401,
        "signature_invalid",
        "This is not signed as this channel's provider signs.",
    )
}
