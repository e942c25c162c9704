//! Decides a scan.
//!
//! Invariant: a pure function of the state, the scan and who scans; nothing changes before
//! [`State::apply`] folds the entry made of the decision. Checks run in one order, so a scan has
//! one reason: code, status, category, gate, validity, opening, duplicate, limits, capacity, questions.
//! Exits are checked for code, status and category only. A signed ticket that no row has as its
//! plain code stands for its guest's row, whose checks it adds its own to.
//! What a device decided without a connection is kept to: who went through is recorded, whatever the
//! rules say now, and who was turned away stays turned away. Only somebody whom neither the device
//! nor the list can name is refused all the same.
//! Failure: a walk-in on a table that takes none is refused as invalid; everything else is an
//! answer. `force` overrides every refusal but those of the code.

use uuid::Uuid;

use super::caller::Caller;
use super::checks;
use super::conflict::{self, Conflict, Made, Maker, Reelected};
use super::entry::{FirstEntry, NewRow};
use super::going::Going;
use super::guest::GuestView;
use super::question::Question;
use super::refusal::{Refusal, moment};
use super::report::Offline;
use super::scan::Scan;
use super::state::State;
use super::subject::{self, Place, Subject, Who};
use super::ticket::Unreadable;
use super::verdict::{Direction, Effect, Reason, Verdict, Warning};
use super::visits::{Again, Visit};
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
    /// Change of the people inside.
    pub inside_delta: i32,
    /// How many people go.
    pub people: u16,
    /// How many the ticket is for.
    pub party: u16,
    /// People of the ticket who have entered, this scan counted; of tickets for several.
    pub arrived: Option<u32>,
    /// The rule for entering once more that held.
    pub again: Again,
    /// The entry is one too many.
    pub conflict: Option<Conflict>,
    /// Other entries of which that changes.
    pub reelected: Vec<Reelected>,
    /// What the guest has not answered yet.
    pub questions: Vec<Question>,
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
    let turned_away = scan.offline.as_ref().filter(|told| !told.admitted());
    let mut draft = Decision::draft(scan, &place);
    let subject = match (
        Subject::find(state, scan, ticket.as_ref(), ids),
        turned_away,
    ) {
        (_, Some(told)) if told.of_nobody() => return Ok(draft.turned_away(told)),
        (Ok(subject), _) => subject,
        (Err(_), Some(told)) => return Ok(draft.turned_away(told)),
        (Err(refusal), None) => return Ok(draft.nobody(state, scan, &refusal)),
    };
    draft.row_id = subject.row_id();
    draft.guest = subject.view(caller.sees_email());
    draft.first_entry = subject.first().map(|first| FirstEntry {
        at: first.at,
        gate: state.ledger.gate_name(first.gate).map(str::to_owned),
    });
    if let Some(told) = turned_away {
        return Ok(draft.turned_away(told));
    }
    let going = Going::of(state, scan, &subject, ids);
    let happened = scan.force || scan.offline.is_some();
    let scanner = scan.scanner.as_ref().or(caller.scanner.as_ref());
    let made = Made {
        maker: Maker {
            device: caller.device.as_deref(),
            ..Maker::of(caller.session_id, caller.actor, scanner)
        },
        gate: place.name(),
    };
    match checks::first_refusal(state, scan, &subject, &place, &going) {
        None => Ok(draft.record(state, scan, &subject, ids, &going, made, None)),
        Some(refusal) if happened && refusal.can_be_forced() => {
            Ok(draft.record(state, scan, &subject, ids, &going, made, Some(&refusal)))
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
                decision.repeats = subject.visits().first_recorded().copied();
            }
            if decision.reason == Some(Reason::Incomplete) {
                let open = checks::open_questions(state, &subject);
                decision.questions = open.cloned().collect();
            }
            Ok(decision)
        }
    }
}

/// Whether this table has somebody for the scan: one guest, several who share the code, or the
/// holder of a ticket whose key was revoked. Says nothing of whether they may enter.
pub fn knows(state: &State, scan: &Scan) -> bool {
    let ticket = subject::presented(state, scan);
    let ids = Ids {
        check_in: Uuid::nil(),
        row: Uuid::nil(),
    };
    match Subject::find(state, scan, ticket.as_ref(), ids) {
        Ok(_) => true,
        Err(refusal) => matches!(
            refusal,
            Refusal::Ambiguous { .. } | Refusal::NoTicket(Unreadable::RevokedKey)
        ),
    }
}

