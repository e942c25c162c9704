//! Signed tickets as they are issued, listed and kept.
//!
//! Invariant: a guest has one good ticket at most, whoever issues at once; nothing that is wrong
//! with a request is kept back.
//! Failure: the answer or the row that should not be.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pulse_tests::database::Database;
use pulse_tests::prelude::*;
use tokio_postgres::types::Type;
use uuid::Uuid;

#[tokio::test]
async fn what_is_issued_is_listed_and_its_code_shown_once() {
    let event = Event::with_guests(["Bob"])
        .guest(json!({"name": "Ada", "category": "vip", "valid_until": "2030-01-02T00:00:00Z"}))
        .open()
        .await;
    let body = json!({"row_ids": [event.row_id("Ada"), event.row_id("Bob")],
        "valid_from": "2026-01-01T00:00:00+01:00", "valid_until": "2031-01-01T00:00:00Z"});
    let issued = event.tickets("tickets", body).await.expect_status(201);
    assert_eq!(issued.at("/skipped"), 0);
    assert_eq!(issued.at("/next_cursor"), Value::Null);
    let items = issued.list_at("/items");
    for (nth, (item, guest)) in items.iter().zip(["Ada", "Bob"]).enumerate() {
        assert_eq!(item["row_id"], event.row_id(guest));
        assert_eq!(item["table_id"], *event.table);
        assert_eq!(
            (&item["serial"], &item["key"]),
            (&json!(nth + 1), &json!(1))
        );
        assert_eq!(item["valid_from"], "2025-12-31T23:00:00.000Z");
        assert_eq!(item["revoked_at"], Value::Null);
        let code = item["code"].as_str().expect("a code");
        let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        assert!(
            code.starts_with("PULSE") && code.chars().all(plain),
            "{code}"
        );
        assert!(code.len() < 220, "{code}");
    }
    assert_eq!(
        (&items[0]["category"], &items[1]["category"]),
        (&json!("vip"), &Value::Null)
    );
    // The earlier of both ends counts.
    assert_eq!(items[0]["valid_until"], "2030-01-02T00:00:00.000Z");
    assert_eq!(items[1]["valid_until"], "2031-01-01T00:00:00.000Z");

    let listed = event
        .client()
        .get(&event.tickets_path())
        .await
        .expect_status(200);
    let expected: Vec<Value> = items.iter().rev().map(without_code).collect();
    assert_eq!(listed.list_at("/items"), expected);
    let page = |query: &str| {
        event
            .client()
            .get(&format!("{}?{query}", event.tickets_path()))
    };
    let first = page("limit=1").await.expect_status(200);
    let second = page(&format!("limit=1&cursor={}", first.text_at("/next_cursor"))).await;
    assert_eq!(first.list_at("/items"), expected[..1]);
    assert_eq!(second.list_at("/items"), expected[1..]);
    assert_eq!(second.at("/next_cursor"), Value::Null);
    let of_ada = page(&format!("row_id={}&revoked=false", event.row_id("Ada"))).await;
    assert_eq!(of_ada.list_at("/items"), expected[1..]);
    assert_eq!(
        page("revoked=true").await.list_at("/items"),
        [Value::Null; 0]
    );
}

fn without_code(item: &Value) -> Value {
    let mut item = item.clone();
    item.as_object_mut().expect("an object").remove("code");
    item
}

/// Anybody with the public key can tell, without asking: that is what the codes are for.
#[tokio::test]
async fn the_published_key_verifies_what_was_issued() {
    let event = Event::with_guests(["Ada"]).open().await;
    let keys = format!("/pulse/tables/{}/ticket-key", event.table);
    let none = event.client().get(&keys).await.expect_status(200);
    assert_eq!(
        (none.at("/signing"), none.at("/keys")),
        (Value::Null, json!([]))
    );
    let code = event.ticket("Ada").await;
    let device = event.door().client().await;
    let shown = device.get(&keys).await.expect_status(200);
    assert_eq!(shown.at("/algorithm"), "Ed25519");
    assert_eq!(
        (shown.at("/signing"), shown.at("/keys/0/number")),
        (json!(1), json!(1))
    );
    assert!(!shown.text().contains("private"), "{shown}");
    let key = URL_SAFE_NO_PAD.decode(shown.text_at("/keys/0/public_key"));
    let key = key.expect("base64url").try_into().expect("32 bytes");
    let key = ed25519_dalek::VerifyingKey::from_bytes(&key).expect("a key");
    let bytes = data_encoding::BASE32_NOPAD.decode(&code.as_bytes()[5..]);
    let bytes = bytes.expect("base32");
    let (body, signature) = bytes.split_at(bytes.len() - 64);
    let signature = ed25519_dalek::Signature::from_slice(signature).expect("64 bytes");
    let signed = [b"pulse ticket\0".as_slice(), body].concat();
    key.verify_strict(&signed, &signature).expect("signed");
    let row: Uuid = event.row_id("Ada").parse().expect("an id");
    assert_eq!(&body[18..34], row.as_bytes());
}

