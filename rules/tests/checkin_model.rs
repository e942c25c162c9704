//! Random tables against a naive recount: whatever happens at the door, the counters, each guest's
//! truth and every decision are what a walk over the whole log gives.
//!
//! Invariant: thousands of seeds; a failure names its seed, which repeats it.
//! Failure: the first difference stops the test.

mod checkin_support;

use std::collections::{BTreeMap, BTreeSet};

use checkin_support::*;
use chrono::{DateTime, TimeDelta, Utc};
use rules::checkin::journal::NotAnnulled;
use rules::checkin::*;
use rules::civil::Zone;
use serde_json::{Value, json};
use uuid::Uuid;

const SEEDS: u64 = 2_500;
const STEPS: u64 = 45;
const GATES: [&str; 3] = ["North", "South", "East"];

/// What a walk over the log finds.
#[derive(Debug, Default, PartialEq)]
struct Recount {
    checked_in: u32,
    inside: u32,
    walk_ins: u32,
    duplicates: u32,
    refused: BTreeMap<String, u32>,
    by_gate: BTreeMap<Option<String>, (u32, u32)>,
    by_category: BTreeMap<Option<String>, u32>,
    arrivals: BTreeMap<i64, u32>,
    sessions: BTreeMap<Uuid, u32>,
    guests: BTreeMap<Uuid, Naive>,
}

/// What one guest did, as records that stand: (time, seq, is entry, scans, latest scan).
type Naive = Vec<(DateTime<Utc>, u64, bool, u32, DateTime<Utc>)>;

fn standing(log: &[Entry]) -> impl Iterator<Item = &Entry> {
    let annulled: BTreeSet<u64> = log
        .iter()
        .filter_map(|entry| entry.annuls)
        .map(|annuls| annuls.seq)
        .collect();
    log.iter()
        .filter(move |entry| entry.is_admission() && !annulled.contains(&entry.seq))
}

fn guest_of(log: &[Entry], row: Uuid) -> Naive {
    let mut visits: Naive = standing(log)
        .filter(|entry| entry.row_id == Some(row))
        .map(|entry| {
            let mut scans = vec![entry.check_in_time];
            scans.extend(log.iter().filter_map(|other| {
                let repeats = other.effect == Effect::Repeat;
                let this = repeats && other.check_in_id == entry.check_in_id;
                this.then_some(other.check_in_time)
            }));
            let entered = entry.direction == Direction::Entry;
            let latest = scans.iter().max().copied().unwrap();
            (
                entry.check_in_time,
                entry.seq,
                entered,
                scans.len() as u32,
                latest,
            )
        })
        .collect();
    visits.sort();
    visits
}

fn recount(log: &[Entry]) -> Recount {
    let mut count = Recount::default();
    let rows: BTreeSet<Uuid> = log.iter().filter_map(|entry| entry.row_id).collect();
    for row in rows {
        let visits = guest_of(log, row);
        if visits.is_empty() {
            continue;
        }
        count.inside += u32::from(visits.last().is_some_and(|visit| visit.2));
        if visits.iter().any(|visit| visit.2) {
            count.checked_in += 1;
            *count.by_category.entry(category_of(log, row)).or_default() += 1;
        }
        count.guests.insert(row, visits);
    }
    for entry in standing(log).filter(|entry| entry.effect == Effect::Admit) {
        count.walk_ins += u32::from(entry.walk_in);
        count.by_gate.entry(entry.gate.clone()).or_default().0 += 1;
        *count
            .arrivals
            .entry(entry.check_in_time.timestamp().div_euclid(60))
            .or_default() += 1;
    }
    // Every admission that ever was moves the span that is kept.
    let admits = log.iter().filter(|entry| entry.effect == Effect::Admit);
    let minutes = admits.map(|entry| entry.check_in_time.timestamp().div_euclid(60));
    if let Some(latest) = minutes.max() {
        count
            .arrivals
            .retain(|minute, _| *minute > latest - 24 * 60);
    }
    for entry in log {
        match entry.verdict {
            Verdict::Duplicate => count.duplicates += 1,
            Verdict::Refused => {
                let reason = serde_json::to_value(entry.reason).unwrap();
                *count
                    .refused
                    .entry(reason.as_str().unwrap().to_owned())
                    .or_default() += 1;
                count.by_gate.entry(entry.gate.clone()).or_default().1 += 1;
            }
            Verdict::Accepted => {}
        }
        if let (Kind::Scan, Some(session)) = (entry.kind, entry.session_id) {
            *count.sessions.entry(session).or_default() += 1;
        }
    }
    count
}

