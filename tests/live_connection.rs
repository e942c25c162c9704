//! The live connection itself: tokens, frames, channels, presence, and how it ends.
//!
//! Invariant: below 3500 a client comes back, from 3500 on it stops.
//! Failure: the frame or the close code that broke a promise.

use futures_util::future::join_all;
use pulse_tests::prelude::*;
use pulse_tests::token::Forgery;
use std::time::Duration;

#[tokio::test]
async fn the_token_may_come_in_the_first_frame() {
    let event = Event::with_guests(["Ada"]).open().await;
    let mut socket = Socket::bare(&event.live_path()).await;
    socket.hello(event.client().token()).await;
    let ttl = socket.connected["ttl"].as_u64().expect("a ttl");
    assert!((1..=900).contains(&ttl), "{ttl}");
    assert!(
        socket.connected["server_time"]
            .as_str()
            .is_some_and(|time| time.ends_with('Z'))
    );
    socket.subscribe("scans").await;
}

#[tokio::test]
async fn before_the_token_nothing_is_answered_and_ten_seconds_are_enough() {
    let event = Event::with_guests(["Ada"]).open().await;
    let mut early = Socket::bare(&event.live_path()).await;
    early
        .send("{\"id\":1,\"subscribe\":{\"channel\":\"scans\"}}")
        .await;
    let code = early.closed().await;
    assert!(code >= 3500, "{code}");
    let mut silent = Socket::bare(&event.live_path()).await;
    let started = std::time::Instant::now();
    assert_eq!(silent.closed_within(Duration::from_secs(14)).await, 3502);
    assert!(started.elapsed() > Duration::from_secs(8));
}

#[tokio::test]
async fn a_wrong_token_opens_nothing() {
    let (event, other) = (
        Event::with_guests(["Ada"]).open().await,
        Event::with_guests(["Eve"]).open().await,
    );
    for token in [
        "nonsense",
        other.client().token(),
        other.door().client().await.token(),
    ] {
        match Socket::open(&event.live_path(), Some(token), None).await {
            Err(_) => {}
            Ok(mut socket) => {
                let code = socket.closed().await;
                assert!(code >= 3500, "{code}");
            }
        }
        let mut socket = Socket::bare(&event.live_path()).await;
        socket
            .send(&json!({"id": 1, "connect": {"token": token}}).to_string())
            .await;
        let code = socket.closed().await;
        assert!(code >= 3500, "{code}");
    }
    let in_url = format!("{}?token={}", event.live_path(), event.client().token());
    match Socket::open(&in_url, None, None).await {
        Err(_) => {}
        Ok(mut socket) => {
            socket
                .send("{\"id\":1,\"subscribe\":{\"channel\":\"scans\"}}")
                .await;
            assert!(socket.closed().await >= 3500);
        }
    }
}

/// Guarantee 5: a malformed frame ends the connection with 3501.
#[tokio::test]
async fn a_malformed_frame_ends_the_connection() {
    let event = Event::with_guests(["Ada"]).open().await;
    for frame in [
        "{",
        "null",
        "[]",
        "{\"id\":1}",
        "{\"id\":1,\"dance\":{}}",
        "{\"id\":\"x\",\"subscribe\":{\"channel\":7}}",
    ] {
        let mut socket = event.socket().await;
        socket.send(frame).await;
        assert_eq!(socket.closed().await, 3501, "{frame}");
    }
}

/// Guarantee 6: a forbidden channel is an error, and the socket lives.
#[tokio::test]
async fn a_channel_one_may_not_see_is_an_error_and_the_socket_lives() {
    let event = Event::with_guests(["Ada"]).open().await;
    let mut socket = event.socket().await;
    for channel in ["roster", "nothing", "scans.roster"] {
        let reply = socket
            .request(json!({"subscribe": {"channel": channel}}))
            .await;
        assert!(reply["error"]["code"].is_string(), "{channel}: {reply}");
        assert_eq!(reply["error"]["temporary"], false);
    }
    socket.subscribe("scans").await;
    event.door().scan("Ada").await.accepted();
    socket.event_of("scans").await;
}

