//! SQL of channels.
//!
//! Invariant: every statement but [`OF`] sees its tenant's channels only. Of secrets, statements take
//! and answer what is sealed.
//! Failure: a channel that is not there answers no row, which is 404.

use std::collections::BTreeMap;

use rules::delivery::channel::Kind;
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::wire::Channel;
use crate::delivery::messages::Message;
use crate::platform::pg::{Function, Statement};

/// A channel whose secrets are new.
#[derive(Deserialize)]
pub struct Made {
    /// The channel.
    pub channel: Channel,
    /// The signing secret of a webhook, sealed.
    pub secret: Option<String>,
}

/// What a change is checked against.
#[derive(Deserialize)]
pub struct Known {
    /// What it is.
    pub kind: Kind,
    /// What it is set up with.
    pub settings: Map<String, Value>,
    /// The names of its secrets.
    pub secrets: Vec<String>,
    /// Its version.
    pub version: i64,
}

/// A channel as its reports need it, whosever it is.
#[derive(Deserialize)]
pub struct Anyones {
    /// The channel.
    pub id: Uuid,
    /// Whose.
    pub tenant_id: Uuid,
    /// What it is.
    pub kind: Kind,
    /// What it is set up with.
    pub settings: Map<String, Value>,
    /// By name, sealed.
    pub secrets: BTreeMap<String, String>,
}

/// What is no longer there.
#[derive(Deserialize)]
pub struct Gone {}

/// A new channel.
pub const INSERT: Statement<Value, Made> = Statement::new(
    "insert into channels as c (id, tenant_id, kind, name, settings, secrets, is_default, enabled,
                                created_by, created_at, updated_at)
     select ($1->>'id')::uuid, app.tenant(), $1->>'kind', $1->>'name', $1->'settings',
            $1->'secrets', coalesce(($1->>'default')::bool, false),
            coalesce(($1->>'enabled')::bool, true), app.actor_id(), app.clock($1), app.clock($1)
      where ((select count(*) from channels) < 50
             or app.fail('PU409', 'too_many_channels', 'A tenant has at most 50 channels.'))
     returning jsonb_build_object('channel', app.channel_json(c), 'secret', c.secrets->'secret')",
);

/// Channels, newest first.
pub const LIST: Statement<Value, Vec<Channel>> = Statement::new(
    "select coalesce(jsonb_agg(app.channel_json(c) order by c.id desc), '[]')
       from (select c.* from channels c
              where $1->>'before' is null or c.id < ($1->>'before')::uuid
              order by c.id desc
              limit ($1->>'limit')::int) c",
);

/// One channel.
pub const GET: Statement<Value, Channel> =
    Statement::new("select app.channel_json(c) from channels c where c.id = ($1->>'id')::uuid");

/// What a change is checked against.
pub const KNOWN: Statement<Value, Known> = Statement::new(
    "select jsonb_build_object('kind', c.kind, 'settings', c.settings, 'version', c.version,
                               'secrets', (select coalesce(jsonb_agg(k), '[]')
                                             from jsonb_object_keys(c.secrets) k))
       from channels c where c.id = ($1->>'id')::uuid",
);

/// Changes what is given. Other settings, or being enabled again, are a fresh start.
pub const PATCH: Statement<Value, Channel> = Statement::new(
    "update channels as c
        set name = coalesce($1->>'name', c.name),
            settings = coalesce($1->'settings', c.settings),
            secrets = (c.secrets || coalesce($1->'secrets', '{}'))
                      - array(select jsonb_array_elements_text(coalesce($1->'removed', '[]'))),
            is_default = coalesce(($1->>'default')::bool, c.is_default),
            enabled = coalesce(($1->>'enabled')::bool, c.enabled),
            failing_since = case when $1 ? 'settings' or ($1->>'enabled')::bool then null
                                 else c.failing_since end,
            paused_until = case when $1 ? 'settings' or ($1->>'enabled')::bool then null
                                else c.paused_until end,
            disabled_at = case ($1->>'enabled')::bool
                               when true then null
                               when false then coalesce(c.disabled_at, app.clock($1))
                               else c.disabled_at end,
            disabled_reason = case when ($1->>'enabled')::bool is null then c.disabled_reason end,
            updated_at = app.clock($1)
      where c.id = ($1->>'id')::uuid
        and app.expect_version(c.version, ($1->>'if_match')::int)
     returning app.channel_json(c)",
);

/// Removes a channel. What it sent stays; what waits for it ends.
pub const DELETE: Statement<Value, Gone> = Statement::new(
    "delete from channels c
      where c.id = ($1->>'id')::uuid
        and (c.kind <> 'default'
             or app.fail('PU409', 'builtin_channel',
                         'The channel of the deployment can be disabled, but not removed.'))
        and app.expect_version(c.version, ($1->>'if_match')::int)
     returning jsonb_build_object('id', c.id)",
);

/// Another signing secret; the one before signs too for a day.
pub const ROTATE: Statement<Value, Made> = Statement::new(
    "update channels as c
        set secrets = c.secrets || jsonb_build_object('secret', $1->'secret',
                                                      'previous_secret', c.secrets->'secret'),
            previous_until = app.clock($1) + interval '24 hours', updated_at = app.clock($1)
      where c.id = ($1->>'id')::uuid
        and (c.kind = 'webhook'
             or app.fail('PU409', 'not_a_webhook', 'Only a webhook has a signing secret.'))
        and app.expect_version(c.version, ($1->>'if_match')::int)
     returning jsonb_build_object('channel', app.channel_json(c), 'secret', c.secrets->'secret')",
);

/// A message that shows whether the channel works.
pub const TEST: Statement<Value, Message> = Statement::new("select app.test_channel($1)");

/// A channel as its reports need it, whosever it is.
pub const OF: Function<Value, Option<Anyones>> =
    Function::new("select app.channel_of($1::text::jsonb)::text");
