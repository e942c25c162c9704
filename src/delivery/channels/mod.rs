//! Channels of a tenant: how its messages reach people and services.
//!
//! Invariant: a tenant has one default channel at any time; at first that of the deployment.
//! Credentials are sealed, and shown never again.
//! Failure: 422 for what a provider could not be reached with; a channel that is gone or failed for
//! five days is disabled and says why.

pub mod deployment;
pub mod http;
mod sealed;
mod store;
mod wire;

pub use sealed::{Sealed, open};
pub use store::Anyones;

use rules::delivery::channel::Kind;
use rules::delivery::settings::{Before, Checked};
use rules::delivery::signature;
use rules::page::Page;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::announce;
use super::messages::Message;
use crate::platform::crypto::DataKeys;
use crate::platform::ctx::{Ctx, random};
use crate::platform::error::Result;
use crate::platform::pg::Called;
use crate::platform::scope::Scope;
use store::Made;
use wire::{Channel, ChannelIn, ChannelPatch, ChannelTest, ChannelsQuery};

/// Adds a channel. The answer to that of a webhook holds its signing secret, this once.
pub async fn create(ctx: &Ctx, scope: &Scope, input: ChannelIn) -> Result<Called<Channel>> {
    let (id, kind) = (ctx.new_id(), input.kind);
    let (default, enabled) = (input.default, input.enabled);
    let (name, checked) = input.check(ctx)?;
    let keys = DataKeys::parse(&ctx.config.data_keys)?;
    let (mut secrets, _) = sealed_all(&keys, id, &checked)?;
    if kind == Kind::Webhook {
        secrets.insert("secret".to_owned(), new_secret(&keys, id)?.into());
    }
    let new = json!({
        "id": id, "kind": kind, "name": name, "settings": checked.settings, "secrets": secrets,
        "default": default, "enabled": enabled,
    });
    shown(ctx, ctx.pg.call_full(scope, &store::INSERT, &new).await?)
}

/// Channels, newest first.
pub async fn list(ctx: &Ctx, scope: &Scope, query: &ChannelsQuery) -> Result<Page<Channel>> {
    let limit = rules::page::limit(query.limit.as_deref())?;
    let filter = json!({
        "before": rules::page::decode::<Uuid>(query.cursor.as_deref())?,
        "limit": limit + 1,
    });
    let found = ctx.pg.call(scope, &store::LIST, &filter).await?;
    let found = found.into_iter().map(|channel| with_url(ctx, channel));
    Ok(rules::page::cut(found.collect(), limit, |channel| {
        channel.id
    }))
}

/// One channel.
pub async fn get(ctx: &Ctx, scope: &Scope, channel: Uuid) -> Result<Channel> {
    let which = json!({"id": channel});
    let found = ctx.pg.call(scope, &store::GET, &which).await?;
    Ok(with_url(ctx, found))
}

/// Changes a channel. Enabling it forgets that it failed; disabling it ends what waits for it.
pub async fn patch(
    ctx: &Ctx,
    scope: &Scope,
    channel: Uuid,
    if_match: Option<i64>,
    input: ChannelPatch,
) -> Result<Called<Channel>> {
    let reading = Scope {
        idempotency: None,
        ..scope.clone()
    };
    let known = ctx
        .pg
        .call(&reading, &store::KNOWN, &json!({"id": channel}))
        .await?;
    let mut change = Map::new();
    change.insert("id".to_owned(), json!(channel));
    change.insert("default".to_owned(), json!(input.default));
    change.insert("enabled".to_owned(), json!(input.enabled));
    // Settings were checked against this version, so they are right for no other.
    let version = input.settings.as_ref().map(|_| known.version);
    change.insert("if_match".to_owned(), json!(if_match.or(version)));
    let before = Before {
        settings: known.settings,
        secrets: known.secrets.into_iter().collect(),
    };
    let (name, checked) = input.check(ctx, known.kind, before)?;
    change.insert("name".to_owned(), json!(name));
    if let Some(checked) = checked {
        let keys = DataKeys::parse(&ctx.config.data_keys)?;
        let (secrets, removed) = sealed_all(&keys, channel, &checked)?;
        change.insert("settings".to_owned(), Value::Object(checked.settings));
        change.insert("secrets".to_owned(), Value::Object(secrets));
        change.insert("removed".to_owned(), json!(removed));
    }
    let done = ctx
        .pg
        .call_full(scope, &store::PATCH, &change.into())
        .await?;
    done.try_map(|channel| Ok(with_url(ctx, channel)))
}

