//! Coming and going: re-entry, limits, capacity, order of scan times. The numbers are those of the
//! field's cases (flow).
//!
//! Invariant: what happened is ordered by when it was scanned, not by when it arrived.
//! Failure: each test names the answer that came instead.

use futures_util::future::join_all;
use pulse_tests::prelude::*;

fn at(event: &Event, guest: &str, time: &str) -> Value {
    json!({"barcode": event.code(guest), "scanned_at": time})
}

fn out(event: &Event, guest: &str, time: &str) -> Value {
    json!({"barcode": event.code(guest), "scanned_at": time, "direction": "exit"})
}

/// 28: with duplicates allowed each scan is an entry.
#[tokio::test]
async fn with_duplicates_allowed_each_scan_is_a_record() {
    let event = Event::with_guests(["Ada"])
        .settings(json!({"allow_duplicate_scans": true}))
        .open()
        .await;
    let first = event.door().scan("Ada").await.accepted();
    let second = event.door().scan("Ada").await.accepted();
    assert_ne!(first.check_in(), second.check_in());
    second.has("/first_entry/at", first.at("/check_in/check_in_time"));
    assert_eq!(event.check_ins("verdict=accepted").await.len(), 2);
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 1 && c.inside == 1 && c.duplicates == 0);
}

/// 29: forced re-entry is flagged only if force was needed.
#[tokio::test]
async fn a_forced_repeat_is_an_entry_that_says_what_it_overrode() {
    let event = Event::with_guests(["Ada"]).open().await;
    event
        .door()
        .force("Ada")
        .await
        .accepted()
        .has("/check_in/forced", false);
    let again = event
        .door()
        .force("Ada")
        .await
        .accepted()
        .has("/check_in/forced", true);
    again.has("/check_in/overrode", "already_checked_in");
    event
        .dashboard()
        .await
        .counts(|c| c.checked_in == 1 && c.inside == 1);
}

/// 30: an exit is never refused for what an entry would be.
#[tokio::test]
async fn an_exit_is_taken_whatever_gate_time_or_limit() {
    let settings = json!({"max_entries": 1, "capacity": 1, "closes_at": "2026-05-01T20:00:00Z"});
    let event = Event::with_guests(["Ada:vip", "Bob:standard"]).settings(settings);
    let event = event.gate("North", ["vip"]).gate("South", []).open().await;
    event
        .scanner("North")
        .scan_with(at(&event, "Ada", "2026-05-01T19:00:00Z"))
        .await
        .accepted();
    event
        .scanner("South")
        .scan_with(out(&event, "Ada", "2026-05-01T23:00:00Z"))
        .await
        .accepted();
    let never_in = event
        .scanner("North")
        .scan_with(out(&event, "Bob", "2026-05-01T23:00:00Z"))
        .await;
    never_in.accepted().warns("not_inside");
    event
        .dashboard()
        .await
        .counts(|c| c.inside == 0 && c.checked_in == 1 && c.refused.total() == 0);
}

/// 31: back in after going out.
#[tokio::test]
async fn a_guest_who_left_comes_in_again_where_that_is_allowed() {
    let event = Event::with_guests(["Ada"])
        .settings(json!({"allow_reentry": true}))
        .open()
        .await;
    event.door().scan("Ada").await.accepted();
    event.door().scan("Ada").await.duplicate();
    event.dashboard().await.counts(|c| c.inside == 1);
    event
        .door()
        .exit("Ada")
        .await
        .accepted()
        .has("/check_in/direction", "exit");
    event
        .dashboard()
        .await
        .counts(|c| c.inside == 0 && c.checked_in == 1);
    event.door().scan("Ada").await.accepted();
    event
        .dashboard()
        .await
        .counts(|c| c.inside == 1 && c.checked_in == 1 && c.duplicates == 1);
}

/// 32: and is refused where it is not.
#[tokio::test]
async fn a_guest_who_left_stays_out_where_reentry_is_off() {
    let event = Event::with_guests(["Ada"]).open().await;
    event.door().scan("Ada").await.accepted();
    event.door().exit("Ada").await.accepted();
    event
        .door()
        .scan("Ada")
        .await
        .duplicate()
        .has("/reason", "already_checked_in");
    event
        .dashboard()
        .await
        .counts(|c| c.inside == 0 && c.checked_in == 1);
}

