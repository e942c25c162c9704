//! Whom a scan is about and where it is made, looked up once.
//!
//! Invariant: a subject is one guest of the list, or a walk-in that is on no list.
//! Failure: a code or row that means nobody, or several guests, is a refusal.

use std::sync::LazyLock;

use uuid::Uuid;

use super::gate::{self, Gate};
use super::guest::{GuestView, Row, Status};
use super::refusal::Refusal;
use super::roster::Found;
use super::scan::{Scan, Target, WalkIn};
use super::state::State;
use super::verdict::Direction;
use super::visits::{Again, Standing, Visit, Visits};

/// Whom a scan is about.
pub(crate) enum Who<'a> {
    Listed(&'a Row),
    WalkIn(&'a WalkIn),
}

/// A guest with what they did so far.
pub(crate) struct Subject<'a> {
    pub who: Who<'a>,
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

impl<'a> Subject<'a> {
    pub fn find(state: &'a State, scan: &'a Scan) -> Result<Self, Refusal<'a>> {
        let row = match &scan.target {
            Target::WalkIn(guest) => {
                return Ok(Self {
                    who: Who::WalkIn(guest),
                    visits: None,
                });
            }
            Target::Row(row) => state.roster.get(*row).ok_or(Refusal::Unknown)?,
            Target::Code(code) => match state.roster.find(code) {
                Found::One(row) => row,
                Found::Nobody => return Err(Refusal::Unknown),
                Found::Several(guests) => return Err(Refusal::Ambiguous { guests }),
            },
        };
        Ok(Self {
            who: Who::Listed(row),
            visits: state.ledger.guest(row.id),
        })
    }

    pub fn category(&self) -> Option<&'a str> {
        match self.who {
            Who::Listed(row) => row.category.as_deref(),
            Who::WalkIn(guest) => guest.category.as_deref(),
        }
    }

    /// The guest's row; none for a walk-in.
    pub fn row_id(&self) -> Option<Uuid> {
        match self.who {
            Who::Listed(row) => Some(row.id),
            Who::WalkIn(_) => None,
        }
    }

    pub fn view(&self, with_email: bool) -> GuestView {
        match self.who {
            Who::Listed(row) => GuestView::of(row, with_email),
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
