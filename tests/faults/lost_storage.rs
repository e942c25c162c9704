//! Objects evicted from memory, and objects whose storage is gone.
//!
//! Invariant: memory is a cache of storage, and storage can be rebuilt from Postgres.
//! Failure: the answer that changed.

use super::alone;
use super::crowd::{Crowd, Dice, large_event};
use futures_util::future::join_all;
use pulse_tests::control::Control;
use pulse_tests::database::Database;
use pulse_tests::history::Replay;
use pulse_tests::prelude::*;

/// Scans an event into a state worth losing; gives one scan's body and answer.
async fn lived_in() -> (Event, Value, Answer) {
    let settings = json!({"allow_reentry": true, "capacity": 3});
    let event = Event::with_guests(["Ada:vip", "Bob", "Cleo"])
        .gate("North", ["vip"])
        .gate("South", []);
    let event = event.settings(settings).open().await;
    let body = json!({"barcode": event.code("Ada"), "nonce": "kept", "scanned_at": "2026-05-01T10:00:00Z"});
    let first = event
        .scanner("North")
        .scan_with(body.clone())
        .await
        .accepted();
    event.scanner("South").scan("Ada").await.duplicate();
    event.scanner("South").scan("Bob").await.accepted();
    event.scanner("South").exit("Bob").await.accepted();
    event
        .scanner("North")
        .scan("Cleo")
        .await
        .refused("wrong_gate");
    event
        .scanner("South")
        .scan_with(json!({"walk_in": {"name": "Walter", "barcode": "band"}}))
        .await
        .accepted();
    let undone = event
        .scanner("South")
        .scan("Cleo")
        .await
        .accepted()
        .check_in();
    event
        .scanner("South")
        .annul(&undone)
        .await
        .expect_status(200);
    (event, body, first)
}

