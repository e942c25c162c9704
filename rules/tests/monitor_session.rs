//! What is said on a connection and what must hold, what a role is given, and the filling in of
//! history.
//!
//! Invariant: a primary is asked one question; nothing runs without its limits in force.
//! Failure: the text or the judgement that is otherwise.

mod monitor_support;

use chrono::TimeDelta;
use monitor_support::*;
use rules::detector::Point;
use rules::monitor::TableName;
use rules::monitor::backfill::{self, Backfill, Progress, State, Step};
use rules::monitor::catalog::{Catalog, TableFacts};
use rules::monitor::check::Check;
use rules::monitor::ledger::Budget;
use rules::monitor::privileges;
use rules::monitor::session::{self, Limits};
use rules::monitor::sql::Size;
use serde_json::{Value, json};
use uuid::Uuid;

/// A check that has its periods at the full hour and minute.
const ID: Uuid = Uuid::nil();

#[test]
fn a_primary_is_refused_after_one_question_unless_its_owner_allowed_it() {
    let primary = r#"{"recovery":false,"version":170002}"#;
    let refused = session::identify(primary, false).unwrap_err();
    assert_eq!(refused.code, "not_a_replica");
    assert!(refused.message.contains("allow_primary"));
    assert!(session::identify(primary, true).is_ok());
    let replica = r#"{"recovery":true,"version":170002}"#;
    assert!(session::identify(replica, false).is_ok());
    let old = r#"{"recovery":true,"version":110000}"#;
    assert_eq!(session::identify(old, false).unwrap_err().code, "version");
    assert_eq!(
        session::identify("hello", false).unwrap_err().code,
        "unreadable"
    );
    assert!(!session::IDENTIFY.contains("from"), "it reads no table");
}

#[test]
fn a_run_begins_read_only_with_every_limit_anew() {
    let text = session::begin(&Limits::default(), 150_000);
    assert!(text.starts_with("begin transaction isolation level read committed read only;"));
    for limit in [
        "set local statement_timeout = 2000",
        "set local lock_timeout = 250",
        "set local idle_in_transaction_session_timeout = 5000",
        "set local max_parallel_workers_per_gather = 0",
        "set local search_path = pg_catalog",
        "set local standard_conforming_strings = on",
    ] {
        assert!(text.contains(limit), "{limit}");
    }
    assert!(!text.contains("transaction_timeout = 15000"));
    let new = session::begin(&Limits::default(), 170_000);
    assert!(new.ends_with("set local transaction_timeout = 15000"));
    let deadline = session::deadline(&Limits::default());
    assert!(
        deadline.as_millis() > 2_250,
        "the server's limits come first"
    );
}

fn standing() -> Value {
    json!({"recovery": true, "read_only": "on", "statement_timeout": "2s",
        "search_path": "pg_catalog", "now": 1_780_309_800.5, "receive_lsn": "0/3", "replay_lsn": "0/3",
        "last_replay": 1_780_309_700.0, "paused": false, "receiver": true,
        "receiver_status": "streaming", "last_msg_receipt": 1_780_309_799.0, "feedback": true,
        "conflicts": 2, "aurora": false, "stats": true, "superuser": false})
}

fn judged(name: &str, value: Value) -> Result<session::Standing, session::Refusal> {
    let mut answer = standing();
    answer[name] = value;
    session::standing(&answer.to_string(), None, &Limits::default(), false)
}

#[test]
fn nothing_runs_unless_what_was_set_holds() {
    let found = judged("paused", json!(false)).expect("it holds");
    assert_eq!(found.position.now, at("2026-06-01T10:30:00.500Z"));
    assert!(found.feedback && found.conflicts == 2);
    for (name, value, code) in [
        ("recovery", json!(false), "not_a_replica"),
        ("read_only", json!("off"), "not_read_only"),
        ("statement_timeout", json!("0"), "unlimited"),
        ("statement_timeout", json!("2001ms"), "unlimited"),
        ("statement_timeout", json!("1min"), "unlimited"),
        ("statement_timeout", json!("soon"), "unlimited"),
        ("search_path", json!("\"$user\", public"), "unlimited"),
        ("now", json!(null), "unreadable"),
    ] {
        assert_eq!(
            judged(name, value.clone()).unwrap_err().code,
            code,
            "{name} {value}"
        );
    }
    assert!(judged("statement_timeout", json!("1500ms")).is_ok());
}

/// What the catalogue says of a table that may not be read.
fn closed(usage: bool, columns: bool) -> TableFacts {
    let mut facts = orders(SMALL);
    for column in &mut facts.columns {
        column.select = columns;
    }
    TableFacts {
        usage,
        select: false,
        ..facts
    }
}

