//! Pairing a phone by its code. The numbers are those of the field's cases (devices).
//!
//! Invariant: a pairing token makes one device token; every device token made before is shut out.
//! Failure: each test names what it found instead.

use futures_util::future::join_all;
use pulse_tests::database::Database;
use pulse_tests::prelude::*;
use pulse_tests::qr;
use tokio_postgres::types::Type;

/// A phone somewhere that no other test is.
fn phone() -> Client {
    let bytes = *uuid::Uuid::new_v4().as_bytes();
    let groups: Vec<_> = bytes[..6].iter().map(|byte| format!("{byte:x}")).collect();
    let address = format!("2001:db8:{}", groups.join(":"));
    Client::anonymous().with_header("cf-connecting-ip", &address)
}

/// A session of the event without a device, and its path.
async fn session(event: &Event, body: Value) -> (Reply, String) {
    let session = event.session(body).await;
    let path = format!("/pulse/sessions/{}", session.text_at("/id"));
    (session, path)
}

async fn start(event: &Event, path: &str) -> Reply {
    let path = format!("{path}/pairing");
    event.client().call("POST", &path).await.expect_status(201)
}

async fn pair(who: &Client, token: &str) -> Reply {
    let body = json!({"token": token, "device_info": {"os": "Android 16"}});
    who.post("/pulse/sessions/pair", &body).await
}

fn device(token: &str) -> Client {
    Client::anonymous().with_token(token)
}

#[tokio::test]
async fn a_code_says_exactly_where_to_go_and_with_which_token() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (_, path) = session(&event, json!({})).await;
    let pairing = start(&event, &path).await;
    let (url, token) = (pairing.text_at("/url"), pairing.text_at("/token"));
    assert_eq!(
        (pairing.at("/v"), &url),
        (json!(1), &event.client().base().to_owned())
    );
    assert_eq!(
        qr::read(&pairing.text_at("/svg")),
        format!(r#"{{"v":1,"url":"{url}","token":"{token}"}}"#)
    );
    assert_eq!(
        pairing.text_at("/link"),
        format!("{url}/pulse-scanner#pair={token}")
    );
    let expires = time(&pairing.text_at("/expires_at"));
    let minutes = (expires - seconds_from_now(0)).num_seconds();
    assert!((540..=601).contains(&minutes), "{minutes} s");
}

#[tokio::test]
async fn a_phone_exchanges_its_code_and_scans_where_it_was_put() {
    let event = Event::with_guests(["Ada:vip"])
        .gate("North", ["vip"])
        .open()
        .await;
    let (_, path) = session(&event, json!({"name": "Phone 7", "gate": "North"})).await;
    let token = start(&event, &path).await.text_at("/token");
    let paired = pair(&phone(), &token).await.expect_status(201);
    assert_eq!(
        (paired.at("/session/name"), paired.at("/session/gate")),
        (json!("Phone 7"), json!("North"))
    );
    assert_eq!(paired.at("/session/device_info/os"), "Android 16");
    assert!(paired.at("/session/paired_at").is_string());
    assert_eq!(
        (
            paired.at("/table/id"),
            paired.at("/table/name"),
            paired.at("/table/timezone")
        ),
        (json!(event.table), json!("Guests"), json!("Europe/Berlin"))
    );
    assert_eq!(
        (
            paired.at("/table/gates/0/name"),
            paired.at("/table/settings/offline_mode")
        ),
        (json!("North"), json!(true))
    );
    let device = device(&paired.text_at("/token"));
    let scan = event
        .scan_by(&device, json!({"barcode": event.code("Ada")}))
        .await;
    Answer::of(scan).accepted().has("/check_in/gate", "North");
    let own = device.get(&format!("/pulse/{}", event.table)).await;
    own.expect_status(200);
}

#[tokio::test]
async fn a_paired_phone_is_bound_to_its_profile_and_table() {
    let event = Event::with_guests(["Ada"]).open().await;
    let other = Event::with_guests(["Eve"]).of(&event.tenant).open().await;
    let paired = |profile: &'static str| {
        let event = &event;
        async move {
            let (_, path) = session(event, json!({"profile": profile})).await;
            let token = start(event, &path).await.text_at("/token");
            device(
                &pair(&phone(), &token)
                    .await
                    .expect_status(201)
                    .text_at("/token"),
            )
        }
    };
    let (scanner, kiosk, viewer) = (
        paired("scanner").await,
        paired("kiosk").await,
        paired("viewer").await,
    );
    let ada = json!({"barcode": event.code("Ada")});
    event
        .scan_by(&viewer, ada.clone())
        .await
        .problem(403, "role_not_allowed");
    Answer::of(event.scan_by(&kiosk, ada.clone()).await).accepted();
    Answer::of(event.scan_by(&scanner, ada).await).duplicate();
    for client in [&scanner, &kiosk, &viewer] {
        let eve = json!({"barcode": other.code("Eve")});
        other.scan_by(client, eve).await.problem_of(404);
        let theirs = client
            .get(&format!("/pulse/dashboard/{}", other.table))
            .await;
        theirs.problem_of(404);
    }
}

