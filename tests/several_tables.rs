//! One scanner for the lists of several events.
//!
//! Invariant: a scan is recorded in exactly one table, the one that knows its code; the others do not
//! change.
//! Failure: each test names the answer that came instead.

use pulse_tests::event::merge;
use pulse_tests::list::{Copy, roster};
use pulse_tests::prelude::*;
use uuid::Uuid;

/// Two events of one tenant.
async fn two(first: &[&str], second: &[&str]) -> (Event, Event) {
    let one = Event::with_guests(first).open().await;
    let other = Event::with_guests(second).of(&one.tenant).open().await;
    (one, other)
}

/// Adds a guest with this code to an event's list.
async fn add(event: &Event, name: &str, code: &str) {
    let path = format!("/pulse/tables/{}/rows", event.table);
    let row = json!({"name": name, "barcode": code});
    event.client().post(&path, &row).await.expect_status(201);
}

fn among(events: &[&Event], body: Value) -> Value {
    let tables: Vec<&str> = events.iter().map(|event| event.table.as_str()).collect();
    let mut full = json!({"tables": tables, "nonce": Uuid::new_v4().to_string()});
    merge(&mut full, body);
    full
}

async fn scan(client: &Client, events: &[&Event], body: Value) -> Answer {
    let reply = client.post("/pulse/check-ins", &among(events, body)).await;
    Answer::of(reply)
}

/// 19: a scanner of several events picks the right list; 20: the other list is independent.
#[tokio::test]
async fn a_code_is_scanned_on_the_list_that_has_it() {
    let (one, other) = two(&["Ada"], &["Bob"]).await;
    let (phone, _) = one.paired(json!({"also": [other.table]})).await;
    let both = [&one, &other];
    let ada = scan(&phone, &both, json!({"barcode": one.code("Ada")})).await;
    ada.accepted().has("/check_in/table_id", one.table.as_str());
    let bob = scan(&phone, &both, json!({"barcode": other.code("Bob")})).await;
    bob.accepted()
        .has("/check_in/table_id", other.table.as_str());
    let again = scan(&phone, &both, json!({"barcode": other.code("Bob")})).await;
    again
        .duplicate()
        .has("/check_in/table_id", other.table.as_str());
    let by_row = scan(
        &phone,
        &both,
        json!({"row_id": other.row_id("Bob"), "direction": "exit"}),
    )
    .await;
    by_row
        .accepted()
        .has("/check_in/table_id", other.table.as_str());
    one.recorded()
        .await
        .counts(|c| c.checked_in == 1 && c.inside == 1 && c.duplicates == 0);
    other
        .recorded()
        .await
        .counts(|c| c.checked_in == 1 && c.inside == 0 && c.duplicates == 1);
    assert_eq!(other.check_ins("").await.len(), 2);
}

/// 20: the same guest is on both lists, and each list counts for itself.
#[tokio::test]
async fn lists_that_share_a_code_are_independent_when_one_is_named() {
    let (one, other) = two(&[], &[]).await;
    add(&one, "Ada", "SHARED").await;
    add(&other, "Ada", "SHARED").await;
    let (phone, _) = one.paired(json!({"also": [other.table]})).await;
    for event in [&one, &other] {
        let only = scan(&phone, &[event], json!({"barcode": "SHARED"})).await;
        only.accepted()
            .has("/check_in/table_id", event.table.as_str());
        let named = json!({"barcode": "SHARED"});
        Answer::of(event.scan_by(&phone, named).await).duplicate();
        event
            .recorded()
            .await
            .counts(|c| c.checked_in == 1 && c.duplicates == 1);
    }
}

/// 16: a code that several lists know is refused once, and says which lists.
#[tokio::test]
async fn a_code_that_several_lists_have_is_ambiguous_and_names_them() {
    let (one, other) = two(&["Eve"], &[]).await;
    add(&one, "Ada", "SHARED").await;
    add(&other, "Ada", "SHARED").await;
    let (phone, _) = other.paired(json!({"also": [one.table]})).await;
    for (event, name) in [(&one, "Gala"), (&other, "After-show")] {
        let path = format!("/pulse/tables/{}", event.table);
        let rename = json!({"name": name});
        event
            .client()
            .patch(&path, &rename)
            .await
            .expect_status(200);
    }
    let both = [&one, &other];
    let body = among(&both, json!({"barcode": "SHARED", "force": true}));
    let answer = Answer::of(phone.post("/pulse/check-ins", &body).await).refused("ambiguous");
    answer
        .explains("several lists: Gala, After-show")
        .has("/check_in/table_id", other.table.as_str());
    let replay = phone
        .post("/pulse/check-ins", &body)
        .await
        .expect_status(200);
    assert_eq!(replay.header("idempotent-replayed"), Some("true"));
    let dashboard = other.recorded().await;
    assert_eq!(dashboard.at("/refused/ambiguous"), json!(1));
    one.recorded().await.counts(|c| c.checked_in == 0);
    assert_eq!(one.check_ins("").await.len(), 0);
    let staff = scan(one.client(), &both, json!({"barcode": "SHARED"})).await;
    let staff = staff.refused("ambiguous");
    staff.has("/check_in/table_id", one.table.as_str());
}

