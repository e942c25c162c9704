//! Who may do what at this table, without asking Postgres on every scan.
//!
//! Invariant: staff is confirmed as [`super::staff`] says; a device must be an active session of this
//! table, or one lent to it, and hold its newest token; a guest scanner must hold the table's guest
//! key.
//! Failure: whoever is not let in is told why, with the status of the API.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use rules::checkin::caller::{Actor, ActorKind, Caller, Scanner, Session};
use rules::checkin::gate;
use rules::invalid::Invalid;
use rules::live::session::Identity;
use rules::roles::{Profile, Resource, Role, Verb};
use uuid::Uuid;

use super::staff;
use super::table::{Device, Table};
use crate::platform::crypto;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::object;
use crate::platform::scope::Credential;

/// The session, or its newest token, was made so lately that it was not read yet; or never.
pub const UNKNOWN_DEVICE: &str = "device_unknown";

/// A caller that was let in.
pub struct Granted {
    /// Its role.
    pub role: Role,
    /// What it is for, if it is a device.
    pub profile: Option<Profile>,
    /// As the rules of check-in see it.
    pub caller: Caller,
    /// When Postgres confirmed it, if it is a member of staff.
    pub confirmed_at: Option<DateTime<Utc>>,
}

/// Lets the caller in to do this, or says why not.
pub async fn grant(
    ctx: &Ctx,
    table: &Table,
    who: &object::Caller,
    verb: Verb,
    resource: Resource,
) -> Result<Granted> {
    let granted = match &who.credential {
        Credential::Device {
            session: id,
            tenant,
            table: bound,
            generation,
            ..
        } => {
            own(table, *tenant, *bound, *id)?;
            session(table, *id, *generation)?
        }
        Credential::Anonymous { guest_key, device } => guest(table, guest_key, *device)?,
        Credential::System => staff_caller(Role::System, ActorKind::System, Uuid::nil()),
        Credential::User { .. } | Credential::Supabase { .. } | Credential::Key { .. } => {
            staff::granted(ctx, table, who).await?
        }
    };
    check(granted, verb, resource)
}

/// Lets the reader of a socket do more than watch. Staff was confirmed before: see [`super::staff`].
pub fn grant_reader(
    table: &Table,
    reader: &Identity,
    verb: Verb,
    resource: Resource,
) -> Result<Granted> {
    let id = Uuid::try_parse(&reader.id).map_err(|_| Error::unauthenticated("unknown_reader"))?;
    let granted = match reader.role {
        Role::Device => session(table, id, reader.generation.unwrap_or_default())?,
        Role::Anonymous => staff_caller(Role::Anonymous, ActorKind::Anonymous, id),
        role if reader.kind == "key" => staff_caller(role, ActorKind::Key, id),
        role => staff_caller(role, ActorKind::User, id),
    };
    check(granted, verb, resource)
}

/// Whether the reader of a socket may stay, now that the table's settings or scanners changed. Staff
/// is asked about apart from that.
pub fn stays(table: &Table, reader: &Identity) -> bool {
    let identity = table.identity.borrow();
    let may = match reader.role {
        Role::Device => grant_reader(table, reader, Verb::Watch, Resource::LiveChannel).is_ok(),
        Role::Anonymous => {
            let key = reader.sign_in.as_deref().unwrap_or_default();
            let right = crypto::same(key_mark(&identity.guest_key).as_bytes(), key.as_bytes());
            right && identity.config.settings.guest_scanning
        }
        _ => true,
    };
    may && reader.tenant == identity.tenant_id.to_string()
}

/// What a guest's socket remembers of the key it came with.
pub fn key_mark(guest_key: &str) -> String {
    crypto::sha256_hex(guest_key.as_bytes())
}

impl Granted {
    /// May the caller do this too?
    pub fn may(&self, verb: Verb, resource: Resource) -> bool {
        match (self.role, self.profile) {
            (Role::System, _) => true,
            (_, Some(profile)) => rules::roles::device_may(profile, verb, resource),
            (role, None) => rules::roles::may(role, verb, resource),
        }
    }
}

fn check(granted: Granted, verb: Verb, resource: Resource) -> Result<Granted> {
    match granted.may(verb, resource) {
        true => Ok(granted),
        false => Err(Error::forbidden(
            "role_not_allowed",
            "This credential may not do this.",
        )),
    }
}

/// A device belongs here if this is its own table or one of its further ones.
fn own(table: &Table, tenant: Uuid, bound: Uuid, id: Uuid) -> Result<()> {
    let identity = table.identity.borrow();
    let here = bound == identity.table_id || table.devices.borrow().contains_key(&id);
    match here && tenant == identity.tenant_id {
        true => Ok(()),
        false => Err(Error::not_found()),
    }
}

