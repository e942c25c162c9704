//! Claims with catch-up, runs to come, and what new time zone data does.
//!
//! Invariant: every rule of claiming has its test here; the simulated year tries them all together.
//! Failure: the case is printed.

mod cron_support;

use chrono::{DateTime, TimeDelta, Utc};
use cron_support::at;
use rules::civil::Zone;
use rules::cron::{Cron, tzdata_version};
use rules::schedule::{
    Busy, Claim, Decision, Overlap, Schedule, Unfinished, claim, first_run, jitter, moved,
    recompute, upcoming,
};
use serde_json::json;
use uuid::Uuid;

fn schedule(cron: &str, zone: &str) -> Schedule {
    Schedule {
        cron: Cron::parse(cron).expect(cron),
        zone: Zone::parse(zone).expect(zone),
        jitter: false,
        overlap: Overlap::Skip,
    }
}

fn claimed(scheduled_for: &str, missed: u64, next_run_at: &str) -> Claim {
    Claim {
        scheduled_for: (!scheduled_for.is_empty()).then(|| at(scheduled_for)),
        missed,
        next_run_at: Some(at(next_run_at)),
    }
}

#[test]
fn a_tick_runs_what_is_due_and_of_what_was_missed_only_the_latest() {
    for (cron, due, now, expected) in [
        // On time.
        (
            "0 9 * * *",
            "2026-06-01T09:00:00Z",
            "2026-06-01T09:00:00Z",
            claimed("2026-06-01T09:00:00Z", 0, "2026-06-02T09:00:00Z"),
        ),
        (
            "0 9 * * *",
            "2026-06-01T09:00:00Z",
            "2026-06-01T09:00:59.999Z",
            claimed("2026-06-01T09:00:00Z", 0, "2026-06-02T09:00:00Z"),
        ),
        // Late, but before the next one.
        (
            "0 9 * * *",
            "2026-06-01T09:00:00Z",
            "2026-06-02T08:59:59Z",
            claimed("2026-06-01T09:00:00Z", 0, "2026-06-02T09:00:00Z"),
        ),
        // Three days down: one run, two counted.
        (
            "0 9 * * *",
            "2026-06-01T09:00:00Z",
            "2026-06-03T12:00:00Z",
            claimed("2026-06-03T09:00:00Z", 2, "2026-06-04T09:00:00Z"),
        ),
        // A weekly one is made up for within a day, to the second.
        (
            "0 9 * * 1",
            "2026-06-01T09:00:00Z",
            "2026-06-02T09:00:00Z",
            claimed("2026-06-01T09:00:00Z", 0, "2026-06-08T09:00:00Z"),
        ),
        (
            "0 9 * * 1",
            "2026-06-01T09:00:00Z",
            "2026-06-02T09:00:01Z",
            claimed("", 1, "2026-06-08T09:00:00Z"),
        ),
        (
            "0 9 * * 1",
            "2026-06-01T09:00:00Z",
            "2026-06-17T00:00:00Z",
            claimed("", 3, "2026-06-22T09:00:00Z"),
        ),
        // A year down.
        (
            "* * * * *",
            "2025-06-01T00:00:00Z",
            "2026-06-01T00:00:30Z",
            claimed("2026-06-01T00:00:00Z", 525_600, "2026-06-01T00:01:00Z"),
        ),
        // Not due.
        (
            "0 9 * * *",
            "2026-06-01T09:00:00Z",
            "2026-06-01T08:59:59.999Z",
            claimed("", 0, "2026-06-01T09:00:00Z"),
        ),
    ] {
        let found = claim(&schedule(cron, "UTC"), at(due), at(now));
        assert_eq!(found, expected, "{cron} due {due} at {now}");
    }
}

#[test]
fn the_last_run_of_the_calendar_has_no_next() {
    let (due, now) = (at("9999-06-01T09:00:00Z"), at("9999-06-01T09:00:30Z"));
    let found = claim(&schedule("0 9 1 6 *", "UTC"), due, now);
    assert_eq!(found.scheduled_for, Some(due));
    assert_eq!(found.next_run_at, None);
    assert_eq!(first_run(&schedule("0 9 1 6 *", "UTC"), now), None);
}

#[test]
fn a_new_schedule_is_never_due_at_once() {
    let every_minute = schedule("* * * * *", "UTC");
    let now = at("2026-06-01T09:00:00Z");
    assert_eq!(
        first_run(&every_minute, now),
        Some(at("2026-06-01T09:01:00Z"))
    );
}

