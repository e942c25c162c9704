//! Scans that devices decided without a connection, reported in batches.
//!
//! Invariant: the earliest entry of a ticket stands whatever the order of arrival; nobody who went
//! through is erased; each item of a batch is answered.
//! Failure: each test names the answer that came instead.

use pulse_tests::event::{Scanner, merge};
use pulse_tests::prelude::*;
use uuid::Uuid;

/// What a phone without a connection queued.
fn queued(event: &Event, guest: &str, nonce: &str, time: &str) -> Value {
    json!({"barcode": event.code(guest), "nonce": nonce, "scanned_at": time,
           "offline": {"verdict": "accepted"}})
}

async fn sync(event: &Event, scanner: &Scanner<'_>, items: &[Value]) -> Reply {
    let body = json!({"table_id": event.table, "items": items});
    let client = scanner.client().await;
    client.post("/pulse/check-ins/sync", &body).await
}

/// A record without what says when it arrived.
fn settled(record: &Value) -> Value {
    let mut record = record.clone();
    for arrival in [
        "seq",
        "received_at",
        "clock_skew_ms",
        "table_id",
        "row_id",
        "row_data",
    ] {
        record.as_object_mut().unwrap().remove(arrival);
    }
    for own in ["id", "session_id", "barcode", "conflict"] {
        let known = record[own].is_null();
        record[own] = json!(if known { "none" } else { "some" });
    }
    record
}

/// 52: two offline devices, both upload orders: the same final state.
#[tokio::test]
async fn two_devices_that_let_one_ticket_in_agree_whichever_reports_first() {
    let mut finals = Vec::new();
    for order in [["one", "two"], ["two", "one"]] {
        let event = Event::with_guests(["Ada", "Bob"]).open().await;
        for phone in order {
            let time = if phone == "one" {
                "2024-06-01T18:00:00Z"
            } else {
                "2024-06-01T18:04:30Z"
            };
            let items = [queued(&event, "Ada", phone, time)];
            let reply = sync(&event, &event.phone(phone), &items)
                .await
                .expect_status(200);
            assert_eq!(reply.at("/results/0/status"), json!(201));
            assert_eq!(reply.at("/results/0/answer/verdict"), json!("accepted"));
        }
        let dashboard = event.recorded().await;
        let counts = dashboard.counts(|c| c.checked_in == 1 && c.inside == 1);
        assert_eq!(counts.at("/conflicts"), json!(1));
        let records = event.check_ins("verdict=accepted").await;
        let loser = records
            .iter()
            .find(|record| !record["conflict"].is_null())
            .unwrap();
        let winner = records
            .iter()
            .find(|record| record["conflict"].is_null())
            .unwrap();
        assert_eq!(loser["check_in_time"], json!("2024-06-01T18:04:30.000Z"));
        assert_eq!(loser["device"], json!("two"));
        let conflict = &loser["conflict"];
        assert_eq!(conflict["kind"], json!("duplicate_conflict"));
        assert_eq!(conflict["check_in_id"], winner["id"]);
        assert_eq!(conflict["device"], json!("one"));
        assert_eq!(conflict["session_id"], winner["session_id"]);
        assert_eq!(conflict["gap_ms"], json!(270_000));
        let mut settled: Vec<Value> = records.iter().map(settled).collect();
        settled.sort_by_key(|record| record["check_in_time"].to_string());
        finals.push(settled);
    }
    assert_eq!(finals[0], finals[1]);
}

/// A late earlier scan re-elects the entry and corrects the counts live.
#[tokio::test]
async fn a_late_earlier_scan_corrects_the_record_and_every_dashboard() {
    let event = Event::with_guests(["Ada"]).open().await;
    let mut socket = event.socket().await;
    socket.subscribe("scans").await;
    let online = event.phone("online").scan("Ada").await.accepted();
    assert_eq!(
        socket.event_of("scans").await["data"]["conflict"],
        Value::Null
    );
    let items = [queued(&event, "Ada", "1", "2024-06-01T18:00:00Z")];
    let reply = sync(&event, &event.phone("cellar"), &items)
        .await
        .expect_status(200);
    assert_eq!(reply.at("/results/0/answer/check_in/conflict"), Value::Null);
    assert_eq!(
        reply.at("/results/0/answer/first_entry/at"),
        json!("2024-06-01T18:00:00.000Z")
    );
    let seen = socket.event_of("scans").await;
    assert_eq!(seen["type"], json!("checkin.accepted"));
    assert_eq!(
        seen["data"]["reelected"][0]["check_in_id"],
        json!(online.check_in())
    );
    assert_eq!(
        seen["data"]["reelected"][0]["conflict"]["device"],
        json!("cellar")
    );
    let dashboard = event
        .recorded()
        .await
        .counts(|c| c.checked_in == 1 && c.inside == 1);
    assert_eq!(dashboard.at("/conflicts"), json!(1));
    let record = event.check_ins("verdict=accepted").await;
    let online = record
        .iter()
        .find(|one| one["id"] == json!(online.check_in()))
        .unwrap();
    assert_eq!(online["conflict"]["device"], json!("cellar"));
    event
        .phone("online")
        .scan("Ada")
        .await
        .duplicate()
        .has("/first_entry/at", "2024-06-01T18:00:00.000Z");
}

