//! What must be the same whatever the order of arrival, and what must hold in any.
//!
//! Invariant: counted and walked here, with nothing of the ledger's own arithmetic.
//! Failure: the difference, with its seed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rules::checkin::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::checkin_support::*;
use crate::world::{What, World, holder, record_of};

/// Everything that must not depend on the order of arrival.
#[derive(Debug, PartialEq)]
pub struct Truth {
    pub stats: Value,
    pub guests: BTreeMap<Uuid, Vec<Value>>,
    pub records: BTreeMap<Uuid, Value>,
    /// Of each guest the scans that their records count, and the latest. On which of several
    /// records a repeated scan counts is settled when it comes.
    pub scans: BTreeMap<Option<Uuid>, (u32, DateTime<Utc>)>,
}

pub fn truth(door: &Door) -> Truth {
    let state = door.state();
    let ledger = &state.ledger;
    let visit = |visit: &Visit| {
        json!([
            visit.check_in_id,
            visit.at,
            ledger.gate_name(visit.gate),
            visit.direction,
            visit.walk_in,
            visit.people,
            visit.party,
        ])
    };
    let guests = ledger.guests().map(|(row, visits)| {
        let visits = visits.iter().map(visit).collect();
        (*row, visits)
    });
    let mut stats = serde_json::to_value(state.stats()).unwrap();
    let gates = stats["by_gate"].as_array_mut().unwrap();
    gates.sort_by_key(|gate| gate["gate"].to_string());
    let records = records(door);
    Truth {
        stats,
        guests: guests.collect(),
        scans: scans(&records),
        records: records.into_iter().map(listed).collect(),
    }
}

fn scans(records: &BTreeMap<Uuid, CheckIn>) -> BTreeMap<Option<Uuid>, (u32, DateTime<Utc>)> {
    let mut scans = BTreeMap::new();
    for record in records.values() {
        let (count, latest) = scans.entry(record.row_id).or_default();
        *count += record.scan_count;
        *latest = record.last_scanned_at.max(*latest);
    }
    scans
}

/// A record without its place in the log and what says when it was sent and received.
fn listed((id, record): (Uuid, CheckIn)) -> (Uuid, Value) {
    let mut record = serde_json::to_value(record).unwrap();
    for arrival in [
        "seq",
        "received_at",
        "sent_at",
        "clock_skew_ms",
        "scan_count",
        "last_scanned_at",
    ] {
        record.as_object_mut().unwrap().remove(arrival);
    }
    (id, record)
}

/// The records as they are listed, after every later entry had its effect.
fn records(door: &Door) -> BTreeMap<Uuid, CheckIn> {
    let mut records: BTreeMap<Uuid, CheckIn> = BTreeMap::new();
    for entry in door.journal.log() {
        match entry.effect {
            Effect::Admit | Effect::Exit | Effect::Refuse => {
                records.insert(entry.check_in_id, entry.check_in(TABLE).unwrap());
            }
            Effect::Repeat => {
                let record = records.get_mut(&entry.check_in_id).unwrap();
                record.scan_count += 1;
                record.last_scanned_at = record.last_scanned_at.max(entry.check_in_time);
            }
            Effect::Annul => {
                let record = records.get_mut(&entry.annuls.unwrap().check_in_id).unwrap();
                record.annulled_at = Some(entry.at);
                record.annulled_by = Some(entry.actor.id);
            }
        }
        for changed in &entry.reelected {
            let record = records.get_mut(&changed.check_in_id).unwrap();
            record.conflict.clone_from(&changed.conflict);
        }
    }
    records
}

