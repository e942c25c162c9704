//! Who calls, for which tenant, and which roles may do what is asked.
//!
//! Invariant: a scope is the only way to a tenant's data; the database verifies it in the same
//! transaction that does the work, so a removed user or a changed role takes effect at once.
//! Failure: no credential is 401, a role that may not is 403, another tenant's object is 404.

use std::fmt::Write as _;

use rules::roles::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Where a tenant's objects must live. Fixed when the tenant is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Jurisdiction {
    /// Anywhere.
    #[default]
    None,
    /// In the European Union.
    Eu,
}

impl Jurisdiction {
    /// As it is written in keys, tokens and addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Eu => "eu",
        }
    }

    /// Reads what [`Jurisdiction::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::None),
            "eu" => Some(Self::Eu),
            _ => None,
        }
    }
}

/// A credential, after what can be verified without the database was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Credential {
    /// A member of staff, by our own signed token.
    User {
        /// The user.
        user: Uuid,
        /// The session the token was made in.
        session: Uuid,
        /// The tenant the token was made for.
        tenant: Uuid,
        /// Of that tenant.
        jurisdiction: Jurisdiction,
    },
    /// A member of staff, by a token a Supabase project signed.
    Supabase {
        /// `sub` of the token.
        subject: String,
        /// `email` of the token.
        email: String,
    },
    /// An API key; the database compares the hash.
    Key {
        /// The key.
        id: Uuid,
        /// SHA-256 of the secret, hex.
        hash: String,
        /// Of the key's tenant.
        jurisdiction: Jurisdiction,
    },
    /// A paired scanner, by our own signed token.
    Device {
        /// The scanner session.
        session: Uuid,
        /// Its tenant.
        tenant: Uuid,
        /// The one table it may scan for.
        table: Uuid,
        /// Which of the session's tokens it is; only the newest counts.
        generation: u32,
        /// Of that tenant.
        jurisdiction: Jurisdiction,
    },
    /// A guest scanner: holds the table's guest key, if anything.
    Anonymous {
        /// The guest key that was sent; empty without one.
        guest_key: String,
        /// What the guest's device calls itself, if it does.
        device: Option<Uuid>,
    },
    /// The Worker's own work.
    System,
}

impl Credential {
    /// Where the caller's objects live, as far as the credential says.
    pub fn jurisdiction(&self) -> Option<Jurisdiction> {
        match self {
            Self::User { jurisdiction, .. }
            | Self::Key { jurisdiction, .. }
            | Self::Device { jurisdiction, .. } => Some(*jurisdiction),
            Self::Supabase { .. } | Self::Anonymous { .. } | Self::System => None,
        }
    }
}

/// Whose word is not to be taken for granted any more: a role changed, or a credential ended. It says
/// what to look at, not what it became.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A person, in all of their sessions.
    User(Uuid),
    /// One sign-in of a person.
    Session(Uuid),
    /// An API key.
    Key(Uuid),
}

/// `Idempotency-Key` of a write, with a fingerprint of what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// As sent.
    pub key: String,
    /// SHA-256 over method, path and body, hex.
    pub fingerprint: String,
}

/// Who calls, for which tenant, with which roles allowed.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Who.
    pub credential: Credential,
    /// The tenant that was asked for; none means the credential's own.
    pub tenant: Option<Uuid>,
    /// The roles that may do what is asked; the database checks the caller's.
    pub roles: &'static [Role],
    /// Set on writes that carry the header.
    pub idempotency: Option<Idempotency>,
}

impl Scope {
    /// The Worker's own work for a tenant.
    pub fn system(tenant: Uuid) -> Self {
        Self {
            credential: Credential::System,
            tenant: Some(tenant),
            roles: &[],
            idempotency: None,
        }
    }

    /// The tenant, as far as it is known before the database was asked. A user who belongs to no
    /// tenant has a token with the nil tenant.
    pub fn known_tenant(&self) -> Option<Uuid> {
        let own = match &self.credential {
            Credential::User { tenant, .. } | Credential::Device { tenant, .. } => Some(*tenant),
            _ => None,
        };
        self.tenant.or(own.filter(|tenant| !tenant.is_nil()))
    }

    /// The roles as `app.call` takes them: comma-separated.
    pub(super) fn role_list(&self) -> String {
        let mut list = String::new();
        for role in self.roles {
            let _ = write!(
                list,
                "{}{}",
                if list.is_empty() { "" } else { "," },
                role.as_str()
            );
        }
        list
    }

    /// The actor as `app.call` takes it.
    pub fn actor(&self) -> serde_json::Value {
        let tenant = self.known_tenant();
        match &self.credential {
            Credential::User { user, session, .. } => serde_json::json!({
                "kind": "user", "id": user, "session": session, "tenant": tenant}),
            Credential::Supabase { subject, email } => serde_json::json!({
                "kind": "supabase", "subject": subject, "email": email, "tenant": tenant}),
            Credential::Key { id, hash, .. } => serde_json::json!({
                "kind": "key", "id": id, "hash": hash, "tenant": tenant}),
            Credential::Device {
                session,
                generation,
                ..
            } => serde_json::json!({
                "kind": "device", "id": session, "tenant": tenant, "generation": generation}),
            Credential::Anonymous { .. } => serde_json::json!({"kind": "anonymous"}),
            Credential::System => serde_json::json!({
                "kind": "system", "job": "worker", "tenant": tenant}),
        }
    }
}
