//! Tenants: the organisations whose data is kept apart.
//!
//! Invariant: a tenant's jurisdiction never changes, because its live objects are named by it.
//! Failure: 404 for a tenant the caller does not belong to, 412 for a stale `If-Match`.

use std::cmp::Reverse;

use rules::page::Page;
use rules::patch::Patch;
use rules::roles::{Resource, Verb};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::http::{ListQuery, Listed, at_tenant, hidden, replayed, write_at_tenant};
use super::{MemberRole, NAME, accounts, clock, store};
use crate::platform::crypto;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::http::{
    Access, Answer, Body, Call, Reply, Route, created, json as ok, routes,
};
use crate::platform::scope::{Credential, Jurisdiction, Scope};

/// A tenant, as one of its members sees it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Tenant {
    /// The tenant.
    pub id: Uuid,
    /// How it is called.
    pub name: String,
    /// Where its live data must stay.
    pub jurisdiction: Jurisdiction,
    /// Where most of its users are.
    pub region: Option<Region>,
    /// For `If-Match`.
    pub version: i64,
    /// The caller's role.
    pub role: Option<MemberRole>,
    /// RFC 3339.
    #[schema(format = "date-time")]
    pub created_at: String,
}

/// Where a tenant's objects are placed when they are first used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// Western North America.
    Wnam,
    /// Eastern North America.
    Enam,
    /// South America.
    Sam,
    /// Western Europe.
    Weur,
    /// Eastern Europe.
    Eeur,
    /// Asia and the Pacific.
    Apac,
    /// Oceania.
    Oc,
    /// Africa.
    Afr,
    /// The Middle East.
    Me,
}

/// A new tenant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantIn {
    /// How it is called.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*\S[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
    )]
    pub name: String,
    /// Where its live data must stay. Cannot be changed later.
    pub jurisdiction: Option<Jurisdiction>,
    /// Where most of its users are.
    pub region: Option<Region>,
}

/// Changes to a tenant; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantPatch {
    /// How it is called.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*\S[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
    )]
    pub name: Option<String>,
    /// Where most of its users are; objects that exist already stay where they are.
    #[serde(default)]
    #[schema(value_type = Option<Region>)]
    pub region: Patch<Region>,
}

/// The tenants the caller belongs to.
pub async fn list(ctx: &Ctx, scope: &Scope, query: &ListQuery) -> Result<Page<Tenant>> {
    let (limit, before) = (query.limit()?, query.before()?);
    let mut tenants = accounts::me(ctx, scope).await?.tenants;
    tenants.sort_by_key(|tenant| Reverse(tenant.id));
    tenants.retain(|tenant| before.is_none_or(|before| tenant.id < before));
    Ok(rules::page::cut(tenants, limit, |tenant| tenant.id))
}

/// Makes a tenant whose admin is the caller. The second value tells that a repeated request found
/// the tenant it had made before: its id follows from caller and `Idempotency-Key`.
pub async fn create(ctx: &Ctx, scope: &Scope, input: &TenantIn) -> Result<(Tenant, bool)> {
    let name = rules::name::parse("/name", &input.name, NAME)?;
    let jurisdiction = input.jurisdiction.unwrap_or_default();
    let id = match &scope.idempotency {
        Some(repeatable) => id_of(ctx, &scope.credential, &repeatable.key)?,
        None => ctx.new_id(),
    };
    let new = json!({
        "actor": scope.actor(), "tenant_id": id, "name": name,
        "jurisdiction": jurisdiction, "region": input.region, "now": clock(ctx),
    });
    let error = match ctx.pg.function(&store::CREATE_TENANT, &new).await {
        Ok(tenant) => return Ok((tenant, false)),
        Err(error) => error,
    };
    if error.code != "tenant_exists" {
        return Err(error);
    }
    let tenants = accounts::me(ctx, scope).await?.tenants;
    let made = tenants
        .into_iter()
        .find(|tenant| tenant.id == id)
        .ok_or(error)?;
    let same = (&made.name, made.jurisdiction, made.region) == (&name, jurisdiction, input.region);
    match same {
        true => Ok((made, true)),
        false => Err(Error::new(
            422,
            "idempotency_key_reused",
            "This Idempotency-Key was used with another request.",
        )),
    }
}