#[tokio::test]
async fn after_unsubscribing_nothing_more_comes() {
    let event = Event::with_guests(["Ada"]).open().await;
    let mut socket = event.socket().await;
    socket.subscribe("scans").await;
    let reply = socket
        .request(json!({"unsubscribe": {"channel": "scans"}}))
        .await;
    assert!(reply["error"].is_null(), "{reply}");
    let mut other = event.socket().await;
    other.subscribe("scans").await;
    event.door().scan("Ada").await.accepted();
    other.event_of("scans").await;
    socket.quiet().await;
}

#[tokio::test]
async fn a_ping_is_answered() {
    let event = Event::with_guests(["Ada"]).open().await;
    let mut socket = event.socket().await;
    for _ in 0..3 {
        socket.quiet().await;
    }
}

/// Guarantee 7: who watches, gone within 33 s of a dead socket.
#[tokio::test]
async fn presence_shows_who_watches() {
    let event = Event::with_guests(["Ada"]).open().await;
    let device = event.door().client().await;
    let mut one = event.socket().await;
    one.subscribe("scans").await;
    let mut two = Socket::connect(&event.live_path(), device.token()).await;
    two.subscribe("scans").await;
    let watchers = |reply: Value| {
        reply["presence"]["watchers"]
            .as_array()
            .cloned()
            .unwrap_or_else(|| panic!("{reply}"))
    };
    let both = watchers(one.request(json!({"presence": {"channel": "scans"}})).await);
    assert_eq!(both.len(), 2);
    let scanner = event.door().id().await;
    assert!(
        both.iter()
            .any(|watcher| watcher["kind"] == "device" && watcher["id"] == *scanner),
        "{both:?}"
    );
    drop(two);
    let started = std::time::Instant::now();
    while watchers(one.request(json!({"presence": {"channel": "scans"}})).await).len() > 1 {
        assert!(
            started.elapsed() < Duration::from_secs(33),
            "a closed socket is still present"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Guarantee 7 again: a phone out of reach closes nothing, it just falls silent.
#[tokio::test]
async fn a_reader_that_fell_silent_is_gone_from_the_presence_in_time() {
    let event = Event::with_guests(["Ada"]).open().await;
    let mut one = event.socket().await;
    one.subscribe("scans").await;
    let device = event.door().client().await;
    let mut silent = Socket::connect(&event.live_path(), device.token()).await;
    silent.subscribe("scans").await;
    let started = std::time::Instant::now();
    let mut there = async || {
        let reply = one.request(json!({"presence": {"channel": "scans"}})).await;
        reply["presence"]["watchers"].as_array().map(Vec::len)
    };
    // Silent, but not for long enough: phones ping every 25 s.
    while started.elapsed() < Duration::from_secs(25) {
        assert_eq!(there().await, Some(2), "after {:?}", started.elapsed());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    while there().await != Some(1) {
        let silence = started.elapsed();
        assert!(silence < Duration::from_secs(35), "there after {silence:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // It was there all the time, and is again with its next sign of life.
    silent.quiet().await;
    assert_eq!(there().await, Some(2));
}

/// A revoked device is closed at once with 3500.
#[tokio::test]
async fn a_revoked_scanner_is_closed_at_once() {
    let event = Event::with_guests(["Ada"]).open().await;
    let device = event.door().client().await;
    let mut socket = Socket::connect(&event.live_path(), device.token()).await;
    socket.subscribe("scans").await;
    let path = format!("/pulse/sessions/{}", event.door().id().await);
    event
        .client()
        .patch(&path, &json!({"is_active": false}))
        .await
        .expect_status(200);
    assert_eq!(socket.closed().await, 3500);
}

#[tokio::test]
async fn a_fresh_token_extends_the_connection_and_a_bad_one_does_not() {
    let event = Event::with_guests(["Ada"]).open().await;
    let mut socket = event.socket().await;
    let fresh = event.tenant.admin.login().await;
    let reply = socket
        .request(json!({"refresh": {"token": fresh.access()}}))
        .await;
    assert!(reply.to_string().contains("ttl"), "{reply}");
    let other = Tenant::new().await;
    socket
        .send(&json!({"id": 99, "refresh": {"token": other.client().token()}}).to_string())
        .await;
    let answer = socket.text_or_close().await;
    assert!(
        answer
            .as_ref()
            .map_or_else(|code| *code >= 3500, |text| text.contains("error")),
        "{answer:?}"
    );
}

/// 25 s after its token expired a socket is closed so that the client comes back with a newer one. It
/// sends nothing meanwhile, so it is the object that has to look.
#[tokio::test]
async fn a_connection_ends_25_seconds_after_its_token_and_one_that_was_renewed_does_not() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let device = event.door().client().await;
    let short = |token: &str| Forgery::of(token).time("exp", 3).sign();
    let started = std::time::Instant::now();
    let mut staff = Socket::connect(&event.live_path(), &short(event.client().token())).await;
    let mut phone = Socket::connect(&event.live_path(), &short(device.token())).await;
    let mut renewed = Socket::connect(&event.live_path(), &short(event.client().token())).await;
    for socket in [&mut staff, &mut phone, &mut renewed] {
        assert!(
            socket.connected["ttl"].as_u64() <= Some(3),
            "{}",
            socket.connected
        );
        socket.subscribe("scans").await;
    }
    let fresh = json!({"refresh": {"token": event.client().token()}});
    let reply = renewed.request(fresh).await;
    assert!(reply["refreshed"]["ttl"].as_u64() > Some(60), "{reply}");
    // Past its expiry, within the time to renew: everything still comes.
    tokio::time::sleep(Duration::from_secs(10)).await;
    event.door().scan("Ada").await.accepted();
    for socket in [&mut staff, &mut phone, &mut renewed] {
        socket.event_of("scans").await;
    }
    for socket in [&mut staff, &mut phone] {
        assert_eq!(socket.closed_within(Duration::from_secs(30)).await, 3005);
        let lived = started.elapsed();
        let expected = Duration::from_secs(26)..Duration::from_secs(34);
        assert!(expected.contains(&lived), "{lived:?}");
    }
    event.door().scan("Bob").await.accepted();
    renewed.event_of("scans").await;
}

/// Guarantee 4: a slow reader is cut off with 3008, recovers, and slows nobody.
#[tokio::test]
async fn a_reader_too_slow_is_cut_off_and_slows_nobody() {
    // Long names make the 4 MiB that a silent reader may leave unread a matter of seconds.
    let (name, long) = ("🎟".repeat(200), "x".repeat(70));
    let event = Event::with_guests([""; 0])
        .guest(json!({"name": name, "category": long}))
        .gate(&long, []);
    let event = event
        .settings(json!({"allow_duplicate_scans": true}))
        .open()
        .await;
    let mut slow = Socket::slow(&event.live_path(), event.client().token()).await;
    let position = slow.subscribe("scans").await.position;
    let mut quick = event.socket().await;
    quick.subscribe("scans").await;
    let device = event.scanner(&long).client().await;
    let mut slowest = Duration::ZERO;
    for batch in 1..=140_u64 {
        let scans = (0..50).map(|_| {
            event
                .scan_by(&device, json!({"barcode": event.code(&name)}))
                .into_future()
        });
        for reply in join_all(scans).await {
            Answer::of(reply).accepted();
        }
        let started = std::time::Instant::now();
        while quick.offset("scans") < batch * 50 {
            quick.event_of("scans").await;
        }
        quick.quiet().await;
        slowest = slowest.max(started.elapsed());
    }
    assert!(
        slowest < Duration::from_secs(5),
        "the quick reader waited {slowest:?}"
    );
    assert_eq!(slow.closed().await, 3008);
    let recovered = event.socket().await.recover("scans", &position).await;
    assert!(recovered.recovered, "what the slow reader missed is lost");
    assert_eq!(recovered.events.len(), 7_000);
}
