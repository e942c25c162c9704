//! SQL of identity.
//!
//! Invariant: secrets never reach SQL, only their hashes; columns that hold hashes are never read.
//! Failure: the functions raise the problem they mean; see the migrations.

use serde::Deserialize;
use serde_json::Value;

use super::Me;
use super::accounts::{Lookup, Opened, Refreshed};
use super::invitations::{Invitation, Joined};
use super::keys::ApiKey;
use super::members::Member;
use super::standing::Live;
use super::tenants::Tenant;
use crate::platform::pg::{Function, Statement};

/// It was done; `null` means that there was nothing to do it to.
#[derive(Deserialize)]
pub struct Done {}

/// What came of a change, and which live objects have to hear of it.
#[derive(Deserialize)]
pub struct Heard<T> {
    /// What came of it.
    pub result: T,
    /// The objects.
    pub live: Vec<Live>,
}

/// A session that ended.
#[derive(Deserialize)]
pub struct SignedOut {
    /// The objects that have to hear of it.
    pub live: Vec<Live>,
}

/// A new user with a tenant of their own, signed in.
pub const REGISTER: Function<Value, Opened> =
    Function::new("select app.register($1::text::jsonb)::text");

/// What is known of an email that tries to sign in; counts the attempt.
pub const LOGIN_LOOKUP: Function<Value, Lookup> =
    Function::new("select app.login_lookup($1::text::jsonb)::text");

/// A session for whoever gave the right password.
pub const LOGIN_FINISH: Function<Value, Opened> =
    Function::new("select app.login_finish($1::text::jsonb)::text");

/// Exchanges a refresh token.
pub const REFRESH: Function<Value, Refreshed> =
    Function::new("select app.refresh($1::text::jsonb)::text");

/// Ends a session.
pub const LOGOUT: Function<Value, SignedOut> =
    Function::new("select app.logout($1::text::jsonb)::text");

/// Who the caller is and where they belong.
pub const ME: Function<Value, Me> = Function::new("select app.me($1::text::jsonb)::text");

/// A tenant whose admin is the caller. `tenants_pkey` means that it was made before.
pub const CREATE_TENANT: Function<Value, Tenant> =
    Function::new("select app.create_tenant($1::text::jsonb)::text")
        .conflicts(&[("tenants_pkey", "tenant_exists")]);

/// Makes whoever holds the invitation a member.
pub const ACCEPT_INVITATION: Function<Value, Joined> =
    Function::new("select app.accept_invitation($1::text::jsonb)::text");

/// The tenant of the call.
pub const TENANT: Statement<Value, Tenant> = Statement::new(
    "select app.tenant_json(t, app.role()) from tenants t where t.id = app.tenant()",
);

/// Changes what is given; a trigger moves the version.
pub const PATCH_TENANT: Statement<Value, Tenant> = Statement::new(
    "update tenants as t
        set name = coalesce($1->>'name', t.name),
            region = case when $1 ? 'region' then $1->>'region' else t.region end,
            updated_at = app.clock($1)
      where t.id = app.tenant() and app.expect_version(t.version, ($1->>'if_match')::int)
     returning app.tenant_json(t, app.role())",
);

/// Members, the newest account first.
pub const MEMBERS: Statement<Value, Vec<Member>> = Statement::new(
    "select coalesce(jsonb_agg(jsonb_build_object(
              'user', jsonb_build_object('id', m.user_id, 'email', m.email, 'name', m.name),
              'role', m.role, 'version', m.version, 'created_at', app.utc(m.created_at))
              order by m.user_id desc), '[]')
       from (select m.* from app.members() m
              where $1->>'before' is null or m.user_id < ($1->>'before')::uuid
              order by m.user_id desc
              limit ($1->>'limit')::int) m",
);

/// One member.
pub const MEMBER: Statement<Value, Member> =
    Statement::new("select app.member_json(($1->>'user_id')::uuid)");

/// Changes a role. `may` names, for each role a caller can have, the roles it may change from.
pub const SET_ROLE: Statement<Value, Heard<Member>> = Statement::new(
    "with m as materialized (
       select m.role from memberships m
        where m.tenant_id = app.tenant() and m.user_id = ($1->>'user_id')::uuid
          for no key update)
     select case when $1->'may'->app.role() ? m.role
                 then jsonb_build_object('result', app.set_member_role($1), 'live', app.live_tables())
                 else (select null::jsonb from app.fail('PU403', 'role_not_grantable',
                         'Your role may not make this change.', '/role')) end
       from m",
);