/// 33: an entry uploaded late counts from when it happened.
#[tokio::test]
async fn a_late_upload_takes_its_place_by_scan_time() {
    let event = Event::with_guests(["Ada"])
        .settings(json!({"allow_reentry": true}))
        .open()
        .await;
    event
        .door()
        .scan_with(out(&event, "Ada", "2026-05-01T12:00:00Z"))
        .await
        .accepted()
        .warns("not_inside");
    event
        .dashboard()
        .await
        .counts(|c| c.inside == 0 && c.checked_in == 0);
    event
        .phone("offline")
        .scan_with(at(&event, "Ada", "2026-05-01T10:00:00Z"))
        .await
        .accepted();
    event
        .dashboard()
        .await
        .counts(|c| c.inside == 0 && c.checked_in == 1);
    let answer = event
        .door()
        .scan_with(at(&event, "Ada", "2026-05-01T13:00:00Z"))
        .await
        .accepted();
    answer.has("/first_entry/at", "2026-05-01T10:00:00.000Z");
    event
        .dashboard()
        .await
        .counts(|c| c.inside == 1 && c.checked_in == 1);
}

/// 33, for the exit: it happened before the entry that is known.
#[tokio::test]
async fn an_exit_uploaded_late_does_not_send_a_guest_out_again() {
    let event = Event::with_guests(["Ada"])
        .settings(json!({"allow_reentry": true}))
        .open()
        .await;
    event
        .door()
        .scan_with(at(&event, "Ada", "2026-05-01T12:00:00Z"))
        .await
        .accepted();
    event
        .phone("offline")
        .scan_with(out(&event, "Ada", "2026-05-01T11:00:00Z"))
        .await
        .accepted();
    event
        .dashboard()
        .await
        .counts(|c| c.inside == 1 && c.checked_in == 1);
}

/// 34: the day ends at midnight where the event is.
#[tokio::test]
async fn a_daily_limit_starts_anew_at_the_events_own_midnight() {
    let settings = json!({"entries_per_day": 1, "allow_reentry": true});
    for (zone, before, after) in [
        (
            "Europe/Berlin",
            "2026-07-10T21:59:00Z",
            "2026-07-10T22:00:00Z",
        ),
        (
            "Europe/Berlin",
            "2026-01-10T22:59:00Z",
            "2026-01-10T23:00:00Z",
        ),
        (
            "America/Vancouver",
            "2025-11-21T07:59:00Z",
            "2025-11-21T08:00:00Z",
        ),
        (
            "Asia/Kathmandu",
            "2026-05-01T18:14:00Z",
            "2026-05-01T18:15:00Z",
        ),
    ] {
        let event = Event::with_guests(["Ada"])
            .settings(settings.clone())
            .timezone(zone)
            .open()
            .await;
        let noon = rfc3339(time(before) - chrono::TimeDelta::hours(5));
        let left = rfc3339(time(before) - chrono::TimeDelta::hours(4));
        event
            .door()
            .scan_with(at(&event, "Ada", &noon))
            .await
            .accepted();
        event
            .door()
            .scan_with(out(&event, "Ada", &left))
            .await
            .accepted();
        event
            .door()
            .scan_with(at(&event, "Ada", before))
            .await
            .refused("limit_reached");
        event
            .door()
            .scan_with(at(&event, "Ada", after))
            .await
            .accepted();
    }
}

/// 35: on the days the clocks change, a day is still a day. Exits by the clock: `exit_all`.
#[tokio::test]
async fn a_day_of_twenty_three_or_twenty_five_hours_is_one_day() {
    let settings = json!({"entries_per_day": 1, "allow_duplicate_scans": true});
    for (first, same_day, next_day) in [
        (
            "2026-03-28T23:00:00Z",
            "2026-03-29T21:59:59Z",
            "2026-03-29T22:00:00Z",
        ),
        (
            "2026-10-24T22:00:00Z",
            "2026-10-25T22:59:59Z",
            "2026-10-25T23:00:00Z",
        ),
    ] {
        let event = Event::with_guests(["Ada"])
            .settings(settings.clone())
            .open()
            .await;
        event
            .door()
            .scan_with(at(&event, "Ada", first))
            .await
            .accepted();
        event
            .door()
            .scan_with(at(&event, "Ada", same_day))
            .await
            .refused("limit_reached");
        event
            .door()
            .scan_with(at(&event, "Ada", next_day))
            .await
            .accepted();
    }
}

#[tokio::test]
async fn all_entries_together_can_be_limited() {
    let settings = json!({"max_entries": 2, "allow_reentry": true});
    let event = Event::with_guests(["Ada", "Bob"])
        .settings(settings)
        .open()
        .await;
    for _ in 0..2 {
        event.door().scan("Ada").await.accepted();
        event.door().exit("Ada").await.accepted();
    }
    event
        .door()
        .scan("Ada")
        .await
        .refused("limit_reached")
        .explains("2");
    event.door().scan("Bob").await.accepted();
    event
        .door()
        .force("Ada")
        .await
        .accepted()
        .has("/check_in/overrode", "limit_reached");
}

