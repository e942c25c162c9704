//! What devices decided without a connection, merged in any order of arrival.
//!
//! Invariant: the same physical scans give the same final state however their reports are ordered,
//! split and repeated; nobody who went through is erased; counters equal a recount.
//! Failure: the first difference stops the test and names its seed, which repeats it.

#[path = "../checkin_support/mod.rs"]
mod checkin_support;
mod truth;
mod world;

use checkin_support::*;
use rules::checkin::*;

use truth::{check_admissions, check_counters, truth};
use world::{Arrival, Part, Report, What, World, record_of};

const RUNS: u64 = 10_000;
const ORDERS: u64 = 2;
/// Seeds are spread over so many threads.
const THREADS: u64 = 4;

/// What a run must have seen to have tested anything.
#[derive(Default)]
struct Seen {
    conflicts: u32,
    late: usize,
    undone: usize,
    removed: usize,
    shared: usize,
    early: usize,
    back: usize,
    in_spite: usize,
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.conflicts += other.conflicts;
        self.late += other.late;
        self.undone += other.undone;
        self.removed += other.removed;
        self.shared += other.shared;
        self.early += other.early;
        self.back += other.back;
        self.in_spite += other.in_spite;
    }

    fn note(&mut self, door: &Door) {
        self.conflicts += door.state().ledger.conflicts();
        for entry in door.journal.log() {
            let admitted = entry.is_admission();
            self.late += entry.reelected.len();
            self.undone += usize::from(entry.effect == Effect::Annul && entry.sent_at.is_none());
            self.removed += usize::from(
                admitted && entry.offline.is_some() && entry.overrode == Some(Reason::Canceled),
            );
            self.shared += usize::from(entry.warnings.contains(&Warning::CodeShared));
            // A walk-in who was met before their own report came.
            self.early += usize::from(entry.walk_in && !entry.first_of_guest && admitted);
        }
    }
}

fn shuffled(items: &[Report], chance: &mut Chance) -> Vec<Report> {
    let mut items = items.to_vec();
    for place in (1..items.len()).rev() {
        items.swap(place, chance.below(place as u64 + 1) as usize);
    }
    after_their_scans(items)
}

/// What undoes a scan is taken after the scan, as a device sends it; anything may lie between.
fn after_their_scans(mut items: Vec<Report>) -> Vec<Report> {
    let mut place = 0;
    while place < items.len() {
        let waits_for = match &items[place].what {
            What::Undo(undo) => items[place..].iter().rposition(
                |other| matches!(&other.what, What::Scan(scan) if record_of(other, scan) == undo.annul),
            ),
            What::Scan(_) => None,
        };
        match waits_for {
            Some(behind) => {
                let undo = items.remove(place);
                items.insert(place + behind, undo);
            }
            None => place += 1,
        }
    }
    items
}

/// The table after all of a world arrived, in this order within each part.
fn arrived(
    world: &World,
    chance: &mut Chance,
    order: impl Fn(&Part, &mut Chance) -> Vec<Report>,
) -> Door {
    let mut arrival = Arrival::at(world);
    for part in &world.parts {
        for report in order(part, chance) {
            arrival.report(&report, true, chance);
        }
        if let Some(happening) = &part.then {
            arrival.happens(happening);
        }
    }
    arrival.door
}

/// The table after reports of which a device had asked some with a connection, at any earlier place,
/// and not heard the answers.
fn asked_before(world: &World, chance: &mut Chance) -> Door {
    let mut arrival = Arrival::at(world);
    let mut left: Vec<&Report> = world.reports().collect();
    left.reverse();
    for part in &world.parts {
        for report in &part.reports {
            for _ in 0..chance.below(2) {
                arrival.ask(chance.of(&left));
            }
            arrival.report(report, false, chance);
            left.pop();
        }
        if let Some(happening) = &part.then {
            arrival.happens(happening);
        }
    }
    arrival.door
}

