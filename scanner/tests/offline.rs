//! A scanner without a connection: the server's list, its own scans, and the queue between them.
//!
//! Invariant: texts are those of the list's route, of its channel and of a batch.
//! Failure: the text that should have been another.

use pulse_scanner_core::Table;
use rules::checkin::{ScanIn, sealed};
use serde_json::{Value, json};
use uuid::Uuid;

const TABLE: Uuid = Uuid::from_u128(0xAA);
const DEVICE: Uuid = Uuid::from_u128(0xD);
const ADA: Uuid = Uuid::from_u128(1);
const BOB: Uuid = Uuid::from_u128(2);

fn empty() -> Table {
    let kept = json!({"table_id": TABLE, "config": config(), "roster": [],
                      "caller": {"session_id": DEVICE}});
    Table::load(&kept.to_string()).expect("a table")
}

fn config() -> Value {
    json!({"settings": {}, "gates": [], "timezone": "UTC"})
}

fn about() -> Value {
    json!({"table_id": TABLE, "name": "T", "config": config(),
           "tickets": {"keys": [], "revoked": []}})
}

fn guest(id: Uuid, code: &str) -> Value {
    json!({"id": id, "name": code, "barcode": code})
}

fn whole(rows: Value) -> Value {
    json!({"position": "e-1-0", "full": true, "about": about(), "rows": rows, "gone": [],
           "next": null})
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn learn(table: &mut Table, news: &Value) -> Value {
    parsed(&table.learn(&news.to_string()))
}

fn decide(table: &mut Table, nonce: &str, code: &str) -> Value {
    let order = json!({"scan": {"barcode": code, "nonce": nonce, "table_id": TABLE},
                       "now": "2024-06-01T18:00:00Z"});
    parsed(&table.decide(&order.to_string()))["answer"].clone()
}

#[test]
fn learning_twice_changes_nothing_and_keeps_own_scans() {
    let mut table = empty();
    let list = whole(json!([guest(ADA, "A"), guest(BOB, "B")]));
    assert_eq!(learn(&mut table, &list)["position"], "e-1-0");
    assert_eq!(decide(&mut table, "1", "A")["verdict"], "accepted");
    let before = table.snapshot();
    learn(&mut table, &list);
    assert_eq!(table.snapshot(), before);
    let mut again = Table::load(&before).expect("a table");
    assert_eq!(again.snapshot(), before);
    assert_eq!(decide(&mut again, "2", "A")["verdict"], "duplicate");
}

#[test]
fn a_guest_who_entered_elsewhere_is_a_duplicate_here_also_after_a_reload() {
    let mut table = empty();
    learn(
        &mut table,
        &whole(json!([guest(ADA, "A"), guest(BOB, "B")])),
    );
    let mut ada = guest(ADA, "A");
    ada["v"] = json!([[
        Uuid::from_u128(9),
        7,
        1_717_264_800_000_i64,
        false,
        false,
        1,
        "North"
    ]]);
    let push = json!({"from": "e-1-0", "position": "e-1-7", "more": false, "rows": [ada],
                      "gone": [BOB]});
    assert_eq!(learn(&mut table, &push)["position"], "e-1-7");
    let mut table = Table::load(&table.snapshot()).expect("a table");
    assert_eq!(decide(&mut table, "1", "A")["verdict"], "duplicate");
    assert_eq!(decide(&mut table, "2", "B")["reason"], "unknown_code");
    assert_eq!(learn(&mut table, &push)["ask"], false);
    let gap = json!({"from": "e-1-9", "position": "e-1-10", "more": false, "rows": [], "gone": []});
    assert_eq!(learn(&mut table, &gap)["ask"], true);
    assert_eq!(table.position().as_deref(), Some("e-1-7"));
}

#[test]
fn a_whole_list_that_ended_replaces_what_is_not_in_it() {
    let mut table = empty();
    learn(
        &mut table,
        &whole(json!([guest(ADA, "A"), guest(BOB, "B")])),
    );
    decide(&mut table, "1", "A");
    learn(&mut table, &whole(json!([guest(BOB, "B")])));
    assert_eq!(decide(&mut table, "2", "A")["reason"], "unknown_code");
    assert_eq!(decide(&mut table, "3", "B")["verdict"], "accepted");
}

#[test]
fn a_sealed_guest_is_opened_by_their_code() {
    let (mut table, salt) = (empty(), [7; sealed::SALT]);
    let text = json!([guest(ADA, "A")]).to_string();
    let entry = (
        sealed::name(&salt, "A"),
        sealed::seal(&salt, TABLE, "A", &text),
    );
    let name = entry.0.clone();
    let list = json!({"position": "e-1-0", "full": true, "about": about(), "next": null,
                      "salt": "07".repeat(16), "sealed": [entry], "gone": []});
    learn(&mut table, &list);
    assert_eq!(parsed(&table.snapshot())["roster"], json!([]));
    assert_eq!(decide(&mut table, "1", "X")["reason"], "unknown_code");
    assert_eq!(decide(&mut table, "2", "A")["verdict"], "accepted");
    let gone = json!({"position": "e-2-0", "full": false, "about": about(), "next": null,
                      "salt": "07".repeat(16), "sealed": [], "gone": [name]});
    learn(&mut table, &gone);
    assert_eq!(decide(&mut table, "3", "A")["reason"], "unknown_code");
}

#[test]
fn a_poisoned_item_is_dropped_and_the_others_go_on() {
    let mut table = empty();
    learn(
        &mut table,
        &whole(json!([guest(ADA, "A"), guest(BOB, "B")])),
    );
    let answer = decide(&mut table, "1", "A");
    for (nonce, code) in [("2", "B"), ("3", "X"), ("4", "Y")] {
        decide(&mut table, nonce, code);
    }
    let items = parsed(&table.pending());
    assert_eq!(items[0]["offline"], json!({"verdict": "accepted"}));
    assert_eq!(items[2]["offline"]["reason"], "unknown_code");
    // The server, hours later, makes the same id of it.
    let item: ScanIn = serde_json::from_value(items[0].clone()).expect("a scan");
    let late = "2024-06-01T23:00:00Z".parse().expect("a time");
    let id = item
        .parse(late)
        .expect("a scan")
        .own_ids(TABLE, DEVICE)
        .check_in;
    assert_eq!(answer["check_in"]["id"], json!(id));
    let results = json!({"seq": 3, "results": [{"status": 201}, {"status": 422, "error": {"code": "invalid"}},
                                               {"status": 429}, {"status": 200, "replayed": true}]});
    let told = parsed(&table.acknowledge(&results.to_string()));
    assert_eq!((&told["taken"], &told["waiting"]), (&json!(2), &json!(1)));
    assert_eq!(told["dropped"][0]["item"]["nonce"], "2");
    assert_eq!(parsed(&table.pending())[0]["nonce"], "3");
}
