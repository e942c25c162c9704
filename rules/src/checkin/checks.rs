//! The checks of a scan, in their order.
//!
//! Invariant: the first check that fails is the reason. An entry that may not be made twice is
//! allowed when the guest has no entry, or only exits, or re-entry is on and the latest visit by
//! corrected time is an exit.
//! Failure: none.

use chrono::{DateTime, Utc};

use super::guest::Status;
use super::hours;
use super::refusal::Refusal;
use super::roster::Found;
use super::scan::Scan;
use super::settings::{CapacityMode, Settings};
use super::state::State;
use super::subject::{Place, Subject, Who};
use super::verdict::Direction;

/// The first check that fails.
pub(crate) fn first_refusal<'a>(
    state: &'a State,
    scan: &'a Scan,
    subject: &Subject<'a>,
    place: &Place<'a>,
) -> Option<Refusal<'a>> {
    let settings = &state.config.settings;
    let at = scan.times.check_in_time;
    listing(state, subject)
        .or_else(|| category(settings, subject))
        .or_else(|| match scan.direction {
            Direction::Exit => None,
            Direction::Entry => gate(state, subject, place)
                .or_else(|| validity(subject, at))
                .or_else(|| opening(state, at))
                .or_else(|| again(state, subject))
                .or_else(|| limits(state, subject, at))
                .or_else(|| capacity(state, scan, subject)),
        })
}

fn listing<'a>(state: &State, subject: &Subject<'a>) -> Option<Refusal<'a>> {
    let revoked = subject.ticket.is_some_and(|presented| presented.revoked);
    let revoked = revoked.then_some(Refusal::Revoked);
    match subject.who {
        Who::Listed(row) => match row.status {
            Status::Confirmed => revoked,
            Status::Canceled => Some(Refusal::Canceled),
            Status::Blocked => Some(Refusal::Blocked),
            Status::Revoked => Some(Refusal::Revoked),
        },
        Who::Bearer(_) => revoked.or((!state.without_list).then_some(Refusal::NotListed)),
        Who::WalkIn(guest) => {
            let code = guest.barcode.as_deref();
            if code.is_some_and(|code| means_somebody(state, code)) {
                Some(Refusal::CodeTaken)
            } else {
                (!state.config.settings.walk_ins).then_some(Refusal::WalkInsOff)
            }
        }
    }
}

/// Is it the code of a guest, or a ticket of this table?
fn means_somebody(state: &State, code: &str) -> bool {
    state.roster.find(code) != Found::Nobody || state.tickets.read(state.table_id, code).is_ok()
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

fn again<'a>(state: &'a State, subject: &Subject<'a>) -> Option<Refusal<'a>> {
    let settings = &state.config.settings;
    let (first, last) = (subject.first()?, subject.last()?);
    let left = (last.direction == Direction::Exit).then_some(last.at);
    let allowed = settings.allow_duplicate_scans || (settings.allow_reentry && left.is_some());
    let gate = state.ledger.gate_name(first.gate);
    (!allowed).then_some(Refusal::AlreadyIn {
        first: first.at,
        gate,
        left,
    })
}

fn limits<'a>(state: &State, subject: &Subject<'a>, at: DateTime<Utc>) -> Option<Refusal<'a>> {
    let settings = &state.config.settings;
    let used = |limit: u32, entries: usize| entries >= usize::try_from(limit).unwrap_or(usize::MAX);
    if let Some(limit) = settings.entries_per_day
        && subject.first().is_some()
    {
        let zone = &state.config.timezone;
        let day = zone.local_day(at);
        let day = zone.start_of(day)..zone.start_of(day.next());
        if used(
            limit,
            subject
                .entries()
                .filter(|entry| day.contains(&entry.at))
                .count(),
        ) {
            return Some(Refusal::DailyLimit { limit });
        }
    }
    let limit = settings
        .max_entries
        .filter(|limit| used(*limit, subject.entries().count()));
    limit.map(|limit| Refusal::TotalLimit { limit })
}

fn capacity<'a>(state: &State, scan: &Scan, subject: &Subject<'a>) -> Option<Refusal<'a>> {
    let settings = &state.config.settings;
    let capacity = settings
        .capacity
        .filter(|_| settings.capacity_mode == CapacityMode::Hard)?;
    let inside = state.ledger.inside();
    let one_more = subject
        .standing()
        .inside_delta(subject.standing_after(scan))
        > 0;
    (one_more && inside >= capacity).then_some(Refusal::Full { capacity, inside })
}
