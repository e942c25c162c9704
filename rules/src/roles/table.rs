//! The table itself.
//!
//! Invariant: a verb on a resource has one line. Order within a line: staff, then the others.
//! Failure: none.

use super::Resource::{self, *};
use super::Role::{self, *};
use super::Verb::{self, *};

const EVERYONE: &[Role] = &[Admin, Manager, Agent, ReadOnly, Dentist, Patient];
const STAFF: &[Role] = &[Admin, Manager, Agent, ReadOnly];
const STAFF_AND_DEVICES: &[Role] = &[Admin, Manager, Agent, ReadOnly, Device];
const DOOR: &[Role] = &[Admin, Manager, Agent];
const MANAGERS: &[Role] = &[Admin, Manager];
const ADMINS: &[Role] = &[Admin];

/// Who may do what.
pub const TABLE: &[(Resource, Verb, &[Role])] = &[
    (Tenant, Read, EVERYONE),
    (Tenant, Create, EVERYONE),
    (Tenant, Write, ADMINS),
    (Member, Read, STAFF),
    (Member, Write, MANAGERS),
    (Member, Delete, MANAGERS),
    (Invitation, Read, MANAGERS),
    (Invitation, Create, MANAGERS),
    (Invitation, Delete, MANAGERS),
    (ApiKey, Read, ADMINS),
    (ApiKey, Create, ADMINS),
    (ApiKey, Delete, ADMINS),
    (GuestTable, Read, STAFF),
    (GuestTable, Create, MANAGERS),
    (GuestTable, Write, MANAGERS),
    (GuestTable, Delete, MANAGERS),
    (GuestRow, Read, STAFF),
    (GuestRow, Search, STAFF_AND_DEVICES),
    (GuestRow, Create, DOOR),
    (GuestRow, Write, DOOR),
    (GuestRow, Delete, MANAGERS),
    (GuestRow, Transfer, MANAGERS),
    (PulseConfig, Read, STAFF_AND_DEVICES),
    (PulseConfig, Create, MANAGERS),
    (PulseConfig, Write, MANAGERS),
    (PulseConfig, Delete, MANAGERS),
    (GuestKey, Read, MANAGERS),
    (Ticket, Read, STAFF),
    (Ticket, Create, MANAGERS),
    (Ticket, Delete, MANAGERS),
    (TicketKey, Read, STAFF_AND_DEVICES),
    (TicketKey, Create, MANAGERS),
    (GuestKey, Write, MANAGERS),
    (CheckIn, Read, STAFF),
    (CheckIn, Scan, &[Admin, Manager, Agent, Device, Anonymous]),
    (CheckIn, Annul, &[Admin, Manager, Agent, Device]),
    (CheckIn, Override, MANAGERS),
    (CheckIn, Transfer, MANAGERS),
    (ScannerSession, Read, STAFF),
    (ScannerSession, Create, DOOR),
    (ScannerSession, Write, DOOR),
    (DeviceToken, Write, &[Admin, Manager, Agent, Device]),
    (DeviceStatus, Write, &[Device]),
    (BadgeTemplate, Read, STAFF),
    (BadgeTemplate, Write, MANAGERS),
    (BadgeTemplate, Delete, MANAGERS),
    (Badge, Read, STAFF_AND_DEVICES),
    (Dashboard, Read, STAFF_AND_DEVICES),
    (LiveChannel, Watch, STAFF_AND_DEVICES),
    (LiveDevices, Watch, STAFF),
    (
        LiveRoster,
        Read,
        &[Admin, Manager, Agent, Device, Anonymous],
    ),
    (LiveRoster, Watch, &[Device]),
    (ScanLog, Write, &[System]),
    (Webhook, Read, MANAGERS),
    (Webhook, Create, MANAGERS),
    (Webhook, Write, MANAGERS),
    (Webhook, Delete, MANAGERS),
    (Delivery, Read, MANAGERS),
    (Delivery, Write, MANAGERS),
    (Report, Read, STAFF),
    (Report, Create, MANAGERS),
    (Report, Write, MANAGERS),
    (Report, Delete, MANAGERS),
    (ReportJob, Read, STAFF),
    (ReportJob, Create, MANAGERS),
    (ReportJob, Write, MANAGERS),
    (ReportTemplate, Read, STAFF),
    (ReportTemplate, Create, MANAGERS),
    (ReportTemplate, Write, MANAGERS),
    (ReportTemplate, Delete, MANAGERS),
    (ReportTick, Write, MANAGERS),
    (ReportSource, Read, STAFF),
    (ReportSource, Search, MANAGERS),
    (ReportWriter, Read, MANAGERS),
    (ReportWriter, Create, MANAGERS),
    (ReportWriter, Write, ADMINS),
    (ReportWriter, Delete, ADMINS),
];
