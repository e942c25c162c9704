//! Scans: who may come in, and what the person at the door is told. The numbers are those of the
//! field's cases (redeem).
//!
//! Invariant: a refusal is an answer with status 200, a reason and the guest; each one is listed.
//! Failure: each test names the answer that came instead.

use pulse_tests::prelude::*;
use uuid::Uuid;

/// 1: a valid code, once.
#[tokio::test]
async fn a_guest_on_the_list_is_accepted_and_recorded() {
    let event = Event::with_guests(["Ada:vip"]).open().await;
    let answer = event.door().scan("Ada").await.accepted();
    let answer = answer
        .has("/guest/name", "Ada")
        .has("/guest/category", "vip")
        .has("/seq", 1);
    let answer = answer
        .has("/check_in/barcode", event.code("Ada"))
        .has("/check_in/scan_count", 1);
    let answer = answer
        .has("/check_in/row_id", event.row_id("Ada"))
        .has("/check_in/direction", "entry");
    let read = event
        .client()
        .get(&format!(
            "/pulse/check-ins/{}?table_id={}",
            answer.check_in(),
            event.table
        ))
        .await;
    assert_eq!(read.expect_status(200).json(), answer.at("/check_in"));
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 1 && c.inside == 1 && c.total == 1 && c.rate == 1.0);
}

/// 2: the same code again.
#[tokio::test]
async fn a_second_scan_is_a_duplicate_that_shows_the_first_entry() {
    let event = Event::with_guests(["Ada"]).gate("North", []).open().await;
    let first = event.scanner("North").scan("Ada").await.accepted();
    let second = event.door().scan("Ada").await.duplicate();
    let second = second
        .has("/reason", "already_checked_in")
        .has("/guest/name", "Ada")
        .explains("North");
    let second = second
        .has("/first_entry/at", first.at("/check_in/check_in_time"))
        .has("/first_entry/gate", "North");
    second
        .has("/check_in/id", first.check_in())
        .has("/check_in/scan_count", 2);
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 1 && c.inside == 1 && c.duplicates == 1);
}

/// 2, and the seed's defect: a repeat never overwrites the time of the first scan.
#[tokio::test]
async fn a_repeat_counts_on_the_first_record_whose_time_stays() {
    let event = Event::with_guests(["Ada"]).open().await;
    let first = event.door().scan("Ada").await.accepted();
    for _ in 0..3 {
        event.door().scan("Ada").await.duplicate();
    }
    let records = event.check_ins("").await;
    assert_eq!(records.len(), 1);
    assert_eq!(
        records[0]["check_in_time"],
        first.at("/check_in/check_in_time")
    );
    assert_eq!(records[0]["scan_count"], 4);
    assert!(records[0]["last_scanned_at"].as_str() >= records[0]["check_in_time"].as_str());
}

/// 3: special characters.
#[tokio::test]
async fn any_character_may_be_in_a_code() {
    let codes = [
        "+-/==",
        "a b",
        "ä✓🎟",
        "' or 1=1 --",
        "\"quoted\"",
        "%2F%00",
        "https://x.test/?a=b&c=d#e",
        "\\u0000",
        "|||",
    ];
    let event =
        codes
            .iter()
            .enumerate()
            .fold(Event::with_guests(["Other"]), |event, (number, code)| {
                event.guest(json!({"name": format!("Guest {number}"), "barcode": code}))
            });
    let event = event.open().await;
    for (number, code) in codes.iter().enumerate() {
        event
            .door()
            .scan(code)
            .await
            .accepted()
            .has("/guest/name", format!("Guest {number}"));
    }
    event
        .door()
        .scan_with(json!({"barcode": format!("  {}  ", codes[0])}))
        .await
        .duplicate();
    event.door().scan("+-/=").await.refused("unknown_code");
}

/// 4: an internal id is no code.
#[tokio::test]
async fn an_internal_id_read_as_a_code_is_unknown() {
    let event = Event::with_guests(["Ada"]).open().await;
    event
        .door()
        .scan(&event.row_id("Ada"))
        .await
        .refused("unknown_code");
    event
        .door()
        .scan_with(json!({"row_id": event.row_id("Ada")}))
        .await
        .accepted();
}

/// 5: unknown, and logged.
#[tokio::test]
async fn an_unknown_code_is_refused_and_listed() {
    let event = Event::with_guests(["Ada"]).open().await;
    let refused = event
        .door()
        .scan("nobody's")
        .await
        .refused("unknown_code")
        .has("/guest", Value::Null);
    let records = event.check_ins("verdict=refused").await;
    assert_eq!(records.len(), 1);
    assert_eq!(
        (&records[0]["barcode"], &records[0]["reason"]),
        (&json!("nobody's"), &json!("unknown_code"))
    );
    assert_eq!(records[0]["id"], refused.check_in());
    assert_eq!(records[0]["session_id"], event.door().id().await);
    event
        .dashboard()
        .await
        .counts(|c| c.refused["unknown_code"] == 1 && c.checked_in == 0);
    let row = event
        .door()
        .scan_with(json!({"row_id": Uuid::new_v4()}))
        .await;
    row.refused("unknown_code");
}