/// 44: a token is used once.
#[tokio::test]
async fn a_code_pairs_once() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (_, path) = session(&event, json!({})).await;
    let token = start(&event, &path).await.text_at("/token");
    let first = pair(&phone(), &token).await.expect_status(201);
    pair(&phone(), &token).await.problem(409, "pairing_used");
    let device = device(&first.text_at("/token"));
    let scan = event
        .scan_by(&device, json!({"barcode": event.code("Ada")}))
        .await;
    Answer::of(scan).accepted();
}

#[tokio::test]
async fn of_many_phones_at_once_exactly_one_is_paired() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (_, path) = session(&event, json!({})).await;
    for _ in 0..3 {
        let token = start(&event, &path).await.text_at("/token");
        let phones: Vec<_> = (0..8).map(|_| phone()).collect();
        let replies = join_all(phones.iter().map(|phone| pair(phone, &token))).await;
        let (won, lost): (Vec<_>, Vec<_>) =
            replies.into_iter().partition(|reply| reply.status == 201);
        assert_eq!(won.len(), 1);
        for reply in lost {
            reply.problem(409, "pairing_used");
        }
        let device = device(&won[0].text_at("/token"));
        let own = device.get(&format!("/pulse/{}", event.table)).await;
        own.expect_status(200);
    }
}

#[tokio::test]
async fn a_code_lives_ten_minutes() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (_, path) = session(&event, json!({})).await;
    let token = start(&event, &path).await.text_at("/token");
    let late = phone().at(seconds_from_now(10 * 60 + 5));
    pair(&late, &token).await.problem(410, "pairing_expired");
    let in_time = phone().at(seconds_from_now(9 * 60 + 30));
    pair(&in_time, &token).await.expect_status(201);
    pair(&late, &token).await.problem(409, "pairing_used");
}

/// 45: unknown tokens, and what is none.
#[tokio::test]
async fn what_is_no_code_pairs_nothing() {
    let here = phone();
    for token in [
        "",
        "none",
        "'; drop table users; --",
        "\u{0}",
        "🎟",
        &"x".repeat(200),
    ] {
        let reply = pair(&here, token).await;
        reply.problem(404, "pairing_unknown");
    }
    let post = |body: Value| here.post("/pulse/sessions/pair", &body);
    post(json!({"token": "x".repeat(201)}))
        .await
        .problem_of(422)
        .points_at("/token");
    post(json!({})).await.problem_of(422).points_at("/token");
    post(json!({"token": 7}))
        .await
        .problem_of(422)
        .points_at("/token");
    post(json!({"token": "x", "device_info": []}))
        .await
        .problem_of(422)
        .points_at("/device_info");
    post(json!({"token": "x", "device_info": {"n": "x".repeat(5_000)}}))
        .await
        .problem_of(422)
        .points_at("/device_info");
    post(json!({"token": "x", "more": 1}))
        .await
        .problem_of(422)
        .points_at("/more");
    here.call("POST", "/pulse/sessions/pair")
        .body("application/json", "{")
        .await
        .problem_of(400);
    here.call("POST", "/pulse/sessions/pair")
        .body("text/plain", "x")
        .await
        .problem_of(415);
}

#[tokio::test]
async fn a_new_code_replaces_the_one_before() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (_, path) = session(&event, json!({})).await;
    let old = start(&event, &path).await.text_at("/token");
    let new = start(&event, &path).await.text_at("/token");
    assert_ne!(old, new);
    pair(&phone(), &old).await.problem(404, "pairing_unknown");
    pair(&phone(), &new).await.expect_status(201);
}

#[tokio::test]
async fn a_request_repeated_with_its_key_shows_the_same_code() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (_, path) = session(&event, json!({})).await;
    let path = format!("{path}/pairing");
    let ask = |key: &str| {
        event
            .client()
            .call("POST", &path)
            .header("idempotency-key", key)
    };
    let (one, again) = (
        ask("k1").await.expect_status(201),
        ask("k1").await.expect_status(201),
    );
    assert_eq!(one.json(), again.json());
    let other = ask("k2").await.expect_status(201);
    assert_ne!(one.at("/token"), other.at("/token"));
    pair(&phone(), &other.text_at("/token"))
        .await
        .expect_status(201);
}

