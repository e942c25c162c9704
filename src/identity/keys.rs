//! API keys: credentials for programs.
//!
//! Invariant: a key is shown once and only the hash of its secret is stored; a repeated request
//! shows the same key again, because it follows from the key's id and the `Idempotency-Key`.
//! Failure: 403 `role_not_grantable` for a role above the caller's.

use rules::invalid::Invalid;
use rules::page::Page;
use rules::roles::{Resource, Role, Verb};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::http::{ListQuery, Listed, replayed};
use super::{MemberRole, NAME, clock, granters, standing, store};
use crate::platform::crypto;
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::http::{Access, Answer, Call, Route, created, json as ok, no_content, routes};
use crate::platform::scope::{Scope, Subject};

/// An API key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    /// The key.
    pub id: Uuid,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: KeyRole,
    /// How it begins.
    pub prefix: String,
    /// Who made it.
    pub created_by: Option<Uuid>,
    /// RFC 3339.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// RFC 3339: when it ends by itself.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub expires_at: Option<String>,
    /// RFC 3339, to about five minutes.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub last_used_at: Option<String>,
    /// RFC 3339.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub revoked_at: Option<String>,
    /// The key itself; in the answer to the creation only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A role of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyRole {
    /// Everything.
    Admin,
    /// Tables, guests, devices.
    Manager,
    /// Scans and single guests.
    Agent,
    /// Looks on.
    ReadOnly,
}

impl From<KeyRole> for MemberRole {
    fn from(role: KeyRole) -> Self {
        match role {
            KeyRole::Admin => Self::Admin,
            KeyRole::Manager => Self::Manager,
            KeyRole::Agent => Self::Agent,
            KeyRole::ReadOnly => Self::ReadOnly,
        }
    }
}

/// A new API key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyIn {
    /// What it is for.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*\S[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
    )]
    pub name: String,
    /// What it may do.
    pub role: KeyRole,
    /// RFC 3339: when it ends by itself. Must lie ahead.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub expires_at: Option<String>,
}

/// Makes a key. The second value tells that this is the answer of an earlier request.
pub async fn create(ctx: &Ctx, scope: &Scope, input: &KeyIn) -> Result<(ApiKey, bool)> {
    let mut invalid = Invalid::default();
    let name = invalid.take(rules::name::parse("/name", &input.name, NAME));
    let expires_at = input.expires_at.as_deref();
    let expires_at =
        expires_at.and_then(|text| invalid.take(rules::time::parse("/expires_at", text)));
    if expires_at.is_some_and(|at| at <= ctx.now) {
        invalid.add("/expires_at", "in_the_past", "Must lie ahead.");
    }
    invalid.or(())?;
    let id = ctx.new_id();
    let secret = secret_of(ctx, scope, id)?;
    let new = json!({
        "id": id, "name": name, "role": input.role, "hash": crypto::sha256_hex(secret.as_bytes()),
        "expires_at": expires_at.map(rules::time::render), "now": clock(ctx),
        "may": granters(Role::from(MemberRole::from(input.role))),
    });
    let done = ctx.pg.call_full(scope, &store::INSERT_KEY, &new).await?;
    let mut key = done.result;
    let secret = match done.replayed {
        true => secret_of(ctx, scope, key.id)?,
        false => secret,
    };
    // The prefix is `pulse_<jurisdiction>_` and the start of the id.
    let home = key
        .prefix
        .rsplit_once('_')
        .map_or("pulse_none", |(home, _)| home);
    key.key = Some(format!("{home}_{}_{secret}", key.id));
    Ok((key, done.replayed))
}

/// Keys, newest first, revoked ones too.
pub async fn list(ctx: &Ctx, scope: &Scope, query: &ListQuery) -> Result<Page<ApiKey>> {
    let found = ctx.pg.call(scope, &store::KEYS, &query.input()?).await?;
    Ok(rules::page::cut(found, query.limit()?, |key| key.id))
}

/// Revokes a key, at once; its sockets close. Doing it twice changes nothing.
pub async fn revoke(ctx: &Ctx, scope: &Scope, key: Uuid) -> Result<()> {
    let which = json!({"id": key, "now": clock(ctx)});
    let done = ctx.pg.call(scope, &store::REVOKE_KEY, &which).await?;
    standing::changed(ctx, Subject::Key(key), &done.live).await;
    Ok(())
}

fn secret_of(ctx: &Ctx, scope: &Scope, id: Uuid) -> Result<String> {
    let Some(repeated) = &scope.idempotency else {
        return Ok(crypto::secret());
    };
    let seed = format!("pulse api key {id} {}", repeated.key);
    Ok(crypto::base64url(&crypto::hmac_sha256(
        ctx.config.token_secret()?,
        seed.as_bytes(),
    )))
}

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_create_key, create_key => Access::May(Verb::Create, Resource::ApiKey);
        __path_list_keys, list_keys => Access::May(Verb::Read, Resource::ApiKey);
        __path_delete_key, delete_key => Access::May(Verb::Delete, Resource::ApiKey);
    ]
}

/// Makes an API key. The answer holds the key, this once.
#[utoipa::path(post, path = "/api/keys", operation_id = "create_key", request_body = KeyIn,
    responses((status = 201, body = ApiKey)))]
async fn create_key(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<KeyIn>().await?;
    let (key, repeated) = create(call.ctx, &scope, &input).await?;
    replayed(created(&key), repeated)
}

/// Lists API keys.
#[utoipa::path(get, path = "/api/keys", operation_id = "list_keys", params(ListQuery),
    responses((status = 200, body = Listed<ApiKey>)))]
async fn list_keys(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    ok(&Listed::from(list(call.ctx, &scope, &call.query()?).await?))
}

/// Revokes an API key.
#[utoipa::path(delete, path = "/api/keys/{id}", operation_id = "delete_key",
    params(("id" = Uuid, Path)), responses((status = 204)))]
async fn delete_key(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    revoke(call.ctx, &scope, call.id("id")?).await?;
    no_content()
}