/// Nothing that anyone can see has changed.
async fn is_as_before(event: &Event, body: &Value, first: &Answer, before: &Dashboard) {
    let again = event
        .scanner("North")
        .scan_with(body.clone())
        .await
        .replayed();
    assert_eq!(again.json, first.json, "a nonce was forgotten");
    let after = event.dashboard().await;
    for part in [
        "/total",
        "/checked_in",
        "/inside",
        "/walk_ins",
        "/duplicates",
        "/refused",
        "/rate",
        "/arrivals",
        "/by_category",
        "/by_gate",
        "/recent",
        "/capacity",
        "/timezone",
        "/name",
    ] {
        assert_eq!(after.at(part), before.at(part), "{part}");
    }
    let answer = event.scanner("South").scan("Ada").await.duplicate();
    answer
        .has("/first_entry/at", "2026-05-01T10:00:00.000Z")
        .has("/first_entry/gate", "North")
        .has("/seq", 9);
    event
        .scanner("South")
        .scan("band")
        .await
        .duplicate()
        .has("/guest/name", "Walter");
    event
        .scanner("North")
        .scan("Cleo")
        .await
        .refused("wrong_gate");
    event.scanner("South").scan("Cleo").await.accepted();
    event
        .scanner("South")
        .scan("Bob")
        .await
        .refused("capacity_reached");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_evicted_object_wakes_as_it_was() {
    let _alone = alone().await;
    let (event, body, first) = lived_in().await;
    let before = event.dashboard().await;
    Control::here().evict(&event.table).await;
    assert_eq!(
        event.dashboard().await.position(),
        before.position(),
        "a dashboard must not start over"
    );
    is_as_before(&event, &body, &first, &before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_without_storage_rebuilds_itself_from_postgres() {
    let _alone = alone().await;
    let (event, body, first) = lived_in().await;
    let before = event.recorded().await;
    Control::here().wipe_objects().await;
    let rebuilt = event.dashboard().await;
    assert_eq!(rebuilt.position().offset, before.position().offset);
    assert_ne!(
        rebuilt.position().epoch,
        before.position().epoch,
        "positions of a lost log must not count"
    );
    is_as_before(&event, &body, &first, &before).await;
    event.recorded().await;
}

/// Keys and revocations of signed tickets live through both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_ticket_stays_revoked_whatever_the_object_forgets() {
    let _alone = alone().await;
    let event = Event::with_guests(["Ada", "Bob", "Cleo"]).open().await;
    let path = format!("/pulse/tables/{}/tickets", event.table);
    let issued = event.client().post(&path, &json!({"all": true})).await;
    let codes = issued.expect_status(201).list_at("/items");
    let code = |nth: usize| codes[nth]["code"].as_str().expect("a code");
    let body = json!({"row_ids": [event.row_id("Ada")]});
    let revoked = event.client().post(&format!("{path}/revoke"), &body).await;
    revoked.expect_status(200);
    event.door().scan(code(0)).await.refused("revoked");
    Control::here().evict(&event.table).await;
    event.door().scan(code(0)).await.refused("revoked");
    event.door().scan(code(1)).await.accepted();
    event.recorded().await;
    Control::here().wipe_objects().await;
    event.door().scan(code(0)).await.refused("revoked");
    event.door().scan(code(1)).await.duplicate();
    event.door().scan(code(2)).await.accepted();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_wakes_an_evicted_object_loses_nothing() {
    let _alone = alone().await;
    let event = large_event(500).await;
    let (crowd, control) = (Crowd::default(), Control::here());
    for wave in 0..6 {
        let scanners = (0..16).map(|number| {
            let (event, crowd) = (&event, &crowd);
            async move {
                let client = event.phone(&format!("phone {number}")).client().await;
                let mut dice = Dice::new(wave * 16 + number);
                for _ in 0..20 {
                    let body = json!({"barcode": format!("G{}", dice.roll(500))});
                    crowd.scan(event, &client, body).await;
                }
            }
        });
        join_all(scanners).await;
        control.evict(&event.table).await;
    }
    let dashboard = event.recorded().await;
    let database = Database::admin().await;
    let log = database.scan_log(&event.tenant.id, &event.table).await;
    assert_eq!(log.len(), 6 * 16 * 20);
    crowd.history.judge(&log);
    Replay::no_guest_twice(&log);
    Replay::of(&log).agrees(&dashboard.counts);
}

/// What the dashboard shows of the scanner that reported, without the time it was last seen.
async fn reported(event: &Event) -> Value {
    let board = event.dashboard().await;
    let scanners = board.at("/active_scanners");
    let all = scanners.as_array().cloned().unwrap_or_default();
    let mut found = all.into_iter().find(|one| one["name"] == "Phone");
    let found = found
        .as_mut()
        .unwrap_or_else(|| panic!("no scanner: {scanners}"));
    assert!(found["last_seen_at"].is_string(), "{found}");
    assert_eq!(board.at("/unsynced"), 9);
    found.take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_lost_its_memory_or_its_storage_still_knows_what_its_scanners_said() {
    let _alone = alone().await;
    let event = Event::with_guests(["Ada"]).open().await;
    let session = event.session(json!({"name": "Phone"})).await;
    let path = format!("/pulse/sessions/{}", session.text_at("/id"));
    let first = Client::anonymous().with_token(&session.text_at("/token"));
    let rolled = first
        .call("POST", &format!("{path}/roll"))
        .await
        .expect_status(200);
    let device = Client::anonymous().with_token(&rolled.text_at("/token"));
    let said = json!({"battery": 0.42, "app": "Pulse 1.4", "pending": 9, "roster_seq": 41});
    let noted = device.post(&format!("{path}/status"), &said).await;
    noted.expect_status(204);
    let before = reported(&event).await;
    Control::here().evict(&event.table).await;
    assert_eq!(
        reported(&event).await,
        before,
        "memory is not where it is kept"
    );
    let list = format!("/pulse/sessions?table_id={}", event.table);
    eventually("the report reaches Postgres all the same", || async {
        let listed = event.client().get(&list).await.expect_status(200);
        (listed.at("/items/0/pending") == 9).then_some(())
    })
    .await;
    Control::here().wipe_objects().await;
    assert_eq!(
        reported(&event).await,
        before,
        "Postgres knows what storage knew"
    );
    let scan = |who: &Client| event.scan_by(who, json!({"barcode": event.code("Ada")}));
    scan(&first).await.problem(401, "device_rolled");
    Answer::of(scan(&device).await).accepted();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_watches_the_scanners_of_an_evicted_object_goes_on_watching() {
    let _alone = alone().await;
    let event = Event::with_guests(["Ada"]).open().await;
    let session = event.session(json!({"name": "Phone"})).await;
    let device = Client::anonymous().with_token(&session.text_at("/token"));
    let status = format!("/pulse/sessions/{}/status", session.text_at("/id"));
    let mut watcher = event.socket().await;
    let mut position = watcher.subscribe("devices").await.position;
    let mut scanner = Socket::connect(&event.live_path(), device.token()).await;
    for pending in 1..=3 {
        scanner.quiet().await;
        Control::here().evict(&event.table).await;
        let report = device.post(&status, &json!({"pending": pending})).await;
        report.expect_status(204);
        let seen = loop {
            let seen = watcher.event_of("devices").await;
            if seen["data"][0]["pending"] == pending {
                break seen;
            }
        };
        assert_eq!(seen["data"][0]["online"], true, "{seen}");
        let offset = seen["offset"].as_u64().unwrap_or_default();
        assert!(offset > position.offset, "{seen}");
        position.offset = offset;
    }
    Control::here().evict(&event.table).await;
    let noted = scanner.request(json!({"status": {"pending": 4}})).await;
    assert!(noted["noted"].is_object(), "{noted}");
    let again = event.socket().await.recover("devices", &position).await;
    assert!(again.recovered);
    assert_eq!(again.events[0]["data"][0]["pending"], 4);
}
