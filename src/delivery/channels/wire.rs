//! What comes in and goes out at channels.
//!
//! Invariant: every wrong field is reported, not only the first; of secrets only their names go
//! out, but for the signing secret of a webhook where it was just made.
//! Failure: 422 with the pointer of each field.

use rules::delivery::channel::Kind;
use rules::delivery::settings::{self, Before, Checked};
use rules::invalid::Invalid;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::platform::ctx::Ctx;
use crate::platform::outbound;

/// Longest name, in characters.
const NAME: usize = 120;

/// A new channel.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelIn {
    /// How its messages reach their recipients; `default` is there already.
    pub kind: Kind,
    /// What people call it.
    #[schema(min_length = 1, max_length = 120)]
    pub name: String,
    /// What the kind is set up with: see the table in docs/channels.md. Secrets are sealed and never
    /// shown again.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub settings: Map<String, Value>,
    /// Whether messages that name no channel go out by it; kinds of e-mail only.
    pub default: Option<bool>,
    /// Whether it sends; it does unless this says `false`.
    pub enabled: Option<bool>,
}

/// Changes to a channel; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelPatch {
    /// What people call it.
    #[schema(min_length = 1, max_length = 120)]
    pub name: Option<String>,
    /// Settings that change, each by itself; `null` removes one.
    #[schema(value_type = Option<Object>)]
    pub settings: Option<Map<String, Value>>,
    /// `true` takes over from the default channel before, `false` hands over to the deployment's.
    pub default: Option<bool>,
    /// `false` ends what waits to be sent; `true` starts afresh.
    pub enabled: Option<bool>,
}

/// A channel.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct Channel {
    /// The channel.
    pub id: Uuid,
    /// How its messages reach their recipients.
    pub kind: Kind,
    /// What people call it.
    pub name: String,
    /// What it is set up with, without secrets.
    #[schema(value_type = Object)]
    pub settings: Map<String, Value>,
    /// The names of its secrets.
    pub secrets: Vec<String>,
    /// Whether messages that name no channel go out by it.
    pub default: bool,
    /// Whether it sends.
    pub enabled: bool,
    /// The first failure after the last success, RFC 3339.
    #[schema(required = true)]
    pub failing_since: Option<String>,
    /// It asked to be left alone until then, RFC 3339.
    #[schema(required = true)]
    pub paused_until: Option<String>,
    /// Since when it is disabled, RFC 3339.
    #[schema(required = true)]
    pub disabled_at: Option<String>,
    /// Why, unless it was done by hand.
    #[schema(required = true)]
    pub disabled_reason: Option<ChannelDisabledReason>,
    /// Until then the signing secret before the last rotation signs too, RFC 3339.
    #[schema(required = true)]
    pub previous_secret_until: Option<String>,
    /// Where its provider is to report to; for kinds whose provider does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_url: Option<String>,
    /// The signing secret of a webhook; in the answer to the creation and to a rotation only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Who made it.
    #[schema(required = true)]
    pub created_by: Option<Uuid>,
    /// For `If-Match`.
    pub version: i64,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// Why a channel was disabled.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelDisabledReason {
    /// The place it sends to is gone.
    Gone,
    /// Every attempt of five days failed.
    Failing,
}

/// A page of channels.
#[derive(Serialize, ToSchema)]
pub struct Channels {
    /// Newest first.
    pub items: Vec<Channel>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Which channels.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChannelsQuery {
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A test of a channel.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelTest {
    /// Whom to send to: an e-mail address or a phone number. None where the channel is one place.
    #[schema(max_length = 254)]
    pub address: Option<String>,
}

impl ChannelIn {
    /// Name and settings, checked.
    pub(super) fn check(self, ctx: &Ctx) -> Result<(String, Checked), Invalid> {
        let mut invalid = Invalid::default();
        let name = invalid.take(rules::name::parse("/name", &self.name, NAME));
        if self.kind == Kind::Default {
            let message = "The channel of the deployment is there already.";
            invalid.add("/kind", "unknown_value", message);
        }
        if self.default == Some(true) {
            may_be_default(self.kind, &mut invalid);
        }
        let policy = outbound::policy(&ctx.config);
        let checked = settings::check(self.kind, Before::default(), self.settings, &policy);
        let checked = invalid.take(checked);
        invalid.or((name.unwrap_or_default(), checked.unwrap_or_default()))
    }
}

impl ChannelPatch {
    /// Name and settings, checked against what the channel is.
    pub(super) fn check(
        self,
        ctx: &Ctx,
        kind: Kind,
        before: Before,
    ) -> Result<(Option<String>, Option<Checked>), Invalid> {
        let mut invalid = Invalid::default();
        let name = self.name.as_deref();
        let name = name.map(|name| invalid.take(rules::name::parse("/name", name, NAME)));
        if self.default == Some(true) {
            may_be_default(kind, &mut invalid);
        }
        let policy = outbound::policy(&ctx.config);
        let checked = self.settings.map(|given| {
            let checked = settings::check(kind, before, given, &policy);
            invalid.take(checked)
        });
        invalid.or((name.flatten(), checked.flatten()))
    }
}

fn may_be_default(kind: Kind, invalid: &mut Invalid) {
    if !kind.may_be_default() {
        let message = "Only a channel of e-mail can be the default.";
        invalid.add("/default", "not_email", message);
    }
}
