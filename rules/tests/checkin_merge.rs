//! What devices decided without a connection, merged in any order of arrival.
//!
//! Invariant: the same physical scans give the same final state however their reports are ordered,
//! split and repeated; nobody who went through is erased; counters equal a recount.
//! Failure: the first difference stops the test and names its seed, which repeats it.

mod checkin_support;

use std::collections::{BTreeMap, BTreeSet};

use checkin_support::*;
use chrono::{DateTime, TimeDelta, Utc};
use rules::checkin::*;
use serde_json::{Value, json};
use uuid::Uuid;

const RUNS: u64 = 10_000;
const ORDERS: u64 = 3;
const GATES: [&str; 3] = ["North", "South", "East"];

/// A scan that a device made, with what it told the guest and when it says so.
#[derive(Clone)]
struct Report {
    device: u128,
    body: ScanIn,
}

/// A device without a connection: it knows the guest list and its own scans.
struct Phone {
    number: u128,
    door: Door,
}

fn settings(chance: &mut Chance) -> Value {
    json!({
        "allow_duplicate_scans": chance.one_in(6),
        "allow_reentry": chance.one_in(2),
        "capacity": if chance.one_in(4) { json!(3) } else { json!(null) },
        "max_entries": if chance.one_in(4) { json!(2) } else { json!(null) },
        "categories": if chance.one_in(5) { json!(["standard"]) } else { json!([]) },
    })
}

fn guests(chance: &mut Chance) -> Vec<Row> {
    let statuses = [Status::Confirmed, Status::Confirmed, Status::Canceled];
    (1..=4)
        .map(|number| Row {
            party: chance.of(&[1, 1, 1, 3]),
            status: chance.of(&statuses),
            category: Some(chance.of(&["standard", "standard", "vip"]).to_owned()),
            ..row(number, &format!("C{number}"))
        })
        .collect()
}

fn empty(settings: &Value, guests: &[Row]) -> Door {
    let mut door = Door::new(settings.clone(), json!([]), "UTC");
    guests.iter().for_each(|guest| door.put(guest.clone()));
    door
}

/// Scans of up to six devices that know nothing of each other.
fn reports(chance: &mut Chance, settings: &Value, guests: &[Row]) -> Vec<Report> {
    let mut phones: Vec<Phone> = (1..=1 + u128::from(chance.below(6)))
        .map(|number| Phone {
            number,
            door: empty(settings, guests),
        })
        .collect();
    let mut reports = Vec::new();
    for place in 0..4 + chance.below(14) {
        let who = chance.below(phones.len() as u64) as usize;
        let phone = &mut phones[who];
        // Seconds, so that two devices often scan at the same instant.
        let at = on_day("18:00:00") + chance.seconds(12);
        let body = scan(chance, phone.number, place, at);
        let Ok(outcome) = phone.door.send(body.clone(), &caller(phone.number), at) else {
            continue;
        };
        let people = Some(outcome.entry.people).filter(|people| *people > 1);
        let told = Offline {
            verdict: outcome.entry.verdict,
            reason: outcome.entry.reason,
        };
        reports.push(Report {
            device: phone.number,
            body: ScanIn {
                offline: Some(told),
                people,
                ..body
            },
        });
    }
    reports
}

fn scan(chance: &mut Chance, device: u128, place: u64, at: DateTime<Utc>) -> ScanIn {
    let mut body = scan_of(
        &format!("C{}", 1 + chance.below(5)),
        &format!("{device}-{place}"),
    );
    if chance.one_in(8) {
        let walk_in = WalkIn {
            name: format!("Walk-in {device}-{place}"),
            ..WalkIn::default()
        };
        (body.barcode, body.walk_in) = (None, Some(walk_in));
    } else if chance.one_in(4) {
        body.direction = Direction::Exit;
    }
    if chance.one_in(4) {
        body.people = Some(1 + chance.below(3) as u16);
    }
    body.gate = Some(chance.of(&GATES).to_owned());
    body.scanned_at = Some(at);
    body
}

fn shuffled<T: Clone>(items: &[T], chance: &mut Chance) -> Vec<T> {
    let mut items = items.to_vec();
    for place in (1..items.len()).rev() {
        items.swap(place, chance.below(place as u64 + 1) as usize);
    }
    items
}

/// The server after these reports arrived one after the other.
fn merged(settings: &Value, guests: &[Row], reports: &[Report], chance: &mut Chance) -> Door {
    let mut door = empty(settings, guests);
    for (place, report) in reports.iter().enumerate() {
        let now = on_day("20:00:00") + TimeDelta::seconds(place as i64);
        let times = 1 + u64::from(chance.one_in(5));
        for repeat in 0..times {
            let body = report.body.clone();
            let outcome = door.send(body, &caller(report.device), now).unwrap();
            assert_eq!(outcome.replayed, repeat > 0);
        }
    }
    door
}

