//! Who may do what: one table of role × verb × resource.
//!
//! Invariant: what a staff role may do, every higher one may too (admin > manager > agent >
//! read_only). What the table does not name, nobody may do.
//! Failure: none; the answer is no, or a [`Refused`] that says why.

use serde::{Deserialize, Serialize};

#[cfg(feature = "server")]
pub mod cases;
mod table;

pub use table::TABLE;

/// In what capacity somebody acts within a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Role {
    /// Runs the tenant: members, keys, settings.
    Admin,
    /// Runs events: tables, guests, devices.
    Manager,
    /// Works at the door or the desk.
    Agent,
    /// Looks on.
    ReadOnly,
    /// Has a diary of their own (booking).
    Dentist,
    /// Has appointments of their own (booking).
    Patient,
    /// A paired scanner.
    Device,
    /// Somebody without an account, where a table allows guest scanning.
    Anonymous,
    /// Pulse itself: ticks, queues, the objects' outbox.
    System,
}

impl Role {
    /// Every role.
    #[rustfmt::skip]
    pub const ALL: &'static [Self] = &[
        Self::Admin, Self::Manager, Self::Agent, Self::ReadOnly, Self::Dentist, Self::Patient,
        Self::Device, Self::Anonymous, Self::System,
    ];
    /// The roles of staff, highest first.
    pub const STAFF: &'static [Self] = &[Self::Admin, Self::Manager, Self::Agent, Self::ReadOnly];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Manager => "manager",
            Self::Agent => "agent",
            Self::ReadOnly => "read_only",
            Self::Dentist => "dentist",
            Self::Patient => "patient",
            Self::Device => "device",
            Self::Anonymous => "anonymous",
            Self::System => "system",
        }
    }

    /// The role of a stable name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.as_str() == name)
    }

    /// Place in the order of staff, the highest first; nothing for the other roles.
    fn rank(self) -> Option<usize> {
        Self::STAFF.iter().position(|role| *role == self)
    }

    /// Whether both are staff and this one is the same or higher.
    pub fn at_least(self, other: Self) -> bool {
        matches!((self.rank(), other.rank()), (Some(mine), Some(theirs)) if mine <= theirs)
    }
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// See one or list many.
    Read,
    /// Find by a piece of text.
    Search,
    /// Make a new one.
    Create,
    /// Change what is there.
    Write,
    /// Take away.
    Delete,
    /// Bring in or take out many at once.
    Transfer,
    /// Record an admission, an exit or a refusal.
    Scan,
    /// Undo one's own scan in time.
    Annul,
    /// Undo anybody's scan at any time.
    Override,
    /// Watch live.
    Watch,
}

/// What it is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// The tenant: its name and settings.
    Tenant,
    /// A membership: a user and a role.
    Member,
    /// An invitation to become a member.
    Invitation,
    /// An API key.
    ApiKey,
    /// A guest list.
    GuestTable,
    /// A guest.
    GuestRow,
    /// Whether and how a table is scanned.
    PulseConfig,
    /// The key with which anonymous guests scan.
    GuestKey,
    /// A signed ticket.
    Ticket,
    /// The key that signs the tickets of a table; its public part is read.
    TicketKey,
    /// A scan and what came of it.
    CheckIn,
    /// A paired scanner.
    ScannerSession,
    /// The token of a paired scanner; a device has its own only.
    DeviceToken,
    /// What a device says of itself.
    DeviceStatus,
    /// What the labels of a table look like.
    BadgeTemplate,
    /// The label of one guest.
    Badge,
    /// The counters of a table.
    Dashboard,
    /// The live channels `scans` and `stats`.
    LiveChannel,
    /// The live channel `devices`.
    LiveDevices,
    /// The live channel `roster`, which scanners keep their guest list current with.
    LiveRoster,
    /// The log an object hands over to Postgres.
    ScanLog,
    /// An endpoint that events are sent to.
    Webhook,
    /// An event on its way to an endpoint.
    Delivery,
    /// A scheduled report: what is written, when, for whom.
    Report,
    /// One run of a report.
    ReportJob,
    /// A text that reports are written by.
    ReportTemplate,
    /// Looking for reports that are due.
    ReportTick,
    /// What messages go out by.
    Channel,
    /// A message on its way to a recipient.
    Message,
    /// Somebody whom nothing is sent to.
    Suppression,
    /// What reports are written about; it is queried.
    ReportSource,
    /// A connection to a read replica; what is in it is searched.
    Connection,
    /// A table that is watched through one, with its checks and what came of them; running it is
    /// writing.
    MonitoredTable,
    /// What the monitor found wrong; acknowledging, resolving and marking is writing.
    MonitorAlert,
    /// Who is told of alerts.
    AlertRoute,
    /// Who writes the reports of a tenant: a draft is created by it, its settings are written.
    ReportWriter,
}

