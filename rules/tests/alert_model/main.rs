//! Thousands of random histories against a naive model: each change is told once to each receiver,
//! never doubled, never lost, whatever is repeated, late, or done twice; and the judge finds faults.
//!
//! Invariant: every standing is written to JSON and read back; a failure names its seed.
//! Failure: the first story that is wrong stops the test.

#[path = "../alert_support/mod.rs"]
mod alert_support;
mod judge;
mod model;
mod story;

use std::ops::Range;
use std::thread;

use alert_support::*;
use chrono::{DateTime, Utc};
use judge::judge;
use rules::alert::*;
use story::tell;

const SEEDS: u64 = 2_500;
/// How many stories a fault may hide in.
const FAULTY: u64 = 60;

#[test]
fn every_change_is_told_once_to_every_receiver_whatever_goes_wrong() {
    let read = |seeds: Range<u64>| {
        let judged = |seed| match judge(&tell(seed, evaluate)) {
            Ok(count) => count,
            Err(wrong) => panic!("seed {seed}: {wrong}"),
        };
        seeds.map(judged).sum::<usize>()
    };
    // Halves side by side.
    let messages = thread::scope(|scope| {
        let other = scope.spawn(|| read(SEEDS / 2..SEEDS));
        read(0..SEEDS / 2) + other.join().expect("a judgement")
    });
    // Stories in which nothing is told would prove nothing.
    assert!(messages > 20 * SEEDS as usize, "{messages}");
}

/// In how many stories the judge finds something wrong.
fn found(evaluate: Evaluate) -> usize {
    (0..FAULTY)
        .filter(|seed| judge(&tell(*seed, evaluate)).is_err())
        .count()
}

fn told_is_forgotten(
    mut before: Standing,
    seen: &[Sighting],
    setup: &Setup<'_>,
    now: DateTime<Utc>,
) -> Evaluation {
    if now.timestamp() % 7 == 0 {
        before.incidents.iter_mut().for_each(|incident| {
            incident
                .threads
                .iter_mut()
                .for_each(|thread| thread.told.clear());
        });
    }
    evaluate(before, seen, setup, now)
}

fn numbers_begin_again(
    mut before: Standing,
    seen: &[Sighting],
    setup: &Setup<'_>,
    now: DateTime<Utc>,
) -> Evaluation {
    let threads = before
        .incidents
        .iter_mut()
        .flat_map(|incident| &mut incident.threads);
    threads.for_each(|thread| thread.sent = thread.sent.min(1));
    evaluate(before, seen, setup, now)
}

fn a_message_is_lost(
    before: Standing,
    seen: &[Sighting],
    setup: &Setup<'_>,
    now: DateTime<Utc>,
) -> Evaluation {
    let mut done = evaluate(before, seen, setup, now);
    if now.timestamp() % 5 == 0 {
        done.notifications.pop();
    }
    done
}

fn silences_are_not_heard(
    before: Standing,
    seen: &[Sighting],
    setup: &Setup<'_>,
    now: DateTime<Utc>,
) -> Evaluation {
    let silences = &[];
    evaluate(before, seen, &Setup { silences, ..*setup }, now)
}

fn nothing_keeps_firing(
    before: Standing,
    seen: &[Sighting],
    setup: &Setup<'_>,
    now: DateTime<Utc>,
) -> Evaluation {
    let mut watched = setup.watched.to_vec();
    watched
        .iter_mut()
        .for_each(|one| one.policy.keep_firing_for = secs(0));
    evaluate(
        before,
        seen,
        &Setup {
            watched: &watched,
            ..*setup
        },
        now,
    )
}

fn nobody_waits_for_the_others(
    before: Standing,
    seen: &[Sighting],
    setup: &Setup<'_>,
    now: DateTime<Utc>,
) -> Evaluation {
    let mut routes = setup.routes.clone();
    routes
        .routes
        .iter_mut()
        .for_each(|route| route.settings.group_wait_seconds = 0);
    evaluate(
        before,
        seen,
        &Setup {
            routes: &routes,
            ..*setup
        },
        now,
    )
}

fn nobody_acknowledges(
    mut before: Standing,
    seen: &[Sighting],
    setup: &Setup<'_>,
    now: DateTime<Utc>,
) -> Evaluation {
    before.alerts.iter_mut().for_each(|alert| alert.ack = None);
    evaluate(before, seen, setup, now)
}

fn late_runs_count(
    mut before: Standing,
    seen: &[Sighting],
    setup: &Setup<'_>,
    now: DateTime<Utc>,
) -> Evaluation {
    before
        .alerts
        .iter_mut()
        .for_each(|alert| alert.seen_at = DateTime::UNIX_EPOCH);
    let mut seen = seen.to_vec();
    seen.iter_mut().for_each(|sighting| sighting.last = None);
    evaluate(before, &seen, setup, now)
}

fn a_skipped_run_is_a_good_one(
    before: Standing,
    seen: &[Sighting],
    setup: &Setup<'_>,
    now: DateTime<Utc>,
) -> Evaluation {
    let mut seen = seen.to_vec();
    for sighting in seen
        .iter_mut()
        .filter(|sighting| sighting.seen == Seen::Unknown)
    {
        sighting.seen = well();
    }
    evaluate(before, &seen, setup, now)
}

/// An alert is held by inhibitors of its own connection: elsewhere it is not.
fn inhibitors_are_somewhere_else(
    before: Standing,
    seen: &[Sighting],
    setup: &Setup<'_>,
    now: DateTime<Utc>,
) -> Evaluation {
    let mut done = evaluate(before.clone(), seen, setup, now);
    if done
        .muted
        .values()
        .any(|mute| matches!(mute, Mute::Alert(_)))
    {
        let whole = |target: &Target| target.table.is_none();
        let rest: Vec<_> = seen
            .iter()
            .filter(|one| !whole(&one.target))
            .cloned()
            .collect();
        let (held, kept): (Vec<_>, Vec<_>) = before
            .alerts
            .into_iter()
            .partition(|alert| whole(&alert.target));
        let without = Standing {
            alerts: kept,
            ..before
        };
        let free = evaluate(without, &rest, setup, now);
        // What would have been told without them is told.
        if held.iter().any(Alert::is_firing) {
            done.notifications = free.notifications;
        }
    }
    done
}

fn the_end_is_not_told(
    before: Standing,
    seen: &[Sighting],
    setup: &Setup<'_>,
    now: DateTime<Utc>,
) -> Evaluation {
    let mut done = evaluate(before, seen, setup, now);
    done.notifications.retain(|one| !one.over);
    done
}

#[test]
fn the_judge_finds_every_planted_fault() {
    let faults: [(&str, Evaluate); 11] = [
        ("what was told is forgotten", told_is_forgotten),
        ("numbers begin again", numbers_begin_again),
        ("a message is lost", a_message_is_lost),
        ("silences are not heard", silences_are_not_heard),
        ("nothing keeps firing", nothing_keeps_firing),
        ("nobody waits for the others", nobody_waits_for_the_others),
        ("nobody acknowledges", nobody_acknowledges),
        ("late runs count", late_runs_count),
        ("a skipped run is a good one", a_skipped_run_is_a_good_one),
        (
            "inhibitors are somewhere else",
            inhibitors_are_somewhere_else,
        ),
        ("the end is not told", the_end_is_not_told),
    ];
    assert_eq!(found(evaluate), 0);
    for (fault, evaluate) in faults {
        let found = found(evaluate);
        println!("{fault}: found in {found} of {FAULTY} stories");
        assert!(found > 0, "{fault}");
    }
}
