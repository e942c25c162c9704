//! The guest list as scanners take it with them.
//!
//! Invariant: whole list plus what changed since is the list as it is now; a phone that nobody
//! vouches for can read a guest only with the guest's own code.
//! Failure: each test names what came instead.

use std::collections::BTreeMap;

use pulse_tests::list::{Copy, roster};
use pulse_tests::prelude::*;
use rules::checkin::sealed;
use uuid::Uuid;

/// 49: an interrupted download resumes without loss, whatever changes meanwhile.
#[tokio::test]
async fn a_list_taken_in_pages_and_brought_up_to_date_is_the_list_as_it_is() {
    let names: Vec<String> = (0..25).map(|number| format!("Guest {number}")).collect();
    let event = Event::with_guests(&names).timezone("UTC").open().await;
    let phone = event.phone("one").client().await;
    let first = roster(&phone, &event, "?limit=10").await.expect_status(200);
    let mut copy = Copy {
        position: first.text_at("/position"),
        ..Copy::default()
    };
    copy.take(&first);
    event
        .change("Guest 3", json!({"category": "vip"}))
        .await
        .expect_status(200);
    event.door().scan("Guest 4").await.accepted();
    let path = format!(
        "/pulse/tables/{}/rows/{}",
        event.table,
        event.row_id("Guest 5")
    );
    event.client().delete(&path).await.expect_status(204);
    let mut next = first.text_at("/next");
    loop {
        let page = roster(&phone, &event, &format!("?limit=10&after={next}"))
            .await
            .expect_status(200);
        copy.take(&page);
        match page.at("/next") {
            Value::String(after) => next = after,
            _ => break,
        }
    }
    copy.update(&phone, &event).await;
    let whole = Copy::load(&phone, &event, 20_000).await;
    assert_eq!(copy.guests, whole.guests);
    assert_eq!(copy.guests.len(), 24);
    assert_eq!(copy.guest(&event, "Guest 3")["category"], json!("vip"));
    let visits = copy.guest(&event, "Guest 4")["v"].as_array().unwrap();
    assert_eq!((visits.len(), &visits[0][3]), (1, &json!(false)));
}

/// Unchanged costs nothing; a position nobody knows gets the whole list.
#[tokio::test]
async fn an_unchanged_list_is_not_sent_again() {
    let event = Event::with_guests(["Ada"]).open().await;
    let phone = event.phone("one").client().await;
    let first = roster(&phone, &event, "").await.expect_status(200);
    let etag = first.header("etag").unwrap().to_owned();
    assert_eq!(etag, format!("\"{}\"", first.text_at("/position")));
    let path = format!("/pulse/{}/roster", event.table);
    let again = || phone.get(&path).header("if-none-match", &etag);
    again().await.expect_status(304);
    event.door().scan("Ada").await.accepted();
    again().await.expect_status(200);
    for unknown in ["none", "abc-1-1", "abc-x-y", "a-b-c-d", "%00"] {
        let whole = roster(&phone, &event, &format!("?since={unknown}"))
            .await
            .expect_status(200);
        assert_eq!(whole.at("/full"), json!(true), "{unknown}");
    }
    roster(&phone, &event, "?limit=0")
        .await
        .problem_of(422)
        .points_at("/limit");
    roster(&phone, &event, "?limit=20001")
        .await
        .problem_of(422)
        .points_at("/limit");
}

/// Settings and tickets that change reach who asks for changes.
#[tokio::test]
async fn new_settings_are_news() {
    let event = Event::with_guests(["Ada"]).open().await;
    let phone = event.phone("one").client().await;
    let mut copy = Copy::load(&phone, &event, 100).await;
    event
        .configure(json!({"settings": {"capacity": 7}}))
        .await
        .expect_status(200);
    let query = format!("?since={}", copy.position);
    let news = roster(&phone, &event, &query).await.expect_status(200);
    assert_ne!(news.text_at("/position"), copy.position);
    assert_eq!(news.at("/about/config/settings/capacity"), json!(7));
    copy.take(&news);
    assert_eq!(copy.guests.len(), 1, "the table itself is no guest");
}

