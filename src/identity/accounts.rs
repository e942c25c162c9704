//! Accounts: register, sign in, stay signed in, sign out.
//!
//! Invariant: an unknown email and a wrong password are the same answer after the same work;
//! attempts are counted before the password is looked at, per account and per source.
//! Failure: 401 `invalid_credentials`, 429 with a wait after too many attempts, 401
//! `refresh_token_reused` when a spent refresh token comes back, which ends its session.

use rules::invalid::Invalid;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::secret::{self, Purpose, Token};
use super::standing::Live;
use super::tenants::{Region, Tenant};
use super::{Me, NAME, User, clock, password, standing, store};
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::http::{Access, Answer, Call, Route, created, json, no_content, routes};
use crate::platform::scope::{Credential, Jurisdiction, Scope, Subject};
use crate::platform::token;

/// A new account with a tenant of its own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterIn {
    /// What you sign in with.
    #[schema(format = "email", max_length = 254)]
    pub email: String,
    /// Not the email, and none that everybody tries first.
    #[schema(format = "password", min_length = 10, max_length = 256)]
    pub password: String,
    /// How you are called.
    #[schema(
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
    )]
    pub name: Option<String>,
    /// The tenant, whose first admin you are.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*\S[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
    )]
    pub tenant_name: String,
    /// Where the tenant's live data must stay. Cannot be changed later.
    pub jurisdiction: Option<Jurisdiction>,
    /// Where most of its users are.
    pub region: Option<Region>,
}

/// An attempt to sign in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginIn {
    /// The account.
    #[schema(format = "email", max_length = 254)]
    pub email: String,
    /// Its password.
    #[schema(format = "password", max_length = 1024)]
    pub password: String,
    /// The tenant to act in; without it, the one you joined first.
    pub tenant_id: Option<Uuid>,
}

/// A refresh token to exchange.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshIn {
    /// From the session; it works once.
    #[schema(max_length = 200)]
    pub refresh_token: String,
    /// The tenant to act in from now on.
    pub tenant_id: Option<Uuid>,
}

/// The session to end, where the call carries no access token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogoutIn {
    /// From the session.
    #[schema(max_length = 200)]
    pub refresh_token: String,
}

/// A session: what to call with, and how to go on.
#[derive(Serialize, ToSchema)]
pub struct Session {
    /// Good for `expires_in` seconds, in the header `Authorization: Bearer`.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: i64,
    /// Exchange it for the next session before or after the access token expires.
    pub refresh_token: String,
    /// Who you are.
    pub user: User,
    /// The tenant the access token acts in.
    pub tenant: Option<Tenant>,
}

/// What is known of an email that tries to sign in.
#[derive(Deserialize)]
pub struct Lookup {
    user_id: Option<Uuid>,
    password_hash: Option<String>,
    blocked_for_seconds: u32,
}

/// A session as the database opened it.
#[derive(Deserialize)]
pub struct Opened {
    pub(super) user: User,
    pub(super) tenant: Option<Tenant>,
    pub(super) session: SessionRef,
}

/// A session's id.
#[derive(Deserialize)]
pub struct SessionRef {
    pub(super) id: Uuid,
}

/// What came of a refresh token. A refusal is an answer, because it may have ended the session.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Refreshed {
    /// It was good.
    Opened(Opened),
    /// It was not.
    Refused {
        /// Why.
        code: String,
        /// The live objects that have to hear of a session that ended with it.
        #[serde(default)]
        live: Vec<Live>,
    },
}

/// Registers a user with a tenant.
pub async fn register(ctx: &Ctx, input: RegisterIn) -> Result<Session> {
    let mut invalid = Invalid::default();
    let email = invalid.take(rules::email::parse("/email", &input.email));
    invalid.take(rules::password::check(
        "/password",
        &input.password,
        &input.email,
    ));
    let name = invalid.take(rules::name::optional("/name", input.name.as_deref(), NAME));
    let tenant = invalid.take(rules::name::parse("/tenant_name", &input.tenant_name, NAME));
    invalid.or(())?;
    let session = ctx.new_id();
    let refresh = secret::fresh(ctx.config.token_secret()?, Purpose::Refresh, session);
    let new = json!({
        "user_id": ctx.new_id(), "email": email, "name": name.flatten(),
        "password_hash": password::hash(&input.password)?,
        "tenant_id": ctx.new_id(), "tenant_name": tenant, "region": input.region,
        "jurisdiction": input.jurisdiction.unwrap_or_default(),
        "session_id": session, "refresh_hash": refresh.hash, "now": clock(ctx),
    });
    let opened = ctx.pg.function(&store::REGISTER, &new).await?;
    issue(ctx, opened, refresh)
}

/// Signs in with a password. `source` is where the attempt comes from.
pub async fn login(ctx: &Ctx, input: LoginIn, source: &str) -> Result<Session> {
    let email = rules::email::parse("/email", &input.email)?;
    let attempt = json!({"email": email, "source": source, "now": clock(ctx)});
    let known = ctx.pg.function(&store::LOGIN_LOOKUP, &attempt).await?;
    if known.blocked_for_seconds > 0 {
        return Err(Error::too_many(known.blocked_for_seconds));
    }
    let right = password::verify(&input.password, known.password_hash.as_deref())?;
    let Some(user) = known.user_id.filter(|_| right) else {
        return Err(Error::new(
            401,
            "invalid_credentials",
            "The email or the password is wrong.",
        ));
    };
    let session = ctx.new_id();
    let refresh = secret::fresh(ctx.config.token_secret()?, Purpose::Refresh, session);
    let finish = json!({
        "user_id": user, "email": email, "source": source, "session_id": session,
        "refresh_hash": refresh.hash, "tenant_id": input.tenant_id, "now": clock(ctx),
    });
    let opened = ctx.pg.function(&store::LOGIN_FINISH, &finish).await?;
    issue(ctx, opened, refresh)
}

