//! Guests who scan with their own phones, without an account.
//!
//! Invariant: whoever holds the table's guest key scans and does nothing else; each phone is a device
//! of its own.
//! Failure: each test names what it found instead.

use futures_util::future::join_all;
use pulse_tests::database::Database;
use pulse_tests::prelude::*;
use pulse_tests::qr;
use std::collections::HashSet;
use uuid::Uuid;

/// An event that takes scans from guests, and its key.
async fn open_to_guests(names: &[&str]) -> (Event, String) {
    let event = Event::with_guests(names)
        .settings(json!({"guest_scanning": true}))
        .open()
        .await;
    let key = key(&event).await;
    (event, key)
}

async fn key(event: &Event) -> String {
    let path = format!("/pulse/{}", event.table);
    event.client().get(&path).await.text_at("/guest_key")
}

/// A guest's phone.
fn phone(key: &str, device: Uuid) -> Client {
    Client::anonymous().with_token(&format!("guest_{key}.{device}"))
}

fn post(client: &Client, event: &Event, what: &str) -> pulse_tests::client::Call {
    client.call("POST", &format!("/pulse/{}/{what}", event.table))
}

#[tokio::test]
async fn a_guest_link_opens_the_scanner_page_with_the_tables_key() {
    let (event, key) = open_to_guests(&["Ada"]).await;
    let link = post(event.client(), &event, "guest-link")
        .await
        .expect_status(200);
    let url = link.text_at("/url");
    assert_eq!(url, event.client().base());
    assert_eq!(
        link.text_at("/link"),
        format!("{url}/pulse-scanner#guest={key}&table={}", event.table)
    );
    assert_eq!(qr::read(&link.text_at("/svg")), link.text_at("/link"));
    let again = post(event.client(), &event, "guest-link")
        .await
        .expect_status(200);
    assert_eq!(again.json(), link.json(), "asking changes nothing");
}

#[tokio::test]
async fn there_is_a_guest_link_only_where_guests_scan_and_only_for_managers() {
    let event = Event::with_guests(["Ada"]).open().await;
    post(event.client(), &event, "guest-link")
        .await
        .problem(409, "guest_scanning_off");
    event
        .configure(json!({"settings": {"guest_scanning": true}}))
        .await;
    post(event.client(), &event, "guest-link")
        .await
        .expect_status(200);
    let (stranger, key) = (Tenant::new().await, key(&event).await);
    let manager = event.tenant.member("manager").await.client;
    for what in ["guest-link", "guest-key"] {
        for (client, status) in [
            (&event.tenant.member("agent").await.client, 403),
            (&event.tenant.member("read_only").await.client, 403),
            (&event.door().client().await, 403),
            (&phone(&key, Uuid::new_v4()), 401),
            (&Client::anonymous(), 401),
            (stranger.client(), 404),
        ] {
            let refused = post(client, &event, what).await.problem_of(status);
            assert!(!refused.text().contains(&key), "{refused}");
        }
        post(&manager, &event, what).await.expect_status(200);
    }
    let gone = event
        .client()
        .delete(&format!("/pulse/{}", event.table))
        .await;
    gone.expect_status(204);
    post(event.client(), &event, "guest-link")
        .await
        .problem(409, "pulse_disabled");
}

#[tokio::test]
async fn a_new_guest_key_shuts_out_who_holds_the_old_one_at_once() {
    let (event, old) = open_to_guests(&["Ada", "Bob"]).await;
    let device = Uuid::new_v4();
    let scan = |key: &str, name: &str| {
        event.scan_by(&phone(key, device), json!({"barcode": event.code(name)}))
    };
    Answer::of(scan(&old, "Ada").await).accepted();
    let token = format!("guest_{old}.{device}");
    let mut socket = Socket::connect(&event.live_path(), &token).await;
    let mut plain = Socket::connect(&event.live_path(), &format!("guest_{old}")).await;
    let mut staff = event.socket().await;
    staff.subscribe("scans").await;
    let rolled = post(event.client(), &event, "guest-key")
        .await
        .expect_status(200);
    assert_eq!((socket.closed().await, plain.closed().await), (3500, 3500));
    scan(&old, "Bob").await.problem(401, "guest_key_wrong");
    let new = key(&event).await;
    assert_ne!(new, old);
    assert!(rolled.text_at("/link").contains(&new), "{rolled}");
    Answer::of(scan(&new, "Bob").await).accepted();
    staff.event_of("scans").await;
    let mut again = Socket::open(&event.live_path(), Some(&token), None)
        .await
        .expect("a socket");
    assert_eq!(again.closed().await, 3500);
}