/// Guests' phones: a row opens only with its own code.
#[tokio::test]
async fn a_guests_phone_reads_a_guest_only_with_their_code() {
    let event = Event::with_guests(["Ada", "Bob"])
        .settings(json!({"guest_scanning": true}))
        .open()
        .await;
    let config = event.client().get(&format!("/pulse/{}", event.table)).await;
    let key = config.text_at("/guest_key");
    let phone = Client::anonymous().with_token(&format!("guest_{key}.{}", Uuid::new_v4()));
    let list = roster(&phone, &event, "").await.expect_status(200);
    assert_eq!(list.at("/rows"), Value::Null);
    let text = list.text();
    for secret in ["Ada", "Bob", &event.code("Ada"), &event.row_id("Ada")] {
        assert!(!text.contains(secret), "{secret} shows");
    }
    let salt = u128::from_str_radix(&list.text_at("/salt"), 16)
        .unwrap()
        .to_be_bytes();
    let table: Uuid = event.table.parse().unwrap();
    let entries: BTreeMap<String, String> = serde_json::from_value(json!(
        list.list_at("/sealed")
            .iter()
            .map(|one| (one[0].as_str().unwrap().to_owned(), one[1].clone()))
            .collect::<BTreeMap<_, _>>()
    ))
    .unwrap();
    assert_eq!(entries.len(), 2);
    let sealed_ada = &entries[&sealed::name(&salt, &event.code("Ada"))];
    let ada = sealed::open(&salt, table, &event.code("Ada"), sealed_ada).unwrap();
    let ada: Value = serde_json::from_str(&ada).unwrap();
    assert_eq!(
        (&ada[0]["name"], &ada[0]["email"]),
        (&json!("Ada"), &Value::Null)
    );
    assert_eq!(
        sealed::open(&salt, table, &event.code("Bob"), sealed_ada),
        None
    );

    let old = sealed::name(&salt, &event.code("Bob"));
    event
        .change("Bob", json!({"barcode": "new code"}))
        .await
        .expect_status(200);
    let query = format!("?since={}", list.text_at("/position"));
    let news = roster(&phone, &event, &query).await.expect_status(200);
    assert_eq!(news.at("/gone"), json!([old]));
    assert_eq!(
        news.at("/sealed/0/0"),
        json!(sealed::name(&salt, "new code"))
    );

    let other = Event::with_guests(["Ada"]).open().await;
    let scanner = other.phone("one").client().await;
    let theirs = roster(&scanner, &other, "?sealed=true")
        .await
        .expect_status(200);
    assert_ne!(
        theirs.at("/salt"),
        list.at("/salt"),
        "a salt of its own for each event"
    );
}

/// Who gets the list, and who does not.
#[tokio::test]
async fn only_who_scans_gets_the_list() {
    let event = Event::with_guests(["Ada"]).open().await;
    let of = async |profile: &str| {
        let body = json!({"name": profile, "profile": profile});
        let token = event
            .session(body)
            .await
            .expect_status(201)
            .text_at("/token");
        event.client().with_token(&token)
    };
    let kiosk = roster(&of("kiosk").await, &event, "")
        .await
        .expect_status(200);
    assert_eq!(
        (kiosk.at("/rows"), kiosk.list_at("/sealed").len()),
        (Value::Null, 1)
    );
    roster(&of("viewer").await, &event, "")
        .await
        .problem_of(403);
    roster(event.client(), &event, "").await.expect_status(200);
    let other = Event::with_guests(["Eve"]).open().await;
    roster(other.client(), &event, "").await.problem_of(404);
    let stranger = other.phone("x").client().await;
    roster(&stranger, &event, "").await.problem_of(404);
    roster(&Client::anonymous(), &event, "")
        .await
        .problem_of(401);
    event
        .configure(json!({"settings": {"offline_mode": false}}))
        .await
        .expect_status(200);
    roster(event.client(), &event, "")
        .await
        .problem(409, "offline_mode_off");
}

#[tokio::test]
async fn a_position_of_a_lost_log_gets_the_whole_list() {
    let event = Event::with_guests(["Ada"]).open().await;
    let phone = event.phone("one").client().await;
    let copy = Copy::load(&phone, &event, 100).await;
    let mut parts: Vec<&str> = copy.position.split('-').collect();
    parts[0] = "000000";
    let query = format!("?since={}", parts.join("-"));
    let whole = roster(&phone, &event, &query).await.expect_status(200);
    assert_eq!(
        (whole.at("/full"), whole.list_at("/rows").len()),
        (json!(true), 1)
    );
}