/// Exchanges a refresh token for the next session.
pub async fn refresh(ctx: &Ctx, input: &RefreshIn) -> Result<Session> {
    let key = ctx.config.token_secret()?;
    let (session, hash) = secret::open(key, Purpose::Refresh, &input.refresh_token)
        .ok_or_else(|| Error::unauthenticated("refresh_token_invalid"))?;
    let next = secret::fresh(key, Purpose::Refresh, session);
    let exchange = json!({
        "session_id": session, "secret_hash": hash, "new_hash": next.hash,
        "tenant_id": input.tenant_id, "now": clock(ctx),
    });
    match ctx.pg.function(&store::REFRESH, &exchange).await? {
        Refreshed::Opened(opened) => issue(ctx, opened, next),
        Refreshed::Refused { code, live } => {
            standing::changed(ctx, Subject::Session(session), &live).await;
            Err(Error::unauthenticated(code))
        }
    }
}

/// Ends the session of an access token.
pub async fn logout(ctx: &Ctx, credential: &Credential) -> Result<()> {
    let Credential::User { user, session, .. } = credential else {
        return Err(Error::forbidden(
            "no_session",
            "This credential has no session to end.",
        ));
    };
    let end = json!({"session_id": session, "user_id": user, "now": clock(ctx)});
    end_session(ctx, *session, &end).await
}

/// Ends the session of a refresh token.
pub async fn logout_with(ctx: &Ctx, refresh_token: &str) -> Result<()> {
    let key = ctx.config.token_secret()?;
    let (session, hash) = secret::open(key, Purpose::Refresh, refresh_token)
        .ok_or_else(|| Error::unauthenticated("refresh_token_invalid"))?;
    let end = json!({"session_id": session, "secret_hash": hash, "now": clock(ctx)});
    end_session(ctx, session, &end).await
}

/// Ends a session; the sockets that were opened with it close.
async fn end_session(ctx: &Ctx, session: Uuid, end: &Value) -> Result<()> {
    let ended = ctx.pg.function(&store::LOGOUT, end).await?;
    standing::changed(ctx, Subject::Session(session), &ended.live).await;
    Ok(())
}

/// Who the caller is and where they belong.
pub async fn me(ctx: &Ctx, scope: &Scope) -> Result<Me> {
    ctx.pg
        .function(
            &store::ME,
            &json!({"actor": scope.actor(), "now": clock(ctx)}),
        )
        .await
}

/// The answer to an opened session.
pub(super) fn issue(ctx: &Ctx, opened: Opened, refresh: Token) -> Result<Session> {
    let Opened {
        user,
        tenant,
        session,
    } = opened;
    let (tenant_id, jurisdiction) = tenant
        .as_ref()
        .map_or_else(Default::default, |tenant| (tenant.id, tenant.jurisdiction));
    Ok(Session {
        access_token: token::mint_user(ctx, user.id, session.id, tenant_id, jurisdiction)?,
        token_type: "Bearer",
        expires_in: token::USER_LIFE,
        refresh_token: refresh.text,
        user,
        tenant,
    })
}

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_register_account, register_account => Access::Public;
        __path_sign_in, sign_in => Access::Public;
        __path_refresh_session, refresh_session => Access::Public;
        __path_sign_out, sign_out => Access::Public;
        __path_get_me, get_me => Access::Person;
    ]
}

/// Registers an account with a tenant of its own.
#[utoipa::path(post, path = "/api/auth/register", operation_id = "register_account",
    request_body = RegisterIn, responses((status = 201, body = Session)))]
async fn register_account(call: Call<'_>) -> Answer {
    created(&register(call.ctx, call.body().await?).await?)
}

/// Signs in.
///
/// After 10 wrong passwords for an account, or 50 from one source, within 15 minutes: 429.
#[utoipa::path(post, path = "/api/auth/login", operation_id = "create_session_token",
    request_body = LoginIn, responses((status = 200, body = Session)))]
async fn sign_in(call: Call<'_>) -> Answer {
    json(&login(call.ctx, call.body().await?, &call.source()).await?)
}

/// Exchanges a refresh token for the next session.
///
/// A refresh token works once. A retry within 10 seconds is forgiven; later, the session ends.
#[utoipa::path(post, path = "/api/auth/refresh", operation_id = "refresh_session_token",
    request_body = RefreshIn, responses((status = 200, body = Session)))]
async fn refresh_session(call: Call<'_>) -> Answer {
    json(&refresh(call.ctx, &call.body().await?).await?)
}

/// Signs out.
///
/// Ends the session of the access token; without one, of the refresh token in the body.
#[utoipa::path(post, path = "/api/auth/logout", operation_id = "delete_session_token",
    request_body = Option<LogoutIn>, security((), ("bearer" = [])), responses((status = 204)))]
async fn sign_out(call: Call<'_>) -> Answer {
    let credential = call.credential().await?;
    if !matches!(credential, Credential::Anonymous { .. }) {
        logout(call.ctx, &credential).await?;
        return no_content();
    }
    let body = match call.head.content_type.is_empty() {
        true => None,
        false => call.body::<Option<LogoutIn>>().await?,
    };
    let body = body.ok_or_else(|| Error::unauthenticated("credential_missing"))?;
    logout_with(call.ctx, &body.refresh_token).await?;
    no_content()
}

/// Who you are, and every tenant you belong to.
#[utoipa::path(get, path = "/api/auth/me", operation_id = "get_me",
    responses((status = 200, body = Me)))]
async fn get_me(call: Call<'_>) -> Answer {
    json(&me(call.ctx, &call.scope().await?).await?)
}
