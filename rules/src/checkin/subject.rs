//! Whom a scan is about and where it is made, looked up once.
//!
//! Invariant: a subject is one guest of the list, the bearer of a signed ticket who is on no list
//! here, or a walk-in that is on no list at all.
//! Failure: a code or row that means nobody, or several guests, is a refusal.

use chrono::{DateTime, Utc};

use super::gate::{self, Gate};
use super::guest::{GuestView, Row, Status};
use super::refusal::Refusal;
use super::roster::Found;
use super::scan::{Scan, Target, WalkIn};
use super::state::State;
use super::ticket::{self, Presented, Ticket, Unreadable};
use super::visits::{Standing, Visit, Visits};

/// The first and the last instant of admission.
pub(crate) type Span = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// Whom a scan is about.
pub(crate) enum Who<'a> {
    Listed(&'a Row),
    /// Known by a signed ticket only.
    Bearer(&'a Ticket),
    WalkIn(&'a WalkIn),
}

/// A guest with what they did so far.
pub(crate) struct Subject<'a> {
    pub who: Who<'a>,
    /// The signed ticket they showed.
    pub ticket: Option<&'a Presented>,
    visits: Option<&'a Visits>,
}

/// Where a scan is made.
pub(crate) enum Place<'a> {
    /// Nobody said.
    Unsaid,
    /// One of the table's gates.
    Gate(&'a Gate),
    /// The table has gates, and this is none of them.
    Unknown(&'a str),
    /// The table has no gates; any name is only a label.
    Label(&'a str),
}

/// The signed ticket that was scanned; none for anything the list knows, and for what does not
/// look like a ticket.
pub(crate) fn presented(state: &State, scan: &Scan) -> Option<Result<Presented, Unreadable>> {
    let Target::Code(code) = &scan.target else {
        return None;
    };
    let signed = code.starts_with(ticket::PREFIX) && state.roster.find(code) == Found::Nobody;
    signed.then(|| state.tickets.read(state.table_id, code))
}

impl<'a> Subject<'a> {
    /// `ticket` is what [`presented`] found.
    pub fn find(
        state: &'a State,
        scan: &'a Scan,
        ticket: Option<&'a Result<Presented, Unreadable>>,
    ) -> Result<Self, Refusal<'a>> {
        let unknown = match state.without_list {
            true => Refusal::NoList,
            false => Refusal::Unknown,
        };
        let ticket = ticket.map(Result::as_ref).transpose();
        let ticket = ticket.map_err(|why| Refusal::NoTicket(*why))?;
        let who = match (&scan.target, ticket) {
            (_, Some(Presented { ticket, .. })) => match state.roster.get(ticket.row_id) {
                Some(row) => Who::Listed(row),
                None => Who::Bearer(ticket),
            },
            (Target::WalkIn(guest), None) => Who::WalkIn(guest),
            (Target::Row(row), None) => Who::Listed(state.roster.get(*row).ok_or(unknown)?),
            (Target::Code(code), None) => match state.roster.find(code) {
                Found::One(row) => Who::Listed(row),
                Found::Nobody => return Err(unknown),
                Found::Several(guests) => return Err(Refusal::Ambiguous { guests }),
            },
        };
        let visits = match who {
            Who::Listed(row) => state.ledger.guest(row.id),
            Who::Bearer(ticket) => state.ledger.guest(ticket.row_id),
            Who::WalkIn(_) => None,
        };
        Ok(Self {
            who,
            ticket,
            visits,
        })
    }

    /// When the guest may enter: by the list, and by the ticket.
    pub fn validity(&self) -> [Span; 2] {
        let listed = match self.who {
            Who::Listed(row) => (row.valid_from, row.valid_until),
            Who::Bearer(_) | Who::WalkIn(_) => (None, None),
        };
        let ticket = self.ticket.map(|presented| &presented.ticket);
        let ticket = ticket.map(|ticket| (ticket.valid_from, ticket.valid_until));
        [listed, ticket.unwrap_or_default()]
    }

    pub fn category(&self) -> Option<&'a str> {
        match self.who {
            Who::Listed(row) => row.category.as_deref(),
            Who::Bearer(ticket) => ticket.category.as_deref(),
            Who::WalkIn(guest) => guest.category.as_deref(),
        }
    }

    pub fn view(&self, with_email: bool) -> GuestView {
        match self.who {
            Who::Listed(row) => GuestView::of(row, with_email),
            Who::Bearer(ticket) => GuestView {
                row_id: Some(ticket.row_id),
                name: format!("Ticket {}", ticket.serial),
                email: None,
                category: ticket.category.clone(),
                attention_note: None,
                status: Status::Confirmed,
            },
            Who::WalkIn(guest) => GuestView {
                row_id: None,
                name: guest.name.clone(),
                email: guest.email.clone().filter(|_| with_email),
                category: guest.category.clone(),
                attention_note: None,
                status: Status::Confirmed,
            },
        }
    }

    pub fn standing(&self) -> Standing {
        self.visits.map(Visits::standing).unwrap_or_default()
    }

    pub fn standing_after(&self, scan: &Scan) -> Standing {
        let at = scan.times.check_in_time;
        match self.visits {
            Some(visits) => visits.standing_after(scan.direction, at),
            None => Visits::default().standing_after(scan.direction, at),
        }
    }

    /// The first entry.
    pub fn first(&self) -> Option<&'a Visit> {
        self.visits.and_then(Visits::first)
    }

    /// The latest entry or exit.
    pub fn last(&self) -> Option<&'a Visit> {
        self.visits.and_then(Visits::last)
    }

    /// Entries that stand.
    pub fn entries(&self) -> impl Iterator<Item = &'a Visit> {
        self.visits.into_iter().flat_map(Visits::entries)
    }
}

impl<'a> Place<'a> {
    pub fn of(gates: &'a [Gate], name: Option<&'a str>) -> Self {
        match name {
            None => Self::Unsaid,
            Some(name) if gates.is_empty() => Self::Label(name),
            Some(name) => gate::find(gates, name).map_or(Self::Unknown(name), Self::Gate),
        }
    }

    /// As the organiser spells it.
    pub fn name(&self) -> Option<&'a str> {
        match self {
            Self::Unsaid => None,
            Self::Gate(gate) => Some(&gate.name),
            Self::Unknown(name) | Self::Label(name) => Some(name),
        }
    }
}