/// 5: a code that no list has is refused once: at the scanner's own table, or the first one named.
#[tokio::test]
async fn a_code_that_no_list_has_is_recorded_once() {
    let (one, other) = two(&["Ada"], &["Bob"]).await;
    let (phone, _) = one.paired(json!({"also": [other.table]})).await;
    let nobody = json!({"barcode": "nobody\'s"});
    let answer = scan(&phone, &[&other, &one], nobody.clone()).await;
    let answer = answer.refused("unknown_code");
    answer.has("/check_in/table_id", one.table.as_str());
    let answer = scan(&phone, &[&other], nobody.clone()).await;
    let answer = answer.refused("unknown_code");
    answer.has("/check_in/table_id", other.table.as_str());
    let answer = scan(one.client(), &[&other, &one], nobody).await;
    let answer = answer.refused("unknown_code");
    answer.has("/check_in/table_id", other.table.as_str());
    assert_eq!(one.recorded().await.at("/refused/unknown_code"), json!(1));
    assert_eq!(other.recorded().await.at("/refused/unknown_code"), json!(2));
}

/// 23: a retry finds the first answer, even if another list knows the code since.
#[tokio::test]
async fn a_retry_finds_the_first_answer_whatever_the_lists_became() {
    let (one, other) = two(&["Ada"], &["Bob"]).await;
    let (phone, _) = one.paired(json!({"also": [other.table]})).await;
    let both = [&one, &other];
    let code = other.code("Bob");
    let accepted = among(&both, json!({"barcode": code}));
    let first = phone
        .post("/pulse/check-ins", &accepted)
        .await
        .expect_status(201);
    let unknown = among(&both, json!({"barcode": "LATER"}));
    let refused = phone
        .post("/pulse/check-ins", &unknown)
        .await
        .expect_status(200);
    add(&one, "Bob too", &code).await;
    add(&other, "Late", "LATER").await;
    for (body, before) in [(&accepted, &first), (&unknown, &refused)] {
        let again = phone
            .post("/pulse/check-ins", body)
            .await
            .expect_status(200);
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.json(), before.json());
    }
    let fresh = scan(&phone, &both, json!({"barcode": code})).await;
    fresh.refused("ambiguous");
    let late = scan(&phone, &both, json!({"barcode": "LATER"})).await;
    late.accepted()
        .has("/check_in/table_id", other.table.as_str());
    other
        .recorded()
        .await
        .counts(|c| c.checked_in == 2 && c.duplicates == 0);
}

/// 47: no permission for one list fails all, for the session and for the scan.
#[tokio::test]
async fn no_permission_for_one_list_fails_all() {
    let (one, other) = two(&["Ada"], &["Bob"]).await;
    let stranger = Event::with_guests(["Eve"]).open().await;
    let closed = one.tenant.table("Europe/Berlin").await;
    for bad in [stranger.table.clone(), closed, Uuid::new_v4().to_string()] {
        let body = json!({"table_id": one.table, "name": "Phone", "also": [other.table, bad]});
        one.client()
            .post("/pulse/sessions", &body)
            .await
            .problem(404, "table_not_found")
            .points_at("/also/1");
    }
    let path = format!("/pulse/sessions?table_id={}", one.table);
    let made = one.client().get(&path).await.expect_status(200);
    assert_eq!(made.list_at("/items"), Vec::<Value>::new());
    let (phone, session) = one.paired(json!({"name": "Phone"})).await;
    let patch = json!({"name": "Renamed", "also": [other.table, stranger.table]});
    one.client()
        .patch(&session, &patch)
        .await
        .problem(404, "table_not_found");
    let (_, lent) = one.paired(json!({"also": [other.table]})).await;
    let patch = json!({"also": [one.table]});
    one.client()
        .patch(&lent, &patch)
        .await
        .problem(422, "repeated")
        .points_at("/also/0");
    for foreign in [&other, &stranger] {
        let body = among(&[&one, foreign], json!({"barcode": one.code("Ada")}));
        phone.post("/pulse/check-ins", &body).await.problem_of(404);
    }
    let body = among(&[&one, &stranger], json!({"barcode": one.code("Ada")}));
    one.client()
        .post("/pulse/check-ins", &body)
        .await
        .problem_of(404);
    let viewer = json!({"profile": "viewer", "also": [other.table]});
    let (wall, _) = one.paired(viewer).await;
    let body = among(&[&one, &other], json!({"barcode": one.code("Ada")}));
    wall.post("/pulse/check-ins", &body)
        .await
        .problem(403, "role_not_allowed");
    one.recorded().await.counts(|c| c.checked_in == 0);
}