/// 6: force does not make a guest of a stranger.
#[tokio::test]
async fn an_unknown_code_is_refused_by_force_too() {
    let event = Event::with_guests(["Ada"]).open().await;
    let answer = event.door().force("nobody's").await.refused("unknown_code");
    answer
        .has("/check_in/force_sent", true)
        .has("/check_in/forced", false);
}

/// 7, 9 and 12: revoked, canceled, blocked.
#[tokio::test]
async fn a_revoked_canceled_or_blocked_guest_is_refused_by_name() {
    let event = ["revoked", "canceled", "blocked"].iter().fold(
        Event::with_guests(["Ada"]),
        |event, status| {
            let note = format!("{status} guest");
            event.guest(json!({"name": status, "status": status, "attention_note": note}))
        },
    );
    let event = event.open().await;
    for status in ["revoked", "canceled", "blocked"] {
        let answer = event
            .door()
            .scan(status)
            .await
            .refused(status)
            .has("/guest/name", status);
        answer
            .has("/guest/status", status)
            .has("/guest/attention_note", format!("{status} guest"));
        event.door().exit(status).await.refused(status);
    }
    event
        .dashboard()
        .await
        .counts(|c| c.refused["revoked"] == 2 && c.refused.total() == 6 && c.inside == 0);
}

/// 8: force lets a revoked guest in and says what it overrode.
#[tokio::test]
async fn force_overrides_and_says_what() {
    let event = Event::with_guests(["Ada"])
        .guest(json!({"name": "Bob", "status": "revoked"}))
        .open()
        .await;
    let answer = event.door().force("Bob").await.accepted();
    let answer = answer
        .has("/check_in/force_sent", true)
        .has("/check_in/forced", true);
    answer.has("/check_in/overrode", "revoked");
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 1 && c.refused.total() == 0);
}

/// 29 belongs here too: force that was not needed is kept apart from force that was.
#[tokio::test]
async fn force_that_was_not_needed_is_only_noted() {
    let event = Event::with_guests(["Ada"]).open().await;
    let answer = event.door().force("Ada").await.accepted();
    answer
        .has("/check_in/force_sent", true)
        .has("/check_in/forced", false)
        .has("/check_in/overrode", Value::Null);
}

/// 13: a category the event does not take.
#[tokio::test]
async fn a_category_the_event_does_not_take_is_refused() {
    let settings = json!({"categories": ["vip", "press"]});
    let event = Event::with_guests(["Ada:vip", "Bob:standard", "Cleo"])
        .settings(settings)
        .open()
        .await;
    event.door().scan("Ada").await.accepted();
    event
        .door()
        .scan("Bob")
        .await
        .refused("wrong_category")
        .has("/guest/category", "standard");
    event.door().scan("Cleo").await.refused("wrong_category");
}

/// 13, per gate; the shape of the design's example.
#[tokio::test]
async fn a_guest_at_the_wrong_gate_is_told_where_to_go() {
    let event = Event::with_guests(["Ada:vip", "Bob:standard"])
        .gate("North", ["vip"])
        .gate("South", []);
    let event = event.open().await;
    event
        .scanner("North")
        .scan("Bob")
        .await
        .refused("wrong_gate")
        .explains("South");
    event.scanner("North").scan("Ada").await.accepted();
    event.scanner("South").scan("Bob").await.accepted();
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 2 && c.refused["wrong_gate"] == 1);
}

/// 14: the wrong day.
#[tokio::test]
async fn outside_its_opening_time_the_event_takes_nobody() {
    let settings = json!({"opens_at": "2026-05-01T16:00:00Z", "closes_at": "2026-05-01T22:00:00Z"});
    let event = Event::with_guests(["Ada", "Bob", "Cleo"])
        .settings(settings)
        .open()
        .await;
    let scan = |guest: &str, at: &str| {
        event
            .door()
            .with(json!({"barcode": event.code(guest), "scanned_at": at}))
    };
    for (guest, at, open) in [
        ("Ada", "2026-05-01T15:59:59.999Z", false),
        ("Ada", "2026-05-01T16:00:00Z", true),
        ("Bob", "2026-05-01T21:59:59.999Z", true),
        ("Cleo", "2026-05-01T22:00:00Z", false),
    ] {
        let answer = scan(guest, at).scan_with(json!({})).await;
        if open {
            answer.accepted();
        } else {
            answer.refused("event_not_open");
        }
    }
}