/// The tenant of the scope.
pub async fn get(ctx: &Ctx, scope: &Scope) -> Result<Tenant> {
    ctx.pg
        .call(scope, &store::TENANT, &json!({}))
        .await
        .map_err(hidden)
}

/// Changes the tenant of the scope.
pub async fn patch(
    ctx: &Ctx,
    scope: &Scope,
    if_match: Option<i64>,
    input: &TenantPatch,
) -> Result<Tenant> {
    let name = input
        .name
        .as_deref()
        .map(|name| rules::name::parse("/name", name, NAME));
    let mut change = json!({"name": name.transpose()?, "if_match": if_match, "now": clock(ctx)});
    if let (Some(fields), false) = (change.as_object_mut(), input.region.is_absent()) {
        fields.insert("region".to_owned(), json!(input.region));
    }
    ctx.pg
        .call(scope, &store::PATCH_TENANT, &change)
        .await
        .map_err(hidden)
}

/// The same caller and key give the same id. It carries no time, so it is a UUIDv8.
fn id_of(ctx: &Ctx, credential: &Credential, key: &str) -> Result<Uuid> {
    let who = match credential {
        Credential::User { user, .. } => user.to_string(),
        Credential::Supabase { subject, .. } => format!("subject {subject}"),
        _ => {
            return Err(Error::forbidden(
                "role_not_allowed",
                "Only people make tenants.",
            ));
        }
    };
    let seed = format!("pulse tenant {who} {key}");
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(crypto::hmac_sha256(
        ctx.config.token_secret()?,
        seed.as_bytes(),
    )) {
        *to = from;
    }
    Ok(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_list_tenants, list_tenants => Access::Person;
        __path_create_tenant, create_tenant => Access::Person;
        __path_get_tenant, get_tenant => Access::May(Verb::Read, Resource::Tenant);
        __path_update_tenant, update_tenant => Access::May(Verb::Write, Resource::Tenant);
    ]
}

/// Lists the tenants you belong to.
#[utoipa::path(get, path = "/api/tenants", operation_id = "list_tenants", params(ListQuery),
    responses((status = 200, body = Listed<Tenant>)))]
async fn list_tenants(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    ok(&Listed::from(list(call.ctx, &scope, &call.query()?).await?))
}

/// Makes a tenant; you are its first admin.
#[utoipa::path(post, path = "/api/tenants", operation_id = "create_tenant",
    request_body = TenantIn, responses((status = 201, body = Tenant)))]
async fn create_tenant(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<TenantIn>().await?;
    if let Credential::Key { .. } = scope.credential {
        return Err(Error::forbidden(
            "role_not_allowed",
            "Only people make tenants.",
        ));
    }
    let (tenant, repeated) = create(call.ctx, &scope, &input).await?;
    replayed(Ok(created(&tenant)?.version(tenant.version)), repeated)
}

/// One tenant.
#[utoipa::path(get, path = "/api/tenants/{id}", operation_id = "get_tenant",
    params(("id" = Uuid, Path)), responses((status = 200, body = Tenant), (status = 304)))]
async fn get_tenant(call: Call<'_>) -> Answer {
    let tenant = get(call.ctx, &at_tenant(&call).await?).await?;
    match call.unchanged(tenant.version) {
        true => Ok(Reply::new(304, Body::Empty).version(tenant.version)),
        false => Ok(ok(&tenant)?.version(tenant.version)),
    }
}

/// Changes a tenant.
#[utoipa::path(patch, path = "/api/tenants/{id}", operation_id = "update_tenant",
    params(("id" = Uuid, Path)), request_body = TenantPatch,
    responses((status = 200, body = Tenant)))]
async fn update_tenant(call: Call<'_>) -> Answer {
    let (scope, input) = write_at_tenant::<TenantPatch>(&call).await?;
    let tenant = patch(call.ctx, &scope, call.if_match()?, &input).await?;
    Ok(ok(&tenant)?.version(tenant.version))
}
