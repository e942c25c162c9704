//! Members: who belongs to a tenant, in which role.
//!
//! Invariant: a tenant keeps an admin; nobody changes or removes a member whose role they could not
//! grant; anyone may leave.
//! Failure: 403 `role_not_grantable`, 409 `last_admin`, 404 for who is no member.

use rules::page::Page;
use rules::roles::{Resource, Role, Verb};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::http::{ListQuery, Listed, at_tenant, hidden, remove_at_tenant, write_at_tenant};
use super::{MemberRole, User, over, standing, store};
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::http::{
    Access, Answer, Body, Call, Reply, Route, json as ok, no_content, routes,
};
use crate::platform::scope::{Credential, Scope, Subject};

/// A person's membership of a tenant.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// The person.
    pub user: User,
    /// What they may do.
    pub role: MemberRole,
    /// For `If-Match`.
    pub version: i64,
    /// RFC 3339: when they joined.
    #[schema(format = "date-time")]
    pub created_at: String,
}

/// A change of role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberPatch {
    /// The role from now on.
    pub role: MemberRole,
}

/// Members, the newest account first.
pub async fn list(ctx: &Ctx, scope: &Scope, query: &ListQuery) -> Result<Page<Member>> {
    let found = ctx
        .pg
        .call(scope, &store::MEMBERS, &query.input()?)
        .await
        .map_err(hidden)?;
    Ok(rules::page::cut(found, query.limit()?, |member| {
        member.user.id
    }))
}

/// One member.
pub async fn get(ctx: &Ctx, scope: &Scope, user: Uuid) -> Result<Member> {
    ctx.pg
        .call(scope, &store::MEMBER, &json!({"user_id": user}))
        .await
        .map_err(hidden)
}

/// Gives a member another role, at once: their next call already has it, and their open sockets too.
pub async fn set_role(
    ctx: &Ctx,
    scope: &Scope,
    user: Uuid,
    if_match: Option<i64>,
    role: MemberRole,
) -> Result<Member> {
    let may = over(|by, from| rules::roles::may_change(by, from, Role::from(role)));
    let change = json!({"user_id": user, "role": role, "if_match": if_match, "may": may});
    let done = ctx.pg.call(scope, &store::SET_ROLE, &change).await;
    let done = done.map_err(hidden)?;
    standing::changed(ctx, Subject::User(user), &done.live).await;
    Ok(done.result)
}

/// Removes a member, or lets the caller leave. Their sockets close at once.
pub async fn remove(ctx: &Ctx, scope: &Scope, user: Uuid, if_match: Option<i64>) -> Result<()> {
    let leaves = matches!(scope.credential, Credential::User { user: own, .. } if own == user);
    let roles = match leaves {
        true => rules::roles::allowed(Verb::Read, Resource::Tenant),
        false => scope.roles,
    };
    let scope = Scope {
        roles,
        ..scope.clone()
    };
    let may = over(rules::roles::may_remove);
    let removal = json!({"user_id": user, "if_match": if_match, "may": may});
    let done = ctx.pg.call(&scope, &store::REMOVE_MEMBER, &removal).await;
    let done = done.map_err(hidden)?;
    standing::changed(ctx, Subject::User(user), &done.live).await;
    Ok(())
}

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_list_members, list_members => Access::May(Verb::Read, Resource::Member);
        __path_get_member, get_member => Access::May(Verb::Read, Resource::Member);
        __path_update_member, update_member => Access::May(Verb::Write, Resource::Member);
        __path_remove_member, remove_member => Access::May(Verb::Delete, Resource::Member);
    ]
}

/// Lists the members of a tenant.
#[utoipa::path(get, path = "/api/tenants/{id}/members", operation_id = "list_members",
    params(("id" = Uuid, Path), ListQuery), responses((status = 200, body = Listed<Member>)))]
async fn list_members(call: Call<'_>) -> Answer {
    let scope = at_tenant(&call).await?;
    ok(&Listed::from(list(call.ctx, &scope, &call.query()?).await?))
}

/// One member.
#[utoipa::path(get, path = "/api/tenants/{id}/members/{user}", operation_id = "get_member",
    params(("id" = Uuid, Path), ("user" = Uuid, Path)),
    responses((status = 200, body = Member), (status = 304)))]
async fn get_member(call: Call<'_>) -> Answer {
    let member = get(call.ctx, &at_tenant(&call).await?, call.id("user")?).await?;
    match call.unchanged(member.version) {
        true => Ok(Reply::new(304, Body::Empty).version(member.version)),
        false => Ok(ok(&member)?.version(member.version)),
    }
}

/// Gives a member another role.
#[utoipa::path(patch, path = "/api/tenants/{id}/members/{user}", operation_id = "update_member",
    params(("id" = Uuid, Path), ("user" = Uuid, Path)), request_body = MemberPatch,
    responses((status = 200, body = Member)))]
async fn update_member(call: Call<'_>) -> Answer {
    let (scope, input) = write_at_tenant::<MemberPatch>(&call).await?;
    let (user, if_match) = (call.id("user")?, call.if_match()?);
    let member = set_role(call.ctx, &scope, user, if_match, input.role).await?;
    Ok(ok(&member)?.version(member.version))
}

/// Removes a member. Anyone may remove themselves.
#[utoipa::path(delete, path = "/api/tenants/{id}/members/{user}", operation_id = "delete_member",
    params(("id" = Uuid, Path), ("user" = Uuid, Path)), responses((status = 204)))]
async fn remove_member(call: Call<'_>) -> Answer {
    let scope = remove_at_tenant(&call).await?;
    remove(call.ctx, &scope, call.id("user")?, call.if_match()?).await?;
    no_content()
}
