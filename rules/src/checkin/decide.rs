//! Decides a scan.
//!
//! Invariant: a pure function of the state, the scan and who scans; nothing changes before
//! [`State::apply`] folds the entry made of the decision. Checks run in one order, so a scan has
//! one reason: code, status, category, gate, validity, opening, duplicate, limits, capacity.
//! Exits are checked for code, status and category only. A signed ticket that no row has as its
//! plain code stands for its guest's row, whose checks it adds its own to.
//! Failure: a walk-in on a table that takes none is refused as invalid; everything else is an
//! answer. `force` overrides every refusal but those of the code.

use uuid::Uuid;

use super::caller::Caller;
use super::checks;
use super::entry::{FirstEntry, NewRow};
use super::guest::GuestView;
use super::refusal::Refusal;
use super::scan::Scan;
use super::state::State;
use super::subject::{self, Place, Subject, Who};
use super::verdict::{Direction, Effect, Reason, Verdict, Warning};
use super::visits::Visit;
use crate::invalid::Invalid;

/// New ids a scan may need, made by the caller.
#[derive(Clone, Copy, Debug)]
pub struct Ids {
    /// For the record.
    pub check_in: Uuid,
    /// For the row of a walk-in.
    pub row: Uuid,
}

/// What is to be answered and recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What to do.
    pub verdict: Verdict,
    /// Why it is not accepted.
    pub reason: Option<Reason>,
    /// The same for people.
    pub explanation: String,
    /// What to know besides.
    pub warnings: Vec<Warning>,
    /// What it does to the record.
    pub effect: Effect,
    /// The guest's row; none for an unknown code and a refused walk-in.
    pub row_id: Option<Uuid>,
    /// The guest as shown.
    pub guest: Option<GuestView>,
    /// The guest's first entry, this scan counted.
    pub first_entry: Option<FirstEntry>,
    /// Where, as the organiser spells it.
    pub gate: Option<String>,
    /// What `force` had to override.
    pub overrode: Option<Reason>,
    /// The guest becomes checked in.
    pub first_of_guest: bool,
    /// Change of the guests inside, −1 to 1.
    pub inside_delta: i8,
    /// Of a duplicate: the guest's first entry, on whose record it counts. The log entry at its
    /// `seq` has the record to answer with.
    pub repeats: Option<Visit>,
    /// The row of an admitted walk-in.
    pub new_row: Option<NewRow>,
}

/// Decides a scan. Validity, opening and limits are judged at its corrected time.
pub fn decide(state: &State, scan: &Scan, caller: &Caller, ids: Ids) -> Result<Decision, Invalid> {
    let place = Place::of(
        &state.config.gates,
        scan.gate.as_deref().or(caller.gate.as_deref()),
    );
    let ticket = subject::presented(state, scan);
    let subject = match Subject::find(state, scan, ticket.as_ref()) {
        Ok(subject) => subject,
        Err(refusal) => return Ok(Decision::draft(scan, &place).refuse(state, scan, &refusal)),
    };
    let mut draft = Decision::draft(scan, &place);
    let guest = subject.view(caller.sees_email());
    draft.row_id = guest.row_id;
    draft.guest = Some(guest);
    draft.first_entry = subject.first().map(|first| FirstEntry {
        at: first.at,
        gate: state.ledger.gate_name(first.gate).map(str::to_owned),
    });
    match checks::first_refusal(state, scan, &subject, &place) {
        None => Ok(draft.record(state, scan, &subject, ids, None)),
        Some(refusal) if scan.force && refusal.can_be_forced() => {
            Ok(draft.record(state, scan, &subject, ids, Some(&refusal)))
        }
        Some(Refusal::WalkInsOff) => Err(Invalid::one(
            "/walk_in",
            "walk_ins_not_allowed",
            "This table does not take walk-ins.",
        )),
        Some(refusal) => {
            let mut decision = draft.refuse(state, scan, &refusal);
            if matches!(refusal, Refusal::AlreadyIn { .. }) {
                decision.verdict = Verdict::Duplicate;
                decision.effect = Effect::Repeat;
                decision.repeats = subject.first().copied();
            }
            Ok(decision)
        }
    }
}

impl Decision {
    fn draft(scan: &Scan, place: &Place<'_>) -> Self {
        Self {
            verdict: Verdict::Accepted,
            reason: None,
            explanation: String::new(),
            warnings: scan
                .times
                .large_skew
                .then_some(Warning::ClockSkew)
                .into_iter()
                .collect(),
            effect: Effect::Admit,
            row_id: None,
            guest: None,
            first_entry: None,
            gate: place.name().map(str::to_owned),
            overrode: None,
            first_of_guest: false,
            inside_delta: 0,
            repeats: None,
            new_row: None,
        }
    }

    fn refuse(mut self, state: &State, scan: &Scan, refusal: &Refusal<'_>) -> Self {
        self.verdict = Verdict::Refused;
        self.effect = Effect::Refuse;
        self.reason = Some(refusal.reason());
        self.explanation = refusal.sentence(&state.config.timezone, scan.times.check_in_time);
        self
    }

    /// An entry or an exit, `overridden` by force.
    fn record(
        mut self,
        state: &State,
        scan: &Scan,
        subject: &Subject<'_>,
        ids: Ids,
        overridden: Option<&Refusal<'_>>,
    ) -> Self {
        let (before, after) = (subject.standing(), subject.standing_after(scan));
        self.inside_delta = before.inside_delta(after);
        self.first_of_guest = after.checked_in && !before.checked_in;
        self.overrode = overridden.map(Refusal::reason);
        match scan.direction {
            Direction::Entry => self.enter(state, scan, subject),
            Direction::Exit => {
                self.effect = Effect::Exit;
                self.explanation = "Checked out.".to_owned();
                if !before.inside {
                    self.warnings.push(Warning::NotInside);
                    self.explanation = "Checked out; was not inside.".to_owned();
                }
            }
        }
        if let Some(refusal) = overridden {
            let rule = refusal.sentence(&state.config.timezone, scan.times.check_in_time);
            self.explanation = format!("{} Overridden: {rule}", self.explanation);
        }
        if let Who::WalkIn(guest) = subject.who {
            self.row_id = Some(ids.row);
            if let Some(view) = &mut self.guest {
                view.row_id = Some(ids.row);
            }
            self.new_row = Some(NewRow {
                id: ids.row,
                name: guest.name.clone(),
                email: guest.email.clone(),
                category: guest.category.clone(),
                barcode: guest.barcode.clone(),
            });
        }
        self
    }

    fn enter(&mut self, state: &State, scan: &Scan, subject: &Subject<'_>) {
        let at = scan.times.check_in_time;
        self.explanation = match (self.first_of_guest, &subject.who) {
            (_, Who::WalkIn(_)) => "Walk-in checked in.",
            (true, _) => "Checked in.",
            (false, _) => "Checked in again.",
        }
        .to_owned();
        if self.first_entry.as_ref().is_none_or(|first| at < first.at) {
            self.first_entry = Some(FirstEntry {
                at,
                gate: self.gate.clone(),
            });
        }
        let inside = state.ledger.inside() + u32::from(self.inside_delta > 0);
        if let Some(capacity) = state.config.settings.capacity
            && self.inside_delta > 0
            && inside > capacity
        {
            self.warnings.push(Warning::CapacityReached);
            self.explanation =
                format!("{} {inside} inside, room for {capacity}.", self.explanation);
        }
    }
}
