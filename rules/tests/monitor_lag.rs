//! How far a replica is behind, in every state it can be in.
//!
//! Invariant: an idle primary is never over the limit; a cut or paused replica is, once the limit has
//! passed; the bound is never below the true lag.
//! Failure: the state that is judged otherwise.

mod monitor_support;

use chrono::{DateTime, TimeDelta, Utc};
use monitor_support::{Chance, at};
use rules::monitor::lag::{self, Lag, Position, Standing, Why};

fn now() -> DateTime<Utc> {
    at("2026-06-01T10:30:00Z")
}

fn ago(seconds: i64) -> Option<DateTime<Utc>> {
    Some(now() - TimeDelta::seconds(seconds))
}

/// All is replayed and the primary was heard from ten seconds ago; nothing was written for an hour.
fn idle() -> Position {
    Position {
        recovery: true,
        receive_lsn: Some("0/3000060".to_owned()),
        replay_lsn: Some("0/3000060".to_owned()),
        receiver: true,
        receiver_status: Some("streaming".to_owned()),
        last_msg_receipt: ago(10),
        last_replay: ago(3_600),
        paused: false,
        now: now(),
        aurora_lag_ms: None,
    }
}

#[track_caller]
fn is(position: &Position, seconds: i64, why: Why, standing: Standing) {
    let found = lag::lag(position);
    let expected = Lag {
        upper_bound: Some(TimeDelta::seconds(seconds)),
        why,
    };
    assert_eq!(found, expected);
    assert_eq!(lag::standing(&found, TimeDelta::seconds(300)), standing);
}

#[test]
fn an_idle_primary_is_no_lag_however_long_it_is_idle() {
    is(&idle(), 10, Why::Streaming, Standing::Within);
    let long = Position {
        last_replay: ago(864_000),
        last_msg_receipt: ago(30),
        ..idle()
    };
    is(&long, 30, Why::Streaming, Standing::Within);
    assert_eq!(
        lag::as_of(now(), &lag::lag(&long)),
        at("2026-06-01T10:29:30Z")
    );
}

#[test]
fn a_cut_receiver_is_lag_though_everything_that_came_is_replayed() {
    let cut = Position {
        receiver: false,
        receiver_status: None,
        last_msg_receipt: None,
        last_replay: ago(301),
        ..idle()
    };
    is(&cut, 301, Why::Cut, Standing::Over);
    let soon = Position {
        last_replay: ago(300),
        ..cut.clone()
    };
    is(&soon, 300, Why::Cut, Standing::Within);
    let waiting = Position {
        receiver: true,
        receiver_status: Some("waiting".to_owned()),
        ..cut
    };
    is(&waiting, 301, Why::Cut, Standing::Over);
    // The receiver still stands, but nothing comes any more.
    let silent = Position {
        last_msg_receipt: ago(301),
        ..idle()
    };
    is(&silent, 301, Why::Streaming, Standing::Over);
}

#[test]
fn what_came_and_is_not_replayed_is_lag() {
    let behind = Position {
        replay_lsn: Some("0/3000000".to_owned()),
        last_replay: ago(42),
        ..idle()
    };
    is(&behind, 42, Why::Replaying, Standing::Within);
    let paused = Position {
        paused: true,
        last_replay: ago(400),
        ..behind
    };
    is(&paused, 400, Why::Paused, Standing::Over);
    let just_paused = Position {
        paused: true,
        ..idle()
    };
    is(&just_paused, 10, Why::Streaming, Standing::Within);
}

#[test]
fn a_paused_replica_is_as_fresh_as_its_position() {
    // The table was written every second until replay was paused 21 seconds ago.
    let paused = Position {
        replay_lsn: Some("0/3000000".to_owned()),
        last_replay: ago(21),
        paused: true,
        ..idle()
    };
    let as_of = lag::as_of(now(), &lag::lag(&paused));
    assert_eq!(as_of, at("2026-06-01T10:29:39Z"));
    let newest = at("2026-06-01T10:29:38Z");
    assert_eq!(as_of - newest, TimeDelta::seconds(1), "not 22");
}

