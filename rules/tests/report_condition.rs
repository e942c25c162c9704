//! Conditions say whether a report is worth sending, and where they are wrong.
//!
//! Invariant: each line of a table is one claim.
//! Failure: the first that does not hold.

mod report_support;

use report_support::{Random, dataset};
use rules::report::condition::{MAX_BYTES, parse};
use rules::report::{Dataset, Kind, is_empty};
use serde_json::json;

fn data() -> Vec<Dataset> {
    vec![
        dataset(
            "orders",
            &[
                ("total", Kind::Number),
                ("Late Share", Kind::Number),
                ("open", Kind::Bool),
                ("gate", Kind::Text),
            ],
            json!([[120, "0.25", true, "North"]]),
        ),
        dataset(
            "days",
            &[("day", Kind::Time), ("n", Kind::Number)],
            json!([["2026-11-24", 3], ["2026-11-25", null], ["2026-11-26", 9]]),
        ),
        dataset("none", &[("x", Kind::Number)], json!([])),
    ]
}

#[test]
fn conditions_hold_or_not() {
    for (condition, holds) in [
        ("orders.total > 100", true),
        ("orders.total > 100 and rows(orders) > 0", true),
        ("orders.total > 120 or rows(none) = 0", true),
        ("not orders.total > 100", false),
        ("not not orders.open", true),
        ("orders.open", true),
        ("orders.gate = 'North'", true),
        ("orders.gate != \"North\"", false),
        ("orders.'Late Share' >= 0.25", true),
        ("orders.total * 2 - 40 = 200", true),
        ("2 + 3 * 4 = 14", true),
        ("(2 + 3) * 4 = 20", true),
        ("10 - 3 - 2 = 5", true),
        ("-orders.total < 0", true),
        ("1_000 > 999.5", true),
        ("sum(days.n) = 12", true),
        ("avg(days.n) = 6", true),
        ("min(days.n) = 3 and max(days.n) = 9", true),
        ("count(days.n) = 2 and rows(days) = 3", true),
        ("first(days.n) = 3 && last(days.n) = 9", true),
        ("last(days.day) >= '2026-11-26'", true),
        ("sum(none.x) = 0", true),
        ("none.x = null", true),
        ("none.x is null", true),
        ("orders.total is not null", true),
        ("none.x > 0", false),
        ("none.x < 0", false),
        ("not none.x > 0", true),
        ("none.x <> 5", true),
        ("avg(none.x) > 0", false),
        ("orders.total / rows(none) > 1", false),
        ("rows(days) > 0 or missing.x > 0", true),
        ("TRUE = true", false),
    ] {
        let told = parse(condition).and_then(|condition| condition.holds(&data()));
        match condition {
            // Words that mean something are written small.
            "TRUE = true" => assert!(told.is_err()),
            _ => assert_eq!(told, Ok(holds), "{condition}"),
        }
    }
}

#[test]
fn what_is_wrong_is_told_with_its_column() {
    for (condition, column, code) in [
        ("", 1, "condition_syntax"),
        ("orders", 7, "condition_syntax"),
        ("orders.total >", 15, "condition_syntax"),
        ("orders.total > 100 rows(orders)", 20, "condition_syntax"),
        ("orders.total > 1,000", 17, "condition_number"),
        ("orders.total > 1.2.3", 16, "condition_number"),
        ("1 < orders.total < 5", 18, "condition_syntax"),
        ("orders.gate = 'North", 15, "condition_syntax"),
        ("(orders.total > 1", 18, "condition_syntax"),
        ("ä > 1", 1, "condition_syntax"),
        ("median(days.n) > 1", 1, "condition_function"),
        ("sum(days) > 1", 9, "condition_syntax"),
        ("1 = 1 ; drop", 7, "condition_syntax"),
    ] {
        let flaw = parse(condition).unwrap_err();
        assert_eq!(
            (flaw.line, flaw.column, flaw.code.as_str()),
            (1, column, code),
            "{condition}: {flaw}"
        );
    }
    for (condition, column, code, message) in [
        (
            "rows(sales) > 0",
            1,
            "unknown_dataset",
            "There is no dataset sales; there is orders, days, none.",
        ),
        (
            "1 = 1 and orders.profit > 0",
            11,
            "unknown_column",
            "orders has no column profit; it has total, Late Share, open, gate.",
        ),
        (
            "days.n > 1",
            1,
            "condition_rows",
            "days has 3 rows: use sum, avg, min, max, first or last.",
        ),
        (
            "orders.gate > 5",
            15,
            "condition_type",
            "a text cannot be compared with a number.",
        ),
        (
            "orders.total",
            1,
            "condition_type",
            "Expected a comparison; a number is neither true nor false.",
        ),
        (
            "orders.gate + 1 > 0",
            1,
            "condition_type",
            "Expected a number instead of a text.",
        ),
    ] {
        let flaw = parse(condition).unwrap().holds(&data()).unwrap_err();
        assert_eq!(
            (flaw.column, flaw.code.as_str(), flaw.message.as_str()),
            (column, code, message),
            "{condition}"
        );
    }
    assert_eq!(
        parse("orders.x >")
            .unwrap_err()
            .invalid("/condition")
            .errors[0]
            .message,
        "Line 1, column 11: Something is missing at the end."
    );
}

#[test]
fn a_condition_names_its_datasets() {
    let condition = parse("sum(b.x) > 1 and not (a.y = 2 or rows(c) > -1)").unwrap();
    assert_eq!(Vec::from_iter(condition.datasets()), ["a", "b", "c"]);
}

#[test]
fn no_text_breaks_the_parser() {
    let long = format!("1 = {}1", "1 + ".repeat(MAX_BYTES));
    assert_eq!(parse(&long).unwrap_err().code, "condition_too_long");
    for deep in ["(".repeat(900), "not ".repeat(200), "-".repeat(900)] {
        let _ = parse(&deep).map(|condition| condition.holds(&data()));
    }
    assert_eq!(
        parse(&"(".repeat(900)).unwrap_err().code,
        "condition_too_deep"
    );
    let parts = [
        "orders", ".", "total", "(", ")", "rows", "and", "not", "is", "null", "<=", "-", "1",
        "'a'", " ", "ß", "1.", "\"", "sum",
    ];
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let text: String = (0..random.below(14))
            .map(|_| *random.pick(&parts))
            .collect();
        if let Ok(condition) = parse(&text) {
            let _ = condition.holds(&data());
        }
    }
}

#[test]
fn a_run_that_found_nothing_is_empty() {
    assert!(is_empty(&[]));
    let one = |rows| [dataset("a", &[("x", Kind::Number)], rows)];
    assert!(is_empty(&one(json!([]))));
    assert!(is_empty(&one(json!([[null], [null]]))));
    assert!(!is_empty(&one(json!([[0]]))), "a zero is something");
    assert!(!is_empty(&data()));
}
