//! Scans besides the list: walk-ins, who may scan, what a scan must be, and how scans are found.
//!
//! Invariant: a malformed or unauthorised scan is a problem and leaves no record.
//! Failure: each test names the answer that came instead.

use pulse_tests::prelude::*;

#[tokio::test]
async fn a_walk_in_is_made_and_admitted_in_one_call() {
    let event = Event::with_guests(["Ada"]).open().await;
    let guest = json!({"name": "Walter Walker", "email": "w@x.test", "category": "vip", "barcode": "band-1"});
    let answer = event
        .door()
        .scan_with(json!({"walk_in": guest, "notes": "paid cash"}))
        .await
        .accepted();
    let answer = answer
        .has("/check_in/walk_in", true)
        .has("/guest/name", "Walter Walker")
        .has("/check_in/notes", "paid cash");
    event
        .door()
        .scan("band-1")
        .await
        .duplicate()
        .has("/guest/name", "Walter Walker");
    event
        .dashboard()
        .await
        .counts(|c| c.walk_ins == 1 && c.checked_in == 1 && c.inside == 1);
    event.recorded().await;
    let row = answer.at("/guest/row_id");
    let path = format!(
        "/pulse/tables/{}/rows/{}",
        event.table,
        row.as_str().expect("a row")
    );
    let row = event.client().get(&path).await.expect_status(200);
    assert_eq!(
        (row.at("/source"), row.at("/name")),
        (json!("walk_in"), json!("Walter Walker"))
    );
}

#[tokio::test]
async fn a_walk_in_with_a_code_of_the_list_is_ambiguous() {
    let event = Event::with_guests(["Ada"]).open().await;
    let body = json!({"walk_in": {"name": "Eve", "barcode": event.code("Ada")}});
    event.door().scan_with(body).await.refused("ambiguous");
    event
        .door()
        .scan("Ada")
        .await
        .accepted()
        .has("/guest/name", "Ada");
}

#[tokio::test]
async fn walk_ins_can_be_off() {
    let event = Event::with_guests(["Ada"])
        .settings(json!({"walk_ins": false}))
        .open()
        .await;
    let reply = event
        .door()
        .try_scan(json!({"walk_in": {"name": "Walter"}}))
        .await;
    reply.problem_of(422).points_at("/walk_in");
    event
        .dashboard()
        .await
        .counts(|c| c.walk_ins == 0 && c.checked_in == 0);
}

#[tokio::test]
async fn a_malformed_scan_is_a_problem_and_is_not_recorded() {
    let event = Event::with_guests(["Ada"]).open().await;
    let code = event.code("Ada");
    let long = "x".repeat(201);
    for (body, pointer) in [
        (json!({}), ""),
        (json!({"barcode": code, "row_id": event.row_id("Ada")}), ""),
        (json!({"barcode": code, "nonce": ""}), "/nonce"),
        (json!({"barcode": code, "nonce": long}), "/nonce"),
        (json!({"barcode": ""}), "/barcode"),
        (json!({"barcode": "x".repeat(600)}), "/barcode"),
        (json!({"barcode": code, "direction": "up"}), "/direction"),
        (
            json!({"barcode": code, "scanned_at": "yesterday"}),
            "/scanned_at",
        ),
        (
            json!({"barcode": code, "scanned_at": "1999-01-01T00:00:00Z"}),
            "/scanned_at",
        ),
        (
            json!({"barcode": code, "notes": "x".repeat(2_001)}),
            "/notes",
        ),
        (json!({"barcode": code, "colour": "red"}), "/colour"),
        (json!({"walk_in": {"name": " "}}), "/walk_in/name"),
        (
            json!({"walk_in": {"name": "W"}, "direction": "exit"}),
            "/direction",
        ),
    ] {
        event
            .door()
            .try_scan(body)
            .await
            .problem_of(422)
            .points_at(pointer);
    }
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 0 && c.refused.total() == 0);
    assert_eq!(event.check_ins("").await.len(), 0);
}

#[tokio::test]
async fn who_scanned_is_kept_session_person_or_colleague() {
    let event = Event::with_guests(["Ada", "Bob", "Cleo"]).open().await;
    let body = json!({"name": "Phone 7", "scanner_name": "Sam", "scanner_email": "sam@x.test"});
    let session = event.session(body).await;
    let device = Client::anonymous().with_token(&session.text_at("/token"));
    let answer = Answer::of(
        event
            .scan_by(&device, json!({"barcode": event.code("Ada")}))
            .await,
    )
    .accepted();
    let answer = answer
        .has("/check_in/session_id", session.at("/id"))
        .has("/check_in/scanner_name", "Sam");
    answer.has("/check_in/scanner_email", "sam@x.test");
    let other =
        json!({"barcode": event.code("Bob"), "scanner": {"name": "Kim", "email": "kim@x.test"}});
    Answer::of(event.scan_by(&device, other).await)
        .accepted()
        .has("/check_in/scanner_name", "Kim");
    let staff = event
        .scan_by(event.client(), json!({"barcode": event.code("Cleo")}))
        .await;
    Answer::of(staff)
        .accepted()
        .has("/check_in/session_id", Value::Null);
}