#[tokio::test]
async fn a_closed_session_pairs_nothing() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (_, path) = session(&event, json!({})).await;
    let switch = |active: bool| event.client().patch(&path, &json!({"is_active": active}));
    let token = start(&event, &path).await.text_at("/token");
    switch(false).await.expect_status(200);
    pair(&phone(), &token).await.problem(410, "session_closed");
    let none = event
        .client()
        .call("POST", &format!("{path}/pairing"))
        .await;
    none.problem(410, "session_closed");
    switch(true).await.expect_status(200);
    let disabled = event
        .client()
        .delete(&format!("/pulse/{}", event.table))
        .await;
    disabled.expect_status(204);
    pair(&phone(), &token).await.problem(410, "session_closed");
    let enabled = event
        .client()
        .post("/pulse", &json!({"table_id": event.table}))
        .await;
    enabled.expect_status(201);
    pair(&phone(), &token).await.expect_status(201);
    let token = start(&event, &path).await.text_at("/token");
    let revoked = event.client().call("POST", &format!("{path}/revoke")).await;
    revoked.expect_status(200);
    switch(true).await.expect_status(200);
    pair(&phone(), &token).await.problem(404, "pairing_unknown");
}

#[tokio::test]
async fn pairing_again_shuts_out_the_phone_before() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let (made, path) = session(&event, json!({})).await;
    let before = device(&made.text_at("/token"));
    let scan =
        |who: &Client, guest: &str| event.scan_by(who, json!({"barcode": event.code(guest)}));
    Answer::of(scan(&before, "Ada").await).accepted();
    let mut socket = Socket::connect(&event.live_path(), before.token()).await;
    let token = start(&event, &path).await.text_at("/token");
    Answer::of(scan(&before, "Ada").await).duplicate();
    let paired = pair(&phone(), &token).await.expect_status(201);
    assert_eq!(socket.closed().await, 3500);
    let refused = scan(&before, "Bob").await.problem(401, "device_rolled");
    assert_eq!(refused.at("/wipe"), true);
    let now = device(&paired.text_at("/token"));
    Answer::of(scan(&now, "Bob").await).accepted();
    Socket::connect(&event.live_path(), now.token()).await;
}

#[tokio::test]
async fn failures_from_one_place_are_limited_and_a_good_code_is_no_failure() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (here, elsewhere) = (phone(), phone());
    let (_, path) = session(&event, json!({})).await;
    for _ in 0..3 {
        let token = start(&event, &path).await.text_at("/token");
        pair(&here, &token).await.expect_status(201);
    }
    let mut failures = 0;
    let limited = loop {
        let reply = pair(&here, "guess").await;
        if reply.status == 429 {
            break reply.problem_of(429);
        }
        reply.problem(404, "pairing_unknown");
        failures += 1;
        assert!(failures <= 60, "60 failures and no limit");
    };
    assert_eq!(failures, 50);
    let wait: i64 = limited
        .header("retry-after")
        .and_then(|it| it.parse().ok())
        .expect("a wait");
    let token = start(&event, &path).await.text_at("/token");
    pair(&here, &token).await.problem_of(429);
    pair(&elsewhere, "guess").await.problem_of(404);
    pair(&here.at(seconds_from_now(wait + 1)), "guess")
        .await
        .problem_of(404);
    pair(&elsewhere, &token).await.expect_status(201);
}

#[tokio::test]
async fn who_may_not_make_sessions_starts_no_pairing() {
    let event = Event::with_guests(["Ada"])
        .settings(json!({"guest_scanning": true}))
        .open()
        .await;
    let (_, path) = session(&event, json!({})).await;
    let path = format!("{path}/pairing");
    let reader = event.tenant.member("read_only").await.client;
    let stranger = Tenant::new().await;
    let key = event
        .client()
        .get(&format!("/pulse/{}", event.table))
        .await
        .text_at("/guest_key");
    for (client, status) in [
        (&reader, 403),
        (&event.door().client().await, 403),
        (&device(&format!("guest_{key}")), 401),
        (&Client::anonymous(), 401),
        (stranger.client(), 404),
    ] {
        client.call("POST", &path).await.problem_of(status);
    }
    let agent = event.tenant.member("agent").await.client;
    agent.call("POST", &path).await.expect_status(201);
    let nobody = format!("/pulse/sessions/{}/pairing", uuid::Uuid::new_v4());
    agent.call("POST", &nobody).await.problem_of(404);
}

#[tokio::test]
async fn of_a_token_only_its_hash_is_kept() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (made, path) = session(&event, json!({})).await;
    let token = start(&event, &path).await.text_at("/token");
    let database = Database::definer().await;
    let sql = "select to_jsonb(p) || jsonb_build_object('right',
                 p.token_hash = encode(sha256(convert_to($2, 'UTF8')), 'hex'))
               from pulse_pairings p where session_id = $1::text::uuid";
    let id = made.text_at("/id");
    let kept = database
        .json(sql, &[(&id, Type::TEXT), (&token, Type::TEXT)])
        .await;
    assert_eq!(kept["right"], true, "{kept}");
    assert!(!kept.to_string().contains(&token), "{kept}");
    let listed = event
        .client()
        .get(&format!("/pulse/sessions?table_id={}", event.table))
        .await;
    let listed = listed.expect_status(200).text();
    let hash = kept["token_hash"].as_str().expect("a hash");
    assert!(
        !listed.contains(&token) && !listed.contains(hash),
        "{listed}"
    );
}
