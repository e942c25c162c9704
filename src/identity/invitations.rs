//! Invitations: how people become members.
//!
//! Invariant: the token is shown once and only its hash is stored; a repeated request shows the same
//! token again, because it follows from the invitation and the `Idempotency-Key`.
//! Failure: 404 for an unknown token, 410 for one that expired or was used.

use rules::invalid::Invalid;
use rules::page::Page;
use rules::roles::{Resource, Role, Verb};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::accounts::{self, Opened, SessionRef};
use super::http::{
    ListQuery, Listed, at_tenant, hidden, remove_at_tenant, replayed, write_at_tenant,
};
use super::secret::{self, Purpose, Token};
use super::tenants::Tenant;
use super::{MemberRole, NAME, User, clock, granters, password, store};
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::http::{Access, Answer, Call, Route, created, json as ok, no_content, routes};
use crate::platform::scope::{Credential, Scope};

/// An invitation to a tenant.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    /// The invitation.
    pub id: Uuid,
    /// Whom it is for.
    #[schema(format = "email")]
    pub email: String,
    /// What they will be.
    pub role: MemberRole,
    /// Who invited them.
    pub invited_by: Option<Uuid>,
    /// RFC 3339.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// RFC 3339: seven days later.
    #[schema(format = "date-time")]
    pub expires_at: String,
    /// RFC 3339: when they joined.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub accepted_at: Option<String>,
    /// What accepts it; in the answer to the creation only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// Whom to invite.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationIn {
    /// Their email.
    #[schema(format = "email", max_length = 254)]
    pub email: String,
    /// What they will be.
    pub role: MemberRole,
}

/// An invitation to accept. Who has an account already signs in first and sends the token only.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptIn {
    /// From the invitation.
    #[schema(max_length = 200)]
    pub token: String,
    /// The password of the new account.
    #[schema(format = "password", min_length = 10, max_length = 256)]
    pub password: Option<String>,
    /// How you are called.
    #[schema(
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
    )]
    pub name: Option<String>,
}

/// What an accepted invitation made; with a session, if it made an account.
#[derive(Serialize, ToSchema)]
pub struct Accepted {
    /// The member.
    pub user: User,
    /// The tenant they joined.
    pub tenant: Tenant,
    /// Good for `expires_in` seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    /// `Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<&'static str>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<i64>,
    /// Exchange it for the next session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

/// What the database made of an accepted invitation.
#[derive(Deserialize)]
pub struct Joined {
    user: User,
    tenant: Tenant,
    session: Option<SessionRef>,
}

/// Invites an email; an earlier invitation of it that is still open ends. The second value tells
/// that this is the answer of an earlier request.
pub async fn invite(ctx: &Ctx, scope: &Scope, input: &InvitationIn) -> Result<(Invitation, bool)> {
    let email = rules::email::parse("/email", &input.email)?;
    let id = ctx.new_id();
    let token = token_of(ctx, scope, id)?;
    let new = json!({
        "id": id, "email": email, "role": input.role, "token_hash": token.hash,
        "may": granters(Role::from(input.role)), "now": clock(ctx),
    });
    let done = ctx
        .pg
        .call_full(scope, &store::INVITE, &new)
        .await
        .map_err(hidden)?;
    let token = match done.replayed {
        true => token_of(ctx, scope, done.result.id)?,
        false => token,
    };
    Ok((
        Invitation {
            token: Some(token.text),
            ..done.result
        },
        done.replayed,
    ))
}

/// Invitations, newest first.
pub async fn list(ctx: &Ctx, scope: &Scope, query: &ListQuery) -> Result<Page<Invitation>> {
    let found = ctx
        .pg
        .call(scope, &store::INVITATIONS, &query.input()?)
        .await
        .map_err(hidden)?;
    Ok(rules::page::cut(found, query.limit()?, |invitation| {
        invitation.id
    }))
}

/// Takes an open invitation back.
pub async fn withdraw(ctx: &Ctx, scope: &Scope, invitation: Uuid) -> Result<()> {
    let which = json!({"id": invitation});
    ctx.pg
        .call(scope, &store::DELETE_INVITATION, &which)
        .await
        .map(drop)
        .map_err(hidden)
}

/// Makes whoever holds the token a member: the caller, or a new account.
pub async fn accept(ctx: &Ctx, scope: &Scope, input: &AcceptIn) -> Result<Accepted> {
    let key = ctx.config.token_secret()?;
    let (_, hash) = secret::open(key, Purpose::Invitation, &input.token)
        .ok_or_else(|| Error::new(404, "invitation_not_found", "This invitation is not known."))?;
    let session = ctx.new_id();
    let refresh = secret::fresh(key, Purpose::Refresh, session);
    let joining = match &scope.credential {
        Credential::User { .. } | Credential::Supabase { .. } => {
            json!({"token_hash": hash, "actor": scope.actor(), "now": clock(ctx)})
        }
        Credential::Anonymous { .. } => {
            let mut new = new_account(ctx, input)?;
            if let Some(fields) = new.as_object_mut() {
                fields.insert("token_hash".to_owned(), hash.into());
                fields.insert("session_id".to_owned(), json!(session));
                fields.insert("refresh_hash".to_owned(), json!(refresh.hash));
            }
            new
        }
        _ => {
            return Err(Error::forbidden(
                "role_not_allowed",
                "Only people accept invitations.",
            ));
        }
    };
    let joined = ctx.pg.function(&store::ACCEPT_INVITATION, &joining).await?;
    accepted(ctx, joined, refresh)
}

fn new_account(ctx: &Ctx, input: &AcceptIn) -> Result<Value> {
    let mut invalid = Invalid::default();
    let name = invalid.take(rules::name::optional("/name", input.name.as_deref(), NAME));
    if let Some(password) = &input.password {
        invalid.take(rules::password::check("/password", password, ""));
    }
    invalid.or(())?;
    let hash = input.password.as_deref().map(password::hash).transpose()?;
    Ok(json!({
        "user_id": ctx.new_id(), "password_hash": hash, "name": name.flatten(), "now": clock(ctx),
    }))
}

fn accepted(ctx: &Ctx, joined: Joined, refresh: Token) -> Result<Accepted> {
    let Joined {
        user,
        tenant,
        session,
    } = joined;
    let mut accepted = Accepted {
        user: user.clone(),
        tenant: tenant.clone(),
        access_token: None,
        token_type: None,
        expires_in: None,
        refresh_token: None,
    };
    if let Some(session) = session {
        let opened = Opened {
            user,
            tenant: Some(tenant),
            session,
        };
        let session = accounts::issue(ctx, opened, refresh)?;
        accepted.access_token = Some(session.access_token);
        accepted.token_type = Some(session.token_type);
        accepted.expires_in = Some(session.expires_in);
        accepted.refresh_token = Some(session.refresh_token);
    }
    Ok(accepted)
}

fn token_of(ctx: &Ctx, scope: &Scope, id: Uuid) -> Result<Token> {
    let key = ctx.config.token_secret()?;
    Ok(match &scope.idempotency {
        Some(repeated) => secret::repeatable(key, Purpose::Invitation, id, &repeated.key),
        None => secret::fresh(key, Purpose::Invitation, id),
    })
}

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_create_invitation, create_invitation => Access::May(Verb::Create, Resource::Invitation);
        __path_list_invitations, list_invitations => Access::May(Verb::Read, Resource::Invitation);
        __path_delete_invitation, delete_invitation => Access::May(Verb::Delete, Resource::Invitation);
        __path_accept_invitation, accept_invitation => Access::Public;
    ]
}

