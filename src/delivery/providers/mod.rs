//! The channels of messages, one file for each kind.
//!
//! Invariant: a provider's contract is in its file and nowhere else: address, credentials, body, and
//! what its answers mean.
//! Failure: part of the report.

mod api;
mod cloudflare;
mod mail;
mod mime;
mod opsgenie;
mod outbox;
mod pagerduty;
mod resend;
mod sendgrid;
mod ses;
mod slack;
mod smtp;
mod teams;
mod twilio;
mod webhook;

use rules::delivery::channel::Kind;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::channel::{Channel, Report};
use super::messages::Letter;
use crate::platform::ctx::Ctx;
use crate::platform::error::Error;

/// Makes one attempt by a channel that is set up like this.
pub async fn attempt(
    ctx: &Ctx,
    kind: Kind,
    settings: Map<String, Value>,
    letter: &Letter,
) -> Report {
    match kind {
        Kind::Default | Kind::Outbox => by::<outbox::Outbox>(ctx, settings, letter).await,
        Kind::Smtp => by::<smtp::Smtp>(ctx, settings, letter).await,
        Kind::Sendgrid => by::<sendgrid::Sendgrid>(ctx, settings, letter).await,
        Kind::Ses => by::<ses::Ses>(ctx, settings, letter).await,
        Kind::Resend => by::<resend::Resend>(ctx, settings, letter).await,
        Kind::CloudflareEmail => by::<cloudflare::Cloudflare>(ctx, settings, letter).await,
        Kind::Slack => by::<slack::Slack>(ctx, settings, letter).await,
        Kind::Teams => by::<teams::Teams>(ctx, settings, letter).await,
        Kind::Twilio => by::<twilio::Twilio>(ctx, settings, letter).await,
        Kind::Webhook => by::<webhook::Webhook>(ctx, settings, letter).await,
        Kind::Pagerduty => by::<pagerduty::Pagerduty>(ctx, settings, letter).await,
        Kind::Opsgenie => by::<opsgenie::Opsgenie>(ctx, settings, letter).await,
    }
}

async fn by<C>(ctx: &Ctx, settings: Map<String, Value>, letter: &Letter) -> Report
where
    C: Channel<Message = Letter> + DeserializeOwned,
{
    match serde_json::from_value::<C>(Value::Object(settings)) {
        Ok(channel) => channel.attempt(ctx, letter).await,
        // What serde says of it may hold a secret.
        Err(_) => {
            let error = Error::internal("a channel's settings are not those of its kind");
            Report::fault(letter.delivery, &error)
        }
    }
}