#[tokio::test]
async fn a_scan_may_name_the_gate_and_one_that_is_none_admits_nobody() {
    let event = Event::with_guests(["Ada:vip", "Bob:vip"])
        .gate("North", ["vip"])
        .gate("South", ["standard"])
        .open()
        .await;
    let answer = event
        .door()
        .scan_with(json!({"barcode": event.code("Ada"), "gate": "north"}))
        .await
        .accepted();
    answer.has("/check_in/gate", "North");
    event
        .scanner("North")
        .scan_with(json!({"barcode": event.code("Bob"), "gate": "South"}))
        .await
        .refused("wrong_gate");
    event
        .door()
        .scan_with(json!({"barcode": event.code("Bob"), "gate": "Nowhere"}))
        .await
        .refused("wrong_gate")
        .explains("There is no gate Nowhere. Go to gate North.");
}

#[tokio::test]
async fn a_revoked_scanner_and_one_that_only_watches_do_not_scan() {
    let event = Event::with_guests(["Ada"]).open().await;
    let viewer = event
        .session(json!({"name": "Wall", "profile": "viewer"}))
        .await;
    let viewer = Client::anonymous().with_token(&viewer.text_at("/token"));
    let scan = json!({"barcode": event.code("Ada")});
    event
        .scan_by(&viewer, scan.clone())
        .await
        .problem(403, "role_not_allowed");
    viewer
        .get(&format!("/pulse/dashboard/{}", event.table))
        .await
        .expect_status(200);
    let scanner = event.door();
    event
        .client()
        .patch(
            &format!("/pulse/sessions/{}", scanner.id().await),
            &json!({"is_active": false}),
        )
        .await
        .expect_status(200);
    scanner.try_scan(scan).await.problem_of(401);
    event.dashboard().await.counts(|c| c.checked_in == 0);
}

#[tokio::test]
async fn guests_scan_themselves_only_where_that_is_allowed() {
    let event = Event::with_guests(["Ada"])
        .guest(json!({"name": "Bob", "email": "bob@x.test"}))
        .open()
        .await;
    let key = event
        .client()
        .get(&format!("/pulse/{}", event.table))
        .await
        .text_at("/guest_key");
    let guest =
        Client::anonymous().with_token(&format!("guest_{}", key.trim_start_matches("guest_")));
    let scan = |name: &str| event.scan_by(&guest, json!({"barcode": event.code(name)}));
    scan("Ada").await.problem_of(401);
    event
        .configure(json!({"settings": {"guest_scanning": true}}))
        .await;
    let answer = Answer::of(scan("Bob").await).accepted();
    assert!(
        !answer.reply.text().contains("bob@x.test"),
        "an address is shown to a guest: {}",
        answer.reply
    );
    let wrong = Client::anonymous().with_token("guest_wrong");
    let refused = event.scan_by(&wrong, json!({"barcode": "x"})).await;
    refused.problem_of(401);
    for path in [
        format!("/pulse/dashboard/{}", event.table),
        format!("/pulse/tables/{}/rows?q=Ada", event.table),
        format!("/pulse/check-ins?table_id={}", event.table),
    ] {
        guest.get(&path).await.problem(401, "credential_missing");
    }
    event
        .configure(json!({"settings": {"guest_scanning": false}}))
        .await;
    scan("Ada").await.problem_of(401);
}

#[tokio::test]
async fn check_ins_are_filtered_by_row_device_gate_verdict_and_time() {
    let event = Event::with_guests(["Ada:vip", "Bob:standard"])
        .gate("North", ["vip"])
        .gate("South", [])
        .open()
        .await;
    let early = json!({"barcode": event.code("Ada"), "scanned_at": "2026-05-01T10:00:00Z"});
    event.scanner("North").scan_with(early).await.accepted();
    event
        .scanner("North")
        .scan("Bob")
        .await
        .refused("wrong_gate");
    event.scanner("South").scan("Bob").await.accepted();
    let north = event.scanner("North").id().await;
    for (filter, expected) in [
        (String::new(), 3),
        (format!("row_id={}", event.row_id("Bob")), 2),
        (format!("session_id={north}"), 2),
        ("gate=South".into(), 1),
        ("verdict=accepted".into(), 2),
        ("verdict=refused&gate=North".into(), 1),
        ("to=2026-05-01T10:00:00.001Z".into(), 1),
        ("from=2026-05-01T10:00:00.001Z".into(), 2),
        (
            "from=2026-05-01T10:00:00Z&to=2026-05-01T10:00:00Z".into(),
            0,
        ),
    ] {
        assert_eq!(event.check_ins(&filter).await.len(), expected, "{filter}");
    }
    let newest = event.check_ins("").await;
    assert_eq!(newest[0]["gate"], "South", "newest first");
}