#[tokio::test]
async fn each_phone_is_a_device_with_nonces_of_its_own() {
    let (event, key) = open_to_guests(&["Ada", "Bob"]).await;
    let (one, two) = (Uuid::new_v4(), Uuid::new_v4());
    let scan = |device: Uuid, name: &str| {
        let body = json!({"barcode": event.code(name), "nonce": "1"});
        event.scan_by(&phone(&key, device), body)
    };
    let first = Answer::of(scan(one, "Ada").await).accepted();
    assert_eq!(
        Answer::of(scan(one, "Ada").await).replayed().json,
        first.json
    );
    Answer::of(scan(two, "Ada").await).fresh().duplicate();
    let anybody = Client::anonymous().with_token(&format!("guest_{key}"));
    let body = json!({"barcode": event.code("Ada"), "nonce": "1"});
    Answer::of(event.scan_by(&anybody, body).await)
        .fresh()
        .duplicate();
    event.recorded().await;
    let log = Database::admin()
        .await
        .scan_log(&event.tenant.id, &event.table)
        .await;
    let actors: Vec<_> = log.iter().map(|entry| entry["actor"].clone()).collect();
    let actor = |id: Uuid| json!({"kind": "anonymous", "id": id});
    assert_eq!(actors, [actor(one), actor(two), actor(Uuid::nil())]);
}

#[tokio::test]
async fn a_guest_undoes_nothing() {
    let (event, key) = open_to_guests(&["Ada"]).await;
    let guest = phone(&key, Uuid::new_v4());
    let scan = event
        .scan_by(&guest, json!({"barcode": event.code("Ada")}))
        .await;
    let check_in = Answer::of(scan).accepted().check_in();
    event.annul_by(&guest, &check_in).await.problem_of(401);
    event.dashboard().await.counts(|c| c.checked_in == 1);
}

#[tokio::test]
async fn a_guests_phone_passes_for_no_scanner_of_ours() {
    let (event, key) = open_to_guests(&["Ada"]).await;
    let body = json!({"barcode": event.code("Ada"), "nonce": "1"});
    let session: Uuid = event.door().id().await.parse().expect("an id");
    let posing = phone(&key, session);
    event
        .scan_by(&posing, body.clone())
        .await
        .problem(401, "guest_device_taken");
    Answer::of(event.scan_by(&event.door().client().await, body).await)
        .fresh()
        .accepted();
    for device in ["", "phone", "{}", "018f3c1e7b2a7c3d8e4f0123456789ab", "a.b"] {
        let strange = Client::anonymous().with_token(&format!("guest_{key}.{device}"));
        let reply = event
            .scan_by(&strange, json!({"barcode": event.code("Ada")}))
            .await;
        reply.problem_of(401);
    }
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 1 && c.duplicates == 0);
}

#[tokio::test]
async fn who_scanned_is_kept_with_the_check_in() {
    let (event, key) = open_to_guests(&["Ada"]).await;
    let guest = phone(&key, Uuid::new_v4());
    let scanner = json!({"name": "Hel Per", "email": "helper@x.test"});
    let body = json!({"barcode": event.code("Ada"), "scanner": scanner});
    Answer::of(event.scan_by(&guest, body).await).accepted();
    event.recorded().await;
    let record = event.check_ins("").await.remove(0);
    assert_eq!(
        (&record["scanner_name"], &record["scanner_email"]),
        (&json!("Hel Per"), &json!("helper@x.test"))
    );
    let wrong = json!({"barcode": event.code("Ada"), "scanner": {"name": "x".repeat(201), "email": "none"}});
    event
        .scan_by(&guest, wrong)
        .await
        .problem_of(422)
        .points_at("/scanner/name")
        .points_at("/scanner/email");
}