/// Removes a channel.
pub async fn delete(ctx: &Ctx, scope: &Scope, channel: Uuid, if_match: Option<i64>) -> Result<()> {
    let which = json!({"id": channel, "if_match": if_match});
    ctx.pg.call(scope, &store::DELETE, &which).await.map(drop)
}

/// Gives a webhook another signing secret, shown this once.
pub async fn rotate(
    ctx: &Ctx,
    scope: &Scope,
    channel: Uuid,
    if_match: Option<i64>,
) -> Result<Called<Channel>> {
    let keys = DataKeys::parse(&ctx.config.data_keys)?;
    let secret = new_secret(&keys, channel)?;
    let new = json!({"id": channel, "secret": secret, "if_match": if_match});
    shown(ctx, ctx.pg.call_full(scope, &store::ROTATE, &new).await?)
}

/// Sends a message that shows whether the channel works, the same way as any other.
pub async fn test(
    ctx: &Ctx,
    scope: &Scope,
    channel: Uuid,
    input: &ChannelTest,
) -> Result<Called<Message>> {
    let new = json!({
        "id": ctx.new_id(), "channel_id": channel, "address": input.address.as_deref().map(str::trim),
        "subject": "A test from Pulse",
        "text": "This message shows that the channel works.\n",
        "html": "<p>This message shows that the channel works.</p>\n",
    });
    let done = ctx.pg.call_full(scope, &store::TEST, &new).await?;
    announce(ctx, done.tenant).await;
    Ok(done)
}

/// A channel as its reports need it, whosever it is; none when there is no such channel.
pub async fn of(ctx: &Ctx, channel: Uuid) -> Result<Option<Anyones>> {
    ctx.pg.function(&store::OF, &json!({"id": channel})).await
}

/// Where the provider of a channel reports to; none while the deployment's own address is not known.
pub fn reports_url(ctx: &Ctx, channel: Uuid) -> Option<String> {
    let address = &ctx.config.public_url;
    (!address.is_empty()).then(|| format!("{address}/api/channels/{channel}/events"))
}

fn with_url(ctx: &Ctx, mut channel: Channel) -> Channel {
    let reports = matches!(
        channel.kind,
        Kind::Sendgrid | Kind::Ses | Kind::Resend | Kind::Twilio
    );
    channel.events_url = reports_url(ctx, channel.id).filter(|_| reports);
    channel
}

fn new_secret(keys: &DataKeys, channel: Uuid) -> Result<String> {
    let secret = signature::secret(random::<32>());
    sealed::seal(keys, channel, "secret", &secret)
}

/// The secrets that are new, sealed, and the names of those that are gone.
fn sealed_all(
    keys: &DataKeys,
    channel: Uuid,
    checked: &Checked,
) -> Result<(Map<String, Value>, Vec<String>)> {
    let (mut new, mut removed) = (Map::new(), Vec::new());
    for (name, secret) in &checked.secrets {
        match secret {
            Some(secret) => {
                let sealed = sealed::seal(keys, channel, name, secret)?;
                new.insert(name.clone(), sealed.into());
            }
            None => removed.push(name.clone()),
        }
    }
    Ok((new, removed))
}

/// Shows the signing secret that was stored: to a repeated request, that of the first.
fn shown(ctx: &Ctx, done: Called<Made>) -> Result<Called<Channel>> {
    done.try_map(|made| {
        let mut channel = with_url(ctx, made.channel);
        if let Some(sealed) = made.secret {
            let keys = DataKeys::parse(&ctx.config.data_keys)?;
            channel.secret = Some(open(&keys, channel.id, "secret", &sealed)?);
        }
        Ok(channel)
    })
}
