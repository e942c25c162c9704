//! Paired scanners: newer tokens, and being shut out. The numbers are those of the field's cases
//! (devices).
//!
//! Invariant: of a session's device tokens only the newest counts, on every route and socket, at once.
//! Failure: each test names what it found instead.

use futures_util::future::join_all;
use pulse_tests::prelude::*;
use pulse_tests::token::Forgery;
use uuid::Uuid;

fn post(client: &Client, path: &str, what: &str) -> pulse_tests::client::Call {
    client.call("POST", &format!("{path}/{what}"))
}

/// One of every kind of call a scanner makes: decided by the object, read in Postgres, its own.
async fn calls(event: &Event, client: &Client, path: &str) -> Vec<Reply> {
    let scan = event.scan_by(client, json!({"barcode": "nobody's"})).await;
    let config = client.get(&format!("/pulse/{}", event.table)).await;
    let rows = client
        .get(&format!("/pulse/tables/{}/rows?q=Ada", event.table))
        .await;
    let board = client
        .get(&format!("/pulse/dashboard/{}", event.table))
        .await;
    let status = client.post(&format!("{path}/status"), &json!({})).await;
    vec![scan, config, rows, board, status]
}

#[track_caller]
fn all_refused(replies: Vec<Reply>, code: &str) {
    for reply in replies {
        let refused = reply.problem(401, code);
        assert_eq!(refused.at("/wipe"), true, "{refused}");
    }
}

#[track_caller]
fn all_good(replies: Vec<Reply>) {
    for reply in replies {
        assert!(reply.status < 300, "{reply}");
    }
}

/// 46: the roll kills the old key.
#[tokio::test]
async fn a_device_rolls_its_token_and_the_old_one_is_dead() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (old, path) = event.paired(json!({})).await;
    all_good(calls(&event, &old, &path).await);
    let mut socket = Socket::connect(&event.live_path(), old.token()).await;
    let rolled = post(&old, &path, "roll").await.expect_status(200);
    assert_eq!(socket.closed().await, 3500);
    all_refused(calls(&event, &old, &path).await, "device_rolled");
    post(&old, &path, "roll")
        .await
        .problem(401, "device_rolled");
    let new = Client::anonymous().with_token(&rolled.text_at("/token"));
    all_good(calls(&event, &new, &path).await);
    let mut again = Socket::open(&event.live_path(), Some(old.token()), None)
        .await
        .expect("a socket");
    assert_eq!(again.closed().await, 3500);
    Socket::connect(&event.live_path(), new.token())
        .await
        .subscribe("scans")
        .await;
}

#[tokio::test]
async fn staff_rolls_a_token_and_nobody_elses() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (old, path) = event.paired(json!({})).await;
    let (other, _) = event.paired(json!({})).await;
    let reader = event.tenant.member("read_only").await.client;
    let (stranger, theirs) = (
        Tenant::new().await,
        Event::with_guests(["Eve"]).open().await,
    );
    for (client, status) in [
        (&other, 404),
        (&theirs.door().client().await, 404),
        (stranger.client(), 404),
        (&reader, 403),
        (&Client::anonymous(), 401),
    ] {
        post(client, &path, "roll").await.problem_of(status);
    }
    all_good(calls(&event, &old, &path).await);
    let agent = event.tenant.member("agent").await.client;
    let rolled = post(&agent, &path, "roll").await.expect_status(200);
    all_refused(calls(&event, &old, &path).await, "device_rolled");
    let new = Client::anonymous().with_token(&rolled.text_at("/token"));
    all_good(calls(&event, &new, &path).await);
}

#[tokio::test]
async fn of_two_rolls_at_once_the_newest_token_counts() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (_, path) = event.paired(json!({})).await;
    let rolls = (0..4).map(|_| post(event.client(), &path, "roll").into_future());
    let mut tokens: Vec<_> = join_all(rolls)
        .await
        .into_iter()
        .map(|reply| reply.expect_status(200))
        .map(|reply| (reply.at("/generation").as_u64(), reply.text_at("/token")))
        .collect();
    tokens.sort();
    let generations: Vec<_> = tokens.iter().map(|(generation, _)| *generation).collect();
    assert_eq!(generations, [Some(1), Some(2), Some(3), Some(4)]);
    let newest = tokens.pop().expect("a token").1;
    all_good(calls(&event, &Client::anonymous().with_token(&newest), &path).await);
    for (_, token) in tokens {
        all_refused(
            calls(&event, &Client::anonymous().with_token(&token), &path).await,
            "device_rolled",
        );
    }
}

#[tokio::test]
async fn a_token_from_before_there_were_generations_is_the_first() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (first, path) = event.paired(json!({})).await;
    assert_eq!(Forgery::of(first.token()).get("gen"), 0);
    let plain = Forgery::of(first.token()).claim("gen", Value::Null).sign();
    let plain = Client::anonymous().with_token(&plain);
    all_good(calls(&event, &plain, &path).await);
    post(event.client(), &path, "roll").await.expect_status(200);
    all_refused(calls(&event, &plain, &path).await, "device_rolled");
    for wrong in [
        json!(7),
        json!(-1),
        json!("1"),
        json!(1.5),
        json!(1_u64 << 32),
    ] {
        let ahead = Forgery::of(first.token()).claim("gen", wrong).sign();
        for reply in calls(&event, &Client::anonymous().with_token(&ahead), &path).await {
            reply.problem_of(401);
        }
    }
}