#[tokio::test]
async fn a_guests_socket_scans_and_shows_nothing() {
    let (event, key) = open_to_guests(&["Ada"]).await;
    let token = format!("guest_{key}.{}", Uuid::new_v4());
    let mut socket = Socket::connect(&event.live_path(), &token).await;
    for channel in ["scans", "stats", "devices", "roster"] {
        let reply = socket
            .request(json!({"subscribe": {"channel": channel}}))
            .await;
        assert!(reply["error"]["code"].is_string(), "{channel}: {reply}");
        let reply = socket
            .request(json!({"presence": {"channel": channel}}))
            .await;
        assert!(reply["error"]["code"].is_string(), "{channel}: {reply}");
    }
    let refused = socket.request(json!({"status": {"battery": 1}})).await;
    assert_eq!(refused["error"]["code"], "role_not_allowed");
    let scan = json!({"table_id": event.table, "barcode": event.code("Ada"), "nonce": "1"});
    let first = socket.request(json!({ "scan": scan })).await;
    assert_eq!(first["verdict"]["verdict"], "accepted", "{first}");
    let over_http = event
        .scan_by(&Client::anonymous().with_token(&token), scan)
        .await;
    Answer::of(over_http).replayed();
    event
        .configure(json!({"settings": {"guest_scanning": false}}))
        .await;
    assert_eq!(socket.closed().await, 3500);
}

/// A phone that runs wild is stopped, and the one beside it scans on.
#[tokio::test]
async fn a_guests_phone_that_calls_too_often_is_limited_alone() {
    let (event, key) = open_to_guests(&["Ada"]).await;
    let (wild, calm) = (phone(&key, Uuid::new_v4()), phone(&key, Uuid::new_v4()));
    let mut told = None;
    for _ in 0..15 {
        let calls = (0..30).map(|_| wild.post("/pulse/check-ins", &json!({})).into_future());
        let replies = join_all(calls).await;
        told = replies.into_iter().find(|reply| reply.status == 429);
        if told.is_some() {
            break;
        }
    }
    told.expect("450 calls and no limit")
        .problem(429, "too_many_requests");
    let body = json!({"barcode": event.code("Ada")});
    Answer::of(event.scan_by(&calm, body).await).accepted();
}

/// Shared NAT in the field: limits are per phone, and inventing phones is no way around them.
#[tokio::test]
async fn all_guests_of_a_table_have_a_limit_together_and_disturb_nobody_else() {
    let (event, key) = open_to_guests(&["Ada"]).await;
    let (other, others_key) = open_to_guests(&["Eve"]).await;
    let mut told = None;
    for _ in 0..60 {
        // Each call by another phone. What is asked is wrong, so that it costs next to nothing.
        let calls = (0..40).map(|_| {
            let phone = phone(&key, Uuid::new_v4());
            phone.post("/pulse/check-ins", &json!({})).into_future()
        });
        let replies = join_all(calls).await;
        let codes: HashSet<_> = replies.iter().map(|reply| reply.status).collect();
        assert!(codes.is_subset(&HashSet::from([422, 429])), "{codes:?}");
        told = replies.into_iter().find(|reply| reply.status == 429);
        if told.is_some() {
            break;
        }
    }
    let told = told
        .expect("2,400 calls and no limit")
        .problem(429, "too_many_requests");
    let wait: u32 = told
        .header("retry-after")
        .and_then(|it| it.parse().ok())
        .expect("a wait");
    assert!((1..=60).contains(&wait), "{wait}");
    event.door().scan("Ada").await.accepted();
    let eve = json!({"barcode": other.code("Eve")});
    let elsewhere = other
        .scan_by(&phone(&others_key, Uuid::new_v4()), eve)
        .await;
    Answer::of(elsewhere).accepted();
}

