//! Retries and races: a scan is one scan however often it is sent, and by however many. The
//! numbers are those of the field's cases (idempotency).
//!
//! Invariant: the same nonce gives the same answer and one record, for ever.
//! Failure: each test names the answer that came instead.

use futures_util::future::join_all;
use pulse_tests::prelude::*;

fn scan(event: &Event, guest: &str, nonce: &str) -> Value {
    json!({"barcode": event.code(guest), "nonce": nonce})
}

/// 23: one nonce, one record.
#[tokio::test]
async fn a_retry_gets_the_same_answer_and_leaves_one_record() {
    let event = Event::with_guests(["Ada"]).open().await;
    let first = event
        .door()
        .scan_with(scan(&event, "Ada", "n1"))
        .await
        .accepted()
        .fresh();
    for _ in 0..3 {
        let again = event
            .door()
            .scan_with(scan(&event, "Ada", "n1"))
            .await
            .accepted()
            .replayed();
        assert_eq!(again.json, first.json);
    }
    assert_eq!(event.check_ins("").await.len(), 1);
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 1 && c.duplicates == 0);
}

/// 24: also where every scan is an entry.
#[tokio::test]
async fn a_retry_is_no_second_entry_where_duplicates_are_allowed() {
    let event = Event::with_guests(["Ada"])
        .settings(json!({"allow_duplicate_scans": true}))
        .open()
        .await;
    event
        .door()
        .scan_with(scan(&event, "Ada", "n1"))
        .await
        .accepted()
        .fresh();
    event
        .door()
        .scan_with(scan(&event, "Ada", "n1"))
        .await
        .accepted()
        .replayed();
    event
        .door()
        .scan_with(scan(&event, "Ada", "n2"))
        .await
        .accepted()
        .fresh();
    assert_eq!(event.check_ins("verdict=accepted").await.len(), 2);
}

/// 25: a nonce on another guest is another scan.
#[tokio::test]
async fn a_nonce_on_another_guest_is_no_retry() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    event
        .door()
        .scan_with(scan(&event, "Ada", "n1"))
        .await
        .accepted()
        .fresh();
    event
        .door()
        .scan_with(scan(&event, "Bob", "n1"))
        .await
        .accepted()
        .fresh()
        .has("/guest/name", "Bob");
    let mut exit = scan(&event, "Ada", "n1");
    exit["direction"] = json!("exit");
    event
        .door()
        .scan_with(exit)
        .await
        .accepted()
        .fresh()
        .has("/check_in/direction", "exit");
    let by_row = json!({"row_id": event.row_id("Ada"), "nonce": "n1"});
    event.door().scan_with(by_row).await.fresh().duplicate();
}

/// 26: a nonce belongs to its device.
#[tokio::test]
async fn two_devices_may_use_one_nonce() {
    let event = Event::with_guests(["Ada"]).open().await;
    event
        .phone("one")
        .scan_with(scan(&event, "Ada", "n1"))
        .await
        .accepted()
        .fresh();
    event
        .phone("two")
        .scan_with(scan(&event, "Ada", "n1"))
        .await
        .duplicate()
        .fresh();
    event
        .phone("one")
        .scan_with(scan(&event, "Ada", "n1"))
        .await
        .accepted()
        .replayed();
}

/// 27: twins in flight. The field answers 409; here both get the one answer.
#[tokio::test]
async fn twins_in_flight_get_one_answer() {
    let event = Event::with_guests(["Ada"]).open().await;
    let device = event.door().client().await;
    let twins = (0..12)
        .map(|_| async { Answer::of(event.scan_by(&device, scan(&event, "Ada", "n1")).await) });
    let answers = join_all(twins).await;
    for answer in &answers {
        assert_eq!(answer.json, answers[0].json);
    }
    assert_eq!(
        answers.iter().filter(|answer| !answer.is_replay()).count(),
        1
    );
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 1 && c.duplicates == 0);
}

#[tokio::test]
async fn a_refusal_is_repeated_even_when_it_would_be_an_entry_now() {
    let event = Event::with_guests(["Ada"])
        .guest(json!({"name": "Bob", "status": "blocked"}))
        .open()
        .await;
    let first = event
        .door()
        .scan_with(scan(&event, "Bob", "n1"))
        .await
        .refused("blocked");
    event.change("Bob", json!({"status": "confirmed"})).await;
    let again = event
        .door()
        .scan_with(scan(&event, "Bob", "n1"))
        .await
        .refused("blocked")
        .replayed();
    assert_eq!(again.json, first.json);
    event
        .door()
        .scan_with(scan(&event, "Bob", "n2"))
        .await
        .accepted();
}

