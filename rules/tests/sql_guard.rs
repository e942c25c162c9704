//! The SQL guard: what attacks is refused, what asks is written again and means the same.
//!
//! Invariant: the corpus is data; the end-to-end tests run what is accepted here on Postgres.
//! Failure: every text that was judged otherwise, with the judgement.

use chrono::{DateTime, Utc};
use rules::sql_guard::{self, Guarded, Refusal, Source, Terms};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Corpus {
    sources: BTreeMap<String, Vec<String>>,
    accepted: Vec<String>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    sql: String,
    code: String,
}

fn corpus() -> Corpus {
    serde_json::from_str(include_str!("fixtures/sql_guard.json")).expect("a corpus")
}

fn sources() -> Vec<Source> {
    let sources = corpus().sources.into_iter();
    sources
        .map(|(name, columns)| Source { name, columns })
        .collect()
}

fn now() -> DateTime<Utc> {
    "2026-06-15T10:00:00Z".parse().expect("a time")
}

fn check(sql: &str) -> Result<Guarded, Refusal> {
    let sources = sources();
    let terms = Terms {
        sources: &sources,
        schema: "report",
        now: now(),
    };
    sql_guard::check(sql, &terms)
}

#[track_caller]
fn written(sql: &str) -> String {
    check(sql)
        .unwrap_or_else(|refusal| panic!("{sql}\n{refusal}"))
        .sql
}

#[test]
fn every_attack_is_refused_for_its_reason() {
    let corpus = corpus();
    assert!(corpus.refused.len() >= 150, "{}", corpus.refused.len());
    let mut wrong = Vec::new();
    for Refused { sql, code } in &corpus.refused {
        match check(sql) {
            Err(refusal) if refusal.code == code => assert!(!refusal.message.is_empty()),
            Err(refusal) => wrong.push(format!("{code}: {sql}\n    {} {refusal}", refusal.code)),
            Ok(guarded) => wrong.push(format!("{code}: {sql}\n    runs as {}", guarded.sql)),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} texts:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_honest_question_is_accepted() {
    let corpus = corpus();
    assert!(corpus.accepted.len() >= 60, "{}", corpus.accepted.len());
    let mut wrong = Vec::new();
    for sql in &corpus.accepted {
        if let Err(refusal) = check(sql) {
            wrong.push(format!("{sql}\n    {} {refusal}", refusal.code));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} texts:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// What was written is itself accepted and written the same: nothing of it is read another way.
#[test]
fn what_is_written_is_written_again_letter_by_letter() {
    for sql in &corpus().accepted {
        let first = written(sql);
        let Ok(second) = check(&first) else {
            // Series stand in SELECT, which is ours alone to write.
            assert!(first.contains("(select generate_series("), "{first}");
            continue;
        };
        assert_eq!(first, second.sql, "{sql}");
    }
}

/// Of many digits, `numeric` takes minutes for them, and nothing ends it.
#[test]
fn powers_roots_and_logarithms_are_calculated_with_doubles() {
    let sql = written(
        "select power(people, 2) as p, sqrt(cast(people as double precision)) as r from guests",
    );
    assert!(
        sql.contains(
            "cast(power(cast(people as double precision), cast(2 as double precision)) as numeric)"
        ),
        "{sql}"
    );
    assert!(
        sql.contains("cast(sqrt(cast(people as double precision)) as numeric)"),
        "{sql}"
    );
}