/// Who went through stands in the state, with the time at which it happened, and nobody else whom a
/// device let in does.
pub fn check_admissions(seed: u64, world: &World, door: &Door) {
    let annulled: BTreeSet<Uuid> = door
        .journal
        .log()
        .iter()
        .filter_map(|entry| entry.annuls)
        .map(|annuls| annuls.check_in_id)
        .collect();
    let admitted: BTreeSet<(Uuid, DateTime<Utc>)> = world
        .reports()
        .filter_map(|report| match &report.what {
            What::Scan(scan) if scan.offline.as_ref().unwrap().admitted() => {
                Some((record_of(report, scan), report.at))
            }
            _ => None,
        })
        .filter(|(record, _)| !annulled.contains(record))
        .collect();
    let reported: BTreeSet<Uuid> = world
        .reports()
        .filter_map(|report| match &report.what {
            What::Scan(scan) => Some(record_of(report, scan)),
            What::Undo(_) => None,
        })
        .collect();
    let ledger = &door.state().ledger;
    let recorded: BTreeSet<(Uuid, DateTime<Utc>)> = ledger
        .guests()
        .flat_map(|(_, visits)| visits.iter())
        .filter(|visit| visit.offline || reported.contains(&visit.check_in_id))
        .map(|visit| (visit.check_in_id, visit.at))
        .collect();
    assert_eq!(admitted, recorded, "seed {seed}");
    for report in world.reports() {
        if let What::Undo(undo) = &report.what {
            assert!(annulled.contains(&undo.annul), "seed {seed}");
        }
    }
    check_makers(seed, world, door);
}

/// A conflict names who made the entry that stands.
fn check_makers(seed: u64, world: &World, door: &Door) {
    let devices: BTreeMap<Uuid, u128> = world
        .reports()
        .filter_map(|report| match &report.what {
            What::Scan(scan) => Some((record_of(report, scan), report.device)),
            What::Undo(_) => None,
        })
        .collect();
    for entry in door.journal.log() {
        let reelected = entry
            .reelected
            .iter()
            .filter_map(|one| one.conflict.as_ref());
        for conflict in entry.conflict.iter().chain(reelected) {
            let Some(number) = devices.get(&conflict.check_in_id) else {
                continue;
            };
            let maker = holder(*number);
            assert_eq!(conflict.session_id, maker.session_id, "seed {seed}");
            assert_eq!(conflict.device, maker.device, "seed {seed}");
            let name = maker.scanner.and_then(|scanner| scanner.name);
            assert_eq!(conflict.scanner, name, "seed {seed}");
            assert_eq!(
                conflict.actor_id.is_some(),
                conflict.session_id.is_none(),
                "seed {seed}"
            );
        }
    }
}

/// Counters equal a walk over the visits and a replay of the log.
pub fn check_counters(seed: u64, door: &Door) {
    let state = door.state();
    let mut replay = State::new(TABLE, state.config.clone());
    replay.roster = state.roster.clone();
    for entry in door.journal.log() {
        let read = serde_json::from_str(&serde_json::to_string(entry).unwrap()).unwrap();
        assert!(replay.apply(&read), "seed {seed}");
    }
    assert_eq!(replay.ledger, state.ledger, "seed {seed}");
    let (mut inside, mut arrived, mut checked_in, mut conflicts) = (0, 0, 0, 0);
    for (_, visits) in state.ledger.guests() {
        let (mut in_now, mut entered, mut standing) = (0_u32, 0_u32, false);
        for visit in visits.iter() {
            let (people, party) = (u32::from(visit.people), u32::from(visit.party));
            if visit.direction == Direction::Exit {
                in_now = in_now.saturating_sub(people);
                continue;
            }
            let room = match visit.again {
                Again::Always => u32::MAX,
                Again::AfterExit => party.saturating_sub(in_now),
                Again::Never => party.saturating_sub(entered),
            };
            if room < people && standing {
                conflicts += 1;
            } else {
                entered += people;
            }
            standing = true;
            in_now = (in_now + people).min(party.max(in_now));
        }
        inside += in_now;
        arrived += entered;
        checked_in += u32::from(standing);
    }
    let ledger = &state.ledger;
    assert_eq!(
        (inside, arrived, checked_in, conflicts),
        (
            ledger.inside(),
            ledger.arrived(),
            ledger.checked_in(),
            ledger.conflicts()
        ),
        "seed {seed}"
    );
}
