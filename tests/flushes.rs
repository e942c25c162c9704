//! From the live object's log to the record in Postgres: what cannot become a record, what does not
//! fit, and what is added up.
//!
//! Invariant: the log has no hole and no second version; an entry that is no record holds nobody up;
//! statistics are added to, never counted again.
//! Failure: the entry or the number that broke it.

use pulse_tests::control::Control;
use pulse_tests::database::Database;
use pulse_tests::prelude::*;
use pulse_tests::token::Forgery;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

/// Sends entries as an object does; `kind` is who says so.
async fn flush(event: &Event, kind: &str, entries: &[Value]) -> Result<Value, (String, String)> {
    let mut actor = json!({"kind": kind, "job": "test", "tenant": event.tenant.id});
    if kind == "user" {
        let token = Forgery::of(event.client().token());
        (actor["id"], actor["session"]) = (token.get("sub"), token.get("sid"));
    }
    let batch = json!({"table_id": event.table, "entries": entries, "head": 0}).to_string();
    let sql =
        "select app.call($1::text::jsonb, array['admin', 'system'], 'select app.flush_scans($1)',
               $2::text::jsonb, null, 'flush') -> 'result'";
    let flushed = Database::app()
        .await
        .attempt(
            sql,
            &[(&actor.to_string(), Type::TEXT), (&batch, Type::TEXT)],
        )
        .await;
    flushed.map_err(|error| {
        let said = error.as_db_error().expect("an error of Postgres");
        let detail = said.detail().unwrap_or_default();
        (said.message().to_owned(), detail.to_owned())
    })
}

/// An event whose first guest was scanned, and that entry: what further ones are made of.
async fn one_scan<const N: usize>(guests: [&str; N]) -> (Event, Value) {
    let event = Event::with_guests(guests).open().await;
    event.door().scan(guests[0]).await.accepted();
    event.recorded().await;
    let log = Database::admin().await;
    let log = log.scan_log(&event.tenant.id, &event.table).await;
    (event, log[0].clone())
}

/// The entry that would have come next for another guest.
fn after(event: &Event, first: &Value, seq: u64, guest: &str) -> Value {
    let mut entry = first.clone();
    entry["seq"] = json!(seq);
    entry["row_id"] = json!(event.row_id(guest));
    entry["check_in_id"] = json!(Uuid::now_v7());
    entry["nonce_key"] = json!(format!("n{seq}"));
    entry
}

/// The entries that are no records, with why.
async fn errors(event: &Event) -> Vec<(u64, String)> {
    let database = Database::admin().await;
    database.as_tenant(&event.tenant.id).await;
    let sql = "select coalesce(jsonb_agg(jsonb_build_array(seq, error) order by seq), '[]')
               from pulse_scan_log where table_id = $1::text::uuid and error is not null";
    let found = database.json(sql, &[(&event.table, Type::TEXT)]).await;
    serde_json::from_value(found).expect("numbers and errors")
}

async fn checked_in(event: &Event) -> Value {
    let path = format!("/pulse/{}", event.table);
    let config = event.client().get(&path).await.expect_status(200);
    config.at("/stats/checked_in")
}

/// The records of the tenant: the list of one table ends where its live object is, and it never saw
/// what these tests send past it.
async fn recorded(event: &Event) -> Vec<Value> {
    let reply = event.client().get("/pulse/check-ins?limit=200").await;
    reply.expect_status(200).list_at("/items")
}

#[tokio::test]
async fn an_entry_that_is_no_record_stays_in_the_log_and_holds_nobody_up() {
    let (event, first) = one_scan(["Ada", "Bob", "Cleo", "Dan"]).await;
    let entry = |seq, guest| after(&event, &first, seq, guest);
    let mut batch = vec![entry(2, "Bob")];
    for (seq, member, value) in [
        (3, "verdict", json!("perhaps")),
        (4, "check_in_time", json!("yesterday evening")),
        (5, "inside_delta", json!(70_000)),
        (6, "check_in_id", first["check_in_id"].clone()),
    ] {
        let mut poison = entry(seq, "Dan");
        poison[member] = value;
        batch.push(poison);
    }
    batch.push(entry(7, "Cleo"));
    let flushed = flush(&event, "system", &batch).await.expect("taken");
    assert_eq!(
        (
            &flushed["last_seq"],
            &flushed["applied"],
            &flushed["failed"]
        ),
        (&json!(7), &json!(2), &json!([3, 4, 5, 6]))
    );
    let log = Database::admin().await;
    let log = log.scan_log(&event.tenant.id, &event.table).await;
    assert_eq!(log[1..], batch, "the log is what was sent");
    let errors = errors(&event).await;
    assert_eq!(
        errors.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(),
        [3, 4, 5, 6]
    );
    for ((seq, error), why) in errors.iter().zip([
        "pulse_check_ins_verdict_check",
        "yesterday evening",
        "out of range",
        "pulse_check_ins_pkey",
    ]) {
        assert!(error.contains(why), "{seq}: {error}");
    }
    let shown = recorded(&event).await;
    let seqs: Vec<_> = shown
        .iter()
        .filter_map(|shown| shown["seq"].as_u64())
        .collect();
    assert_eq!(seqs, [7, 2, 1]);
    assert_eq!(checked_in(&event).await, 3);
    // Sent again, poison is no news.
    let again = flush(&event, "system", &batch).await.expect("taken");
    assert_eq!(
        (&again["last_seq"], &again["applied"], &again["failed"]),
        (&json!(7), &json!(0), &json!([]))
    );
    assert_eq!(checked_in(&event).await, 3);
}

