//! Scans over the live connection: the same bodies, the same answers, the same rights as over HTTP.
//!
//! Invariant: a scan is one scan whichever way it came, and however often.
//! Failure: the frame that was answered otherwise.

use pulse_tests::prelude::*;
use uuid::Uuid;

/// A scanner's socket.
async fn socket_of(event: &Event, phone: &str) -> Socket {
    let client = event.phone(phone).client().await;
    Socket::connect(&event.live_path(), client.token()).await
}

fn item(event: &Event, guest: &str, nonce: &str) -> Value {
    json!({"barcode": event.code(guest), "nonce": nonce, "scanned_at": "2024-06-01T18:00:00Z",
           "offline": {"verdict": "accepted"}})
}

/// An answer without what differs from request to request.
fn lasting(answer: &Value) -> Value {
    let mut answer = answer.clone();
    for pointer in [
        "/check_in/id",
        "/check_in/session_id",
        "/check_in/received_at",
        "/check_in/clock_skew_ms",
        "/check_in/table_id",
        "/check_in/row_id",
        "/check_in/row_data/row_id",
        "/guest/row_id",
        "/check_in/barcode",
        "/check_in/check_in_time",
        "/check_in/last_scanned_at",
        "/check_in/conflict/check_in_id",
        "/check_in/conflict/session_id",
        "/check_in/conflict/at",
        "/first_entry/at",
    ] {
        if let Some(value) = answer.pointer_mut(pointer) {
            *value = Value::Null;
        }
    }
    answer
}

#[tokio::test]
async fn a_batch_over_a_socket_is_answered_as_over_http() {
    let mut told = Vec::new();
    for over_socket in [true, false] {
        let event = Event::with_guests(["Ada", "Bob"]).open().await;
        let body = json!({"sent_at": "2024-06-01T19:00:00Z", "items": [
            item(&event, "Ada", "1"),
            {"barcode": "nobody's", "nonce": "2"},
            {"barcode": event.code("Ada"), "nonce": "3", "offline": {"verdict": "accepted"},
             "scanned_at": "2024-06-01T18:05:00Z"},
            {"row_id": event.row_id("Bob"), "nonce": "4"},
        ]});
        let synced = if over_socket {
            let reply = socket_of(&event, "door")
                .await
                .request(json!({"sync": body}))
                .await;
            reply["synced"].clone()
        } else {
            let mut body = body;
            body["table_id"] = json!(event.table);
            let client = event.door().client().await;
            let reply = client.post("/pulse/check-ins/sync", &body).await;
            reply.expect_status(200).json()
        };
        let results = synced["results"].as_array().expect("results").iter();
        let results: Vec<Value> = results
            .map(|one| json!([one["status"], one["replayed"], lasting(&one["answer"])]))
            .collect();
        told.push((synced["seq"].clone(), results));
        let dashboard = event.recorded().await.counts(|c| c.checked_in == 2);
        assert_eq!(dashboard.at("/conflicts"), json!(1));
    }
    let statuses: Vec<&Value> = told[0].1.iter().map(|one| &one[0]).collect();
    assert_eq!(
        statuses,
        [&json!(201), &json!(200), &json!(201), &json!(201)]
    );
    assert_eq!(
        told[0].1[0][2]["check_in"]["sent_at"],
        "2024-06-01T19:00:00.000Z"
    );
    assert_eq!(
        told[0].1[2][2]["check_in"]["conflict"]["kind"],
        "duplicate_conflict"
    );
    assert_eq!(told[0], told[1]);
}