#[test]
fn a_moved_run_is_claimed_once_and_a_repeated_one_too() {
    let daily = schedule("30 2 * * *", "America/New_York");
    let moved = at("2027-03-14T07:00:00Z");
    assert_eq!(
        claim(&daily, moved, moved),
        claimed("2027-03-14T07:00:00Z", 0, "2027-03-15T06:30:00Z")
    );
    let daily = schedule("30 1 * * *", "America/New_York");
    let first = at("2027-11-07T05:30:00Z");
    assert_eq!(
        claim(&daily, first, at("2027-11-07T06:31:00Z")),
        claimed("2027-11-07T05:30:00Z", 0, "2027-11-08T06:30:00Z")
    );
}

#[test]
fn upcoming_runs_carry_notes_jitter_and_the_policy() {
    let mut daily = schedule("30 2 * * *", "America/New_York");
    daily.jitter = true;
    let id = Uuid::from_u128(42);
    let runs = upcoming(id, &daily, at("2027-03-13T00:00:00Z"), 3, Busy::default());
    let nominal: Vec<_> = runs.iter().map(|run| run.scheduled_for).collect();
    let expected = [
        "2027-03-13T07:30:00Z",
        "2027-03-14T07:00:00Z",
        "2027-03-15T06:30:00Z",
    ];
    assert_eq!(nominal, expected.map(at));
    for run in &runs {
        let wait = jitter(id, &daily, run.scheduled_for);
        assert_eq!(run.starts_at, run.scheduled_for + wait);
        assert_eq!(run.jitter_seconds, wait.num_seconds());
        assert_eq!(
            (run.if_busy, run.expected),
            (Decision::Skip, Decision::Start)
        );
    }
    let json = serde_json::to_value(&runs[1]).expect("JSON");
    assert_eq!(
        json,
        json!({
            "scheduledFor": "2027-03-14T07:00:00.000Z",
            "local": "2027-03-14T03:00:00-04:00",
            "nominal": "2027-03-14T02:30:00",
            "note": {
                "kind": "moved",
                "text": "02:30 does not exist on 14 March 2027; it runs at 03:00."
            },
            "startsAt": json["startsAt"],
            "jitterSeconds": json["jitterSeconds"],
            "ifBusy": "skip",
            "expected": "start",
            "overlapNote": null
        })
    );
}

/// What is expected of the next runs of an hourly schedule.
fn expected(policy: Overlap, unfinished: Unfinished, usual: i64, runs: usize) -> Vec<Decision> {
    let mut hourly = schedule("0 * * * *", "UTC");
    hourly.overlap = policy;
    let busy = Busy {
        unfinished,
        usual: Some(TimeDelta::minutes(usual)),
    };
    let from = at("2026-06-01T00:30:00Z");
    let runs = upcoming(Uuid::nil(), &hourly, from, runs, busy);
    runs.iter().map(|run| run.expected).collect()
}

#[test]
fn runs_that_take_longer_than_their_period_meet_the_policy() {
    use Decision::{Buffer, CancelOthersAndStart as Cancel, Skip, Start};
    let idle = Unfinished::default();
    let busy = Unfinished {
        active: 1,
        buffered: 0,
    };
    assert_eq!(expected(Overlap::Skip, idle, 20, 3), [Start, Start, Start]);
    assert_eq!(
        expected(Overlap::Skip, idle, 90, 4),
        [Start, Skip, Start, Skip]
    );
    assert_eq!(expected(Overlap::Skip, busy, 60, 3), [Skip, Start, Start]);
    // 01:00 to 02:30, then the one that waited to 04:00, for which that of 03:00 waits, and so on.
    assert_eq!(
        expected(Overlap::BufferOne, idle, 90, 4),
        [Start, Buffer, Buffer, Buffer]
    );
    assert_eq!(
        expected(Overlap::BufferOne, idle, 150, 4),
        [Start, Buffer, Skip, Buffer]
    );
    assert_eq!(
        expected(Overlap::CancelOther, idle, 90, 3),
        [Start, Cancel, Cancel]
    );
    assert_eq!(
        expected(Overlap::Allow, busy, 500, 3),
        [Start, Start, Start]
    );
}

#[test]
fn upcoming_runs_are_bounded() {
    let every_minute = schedule("* * * * *", "UTC");
    let from = at("2026-06-01T00:00:00Z");
    let of = |n| upcoming(Uuid::nil(), &every_minute, from, n, Busy::default()).len();
    assert_eq!((of(0), of(7), of(usize::MAX)), (0, 7, 100));
    let from = at("9999-12-30T22:00:00Z");
    assert!(upcoming(Uuid::nil(), &every_minute, from, 100, Busy::default()).is_empty());
}

/// The old data is that of one zone, the new that of another.
fn new_data(
    cron: &str,
    old: &str,
    new: &str,
    from: &str,
) -> (DateTime<Utc>, Option<DateTime<Utc>>) {
    let (old, new) = (schedule(cron, old), schedule(cron, new));
    let run = old.cron.next(&old.zone, at(from)).expect("a next run");
    (run.at, recompute(&new, run.at, Some(&run.nominal)))
}