#[tokio::test]
async fn an_answer_stays_the_same_after_undo_and_later_scans() {
    let event = Event::with_guests(["Ada"]).open().await;
    let first = event
        .door()
        .scan_with(scan(&event, "Ada", "n1"))
        .await
        .accepted();
    event.door().scan("Ada").await.duplicate();
    event
        .door()
        .annul(&first.check_in())
        .await
        .expect_status(200);
    event.door().scan("Ada").await.accepted();
    let again = event
        .door()
        .scan_with(scan(&event, "Ada", "n1"))
        .await
        .replayed();
    assert_eq!(again.json, first.json);
}

#[tokio::test]
async fn a_retried_walk_in_is_one_guest() {
    let event = Event::with_guests(["Ada"]).open().await;
    let body = json!({"walk_in": {"name": "Walter"}, "nonce": "n1"});
    let first = event.door().scan_with(body.clone()).await.accepted();
    let again = event.door().scan_with(body).await.accepted().replayed();
    assert_eq!(first.at("/guest/row_id"), again.at("/guest/row_id"));
    event
        .dashboard()
        .await
        .counts(|c| c.walk_ins == 1 && c.inside == 1);
    let namesake = json!({"walk_in": {"name": "Walter"}, "nonce": "n2"});
    event.door().scan_with(namesake).await.accepted().fresh();
    event.dashboard().await.counts(|c| c.walk_ins == 2);
}

#[tokio::test]
async fn a_retry_may_bring_new_sending_times() {
    let event = Event::with_guests(["Ada"]).open().await;
    let mut body = scan(&event, "Ada", "n1");
    body["scanned_at"] = json!("2026-05-01T10:00:00Z");
    body["sent_at"] = json!("2026-05-01T10:00:01Z");
    let first = event.door().scan_with(body.clone()).await.accepted();
    body["sent_at"] = json!("2026-05-01T10:05:00Z");
    let again = event.door().scan_with(body).await.accepted().replayed();
    assert_eq!(
        again.at("/check_in/check_in_time"),
        first.at("/check_in/check_in_time")
    );
}

#[tokio::test]
async fn a_retried_annulment_is_one_annulment() {
    let event = Event::with_guests(["Ada"]).open().await;
    let check_in = event.door().scan("Ada").await.accepted().check_in();
    let device = event.door().client().await;
    let body = json!({"table_id": event.table, "nonce": "undo-1"});
    let annul = || device.post(&format!("/pulse/check-ins/{check_in}/annul"), &body);
    let (first, again) = (
        annul().await.expect_status(200),
        annul().await.expect_status(200),
    );
    assert_eq!(first.json(), again.json());
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
}

/// 51: N scanners at once on one code. No peer is known to test this.
#[tokio::test]
async fn of_many_scanners_at_once_exactly_one_lets_a_guest_in() {
    let event = Event::with_guests(["Ada", "Bob", "Cleo"]).open().await;
    let phones = join_all((0..16).map(|number| {
        let event = &event;
        async move { event.phone(&format!("phone {number}")).client().await }
    }));
    let phones = phones.await;
    for guest in ["Ada", "Bob", "Cleo"] {
        let scans = phones.iter().flat_map(|phone| [phone; 4]).map(|phone| {
            let event = &event;
            async move {
                Answer::of(
                    event
                        .scan_by(phone, json!({"barcode": event.code(guest)}))
                        .await,
                )
            }
        });
        let answers = join_all(scans).await;
        let count = |verdict: &str| {
            answers
                .iter()
                .filter(|answer| answer.at("/verdict") == verdict)
                .count()
        };
        assert_eq!((count("accepted"), count("duplicate")), (1, 63), "{guest}");
        let first: Vec<_> = answers
            .iter()
            .map(|answer| answer.at("/first_entry/at"))
            .collect();
        assert!(
            first.iter().all(|at| *at == first[0]),
            "not all were told of the same first entry"
        );
        let mut seqs: Vec<_> = answers.iter().map(Answer::seq).collect();
        seqs.sort_unstable();
        seqs.dedup();
        assert_eq!(seqs.len(), 64, "two scans share a place in the log");
    }
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 3 && c.inside == 3 && c.duplicates == 189);
    assert_eq!(event.check_ins("verdict=accepted").await.len(), 3);
}