/// Removes a member. `may` names, for each role a caller can have, the roles it may remove; anyone
/// may leave.
pub const REMOVE_MEMBER: Statement<Value, Heard<Done>> = Statement::new(
    "with m as materialized (
       select m.role, m.user_id from memberships m
        where m.tenant_id = app.tenant() and m.user_id = ($1->>'user_id')::uuid
          and app.expect_version(m.version, ($1->>'if_match')::int)
          for no key update)
     select case when $1->'may'->app.role() ? m.role
                   or (app.actor_kind() = 'user' and app.actor_id() = m.user_id)
                 then jsonb_build_object('result', app.remove_member($1), 'live', app.live_tables())
                 else (select null::jsonb from app.fail('PU403', 'role_not_grantable',
                         'Your role may not remove this member.')) end
       from m",
);

/// Invites an email. `may` lists the roles that may grant the role asked for.
pub const INVITE: Statement<Value, Invitation> = Statement::new(
    "select case when $1->'may' ? app.role() then app.invite($1)
                 else (select null::jsonb from app.fail('PU403', 'role_not_grantable',
                         'Your role may not grant this role.', '/role')) end",
);

/// Invitations, newest first.
pub const INVITATIONS: Statement<Value, Vec<Invitation>> = Statement::new(
    "select coalesce(jsonb_agg(app.invitation_json(i.id, i.email, i.role, i.invited_by,
              i.created_at, i.expires_at, i.accepted_at) order by i.id desc), '[]')
       from (select i.id, i.email, i.role, i.invited_by, i.created_at, i.expires_at, i.accepted_at
               from invitations i
              where i.tenant_id = app.tenant()
                and ($1->>'before' is null or i.id < ($1->>'before')::uuid)
              order by i.id desc
              limit ($1->>'limit')::int) i",
);

/// Takes an invitation back; one that was accepted stays as it is.
pub const DELETE_INVITATION: Statement<Value, Done> = Statement::new(
    "delete from invitations i
      where i.tenant_id = app.tenant() and i.id = ($1->>'id')::uuid and i.accepted_at is null
     returning jsonb_build_object('id', i.id)",
);

/// A new API key. `may` lists the roles that may grant the role asked for.
pub const INSERT_KEY: Statement<Value, ApiKey> = Statement::new(
    "insert into api_keys as k
            (id, tenant_id, name, role, key_hash, prefix, created_by, created_at, expires_at)
     select ($1->>'id')::uuid, t.id, $1->>'name', $1->>'role', $1->>'hash',
            'pulse_' || t.jurisdiction || '_' || left($1->>'id', 13), app.actor_id(),
            app.clock($1), ($1->>'expires_at')::timestamptz
       from tenants t
      where t.id = app.tenant()
        and case when $1->'may' ? app.role() then true
                 else (select true from app.fail('PU403', 'role_not_grantable',
                         'Your role may not grant this role.', '/role')) end
     returning jsonb_build_object('id', k.id, 'name', k.name, 'role', k.role, 'prefix', k.prefix,
       'created_by', k.created_by, 'created_at', app.utc(k.created_at),
       'expires_at', app.utc(k.expires_at), 'last_used_at', null, 'revoked_at', null)",
);

/// API keys, newest first, revoked ones too.
pub const KEYS: Statement<Value, Vec<ApiKey>> = Statement::new(
    "select coalesce(jsonb_agg(jsonb_build_object('id', k.id, 'name', k.name, 'role', k.role,
              'prefix', k.prefix, 'created_by', k.created_by, 'created_at', app.utc(k.created_at),
              'expires_at', app.utc(k.expires_at), 'last_used_at', app.utc(k.last_used_at),
              'revoked_at', app.utc(k.revoked_at)) order by k.id desc), '[]')
       from (select k.id, k.name, k.role, k.prefix, k.created_by, k.created_at, k.expires_at,
                    k.last_used_at, k.revoked_at
               from api_keys k
              where k.tenant_id = app.tenant()
                and ($1->>'before' is null or k.id < ($1->>'before')::uuid)
              order by k.id desc
              limit ($1->>'limit')::int) k",
);

/// Revokes an API key, once.
pub const REVOKE_KEY: Statement<Value, Heard<Done>> = Statement::new(
    "update api_keys as k set revoked_at = coalesce(k.revoked_at, app.clock($1))
      where k.tenant_id = app.tenant() and k.id = ($1->>'id')::uuid
     returning jsonb_build_object('result', jsonb_build_object('id', k.id),
                                  'live', app.live_tables())",
);
