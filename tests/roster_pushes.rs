//! What is pushed on the channel `roster`, and to whom.
//!
//! Invariant: pushes that go on from each other make the list as it is; a scanner knows when it
//! missed one, or when there is too much to push.
//! Failure: each test names what came instead.

use pulse_tests::list::{Copy, roster};
use pulse_tests::prelude::*;

/// Deltas are pushed to scanners, who know when they missed one.
#[tokio::test]
async fn changes_are_pushed_to_scanners() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let scanner = event.phone("one");
    let token = scanner.session().await["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let phone = scanner.client().await;
    let mut copy = Copy::load(&phone, &event, 100).await;
    let mut socket = Socket::connect(&event.live_path(), &token).await;
    socket.subscribe("roster").await;
    event.phone("two").scan("Ada").await.accepted();
    event
        .change("Bob", json!({"status": "canceled"}))
        .await
        .expect_status(200);
    while copy.guest(&event, "Bob")["status"] != json!("canceled")
        || copy.guest(&event, "Ada")["v"].is_null()
    {
        let pushed = socket.event_of("roster").await["data"].clone();
        if pushed["position"] == json!(copy.position) {
            continue;
        }
        assert_eq!(pushed["from"], json!(copy.position));
        assert_eq!(pushed["more"], json!(false));
        for row in pushed["rows"].as_array().unwrap() {
            copy.guests
                .insert(row["id"].as_str().unwrap().to_owned(), row.clone());
        }
        copy.position = pushed["position"].as_str().unwrap().to_owned();
    }
    assert_eq!(copy.guests, Copy::load(&phone, &event, 100).await.guests);
}

/// A device with a profile: its client and its socket.
async fn watcher(event: &Event, profile: &str) -> (Client, Socket) {
    let (client, _) = event.paired(json!({"profile": profile})).await;
    let socket = Socket::connect(&event.live_path(), client.token()).await;
    (client, socket)
}

async fn import(event: &Event, guests: std::ops::Range<u32>) {
    let rows: Vec<Value> = guests
        .map(|number| json!({"name": format!("Guest {number}"), "barcode": format!("G{number}")}))
        .collect();
    let path = format!("/pulse/tables/{}/import", event.table);
    let reply = event.client().post(&path, &json!(rows)).await;
    assert_eq!(reply.expect_status(200).at("/imported"), json!(rows.len()));
}

#[tokio::test]
async fn more_than_two_hundred_changes_are_not_pushed_but_asked_for() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (phone, mut socket) = watcher(&event, "scanner").await;
    let mut copy = Copy::load(&phone, &event, 100).await;
    socket.subscribe("roster").await;
    for (guests, more) in [(0..200, false), (200..401, true)] {
        import(&event, guests.clone()).await;
        let pushed = loop {
            let pushed = socket.event_of("roster").await["data"].clone();
            if pushed["position"] != json!(copy.position) {
                break pushed;
            }
        };
        assert_eq!(pushed["from"], json!(copy.position), "{guests:?}");
        assert_eq!(pushed["more"], json!(more), "{guests:?}");
        let rows = pushed["rows"].as_array().map(Vec::len);
        assert_eq!(rows, Some(if more { 0 } else { guests.len() }));
        copy.update(&phone, &event).await;
        assert_eq!(json!(copy.position), pushed["position"]);
    }
    assert_eq!(copy.guests.len(), 402);
    assert_eq!(copy.guests, Copy::load(&phone, &event, 20_000).await.guests);
}

/// Who gets the list sealed, or not at all, gets no rows in the clear by a push.
#[tokio::test]
async fn kiosks_and_viewers_get_no_pushes() {
    let event = Event::with_guests(["Ada"]).open().await;
    for profile in ["kiosk", "viewer"] {
        let (_, mut socket) = watcher(&event, profile).await;
        let subscribe = json!({"subscribe": {"channel": "roster"}});
        let reply = socket.request(subscribe).await;
        assert_eq!(reply["error"]["code"], "forbidden", "{profile}: {reply}");
        let recover =
            json!({"subscribe": {"channel": "roster", "recover": {"epoch": "x", "offset": 0}}});
        let reply = socket.request(recover).await;
        assert!(reply["error"]["code"].is_string(), "{profile}: {reply}");
        event
            .change("Ada", json!({"attention_note": profile}))
            .await;
        socket.quiet().await;
    }
    let (_, mut socket) = watcher(&event, "scanner").await;
    socket.subscribe("roster").await;
}

/// One number says how far a list is: of the table, of its channel, and what a scanner reports.
#[tokio::test]
async fn the_dashboard_says_where_the_list_is_and_where_each_scanner_is() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (phone, mut socket) = watcher(&event, "scanner").await;
    socket.subscribe("roster").await;
    let first = roster(&phone, &event, "")
        .await
        .expect_status(200)
        .at("/seq");
    let said = socket
        .request(json!({"status": {"roster_seq": first}}))
        .await;
    assert!(said["noted"].is_object(), "{said}");
    let board = event.dashboard().await;
    assert_eq!(
        (
            board.at("/roster_seq"),
            board.at("/active_scanners/0/roster_seq")
        ),
        (first.clone(), first.clone())
    );
    event.change("Ada", json!({"category": "vip"})).await;
    let pushed = socket.event_of("roster").await;
    let board = event.dashboard().await;
    assert_ne!(board.at("/roster_seq"), first, "the scanner is behind");
    assert_eq!(board.at("/active_scanners/0/roster_seq"), first);
    assert_eq!(pushed["data"]["seq"], board.at("/roster_seq"));
    assert_eq!(pushed["offset"], board.at("/roster_seq"), "{pushed}");
    let query = format!(
        "?since={}",
        pushed["data"]["position"].as_str().unwrap_or_default()
    );
    let news = roster(&phone, &event, &query).await.expect_status(200);
    assert_eq!(news.at("/seq"), board.at("/roster_seq"));
}