#[tokio::test]
async fn a_full_house_takes_nobody_until_somebody_leaves() {
    let event = Event::with_guests(["Ada", "Bob", "Cleo"])
        .settings(json!({"capacity": 2}))
        .open()
        .await;
    event.door().scan("Ada").await.accepted();
    event
        .door()
        .scan_with(json!({"walk_in": {"name": "Walter"}}))
        .await
        .accepted();
    event
        .door()
        .scan("Bob")
        .await
        .refused("capacity_reached")
        .explains("2");
    event
        .door()
        .scan_with(json!({"walk_in": {"name": "Wanda"}}))
        .await
        .refused("capacity_reached");
    event.door().scan("Ada").await.duplicate();
    event.door().exit("Ada").await.accepted();
    event.door().scan("Bob").await.accepted();
    event.door().scan("Cleo").await.refused("capacity_reached");
    event
        .dashboard()
        .await
        .counts(|c| c.inside == 2 && c.walk_ins == 1 && c.refused["capacity_reached"] == 3);
}

#[tokio::test]
async fn a_soft_capacity_only_warns() {
    let settings = json!({"capacity": 1, "capacity_mode": "warn"});
    let event = Event::with_guests(["Ada", "Bob"])
        .settings(settings)
        .open()
        .await;
    let first = event.door().scan("Ada").await.accepted();
    assert_eq!(first.at("/warnings"), json!([]));
    event
        .door()
        .scan("Bob")
        .await
        .accepted()
        .warns("capacity_reached");
    event
        .dashboard()
        .await
        .counts(|c| c.inside == 2 && c.refused.total() == 0);
}

#[tokio::test]
async fn a_hundred_guests_at_once_do_not_overfill_the_house() {
    let names: Vec<_> = (0..60).map(|number| format!("Guest {number}")).collect();
    let event = Event::with_guests(&names)
        .settings(json!({"capacity": 25}))
        .open()
        .await;
    let device = event.door().client().await;
    let scans = names.iter().map(|name| {
        let (event, device) = (&event, &device);
        async move {
            Answer::of(
                event
                    .scan_by(device, json!({"barcode": event.code(name)}))
                    .await,
            )
        }
    });
    let answers = join_all(scans).await;
    let accepted = answers
        .iter()
        .filter(|answer| answer.at("/verdict") == "accepted")
        .count();
    assert_eq!(accepted, 25);
    event
        .dashboard()
        .await
        .counts(|c| c.inside == 25 && c.refused["capacity_reached"] == 35);
}

#[tokio::test]
async fn opening_hours_are_read_on_the_events_own_clock() {
    let hours = json!([{"day": "fri", "from": "18:00", "to": "02:00"}, {"day": "sat", "from": "10:00", "to": "12:00"}]);
    let settings = json!({"opening_hours": hours, "allow_duplicate_scans": true});
    let event = Event::with_guests(["Ada"])
        .settings(settings)
        .timezone("Europe/Berlin")
        .open()
        .await;
    for (time, open) in [
        ("2026-05-01T15:59:00Z", false), // Friday 17:59
        ("2026-05-01T16:00:00Z", true),
        ("2026-05-01T23:59:00Z", true), // Saturday 01:59, still Friday's night
        ("2026-05-02T00:00:00Z", false), // Saturday 02:00
        ("2026-05-02T08:00:00Z", true),
        ("2026-05-02T10:00:00Z", false),
        ("2026-05-03T17:00:00Z", false), // Sunday
    ] {
        let answer = event.door().scan_with(at(&event, "Ada", time)).await;
        if open {
            answer.accepted();
        } else {
            answer.refused("event_not_open");
        }
    }
}

/// Seed's case: the reasons have one order, so a scan has one reason, always the same.
#[tokio::test]
async fn of_several_reasons_the_gravest_is_told() {
    let guest = json!({"name": "Bob", "category": "standard", "status": "blocked", "valid_until": "2026-01-01T00:00:00Z"});
    let settings =
        json!({"categories": ["vip"], "closes_at": "2026-01-01T00:00:00Z", "capacity": 1});
    let event = Event::with_guests(["Ada:vip"])
        .guest(guest)
        .settings(settings)
        .gate("North", ["vip"])
        .open()
        .await;
    let scan = || async { event.scanner("North").scan("Bob").await };
    scan().await.refused("blocked");
    event.change("Bob", json!({"status": "confirmed"})).await;
    scan().await.refused("wrong_category");
    event
        .configure(json!({"settings": {"categories": null}}))
        .await;
    scan().await.refused("wrong_gate");
    event.change("Bob", json!({"category": "vip"})).await;
    scan().await.refused("no_longer_valid");
    event.change("Bob", json!({"valid_until": null})).await;
    scan().await.refused("event_not_open");
    event
        .configure(json!({"settings": {"closes_at": null}}))
        .await;
    event.door().scan("Ada").await.accepted();
    scan().await.refused("capacity_reached");
    event
        .configure(json!({"settings": {"capacity": null}}))
        .await;
    scan().await.accepted();
}