/// Invites somebody to a tenant. The answer holds the token, this once.
#[utoipa::path(post, path = "/api/tenants/{id}/invitations", operation_id = "create_invitation",
    params(("id" = Uuid, Path)), request_body = InvitationIn,
    responses((status = 201, body = Invitation)))]
async fn create_invitation(call: Call<'_>) -> Answer {
    let (scope, input) = write_at_tenant::<InvitationIn>(&call).await?;
    let (invitation, repeated) = invite(call.ctx, &scope, &input).await?;
    replayed(created(&invitation), repeated)
}

/// Lists a tenant's invitations.
#[utoipa::path(get, path = "/api/tenants/{id}/invitations", operation_id = "list_invitations",
    params(("id" = Uuid, Path), ListQuery),
    responses((status = 200, body = Listed<Invitation>)))]
async fn list_invitations(call: Call<'_>) -> Answer {
    let scope = at_tenant(&call).await?;
    ok(&Listed::from(list(call.ctx, &scope, &call.query()?).await?))
}

/// Takes an invitation back.
#[utoipa::path(delete, path = "/api/tenants/{id}/invitations/{invitation}",
    operation_id = "delete_invitation",
    params(("id" = Uuid, Path), ("invitation" = Uuid, Path)), responses((status = 204)))]
async fn delete_invitation(call: Call<'_>) -> Answer {
    let scope = remove_at_tenant(&call).await?;
    withdraw(call.ctx, &scope, call.id("invitation")?).await?;
    no_content()
}

/// Accepts an invitation: as the caller, or with a new account.
#[utoipa::path(post, path = "/api/invitations/accept", operation_id = "accept_invitation",
    request_body = AcceptIn, security((), ("bearer" = [])),
    responses((status = 201, body = Accepted)))]
async fn accept_invitation(call: Call<'_>) -> Answer {
    let credential = call.credential().await?;
    let scope = Scope {
        credential,
        tenant: None,
        roles: &[],
        idempotency: None,
    };
    created(&accept(call.ctx, &scope, &call.body().await?).await?)
}
