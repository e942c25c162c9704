//! Case files of kind `roles`: who, what, and whether it is allowed.
//!
//! Invariant: a case asks for a deed on a resource, or for the grant of a role.
//! Failure: a file of another form, or one that names a role, verb or resource there is not, is
//! refused as a whole.
//!
//! ```json
//! {"cases": [{"id": "agent-scans", "role": "agent", "verb": "scan", "resource": "check_in", "expect": true},
//!   {"id": "viewer", "role": "device", "profile": "viewer", "verb": "scan", "resource": "check_in", "expect": false},
//!   {"id": "grant", "role": "manager", "grants": "admin", "expect": false}]}
//! ```

use serde::Deserialize;

use super::{Profile, Resource, Role, Verb, device_may, may, may_grant};
use crate::cases::{CaseResult, differs, each};
use crate::invalid::Invalid;

#[derive(Deserialize)]
struct Case {
    role: Role,
    #[serde(flatten)]
    asks: Asks,
    expect: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Asks {
    Grant {
        grants: Role,
    },
    Deed {
        verb: Verb,
        resource: Resource,
        #[serde(default)]
        profile: Option<Profile>,
    },
}

/// Runs the cases of a file's text.
pub fn run(json: &str) -> Result<Vec<CaseResult>, Invalid> {
    each(json, |case: &Case| {
        let found = match case.asks {
            Asks::Grant { grants } => may_grant(case.role, grants),
            Asks::Deed {
                verb,
                resource,
                profile: Some(profile),
            } if case.role == Role::Device => device_may(profile, verb, resource),
            Asks::Deed { verb, resource, .. } => may(case.role, verb, resource),
        };
        differs(case.expect, found)
    })
}