#[tokio::test]
async fn the_door_goes_on_behind_an_entry_that_is_no_record_and_somebody_is_told() {
    let event = Event::with_guests(["Ada", "Bob", "Cleo"]).open().await;
    event.door().scan("Ada").await.accepted();
    event.recorded().await;
    let database = Database::admin().await;
    // What stands in the way: a record with the number that the next entry will have.
    let sql = "with twin as (insert into pulse_check_ins select
                 (jsonb_populate_record(c, jsonb_build_object('id', $2::text, 'seq', 2))).*
                 from pulse_check_ins c where table_id = $1::text::uuid returning 1)
               select to_jsonb(count(*)) from twin";
    database.as_tenant(&event.tenant.id).await;
    let twin = Uuid::now_v7().to_string();
    let planted: [(&(dyn ToSql + Sync), Type); 2] =
        [(&event.table, Type::TEXT), (&twin, Type::TEXT)];
    assert_eq!(database.json(sql, &planted).await, 1);
    event.door().scan("Bob").await.accepted();
    event.door().scan("Cleo").await.accepted();
    event.recorded().await.counts(|c| c.checked_in == 3);
    let errors = errors(&event).await;
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].0, 2);
    let shown = event.check_ins("").await;
    assert_eq!(shown[0]["row_data"]["name"], "Cleo");
    let told = eventually("the log names it", || async {
        let lines = Control::here().log(&[&event.table]).await;
        lines
            .into_iter()
            .find(|line| line.contains("\"failed\":[2]"))
    });
    let told: Value = serde_json::from_str(&told.await).expect("JSON");
    assert_eq!(
        (&told["level"], &told["message"]),
        (&json!("error"), &json!("flush"))
    );
}

#[tokio::test]
async fn a_batch_that_would_leave_a_hole_is_refused_with_the_number_to_send_from() {
    let (event, first) = one_scan(["Ada", "Bob"]).await;
    let entry = |seq| after(&event, &first, seq, "Bob");
    for batch in [vec![entry(3)], vec![entry(2), entry(4)]] {
        let refused = flush(&event, "system", &batch).await.expect_err("a hole");
        assert_eq!(refused, ("seq_gap".to_owned(), "2".to_owned()));
    }
    let log = Database::admin().await;
    let log = log.scan_log(&event.tenant.id, &event.table).await;
    assert_eq!(log.len(), 1, "a refused batch left something");
    flush(&event, "system", &[entry(2)]).await.expect("taken");
    let refused = flush(&event, "user", &[entry(3)])
        .await
        .expect_err("a user");
    assert_eq!(refused.0, "role_not_allowed");
}

#[tokio::test]
async fn a_second_version_of_an_entry_is_told_and_changes_nothing() {
    let (event, first) = one_scan(["Ada", "Bob"]).await;
    let mut other = first.clone();
    other["row_id"] = json!(event.row_id("Bob"));
    other["check_in_id"] = json!(Uuid::now_v7());
    let batch = [other, after(&event, &first, 2, "Bob")];
    let flushed = flush(&event, "system", &batch).await.expect("taken");
    assert_eq!(
        (
            &flushed["conflicts"],
            &flushed["applied"],
            &flushed["last_seq"]
        ),
        (&json!([1]), &json!(1), &json!(2))
    );
    let log = Database::admin().await;
    let log = log.scan_log(&event.tenant.id, &event.table).await;
    assert_eq!(log[0], first);
    assert_eq!(recorded(&event).await.len(), 2);
}

/// A recount would be right at first and too slow at the end of a large event.
#[tokio::test]
async fn statistics_are_added_to_and_never_counted_again() {
    let (event, _) = one_scan(["Ada", "Bob"]).await;
    let database = Database::admin().await;
    database.as_tenant(&event.tenant.id).await;
    let sql = "with moved as (update pulse_enabled_tables set checked_in = checked_in + 1000, inside = inside + 1000,
                 duplicates = duplicates + 1000, refused = '{\"unknown_code\": 1000}'
                 where table_id = $1::text::uuid returning 1) select to_jsonb(count(*)) from moved";
    assert_eq!(database.json(sql, &[(&event.table, Type::TEXT)]).await, 1);
    event.door().scan("Bob").await.accepted();
    event.door().scan("Bob").await.duplicate();
    event.door().scan("nobody's").await.refused("unknown_code");
    event.recorded().await;
    let path = format!("/pulse/{}", event.table);
    let stats = event.client().get(&path).await.expect_status(200);
    for (member, expected) in [
        ("checked_in", 1_002),
        ("inside", 1_002),
        ("duplicates", 1_001),
        ("refused/unknown_code", 1_001),
    ] {
        assert_eq!(stats.at(&format!("/stats/{member}")), expected, "{member}");
    }
}