#[tokio::test]
async fn another_ticket_for_a_guest_replaces_the_first() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let first = event.ticket("Ada").await;
    let second = event.ticket("Ada").await;
    assert_ne!(first, second);
    event.door().scan(&first).await.refused("revoked");
    event.door().scan(&second).await.accepted();
    let missing = json!({"all": true, "only_missing": true});
    assert_eq!(
        event.issue(missing.clone()).await.len(),
        1,
        "Bob alone has none"
    );
    assert_eq!(event.issue(missing).await.len(), 0);
    event.door().scan(&second).await.duplicate();
    assert_eq!(event.issue(json!({"all": true})).await.len(), 2);
    event.door().scan(&second).await.refused("revoked");
    let listed = event
        .client()
        .get(&event.tickets_path())
        .await
        .list_at("/items");
    let good = listed
        .iter()
        .filter(|ticket| ticket["revoked_at"].is_null());
    assert_eq!((good.count(), listed.len()), (2, 5));
}

#[tokio::test]
async fn a_key_can_be_made_before_the_first_ticket() {
    let event = Event::with_guests(["Ada"]).open().await;
    assert_eq!(event.rotate(json!({})).await.at("/signing"), 1);
    let code = event.ticket("Ada").await;
    event.door().scan(&code).await.accepted();
}

