//! What a tenant's object shows on its sockets, and to whom.
//!
//! Invariant: a socket is staff's of this tenant; each channel has a role of its own.
//! Failure: whoever may watch nothing has no socket.

use chrono::{DateTime, Utc};
use rules::live::log::{Channel, Position};
use rules::live::session::{Access, Identity};
use rules::roles::{Role, may};
use serde_json::json;

use super::live::{Tenant, happened, watching};
use super::storage::Storage;
use super::store;
use crate::platform::error::{Error, Result};
use crate::platform::live::{Happened, Known, Surface};
use crate::platform::scope::{Credential, Scope};
use crate::platform::token;

impl Surface for Tenant {
    async fn identify(&self, token: &str, now: DateTime<Utc>) -> Result<Known> {
        let ctx = self.ctx();
        let credential = token::verify(&ctx.config, token, now)?;
        let (kind, sign_in) = match &credential {
            Credential::User { session, .. } => ("user", Some(session.to_string())),
            Credential::Supabase { .. } => ("user", None),
            Credential::Key { .. } => ("key", None),
            _ => return Err(Error::unauthenticated("credential_missing")),
        };
        let tenant = self.tenant()?;
        let scope = Scope {
            credential,
            tenant: Some(tenant),
            roles: &[],
            idempotency: None,
        };
        let found = ctx.pg.call_full(&scope, &store::PLACE, &json!({})).await?;
        let other_place = match &scope.credential {
            Credential::Key { jurisdiction, .. } => *jurisdiction != found.result.jurisdiction,
            _ => false,
        };
        if found.tenant != tenant || other_place {
            return Err(Error::not_found());
        }
        let role = Role::parse(&found.role).filter(|role| Role::STAFF.contains(role));
        let role = role.ok_or_else(|| Error::forbidden("role_not_allowed", "Staff only."))?;
        self.caught_up().await?;
        Ok(Known {
            identity: Identity {
                kind: kind.to_owned(),
                id: found.actor.to_string(),
                sign_in,
                tenant: tenant.to_string(),
                role,
                profile: None,
                generation: None,
                confirmed_ms: Some(now.timestamp_millis()),
            },
            expires_at: token::expires_at(token, now),
        })
    }

    async fn confirm(&self, reader: &Identity, now: DateTime<Utc>) -> Result<()> {
        self.confirm_reader(reader, now).await?;
        self.caught_up().await
    }

    fn access(&self, identity: &Identity, channel: &str) -> Access {
        match watching(channel) {
            Some((verb, resource)) if may(identity.role, verb, resource) => Access::Granted,
            Some(_) => Access::Forbidden,
            None => Access::Unknown,
        }
    }

    fn channel(&self, channel: &str) -> Result<Channel> {
        let storage = Storage::make(&self.state)?;
        let position = storage.position(channel)?;
        let position = position.unwrap_or_else(|| Position::new("new", 0));
        Ok(Channel::counted(position, storage.kept(channel)?))
    }

    fn events_after(&self, channel: &str, offset: u64) -> Result<Vec<Happened>> {
        let events = Storage::make(&self.state)?.after(channel, offset)?;
        let events = events.iter().map(|event| happened(channel, event));
        events.collect()
    }

    fn scan(&self, _: &Identity, _: &str, _: DateTime<Utc>) -> Result<String> {
        Err(nothing_to_scan())
    }

    fn sync(&self, _: &Identity, _: &str, _: DateTime<Utc>) -> Result<String> {
        Err(nothing_to_scan())
    }

    fn status(&self, _: &Identity, _: &str, _: DateTime<Utc>) -> Result<()> {
        Err(nothing_to_scan())
    }
}

fn nothing_to_scan() -> Error {
    Error::forbidden("role_not_allowed", "There is nothing to scan here.")
}