/// The category of the scan that last brought the guest from "not checked in" to "checked in".
fn category_of(log: &[Entry], row: Uuid) -> Option<String> {
    let mut entered = BTreeSet::new();
    let mut category = None;
    for entry in log.iter().filter(|entry| entry.row_id == Some(row)) {
        match entry.effect {
            Effect::Admit => {
                if entered.is_empty() {
                    category = entry.guest.clone().unwrap().category;
                }
                entered.insert(entry.seq);
            }
            Effect::Annul => drop(entered.remove(&entry.annuls.unwrap().seq)),
            _ => {}
        }
    }
    category
}

fn counted(state: &State) -> Recount {
    let (ledger, stats) = (&state.ledger, state.stats());
    let name = |name: Option<&str>| name.map(str::to_owned);
    let refused = serde_json::to_value(&stats.refused).unwrap();
    let sessions: BTreeSet<Uuid> = (0..4).map(device).collect();
    Recount {
        checked_in: stats.checked_in,
        inside: stats.inside,
        walk_ins: stats.walk_ins,
        duplicates: stats.duplicates,
        refused: serde_json::from_value(refused).unwrap(),
        by_gate: ledger
            .by_gate()
            .map(|(gate, count)| (name(gate), (count.accepted, count.refused)))
            .filter(|(_, count)| *count != (0, 0))
            .collect(),
        by_category: ledger
            .by_category()
            .map(|(category, count)| (name(category), count))
            .filter(|(_, count)| *count > 0)
            .collect(),
        arrivals: ledger
            .arrivals()
            .iter()
            .map(|(minute, count)| (*minute, *count))
            .filter(|(_, count)| *count > 0)
            .collect(),
        sessions: sessions
            .into_iter()
            .filter_map(|session| Some((session, ledger.session(session)?.scans)))
            .collect(),
        guests: ledger
            .guests()
            .map(|(row, visits)| {
                let naive = visits.iter().map(|visit| {
                    let entered = visit.direction == Direction::Entry;
                    (
                        visit.at,
                        visit.seq,
                        entered,
                        visit.scans,
                        visit.last_scanned_at,
                    )
                });
                (*row, naive.collect())
            })
            .collect(),
    }
}

/// May this guest enter, judged by the log alone? The reason when not.
fn naive_again(
    log: &[Entry],
    row: Uuid,
    settings: &Settings,
    zone: &Zone,
    now: DateTime<Utc>,
) -> Option<Reason> {
    let visits = guest_of(log, row);
    let entries: Vec<_> = visits.iter().filter(|visit| visit.2).collect();
    let left = visits.last().is_some_and(|visit| !visit.2);
    let may_repeat = settings.allow_duplicate_scans || (settings.allow_reentry && left);
    if !entries.is_empty() && !may_repeat {
        return Some(Reason::AlreadyCheckedIn);
    }
    let day = zone.local_day(now);
    let today = entries
        .iter()
        .filter(|entry| zone.local_day(entry.0) == day)
        .count() as u32;
    let over = |limit: Option<u32>, used: u32| limit.is_some_and(|limit| used >= limit);
    if over(settings.entries_per_day, today) || over(settings.max_entries, entries.len() as u32) {
        return Some(Reason::LimitReached);
    }
    let latest = visits.last().is_none_or(|visit| visit.0 <= now);
    let one_more = latest && !visits.last().is_some_and(|visit| visit.2);
    let full = over(settings.capacity, recount(log).inside)
        && settings.capacity_mode == CapacityMode::Hard;
    (full && one_more).then_some(Reason::CapacityReached)
}

fn random_settings(chance: &mut Chance) -> Value {
    let count = |chance: &mut Chance, most| match chance.below(3) {
        0 => json!(chance.below(most) + 1),
        _ => Value::Null,
    };
    json!({
        "allow_duplicate_scans": chance.one_in(3),
        "allow_reentry": chance.one_in(2),
        "entries_per_day": count(chance, 2),
        "max_entries": count(chance, 4),
        "capacity": count(chance, 5),
        "capacity_mode": chance.of(&["hard", "warn"]),
        "categories": chance.of(&["", "", "standard"]).split_terminator(' ').collect::<Vec<_>>(),
        "walk_ins": !chance.one_in(4),
    })
}

