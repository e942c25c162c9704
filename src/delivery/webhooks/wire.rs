//! What comes in and goes out at webhooks.
//!
//! Invariant: every wrong field is reported, not only the first; a secret goes out where it was just
//! made, and nowhere else.
//! Failure: 422 with the pointer of each field.

use rules::checkin::event::EventType;
use rules::delivery::event::{EVERY_CHECKIN, MAX_PATTERNS, parse};
use rules::invalid::Invalid;
use rules::patch::Patch;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::outbound;

/// Longest description.
const DESCRIPTION: usize = 200;

/// A new webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookIn {
    /// Where events are sent: `https`, a public host, port 443 or 8443.
    #[schema(format = "uri", min_length = 1, max_length = 2048)]
    pub url: String,
    /// Which events; `checkin.*` is all that happens at a door, future types too.
    #[schema(schema_with = events)]
    pub events: Vec<String>,
    /// Of this check-in table only.
    pub table_id: Option<Uuid>,
    /// What it is for.
    #[schema(max_length = 200)]
    pub description: Option<String>,
    /// Whether events are sent; they are unless it says `false`.
    pub enabled: Option<bool>,
}

/// Changes to a webhook; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookPatch {
    /// Where events are sent.
    #[schema(format = "uri", min_length = 1, max_length = 2048)]
    pub url: Option<String>,
    /// Which events.
    #[schema(schema_with = events_or_null)]
    pub events: Option<Vec<String>>,
    /// Of this check-in table only; `null` for all.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub table_id: Patch<Uuid>,
    /// What it is for.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 200)]
    pub description: Patch<String>,
    /// `false` ends what waits to be sent; `true` starts afresh.
    pub enabled: Option<bool>,
}

/// A webhook.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct Endpoint {
    /// The webhook.
    pub id: Uuid,
    /// Where events are sent.
    pub url: String,
    /// Which events.
    #[schema(schema_with = events)]
    pub events: Vec<String>,
    /// Of this check-in table only.
    #[schema(required = true)]
    pub table_id: Option<Uuid>,
    /// What it is for.
    #[schema(required = true)]
    pub description: Option<String>,
    /// Whether events are sent.
    pub enabled: bool,
    /// The first failure after the last success, RFC 3339.
    #[schema(required = true)]
    pub failing_since: Option<String>,
    /// Since when it is disabled, RFC 3339.
    #[schema(required = true)]
    pub disabled_at: Option<String>,
    /// Why, unless it was done by hand.
    #[schema(required = true)]
    pub disabled_reason: Option<DisabledReason>,
    /// Until then the secret before the last rotation signs too, RFC 3339.
    #[schema(required = true)]
    pub previous_secret_until: Option<String>,
    /// Who made it.
    #[schema(required = true)]
    pub created_by: Option<Uuid>,
    /// The signing secret; in the answer to the creation and to a rotation only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// For `If-Match`.
    pub version: i64,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// Why a webhook was disabled.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// It answered 410.
    Gone,
    /// Every attempt of five days failed.
    Failing,
}

/// A page of webhooks.
#[derive(Serialize, ToSchema)]
pub struct Webhooks {
    /// Newest first.
    pub items: Vec<Endpoint>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Which webhooks.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WebhooksQuery {
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

fn list(kind: SchemaType) -> ArrayBuilder {
    let types = EventType::ALL.iter().map(|event| event.as_str());
    ArrayBuilder::new()
        .schema_type(kind)
        .items(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some(types.chain([EVERY_CHECKIN]))),
        )
        .min_items(Some(1))
        .max_items(Some(MAX_PATTERNS))
}

fn events() -> utoipa::openapi::schema::Array {
    list(SchemaType::new(Type::Array)).build()
}

fn events_or_null() -> utoipa::openapi::schema::Array {
    list(SchemaType::from_iter([Type::Array, Type::Null])).build()
}

impl WebhookIn {
    /// What is stored, checked.
    pub(super) fn check(self, ctx: &Ctx) -> Result<Value> {
        let mut invalid = Invalid::default();
        let url = invalid.take(outbound::judge(ctx, "/url", &self.url));
        let events = invalid.take(parse("/events", self.events));
        let description = self.description.as_deref();
        let description = invalid.take(rules::name::optional(
            "/description",
            description,
            DESCRIPTION,
        ));
        Ok(invalid.or(json!({
            "url": url, "events": events, "table_id": self.table_id,
            "description": description.flatten(), "enabled": self.enabled,
        }))?)
    }
}

impl WebhookPatch {
    /// What changes, checked.
    pub(super) fn check(self, ctx: &Ctx) -> Result<Map<String, Value>> {
        let mut invalid = Invalid::default();
        let mut change = Map::new();
        if let Some(url) = &self.url {
            let url = invalid.take(outbound::judge(ctx, "/url", url));
            change.insert("url".to_owned(), json!(url));
        }
        if let Some(events) = self.events {
            let events = invalid.take(parse("/events", events));
            change.insert("events".to_owned(), json!(events));
        }
        if !self.table_id.is_absent() {
            change.insert("table_id".to_owned(), json!(self.table_id.value()));
        }
        if !self.description.is_absent() {
            let text = self.description.value().map(String::as_str);
            let text = invalid.take(rules::name::optional("/description", text, DESCRIPTION));
            change.insert("description".to_owned(), json!(text.flatten()));
        }
        if let Some(enabled) = self.enabled {
            change.insert("enabled".to_owned(), json!(enabled));
        }
        Ok(invalid.or(change)?)
    }
}
