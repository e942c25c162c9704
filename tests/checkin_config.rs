//! Enabling check-in, its settings and gates, and the scanners that are paired.
//!
//! Invariant: a change that was answered holds for the next scan; disabling keeps all history.
//! Failure: each test names what it found instead.

use pulse_tests::prelude::*;

#[tokio::test]
async fn enabling_fills_in_every_default() {
    let tenant = Tenant::new().await;
    let table = tenant.table("Europe/Berlin").await;
    let config = tenant
        .client()
        .post("/pulse", &json!({"table_id": table}))
        .await
        .expect_status(201);
    assert_eq!(config.at("/table_id"), *table);
    assert_eq!(config.at("/enabled"), true);
    assert_eq!(config.at("/gates"), json!([]));
    let expected = json!({
        "allow_duplicate_scans": false, "allow_reentry": false, "entries_per_day": null, "max_entries": null,
        "capacity": null, "capacity_mode": "hard", "categories": [], "opens_at": null, "closes_at": null,
        "opening_hours": [], "walk_ins": true, "guest_scanning": false, "offline_mode": true, "show_popup": true, "questions": [],
        "admit_unpaid": false, "exit_all_at": null,
    });
    assert_eq!(config.at("/settings"), expected);
    let read = tenant
        .client()
        .get(&format!("/pulse/{table}"))
        .await
        .expect_status(200);
    assert_eq!(read.at("/settings"), expected);
    assert!(read.header("etag").is_some());
}

#[tokio::test]
async fn a_table_is_enabled_once_and_must_exist() {
    let tenant = Tenant::new().await;
    let table = tenant.table("UTC").await;
    let body = json!({"table_id": table});
    tenant
        .client()
        .get(&format!("/pulse/{table}"))
        .await
        .problem_of(404);
    tenant
        .client()
        .post("/pulse", &body)
        .await
        .expect_status(201);
    tenant.client().post("/pulse", &body).await.problem_of(409);
    let nowhere = json!({"table_id": uuid::Uuid::new_v4()});
    tenant
        .client()
        .post("/pulse", &nowhere)
        .await
        .problem_of(404);
}

#[tokio::test]
async fn settings_change_one_by_one_and_null_is_the_default() {
    let event = Event::with_guests(["Ada"])
        .settings(json!({"capacity": 10, "allow_reentry": true}))
        .open()
        .await;
    let changed = event.configure(json!({"settings": {"capacity": 20}})).await;
    assert_eq!(
        (
            changed.at("/settings/capacity"),
            changed.at("/settings/allow_reentry")
        ),
        (json!(20), json!(true))
    );
    let changed = event
        .configure(json!({"settings": {"capacity": null, "allow_reentry": null}}))
        .await;
    assert_eq!(
        (
            changed.at("/settings/capacity"),
            changed.at("/settings/allow_reentry")
        ),
        (Value::Null, json!(false))
    );
}

#[tokio::test]
async fn everything_wrong_with_settings_and_gates_is_named() {
    let event = Event::with_guests(["Ada"]).open().await;
    let path = format!("/pulse/{}", event.table);
    let settings = json!({
        "capacity": 0, "entries_per_day": -1, "capacity_mode": "soft", "walk_ins": "yes", "categories": "vip",
        "opens_at": "2026-05-02T00:00:00Z", "closes_at": "2026-05-01T00:00:00Z",
        "opening_hours": [{"day": "someday", "from": "9", "to": "25:00"}],
    });
    let gates = json!([{"name": ""}, {"name": "North"}, {"name": "NORTH"}, {"name": "South", "color": "red"}]);
    let reply = event
        .client()
        .patch(&path, &json!({"settings": settings, "gates": gates}))
        .await
        .problem_of(422);
    let mut reply = reply;
    for pointer in [
        "/settings/capacity",
        "/settings/entries_per_day",
        "/settings/capacity_mode",
        "/settings/walk_ins",
        "/settings/categories",
        "/settings/closes_at",
        "/settings/opening_hours/0/day",
        "/settings/opening_hours/0/from",
        "/settings/opening_hours/0/to",
        "/gates/0/name",
        "/gates/2/name",
        "/gates/3/color",
    ] {
        reply = reply.points_at(pointer);
    }
    let read = event.client().get(&path).await.expect_status(200);
    assert_eq!(
        (read.at("/settings/capacity"), read.at("/gates")),
        (Value::Null, json!([]))
    );
}

#[tokio::test]
async fn a_changed_setting_or_gate_holds_for_the_next_scan() {
    let event = Event::with_guests(["Ada:vip", "Bob:standard"])
        .gate("North", ["vip"])
        .open()
        .await;
    event
        .scanner("North")
        .scan("Bob")
        .await
        .refused("wrong_gate");
    event
        .configure(json!({"gates": [{"name": "North", "categories": ["vip", "standard"]}]}))
        .await;
    event.scanner("North").scan("Bob").await.accepted();
    event.scanner("North").scan("Ada").await.accepted();
    event.scanner("North").scan("Ada").await.duplicate();
    event
        .configure(json!({"settings": {"allow_duplicate_scans": true}}))
        .await;
    event.scanner("North").scan("Ada").await.accepted();
}

#[tokio::test]
async fn two_editors_do_not_overwrite_each_other() {
    let event = Event::with_guests(["Ada"]).open().await;
    let path = format!("/pulse/{}", event.table);
    let tag = event
        .client()
        .get(&path)
        .await
        .header("etag")
        .expect("an ETag")
        .to_owned();
    let change = |capacity: u32| {
        event
            .client()
            .patch(&path, &json!({"settings": {"capacity": capacity}}))
            .header("if-match", &tag)
    };
    change(5).await.expect_status(200);
    change(6).await.problem_of(412);
    assert_eq!(event.client().get(&path).await.at("/settings/capacity"), 5);
}

