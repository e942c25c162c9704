//! The checks of a scan, in their order.
//!
//! Invariant: the first check that fails is the reason. An entry that may not be made twice is
//! allowed when the guest has no entry, or only exits, or re-entry is on and the latest visit by
//! corrected time is an exit; for a ticket of several people the same holds for as many as it has
//! room for.
//! Failure: none.

use std::ops::Range;

use chrono::{DateTime, Utc};

use super::going::Going;
use super::guest::{Row, Status};
use super::hours;
use super::question::{Judged, Question};
use super::refusal::Refusal;
use super::roster::Found;
use super::scan::{Scan, Target, WalkIn};
use super::settings::{CapacityMode, Settings};
use super::state::State;
use super::subject::{Place, Subject, Who};
use super::verdict::Direction;

/// The first check that fails. What depends on what the guest did before (entering once more,
/// limits, capacity) and questions are not asked of a scan that a device decided by itself: what
/// stands then follows from the visits (see `conflict`).
pub(crate) fn first_refusal<'a>(
    state: &'a State,
    scan: &'a Scan,
    subject: &Subject<'a>,
    place: &Place<'a>,
    going: &Going,
) -> Option<Refusal<'a>> {
    let settings = &state.config.settings;
    let at = scan.times.check_in_time;
    let anywhere = listing(state, scan, subject).or_else(|| category(settings, subject));
    if anywhere.is_some() || scan.direction == Direction::Exit {
        return anywhere;
    }
    let here = gate(state, subject, place)
        .or_else(|| validity(subject, at))
        .or_else(|| opening(state, at));
    if here.is_some() || scan.offline.is_some() {
        return here;
    }
    again(state, subject, going)
        .or_else(|| limits(state, subject, going, at))
        .or_else(|| capacity(state, going))
        .or_else(|| questions(state, scan, subject))
}

fn listing<'a>(state: &State, scan: &Scan, subject: &Subject<'a>) -> Option<Refusal<'a>> {
    let revoked = subject.ticket.is_some_and(|presented| presented.revoked);
    let revoked = revoked.then_some(Refusal::Revoked);
    match subject.who {
        Who::Listed(row) if other_code(scan, subject, row) => Some(Refusal::OtherCode),
        Who::Listed(row) => match row.status {
            Status::Confirmed => revoked,
            Status::Canceled => Some(Refusal::Canceled),
            Status::Blocked => Some(Refusal::Blocked),
            Status::Revoked => Some(Refusal::Revoked),
            Status::Unpaid => {
                let let_in = scan.ignore_unpaid && state.config.settings.admit_unpaid;
                revoked.or((!let_in).then_some(Refusal::Unpaid))
            }
        },
        Who::Bearer(_) => {
            revoked.or((!state.without_list && !state.sealed).then_some(Refusal::NotListed))
        }
        Who::Removed(_) | Who::Reported(_, None) => Some(Refusal::NotListed),
        Who::Reported(_, Some(_)) => None,
        Who::WalkIn(guest) => {
            // Who wears the code already cannot be asked for another one.
            let taken = scan.offline.is_none() && code_is_taken(state, guest);
            let off = !state.config.settings.walk_ins;
            let taken = taken.then_some(Refusal::CodeTaken);
            taken.or(off.then_some(Refusal::WalkInsOff))
        }
    }
}

/// Did the device take a code for this guest that is not theirs any more?
fn other_code(scan: &Scan, subject: &Subject<'_>, row: &Row) -> bool {
    match &scan.target {
        Target::Code(code) if subject.ticket.is_none() => {
            scan.offline.is_some() && row.barcode.as_ref() != Some(code)
        }
        _ => false,
    }
}

/// Is the code that a walk-in was given a guest's, or a ticket of this table?
pub(crate) fn code_is_taken(state: &State, guest: &WalkIn) -> bool {
    guest.barcode.as_deref().is_some_and(|code| {
        state.roster.find(code) != Found::Nobody || state.tickets.read(state.table_id, code).is_ok()
    })
}

fn category<'a>(settings: &'a Settings, subject: &Subject<'a>) -> Option<Refusal<'a>> {
    let allowed = &settings.categories;
    let category = subject.category();
    let admitted = allowed.is_empty()
        || category.is_some_and(|category| allowed.iter().any(|one| one == category));
    (!admitted).then_some(Refusal::WrongCategory { category, allowed })
}

fn gate<'a>(state: &'a State, subject: &Subject<'a>, place: &Place<'a>) -> Option<Refusal<'a>> {
    let category = subject.category();
    let (name, known) = match place {
        Place::Unsaid | Place::Label(_) => return None,
        Place::Gate(gate) if gate.admits(category) => return None,
        Place::Gate(gate) => (gate.name.as_str(), true),
        Place::Unknown(name) => (*name, false),
    };
    let gates = state.config.gates.iter();
    let go_to = gates
        .filter(|gate| gate.admits(category))
        .map(|gate| gate.name.as_str());
    Some(Refusal::WrongGate {
        gate: name,
        known,
        category,
        go_to: go_to.collect(),
    })
}

