//! What scanners say of themselves, and who is told.
//!
//! Invariant: a report replaces the one before; staff see all scanners as they are, at most ten times a
//! second.
//! Failure: each test names what it found instead.

use futures_util::future::join_all;
use pulse_tests::control::Control;
use pulse_tests::prelude::*;
use std::time::Duration;
use uuid::Uuid;

fn post(client: &Client, path: &str, what: &str) -> pulse_tests::client::Call {
    client.call("POST", &format!("{path}/{what}"))
}

#[tokio::test]
async fn what_a_device_says_is_shown_and_reaches_the_record() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (device, path) = event
        .paired(json!({"name": "Phone", "profile": "kiosk"}))
        .await;
    let said = json!({"battery": 0.42, "charging": true, "app": "Pulse 1.4", "pending": 9, "roster_seq": 41});
    let request = format!("status-{}", Uuid::new_v4());
    let status = format!("{path}/status");
    let noted = device
        .post(&status, &said)
        .header("x-request-id", &request)
        .await;
    noted.expect_status(204);
    let board = event.dashboard().await;
    let shown = board.at("/active_scanners/0");
    for (field, expected) in said.as_object().expect("fields") {
        assert_eq!(shown[field], *expected, "{field}: {shown}");
    }
    assert_eq!(
        (
            &shown["name"],
            &shown["profile"],
            &shown["is_active"],
            &shown["online"],
            &shown["scans"]
        ),
        (
            &json!("Phone"),
            &json!("kiosk"),
            &json!(true),
            &json!(false),
            &json!(0)
        )
    );
    assert!(shown["last_seen_at"].is_string());
    assert_eq!(board.at("/unsynced"), 9);
    assert_eq!(
        Control::here().proxy().await.by_request.get(&request),
        None,
        "a report asks Postgres"
    );
    let list = format!("/pulse/sessions?table_id={}", event.table);
    let listed = eventually("the sessions show the report", || async {
        let listed = event.client().get(&list).await.expect_status(200);
        listed.at("/items/0/battery").is_number().then_some(listed)
    })
    .await;
    for (field, expected) in said.as_object().expect("fields") {
        assert_eq!(
            listed.at(&format!("/items/0/{field}")),
            *expected,
            "{field}"
        );
    }
    assert_eq!(listed.at("/items/0/last_seen_at"), shown["last_seen_at"]);
    assert_eq!(listed.at("/items/0/version"), 1, "being seen is no change");
    device
        .post(&status, &json!({"pending": 0}))
        .await
        .expect_status(204);
    let board = event.dashboard().await;
    assert_eq!(
        (
            board.at("/unsynced"),
            board.at("/active_scanners/0/battery")
        ),
        (json!(0), Value::Null),
        "a report replaces the one before"
    );
}

/// "At most n unsynced" holds for who can say so: the others are counted.
#[tokio::test]
async fn scanners_of_which_nothing_is_heard_are_counted_beside_what_is_unsynced() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (device, path) = event.paired(json!({"name": "Phone"})).await;
    event.paired(json!({"name": "Never used"})).await;
    let (viewer, wall) = event.paired(json!({"profile": "viewer"})).await;
    for (client, path) in [(&device, &path), (&viewer, &wall)] {
        let reply = post(client, path, "status").json(&json!({"pending": 0}));
        reply.await.expect_status(204);
    }
    let board = async |seconds: i64| {
        let later = event.client().at(seconds_from_now(seconds));
        let path = format!("/pulse/dashboard/{}", event.table);
        later
            .get(&path)
            .await
            .expect_status(200)
            .at("/out_of_touch")
    };
    assert_eq!((board(0).await, board(50).await), (json!(0), json!(0)));
    assert_eq!(board(70).await, json!(1), "the phone that was used");
    let mut socket = Socket::connect(&event.live_path(), device.token()).await;
    socket.request(json!({"status": {"pending": 2}})).await;
    assert_eq!(board(70).await, json!(0), "it is on line");
    assert_eq!(event.dashboard().await.at("/unsynced"), 2);
}

#[tokio::test]
async fn a_report_goes_over_the_socket_too() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (device, _) = event.paired(json!({})).await;
    let mut socket = Socket::connect(&event.live_path(), device.token()).await;
    let noted = socket
        .request(json!({"status": {"battery": 0.5, "pending": 3}}))
        .await;
    assert_eq!(noted, json!({"id": 1, "noted": {}}));
    let shown = event.dashboard().await.at("/active_scanners/0");
    assert_eq!(
        (&shown["battery"], &shown["pending"], &shown["online"]),
        (&json!(0.5), &json!(3), &json!(true))
    );
    for wrong in [
        json!({"battery": 2}),
        json!({"battery": "full"}),
        json!({"colour": "red"}),
    ] {
        let refused = socket.request(json!({ "status": wrong })).await;
        assert!(refused["error"]["code"].is_string(), "{refused}");
    }
    assert_eq!(
        event.dashboard().await.at("/active_scanners/0/battery"),
        0.5
    );
    let mut staff = event.socket().await;
    let refused = staff.request(json!({"status": {}})).await;
    assert_eq!(refused["error"]["code"], "role_not_allowed");
    socket.send("{\"id\":9,\"status\":[]}").await;
    assert_eq!(socket.closed().await, 3501);
}