fn session(table: &Table, id: Uuid, generation: u32) -> Result<Granted> {
    let devices = table.devices.borrow();
    let device = devices
        .get(&id)
        .ok_or_else(|| Error::unauthenticated(UNKNOWN_DEVICE))?;
    if !device.is_active {
        return Err(Error::unauthenticated("device_revoked"));
    }
    match generation.cmp(&device.generation) {
        Ordering::Equal => {}
        Ordering::Less => return Err(Error::unauthenticated("device_rolled")),
        Ordering::Greater => return Err(Error::unauthenticated(UNKNOWN_DEVICE)),
    }
    let Session { name, scanner, .. } = holder(device);
    Ok(Granted {
        role: Role::Device,
        profile: Some(device.profile),
        caller: Caller {
            actor: Actor {
                kind: ActorKind::Device,
                id,
            },
            session_id: Some(id),
            guest_device: None,
            device: Some(name),
            gate: gate_here(table, device),
            scanner,
            manager: false,
        },
        confirmed_at: None,
    })
}

fn holder(device: &Device) -> Session {
    let (name, email) = (&device.scanner_name, &device.scanner_email);
    let person = (name.is_some() || email.is_some()).then(|| Scanner {
        name: name.clone(),
        email: email.clone(),
    });
    Session {
        id: device.id,
        name: device.name.clone(),
        gate: device.gate.clone(),
        scanner: person,
    }
}

/// The caller with what the device of a session queued, whether or not that may still come itself.
pub fn bringing(table: &Table, caller: &Caller, session: Uuid) -> Result<Caller> {
    // Who may bring nothing learns nothing of sessions either.
    if !caller.may_bring(session) {
        return Err(Error::forbidden(
            "role_not_allowed",
            "Only a manager may bring what another scanner queued.",
        ));
    }
    let devices = table.devices.borrow();
    let device = devices.get(&session).ok_or_else(|| {
        Invalid::one("/session_id", "unknown", "No scanner of this table has it.")
    })?;
    Ok(caller.bringing(holder(device)))
}

/// The caller with what a guest's phone queued, whose key may be none any more. A scanner of the table
/// is no guest's phone: its nonces would be another device's.
pub fn bringing_guests(table: &Table, caller: &Caller, device: Uuid) -> Result<Caller> {
    if !caller.manager {
        return Err(Error::forbidden(
            "role_not_allowed",
            "Only a manager may bring what a guest's phone queued.",
        ));
    }
    match table.devices.borrow().contains_key(&device) {
        true => Err(Invalid::one(
            "/guest_device",
            "taken",
            "That is a scanner: name it as session_id.",
        )
        .into()),
        false => Ok(caller.bringing_guests(device)),
    }
}

/// Where a device stands, as this table knows it: the gate of a device whose own table is another
/// one may be none of this table's, and then says nothing here.
fn gate_here(table: &Table, device: &Device) -> Option<String> {
    let identity = table.identity.borrow();
    let away = device
        .table_id
        .is_some_and(|home| home != identity.table_id);
    let gates = &identity.config.gates;
    let known = |name: &String| gates.is_empty() || gate::find(gates, name).is_some();
    device.gate.clone().filter(|name| !away || known(name))
}

fn guest(table: &Table, guest_key: &str, device: Option<Uuid>) -> Result<Granted> {
    let identity = table.identity.borrow();
    let right = crypto::same(identity.guest_key.as_bytes(), guest_key.as_bytes());
    if guest_key.is_empty() || !right || !identity.config.settings.guest_scanning {
        return Err(Error::unauthenticated("guest_key_wrong"));
    }
    // A guest's device must not pass for one of ours: their nonces would be one device's.
    if device.is_some_and(|device| table.devices.borrow().contains_key(&device)) {
        return Err(Error::unauthenticated("guest_device_taken"));
    }
    Ok(staff_caller(
        Role::Anonymous,
        ActorKind::Anonymous,
        device.unwrap_or_default(),
    ))
}

pub(super) fn staff_caller(role: Role, kind: ActorKind, id: Uuid) -> Granted {
    Granted {
        role,
        profile: None,
        caller: Caller {
            actor: Actor { kind, id },
            session_id: None,
            guest_device: None,
            device: None,
            gate: None,
            scanner: None,
            manager: rules::roles::may(role, Verb::Override, Resource::CheckIn),
        },
        confirmed_at: None,
    }
}
