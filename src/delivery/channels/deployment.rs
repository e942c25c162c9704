//! The channel of the deployment: what mail goes out by where a tenant has none of its own.
//!
//! `MAIL_CHANNEL` is `{"kind": "resend", "settings": {…}}` with the settings of that kind, secrets
//! among them. Without it there is the outbox.
//! Invariant: it is checked as a tenant's own channel is.
//! Failure: one that is not right is a fault of ours, named in the log; what waits for it waits on.

use rules::delivery::channel::Kind;
use rules::delivery::settings::{self, Before};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::outbound;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MailChannel {
    kind: Kind,
    #[serde(default)]
    settings: Map<String, Value>,
}

/// What it is; none when it is not right.
pub fn kind(ctx: &Ctx) -> Option<Kind> {
    read(ctx).ok().map(|mail| mail.kind)
}

/// What it is and is set up with.
pub fn opened(ctx: &Ctx) -> Result<(Kind, Map<String, Value>)> {
    let mail = read(ctx)?;
    let policy = outbound::policy(&ctx.config);
    let checked = settings::check(mail.kind, Before::default(), mail.settings, &policy).map_err(
        |invalid| {
            let first = invalid.errors.first().map(|error| error.pointer.clone());
            Error::internal(format!("MAIL_CHANNEL: {}", first.unwrap_or_default()))
        },
    )?;
    let mut all = checked.settings;
    for (name, secret) in checked.secrets {
        all.insert(name, secret.into());
    }
    Ok((mail.kind, all))
}

fn read(ctx: &Ctx) -> Result<MailChannel> {
    let text = ctx.config.mail_channel.as_str();
    if text.is_empty() {
        return Ok(MailChannel {
            kind: Kind::Outbox,
            settings: Map::new(),
        });
    }
    // What serde says of it may hold a secret.
    let mail: MailChannel = serde_json::from_str(text).map_err(|error| {
        Error::internal(format!(
            "MAIL_CHANNEL is not right at column {}",
            error.column()
        ))
    })?;
    match mail.kind.may_be_deployments() {
        true => Ok(mail),
        false => Err(Error::internal("MAIL_CHANNEL is no channel of e-mail")),
    }
}
