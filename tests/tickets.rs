//! Signed tickets at the door: admitted, refused, revoked, replaced, with rotated keys.
//!
//! Invariant: what was answered holds for the next scan; a code nobody issued admits nobody.
//! Failure: the answer that should not have been given.

use pulse_tests::control::Control;
use pulse_tests::database::Database;
use pulse_tests::prelude::*;
use tokio_postgres::types::Type;
use uuid::Uuid;

#[tokio::test]
async fn a_signed_ticket_admits_its_guest_once() {
    let event = Event::with_guests(["Ada:vip", "Bob"]).open().await;
    let code = event.ticket("Ada").await;
    let first = event.door().scan(&code).await.accepted();
    let first = first
        .has("/guest/name", "Ada")
        .has("/guest/category", "vip")
        .has("/check_in/barcode", code.as_str())
        .has("/check_in/row_id", event.row_id("Ada"));
    event
        .phone("another")
        .scan(&code)
        .await
        .duplicate()
        .has("/check_in/id", first.check_in());
    // Plain codes work as before, and mean the same guest.
    event.door().scan("Ada").await.duplicate();
    event.door().scan("Bob").await.accepted();
    event.door().exit(&code).await.accepted();
    let dashboard = event.recorded().await;
    dashboard.counts(|c| c.checked_in == 2 && c.inside == 1 && c.duplicates == 2);
    let log = Database::admin().await;
    let log = log.scan_log(&event.tenant.id, &event.table).await;
    assert_eq!(log[0]["barcode"], code);
}

#[tokio::test]
async fn a_code_nobody_issued_admits_nobody_by_no_means() {
    let event = Event::with_guests(["Ada"]).open().await;
    let other = Event::with_guests(["Ada"]).of(&event.tenant).open().await;
    let foreign = other.ticket("Ada").await;
    // Before the list has any key, and after.
    event.door().scan(&foreign).await.refused("unknown_code");
    let code = event.ticket("Ada").await;
    let lower = code.to_lowercase();
    let long = format!("PULSE{}", "A".repeat(500));
    let garbage = ["PULSE", "PULSE1", &code[..code.len() - 1], &lower, &long];
    let places = [5, 6, 8, 20, 40, 60, 66, 90, code.len() - 1];
    let altered: Vec<_> = places.iter().map(|place| altered(&code, *place)).collect();
    for wrong in garbage
        .into_iter()
        .chain(altered.iter().map(String::as_str))
    {
        for force in [false, true] {
            let body = json!({"barcode": wrong, "force": force});
            let answer = event.door().scan_with(body).await.refused("unknown_code");
            answer
                .has("/guest", Value::Null)
                .has("/check_in/forced", false);
        }
    }
    event
        .door()
        .scan(&altered[4])
        .await
        .refused("unknown_code")
        .explains("no ticket of this event");
    event
        .door()
        .force(&foreign)
        .await
        .refused("unknown_code")
        .explains("another event");
    event.door().scan(&code).await.accepted();
    event.dashboard().await.counts(|c| c.checked_in == 1);
}

/// The same code with one character exchanged.
fn altered(code: &str, place: usize) -> String {
    let other = if &code[place..=place] == "A" {
        "B"
    } else {
        "A"
    };
    format!("{}{other}{}", &code[..place], &code[place + 1..])
}