/// 45: revoked and unknown.
#[tokio::test]
async fn a_revoked_device_is_out_at_once_and_told_to_forget() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (device, path) = event.paired(json!({})).await;
    all_good(calls(&event, &device, &path).await);
    let mut socket = Socket::connect(&event.live_path(), device.token()).await;
    socket.subscribe("scans").await;
    let revoked = post(event.client(), &path, "revoke")
        .await
        .expect_status(200);
    assert_eq!(revoked.at("/is_active"), false);
    assert!(revoked.at("/token").is_null(), "{revoked}");
    assert_eq!(socket.closed().await, 3500);
    all_refused(calls(&event, &device, &path).await, "device_revoked");
    post(&device, &path, "roll")
        .await
        .problem(401, "device_revoked");
    let again = post(event.client(), &path, "revoke")
        .await
        .expect_status(200);
    assert_eq!(again.at("/generation"), revoked.at("/generation"));
    post(event.client(), &path, "roll")
        .await
        .problem(410, "session_closed");
    // Opened again it is another pairing's: whoever found the phone does not come back with it.
    let opened = event
        .client()
        .patch(&path, &json!({"is_active": true}))
        .await;
    opened.expect_status(200);
    all_refused(calls(&event, &device, &path).await, "device_rolled");
    let rolled = post(event.client(), &path, "roll").await.expect_status(200);
    let new = Client::anonymous().with_token(&rolled.text_at("/token"));
    all_good(calls(&event, &new, &path).await);
}

#[tokio::test]
async fn a_device_of_no_session_is_refused_and_only_those_shut_out_are_told_to_forget() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (device, path) = event.paired(json!({})).await;
    let nobodys = Forgery::of(device.token())
        .claim("sub", json!(Uuid::new_v4()))
        .sign();
    let mut replies = calls(&event, &Client::anonymous().with_token(&nobodys), &path).await;
    // The last call names a session that is not this device's own.
    replies.pop().expect("calls").problem_of(404);
    for reply in replies {
        reply.problem_of(401);
    }
    for reply in [
        event.scan_by(&device, json!({})).await,
        event
            .scan_by(&Client::anonymous(), json!({"barcode": "x"}))
            .await,
        device.get("/pulse/tables").await,
    ] {
        assert!(
            reply.status >= 400 && reply.at("/wipe").is_null(),
            "{reply}"
        );
    }
}

#[tokio::test]
async fn who_may_not_write_sessions_revokes_none() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (device, path) = event.paired(json!({})).await;
    let reader = event.tenant.member("read_only").await.client;
    let stranger = Tenant::new().await;
    for (client, status) in [
        (&device, 403),
        (&reader, 403),
        (&Client::anonymous(), 401),
        (stranger.client(), 404),
    ] {
        post(client, &path, "revoke").await.problem_of(status);
    }
    all_good(calls(&event, &device, &path).await);
}

/// 47 and 48: a device that may not do one thing does nothing of it, on any URL of another list.
#[tokio::test]
async fn a_device_reaches_nothing_of_another_list_of_its_tenant() {
    let mine = Event::with_guests(["Ada"]).open().await;
    let other = Event::with_guests(["Eve"]).of(&mine.tenant).open().await;
    let device = mine.door().client().await;
    let eve = other.door().scan("Eve").await.accepted().check_in();
    let (table, session) = (&other.table, other.door().id().await);
    let status = json!({"battery": 0.1});
    for call in [
        device.get(&format!("/pulse/{table}")),
        device.get(&format!("/pulse/dashboard/{table}")),
        device.get(&format!("/pulse/tables/{table}/rows?q=Eve")),
        device.get(&format!(
            "/pulse/check-ins/{eve}/badge.svg?table_id={table}"
        )),
        device.get(&format!(
            "/pulse/check-ins/{eve}/badge.svg?table_id={}",
            mine.table
        )),
        device.post(
            &format!("/pulse/check-ins/{eve}/annul"),
            &json!({"table_id": table}),
        ),
        device.post(
            &format!("/pulse/check-ins/{eve}/annul"),
            &json!({"table_id": mine.table}),
        ),
        device.post(&format!("/pulse/sessions/{session}/status"), &status),
        device.call("POST", &format!("/pulse/sessions/{session}/roll")),
        other.scan_by(&device, json!({"barcode": other.code("Eve")})),
    ] {
        let reply = call.await;
        let reply = reply.problem_of(404);
        assert!(!reply.text().contains("Eve"), "{reply}");
    }
    let mut socket = Socket::open(&other.live_path(), Some(device.token()), None)
        .await
        .expect("a socket");
    assert_eq!(socket.closed().await, 3500);
    other
        .dashboard()
        .await
        .counts(|c| c.checked_in == 1 && c.duplicates == 0);
    assert!(
        other
            .dashboard()
            .await
            .at("/active_scanners/0/battery")
            .is_null()
    );
}