/// 53: one poison item does not block its batch.
#[tokio::test]
async fn an_item_that_is_wrong_keeps_no_other_from_being_recorded() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let good = |guest: &str| queued(&event, guest, guest, "2024-06-01T18:00:00Z");
    let other_table = Uuid::new_v4();
    let mut elsewhere = good("Bob");
    merge(
        &mut elsewhere,
        json!({"table_id": other_table, "nonce": "elsewhere"}),
    );
    let items = [
        good("Ada"),
        json!(17),
        json!({"nonce": "no target"}),
        json!({"barcode": "X", "nonce": "y", "scanned_at": "soon"}),
        json!({"barcode": "X", "nonce": "z", "colour": "red"}),
        json!({"barcode": "\u{0}", "nonce": "nul"}),
        elsewhere,
        json!({"barcode": "nobody", "nonce": "unknown", "offline": {"verdict": "accepted"}}),
        json!({"barcode": "nobody", "nonce": "why", "offline": {"verdict": "refused"}}),
        good("Bob"),
    ];
    let reply = sync(&event, &event.door(), &items).await.expect_status(200);
    let statuses: Vec<Value> = reply
        .list_at("/results")
        .iter()
        .map(|one| one["status"].clone())
        .collect();
    assert_eq!(
        json!(statuses),
        json!([201, 422, 422, 422, 422, 422, 404, 200, 422, 201])
    );
    assert_eq!(
        reply.at("/results/4/error/errors/0/pointer"),
        json!("/colour")
    );
    assert_eq!(reply.at("/results/7/answer/reason"), json!("unknown_code"));
    assert_eq!(
        reply.at("/results/7/answer/warnings"),
        json!(["admitted_offline"])
    );
    assert_eq!(
        reply.at("/results/8/error/errors/0/pointer"),
        json!("/offline/reason")
    );
    event.recorded().await.counts(|c| c.checked_in == 2);
}

/// A batch whose answer was lost is sent again: the same answers, nothing twice.
#[tokio::test]
async fn a_repeated_batch_is_answered_again_and_changes_nothing() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let items: Vec<Value> = [
        ("Ada", "18:00:00"),
        ("Bob", "18:01:00"),
        ("Ada", "18:02:00"),
    ]
    .iter()
    .map(|(guest, time)| queued(&event, guest, time, &format!("2024-06-01T{time}Z")))
    .collect();
    let first = sync(&event, &event.door(), &items).await.expect_status(200);
    let again = sync(&event, &event.door(), &items).await.expect_status(200);
    assert_eq!(first.at("/seq"), again.at("/seq"));
    for place in 0..items.len() {
        assert_eq!(
            first.at(&format!("/results/{place}/answer")),
            again.at(&format!("/results/{place}/answer"))
        );
        assert_eq!(again.at(&format!("/results/{place}/replayed")), json!(true));
    }
    event.recorded().await.counts(|c| c.checked_in == 2);
}

/// What the device told the guest is kept: turned away is turned away, let through is let through.
#[tokio::test]
async fn the_server_keeps_to_what_the_device_told_the_guest() {
    let event = Event::with_guests(["Ada", "Bob", "Eve"]).open().await;
    event
        .change("Bob", json!({"status": "canceled"}))
        .await
        .expect_status(200);
    let told = |guest: &str, offline: Value| {
        json!({"barcode": event.code(guest), "nonce": guest, "offline": offline,
               "scanned_at": "2024-06-01T18:00:00Z"})
    };
    let items = [
        told(
            "Ada",
            json!({"verdict": "refused", "reason": "event_not_open"}),
        ),
        told("Bob", json!({"verdict": "accepted"})),
        told("Eve", json!({"verdict": "duplicate"})),
    ];
    let reply = sync(&event, &event.door(), &items).await.expect_status(200);
    assert_eq!(
        reply.at("/results/0/answer/reason"),
        json!("event_not_open")
    );
    assert_eq!(reply.at("/results/1/answer/verdict"), json!("accepted"));
    assert_eq!(
        reply.at("/results/1/answer/check_in/overrode"),
        json!("canceled")
    );
    assert_eq!(
        reply.at("/results/1/answer/warnings"),
        json!(["admitted_offline"])
    );
    assert_eq!(reply.at("/results/2/answer/verdict"), json!("duplicate"));
    let dashboard = event
        .recorded()
        .await
        .counts(|c| c.checked_in == 1 && c.duplicates == 1);
    assert_eq!(dashboard.at("/refused/event_not_open"), json!(1));
    let records = event.check_ins("").await;
    assert_eq!(records.len(), 3);
    let eve = records
        .iter()
        .find(|one| one["verdict"] == json!("duplicate"))
        .unwrap();
    assert_eq!(
        (&eve["offline"], &eve["reason"]),
        (&json!("duplicate"), &json!("already_checked_in"))
    );
}

