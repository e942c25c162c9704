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
    let ada = json!({"verdict": "accepted", "row_id": ADA});
    assert_eq!(items[0]["offline"], ada);
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

fn scan(table: &mut Table, body: Value) -> Value {
    let order = json!({"scan": body, "now": "2024-06-01T18:00:00Z"});
    parsed(&table.decide(&order.to_string()))["answer"].clone()
}

fn acknowledge(table: &mut Table, statuses: &[u16]) -> Value {
    let results: Vec<Value> = statuses
        .iter()
        .map(|status| json!({"status": status, "error": {"code": "x"}}))
        .collect();
    parsed(&table.acknowledge(&json!({"results": results, "seq": 1}).to_string()))
}

#[test]
fn a_report_says_who_went_through_and_how_many() {
    let mut table = empty();
    let mut group = guest(ADA, "A");
    group["party"] = json!(3);
    learn(&mut table, &whole(json!([group])));
    scan(
        &mut table,
        json!({"barcode": "A", "nonce": "1", "people": 2}),
    );
    decide(&mut table, "2", "A");
    let walk_in = json!({"name": "Eve", "barcode": "W", "category": "late"});
    let walk_in = json!({"walk_in": walk_in, "nonce": "3"});
    let eve = scan(&mut table, walk_in)["guest"]["row_id"].clone();
    scan(
        &mut table,
        json!({"barcode": "W", "nonce": "4", "direction": "exit"}),
    );
    let items = parsed(&table.pending());
    let people: Vec<&Value> = (0..2).map(|place| &items[place]["people"]).collect();
    assert_eq!(people, [&json!(2), &json!(1)]);
    assert_eq!(items[2]["offline"], json!({"verdict": "accepted"}));
    assert_eq!(
        items[3]["offline"],
        json!({"verdict": "accepted", "row_id": eve, "guest": {"name": "Eve", "category": "late"}})
    );
}

#[test]
fn what_is_undone_here_is_queued_to_be_undone_there() {
    let mut table = empty();
    learn(&mut table, &whole(json!([guest(ADA, "A")])));
    let id = decide(&mut table, "1", "A")["check_in"]["id"].clone();
    let order = json!({"check_in_id": id, "nonce": "u", "now": "2024-06-01T18:03:00Z"}).to_string();
    assert_eq!(
        parsed(&table.annul(&order))["answer"]["verdict"],
        "accepted"
    );
    assert_eq!(parsed(&table.annul(&order))["replayed"], true);
    let undo = json!({"annul": id, "table_id": TABLE, "nonce": "u",
                      "annulled_at": "2024-06-01T18:03:00.000Z"});
    let items = parsed(&table.pending());
    assert_eq!(
        (items[1].clone(), items.as_array().map(Vec::len)),
        (undo, Some(2))
    );
    let mut table = Table::load(&table.snapshot()).expect("a table");
    assert_eq!(parsed(&table.pending()), items);
    assert_eq!(decide(&mut table, "2", "A")["verdict"], "accepted");
    // The scan waits, so nobody there knows what is to be undone.
    let told = acknowledge(&mut table, &[429, 404, 201]);
    assert_eq!((&told["taken"], &told["waiting"]), (&json!(1), &json!(2)));
    let told = acknowledge(&mut table, &[201, 409]);
    assert_eq!((&told["taken"], &told["waiting"]), (&json!(1), &json!(0)));
    assert_eq!(told["dropped"][0]["item"]["annul"], id);
}

#[test]
fn a_table_that_was_closed_loses_no_scan() {
    let mut table = empty();
    learn(&mut table, &whole(json!([guest(ADA, "A")])));
    for (nonce, code) in [("1", "A"), ("2", "B"), ("3", "C")] {
        decide(&mut table, nonce, code);
    }
    let told = acknowledge(&mut table, &[409, 401, 403]);
    assert_eq!((&told["taken"], &told["waiting"]), (&json!(0), &json!(3)));
    assert_eq!(told["dropped"], json!([]));
}

#[test]
fn what_was_decided_with_a_connection_is_not_undone_by_a_report() {
    let mut table = empty();
    learn(&mut table, &whole(json!([guest(ADA, "A")])));
    let ids = json!({"check_in": Uuid::from_u128(70), "row": Uuid::from_u128(71)});
    let order = json!({"scan": {"barcode": "A", "nonce": "1"}, "now": "2024-06-01T18:00:00Z",
                       "ids": ids});
    table.scan(&order.to_string());
    let order = json!({"check_in_id": Uuid::from_u128(70), "now": "2024-06-01T18:03:00Z"});
    assert_eq!(parsed(&table.annul(&order.to_string()))["replayed"], false);
    assert_eq!(parsed(&table.pending()), json!([]));
}
