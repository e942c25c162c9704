//! Who people are and where they belong: accounts, tenants, members, invitations, API keys.
//!
//! Invariant: what a caller may do is decided by their membership as it is now, in the transaction
//! that does the work; nobody grants a role that `rules::roles` does not let them grant.
//! Failure: a tenant that the caller does not belong to is 404.

pub mod accounts;
mod http;
pub mod invitations;
pub mod keys;
pub mod members;
mod password;
mod secret;
mod standing;
mod store;
pub mod tenants;

use rules::roles::Role;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::platform::ctx::Ctx;
use crate::platform::http::Module;
use tenants::Tenant;

/// The longest name of a person, tenant or key, in characters.
const NAME: usize = 200;

/// The routes of identity.
pub fn routes() -> Vec<Module> {
    let mut tenants = tenants::routes();
    tenants.extend(members::routes());
    tenants.extend(invitations::routes());
    vec![
        Module {
            tag: "Accounts",
            about: "Register, sign in and out, and see who you are.",
            routes: accounts::routes(),
        },
        Module {
            tag: "Tenants",
            about: "Tenants, their members and invitations.",
            routes: tenants,
        },
        Module {
            tag: "API keys",
            about: "Credentials for programs. A key is shown once.",
            routes: keys::routes(),
        },
    ]
}

/// A person.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// The user.
    pub id: Uuid,
    /// What they sign in with.
    #[schema(format = "email")]
    pub email: String,
    /// How they are called.
    pub name: Option<String>,
}

/// Who the caller is.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The person; none for an API key.
    pub user: Option<User>,
    /// The tenant the credential acts in.
    pub tenant: Option<Tenant>,
    /// The caller's role there.
    pub role: Option<MemberRole>,
    /// Every tenant the caller belongs to.
    pub tenants: Vec<Tenant>,
}

/// A role of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// Runs the tenant: members, keys, settings.
    Admin,
    /// Runs events: tables, guests, devices.
    Manager,
    /// Works at the door or the desk.
    Agent,
    /// Looks on.
    ReadOnly,
    /// Has a diary of their own.
    Dentist,
    /// Has appointments of their own.
    Patient,
}

impl From<MemberRole> for Role {
    fn from(role: MemberRole) -> Self {
        match role {
            MemberRole::Admin => Self::Admin,
            MemberRole::Manager => Self::Manager,
            MemberRole::Agent => Self::Agent,
            MemberRole::ReadOnly => Self::ReadOnly,
            MemberRole::Dentist => Self::Dentist,
            MemberRole::Patient => Self::Patient,
        }
    }
}

/// The roles that may make somebody a `role`, as the store takes them.
fn granters(role: Role) -> Vec<&'static str> {
    let may = |by: &&Role| rules::roles::may_grant(**by, role);
    Role::ALL.iter().filter(may).map(|by| by.as_str()).collect()
}

/// For each role a caller can have, the roles of others for which `may(caller, other)` holds, as the
/// store takes them.
fn over(may: impl Fn(Role, Role) -> bool) -> Value {
    Role::ALL
        .iter()
        .map(|by| {
            let others = Role::ALL.iter().filter(|other| may(*by, **other));
            (
                by.as_str().to_owned(),
                others.map(|other| other.as_str()).collect::<Value>(),
            )
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// The time of an operation as the store takes it: the database's own, unless a test moved it.
fn clock(ctx: &Ctx) -> Value {
    match ctx.config.test_clock {
        true => json!(rules::time::render(ctx.now)),
        false => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_admin_makes_admins() {
        assert_eq!(granters(Role::Admin), ["admin"]);
        assert_eq!(granters(Role::Agent), ["admin", "manager"]);
        assert!(granters(Role::Device).is_empty());
    }

    #[test]
    fn a_manager_has_no_power_over_managers() {
        let table = over(rules::roles::may_remove);
        assert_eq!(
            table["manager"],
            json!(["agent", "read_only", "dentist", "patient"])
        );
        assert_eq!(table["agent"], json!([]));
    }
}