/// Refuses a scan because several lists, of these names, know the code.
pub fn on_several_lists(state: &State, scan: &Scan, caller: &Caller, names: &[String]) -> Decision {
    let gate = scan.gate.as_deref().or(caller.gate.as_deref());
    let place = Place::of(&state.config.gates, gate);
    Decision::draft(scan, &place).nobody(state, scan, &Refusal::OnSeveralLists { names })
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
            people: 1,
            party: 1,
            arrived: None,
            again: Again::default(),
            conflict: None,
            reelected: Vec::new(),
            questions: Vec::new(),
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

    /// Nobody knows whom the scan is about.
    fn nobody(self, state: &State, scan: &Scan, refusal: &Refusal<'_>) -> Self {
        let mut decision = self.refuse(state, scan, refusal);
        if scan.admitted_offline() {
            decision.warnings.push(Warning::AdmittedOffline);
        }
        decision
    }

    /// A device without a connection turned the guest away.
    fn turned_away(mut self, told: &Offline) -> Self {
        self.verdict = told.verdict;
        self.effect = Effect::Refuse;
        self.reason = told.reason.or(Some(Reason::AlreadyCheckedIn));
        self.explanation = "Turned away by a device without a connection.".to_owned();
        self
    }

    /// An entry or an exit, `overridden` because it already happened.
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one decision, named by their types"
    )]
    fn record(
        mut self,
        state: &State,
        scan: &Scan,
        subject: &Subject<'_>,
        ids: Ids,
        going: &Going,
        made: Made<'_>,
        overridden: Option<&Refusal<'_>>,
    ) -> Self {
        let (before, after) = (going.before, going.after);
        self.inside_delta = going.inside_delta();
        self.people = going.people;
        self.party = going.party;
        self.again = going.again;
        self.arrived = (going.party > 1).then_some(after.entered);
        let new = (state.ledger.last_seq() + 1, made);
        (self.conflict, self.reelected) =
            conflict::changes(&state.ledger, subject.visits(), &going.visits, Some(new));
        if self.conflict.is_some() {
            self.warnings.push(Warning::DuplicateConflict);
        }
        if scan.offline.is_some() && overridden.is_some() {
            self.warnings.push(Warning::AdmittedOffline);
        }
        self.first_of_guest = after.checked_in && !before.checked_in;
        self.overrode = overridden.map(Refusal::reason);
        match scan.direction {
            Direction::Entry => self.enter(state, scan, subject),
            Direction::Exit => {
                self.effect = Effect::Exit;
                self.explanation = "Checked out.".to_owned();
                if before.inside == 0 {
                    self.warnings.push(Warning::NotInside);
                    self.explanation = "Checked out; was not inside.".to_owned();
                }
            }
        }
        if let Some(refusal) = overridden {
            let rule = refusal.sentence(&state.config.timezone, scan.times.check_in_time);
            self.explanation = format!("{} Overridden: {rule}", self.explanation);
        }
        if let Some(conflict) = &self.conflict {
            self.explanation = format!(
                "{} This ticket was let in twice: {} by {}.",
                self.explanation,
                moment(
                    &state.config.timezone,
                    conflict.at,
                    scan.times.check_in_time
                ),
                conflict.maker_name().unwrap_or("another device"),
            );
        }
        if let Who::WalkIn(guest) = subject.who {
            if checks::code_is_taken(state, guest) {
                self.warnings.push(Warning::CodeShared);
            }
            self.row_id = Some(ids.row);
            if let Some(view) = &mut self.guest {
                view.row_id = Some(ids.row);
                view.party = going.party;
            }
            self.new_row = Some(NewRow {
                id: ids.row,
                name: guest.name.clone(),
                email: guest.email.clone(),
                category: guest.category.clone(),
                barcode: guest.barcode.clone(),
                party: going.party,
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
        if let Some(arrived) = self.arrived {
            self.explanation = format!(
                "{} of {} are in.",
                arrived.min(self.party.into()),
                self.party
            );
        }
        if self.first_entry.as_ref().is_none_or(|first| at < first.at) {
            self.first_entry = Some(FirstEntry {
                at,
                gate: self.gate.clone(),
            });
        }
        let inside = state
            .ledger
            .inside()
            .saturating_add_signed(self.inside_delta);
        if let Some(capacity) = state.config.settings.capacity
            && self.inside_delta > 0
            && scan.offline.is_none()
            && inside > capacity
        {
            self.warnings.push(Warning::CapacityReached);
            self.explanation =
                format!("{} {inside} inside, room for {capacity}.", self.explanation);
        }
    }
}
