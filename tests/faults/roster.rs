//! The guest list of scanners over evictions, lost storage and 100,000 guests.
//!
//! Invariant: a list that is brought up to date is the list as it is, whatever happened to the object
//! meanwhile; when that cannot be told, the whole list comes.
//! Failure: the guests that differ, or the answer that did not come.

use super::alone;
use super::crowd::large_event;
use pulse_tests::control::Control;
use pulse_tests::database::Database;
use pulse_tests::list::{Copy, roster};
use pulse_tests::prelude::*;
use rules::checkin::sealed;
use std::collections::BTreeMap;
use std::time::Instant;
use tokio_postgres::types::Type;

const GUESTS: u64 = 100_000;
const PAGE: usize = 20_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_is_known_past_an_eviction() {
    let _alone = alone().await;
    let control = Control::here();
    let event = Event::with_guests(["Ada", "Bob", "Cleo", "Dan"])
        .open()
        .await;
    let phone = event.phone("one").client().await;
    let mut copy = Copy::load(&phone, &event, 100).await;
    let mut changes = 0;
    let mut change = async |guest: &str| {
        changes += 1;
        let note = format!("change {changes}");
        event.change(guest, json!({"attention_note": note})).await;
    };
    change("Ada").await;
    control.evict(&event.table).await;
    // Before and after: the count of changes must not begin again.
    change("Bob").await;
    event.door().scan("Cleo").await.accepted();
    let stale = copy.position.clone();
    copy.update(&phone, &event).await;
    for (guest, note) in [("Ada", json!("change 1")), ("Bob", json!("change 2"))] {
        assert_eq!(copy.guest(&event, guest)["attention_note"], note);
    }
    control.evict(&event.table).await;
    change("Ada").await;
    control.kill_worker().await;
    copy.update(&phone, &event).await;
    assert_eq!(copy.guest(&event, "Ada")["attention_note"], "change 3");
    assert_eq!(
        copy.guest(&event, "Cleo")["v"].as_array().map(Vec::len),
        Some(1)
    );
    let whole = Copy::load(&phone, &event, 100).await;
    assert_eq!(
        (&copy.guests, &copy.position),
        (&whole.guests, &whole.position)
    );
    let all = roster(&phone, &event, &format!("?since={stale}")).await;
    assert_eq!(
        all.expect_status(200).list_at("/rows").len(),
        3,
        "each once"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_lost_storage_the_whole_list_comes_and_who_left_it_is_remembered() {
    let _alone = alone().await;
    let event = Event::with_guests(["Ada", "Bob", "Cleo"]).open().await;
    let phone = event.phone("one").client().await;
    let copy = Copy::load(&phone, &event, 100).await;
    let (ada, row) = (event.code("Ada"), event.row_id("Ada"));
    let path = format!("/pulse/tables/{}/rows/{row}", event.table);
    event.client().delete(&path).await.expect_status(204);
    event.door().scan("Bob").await.accepted();
    event.recorded().await;
    Control::here().wipe_objects().await;
    let query = format!("?since={}", copy.position);
    let whole = roster(&phone, &event, &query).await.expect_status(200);
    assert_eq!(whole.at("/full"), json!(true));
    let rows = whole.list_at("/rows");
    assert_eq!(rows.len(), 2);
    let bob = rows.iter().find(|one| one["name"] == "Bob").expect("Bob");
    assert_eq!(bob["v"].as_array().map(Vec::len), Some(1));
    let epoch = |position: &str| position.split('-').next().unwrap_or_default().to_owned();
    assert_ne!(epoch(&whole.text_at("/position")), epoch(&copy.position));
    // A phone that had no connection let Ada in by her code alone.
    let item = json!({"barcode": ada, "nonce": "1", "scanned_at": "2026-05-01T10:00:00Z",
                      "offline": {"verdict": "accepted"}});
    let body = json!({"table_id": event.table, "items": [item]});
    let reply = phone.post("/pulse/check-ins/sync", &body).await;
    let record = reply.expect_status(200).at("/results/0/answer/check_in");
    assert_eq!(
        (&record["row_id"], &record["overrode"]),
        (&json!(row), &json!("canceled"))
    );
}

/// Changes so many guests beside the API, and has the object look.
async fn change_many(event: &Event, guests: i64) {
    let database = Database::admin().await;
    database.as_tenant(&event.tenant.id).await;
    let sql = "with changed as (
                 update pulse_rows set category = 'changed ' || $2::bigint where id in (
                   select id from pulse_rows where table_id = $1::text::uuid
                   order by id limit $2::bigint) returning 1)
               select to_jsonb(count(*)) from changed";
    let of = [(&event.table as _, Type::TEXT), (&guests as _, Type::INT8)];
    assert_eq!(database.json(sql, &of).await, guests);
    event
        .configure(json!({"settings": {"show_popup": false}}))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_guests_are_taken_in_the_clear_and_sealed() {
    let _alone = alone().await;
    let event = large_event(GUESTS).await;
    let phone = event.phone("one").client().await;
    let began = Instant::now();
    let mut copy = Copy::load(&phone, &event, u32::try_from(PAGE).expect("a page")).await;
    println!("in the clear: {:?}", began.elapsed());
    assert_eq!(copy.guests.len() as u64, GUESTS);

    let (kiosk, _) = event.paired(json!({"profile": "kiosk"})).await;
    let (mut sealed_rows, mut after) = (BTreeMap::new(), String::new());
    let began = Instant::now();
    let salt = loop {
        let page = roster(&kiosk, &event, &format!("?limit={PAGE}{after}")).await;
        let page = page.expect_status(200);
        for one in page.list_at("/sealed") {
            let (name, text) = (one[0].as_str(), one[1].as_str());
            let name = name.expect("a name").to_owned();
            sealed_rows.insert(name, text.expect("a text").to_owned());
        }
        match page.at("/next") {
            Value::String(next) => after = format!("&after={next}"),
            _ => break page.text_at("/salt"),
        }
    };
    println!("sealed: {:?}", began.elapsed());
    assert_eq!(sealed_rows.len() as u64, GUESTS);
    let salt = u128::from_str_radix(&salt, 16)
        .expect("a salt")
        .to_be_bytes();
    for code in ["G0", "G99999"] {
        let text = &sealed_rows[&sealed::name(&salt, code)];
        let opened = sealed::open(&salt, event.table.parse().expect("an id"), code, text);
        let guests: Value = serde_json::from_str(&opened.expect("opened")).expect("guests");
        assert_eq!(guests[0]["barcode"], code);
    }

    change_many(&event, 19_000).await;
    copy.update(&phone, &event).await;
    let changed = |copy: &Copy, category: &str| {
        let guests = copy.guests.values();
        guests.filter(|guest| guest["category"] == category).count()
    };
    assert_eq!(changed(&copy, "changed 19000"), 19_000);
    change_many(&event, 20_001).await;
    let query = format!("?since={}&limit={PAGE}", copy.position);
    let whole = roster(&phone, &event, &query).await.expect_status(200);
    assert_eq!(
        whole.at("/full"),
        json!(true),
        "as quick as so many changes"
    );
    assert_eq!(whole.list_at("/rows").len(), PAGE);
}