/// Seed defect: disabling deleted the history.
#[tokio::test]
async fn disabling_stops_scans_and_keeps_history() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let scanner = event.door();
    scanner.scan("Ada").await.accepted();
    let path = format!("/pulse/{}", event.table);
    event.client().delete(&path).await.expect_status(204);
    let refused = scanner
        .try_scan(json!({"barcode": event.code("Bob")}))
        .await;
    refused.problem(409, "pulse_disabled");
    let records = event.check_ins("").await;
    assert_eq!(records.len(), 1, "the history is gone");
    let read = event.client().get(&path).await.expect_status(200);
    assert_eq!(read.at("/enabled"), false);
}

#[tokio::test]
async fn enabling_again_goes_on_where_it_stopped() {
    let event = Event::with_guests(["Ada", "Bob"])
        .settings(json!({"capacity": 7}))
        .open()
        .await;
    event.door().scan("Ada").await.accepted();
    event
        .client()
        .delete(&format!("/pulse/{}", event.table))
        .await
        .expect_status(204);
    let again = event
        .client()
        .post("/pulse", &json!({"table_id": event.table}))
        .await
        .expect_status(201);
    assert_eq!(again.at("/enabled"), true);
    event.phone("new").scan("Ada").await.duplicate();
    event.phone("new").scan("Bob").await.accepted();
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 2 && c.duplicates == 1);
}

#[tokio::test]
async fn the_guest_key_is_for_managers_only() {
    let event = Event::with_guests(["Ada"]).open().await;
    let path = format!("/pulse/{}", event.table);
    let key = event.client().get(&path).await.text_at("/guest_key");
    let agent = event.tenant.member("agent").await;
    let reader = event.tenant.member("read_only").await;
    for client in [&agent.client, &reader.client, &event.door().client().await] {
        let reply = client.get(&path).await.expect_status(200);
        assert!(!reply.text().contains(&key), "{reply}");
    }
}

#[tokio::test]
async fn a_scanner_is_paired_listed_changed_and_shut_out() {
    let event = Event::with_guests(["Ada", "Bob"])
        .gate("North", [])
        .gate("South", [])
        .open()
        .await;
    let body = json!({"name": "Phone 7", "gate": "North", "device_info": {"os": "Android 16"}});
    let session = event.session(body).await;
    assert_eq!(
        (session.at("/profile"), session.at("/is_active")),
        (json!("scanner"), json!(true))
    );
    let path = format!("/pulse/sessions/{}", session.text_at("/id"));
    let list = || async {
        let path = format!("/pulse/sessions?table_id={}", event.table);
        event.client().get(&path).await.expect_status(200)
    };
    let listed = list().await;
    assert_eq!(listed.at("/items/0/device_info/os"), "Android 16");
    assert!(
        !listed.text().contains(&session.text_at("/token")),
        "a list shows a token"
    );
    let device = Client::anonymous().with_token(&session.text_at("/token"));
    let scan = |name: &str| event.scan_by(&device, json!({"barcode": event.code(name)}));
    Answer::of(scan("Ada").await)
        .accepted()
        .has("/check_in/gate", "North");
    event
        .client()
        .patch(&path, &json!({"gate": "South", "name": "Phone 8"}))
        .await
        .expect_status(200);
    Answer::of(scan("Ada").await).duplicate();
    Answer::of(scan("Bob").await)
        .accepted()
        .has("/check_in/gate", "South");
    event.recorded().await;
    let listed = list().await;
    assert_eq!(
        (
            listed.at("/items/0/name"),
            listed.at("/items/0/total_scans")
        ),
        (json!("Phone 8"), json!(3))
    );
    assert!(listed.at("/items/0/last_seen_at").is_string());
    event
        .client()
        .patch(&path, &json!({"is_active": false}))
        .await
        .expect_status(200);
    scan("Bob").await.problem_of(401);
    for (active, count) in [("true", 0), ("false", 1)] {
        let path = format!("/pulse/sessions?table_id={}&active={active}", event.table);
        assert_eq!(
            event.client().get(&path).await.list_at("/items").len(),
            count,
            "active={active}"
        );
    }
    event
        .client()
        .patch(&path, &json!({"is_active": true}))
        .await
        .expect_status(200);
    Answer::of(scan("Bob").await).duplicate();
}

/// 47 of the field's cases; tokens that are used, revoked or rolled (44 to 46): `pairing`, `devices`.
#[tokio::test]
async fn pairing_needs_a_known_table_and_a_right_profile() {
    let event = Event::with_guests(["Ada"]).open().await;
    let post = |body: Value| event.client().post("/pulse/sessions", &body);
    post(json!({"table_id": uuid::Uuid::new_v4(), "name": "x"}))
        .await
        .problem_of(404);
    let wrong = json!({"table_id": event.table, "name": "", "scanner_email": "no address"});
    post(wrong)
        .await
        .problem_of(422)
        .points_at("/name")
        .points_at("/scanner_email");
    post(json!({"table_id": event.table, "name": "x", "profile": "king"}))
        .await
        .problem_of(422)
        .points_at("/profile");
    let disabled = event.tenant.table("UTC").await;
    let reply = post(json!({"table_id": disabled, "name": "x"})).await;
    reply.problem_of(404);
}