#[tokio::test]
async fn a_revoked_ticket_is_refused_at_once_and_force_is_flagged() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let (ada, bob) = (event.ticket("Ada").await, event.ticket("Bob").await);
    event.door().scan(&bob).await.accepted();
    assert_eq!(
        event
            .revoke(json!({"row_ids": [event.row_id("Ada")]}))
            .await,
        1
    );
    event
        .door()
        .scan(&ada)
        .await
        .refused("revoked")
        .has("/guest/name", "Ada");
    event
        .door()
        .force(&ada)
        .await
        .accepted()
        .has("/check_in/forced", true)
        .has("/check_in/overrode", "revoked");
    let listed = event
        .client()
        .get(&event.tickets_path())
        .await
        .list_at("/items");
    let id = &listed[0]["id"];
    assert_eq!(
        (
            &listed[0]["revoked_at"],
            listed[1]["revoked_at"].is_string()
        ),
        (&Value::Null, true)
    );
    assert_eq!(event.revoke(json!({"ticket_ids": [id]})).await, 1);
    assert_eq!(event.revoke(json!({"ticket_ids": [id]})).await, 0);
    event.door().exit(&bob).await.refused("revoked");
    event.door().exit("Bob").await.accepted();
}

#[tokio::test]
async fn a_ticket_has_times_of_its_own() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let (ada, bob) = (event.row_id("Ada"), event.row_id("Bob"));
    let window = json!({"row_ids": [ada, bob], "valid_from": "2026-05-01T10:00:00Z",
        "valid_until": "2026-05-01T12:00:00Z"});
    let codes = event.issue(window).await;
    let scan = async |code: &str, at: &str| {
        let body = json!({"barcode": code, "scanned_at": at});
        event.door().scan_with(body).await
    };
    scan(&codes[0], "2026-05-01T09:59:59Z")
        .await
        .refused("not_yet_valid")
        .explains("12:00");
    scan(&codes[0], "2026-05-01T12:00:01Z")
        .await
        .refused("no_longer_valid")
        .explains("14:00");
    scan(&codes[0], "2026-05-01T12:00:00Z").await.accepted();
    // The guest's own times hold as well, whatever the ticket says.
    event
        .change("Bob", json!({"valid_until": "2026-05-01T11:00:00Z"}))
        .await;
    scan(&codes[1], "2026-05-01T11:00:01Z")
        .await
        .refused("no_longer_valid");
    scan(&codes[1], "2026-05-01T11:00:00Z").await.accepted();
}

#[tokio::test]
async fn a_rotated_key_stays_good_until_it_is_revoked() {
    let event = Event::with_guests(["Ada", "Bob", "Cleo"]).open().await;
    let old = event.ticket("Ada").await;
    let keys = event.rotate(json!({})).await;
    assert_eq!(keys.at("/signing"), 2);
    let public = keys.list_at("/keys");
    assert_ne!(public[0]["public_key"], public[1]["public_key"]);
    assert!(public[1]["retired_at"].is_string() && public[1]["revoked_at"].is_null());
    let bob = event.ticket("Bob").await;
    event.door().scan(&old).await.accepted();
    event.door().scan(&bob).await.accepted();
    let keys = event.rotate(json!({"revoke_old": true})).await;
    assert_eq!(keys.at("/signing"), 3);
    assert!(
        keys.list_at("/keys")[1..]
            .iter()
            .all(|key| key["revoked_at"].is_string())
    );
    for code in [&old, &bob] {
        event.door().exit(code).await.refused("revoked");
        // Whoever has the key makes tickets at will: force cannot tell whose it is.
        let forced = event.door().force(code).await.refused("revoked");
        forced
            .has("/guest", Value::Null)
            .has("/check_in/forced", false);
    }
    let listed = event
        .client()
        .get(&format!("{}?revoked=false", event.tickets_path()))
        .await;
    assert_eq!(listed.list_at("/items").len(), 0);
    let new = event.ticket("Cleo").await;
    event.door().scan(&new).await.accepted();
    let new = event.ticket("Ada").await;
    event.door().scan(&new).await.duplicate();
}

