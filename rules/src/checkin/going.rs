//! What would change if a scan went through: how many people go, and where the guest stands before
//! and after.
//!
//! Invariant: `after` is the guest's visits with this one among them, in their order.
//! Failure: none.

use super::decide::Ids;
use super::labels::Label;
use super::scan::Scan;
use super::state::State;
use super::subject::Subject;
use super::visits::{Again, Standing, Visit, Visits};

/// A scan as the visit that it would be.
pub(crate) struct Going {
    pub people: u16,
    pub party: u16,
    pub again: Again,
    /// Now.
    pub before: Standing,
    /// With this visit.
    pub after: Standing,
    /// The guest's visits with this one.
    pub visits: Visits,
}

impl Going {
    pub fn of(state: &State, scan: &Scan, subject: &Subject<'_>, ids: Ids) -> Self {
        let again = state.config.settings.again();
        let visits = subject.visits();
        let before = visits.standing();
        let (people, party) = (subject.people(scan, again, before), subject.party(scan));
        let at = scan.times.check_in_time;
        let visits = visits.with(Visit {
            seq: state.ledger.last_seq() + 1,
            check_in_id: ids.check_in,
            at,
            gate: Label::default(),
            device: Label::default(),
            direction: scan.direction,
            walk_in: false,
            offline: scan.offline.is_some(),
            again,
            people,
            party,
            scans: 1,
            last_scanned_at: at,
        });
        Self {
            people,
            party,
            again,
            before,
            after: visits.standing(),
            visits,
        }
    }

    /// Change of the people inside.
    pub fn inside_delta(&self) -> i32 {
        self.before.inside_delta(self.after)
    }
}