#[tokio::test]
async fn all_guests_get_theirs_page_by_page() {
    let guests = (0..7).map(|number| format!("Guest {number}:vip"));
    let event = Event::with_guests(guests)
        .guest(json!({"name": "Canceled", "status": "canceled"}))
        .guest(json!({"name": "Late", "valid_from": "2040-01-01T00:00:00Z"}))
        .guest(json!({"name": "Wordy", "category": "ü".repeat(80)}))
        .guest(json!({"name": "Wordier", "category": "\u{20AC}".repeat(80)}))
        .open()
        .await;
    let (mut cursor, mut codes, mut skipped, mut pages) = (Value::Null, Vec::new(), 0, 0);
    loop {
        let mut body = json!({"all": true, "limit": 4, "valid_until": "2039-01-01T00:00:00Z"});
        if !cursor.is_null() {
            body["cursor"] = cursor;
        }
        let reply = event.tickets("tickets", body).await.expect_status(201);
        codes.extend(reply.list_at("/items"));
        skipped += reply.at("/skipped").as_u64().expect("a number");
        pages += 1;
        cursor = reply.at("/next_cursor");
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!((codes.len(), skipped, pages), (8, 3, 3));
    let serials: Vec<_> = codes.iter().map(|item| item["serial"].as_u64()).collect();
    assert_eq!(serials, (1..=8).map(Some).collect::<Vec<_>>());
    for item in &codes {
        let code = item["code"].as_str().expect("a code");
        event.door().scan(code).await.accepted();
    }
    event.dashboard().await.counts(|c| c.checked_in == 8);
}

#[tokio::test]
async fn everything_wrong_with_a_request_is_named() {
    let event = Event::with_guests(["Ada", "Bob"])
        .guest(json!({"name": "Canceled", "status": "canceled"}))
        .open()
        .await;
    let other = Event::with_guests(["Eve"]).of(&event.tenant).open().await;
    let (ada, bob) = (event.row_id("Ada"), event.row_id("Bob"));
    let many = vec![Uuid::nil(); 501];
    for (body, pointer) in [
        (json!({}), ""),
        (json!({"all": false}), ""),
        (json!({"all": true, "row_ids": [ada]}), ""),
        (json!({"row_ids": []}), "/row_ids"),
        (json!({"row_ids": many}), "/row_ids"),
        (json!({"row_ids": [ada, bob, ada]}), "/row_ids/2"),
        (json!({"row_ids": ["x"]}), "/row_ids/0"),
        (json!({"row_ids": [ada], "limit": 3}), "/limit"),
        (
            json!({"row_ids": [ada], "only_missing": true}),
            "/only_missing",
        ),
        (json!({"row_ids": [ada], "cursor": "x"}), "/cursor"),
        (json!({"all": true, "limit": 0}), "/limit"),
        (json!({"all": true, "limit": 501}), "/limit"),
        (json!({"all": true, "cursor": "x"}), "/cursor"),
        (json!({"all": true, "valid_from": "today"}), "/valid_from"),
        (
            json!({"all": true, "valid_from": "2026-01-02T00:00:00Z", "valid_until": "2026-01-01T00:00:00Z"}),
            "/valid_until",
        ),
        (json!({"all": true, "color": "red"}), "/color"),
    ] {
        event
            .tickets("tickets", body)
            .await
            .problem_of(422)
            .points_at(pointer);
    }
    // Of the guests that are named, everyone who cannot have a ticket; nobody gets one then.
    let strangers = [other.row_id("Eve"), Uuid::new_v4().to_string()];
    let body = json!({"row_ids": [ada, strangers[0], event.row_id("Canceled"), bob, strangers[1]]});
    let reply = event.tickets("tickets", body).await.problem_of(422);
    let errors: Vec<_> = reply
        .list_at("/errors")
        .into_iter()
        .map(|e| (e["pointer"].clone(), e["code"].clone()))
        .collect();
    let expected = [
        ("/row_ids/1", "unknown_row"),
        ("/row_ids/2", "guest_not_confirmed"),
        ("/row_ids/4", "unknown_row"),
    ];
    assert_eq!(
        errors,
        expected.map(|(pointer, code)| (json!(pointer), json!(code)))
    );
    let listed = event.client().get(&event.tickets_path()).await;
    assert_eq!(listed.list_at("/items").len(), 0);

    let eves = other.ticket("Eve").await;
    let listed = other
        .client()
        .get(&other.tickets_path())
        .await
        .list_at("/items");
    for (body, pointer, code) in [
        (json!({}), "", "one_target"),
        (
            json!({"row_ids": [ada], "ticket_ids": [ada]}),
            "",
            "one_target",
        ),
        (json!({"ticket_ids": []}), "/ticket_ids", "required"),
        (
            json!({"ticket_ids": [ada, ada]}),
            "/ticket_ids/1",
            "repeated",
        ),
        (
            json!({"ticket_ids": [listed[0]["id"]]}),
            "/ticket_ids/0",
            "unknown_ticket",
        ),
        (
            json!({"row_ids": [ada, other.row_id("Eve")]}),
            "/row_ids/1",
            "unknown_row",
        ),
    ] {
        let reply = event.tickets("tickets/revoke", body).await.problem_of(422);
        assert_eq!(reply.points_at(pointer).at("/errors/0/code"), code);
    }
    other.door().scan(&eves).await.accepted();
    let reply = event.tickets("ticket-key", json!({"revoke_old": 1})).await;
    reply.problem_of(422).points_at("/revoke_old");
    for query in ["limit=0", "cursor=x", "row_id=x", "color=red"] {
        let reply = event
            .client()
            .get(&format!("{}?{query}", event.tickets_path()))
            .await;
        reply.expect_status_4xx();
    }
}

#[tokio::test]
async fn managers_issue_and_nobody_elses_list_can_be_touched() {
    let event = Event::with_guests(["Ada"]).open().await;
    let body = json!({"row_ids": [event.row_id("Ada")]});
    let keys = format!("/pulse/tables/{}/ticket-key", event.table);
    for (role, client) in event.tenant.everyone().await {
        let manages = matches!(role, "admin" | "manager");
        let staff = manages || matches!(role, "agent" | "read_only");
        let is = |may: bool, good: u16| if may { good } else { 403 };
        let issue = client.post(&event.tickets_path(), &body).await;
        assert_eq!(issue.status, is(manages, 201), "as {role}: {issue}");
        let list = client.get(&event.tickets_path()).await;
        assert_eq!(list.status, is(staff, 200), "as {role}: {list}");
        let revoke = client
            .post(&format!("{}/revoke", event.tickets_path()), &body)
            .await;
        assert_eq!(revoke.status, is(manages, 200), "as {role}: {revoke}");
        let read = client.get(&keys).await;
        assert_eq!(read.status, is(staff, 200), "as {role}: {read}");
        let rotated = client.post(&keys, &json!({})).await;
        assert_eq!(rotated.status, is(manages, 201), "as {role}: {rotated}");
    }
    let code = event.ticket("Ada").await;
    let stranger = Event::with_guests(["Eve"]).open().await;
    let neighbour = Event::with_guests(["Eve"]).of(&event.tenant).open().await;
    let device = event.door().client().await;
    device.get(&keys).await.expect_status(200);
    device.get(&event.tickets_path()).await.problem_of(403);
    device.post(&keys, &json!({})).await.problem_of(403);
    // A manager finds no such list; a scanner may rotate no keys at all.
    for (client, status) in [
        (stranger.client(), 404),
        (&stranger.door().client().await, 403),
    ] {
        client.get(&keys).await.problem_of(404);
        let answer = client.post(&keys, &json!({"revoke_old": true})).await;
        answer.problem_of(status);
    }
    let next_door = neighbour.door().client().await;
    next_door.get(&keys).await.problem_of(404);
    event.door().scan(&code).await.accepted();
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_codes() {
    let event = Event::with_guests(["Ada"]).open().await;
    let body = json!({"row_ids": [event.row_id("Ada")]});
    let ask = || {
        let call = event.client().post(&event.tickets_path(), &body);
        call.header("idempotency-key", "once")
    };
    let (first, again) = (
        ask().await.expect_status(201),
        ask().await.expect_status(201),
    );
    assert_eq!(first.json(), again.json());
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let listed = event.client().get(&event.tickets_path()).await;
    assert_eq!(listed.list_at("/items").len(), 1);
    event
        .door()
        .scan(&first.text_at("/items/0/code"))
        .await
        .accepted();
}

#[tokio::test]
async fn two_who_issue_at_once_leave_one_good_ticket() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let all = || event.issue(json!({"all": true}));
    let (a, b, c, d) = tokio::join!(all(), all(), all(), all());
    let listed = event
        .client()
        .get(&event.tickets_path())
        .await
        .list_at("/items");
    let mut serials: Vec<_> = listed.iter().filter_map(|t| t["serial"].as_u64()).collect();
    serials.sort_unstable();
    assert_eq!(serials, (1..=8).collect::<Vec<_>>());
    let mut accepted = 0;
    for code in [a, b, c, d].concat() {
        let answer = event.door().scan(&code).await;
        match answer.at("/verdict").as_str() {
            Some("accepted") => accepted += 1,
            _ => drop(answer.refused("revoked")),
        }
    }
    assert_eq!(accepted, 2);
    let keys = format!("/pulse/tables/{}/ticket-key", event.table);
    let keys = event.client().get(&keys).await.list_at("/keys");
    assert_eq!(keys.len(), 1, "the first issue makes the one key");
}

/// Goal: a copy of the database is no copy of the keys.
#[tokio::test]
async fn private_keys_are_sealed_and_codes_are_kept_nowhere() {
    let event = Event::with_guests(["Ada"]).open().await;
    let code = event.ticket("Ada").await;
    let database = Database::admin().await;
    database.as_tenant(&event.tenant.id).await;
    let sql = "select jsonb_build_object(
                 'key', (select to_jsonb(k) from pulse_ticket_keys k where k.table_id = $1::text::uuid),
                 'tickets', (select jsonb_agg(t) from pulse_tickets t where t.table_id = $1::text::uuid))";
    let kept = database.json(sql, &[(&event.table, Type::TEXT)]).await;
    let sealed = kept["key"]["private_key"].as_str().expect("a sealed key");
    assert_eq!(sealed.split('.').count(), 3, "key id, nonce, ciphertext");
    let cipher = sealed.rsplit('.').next().unwrap_or_default();
    let cipher = URL_SAFE_NO_PAD.decode(cipher).expect("base64url");
    assert_eq!(cipher.len(), 32 + 16);
    assert_eq!(kept["tickets"].as_array().map(Vec::len), Some(1));
    assert!(!kept.to_string().contains(&code[60..]), "{kept}");
}