/// A device that was shut out brings nothing; a manager brings its queue for it, as that device's.
#[tokio::test]
async fn a_manager_brings_what_a_revoked_device_queued() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let (device, path) = event.paired(json!({"name": "Cellar"})).await;
    let session = path.rsplit('/').next().expect("an id");
    let items = [
        queued(&event, "Ada", "1", "2024-06-01T18:00:00Z"),
        queued(&event, "Bob", "2", "2024-06-01T18:01:00Z"),
    ];
    let own = json!({"session_id": session});
    let first = event.bring(&device, &items[..1], own.clone()).await;
    let first = first.expect_status(200);
    let revoke = format!("{path}/revoke");
    event
        .client()
        .call("POST", &revoke)
        .await
        .expect_status(200);
    for more in [json!({}), own.clone()] {
        let refused = event.bring(&device, &items, more).await;
        let refused = refused.problem(401, "device_revoked");
        assert_eq!(refused.at("/wipe"), true, "{refused}");
    }
    let brought = event.bring(event.client(), &items, own.clone()).await;
    let brought = brought.expect_status(200);
    assert_eq!(brought.at("/results/0/replayed"), true, "{brought}");
    assert_eq!(
        brought.at("/results/0/answer"),
        first.at("/results/0/answer")
    );
    let record = brought.at("/results/1/answer/check_in");
    assert_eq!(
        (&record["session_id"], &record["device"]),
        (&json!(session), &json!("Cellar"))
    );
    let again = event
        .bring(event.client(), &items, own)
        .await
        .expect_status(200);
    assert_eq!(again.at("/results/1/replayed"), true, "{again}");
    let counts = event.recorded().await.counts(|c| c.checked_in == 2);
    assert_eq!(counts.at("/conflicts"), 0);
}

/// Nobody but a manager brings a queue that is not their own, and only scanners of the table have one.
#[tokio::test]
async fn who_may_not_bring_anothers_queue_is_refused() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (device, _) = event.paired(json!({})).await;
    let (_, other) = event.paired(json!({})).await;
    let stranger = Event::with_guests(["Eve"]).open().await;
    let (_, theirs) = stranger.paired(json!({})).await;
    let items = [queued(&event, "Ada", "1", "2024-06-01T18:00:00Z")];
    let send = |client: &Client, path: &str| {
        let session = path.rsplit('/').next().unwrap_or_default();
        let body = json!({"table_id": event.table, "session_id": session, "items": items});
        client.post("/pulse/check-ins/sync", &body)
    };
    let agent = event.tenant.member("agent").await.client;
    for who in [&device, &agent] {
        for path in [&other, &theirs] {
            send(who, path).await.problem(403, "role_not_allowed");
        }
    }
    let manager = event.tenant.member("manager").await.client;
    send(&manager, &theirs)
        .await
        .problem_of(422)
        .points_at("/session_id");
    event.dashboard().await.counts(|c| c.checked_in == 0);
    send(&manager, &other).await.expect_status(200);
    event.dashboard().await.counts(|c| c.checked_in == 1);
}

/// A batch that is none is refused as a whole, and names the field.
#[tokio::test]
async fn a_batch_that_is_none_is_refused() {
    let event = Event::with_guests(["Ada"]).open().await;
    let client = event.door().client().await;
    let send = |body: Value| client.post("/pulse/check-ins/sync", &body);
    let table = &event.table;
    send(json!({"table_id": table, "items": []}))
        .await
        .problem_of(422)
        .points_at("/items");
    let many = vec![json!({"barcode": "A", "nonce": "1"}); 201];
    send(json!({"table_id": table, "items": many}))
        .await
        .problem_of(422)
        .points_at("/items");
    send(json!({"items": [{"barcode": "A", "nonce": "1"}]}))
        .await
        .problem_of(422)
        .points_at("/table_id");
    send(json!({"table_id": table, "items": {}}))
        .await
        .problem_of(422)
        .points_at("/items");
    send(json!({"table_id": Uuid::new_v4(), "items": [{}]}))
        .await
        .problem_of(404);
    event.dashboard().await.counts(|c| c.checked_in == 0);
}