fn random_door(chance: &mut Chance) -> Door {
    let gates = match chance.below(3) {
        0 => json!([]),
        1 => json!([{"name": "North"}, {"name": "South"}, {"name": "East"}]),
        _ => json!([{"name": "North", "categories": ["vip"]}, {"name": "South"}]),
    };
    let zone = chance.of(&["UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia"]);
    let settings = random_settings(chance);
    let mut door = Door::new(settings, gates, zone);
    for number in 1..=6 {
        let mut row = row(number, &format!("C{}", number.min(5)));
        row.category = chance
            .of(&[None, Some("vip"), Some("standard")])
            .map(str::to_owned);
        row.status = match chance.below(8) {
            0 => Status::Blocked,
            1 => Status::Canceled,
            _ => Status::Confirmed,
        };
        door.put(row);
    }
    door
}

fn random_scan(chance: &mut Chance, now: DateTime<Utc>) -> ScanIn {
    let code = chance.of(&["C1", "C2", "C3", "C4", "C5", "W1", "nobody"]);
    let mut scan = scan_of(code, &format!("n{}", chance.below(40)));
    if chance.one_in(6) {
        scan.barcode = None;
        scan.row_id = Some(guest(chance.below(7).into()));
    } else if chance.one_in(8) {
        let barcode = chance
            .one_in(2)
            .then(|| chance.of(&["W1", "W2", "C1"]).to_owned());
        scan.barcode = None;
        scan.walk_in = Some(WalkIn {
            name: "Walker".to_owned(),
            barcode,
            ..WalkIn::default()
        });
    }
    if chance.one_in(3) && scan.walk_in.is_none() {
        scan.direction = Direction::Exit;
    }
    if chance.one_in(2) {
        scan.scanned_at = Some(now - chance.seconds(40_000) + chance.seconds(100));
        scan.sent_at = chance
            .one_in(2)
            .then(|| now - chance.seconds(200) + chance.seconds(200));
    }
    scan.gate = chance.one_in(2).then(|| chance.of(&GATES).to_owned());
    scan.force = chance.one_in(5);
    scan
}