#[test]
fn who_may_not_see_the_receiver_is_blind_and_neither_alarms_nor_judges() {
    let blind = Position {
        receiver_status: None,
        last_msg_receipt: None,
        ..idle()
    };
    is(&blind, 3_600, Why::Blind, Standing::Blind);
    let fresh = Position {
        last_replay: ago(5),
        ..blind.clone()
    };
    is(&fresh, 5, Why::Blind, Standing::Within);
    let behind = Position {
        replay_lsn: Some("0/3000000".to_owned()),
        ..blind
    };
    is(&behind, 3_600, Why::Replaying, Standing::Over);
}

#[test]
fn a_primary_is_not_behind_and_aurora_says_itself() {
    let primary = Position {
        recovery: false,
        ..idle()
    };
    is(&primary, 0, Why::Primary, Standing::Within);
    let aurora = Position {
        receiver: false,
        receiver_status: None,
        last_msg_receipt: None,
        receive_lsn: None,
        aurora_lag_ms: Some(18.2),
        ..idle()
    };
    let found = lag::lag(&aurora);
    assert_eq!(found.upper_bound, Some(TimeDelta::milliseconds(19)));
    assert_eq!(found.why, Why::Aurora);
}

#[test]
fn a_replica_that_never_replayed_anything_is_not_trusted() {
    let new = Position {
        receive_lsn: None,
        last_replay: None,
        ..idle()
    };
    let found = lag::lag(&new);
    assert_eq!(found.upper_bound, None);
    assert_eq!(lag::standing(&found, TimeDelta::days(1)), Standing::Over);
    assert_eq!(lag::as_of(now(), &found), now());
}

#[test]
fn a_primary_whose_clock_is_ahead_makes_no_lag_below_zero() {
    let ahead = Position {
        last_msg_receipt: ago(-5),
        ..idle()
    };
    is(&ahead, 0, Why::Streaming, Standing::Within);
}

#[test]
fn a_limit_leaves_room_for_the_silence_of_an_idle_primary() {
    assert_eq!(lag::limit("/lag_limit", None), Ok(300));
    assert_eq!(lag::limit("/lag_limit", Some(60)), Ok(60));
    for wrong in [0, 59, 86_401] {
        let errors = lag::limit("/lag_limit", Some(wrong)).unwrap_err().errors;
        assert_eq!(errors[0].pointer, "/lag_limit");
    }
}

/// A primary that writes at random, a link that is cut at random, a replay that stops at random:
/// the bound is never below how far the replica is really behind.
#[test]
fn the_bound_is_never_below_the_true_lag() {
    for seed in 0..500 {
        let mut chance = Chance::seeded(seed);
        let start = at("2026-06-01T00:00:00Z");
        let second = |n: i64| start + TimeDelta::seconds(n);
        let (mut written, mut received, mut replayed) = (vec![0_i64], 0_usize, 0_usize);
        let (mut heard, mut cut, mut paused) = (0_i64, false, false);
        for now in 1..400_i64 {
            if chance.one_in(1 + seed % 50) {
                written.push(now);
            }
            cut ^= chance.one_in(60);
            paused ^= chance.one_in(60);
            let keep_alive = now - heard >= 30 || received + 1 < written.len();
            if !cut && keep_alive {
                (received, heard) = (written.len() - 1, now);
            }
            if !paused {
                replayed = received;
            }
            let position = Position {
                recovery: true,
                receive_lsn: Some(received.to_string()),
                replay_lsn: Some(replayed.to_string()),
                receiver: !cut,
                receiver_status: (!cut).then(|| "streaming".to_owned()),
                last_msg_receipt: (!cut).then(|| second(heard)),
                last_replay: Some(second(written[replayed])),
                paused,
                now: second(now),
                aurora_lag_ms: None,
            };
            // What was written first and is not shown yet is how far it is behind.
            let lacking = written.get(replayed + 1);
            let truth = lacking.map_or(TimeDelta::zero(), |at| second(now) - second(*at));
            let found = lag::lag(&position);
            let bound = found.upper_bound.expect("a bound");
            assert!(
                bound >= truth,
                "seed {seed}, second {now}: {found:?} below {truth}"
            );
            let as_of = lag::as_of(second(now), &found);
            let unseen = lacking.is_some_and(|at| second(*at) < as_of);
            assert!(
                !unseen,
                "seed {seed}: something older than as_of is not there"
            );
        }
    }
}