/// The same reports in an order that has nothing to do with what happens at the table.
fn mixed(world: &World, chance: &mut Chance) -> World {
    let reports: Vec<Report> = world.reports().cloned().collect();
    let mut parts: Vec<Part> = world
        .parts
        .iter()
        .map(|part| Part {
            reports: Vec::new(),
            then: part.then.clone(),
        })
        .collect();
    let count = parts.len() as u64;
    let mut cuts: Vec<usize> = (1..count)
        .map(|_| chance.below(reports.len() as u64 + 1) as usize)
        .collect();
    cuts.sort_unstable();
    let mut part = 0;
    for (place, report) in shuffled(&reports, chance).into_iter().enumerate() {
        while cuts.get(part).is_some_and(|cut| *cut <= place) {
            part += 1;
        }
        parts[part].reports.push(report);
    }
    World {
        settings: world.settings.clone(),
        guests: world.guests.clone(),
        parts,
    }
}

/// Reports that said something else than had been answered.
fn told_otherwise(door: &Door) -> [usize; 2] {
    let log = door.journal.log().iter();
    let told = log.filter(|entry| entry.nonce_key.starts_with("told|"));
    let (back, in_spite): (Vec<_>, Vec<_>) = told.partition(|entry| !entry.is_admission());
    [back.len(), in_spite.len()]
}

fn run(seed: u64, seen: &mut Seen) {
    let mut chance = Chance::seeded(seed);
    let world = World::of(&mut chance);
    let as_made = |part: &Part, _: &mut Chance| part.reports.clone();
    let any = |part: &Part, chance: &mut Chance| shuffled(&part.reports, chance);
    let first = arrived(&world, &mut chance, as_made);
    check_admissions(seed, &world, &first);
    check_counters(seed, &first);
    seen.note(&first);
    let expected = truth(&first);
    for _ in 0..ORDERS {
        let other = arrived(&world, &mut chance, any);
        seen.note(&other);
        let truth = truth(&other);
        assert_eq!(truth.stats, expected.stats, "seed {seed}");
        assert_eq!(truth.guests, expected.guests, "seed {seed}");
        assert_eq!(truth.scans, expected.scans, "seed {seed}");
        for (id, record) in &expected.records {
            assert_eq!(truth.records.get(id), Some(record), "seed {seed}");
        }
        assert_eq!(truth.records.len(), expected.records.len(), "seed {seed}");
    }
    let other = asked_before(&world, &mut chance);
    check_admissions(seed, &world, &other);
    check_counters(seed, &other);
    let [back, in_spite] = told_otherwise(&other);
    seen.back += back;
    seen.in_spite += in_spite;
    if world.parts.len() == 1 {
        return;
    }
    let mixed = mixed(&world, &mut chance);
    let other = arrived(&mixed, &mut chance, as_made);
    check_admissions(seed, &mixed, &other);
    check_counters(seed, &other);
    if world.without_connection() {
        let truth = truth(&other);
        assert_eq!(truth.guests, expected.guests, "seed {seed}, mixed");
        assert_eq!(truth.stats, expected.stats, "seed {seed}, mixed");
    }
}

#[test]
fn the_same_scans_give_the_same_state_in_any_order_of_arrival() {
    let seen = std::thread::scope(|scope| {
        let part = |thread: u64| {
            move || {
                let mut seen = Seen::default();
                for seed in (thread..RUNS).step_by(THREADS as usize) {
                    run(seed, &mut seen);
                }
                seen
            }
        };
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(part(thread)))
            .collect();
        let mut all = Seen::default();
        for thread in threads {
            match thread.join() {
                Ok(seen) => all.add(&seen),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    let counts = [
        seen.conflicts as usize,
        seen.late,
        seen.undone,
        seen.removed,
        seen.shared,
        seen.early,
        seen.back,
        seen.in_spite,
    ];
    assert!(counts.iter().all(|count| *count > 500), "{counts:?}");
}
