//! Changes of columns, and whom they concern.
//!
//! Invariant: each change is told once, a rename as a rename.
//! Failure: the change that is told otherwise.

mod monitor_support;

use monitor_support::*;
use rules::monitor::catalog::TableFacts;
use rules::monitor::check::Check;
use rules::monitor::outcome::Outcome;
use rules::monitor::schema::{Change, Snapshot, diff, misconfigured};
use rules::monitor::verdict::{Reason, judge_schema};
use serde_json::json;

fn changed(change: impl FnOnce(&mut TableFacts)) -> (TableFacts, Vec<Change>) {
    let before = orders(SMALL);
    let mut after = before.clone();
    change(&mut after);
    let changes = diff(&Snapshot::of(&before), &Snapshot::of(&after));
    (after, changes)
}

fn drift() -> Check {
    check("schema", json!({}))
}

#[test]
fn each_change_is_told_as_what_it_is_and_once() {
    let (after, changes) = changed(|facts| {
        facts.columns[3].name = "state".to_owned();
        facts.columns[2].type_name = "int8".to_owned();
        facts.columns[4].nullable = false;
        facts.columns.remove(0);
        facts.columns.push(column(12, "note", "text"));
    });
    let told: Vec<_> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "Column id (int8) was dropped.",
            "Column amount is int8; it was numeric.",
            "Column status was renamed to state.",
            "Column email may no longer be null.",
            "Column note (text) was added.",
        ]
    );
    let again = diff(&Snapshot::of(&after), &Snapshot::of(&after));
    assert_eq!(again, []);
}

#[test]
fn a_column_that_was_made_anew_is_two_changes() {
    let (_, changes) = changed(|facts| facts.columns[0].number = 20);
    assert!(matches!(
        changes.as_slice(),
        [Change::Dropped { .. }, Change::Added { .. }]
    ));
}

#[test]
fn nothing_changed_is_a_pass_and_the_worst_change_counts() {
    let verdict = |changes: &[Change]| {
        let verdict = judge_schema(&drift(), changes);
        (verdict.outcome, verdict.reason)
    };
    assert_eq!(verdict(&[]), (Outcome::Pass, Reason::Within));
    let added = changed(|facts| facts.columns.push(column(12, "note", "text"))).1;
    assert_eq!(verdict(&added), (Outcome::Warn, Reason::Changed));
    let both = changed(|facts| {
        facts.columns.push(column(12, "note", "text"));
        facts.columns.remove(0);
    });
    assert_eq!(verdict(&both.1), (Outcome::Fail, Reason::Changed));
}

#[test]
fn changes_weigh_as_they_are_set_and_ignored_columns_do_not() {
    let (_, changes) = changed(|facts| {
        facts.columns.push(column(12, "note", "text"));
    });
    let of = |settings| judge_schema(&check("schema", settings), &changes).outcome;
    assert_eq!(of(json!({"added": "fail"})), Outcome::Fail);
    assert_eq!(of(json!({"added": "pass"})), Outcome::Pass);
    assert_eq!(
        of(json!({"added": "fail", "ignore": ["note"]})),
        Outcome::Pass
    );
    let (_, renamed) = changed(|facts| facts.columns[3].name = "state".to_owned());
    let settings = json!({"ignore": ["status"]});
    assert_eq!(
        judge_schema(&check("schema", settings), &renamed).outcome,
        Outcome::Pass
    );
}

#[test]
fn checks_of_a_column_that_went_are_misconfigured_and_others_are_not() {
    let dependents = [
        check("null_rate", json!({"column": "email"})),
        check("uniqueness", json!({"columns": ["id", "email"]})),
        check("assertion", json!({"condition": "email is not null"})),
        check("metric", json!({"sql": "select count(email) from orders"})),
        check_with(
            "row_count",
            json!({}),
            json!({"scope": {"condition": "email > 'a'"}}),
        ),
        check_with(
            "null_rate",
            json!({"column": "status"}),
            json!({"samples": {"rows": 1, "columns": ["email"]}}),
        ),
    ];
    let others = [
        check("null_rate", json!({"column": "status"})),
        check("freshness", json!({"column": "at"})),
        check("metric", json!({"sql": "select count(*) from orders"})),
        drift(),
    ];
    let told = |check: &Check, name: &str| {
        let mut catalog = catalog(SMALL);
        let facts = catalog.get_mut(&table("orders")).expect("orders");
        let email = facts
            .columns
            .iter_mut()
            .find(|column| column.name == "email");
        // A rename is as bad as a drop for who names the column.
        email.expect("a column").name = name.to_owned();
        misconfigured(check, &table("orders"), &catalog)
    };
    for check in &dependents {
        assert_eq!(told(check, "email"), None);
        let told = told(check, "mail").expect("misconfigured");
        assert!(told.contains("no column email"), "{told}");
    }
    for check in &others {
        assert_eq!(told(check, "mail"), None);
    }
}

#[test]
fn a_column_of_another_type_concerns_who_needs_the_type() {
    let mut catalog = catalog(SMALL);
    catalog.get_mut(&table("orders")).expect("orders").columns[5].base = "text".to_owned();
    let told = |kind: &str| {
        let check = check(kind, json!({"column": "at"}));
        misconfigured(&check, &table("orders"), &catalog)
    };
    assert!(told("freshness").is_some() && told("volume").is_some());
    assert_eq!(told("null_rate"), None);
}