/// 17, 18: the same list twice, no list, too many, and what is not for several.
#[tokio::test]
async fn a_choice_of_lists_that_is_none_is_refused() {
    let (one, other) = two(&["Ada"], &["Bob"]).await;
    let (phone, session) = one.paired(json!({"also": [other.table]})).await;
    let ada = one.code("Ada");
    let many: Vec<Uuid> = (0..21).map(|_| Uuid::new_v4()).collect();
    for (body, pointer) in [
        (json!({"barcode": ada, "tables": []}), "/tables"),
        (
            json!({"barcode": ada, "tables": [one.table, other.table, one.table]}),
            "/tables/2",
        ),
        (json!({"barcode": ada, "tables": many}), "/tables"),
        (json!({"barcode": ada, "tables": ["x"]}), "/tables/0"),
        (
            json!({"barcode": ada, "tables": [one.table], "table_id": one.table}),
            "/table_id",
        ),
        (
            json!({"walk_in": {"name": "Eve"}, "tables": [one.table]}),
            "/walk_in",
        ),
        (json!({"barcode": "", "tables": [one.table]}), "/barcode"),
        (json!({"barcode": ada}), "/table_id"),
    ] {
        let mut full = json!({"nonce": "n"});
        merge(&mut full, body);
        let reply = phone.post("/pulse/check-ins", &full).await;
        reply.problem_of(422).points_at(pointer);
    }
    let item = json!({"barcode": ada, "nonce": "n", "tables": [one.table]});
    let batch = json!({"table_id": one.table, "items": [item]});
    let reply = phone
        .post("/pulse/check-ins/sync", &batch)
        .await
        .expect_status(200);
    assert_eq!(
        reply.at("/results/0/error/errors/0/pointer"),
        json!("/tables")
    );
    let twice = json!({"also": [other.table, other.table]});
    one.client()
        .patch(&session, &twice)
        .await
        .problem_of(422)
        .points_at("/also/1");
    one.client()
        .patch(&session, &json!({"also": many}))
        .await
        .problem_of(422)
        .points_at("/also");
    let home = json!({"table_id": one.table, "name": "P", "also": [one.table]});
    one.client()
        .post("/pulse/sessions", &home)
        .await
        .problem_of(422)
        .points_at("/also/0");
    one.recorded().await.counts(|c| c.checked_in == 0);
}

/// Every table of a session sees at once what becomes of it.
#[tokio::test]
async fn a_change_of_the_session_is_seen_by_all_its_tables_at_once() {
    let (one, other) = two(&["Ada"], &["Bob", "Cleo"]).await;
    let third = Event::with_guests(["Dan"]).of(&one.tenant).open().await;
    let (phone, session) = one.paired(json!({"name": "Phone", "gate": "North"})).await;
    let bob = |nonce: &str| json!({"barcode": other.code("Bob"), "nonce": nonce});
    other.scan_by(&phone, bob("1")).await.problem_of(404);
    let lent = json!({"also": [other.table, third.table]});
    let answer = one.client().patch(&session, &lent).await.expect_status(200);
    let mut also = [json!(other.table), json!(third.table)];
    also.sort_by_key(Value::to_string);
    assert_eq!(answer.at("/also"), json!(also));
    let scanned = Answer::of(other.scan_by(&phone, bob("2")).await).accepted();
    scanned.has("/check_in/gate", "North");
    let listed = format!("/pulse/sessions?table_id={}", third.table);
    let listed = one.client().get(&listed).await.expect_status(200);
    assert_eq!(listed.at("/items/0/name"), json!("Phone"));
    assert_eq!(
        other.dashboard().await.at("/active_scanners/0/name"),
        json!("Phone")
    );

    one.client()
        .patch(&session, &json!({"name": "Telephone"}))
        .await
        .expect_status(200);
    assert_eq!(
        other.dashboard().await.at("/active_scanners/0/name"),
        json!("Telephone")
    );

    let taken = json!({"also": [third.table]});
    one.client()
        .patch(&session, &taken)
        .await
        .expect_status(200);
    other.scan_by(&phone, bob("3")).await.problem_of(404);
    assert_eq!(other.dashboard().await.at("/active_scanners"), json!([]));
    let dan = json!({"barcode": third.code("Dan")});
    Answer::of(third.scan_by(&phone, dan.clone()).await).accepted();

    let rolled = one
        .client()
        .post(&format!("{session}/roll"), &json!({}))
        .await
        .expect_status(200);
    third
        .scan_by(&phone, dan.clone())
        .await
        .problem(401, "device_rolled");
    let newer = Client::anonymous().with_token(&rolled.text_at("/token"));
    Answer::of(third.scan_by(&newer, dan.clone()).await).duplicate();
    one.client()
        .post(&format!("{session}/revoke"), &json!({}))
        .await
        .expect_status(200);
    third
        .scan_by(&newer, dan)
        .await
        .problem(401, "device_revoked");
}

