//! A year of ticks for two hundred schedules in many zones, again and again: ticks that are skipped,
//! doubled, late, that die between reading and claiming, or that claim what they read long ago.
//!
//! Invariant: pure, on a clock of its own; a seed gives the same trace, byte for byte. Every
//! occurrence is run once, or left out and counted once; it is left out only when no tick got
//! through in time.
//! Failure: the seed, the schedule and the occurrence are printed.

mod judge;
mod pool;
mod weather;
mod world;

use pool::Pool;
use world::{Totals, Traced, World};

const SEEDS: u64 = 1_000;
const SCHEDULES: usize = 200;

#[test]
fn in_a_year_of_bad_ticks_no_run_is_lost_and_none_is_doubled() {
    let pool = Pool::new();
    let halves = std::thread::scope(|scope| {
        let half = |first: u64| {
            let pool = &pool;
            scope.spawn(move || years(pool, (first..SEEDS).step_by(2)))
        };
        [half(0), half(1)].map(|half| half.join().expect("no fault"))
    });
    let [mut totals, other] = halves;
    totals.add(&other);
    println!("{SEEDS} years of {SCHEDULES} schedules: {totals:?}");
    assert!(totals.runs > SEEDS * 5_000);
    assert!(totals.missed > SEEDS * 20 && totals.raced > SEEDS * 20);
    assert!(totals.left_out > SEEDS && totals.buffered > SEEDS);
}

/// The year of each seed, twice.
fn years(pool: &Pool, seeds: impl Iterator<Item = u64>) -> Totals {
    let mut totals = Totals::default();
    for seed in seeds {
        let mut world = World::new(seed, pool, SCHEDULES, true);
        world.run();
        judge::year(&world).unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
        let mut again = World::new(seed, pool, SCHEDULES, true);
        again.run();
        assert_eq!(world.trace.hash(), again.trace.hash(), "seed {seed}");
        totals.add(&world.totals);
    }
    totals
}

#[test]
fn traces_of_a_seed_are_the_same_bytes_and_those_of_others_are_not() {
    let pool = Pool::new();
    let traces: Vec<_> = (0..6)
        .map(|place| {
            let mut world = World::new(place / 2, &pool, SCHEDULES, true);
            world.trace = Traced::whole();
            world.run();
            world.trace.bytes()
        })
        .collect();
    assert!(traces[0].len() > 100_000, "{}", traces[0].len());
    assert!(traces.chunks(2).all(|pair| pair[0] == pair[1]));
    assert!(traces[0] != traces[2] && traces[2] != traces[4]);
}

#[test]
fn without_compare_and_set_the_judge_finds_fault() {
    let pool = Pool::new();
    let faults = (0..20).filter(|seed| {
        let mut world = World::new(*seed, &pool, SCHEDULES, false);
        world.run();
        judge::year(&world).is_err()
    });
    assert_eq!(faults.count(), 20);
}

#[test]
fn lists_of_occurrences_claim_as_their_schedules_do() {
    pool::lists_are_their_schedules();
}
