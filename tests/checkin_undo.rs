//! Undo: by the same device within a quarter of an hour, or by a manager. The numbers are those of
//! the field's cases (undo).
//!
//! Invariant: an annulled record stays and says by whom; the counters fall as if it had not been.
//! Failure: each test names the answer that came instead.

use pulse_tests::prelude::*;

/// 39: by the device that scanned.
#[tokio::test]
async fn the_device_that_scanned_undoes_it_and_the_record_stays() {
    let event = Event::with_guests(["Ada"]).open().await;
    let check_in = event.door().scan("Ada").await.accepted().check_in();
    event.door().annul(&check_in).await.expect_status(200);
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 0 && c.inside == 0);
    let records = event.check_ins("").await;
    assert_eq!(records.len(), 1);
    assert!(records[0]["annulled_at"].is_string());
    assert_eq!(records[0]["annulled_by"], event.door().id().await);
    assert_eq!(
        records[0]["verdict"], "accepted",
        "what was told at the door is not rewritten"
    );
}

/// 40: by another device.
#[tokio::test]
async fn another_device_does_not() {
    let event = Event::with_guests(["Ada"]).open().await;
    let check_in = event.phone("one").scan("Ada").await.accepted().check_in();
    event
        .phone("two")
        .annul(&check_in)
        .await
        .problem(403, "other_device");
    let agent = event.tenant.member("agent").await;
    event
        .annul_by(&agent.client, &check_in)
        .await
        .problem(403, "other_device");
    event.dashboard().await.counts(|c| c.checked_in == 1);
}

/// 41: after fifteen minutes.
#[tokio::test]
async fn after_a_quarter_of_an_hour_only_a_manager_does() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let ada = event.door().scan("Ada").await.accepted().check_in();
    let bob = event.door().scan("Bob").await.accepted().check_in();
    let device = event.door().client().await;
    let late = device.at(seconds_from_now(15 * 60 + 5));
    event.annul_by(&late, &ada).await.problem(403, "too_late");
    let just = device.at(seconds_from_now(15 * 60 - 30));
    event.annul_by(&just, &bob).await.expect_status(200);
    event
        .annul_by(event.client(), &ada)
        .await
        .expect_status(200);
    event.dashboard().await.counts(|c| c.checked_in == 0);
}

/// 42: of something that never was.
#[tokio::test]
async fn what_was_never_scanned_cannot_be_undone() {
    let (event, other) = (
        Event::with_guests(["Ada"]).open().await,
        Event::with_guests(["Eve"]).open().await,
    );
    event.door().scan("Ada").await.accepted();
    let foreign = other.door().scan("Eve").await.accepted().check_in();
    for id in [uuid::Uuid::new_v4().to_string(), foreign, "nonsense".into()] {
        event.annul_by(event.client(), &id).await.problem_of(404);
    }
    other.dashboard().await.counts(|c| c.checked_in == 1);
}

/// 43: twice, and then in again.
#[tokio::test]
async fn a_second_undo_is_refused_and_the_guest_may_come_in_again() {
    let event = Event::with_guests(["Ada"]).open().await;
    let first = event.door().scan("Ada").await.accepted().check_in();
    event.door().annul(&first).await.expect_status(200);
    event
        .door()
        .annul(&first)
        .await
        .problem(409, "already_annulled");
    let again = event.door().scan("Ada").await.accepted();
    assert_ne!(again.check_in(), first);
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 1 && c.inside == 1 && c.duplicates == 0);
    event
        .door()
        .scan("Ada")
        .await
        .duplicate()
        .has("/check_in/id", again.check_in());
}

#[tokio::test]
async fn undoing_an_exit_brings_the_guest_back_in() {
    let event = Event::with_guests(["Ada"])
        .settings(json!({"allow_reentry": true}))
        .open()
        .await;
    event.door().scan("Ada").await.accepted();
    let exit = event.door().exit("Ada").await.accepted().check_in();
    event.dashboard().await.counts(|c| c.inside == 0);
    event.door().annul(&exit).await.expect_status(200);
    event
        .dashboard()
        .await
        .counts(|c| c.inside == 1 && c.checked_in == 1);
    event.door().scan("Ada").await.duplicate();
}

#[tokio::test]
async fn undoing_the_first_of_two_entries_leaves_the_guest_checked_in() {
    let event = Event::with_guests(["Ada"])
        .settings(json!({"allow_duplicate_scans": true}))
        .open()
        .await;
    let first = event.door().scan("Ada").await.accepted();
    let second = event.door().scan("Ada").await.accepted();
    event
        .door()
        .annul(&first.check_in())
        .await
        .expect_status(200);
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 1 && c.inside == 1);
    let third = event.door().scan("Ada").await.accepted();
    third.has("/first_entry/at", second.at("/check_in/check_in_time"));
    event.recorded().await;
    let stats = event
        .client()
        .get(&format!("/pulse/{}", event.table))
        .await
        .at("/stats/checked_in");
    assert_eq!(stats, 1, "the record counts the same");
}

#[tokio::test]
async fn undoing_a_walk_in_makes_room() {
    let event = Event::with_guests(["Ada"])
        .settings(json!({"capacity": 1}))
        .open()
        .await;
    let walk_in = event
        .door()
        .scan_with(json!({"walk_in": {"name": "Walter"}}))
        .await
        .accepted();
    event.door().scan("Ada").await.refused("capacity_reached");
    event
        .door()
        .annul(&walk_in.check_in())
        .await
        .expect_status(200);
    event.door().scan("Ada").await.accepted();
    event
        .dashboard()
        .await
        .counts(|c| c.walk_ins == 0 && c.inside == 1);
}

#[tokio::test]
async fn an_undone_entry_gives_its_share_of_a_limit_back() {
    let event = Event::with_guests(["Ada"])
        .settings(json!({"max_entries": 1, "allow_duplicate_scans": true}));
    let event = event.open().await;
    let first = event.door().scan("Ada").await.accepted();
    event.door().scan("Ada").await.refused("limit_reached");
    event
        .door()
        .annul(&first.check_in())
        .await
        .expect_status(200);
    event.door().scan("Ada").await.accepted();
}

#[tokio::test]
async fn a_refusal_cannot_be_undone() {
    let event = Event::with_guests(["Ada"]).open().await;
    let refusal = event
        .door()
        .scan("nobody's")
        .await
        .refused("unknown_code")
        .check_in();
    let reply = event.annul_by(event.client(), &refusal).await;
    reply.problem(409, "not_an_admission");
    event
        .dashboard()
        .await
        .counts(|c| c.refused["unknown_code"] == 1);
}

#[tokio::test]
async fn who_only_reads_does_not_undo() {
    let event = Event::with_guests(["Ada"]).open().await;
    let check_in = event.door().scan("Ada").await.accepted().check_in();
    let reader = event.tenant.member("read_only").await;
    event
        .annul_by(&reader.client, &check_in)
        .await
        .problem(403, "role_not_allowed");
    let viewer = event
        .session(json!({"name": "Wall", "profile": "viewer"}))
        .await;
    let viewer = Client::anonymous().with_token(&viewer.text_at("/token"));
    event.annul_by(&viewer, &check_in).await.problem_of(403);
    event
        .annul_by(&Client::anonymous(), &check_in)
        .await
        .problem_of(401);
}