#[tokio::test]
async fn everything_wrong_with_a_report_is_named() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (device, path) = event.paired(json!({})).await;
    let status = format!("{path}/status");
    let wrong = json!({"battery": 1.5, "app": "x".repeat(81), "pending": 1_000_001, "roster_seq": 9_007_199_254_740_992_u64});
    device
        .post(&status, &wrong)
        .await
        .problem_of(422)
        .points_at("/battery")
        .points_at("/app")
        .points_at("/pending")
        .points_at("/roster_seq");
    for (body, pointer) in [
        (json!({"battery": "full"}), "/battery"),
        (json!({"battery": -0.1}), "/battery"),
        (json!({"pending": -1}), "/pending"),
        (json!({"pending": 0.5}), "/pending"),
        (json!({"app": "a\u{0}b"}), "/app"),
        (json!({"charging": 1}), "/charging"),
        (json!({"colour": "red"}), "/colour"),
    ] {
        device
            .post(&status, &body)
            .await
            .problem_of(422)
            .points_at(pointer);
    }
    device
        .call("POST", &status)
        .body("application/json", "{")
        .await
        .problem_of(400);
    device
        .call("POST", &status)
        .body("application/json", "[]")
        .await
        .expect_status_4xx();
    assert!(
        event
            .dashboard()
            .await
            .at("/active_scanners/0/app")
            .is_null()
    );
}

#[tokio::test]
async fn only_the_device_itself_says_how_it_is() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (device, path) = event.paired(json!({})).await;
    let (other, _) = event.paired(json!({})).await;
    let status = format!("{path}/status");
    let stranger = Event::with_guests(["Eve"])
        .open()
        .await
        .door()
        .client()
        .await;
    for (client, code) in [
        (event.client(), 403),
        (&other, 404),
        (&stranger, 404),
        (&Client::anonymous(), 401),
    ] {
        client
            .post(&status, &json!({"battery": 0.1}))
            .await
            .problem_of(code);
    }
    device.post(&status, &json!({})).await.expect_status(204);
    let nobody = format!("/pulse/sessions/{}/status", Uuid::new_v4());
    device.post(&nobody, &json!({})).await.problem_of(404);
}

#[tokio::test]
async fn unsynced_is_what_active_devices_still_hold() {
    let event = Event::with_guests(["Ada"]).open().await;
    let mut paths = Vec::new();
    for pending in [4, 5, 100] {
        let (device, path) = event.paired(json!({})).await;
        let said = device
            .post(&format!("{path}/status"), &json!({"pending": pending}))
            .await;
        said.expect_status(204);
        paths.push(path);
    }
    assert_eq!(event.dashboard().await.at("/unsynced"), 109);
    post(event.client(), &paths[2], "revoke")
        .await
        .expect_status(200);
    let board = event.dashboard().await;
    assert_eq!(board.at("/unsynced"), 9);
    assert_eq!(
        board.at("/active_scanners").as_array().map(Vec::len),
        Some(2)
    );
}

/// Takes `devices` events until one shows the device so; gives the device as it was shown.
async fn shown(socket: &mut Socket, name: &str, so: impl Fn(&Value) -> bool) -> Value {
    loop {
        let event = socket.event_of("devices").await;
        assert_eq!(event["type"], "devices");
        let list = event["data"]
            .as_array()
            .unwrap_or_else(|| panic!("no list: {event}"));
        let found = list.iter().find(|device| device["name"] == name);
        if let Some(device) = found.filter(|device| so(device)) {
            return device.clone();
        }
    }
}