fn validity<'a>(subject: &Subject<'a>, at: DateTime<Utc>) -> Option<Refusal<'a>> {
    let mut spans = subject.validity().into_iter();
    spans.find_map(|(from, until)| {
        let early = from.filter(|from| at < *from);
        let late = until.filter(|until| at > *until);
        early
            .map(|from| Refusal::NotYetValid { from })
            .or_else(|| late.map(|until| Refusal::NoLongerValid { until }))
    })
}

fn opening<'a>(state: &State, at: DateTime<Utc>) -> Option<Refusal<'a>> {
    let settings = &state.config.settings;
    if let Some(opens) = settings.opens_at.filter(|opens| at < *opens) {
        return Some(Refusal::NotOpenYet { opens });
    }
    if let Some(since) = settings.closes_at.filter(|closes| at >= *closes) {
        return Some(Refusal::Closed { since });
    }
    if settings.opening_hours.is_empty() {
        return None;
    }
    let (day, minute) = state.config.timezone.weekday_and_minute(at);
    let hours = &settings.opening_hours;
    (!hours::open(hours, day, minute)).then(|| Refusal::OutsideHours {
        next: hours::next_opening(hours, day, minute),
    })
}

fn again<'a>(state: &'a State, subject: &Subject<'a>, going: &Going) -> Option<Refusal<'a>> {
    let room = going.before.room(going.again, going.party.into());
    if room >= going.people.into() {
        return None;
    }
    let (Some(first), true) = (subject.first(), room == 0) else {
        return Some(Refusal::PartyFull {
            party: going.party,
            room,
        });
    };
    let last = subject
        .last()
        .filter(|last| last.direction == Direction::Exit);
    Some(Refusal::AlreadyIn {
        first: first.at,
        gate: state.ledger.gate_name(first.gate),
        left: last.map(|last| last.at),
    })
}

/// Limits are per person: a ticket for five has five times as many entries.
fn limits<'a>(
    state: &State,
    subject: &Subject<'a>,
    going: &Going,
    at: DateTime<Utc>,
) -> Option<Refusal<'a>> {
    let settings = &state.config.settings;
    let entered = |day: Option<Range<DateTime<Utc>>>| -> u64 {
        let entries = subject.visits().entries();
        let counted =
            entries.filter(|entry| day.as_ref().is_none_or(|day| day.contains(&entry.at)));
        counted.map(|entry| u64::from(entry.people)).sum()
    };
    let over = |limit: u32, entered: u64, refusal: Refusal<'a>| {
        let room = (u64::from(limit) * u64::from(going.party)).saturating_sub(entered);
        match u32::try_from(room).unwrap_or(u32::MAX) {
            0 => Some(refusal),
            room if room < going.people.into() => Some(Refusal::PartyFull {
                party: going.party,
                room,
            }),
            _ => None,
        }
    };
    let today = settings.entries_per_day.and_then(|limit| {
        subject.first()?;
        let zone = &state.config.timezone;
        let day = zone.local_day(at);
        let entered = entered(Some(zone.start_of(day)..zone.start_of(day.next())));
        over(limit, entered, Refusal::DailyLimit { limit })
    });
    let ever = |limit| over(limit, entered(None), Refusal::TotalLimit { limit });
    today.or_else(|| settings.max_entries.and_then(ever))
}

fn capacity<'a>(state: &State, going: &Going) -> Option<Refusal<'a>> {
    let settings = &state.config.settings;
    let capacity = settings
        .capacity
        .filter(|_| settings.capacity_mode == CapacityMode::Hard)?;
    let inside = state.ledger.inside();
    let more = u32::try_from(going.inside_delta()).unwrap_or(0);
    (more > 0 && inside.saturating_add(more) > capacity)
        .then_some(Refusal::Full { capacity, inside })
}

fn questions<'a>(state: &'a State, scan: &Scan, subject: &Subject<'a>) -> Option<Refusal<'a>> {
    let (mut missing, mut wrong) = (None, None);
    for question in open_questions(state, subject) {
        match question.judge(scan.answers.get(&question.id)) {
            Judged::Good => {}
            Judged::Wrong => wrong = wrong.or(Some(question.text.as_str())),
            Judged::Missing if question.required => {
                missing = missing.or(Some(question.text.as_str()));
            }
            Judged::Missing => {}
        }
    }
    let wrong_first = wrong.map(|question| Refusal::WrongAnswer { question });
    let missing = missing.filter(|_| scan.questions_supported);
    wrong_first.or_else(|| missing.map(|question| Refusal::Unanswered { question }))
}

/// What this guest has not answered yet.
pub(crate) fn open_questions<'a>(
    state: &'a State,
    subject: &Subject<'a>,
) -> impl Iterator<Item = &'a Question> {
    let category = subject.category();
    let row = subject.row_id();
    let all = state.config.settings.questions.iter();
    all.filter(move |question| {
        let answered = row.is_some_and(|row| state.ledger.answered(row, &question.id));
        question.concerns(category) && !answered
    })
}
