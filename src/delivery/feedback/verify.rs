//! Whether a report is its provider's.
//!
//! Invariant: comparisons take the same time wherever they fail; a report of earlier, sent again by
//! somebody else, is refused where the provider signs the time.
//! Failure: 401; a channel without the key to verify with takes nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rules::delivery::{facts, signature};
use serde_json::Value;

use super::{Received, unsigned};
use crate::delivery::channels::{self, Anyones};
use crate::platform::crypto::{DataKeys, hmac_sha256, same};
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::signatures;

/// Resend signs by Svix, as Standard Webhooks does: HMAC-SHA-256 over id, time and body.
pub fn resend(ctx: &Ctx, channel: &Anyones, received: &Received) -> Result<()> {
    let secret = secret(ctx, channel, "events_secret")?;
    let key = signature::key(&secret).ok_or_else(unsigned)?;
    let (id, time) = (
        received.header("svix-id"),
        received.header("svix-timestamp"),
    );
    let timestamp = time.parse().map_err(|_| unsigned())?;
    let content = signature::content(id, timestamp, &received.body);
    let mac = hmac_sha256(&key, content.as_bytes());
    let signed = signature::signatures(received.header("svix-signature"))
        .any(|signature| same(&signature, &mac));
    match signed && signature::fresh(time, ctx.now.timestamp()) {
        true => Ok(()),
        false => Err(unsigned()),
    }
}

/// SendGrid signs time and body with ECDSA over P-256; its key is public.
pub fn sendgrid(ctx: &Ctx, channel: &Anyones, received: &Received) -> Result<()> {
    let key = channel.settings.get("events_key").and_then(Value::as_str);
    let decode = |text: &str| STANDARD.decode(text).map_err(|_| unsigned());
    let key = decode(key.ok_or_else(unsigned)?)?;
    let time = received.header("x-twilio-email-event-webhook-timestamp");
    let signature = decode(received.header("x-twilio-email-event-webhook-signature"))?;
    let content = format!("{time}{}", received.body);
    let signed = signatures::is_p256(&key, content.as_bytes(), &signature);
    match signed && signature::fresh(time, ctx.now.timestamp()) {
        true => Ok(()),
        false => Err(unsigned()),
    }
}

/// Twilio signs the address it called and the fields of the form, with HMAC-SHA-1.
pub fn twilio(ctx: &Ctx, channel: &Anyones, received: &Received) -> Result<Vec<(String, String)>> {
    let token = secret(ctx, channel, "auth_token")?;
    let address = channels::reports_url(ctx, channel.id).ok_or_else(unsigned)?;
    let address = match received.query.as_str() {
        "" => address,
        query => format!("{address}?{query}"),
    };
    let form: Vec<(String, String)> =
        serde_urlencoded::from_str(&received.body).map_err(|_| unsigned())?;
    let content = facts::twilio::signed(&address, &form);
    let mac = signatures::hmac_sha1(token.as_bytes(), content.as_bytes());
    let signature = STANDARD.decode(received.header("x-twilio-signature"));
    match signature.is_ok_and(|signature| same(&signature, &mac)) {
        true => Ok(form),
        false => Err(unsigned()),
    }
}

fn secret(ctx: &Ctx, channel: &Anyones, name: &str) -> Result<String> {
    let sealed = channel.secrets.get(name).ok_or_else(unsigned)?;
    let keys = DataKeys::parse(&ctx.config.data_keys)?;
    channels::open(&keys, channel.id, name, sealed)
}