#[tokio::test]
async fn a_guest_who_was_taken_off_or_canceled_is_refused() {
    let event = Event::with_guests(["Ada", "Bob", "Cleo:vip"]);
    let event = event.gate("North", ["vip"]).gate("South", []).open().await;
    let codes = event.issue(json!({"all": true})).await;
    event.change("Ada", json!({"status": "canceled"})).await;
    event.door().scan(&codes[0]).await.refused("canceled");
    let row = format!("/pulse/tables/{}/rows/{}", event.table, event.row_id("Bob"));
    event.client().delete(&row).await.expect_status(204);
    let gone = event.door().scan(&codes[1]).await.refused("canceled");
    gone.explains("not on the list any more");
    let forced = event.door().force(&codes[1]).await.accepted();
    forced.has("/check_in/row_id", event.row_id("Bob"));
    // The ordinary checks are those of the row as it is now.
    event.change("Cleo", json!({"category": "press"})).await;
    let wrong = event.scanner("North").scan(&codes[2]).await;
    wrong.refused("wrong_gate").explains("South");
    event.scanner("South").scan(&codes[2]).await.accepted();
    event.recorded().await;
}

#[tokio::test]
async fn a_plain_code_that_looks_like_a_ticket_stays_a_plain_code() {
    let event = Event::with_guests(["Ada"])
        .guest(json!({"name": "Bob", "barcode": "PULSE-2026-77"}))
        .open()
        .await;
    let code = event.ticket("Ada").await;
    event.door().scan("Bob").await.accepted();
    event.change("Bob", json!({"barcode": code})).await;
    event
        .door()
        .scan(&code)
        .await
        .duplicate()
        .has("/guest/name", "Bob");
    let band = json!({"walk_in": {"name": "Eve", "barcode": event.ticket("Ada").await}});
    event.door().scan_with(band).await.refused("ambiguous");
}

/// The budget of a scan, and of the calls around it.
#[tokio::test]
async fn a_scan_of_a_ticket_asks_postgres_nothing_and_issuing_asks_once() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let named = |what: &str| format!("{what}-{}", Uuid::new_v4());
    let (issuing, again, scanning) = (named("issue"), named("again"), named("scan"));
    let issue = |request: &str| {
        let call = event
            .client()
            .post(&event.tickets_path(), &json!({"all": true}));
        call.header("x-request-id", request)
    };
    issue(&issuing).await.expect_status(201);
    let second = issue(&again).await.expect_status(201);
    event.door().scan("Bob").await.accepted();
    let client = event.door().client().await;
    let client = client.with_header("x-request-id", &scanning);
    let scan = json!({"barcode": second.text_at("/items/0/code")});
    Answer::of(event.scan_by(&client, scan).await).accepted();
    let counted = Control::here().proxy().await.by_request;
    assert_eq!(counted.get(&scanning), None);
    assert_eq!(
        (counted.get(&issuing), counted.get(&again)),
        (Some(&1), Some(&1))
    );
}

#[tokio::test]
async fn a_ticket_revoked_past_the_api_is_known_within_a_minute() {
    let event = Event::with_guests(["Ada"]).open().await;
    let code = event.ticket("Ada").await;
    event.door().scan("Ada").await.accepted();
    let sql = "with changed as (update pulse_tickets set revoked_at = now()
                                where row_id = $1::text::uuid returning 1)
               select to_jsonb(count(*)) from changed";
    let row = event.row_id("Ada");
    let database = Database::admin().await;
    database.as_tenant(&event.tenant.id).await;
    assert_eq!(database.json(sql, &[(&row, Type::TEXT)]).await, 1);
    Control::here().cron("* * * * *").await;
    eventually("the sweep tells the door", || async {
        let answer = event.door().scan(&code).await;
        (answer.at("/reason") == "revoked").then_some(())
    })
    .await;
    let again = "with changed as (update pulse_tickets set revoked_at = null
                                where row_id = $1::text::uuid returning 1)
               select to_jsonb(count(*)) from changed";
    let refused = database.attempt(again, &[(&row, Type::TEXT)]).await;
    let refused = refused.expect_err("scanners forget no revocation");
    assert!(
        format!("{refused:?}").contains("already_revoked"),
        "{refused:?}"
    );
}