#[tokio::test]
async fn who_watches_the_devices_is_told_of_everything_that_happens_to_them() {
    let event = Event::with_guests(["Ada"]).open().await;
    let mut watcher = event.socket().await;
    watcher.subscribe("devices").await;
    let (device, path) = event.paired(json!({"name": "Phone"})).await;
    let new = shown(&mut watcher, "Phone", |_| true).await;
    for (field, expected) in [
        ("is_active", json!(true)),
        ("online", json!(false)),
        ("profile", json!("scanner")),
        ("scans", json!(0)),
    ] {
        assert_eq!(new[field], expected, "{field}");
    }
    for field in [
        "session_id",
        "gate",
        "last_seen_at",
        "battery",
        "app",
        "pending",
        "roster_seq",
    ] {
        assert!(new.get(field).is_some(), "{field} of {new}");
    }
    let mut socket = Socket::connect(&event.live_path(), device.token()).await;
    shown(&mut watcher, "Phone", |it| it["online"] == true).await;
    socket
        .request(json!({"status": {"pending": 7, "roster_seq": 3}}))
        .await;
    let said = shown(&mut watcher, "Phone", |it| it["pending"] == 7).await;
    assert_eq!(
        (&said["roster_seq"], &said["online"]),
        (&json!(3), &json!(true))
    );
    drop(socket);
    let gone = shown(&mut watcher, "Phone", |it| it["online"] == false).await;
    assert_eq!(gone["pending"], 7, "it is remembered");
    let renamed = event
        .client()
        .patch(&path, &json!({"name": "Phone 2"}))
        .await;
    renamed.expect_status(200);
    shown(&mut watcher, "Phone 2", |_| true).await;
    let mut socket = Socket::connect(&event.live_path(), device.token()).await;
    shown(&mut watcher, "Phone 2", |it| it["online"] == true).await;
    let rolled = post(event.client(), &path, "roll").await.expect_status(200);
    assert_eq!(socket.closed().await, 3500);
    shown(&mut watcher, "Phone 2", |it| it["online"] == false).await;
    let token = rolled.text_at("/token");
    let mut socket = Socket::connect(&event.live_path(), &token).await;
    shown(&mut watcher, "Phone 2", |it| it["online"] == true).await;
    post(event.client(), &path, "revoke")
        .await
        .expect_status(200);
    assert_eq!(socket.closed().await, 3500);
    let closed = shown(&mut watcher, "Phone 2", |it| it["is_active"] == false).await;
    assert_eq!(closed["online"], false, "{closed}");
}

#[tokio::test]
async fn the_devices_are_sent_at_most_ten_times_a_second() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (device, path) = event.paired(json!({"name": "Phone"})).await;
    let mut watcher = event.socket().await;
    watcher.subscribe("devices").await;
    let started = std::time::Instant::now();
    let reports = (1..=60).map(|pending| {
        let body = json!({"pending": pending, "app": "x"});
        device.post(&format!("{path}/status"), &body).into_future()
    });
    for reply in join_all(reports).await {
        reply.expect_status(204);
    }
    device
        .post(&format!("{path}/status"), &json!({"pending": 99}))
        .await
        .expect_status(204);
    let mut frames = 0;
    loop {
        frames += 1;
        let event = watcher.event_of("devices").await;
        if event["data"][0]["pending"] == 99 {
            break;
        }
    }
    let allowed = 2 + started.elapsed().as_millis() / 100;
    assert!(frames <= allowed, "{frames} frames, {allowed} allowed");
}

#[tokio::test]
async fn the_devices_are_for_staff_only_and_a_watcher_that_was_away_gets_the_list() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (device, path) = event.paired(json!({"name": "Phone"})).await;
    let mut socket = Socket::connect(&event.live_path(), device.token()).await;
    let refused = socket
        .request(json!({"subscribe": {"channel": "devices"}}))
        .await;
    assert_eq!(refused["error"]["code"], "forbidden");
    let reader = event.tenant.member("read_only").await.client;
    let mut watcher = Socket::connect(&event.live_path(), reader.token()).await;
    let position = watcher.subscribe("devices").await.position;
    device
        .post(&format!("{path}/status"), &json!({"pending": 5}))
        .await
        .expect_status(204);
    let seen = shown(&mut watcher, "Phone", |it| it["pending"] == 5).await;
    drop(watcher);
    let board = event.dashboard().await.at("/active_scanners/0");
    for (field, value) in seen.as_object().expect("fields") {
        assert!(
            field == "last_seen_at" || board[field] == *value,
            "{field}: {board}"
        );
    }
    let mut watcher = event.socket().await;
    let recovered = watcher.recover("devices", &position).await;
    assert!(recovered.recovered);
    assert_eq!(recovered.events.len(), 1, "the list as it is now");
    assert_eq!(recovered.events[0]["data"][0]["pending"], 5);
    let again = event
        .socket()
        .await
        .recover("devices", &recovered.position)
        .await;
    assert!(again.recovered && again.events.is_empty(), "{again:?}");
}

/// Guarantee 7: a scanner whose network died without a word is off line within 33 s and a moment.
#[tokio::test]
async fn a_scanner_that_fell_silent_goes_off_line() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (device, _) = event.paired(json!({"name": "Phone"})).await;
    let mut silent = Socket::connect(&event.live_path(), device.token()).await;
    let mut watcher = event.socket().await;
    watcher.subscribe("devices").await;
    silent.request(json!({"status": {"pending": 1}})).await;
    shown(&mut watcher, "Phone", |it| it["online"] == true).await;
    // It stays open and says nothing more: there is no condition to wait for but time.
    let online = || async { event.dashboard().await.at("/active_scanners/0/online") };
    tokio::time::sleep(Duration::from_secs(28)).await;
    assert_eq!(online().await, true, "given up too early");
    eventually("the scanner is off line", || async {
        (online().await == false).then_some(())
    })
    .await;
    shown(&mut watcher, "Phone", |it| it["online"] == false).await;
}
