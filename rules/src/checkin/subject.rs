//! Whom a scan is about and where it is made, looked up once.
//!
//! Invariant: a subject is one guest of the list, or a walk-in that is on no list.
//! Failure: a code or row that means nobody, or several guests, is a refusal.

use super::gate::{self, Gate};
use super::guest::{GuestView, Row, Status};
use super::refusal::Refusal;
use super::roster::Found;
use super::scan::{Scan, Target, WalkIn};
use super::state::State;
use super::visits::{Standing, Visit, Visits};

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