/// 15: not yet, no longer.
#[tokio::test]
async fn a_ticket_counts_between_its_dates() {
    let valid = json!({"name": "Ada", "valid_from": "2026-05-01T10:00:00Z", "valid_until": "2026-05-02T10:00:00Z"});
    let event = Event::with_guests(["Bob"]).guest(valid).open().await;
    let at = |at: &str| {
        event
            .door()
            .with(json!({"barcode": event.code("Ada"), "scanned_at": at}))
    };
    at("2026-05-01T09:59:59Z")
        .scan_with(json!({}))
        .await
        .refused("not_yet_valid")
        .explains("12:00");
    at("2026-05-02T10:00:01Z")
        .scan_with(json!({}))
        .await
        .refused("no_longer_valid");
    at("2026-05-02T09:59:59Z")
        .scan_with(json!({}))
        .await
        .accepted();
}

/// 16: two guests with one code.
#[tokio::test]
async fn a_code_of_two_guests_is_ambiguous_until_a_person_picks_one() {
    let twin = |name: &str| json!({"name": name, "barcode": "same"});
    let event = Event::with_guests(["Ada"])
        .guest(twin("Eve One"))
        .guest(twin("Eve Two"))
        .open()
        .await;
    event
        .door()
        .scan("same")
        .await
        .refused("ambiguous")
        .has("/check_in/row_id", Value::Null);
    event.door().force("same").await.refused("ambiguous");
    event
        .door()
        .scan_with(json!({"row_id": event.row_id("Eve Two")}))
        .await
        .accepted()
        .has("/guest/name", "Eve Two");
    event.change("Eve Two", json!({"status": "canceled"})).await;
    let path = format!(
        "/pulse/tables/{}/rows/{}",
        event.table,
        event.row_id("Eve Two")
    );
    event.client().delete(&path).await.expect_status(204);
    event
        .door()
        .scan("same")
        .await
        .accepted()
        .has("/guest/name", "Eve One");
}

/// 20: one code on two lists is two guests.
#[tokio::test]
async fn lists_know_nothing_of_each_other() {
    let tenant = Tenant::new().await;
    let guest = json!({"name": "Ada", "barcode": "shared"});
    let one = Event::with_guests(["Bob"])
        .guest(guest.clone())
        .of(&tenant)
        .open()
        .await;
    let two = Event::with_guests(["Bob"])
        .guest(guest)
        .of(&tenant)
        .open()
        .await;
    one.door().scan("shared").await.accepted();
    two.door().scan("shared").await.accepted().has("/seq", 1);
    one.door().scan("shared").await.duplicate();
}

/// 21: the device's time is kept.
#[tokio::test]
async fn a_scan_keeps_the_time_it_happened_at() {
    let event = Event::with_guests(["Ada"]).open().await;
    let answer = event
        .door()
        .scan_with(json!({"barcode": event.code("Ada"), "scanned_at": "2026-05-01T12:34:56.789Z"}))
        .await;
    let answer = answer
        .accepted()
        .has("/check_in/check_in_time", "2026-05-01T12:34:56.789Z");
    let received = time(answer.at("/check_in/received_at").as_str().expect("a time"));
    assert!((received - chrono::Utc::now()).num_seconds().abs() < 60);
}

#[tokio::test]
async fn a_devices_wrong_clock_is_corrected_and_both_times_are_kept() {
    let event = Event::with_guests(["Ada"]).open().await;
    let hour = chrono::TimeDelta::hours(1);
    let now = chrono::Utc::now();
    let (scanned, sent) = (
        rfc3339(now + hour - chrono::TimeDelta::seconds(10)),
        rfc3339(now + hour),
    );
    let body = json!({"barcode": event.code("Ada"), "scanned_at": scanned, "sent_at": sent});
    let answer = event
        .door()
        .scan_with(body)
        .await
        .accepted()
        .warns("clock_skew");
    let answer = answer
        .has("/check_in/scanned_at", scanned)
        .has("/check_in/sent_at", sent);
    let at = time(
        answer
            .at("/check_in/check_in_time")
            .as_str()
            .expect("a time"),
    );
    let off = (at - (now - chrono::TimeDelta::seconds(10)))
        .num_milliseconds()
        .abs();
    assert!(off < 5_000, "{off} ms off: {}", answer.reply);
    let skew = answer
        .at("/check_in/clock_skew_ms")
        .as_i64()
        .expect("a skew");
    assert!((skew + 3_600_000).abs() < 5_000, "{skew}");
}

#[tokio::test]
async fn a_scan_from_the_future_counts_as_now() {
    let event = Event::with_guests(["Ada"]).open().await;
    let future = rfc3339(seconds_from_now(7_200));
    let answer = event
        .door()
        .scan_with(json!({"barcode": event.code("Ada"), "scanned_at": future}))
        .await
        .accepted();
    let at = time(
        answer
            .at("/check_in/check_in_time")
            .as_str()
            .expect("a time"),
    );
    assert!(
        at <= chrono::Utc::now() + chrono::TimeDelta::seconds(2),
        "{}",
        answer.reply
    );
}