/// Who may do this; empty when the table does not name it.
pub fn allowed(verb: Verb, resource: Resource) -> &'static [Role] {
    TABLE
        .iter()
        .find(|(thing, deed, _)| *thing == resource && *deed == verb)
        .map_or(&[], |(_, _, roles)| roles)
}

/// Whether this role may do this. For a device ask [`device_may`] too.
pub fn may(role: Role, verb: Verb, resource: Resource) -> bool {
    allowed(verb, resource).contains(&role)
}

/// What a paired device is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Profile {
    /// In the hand of staff: scans, searches, undoes.
    Scanner,
    /// Unattended: scans, but shows nobody the guest list.
    Kiosk,
    /// A screen on the wall: looks on.
    Viewer,
}

impl Profile {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scanner => "scanner",
            Self::Kiosk => "kiosk",
            Self::Viewer => "viewer",
        }
    }

    /// The profile of a stable name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Scanner, Self::Kiosk, Self::Viewer]
            .into_iter()
            .find(|profile| profile.as_str() == name)
    }
}

/// Whether a device of this profile may do this. Never more than [`Role::Device`] may.
pub fn device_may(profile: Profile, verb: Verb, resource: Resource) -> bool {
    let withheld = matches!(
        (profile, verb, resource),
        (Profile::Viewer, Verb::Scan | Verb::Annul, _)
            | (Profile::Viewer | Profile::Kiosk, _, Resource::GuestRow)
            | (Profile::Viewer, _, Resource::LiveRoster | Resource::Badge)
            | (Profile::Kiosk, Verb::Watch, Resource::LiveRoster)
    );
    !withheld && may(Role::Device, verb, resource)
}

/// Why something that the table allows is refused all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A device searches with fewer than [`SEARCH_AT_LEAST`] characters.
    SearchTooShort,
    /// The role does not allow it at all.
    RoleNotAllowed,
}

impl Refused {
    /// The stable code of an answer.
    pub const fn code(self) -> &'static str {
        match self {
            Self::SearchTooShort => "search_too_short",
            Self::RoleNotAllowed => "role_not_allowed",
        }
    }
}

/// Fewest characters a device searches with.
pub const SEARCH_AT_LEAST: usize = 3;

/// May this role search the guests for `text`? Staff may list everyone; a device only finds.
pub fn search(role: Role, text: &str) -> Result<(), Refused> {
    if may(role, Verb::Read, Resource::GuestRow) {
        Ok(())
    } else if !may(role, Verb::Search, Resource::GuestRow) {
        Err(Refused::RoleNotAllowed)
    } else if text.trim().chars().count() < SEARCH_AT_LEAST {
        Err(Refused::SearchTooShort)
    } else {
        Ok(())
    }
}

/// May `by` make somebody a `role`, by invitation, by change of role or by a key? An admin may
/// grant any role of people; a manager those up to agent; nobody a role that is not a person's.
pub fn may_grant(by: Role, role: Role) -> bool {
    match role {
        Role::Device | Role::Anonymous | Role::System => false,
        Role::Admin | Role::Manager => by == Role::Admin,
        Role::Agent | Role::ReadOnly | Role::Dentist | Role::Patient => by.at_least(Role::Manager),
    }
}

/// May `by` change a member who is a `from` into a `to`? One must be able to grant both, so that a
/// manager cannot demote an admin or another manager.
pub fn may_change(by: Role, from: Role, to: Role) -> bool {
    may_grant(by, from) && may_grant(by, to)
}

/// May `by` remove a member who is a `role`? Leaving oneself is always allowed, and decided
/// elsewhere; so is that the last admin stays.
pub fn may_remove(by: Role, role: Role) -> bool {
    may_grant(by, role)
}

#[cfg(test)]
mod tests;