/// A gate of the scanner that another event does not have is no gate there, and no obstacle.
#[tokio::test]
async fn the_gate_of_a_scanner_counts_only_where_it_exists() {
    let one = Event::with_guests(["Ada"]).gate("North", []).open().await;
    let other = Event::with_guests(["Bob:vip"]).gate("Lounge", ["vip"]);
    let other = other.of(&one.tenant).open().await;
    let lent = json!({"gate": "North", "also": [other.table]});
    let (phone, _) = one.paired(lent).await;
    let both = [&one, &other];
    let bob = json!({"barcode": other.code("Bob")});
    let bob = scan(&phone, &both, bob).await.accepted();
    bob.has("/check_in/gate", Value::Null);
    let ada = scan(&phone, &both, json!({"barcode": one.code("Ada")})).await;
    ada.accepted().has("/check_in/gate", "North");
}

/// A scanner counts its scans whichever table they are of, also when both record at once.
#[tokio::test]
async fn a_session_counts_the_scans_of_all_its_tables() {
    let names: Vec<String> = (0..30).map(|number| format!("Guest {number}")).collect();
    let guests: Vec<&str> = names.iter().map(String::as_str).collect();
    let (one, other) = two(&guests, &guests).await;
    let phones = [
        one.paired(json!({"also": [other.table]})).await,
        other.paired(json!({"also": [one.table]})).await,
    ];
    for name in &names {
        for (phone, _) in &phones {
            for event in [&one, &other] {
                Answer::of(
                    event
                        .scan_by(phone, json!({"barcode": event.code(name)}))
                        .await,
                );
            }
        }
    }
    one.recorded()
        .await
        .counts(|c| c.checked_in == 30 && c.duplicates == 30);
    other
        .recorded()
        .await
        .counts(|c| c.checked_in == 30 && c.duplicates == 30);
    let path = format!("/pulse/sessions?table_id={}", one.table);
    let sessions = one.client().get(&path).await.expect_status(200);
    let scans: Vec<Value> = sessions
        .list_at("/items")
        .iter()
        .map(|session| session["total_scans"].clone())
        .collect();
    assert_eq!(scans, [json!(60), json!(60)]);
}

/// A lent scanner works at both tables; what it says of itself it says at its own.
#[tokio::test]
async fn a_lent_scanner_takes_the_list_and_the_scans_of_both_and_reports_at_its_own_table() {
    let (one, other) = two(&["Ada"], &["Bob"]).await;
    let (phone, path) = one.paired(json!({"also": [other.table]})).await;
    let list = Copy::load(&phone, &other, 100).await;
    assert_eq!(list.guest(&other, "Bob")["name"], "Bob");
    let mut socket = Socket::connect(&other.live_path(), phone.token()).await;
    socket.subscribe("roster").await;
    let scan = json!({"barcode": other.code("Bob"), "nonce": "1"});
    let told = socket.request(json!({ "scan": scan })).await;
    assert_eq!(told["verdict"]["verdict"], "accepted", "{told}");
    let pushed = socket.event_of("roster").await;
    assert_eq!(pushed["data"]["rows"][0]["name"], "Bob", "{pushed}");
    let item = json!({"barcode": other.code("Bob"), "nonce": "2", "direction": "exit",
                      "scanned_at": "2026-05-01T10:00:00Z", "offline": {"verdict": "accepted"}});
    let synced = socket.request(json!({"sync": {"items": [item]}})).await;
    assert_eq!(synced["synced"]["results"][0]["status"], 201, "{synced}");
    other.dashboard().await.counts(|c| c.checked_in == 1);

    let said = json!({"battery": 0.5, "pending": 4});
    let refused = socket.request(json!({ "status": said })).await;
    assert_eq!(refused["error"]["code"], "other_table", "{refused}");
    let status = format!("{path}/status");
    phone.post(&status, &said).await.expect_status(204);
    let at = async |event: &Event| event.dashboard().await.at("/active_scanners/0");
    assert_eq!(at(&one).await["pending"], 4);
    let lent = at(&other).await;
    assert_eq!(
        (&lent["pending"], &lent["online"]),
        (&Value::Null, &json!(true))
    );

    let take_away = json!({"also": []});
    let reply = one.client().patch(&path, &take_away).await;
    reply.expect_status(200);
    assert_eq!(socket.closed().await, 3500);
    roster(&phone, &other, "").await.problem_of(404);
    roster(&phone, &one, "").await.expect_status(200);
}