/// 23: one nonce, one record, whichever way the retry takes.
#[tokio::test]
async fn a_scan_that_is_repeated_the_other_way_is_answered_as_before() {
    let event = Event::with_guests(["Ada", "Bob", "Cleo"]).open().await;
    let mut socket = socket_of(&event, "door").await;
    let client = event.door().client().await;
    let items = [item(&event, "Ada", "a"), item(&event, "Bob", "b")];
    let first = socket.request(json!({"sync": {"items": items}})).await;
    assert_eq!(first["synced"]["results"][1]["replayed"], Value::Null);
    let again = json!({"table_id": event.table, "items": items});
    let again = client
        .post("/pulse/check-ins/sync", &again)
        .await
        .expect_status(200);
    for place in 0..2 {
        let before = &first["synced"]["results"][place];
        assert_eq!(
            again.at(&format!("/results/{place}/answer")),
            before["answer"]
        );
        assert_eq!(again.at(&format!("/results/{place}/replayed")), json!(true));
        assert_eq!(again.at(&format!("/results/{place}/status")), json!(200));
    }
    let single = socket.request(json!({"scan": items[0]})).await;
    assert_eq!(single["verdict"], first["synced"]["results"][0]["answer"]);
    let over_http = json!({"barcode": event.code("Cleo"), "nonce": "c"});
    let accepted = event.door().scan_with(over_http.clone()).await.accepted();
    let late = socket
        .request(json!({"sync": {"items": [over_http]}}))
        .await;
    assert_eq!(late["synced"]["results"][0]["replayed"], json!(true));
    assert_eq!(
        late["synced"]["results"][0]["answer"]["seq"],
        json!(accepted.seq())
    );
    let dashboard = event
        .recorded()
        .await
        .counts(|c| c.checked_in == 3 && c.duplicates == 0);
    assert_eq!(dashboard.at("/record/seq"), json!(3));
}

#[tokio::test]
async fn only_who_may_scan_sends_batches() {
    let event = Event::with_guests(["Ada"]).open().await;
    let wall = event
        .session(json!({"name": "Wall", "profile": "viewer"}))
        .await
        .text_at("/token");
    let office = event.tenant.member("read_only").await;
    let body = json!({"sync": {"items": [item(&event, "Ada", "1")]}});
    for token in [wall.as_str(), office.client.token()] {
        let mut socket = Socket::connect(&event.live_path(), token).await;
        let answer = socket.request(body.clone()).await;
        assert_eq!(answer["error"]["code"], "role_not_allowed", "{answer}");
        socket.subscribe("scans").await;
        socket.quiet().await;
    }
    let mut manager = event.socket().await;
    let answer = manager.request(body).await;
    assert_eq!(answer["synced"]["results"][0]["status"], json!(201));
    event.dashboard().await.counts(|c| c.checked_in == 1);
}

/// 53: one poison item does not block its batch.
#[tokio::test]
async fn an_item_that_is_wrong_keeps_no_other_of_the_frame_from_being_recorded() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let mut elsewhere = item(&event, "Bob", "elsewhere");
    elsewhere["table_id"] = json!(Uuid::new_v4());
    let items = [
        item(&event, "Ada", "a"),
        json!(17),
        json!({"nonce": "no target"}),
        json!({"barcode": "X", "nonce": "z", "colour": "red"}),
        elsewhere,
        item(&event, "Bob", "b"),
    ];
    let mut socket = socket_of(&event, "door").await;
    let reply = socket.request(json!({"sync": {"items": items}})).await;
    let results = reply["synced"]["results"].as_array().expect("results");
    let statuses: Vec<&Value> = results.iter().map(|one| &one["status"]).collect();
    assert_eq!(json!(statuses), json!([201, 422, 422, 422, 404, 201]));
    assert_eq!(results[3]["error"]["errors"][0]["pointer"], "/colour");
    event.recorded().await.counts(|c| c.checked_in == 2);
}

#[tokio::test]
async fn a_frame_that_is_no_batch_is_answered_and_the_socket_lives() {
    let event = Event::with_guests(["Ada"]).open().await;
    let mut socket = socket_of(&event, "door").await;
    let many = vec![json!({"barcode": "A", "nonce": "1"}); 201];
    let other = Uuid::new_v4();
    for (body, code) in [
        (json!({"items": []}), "invalid"),
        (json!({"items": many}), "invalid"),
        (json!({"items": {}}), "invalid"),
        (json!({"colour": "red", "items": []}), "invalid"),
        (json!({"table_id": other, "items": [{}]}), "not_found"),
    ] {
        let answer = socket.request(json!({"sync": body})).await;
        assert_eq!(answer["error"]["code"], code, "{answer}");
        assert_eq!(answer["error"]["temporary"], json!(false));
    }
    let full: Vec<Value> = (0..200)
        .map(|n| json!({"barcode": "A", "nonce": n.to_string()}))
        .collect();
    let answer = socket.request(json!({"sync": {"items": full}})).await;
    assert_eq!(
        answer["synced"]["results"].as_array().map(Vec::len),
        Some(200)
    );
    event.dashboard().await.counts(|c| c.checked_in == 0);
}