#[test]
fn what_a_role_lacks_is_told_of_the_tables_that_lack_it() {
    let other = TableName {
        schema: "Sales".to_owned(),
        name: "schema_x".to_owned(),
    };
    let tables = [table("orders"), other.clone()];
    let lacks = |facts: [TableFacts; 2]| {
        let catalog = Catalog::from_iter(tables.clone().into_iter().zip(facts));
        privileges::missing("pu\"lse", &tables, &catalog)
    };
    let open = orders(SMALL);
    assert_eq!(lacks([open.clone(), open.clone()]), [""; 0]);
    let select = r#"GRANT SELECT ON "Sales"."schema_x" TO "pu""lse";"#;
    assert_eq!(lacks([open.clone(), closed(true, false)]), [select]);
    assert_eq!(
        lacks([open.clone(), closed(false, false)]),
        [r#"GRANT USAGE ON SCHEMA "Sales" TO "pu""lse";"#, select]
    );
    // Of a table that may be read in part nobody knows whether that does.
    let own = r#"GRANT SELECT ON "public"."orders" TO "pu""lse";"#;
    assert_eq!(lacks([closed(true, true), closed(true, false)]), [select]);
    assert_eq!(lacks([closed(true, true), open]), [own]);
}

#[test]
fn a_refusal_that_the_catalogue_does_not_explain_is_told_in_the_servers_words() {
    let tables = [table("orders")];
    let said = Some("permission denied for schema secret.");
    let told =
        |tables: &[TableName], said| privileges::told("pulse", tables, &catalog(SMALL), said);
    assert_eq!(
        told(&tables, said).as_deref(),
        Some(
            "The role may read the tables of the check, and lacks something else: permission denied \
             for schema secret."
        )
    );
    assert_eq!(told(&[table("unknown")], said), None);
    assert_eq!(told(&tables, None), None);
}

fn volume() -> Check {
    check("volume", json!({"column": "at", "bucket": 3_600}))
}

#[test]
fn history_is_filled_in_newest_first_each_stretch_once_and_not_too_fast() {
    let check = volume();
    let mut now = at("2026-06-01T10:30:00Z");
    let mut progress = backfill::begin(&check, now).expect("a beginning");
    let (mut seen, mut asked) = (Vec::new(), Vec::new());
    loop {
        match backfill::next(&check, ID, &progress, now) {
            Step::Done => break,
            Step::Wait(until) => {
                assert!(until > now);
                now = until;
            }
            Step::Ask(chunk) => {
                assert!(chunk.stretches.len() <= 168);
                asked.push(now);
                seen.extend(chunk.stretches.iter().rev().copied());
                progress = backfill::filled(progress, &chunk, now);
                let stored = serde_json::to_string(&progress).expect("JSON");
                progress = serde_json::from_str::<Progress>(&stored).expect("progress");
            }
        }
    }
    assert!(
        seen.windows(2).all(|pair| pair[0].from == pair[1].to),
        "no gap, none twice"
    );
    assert_eq!(seen.first().expect("some").to, at("2026-06-01T10:00:00Z"));
    assert_eq!(seen.len(), 8 * 7 * 24 - 1);
    assert!(
        asked
            .windows(2)
            .all(|pair| pair[1] - pair[0] >= backfill::PAUSE)
    );
    assert_eq!(backfill::budget(&Budget::default()).statements, 900);
}

#[test]
fn a_minute_of_a_minute_is_filled_in_by_the_day() {
    let check = check("volume", json!({"column": "at", "bucket": 60}));
    let now = at("2026-06-01T10:30:30Z");
    let progress = backfill::begin(&check, now).expect("a beginning");
    let Step::Ask(chunk) = backfill::next(&check, ID, &progress, now) else {
        panic!("nothing to ask");
    };
    assert_eq!(chunk.stretches.len(), 1_439);
    let last = chunk.stretches.last().expect("some");
    assert_eq!(last.to, at("2026-06-01T10:30:00Z"));
}

#[test]
fn a_chunk_that_fails_is_asked_again_later_and_given_up_at_last() {
    let check = volume();
    let mut now = at("2026-06-01T10:30:00Z");
    let mut progress = backfill::begin(&check, now).expect("a beginning");
    let mut waits = Vec::new();
    while let Step::Ask(_) = backfill::next(&check, ID, &progress, now) {
        progress = backfill::failed(progress, now);
        waits.push((progress.not_before - now).num_minutes());
        now = progress.not_before;
    }
    assert_eq!(waits, [1, 2, 4]);
    assert_eq!(
        backfill::next(&check, ID, &progress, now + TimeDelta::days(1)),
        Step::Done
    );
}

#[test]
fn only_what_has_times_has_a_history() {
    let now = at("2026-06-01T10:30:00Z");
    let null = json!({"column": "email"});
    let scoped = |last: u32| {
        let scope = json!({"scope": {"column": "at", "last": last}});
        check_with("null_rate", null.clone(), scope)
    };
    assert!(backfill::begin(&scoped(3_600), now).is_some());
    for without in [
        scoped(7_000),
        check("null_rate", null.clone()),
        check("row_count", json!({})),
        check("freshness", json!({"column": "at"})),
    ] {
        assert_eq!(backfill::begin(&without, now), None);
    }
}

#[test]
fn history_is_counted_by_an_index_and_read_the_same_every_time() {
    let check = volume();
    let now = at("2026-06-01T10:30:00Z");
    let progress = backfill::begin(&check, now).expect("a beginning");
    let Step::Ask(chunk) = backfill::next(&check, ID, &progress, now) else {
        panic!("nothing to ask");
    };
    let of = |check: &Check, pages| {
        let size = Size::default();
        backfill::statement(check, &table("orders"), &catalog(pages), size, &chunk)
    };
    let statement = of(&check, BIG).expect("a statement");
    assert!(
        statement
            .sql
            .contains(r#"where "at" >= $1::timestamptz and "at" < $2::timestamptz"#)
    );
    assert_eq!(of(&check, BIG), Ok(statement));
    let wall = monitor_support::check("volume", json!({"column": "wall"}));
    assert!(of(&wall, BIG).is_err() && of(&wall, SMALL).is_ok());
    let past =
        backfill::read(&check, ID, &chunk, r#"{"counts":[[1,7,0],[3,9,0]]}"#).expect("values");
    assert_eq!(
        past.len(),
        chunk.stretches.len(),
        "a stretch without rows is zero"
    );
    let values: Vec<_> = past.iter().take(4).map(|past| past.value).collect();
    assert_eq!(values, [7.0, 0.0, 9.0, 0.0]);
    let scope = json!({"scope": {"column": "at", "last": 3_600}});
    let rate = check_with("null_rate", json!({"column": "email"}), scope);
    assert!(
        of(&rate, BIG)
            .expect("a statement")
            .sql
            .contains(r#"filter (where "email" is null)"#)
    );
}

#[test]
fn a_share_of_the_latest_rows_has_a_value_for_each_of_its_periods() {
    let scoped = |last: u32, every: u32| {
        let more = json!({"scope": {"column": "at", "last": last}, "every": every,
            "fail": {"kind": "learned"}});
        check_with("null_rate", json!({"column": "email"}), more)
    };
    let now = at("2026-06-01T10:30:00Z");
    for (last, every, step, first) in [
        (3_600, 900, 900, "2026-06-01T10:30:00Z"),
        (3_600, 3_600, 3_600, "2026-06-01T10:00:00Z"),
        (3_600, 86_400, 3_600, "2026-06-01T00:00:00Z"),
        (86_400, 60, 60, "2026-06-01T10:30:00Z"),
    ] {
        let check = scoped(last, every);
        let id = Uuid::from_u128(0);
        let offset = offset(id, every);
        let progress = backfill::begin(&check, now + offset).expect("a beginning");
        let Step::Ask(chunk) = backfill::next(&check, id, &progress, now + offset) else {
            panic!("nothing to ask");
        };
        assert!(chunk.stretches.len() <= 2_880, "{}", chunk.stretches.len());
        let lengths = chunk.stretches.iter().map(|one| one.to - one.from);
        assert!(lengths.clone().all(|length| length.num_seconds() == step));
        // Every row of a stretch is wrong in every second stretch.
        let counts: Vec<_> = (1..=chunk.stretches.len())
            .map(|place| json!([place, 10, if place % 2 == 0 { 10 } else { 0 }]))
            .collect();
        let answer = json!({"counts": counts}).to_string();
        let past = backfill::read(&check, id, &chunk, &answer).expect("values");
        let newest = past.last().expect("some");
        assert_eq!(newest.at, at(first) + offset, "{last} {every}");
        assert!(past.iter().all(|one| one.at > chunk.from));
        let apart = past
            .windows(2)
            .map(|pair| (pair[1].at - pair[0].at).num_seconds());
        assert!(
            apart.clone().all(|apart| apart == i64::from(every)),
            "{last} {every}"
        );
        if last > every {
            assert!(
                past.iter().all(|one| (one.value - 0.5).abs() < 1e-9),
                "{last} {every}"
            );
        }
        // The next chunk goes on where this one ends.
        let after = backfill::filled(progress, &chunk, now + offset);
        let Step::Ask(next) = backfill::next(&check, id, &after, after.not_before) else {
            panic!("nothing more to ask");
        };
        let older = backfill::read(&check, id, &next, &answer).expect("values");
        let oldest = past.first().expect("some").at;
        assert_eq!(
            oldest - older.last().expect("some").at,
            TimeDelta::seconds(every.into()),
            "{last} {every}"
        );
    }
}

/// How much later than whole multiples the periods of a check begin.
fn offset(id: Uuid, every: u32) -> TimeDelta {
    let epoch = at("2026-06-01T00:00:00Z");
    let entry = rules::monitor::due::Entry {
        check: id,
        every,
        since: epoch,
        last: None,
    };
    let start = entry.period(epoch);
    let late = (start - epoch).num_seconds().rem_euclid(i64::from(every));
    TimeDelta::seconds(late)
}

#[test]
fn chunks_become_smaller_where_they_cost_too_much() {
    let check = volume();
    let mut now = at("2026-06-01T10:30:00Z");
    let mut progress = backfill::begin(&check, now).expect("a beginning");
    let mut sizes = Vec::new();
    for _ in 0..2 {
        let Step::Ask(chunk) = backfill::next(&check, ID, &progress, now) else {
            panic!("nothing to ask");
        };
        sizes.push(chunk.stretches.len());
        progress = backfill::failed(progress, now);
        now = progress.not_before;
    }
    let Step::Ask(chunk) = backfill::next(&check, ID, &progress, now) else {
        panic!("nothing to ask");
    };
    sizes.push(chunk.stretches.len());
    assert!(
        sizes.is_sorted_by(|one, next| one > &(next * 3)),
        "{sizes:?}"
    );
    progress = backfill::filled(progress, &chunk, now);
    let Step::Ask(next) = backfill::next(&check, ID, &progress, progress.not_before) else {
        panic!("nothing to ask");
    };
    assert!(next.stretches.len() <= chunk.stretches.len() + 1);
    assert!(!backfill::given_up(&progress));
}

#[test]
fn a_filling_in_says_where_it_stands_and_why_there_is_none() {
    let now = at("2026-06-01T10:30:00Z");
    let check = volume();
    let new = Backfill::of(&check);
    assert_eq!((new.state, new.due(now)), (State::Waiting, Some(now)));
    let progress = backfill::begin(&check, now).expect("a beginning");
    let running = new
        .stepped(progress.clone(), 100)
        .stepped(progress.clone(), 68);
    assert_eq!((running.state, running.points), (State::Running, 168));
    let stored = serde_json::to_string(&running).expect("JSON");
    assert_eq!(
        serde_json::from_str::<Backfill>(&stored).expect("it"),
        running
    );
    let done = running.clone().because("was slow once").ended();
    assert_eq!(
        (done.state, done.due(now), done.message),
        (State::Done, None, None)
    );
    let mut failed = progress;
    while !backfill::given_up(&failed) {
        failed = backfill::failed(failed, now);
    }
    let left = running.stepped(failed, 0).because("too slow").ended();
    assert_eq!(left.state, State::GivenUp);
    assert_eq!(left.message.as_deref(), Some("too slow"));
    let limits = check_with(
        "volume",
        json!({"column": "at"}),
        json!({"fail": {"kind": "absolute", "min": 1}}),
    );
    for without in [limits, monitor_support::check("row_count", json!({}))] {
        let none = Backfill::of(&without);
        assert_eq!((none.state, none.due(now)), (State::Unavailable, None));
        assert!(none.message.is_some());
    }
}

#[test]
fn what_was_broken_in_the_past_is_not_learned_from_and_the_same_comes_of_the_same() {
    let check = volume();
    let end = at("2026-06-01T00:00:00Z");
    let point = |hours: i64| {
        let at = end - TimeDelta::hours(hours);
        // Ten days ago nothing came for a day.
        let broken = (240..264).contains(&hours);
        Point {
            at,
            value: if broken {
                0.0
            } else {
                100.0 + (hours * 7 % 11) as f64
            },
            alerted: false,
            mark: None,
        }
    };
    let history: Vec<Point> = (1..=8 * 7 * 24).rev().map(point).collect();
    let judged = backfill::judge(&check, &history);
    assert_eq!(judged, backfill::judge(&check, &history));
    assert_eq!(judged.len(), history.len());
    let broken = |hours: i64| {
        let at = end - TimeDelta::hours(hours);
        judged.iter().find(|one| one.at == at).expect("one").outcome
    };
    assert_eq!(
        (broken(250), broken(100), broken(1_300)),
        ("fail", "pass", "learning")
    );
    let alerted = judged.iter().filter(|one| one.alerted).count();
    assert!((20..=26).contains(&alerted), "{alerted}");
}
