//! How well broken data is told from good days, on series that the detector was not tuned on.
//!
//! Tuned on seeds 1 to 8 of each class; judged here on seeds from 9001, which nothing was tuned on:
//! whoever changes the detector tunes on low seeds and leaves these. What counts as broken is written
//! in `detector_support`, before the first score was seen but for one thing: the bursts of good days
//! are never two in a row, because two would be what is called a flood there. The bounds by class are
//! below what was reached; the bounds over all were given.
//!
//! Invariant: over all classes precision is at least 0.97, recall at least 0.92, and at most 0.01
//! false episodes come in a week of a series; each class is bounded loosely, so that none is given up
//! for the others.
//! Failure: the table by class.

mod detector_support;

use detector_support::{classes, table};
use rules::detector::Sensitivity;
use rules::detector::score::Score;

const TUNED_ON: std::ops::RangeInclusive<u64> = 1..=8;
const JUDGED_ON: std::ops::RangeInclusive<u64> = 9_001..=9_005;

/// The scores of every class, on two threads.
fn scores(seeds: std::ops::RangeInclusive<u64>, sensitivity: Sensitivity) -> Vec<(String, Score)> {
    let class = |class: &str| {
        let mut total = Score::default();
        for seed in seeds.clone() {
            total.add(&classes::make(class, seed).score(sensitivity));
        }
        (class.to_owned(), total)
    };
    // The slowest class is the last one.
    let (even, odd): (Vec<_>, Vec<_>) = classes::CLASSES
        .iter()
        .rev()
        .enumerate()
        .partition(|(place, _)| place % 3 != 1);
    let (mut one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| odd.iter().map(|(_, name)| class(name)).collect::<Vec<_>>());
        let one: Vec<_> = even.iter().map(|(_, name)| class(name)).collect();
        (one, other.join().expect("scores"))
    });
    one.extend(other);
    let place = |name: &str| classes::CLASSES.iter().position(|class| *class == name);
    one.sort_by_key(|(name, _)| place(name));
    one
}

#[test]
fn broken_data_is_found_and_good_days_are_left_alone() {
    assert!(!JUDGED_ON.clone().any(|seed| TUNED_ON.contains(&seed)));
    let scores = scores(JUDGED_ON, Sensitivity::Medium);
    let total = table::print("medium sensitivity, seeds never tuned on", &scores);
    for (class, score) in &scores {
        assert!(score.events >= 8, "{class} has {} events", score.events);
        assert!(score.recall() >= 0.75, "{class}: {score:?}");
        assert!(score.precision() >= 0.75, "{class}: {score:?}");
    }
    assert!(total.events >= 400 && total.weeks >= 800.0, "{total:?}");
    assert!(total.precision() >= 0.97, "precision {}", total.precision());
    assert!(total.recall() >= 0.92, "recall {}", total.recall());
    assert!(
        total.false_a_week() <= 0.01,
        "{} a week",
        total.false_a_week()
    );
}

#[test]
fn a_series_is_the_same_each_time_and_another_with_another_seed() {
    for class in classes::CLASSES {
        let [one, same, other] = [1, 1, 2].map(|seed| classes::make(class, seed).points);
        assert_eq!(one, same, "{class}");
        assert_ne!(one, other, "{class}");
        let broken = one.iter().filter(|point| point.broken).count();
        assert!(
            broken > 0 && broken * 3 < one.len(),
            "{class}: {broken} of {}",
            one.len()
        );
    }
}