/// Everything that must not depend on the order of arrival.
#[derive(Debug, PartialEq)]
struct Truth {
    stats: Value,
    guests: BTreeMap<Uuid, Vec<Value>>,
    records: BTreeMap<Uuid, Value>,
}

fn truth(door: &Door) -> Truth {
    let state = door.state();
    let ledger = &state.ledger;
    let visit = |visit: &Visit| {
        json!([
            visit.check_in_id,
            visit.at,
            ledger.gate_name(visit.gate),
            ledger.session_of(visit.device),
            visit.direction,
            visit.walk_in,
            visit.people,
            visit.party,
            visit.scans,
        ])
    };
    let guests = ledger.guests().map(|(row, visits)| {
        let visits = visits.iter().map(visit).collect();
        (*row, visits)
    });
    let mut stats = serde_json::to_value(state.stats()).unwrap();
    let gates = stats["by_gate"].as_array_mut().unwrap();
    gates.sort_by_key(|gate| gate["gate"].to_string());
    Truth {
        stats,
        guests: guests.collect(),
        records: records(door),
    }
}

/// The records as they are listed, after every later entry had its effect; without their place in
/// the log and the time of receipt.
fn records(door: &Door) -> BTreeMap<Uuid, Value> {
    let mut records = BTreeMap::new();
    for entry in door.journal.log() {
        if let Some(record) = entry.check_in(TABLE) {
            let mut record = serde_json::to_value(record).unwrap();
            for arrival in ["seq", "received_at", "clock_skew_ms"] {
                record.as_object_mut().unwrap().remove(arrival);
            }
            records.insert(entry.check_in_id, record);
        }
        for changed in &entry.reelected {
            let record = records.get_mut(&changed.check_in_id).unwrap();
            record["conflict"] = serde_json::to_value(&changed.conflict).unwrap();
        }
    }
    records
}

#[test]
fn the_same_scans_give_the_same_state_in_any_order_of_arrival() {
    let (mut conflicts, mut late) = (0, 0);
    for seed in 0..RUNS {
        let mut chance = Chance::seeded(seed);
        let (settings, guests) = (settings(&mut chance), guests(&mut chance));
        let reports = reports(&mut chance, &settings, &guests);
        let first = merged(&settings, &guests, &reports, &mut chance);
        let expected = truth(&first);
        check_admissions(seed, &reports, &first);
        check_counters(seed, &first);
        conflicts += first.state().ledger.conflicts();
        for _ in 0..ORDERS {
            let order = shuffled(&reports, &mut chance);
            let other = merged(&settings, &guests, &order, &mut chance);
            let reelected = other.journal.log().iter();
            late += reelected.map(|entry| entry.reelected.len()).sum::<usize>();
            let truth = truth(&other);
            assert_eq!(truth.stats, expected.stats, "seed {seed}");
            assert_eq!(truth.guests, expected.guests, "seed {seed}");
            assert!(truth.records == expected.records, "seed {seed}");
        }
    }
    assert!(conflicts > 1_000 && late > 1_000, "{conflicts} {late}");
}

/// Who went through stands in the state, with the device's time and as often as it happened.
fn check_admissions(seed: u64, reports: &[Report], door: &Door) {
    let admitted: BTreeSet<(u128, DateTime<Utc>, String)> = reports
        .iter()
        .filter(|report| report.body.offline.unwrap().admitted())
        .map(|report| {
            let body = &report.body;
            (report.device, body.scanned_at.unwrap(), body.nonce.clone())
        })
        .collect();
    let recorded: BTreeSet<(u128, DateTime<Utc>, String)> = door
        .journal
        .log()
        .iter()
        .filter(|entry| entry.is_admission())
        .filter(|entry| {
            let visits = door.state().ledger.guest(entry.row_id.unwrap()).unwrap();
            visits
                .get(entry.seq)
                .is_some_and(|visit| visit.at == entry.check_in_time)
        })
        .map(|entry| {
            let device = entry.session_id.unwrap().as_u128() - 0xD000;
            let nonce = entry.nonce_key.rsplit('|').next().unwrap().to_owned();
            (device, entry.check_in_time, nonce)
        })
        .collect();
    assert_eq!(admitted, recorded, "seed {seed}");
}

