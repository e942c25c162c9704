//! Everybody leaves: at a wall-clock time of the event, each day, who is inside is checked out.
//!
//! Invariant: an exit follows from its moment and its guest, so the same moment twice records
//! nothing new; it counts as of that moment, however late it is recorded, and takes out who was
//! inside then.
//! Failure: none.

use chrono::{DateTime, Utc};
use serde_json::Map;
use uuid::Uuid;

use super::caller::{Actor, ActorKind};
use super::conflict::{self, Made};
use super::entry::{Entry, Kind};
use super::guest::GuestView;
use super::hours::Minute;
use super::scan::derived;
use super::state::State;
use super::verdict::{Direction, Effect, Verdict};
use super::visits::Visit;
use crate::civil::Zone;
use crate::time;

/// The next moment after `after` at which the wall clock shows this time: once each day. Where the
/// clock skips it, the first instant after the gap; where it shows it twice, the first.
pub fn next_exit_all(zone: &Zone, at: Minute, after: DateTime<Utc>) -> DateTime<Utc> {
    let today = zone.local_day(after);
    let mut days = std::iter::successors(Some(today), |day| Some(day.next()));
    // The third day is far enough where a zone left a day out.
    let mut moments = days.by_ref().take(4).map(|day| zone.first(day, at.0));
    let found = moments.find(|moment| *moment > after);
    found.unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The guests of whom somebody was inside at that moment, in the order of their rows.
pub fn inside_at(state: &State, moment: DateTime<Utc>) -> Vec<Uuid> {
    let guests = state.ledger.guests();
    let inside = guests.filter(|(_, visits)| visits.inside_at(moment) > 0);
    let mut rows: Vec<Uuid> = inside.map(|(row, _)| *row).collect();
    rows.sort_unstable();
    rows
}

/// The log entry that takes a guest out as of `moment`; none when nobody of them was inside.
pub fn exit(
    state: &State,
    row: Uuid,
    moment: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
) -> Option<Entry> {
    let visits = state.ledger.guest(row)?;
    let people = u16::try_from(visits.inside_at(moment)).unwrap_or(u16::MAX);
    let last = visits.last().filter(|_| people > 0)?;
    let nonce_key = format!("exit_all|{}|{row}", time::render(moment));
    let check_in_id = derived(state.table_id, moment, &nonce_key);
    let seq = state.ledger.last_seq() + 1;
    let visit = Visit {
        seq,
        check_in_id,
        at: moment,
        direction: Direction::Exit,
        walk_in: false,
        offline: false,
        people,
        scans: 1,
        last_scanned_at: moment,
        ..*last
    };
    let after = visits.with(visit);
    let (_, reelected) =
        conflict::changes(&state.ledger, visits, &after, Some((seq, Made::default())));
    let (before, after) = (visits.standing(), after.standing());
    let clock = state.config.timezone.clock(moment);
    Some(Entry {
        seq,
        kind: Kind::Scan,
        nonce_key,
        at: recorded_at,
        verdict: Verdict::Accepted,
        reason: None,
        explanation: format!("Checked out at {clock}, with everybody inside."),
        warnings: Vec::new(),
        direction: Direction::Exit,
        barcode: None,
        row_id: Some(row),
        guest: state.roster.get(row).map(|row| GuestView::of(row, true)),
        first_entry: None,
        gate: None,
        session_id: None,
        device: None,
        actor: Actor {
            kind: ActorKind::System,
            id: Uuid::nil(),
        },
        scanner: None,
        check_in_id,
        effect: Effect::Exit,
        first_of_guest: false,
        inside_delta: before.inside_delta(after),
        people,
        party: visit.party,
        arrived: (visit.party > 1).then_some(after.entered),
        again: visit.again,
        offline: None,
        conflict: None,
        reelected,
        answers: Map::new(),
        questions: Vec::new(),
        check_in_time: moment,
        scanned_at: None,
        sent_at: None,
        received_at: recorded_at,
        clock_skew_ms: 0,
        force_sent: false,
        forced: false,
        overrode: None,
        walk_in: false,
        new_row: None,
        notes: None,
        annuls: None,
        earlier: None,
    })
}