/// What a phone queued outlives its key: a manager brings it, as that phone's.
#[tokio::test]
async fn a_manager_brings_what_a_guests_phone_queued_before_its_key_ended() {
    let (event, key) = open_to_guests(&["Ada", "Bob"]).await;
    let device = Uuid::new_v4();
    let items: Vec<Value> = [("Ada", "18:00:00"), ("Bob", "18:01:00")]
        .map(|(guest, clock)| {
            json!({"barcode": event.code(guest), "nonce": clock, "scanner": {"name": "Vera"},
                   "scanned_at": format!("2024-06-01T{clock}Z"), "offline": {"verdict": "accepted"}})
        })
        .into();
    let theirs = json!({ "guest_device": device });
    let first = event
        .bring(&phone(&key, device), &items[..1], json!({}))
        .await;
    let first = first.expect_status(200);
    post(event.client(), &event, "guest-key")
        .await
        .expect_status(200);
    event
        .bring(&phone(&key, device), &items, json!({}))
        .await
        .problem(401, "guest_key_wrong");
    let brought = event.bring(event.client(), &items, theirs.clone()).await;
    let brought = brought.expect_status(200);
    assert_eq!(brought.at("/results/0/replayed"), true, "{brought}");
    assert_eq!(
        brought.at("/results/0/answer"),
        first.at("/results/0/answer")
    );
    let record = brought.at("/results/1/answer/check_in");
    assert_eq!(record["scanner_name"], "Vera", "{record}");
    assert_eq!(record["session_id"], Value::Null, "{record}");
    let off = json!({"settings": {"guest_scanning": false}});
    event.configure(off).await;
    let again = event.bring(event.client(), &items, theirs).await;
    let again = again.expect_status(200);
    assert_eq!(again.at("/results/1/replayed"), true, "{again}");
    let counts = event.recorded().await.counts(|c| c.checked_in == 2);
    assert_eq!(counts.at("/conflicts"), 0);
    let log = Database::admin()
        .await
        .scan_log(&event.tenant.id, &event.table)
        .await;
    let actors: Vec<_> = log.iter().map(|entry| &entry["actor"]["kind"]).collect();
    assert_eq!(actors, ["anonymous", "user"], "the manager acted");
}

#[tokio::test]
async fn who_may_not_bring_a_guests_queue_is_refused() {
    let (event, key) = open_to_guests(&["Ada"]).await;
    let (one, two) = (Uuid::new_v4(), Uuid::new_v4());
    let session: Uuid = event.door().id().await.parse().expect("an id");
    let item = json!({"barcode": event.code("Ada"), "nonce": "1", "scanned_at": "2024-06-01T18:00:00Z",
                      "offline": {"verdict": "accepted"}});
    let bring =
        |client: &Client, more: Value| event.bring(client, std::slice::from_ref(&item), more);
    let agent = event.tenant.member("agent").await.client;
    for who in [&agent, &event.door().client().await, &phone(&key, two)] {
        bring(who, json!({ "guest_device": one }))
            .await
            .problem(403, "role_not_allowed");
    }
    let both = json!({"guest_device": one, "session_id": session});
    for posing in [json!({ "guest_device": session }), both] {
        bring(event.client(), posing)
            .await
            .problem_of(422)
            .points_at("/guest_device");
    }
    let stranger = Tenant::new().await;
    bring(stranger.client(), json!({ "guest_device": one }))
        .await
        .problem_of(404);
    event.dashboard().await.counts(|c| c.checked_in == 0);
    let manager = event.tenant.member("manager").await.client;
    bring(&manager, json!({ "guest_device": one }))
        .await
        .expect_status(200);
    event.dashboard().await.counts(|c| c.checked_in == 1);
}
