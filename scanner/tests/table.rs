//! A table as a page drives it: JSON in, JSON out.
//!
//! Invariant: what the rules decide is tested with the rules; here is what surrounds them.
//! Failure: the text that should have been another.

use pulse_scanner_core::Table;
use serde_json::{Value, json};
use uuid::Uuid;

const TABLE: Uuid = Uuid::from_u128(0xAA);

fn kept(roster: Value) -> Value {
    json!({
        "table_id": TABLE,
        "config": {"settings": {"allow_reentry": true}, "gates": [{"name": "North"}], "timezone": "Europe/Berlin"},
        "tickets": {"keys": [], "revoked": [[3, 9]]},
        "roster": roster,
        "caller": {"session_id": Uuid::from_u128(0xD), "gate": "North"},
    })
}

fn two_guests() -> Value {
    json!([{"id": Uuid::from_u128(2), "name": "Bob", "barcode": "B"},
           {"id": Uuid::from_u128(1), "name": "Ada", "barcode": "A", "email": "ada@example.org"}])
}

fn table(roster: Value) -> Table {
    Table::load(&kept(roster).to_string()).expect("a table")
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn scan(table: &mut Table, nth: u128, mut scan: Value) -> Value {
    scan["table_id"] = json!(TABLE);
    scan["nonce"] = json!(format!("n{nth}"));
    let ids = json!({"check_in": Uuid::from_u128(0xC0 + nth), "row": Uuid::from_u128(0xE0 + nth)});
    let order = json!({"scan": scan, "now": "2024-06-01T18:00:00Z", "ids": ids});
    parsed(&table.scan(&order.to_string()))
}

#[test]
fn a_scan_is_answered_as_the_api_answers_and_repeated_once() {
    let mut table = table(two_guests());
    let first = scan(&mut table, 1, json!({"barcode": "A"}));
    assert_eq!(
        (&first["replayed"], &first["recorded"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(first["answer"]["verdict"], "accepted");
    assert_eq!(first["answer"]["guest"]["email"], "ada@example.org");
    assert_eq!(first["answer"]["check_in"]["gate"], "North");
    let again = scan(&mut table, 1, json!({"barcode": "A"}));
    assert_eq!(
        (&again["replayed"], &again["recorded"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(again["answer"], first["answer"]);
    let second = scan(&mut table, 2, json!({"barcode": "A"}));
    assert_eq!(second["answer"]["verdict"], "duplicate");
    assert_eq!(second["recorded"], false);
}

#[test]
fn what_is_loaded_again_is_the_same_table_and_goes_on() {
    let mut one = table(two_guests());
    scan(&mut one, 1, json!({"barcode": "A"}));
    scan(&mut one, 2, json!({"walk_in": {"name": "Eve"}}));
    scan(&mut one, 3, json!({"barcode": "unknown"}));
    let snapshot = one.snapshot();
    let mut other = Table::load(&snapshot).expect("a table");
    assert_eq!(other.snapshot(), snapshot);
    // The walk-in became a guest, and the list is in order.
    let names: Vec<Value> = parsed(&snapshot)["roster"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["name"].clone())
        .collect();
    assert_eq!(names, ["Ada", "Bob", "Eve"]);
    for table in [&mut one, &mut other] {
        let replayed = scan(table, 1, json!({"barcode": "A"}));
        assert_eq!(replayed["replayed"], true);
        let undone = table.annul(
            &json!({"check_in_id": Uuid::from_u128(0xC1), "now": "2024-06-01T18:01:00Z"})
                .to_string(),
        );
        assert_eq!(
            parsed(&undone)["answer"]["check_in"]["annulled_at"],
            "2024-06-01T18:01:00.000Z"
        );
    }
    assert_eq!(one.snapshot(), other.snapshot());
    let log = parsed(&one.log_after(3));
    assert_eq!(log.as_array().map(Vec::len), Some(1));
    assert_eq!(log[0]["effect"], "annul");
    assert_eq!(parsed(&one.log_after(0)).as_array().map(Vec::len), Some(4));
}

#[test]
fn a_scanner_without_a_list_stays_one() {
    let mut table = table(Value::Null);
    let answer = scan(&mut table, 1, json!({"barcode": "A"}));
    assert_eq!(answer["answer"]["reason"], "unknown_code");
    scan(&mut table, 2, json!({"walk_in": {"name": "Eve"}}));
    let snapshot = table.snapshot();
    assert_eq!(parsed(&snapshot)["roster"], Value::Null);
    let again = Table::load(&snapshot).expect("a table");
    assert_eq!(again.snapshot(), snapshot);
}

#[test]
fn what_is_wrong_is_told_and_not_recorded() {
    let mut table = table(two_guests());
    let before = table.snapshot();
    let other = json!({"table_id": Uuid::from_u128(9), "nonce": "x", "barcode": "A"});
    let ids = json!({"check_in": Uuid::nil(), "row": Uuid::nil()});
    let now = "2024-06-01T18:00:00Z";
    for (order, code) in [
        (json!({"scan": other, "now": now, "ids": ids}), "not_found"),
        (json!({"scan": other, "now": now}), "malformed"),
        (
            json!({"scan": other, "now": "today", "ids": ids}),
            "malformed",
        ),
        (
            json!({"scan": other, "now": now, "ids": ids, "more": 1}),
            "malformed",
        ),
    ] {
        assert_eq!(
            parsed(&table.scan(&order.to_string()))["problem"]["code"],
            code
        );
    }
    let empty = scan(
        &mut table,
        1,
        json!({"barcode": " ", "gate": "x".repeat(90)}),
    );
    let pointers: Vec<Value> = empty["problem"]["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| error["pointer"].clone())
        .collect();
    assert_eq!(
        (&empty["problem"]["code"], pointers),
        (&json!("invalid"), vec![json!("/gate"), json!("/barcode")])
    );
    let nobody = table.annul(&json!({"check_in_id": Uuid::nil(), "now": now}).to_string());
    assert_eq!(parsed(&nobody)["problem"]["code"], "not_found");
    assert_eq!(parsed(&table.annul("{"))["problem"]["code"], "malformed");
    assert_eq!(table.snapshot(), before);
}

#[test]
fn what_is_no_table_is_refused_with_the_reason() {
    let mut unknown_field = kept(json!([]));
    unknown_field["color"] = json!("red");
    let mut wrong_zone = kept(json!([]));
    wrong_zone["config"]["timezone"] = json!("Mars/Olympus");
    let mut wrong_key = kept(json!([]));
    wrong_key["tickets"]["keys"] = json!([{"number": 1, "public_key": "AAAA"}]);
    let mut no_roster = kept(json!([]));
    no_roster.as_object_mut().expect("fields").remove("caller");
    for (kept, why) in [
        (unknown_field, "color"),
        (wrong_zone, "zone"),
        (wrong_key, "Ed25519"),
        (no_roster, "caller"),
    ] {
        let refused = Table::load(&kept.to_string()).err().unwrap_or_default();
        assert!(refused.contains(why), "{why}: {refused}");
    }
    assert!(Table::load("").is_err());
}
