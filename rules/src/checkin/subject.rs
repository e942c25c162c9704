//! Whom a scan is about and where it is made, looked up once.
//!
//! Invariant: a subject is one guest of the list, the bearer of a signed ticket who is on no list
//! here, or a walk-in that is on no list at all.
//! Failure: a code or row that means nobody, or several guests, is a refusal.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::gate::{self, Gate};
use super::guest::{GuestView, Row, Status};
use super::refusal::Refusal;
use super::roster::Found;
use super::scan::{Scan, Target, WalkIn};
use super::state::State;
use super::ticket::{self, Presented, Ticket, Unreadable};
use super::verdict::Direction;
use super::visits::{Again, Standing, Visit, Visits};

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

    /// The guest's row; none for a walk-in.
    pub fn row_id(&self) -> Option<Uuid> {
        match self.who {
            Who::Listed(row) => Some(row.id),
            Who::Bearer(ticket) => Some(ticket.row_id),
            Who::WalkIn(_) => None,
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
                party: 1,
            },
            Who::WalkIn(guest) => GuestView {
                row_id: None,
                name: guest.name.clone(),
                email: guest.email.clone().filter(|_| with_email),
                category: guest.category.clone(),
                attention_note: None,
                status: Status::Confirmed,
                party: 1,
            },
        }
    }

    /// What the guest did so far.
    pub fn visits(&self) -> &'a Visits {
        static NONE: LazyLock<Visits> = LazyLock::new(Visits::default);
        self.visits.unwrap_or(&NONE)
    }

    /// How many people the ticket is for; a walk-in is as many as come.
    pub fn party(&self, scan: &Scan) -> u16 {
        match self.who {
            Who::Listed(row) => row.party,
            Who::Bearer(_) => 1,
            Who::WalkIn(_) => scan.people.unwrap_or(1),
        }
    }

    /// How many people this scan is about: those it says, or all that may still enter or are inside,
    /// and one when there are none. A device that decided by itself knows how many went; if it does
    /// not say, all did.
    pub fn people(&self, scan: &Scan, again: Again, before: Standing) -> u16 {
        let party = self.party(scan);
        if scan.offline.is_some() {
            return scan.people.unwrap_or(party);
        }
        let most = match scan.direction {
            Direction::Entry => before.room(again, party.into()),
            Direction::Exit => before.inside,
        };
        let most = u16::try_from(most).unwrap_or(party).clamp(1, party.max(1));
        scan.people.unwrap_or(most)
    }

    /// The first entry.
    pub fn first(&self) -> Option<&'a Visit> {
        self.visits.and_then(Visits::first)
    }

    /// The latest entry or exit.
    pub fn last(&self) -> Option<&'a Visit> {
        self.visits.and_then(Visits::last)
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
