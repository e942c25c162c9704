//! Whom a scan is about and where it is made, looked up once.
//!
//! Invariant: a subject is one guest of the list, the bearer of a signed ticket who is on no list
//! here, or a walk-in that is on no list at all. Of a scan that a device decided without a
//! connection it is the guest whom the device took its code for, also when that one was taken off
//! the list since or is not known here yet.
//! Failure: a code or row that means nobody, or several guests, is a refusal.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::decide::Ids;
use super::gate::{self, Gate};
use super::guest::{GuestView, Row, Status};
use super::refusal::Refusal;
use super::report::{Offline, ReportedGuest};
use super::roster::Found;
use super::scan::{Scan, Target, WalkIn};
use super::state::State;
use super::ticket::{self, Presented, Ticket, Unreadable};
use super::verdict::Direction;
use super::visits::{Again, Standing, Visit, Visits};

/// The first and the last instant of admission.
pub(crate) type Span = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// Whom a scan is about.
#[derive(Clone, Copy)]
pub(crate) enum Who<'a> {
    Listed(&'a Row),
    /// Taken off the list, and met by a device that did not know.
    Removed(&'a Row),
    /// Named by a device, and not known here: a walk-in whose own report is still to come, if the
    /// device says who they are, or a guest that the list no longer remembers.
    Reported(Uuid, Option<&'a ReportedGuest>),
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
    /// `ticket` is what [`presented`] found; `ids` are those of the scan.
    pub fn find(
        state: &'a State,
        scan: &'a Scan,
        ticket: Option<&'a Result<Presented, Unreadable>>,
        ids: Ids,
    ) -> Result<Self, Refusal<'a>> {
        let ticket = ticket.map(Result::as_ref).transpose();
        let ticket = ticket.map_err(|why| Refusal::NoTicket(*why))?;
        let told = scan.offline.as_ref();
        let who = match (&scan.target, ticket) {
            (_, Some(Presented { ticket, .. })) => match known(state, told, ticket.row_id) {
                Some(who) => who,
                None => Who::Bearer(ticket),
            },
            (Target::WalkIn(guest), None) => Who::WalkIn(guest),
            (Target::Row(row), None) => of_row(state, told, *row)?,
            (Target::Code(code), None) => match told.and_then(|told| told.row_id) {
                Some(row) => of_row(state, told, row)?,
                None => of_code(state, told, code)?,
            },
        };
        let row = match who {
            Who::Listed(row) | Who::Removed(row) => row.id,
            Who::Reported(row, _) => row,
            Who::Bearer(ticket) => ticket.row_id,
            // What was reported of them before they were.
            Who::WalkIn(_) => ids.row,
        };
        Ok(Self {
            who,
            ticket,
            visits: state.ledger.guest(row),
        })
    }

    /// When the guest may enter: by the list, and by the ticket.
    pub fn validity(&self) -> [Span; 2] {
        let listed = match self.who {
            Who::Listed(row) | Who::Removed(row) => (row.valid_from, row.valid_until),
            Who::Reported(..) | Who::Bearer(_) | Who::WalkIn(_) => (None, None),
        };
        let ticket = self.ticket.map(|presented| &presented.ticket);
        let ticket = ticket.map(|ticket| (ticket.valid_from, ticket.valid_until));
        [listed, ticket.unwrap_or_default()]
    }

    pub fn category(&self) -> Option<&'a str> {
        match self.who {
            Who::Listed(row) | Who::Removed(row) => row.category.as_deref(),
            Who::Reported(_, guest) => guest.and_then(|guest| guest.category.as_deref()),
            Who::Bearer(ticket) => ticket.category.as_deref(),
            Who::WalkIn(guest) => guest.category.as_deref(),
        }
    }

    /// The guest's row; none for a walk-in.
    pub fn row_id(&self) -> Option<Uuid> {
        match self.who {
            Who::Listed(row) | Who::Removed(row) => Some(row.id),
            Who::Reported(row, _) => Some(row),
            Who::Bearer(ticket) => Some(ticket.row_id),
            Who::WalkIn(_) => None,
        }
    }

    /// What is shown of the guest; none of one who is not known.
    pub fn view(&self, with_email: bool) -> Option<GuestView> {
        let unlisted = GuestView {
            row_id: self.row_id(),
            name: String::new(),
            email: None,
            category: self.category().map(str::to_owned),
            attention_note: None,
            status: Status::Confirmed,
            party: 1,
        };
        Some(match self.who {
            Who::Listed(row) | Who::Removed(row) => GuestView::of(row, with_email),
            Who::Reported(_, guest) => GuestView {
                name: guest?.name.clone(),
                party: guest?.party,
                ..unlisted
            },
            Who::Bearer(ticket) => GuestView {
                name: format!("Ticket {}", ticket.serial),
                ..unlisted
            },
            Who::WalkIn(guest) => GuestView {
                name: guest.name.clone(),
                email: guest.email.clone().filter(|_| with_email),
                ..unlisted
            },
        })
    }

    /// What the guest did so far.
    pub fn visits(&self) -> &'a Visits {
        static NONE: LazyLock<Visits> = LazyLock::new(Visits::default);
        self.visits.unwrap_or(&NONE)
    }

    /// How many people the ticket is for; a walk-in is as many as come.
    pub fn party(&self, scan: &Scan) -> u16 {
        match self.who {
            Who::Listed(row) | Who::Removed(row) => row.party,
            Who::Reported(_, Some(guest)) => guest.party,
            Who::Bearer(_) => 1,
            Who::Reported(_, None) | Who::WalkIn(_) => scan.people.unwrap_or(1),
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

/// The guest of a row, as far as the list knows them. Of who was taken off it only what a device
/// decided without a connection is taken.
fn known<'a>(state: &'a State, told: Option<&'a Offline>, row: Uuid) -> Option<Who<'a>> {
    let removed = || state.removed.get(row).filter(|_| told.is_some());
    let listed = state.roster.get(row).map(Who::Listed);
    listed.or_else(|| removed().map(Who::Removed))
}

fn of_row<'a>(
    state: &'a State,
    told: Option<&'a Offline>,
    row: Uuid,
) -> Result<Who<'a>, Refusal<'a>> {
    let reported = told.map(|told| Who::Reported(row, told.guest.as_ref()));
    let who = known(state, told, row).or(reported);
    who.ok_or_else(|| unknown(state))
}

fn of_code<'a>(
    state: &'a State,
    told: Option<&'a Offline>,
    code: &str,
) -> Result<Who<'a>, Refusal<'a>> {
    match (state.roster.find(code), told) {
        (Found::One(row), _) => Ok(Who::Listed(row)),
        (Found::Several(guests), _) => Err(Refusal::Ambiguous { guests }),
        (Found::Nobody, Some(_)) => match state.removed.find(code) {
            Found::One(row) => Ok(Who::Removed(row)),
            Found::Nobody | Found::Several(_) => Err(unknown(state)),
        },
        (Found::Nobody, None) => Err(unknown(state)),
    }
}

fn unknown(state: &State) -> Refusal<'static> {
    match state.without_list {
        true => Refusal::NoList,
        false => Refusal::Unknown,
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