/// Counters equal a walk over the visits and a replay of the log.
fn check_counters(seed: u64, door: &Door) {
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

fn offline(code: &str, device: u128, clock: &str) -> Report {
    Report {
        device,
        body: ScanIn {
            scanned_at: Some(on_day(clock)),
            offline: Some(Offline {
                verdict: Verdict::Accepted,
                reason: None,
            }),
            ..scan_of(code, &format!("{device}{clock}"))
        },
    }
}

#[test]
fn a_late_earlier_scan_becomes_the_entry_and_the_other_names_both_devices_and_the_gap() {
    let mut door = Door::with(json!({}), &["A"]);
    let online = door
        .send(scan_of("A", "1"), &caller(1), on_day("18:05:00"))
        .unwrap()
        .entry
        .clone();
    let late = offline("A", 2, "18:00:30");
    let late = door
        .send(late.body, &caller(2), on_day("18:20:00"))
        .unwrap()
        .entry
        .clone();
    assert_eq!(
        (late.verdict, late.conflict.as_ref()),
        (Verdict::Accepted, None)
    );
    assert_eq!(late.first_entry.unwrap().at, on_day("18:00:30"));
    let [changed] = late.reelected.as_slice() else {
        panic!("one record changes");
    };
    assert_eq!(changed.check_in_id, online.check_in_id);
    let conflict = changed.conflict.as_ref().unwrap();
    assert_eq!(
        (
            conflict.session_id,
            conflict.device.as_deref(),
            conflict.gap_ms
        ),
        (Some(device(2)), Some("Device 2"), 270_000)
    );
    assert_eq!(conflict.check_in_id, late.check_in_id);
    let ledger = &door.state().ledger;
    assert_eq!(
        (ledger.checked_in(), ledger.inside(), ledger.conflicts()),
        (1, 1, 1)
    );
}

#[test]
fn an_earlier_entry_that_is_annulled_leaves_the_other_one_standing() {
    let mut door = Door::with(json!({}), &["A"]);
    let send = |door: &mut Door, report: Report| {
        let now = on_day("19:00:00");
        let outcome = door.send(report.body, &caller(report.device), now);
        outcome.unwrap().entry.clone()
    };
    let first = send(&mut door, offline("A", 1, "18:00:00"));
    let second = send(&mut door, offline("A", 2, "18:01:00"));
    assert_eq!(second.conflict.unwrap().check_in_id, first.check_in_id);
    assert_eq!(second.warnings, [Warning::DuplicateConflict]);
    let undone = door
        .undo(first.check_in_id, &caller(1), on_day("19:01:00"))
        .unwrap();
    assert_eq!(
        undone.reelected,
        [Reelected {
            check_in_id: second.check_in_id,
            conflict: None
        }]
    );
    let ledger = &door.state().ledger;
    assert_eq!((ledger.checked_in(), ledger.conflicts()), (1, 0));
}

#[test]
fn who_was_turned_away_without_a_connection_stays_turned_away() {
    let mut door = Door::with(json!({}), &["A"]);
    let mut report = offline("A", 1, "18:00:00").body;
    report.offline = Some(Offline {
        verdict: Verdict::Refused,
        reason: Some(Reason::EventNotOpen),
    });
    let entry = door.take(report, on_day("19:00:00"));
    assert_eq!(
        (entry.verdict, entry.reason, entry.effect),
        (Verdict::Refused, Some(Reason::EventNotOpen), Effect::Refuse)
    );
    assert_eq!(door.state().ledger.checked_in(), 0);
}

#[test]
fn who_went_through_against_the_rules_is_recorded_with_the_rule() {
    let mut door = Door::with(json!({}), &[]);
    door.put(Row {
        status: Status::Canceled,
        ..row(1, "A")
    });
    let entry = door.take(offline("A", 1, "18:00:00").body, on_day("19:00:00"));
    assert_eq!(entry.verdict, Verdict::Accepted);
    assert_eq!(
        (entry.forced, entry.overrode),
        (true, Some(Reason::Canceled))
    );
    assert_eq!(entry.warnings, [Warning::AdmittedOffline]);
    let unknown = door.take(offline("X", 1, "18:00:00").body, on_day("19:00:00"));
    assert_eq!(unknown.reason, Some(Reason::UnknownCode));
    assert_eq!(unknown.warnings, [Warning::AdmittedOffline]);
    assert_eq!(door.state().ledger.checked_in(), 1);
}

#[test]
fn the_record_of_an_offline_scan_has_the_same_id_on_the_device_and_on_the_server() {
    let report = offline("A", 7, "18:00:00").body;
    let (mut phone, mut server) = (Door::with(json!({}), &["A"]), Door::with(json!({}), &["A"]));
    let mut on_phone = report.clone();
    on_phone.sent_at = None;
    let there = phone
        .send(on_phone, &caller(7), on_day("18:00:00"))
        .unwrap();
    let there = there.entry.check_in_id;
    let mut later = report;
    later.sent_at = Some(on_day("18:30:00"));
    server.made = 40;
    let here = server.send(later, &caller(7), on_day("18:30:01")).unwrap();
    assert_eq!(here.entry.check_in_id, there);
}
