//! What is kept between runs says what the whole history would.
//!
//! Invariant: byte for byte, over every class of series, with marks, gaps and points that come late.
//! Failure: the class, the seed and the two verdicts.

mod detector_support;

use chrono::TimeDelta;
use detector_support::Made;
use detector_support::classes::{CLASSES, make};
use detector_support::random::Random;
use rules::detector::{Kept, Mark, Point, Sensitivity, Streak, judge};

/// A history as it is stored, judged as it came.
fn judged(made: &Made, random: &mut Random) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::with_capacity(made.points.len());
    for labelled in &made.points {
        points.push(Point {
            at: labelled.at,
            value: labelled.value,
            alerted: labelled.broken,
            mark: match (labelled.broken, random.chance(0.1)) {
                (true, true) => Some(Mark::FalseAlarm),
                (false, true) if random.chance(0.02) => Some(Mark::TrueAlarm),
                _ => None,
            },
        });
    }
    points
}

#[test]
fn what_is_kept_judges_as_the_whole_history_does() {
    let (mut compared, mut renewed) = (0, 0);
    for class in CLASSES {
        // What is measured by the minute is learned in twenty times the time.
        let seeds = if class == "minutes" { 1 } else { 2 };
        for seed in 0..seeds {
            let made = make(class, 7_000 + seed);
            let mut random = Random::new(99 + seed);
            let points = judged(&made, &mut random);
            let mut kept: Option<Kept> = None;
            let mut streak = Streak::default();
            let last = points.len();
            let runs = if class == "minutes" { 20 } else { 80 };
            for place in last.saturating_sub(runs)..last {
                let (history, next) = (&points[..place], &points[place]);
                let series = made.series(history, Sensitivity::Medium);
                let known = kept.take().filter(|known| known.current(next.at));
                let known = known.and_then(|mut known| {
                    let since = known.since();
                    let first = history.partition_point(|point| point.at < since);
                    renewed += 1;
                    known.renew(&history[first..]).then_some(known)
                });
                let known = known.unwrap_or_else(|| Kept::learn(&series, next.at));
                let value = if random.chance(0.1) {
                    next.value * 3.0
                } else {
                    next.value
                };
                let whole = judge(&series, next.at, value, &streak);
                let said = known.judge(next.at, value, &streak);
                assert_eq!(
                    serde_json::to_string(&said).unwrap(),
                    serde_json::to_string(&whole).unwrap(),
                    "{class} {seed} {place}"
                );
                streak = said.streak;
                compared += 1;
                // Now and then the object forgets everything.
                kept = (!random.chance(0.05)).then_some(known);
            }
        }
    }
    assert!(compared > 2_000 && renewed > 1_200, "{compared} {renewed}");
}

#[test]
fn a_point_of_the_day_before_that_comes_late_or_is_changed_is_learned_from_anew() {
    let made = make("counts", 3);
    let points = judged(&made, &mut Random::new(1));
    let place = points.len() - 2;
    let at = points[place].at;
    let midnight = at.date_naive().and_hms_opt(0, 0, 0).unwrap().and_utc();
    let at = midnight + TimeDelta::hours(5);
    let place = points.partition_point(|point| point.at < at);
    let history = &points[..place];
    let mut kept = Kept::learn(&made.series(history, Sensitivity::Medium), at);
    let since = kept.since();
    let first = history.partition_point(|point| point.at < since);
    assert!(kept.renew(&history[first..]), "nothing changed");
    let mut changed = history[first..].to_vec();
    let before = changed
        .iter_mut()
        .find(|point| point.at < midnight)
        .unwrap();
    before.mark = Some(Mark::TrueAlarm);
    assert!(!kept.renew(&changed));
    let mut late = history[first..].to_vec();
    late.remove(0);
    assert!(!kept.renew(&late));
}