/// One step: a scan, an annulment, or a change of the list or the settings.
fn step(door: &mut Door, chance: &mut Chance, now: DateTime<Utc>) {
    let device = chance.below(4).into();
    if chance.one_in(8) && !door.journal.log().is_empty() {
        let place = chance.below(door.journal.log().len() as u64) as usize;
        let record = door.journal.log()[place].check_in_id;
        let caller = Caller {
            manager: chance.one_in(2),
            ..caller(device)
        };
        match door.undo(record, &caller, now) {
            Ok(_) | Err(NotAnnulled::Refused(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
        return;
    }
    let before = door.journal.log().len();
    let body = random_scan(chance, now);
    let (config, force, exit) = (
        door.state().config.clone(),
        body.force,
        body.direction == Direction::Exit,
    );
    let Ok(outcome) = door.send(body, &caller(device), now) else {
        return;
    };
    let entry = outcome.entry.clone();
    if outcome.replayed {
        assert!(entry.seq <= before as u64);
        return;
    }
    let (before, log) = (&door.journal.log()[..before], door.journal.log());
    let Some(row) = entry.row_id.filter(|_| !exit) else {
        return;
    };
    let (settings, zone) = (&config.settings, &config.timezone);
    let expected = naive_again(before, row, settings, zone, entry.check_in_time);
    match (entry.verdict, entry.forced) {
        (Verdict::Accepted, false) => assert_eq!(expected, None, "{entry:?}"),
        (Verdict::Accepted, true) => assert!(force && entry.overrode.is_some()),
        (Verdict::Duplicate, _) => {
            assert_eq!(expected, Some(Reason::AlreadyCheckedIn));
            let (was, is) = (guest_of(before, row), guest_of(log, row));
            let first = |visits: &Naive| *visits.iter().find(|visit| visit.2).unwrap();
            assert_eq!((first(&was).0, first(&was).1), (first(&is).0, first(&is).1));
            assert_eq!(entry.first_entry.as_ref().unwrap().at, first(&is).0);
            let record = entry.check_in(TABLE).unwrap();
            let entries = is.iter().filter(|visit| visit.2);
            let recorded = entries.min_by_key(|visit| visit.1).unwrap();
            assert_eq!(
                (record.scan_count, record.last_scanned_at),
                (recorded.3, recorded.4)
            );
        }
        (Verdict::Refused, _) => {
            if matches!(
                entry.reason,
                Some(Reason::LimitReached | Reason::CapacityReached)
            ) {
                assert_eq!(expected, entry.reason, "{entry:?}");
            }
        }
    }
}

fn play(seed: u64, changes: bool) -> (State, Door) {
    let mut chance = Chance::seeded(seed);
    let mut door = random_door(&mut chance);
    let start = door.state().clone();
    let mut now = at("2024-03-30T12:00:00Z");
    for _ in 0..STEPS {
        let longest = chance.of(&[1, 1, 600, 600, 600, 600, 600, 600, 30_000]);
        now += chance.seconds(longest);
        if changes && chance.one_in(12) {
            let settings = random_settings(&mut chance);
            let state = door.journal.state_mut();
            state.config.settings = state.config.settings.patch(&settings, "").unwrap();
            let mut row = row(chance.below(7).into(), "C1");
            row.category = Some(chance.of(&["vip", "press"]).to_owned());
            match chance.one_in(3) {
                true => drop(state.roster.remove(row.id)),
                false => state.roster.upsert(row),
            }
        }
        step(&mut door, &mut chance, now);
    }
    (start, door)
}

#[test]
fn the_counters_are_what_a_recount_of_the_log_gives() {
    for seed in 0..SEEDS {
        let (_, door) = play(seed, true);
        let log = door.journal.log();
        assert_eq!(counted(door.state()), recount(log), "seed {seed}");
        let sum = |of: fn(&Entry) -> i64| log.iter().map(of).sum::<i64>();
        let inside = sum(|entry| entry.inside_delta.into());
        let checked_in = sum(|entry| match (entry.first_of_guest, entry.effect) {
            (false, _) => 0,
            (true, Effect::Annul) => -1,
            (true, _) => 1,
        });
        let ledger = &door.state().ledger;
        assert_eq!(
            inside,
            i64::from(ledger.inside()),
            "seed {seed}: deltas of inside"
        );
        assert_eq!(
            checked_in,
            i64::from(ledger.checked_in()),
            "seed {seed}: deltas of checked in"
        );
        for (place, entry) in log.iter().enumerate() {
            assert_eq!(entry.seq, place as u64 + 1, "seed {seed}: the log is dense");
            assert!(
                entry.check_in_time <= entry.received_at,
                "seed {seed}: in the future"
            );
        }
    }
}

#[test]
fn a_replay_of_the_written_log_gives_the_same_state_and_the_same_answers() {
    for seed in 0..SEEDS / 5 {
        let (mut state, door) = play(seed, false);
        let half = door.journal.log().len() / 2;
        for (place, entry) in door.journal.log().iter().enumerate() {
            let read: Entry = serde_json::from_str(&serde_json::to_string(entry).unwrap()).unwrap();
            assert_eq!(&read, entry, "seed {seed}");
            let bytes = |entry: &Entry| serde_json::to_vec(&answer(entry, TABLE)).unwrap();
            assert_eq!(bytes(&read), bytes(entry), "seed {seed}");
            assert!(state.apply(&read));
            assert!(!state.apply(&read), "folding twice changes nothing");
            if place == half {
                let snapshot = serde_json::to_string(&state).unwrap();
                let read: State = serde_json::from_str(&snapshot).unwrap();
                assert_eq!(read, state, "seed {seed}: snapshot");
                state = read;
            }
        }
        assert_eq!(&state, door.state(), "seed {seed}");
    }
}

#[test]
fn the_random_tables_reach_every_verdict_and_reason() {
    let mut seen = BTreeSet::new();
    let mut forced = 0;
    let mut late = TimeDelta::zero();
    for seed in 0..300 {
        let (_, door) = play(seed, true);
        for entry in door.journal.log() {
            seen.insert(format!("{:?} {:?}", entry.effect, entry.reason));
            forced += u32::from(entry.forced);
            late = late.max(entry.received_at - entry.check_in_time);
        }
    }
    for effect in [
        "Admit None",
        "Exit None",
        "Annul None",
        "Repeat Some(AlreadyCheckedIn)",
        "Refuse Some(LimitReached)",
        "Refuse Some(CapacityReached)",
        "Refuse Some(Ambiguous)",
        "Refuse Some(UnknownCode)",
        "Refuse Some(WrongGate)",
        "Refuse Some(WrongCategory)",
        "Refuse Some(Blocked)",
        "Refuse Some(Canceled)",
    ] {
        assert!(seen.contains(effect), "{effect} was never seen");
    }
    assert!(forced > 100 && late > TimeDelta::hours(9));
}