#[test]
fn new_data_moves_the_next_run_to_its_own_wall_time() {
    // As in Vancouver in 2026: what was UTC-8 became UTC-7.
    let (winter, summer) = ("Etc/GMT+8", "Etc/GMT+7");
    for (cron, from, to, old, new) in [
        (
            "0 9 * * *",
            winter,
            summer,
            "2026-11-20T17:00:00Z",
            "2026-11-20T16:00:00Z",
        ),
        (
            "0 9 * * *",
            summer,
            winter,
            "2026-11-20T16:00:00Z",
            "2026-11-20T17:00:00Z",
        ),
        // The 09:00 of the day is at the old instant of 10:00, and 10:00 is what is next.
        (
            "0 8-12 * * *",
            summer,
            winter,
            "2026-11-20T15:00:00Z",
            "2026-11-20T16:00:00Z",
        ),
        // Whenever the clock shows it: the instant stays.
        (
            "0 * * * *",
            winter,
            summer,
            "2026-11-20T01:00:00Z",
            "2026-11-20T01:00:00Z",
        ),
    ] {
        let found = new_data(cron, from, to, "2026-11-20T00:30:00Z");
        assert_eq!(found, (at(old), Some(at(new))), "{cron}");
    }
    // The new data has a gap there, the old one had none, and the other way round.
    let (gap, none) = ("America/New_York", "Etc/GMT+5");
    let from = "2027-03-14T01:00:00Z";
    for (old, new) in [(gap, none), (none, gap)] {
        let (was, is) = new_data("30 2 * * *", old, new, from);
        let expected = if new == gap {
            "2027-03-14T07:00:00Z"
        } else {
            "2027-03-14T07:30:00Z"
        };
        assert_eq!(is, Some(at(expected)), "{was}");
    }
}

#[test]
fn without_the_wall_time_the_nearest_run_is_taken() {
    let daily = schedule("0 9 * * *", "Etc/GMT+7");
    for (old, new) in [
        ("2026-11-20T17:00:00Z", "2026-11-20T16:00:00Z"),
        ("2026-11-20T15:00:00Z", "2026-11-20T16:00:00Z"),
        ("2026-11-20T16:00:00Z", "2026-11-20T16:00:00Z"),
    ] {
        for nominal in [None, Some("no time")] {
            assert_eq!(recompute(&daily, at(old), nominal), Some(at(new)));
        }
    }
}

#[test]
fn a_run_that_new_data_moved_into_the_past_is_made_up_for() {
    let new = schedule("0 9 * * *", "Etc/GMT+7");
    let now = at("2026-11-20T16:40:00Z");
    let next = recompute(
        &new,
        at("2026-11-20T17:00:00Z"),
        Some("2026-11-20T09:00:00"),
    );
    assert_eq!(
        claim(&new, next.expect("a next run"), now),
        claimed("2026-11-20T16:00:00Z", 0, "2026-11-21T16:00:00Z")
    );
}

#[test]
fn the_owner_is_told_which_runs_moved() {
    let zone = Zone::parse("America/Vancouver").expect("a zone");
    let old = [
        "2026-10-31T16:00:00Z",
        "2026-11-01T17:00:00Z",
        "2026-11-02T17:00:00Z",
    ]
    .map(at);
    let new = [
        "2026-10-31T16:00:00Z",
        "2026-11-01T16:00:00Z",
        "2026-11-02T16:00:00Z",
    ]
    .map(at);
    let found = moved(&zone, &old, &new);
    let pairs: Vec<_> = found.iter().map(|run| (run.from, run.to)).collect();
    assert_eq!(
        pairs,
        [(Some(old[1]), Some(new[1])), (Some(old[2]), Some(new[2]))]
    );
    assert_eq!(
        found[0].text,
        "The run of 1 November 2026, 17:00 UTC is at 1 November 2026, 16:00 UTC now, which is 09:00 \
         in America/Vancouver."
    );
    assert!(moved(&zone, &old, &old).is_empty() && moved(&zone, &[], &[]).is_empty());
    // What is known of one list only is not told, unless the other one covers it.
    assert!(moved(&zone, &old[..1], &old).is_empty());
    let gone = moved(&zone, &old, &[old[0], old[0] + TimeDelta::days(9)]);
    assert_eq!(gone.len(), 2);
    assert_eq!((gone[0].from, gone[0].to), (Some(old[1]), None));
    assert_eq!(
        gone[0].text,
        "There is no run at 1 November 2026, 17:00 UTC any more."
    );
}

#[test]
fn the_version_of_the_data_is_known() {
    let version = tzdata_version();
    let (year, letter) = version.split_at(4);
    assert!(
        year.parse::<u16>().is_ok_and(|year| year >= 2026),
        "{version}"
    );
    assert!(letter.len() == 1 && letter.chars().all(|letter| letter.is_ascii_lowercase()));
}
