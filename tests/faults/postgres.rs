//! Postgres stopped, frozen and cut off while the doors are open.
//!
//! Invariant: who was let in before stays in; every scan is answered; the record catches up.
//! Failure: the scan that was not answered or the entry that is missing.

use super::alone;
use super::crowd::{Crowd, Dice, large_event};
use pulse_tests::control::Control;
use pulse_tests::database::Database;
use pulse_tests::history::Replay;
use pulse_tests::prelude::*;
use pulse_tests::stack::within;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const RATE: u64 = 50;

/// Scans at a steady rate, each within a second, until told to stop.
async fn steadily(event: &Event, crowd: &Crowd, client: &Client, seconds: u64) {
    let mut dice = Dice::new(seconds);
    let mut tick = tokio::time::interval(Duration::from_millis(1_000 / RATE));
    let mut under_way = tokio::task::JoinSet::new();
    let scans = async {
        for _ in 0..seconds * RATE {
            tick.tick().await;
            let code = format!("G{}", dice.roll(2_000));
            let nonce = uuid::Uuid::new_v4().to_string();
            let noted = crowd.history.invoke(&nonce);
            let call = event.scan_by(client, json!({"barcode": code, "nonce": nonce}));
            under_way.spawn(async move {
                let started = Instant::now();
                (noted, call.await, started.elapsed())
            });
        }
    };
    scans.await;
    while let Some(done) = under_way.join_next().await {
        let (noted, reply, waited) = done.expect("no panic");
        assert!(
            matches!(reply.status, 200 | 201),
            "a scan without an answer: {reply}"
        );
        crowd.history.acknowledge(noted, &reply.json());
        let waited = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        crowd.longest_ms.fetch_max(waited, Ordering::SeqCst);
    }
}

/// `/health` says so within a second, whatever is the matter with Postgres. The best of three counts:
/// what is asked is how long it waits, not how busy this machine is.
async fn down_within_a_second() {
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let started = Instant::now();
        let health = Client::anonymous()
            .get("/health")
            .timeout(Duration::from_secs(5));
        let health = health.await.expect_status(503);
        quickest = quickest.min(started.elapsed());
        assert_eq!(health.at("/status"), "down");
        assert_eq!(health.at("/checks/database/ok"), false);
        assert_eq!(health.at("/checks/objects/ok"), true);
        assert!(health.header("retry-after").is_some(), "{health}");
    }
    let limit = Duration::from_millis(1_200);
    assert!(quickest <= limit, "down was told after {quickest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_seconds_without_postgres_lose_nothing_and_are_caught_up_in_five() {
    let _alone = alone().await;
    let event = large_event(2_000).await;
    let (crowd, control) = (Crowd::default(), Control::here());
    let client = event.door().client().await;
    steadily(&event, &crowd, &client, 2).await;
    event.recorded().await;
    control.stop_postgres().await;
    let mut socket = Socket::connect(&event.live_path(), client.token()).await;
    socket.subscribe("scans").await;
    let away = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        let device = Dashboard::of(
            &client
                .get(&format!("/pulse/dashboard/{}", event.table))
                .await,
        );
        assert!(
            device.at("/record/behind").as_u64() > Some(10 * RATE),
            "{}",
            device.json
        );
        assert!(device.at("/record/oldest_unflushed_at").is_string());
        down_within_a_second().await;
        let read = event.client().get("/pulse/tables").await;
        assert!(
            read.clone().problem_of(503).header("retry-after").is_some(),
            "{read}"
        );
    };
    tokio::join!(steadily(&event, &crowd, &client, 60), away);
    let longest = crowd.longest_ms.load(Ordering::SeqCst);
    assert!(longest < 3_000, "a scan waited {longest} ms for its answer");
    control.start_postgres().await;
    let started = Instant::now();
    within(Duration::from_secs(5), "the backlog is drained", || async {
        let dashboard = Dashboard::of(
            &client
                .get(&format!("/pulse/dashboard/{}", event.table))
                .await,
        );
        (dashboard.at("/record/behind") == 0).then_some(())
    })
    .await;
    println!("drained in {:?}", started.elapsed());
    let log = Database::admin()
        .await
        .scan_log(&event.tenant.id, &event.table)
        .await;
    crowd.history.judge(&log);
    assert_eq!(log.len() as u64, 62 * RATE);
    Replay::no_guest_twice(&log);
    let dashboard = event.dashboard().await;
    Replay::of(&log).agrees(&dashboard.counts);
    let stats = event
        .client()
        .get(&format!("/pulse/{}", event.table))
        .await
        .expect_status(200);
    assert_eq!(stats.at("/stats/checked_in"), dashboard.counts.checked_in);
    assert_eq!(stats.at("/stats/duplicates"), dashboard.counts.duplicates);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_postgres_is_no_different_from_a_stopped_one() {
    let _alone = alone().await;
    let event = large_event(2_000).await;
    let (crowd, control) = (Crowd::default(), Control::here());
    let client = event.door().client().await;
    steadily(&event, &crowd, &client, 1).await;
    control.pause_postgres().await;
    tokio::join!(steadily(&event, &crowd, &client, 8), down_within_a_second());
    control.resume_postgres().await;
    event.recorded().await;
    let log = Database::admin()
        .await
        .scan_log(&event.tenant.id, &event.table)
        .await;
    crowd.history.judge(&log);
    assert_eq!(log.len() as u64, 9 * RATE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_says_503_while_postgres_is_away() {
    let _alone = alone().await;
    let event = Event::with_guests(["Ada"]).open().await;
    event.door().scan("Ada").await.accepted();
    event.recorded().await;
    let control = Control::here();
    control.stop_postgres().await;
    let path = format!("/pulse/check-ins/export?table_id={}", event.table);
    let away = [
        event.client().get(&path).await,
        event.client().get("/pulse/check-ins/export").await,
    ];
    control.start_postgres().await;
    for reply in away {
        assert!(
            reply
                .clone()
                .problem_of(503)
                .header("retry-after")
                .is_some(),
            "{reply}"
        );
    }
    let back = event.client().get(&path).await.expect_status(200);
    assert_eq!(back.text().lines().count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_postgres_is_away_loses_nothing() {
    let _alone = alone().await;
    let event = Event::with_guests(["Ada", "Bob", "Cleo"]).open().await;
    let (control, door) = (Control::here(), event.door());
    door.scan("Ada").await.accepted();
    event.recorded().await;
    control.stop_postgres().await;
    door.scan("Bob").await.accepted();
    control.kill_worker().await;
    door.scan("Bob").await.duplicate();
    door.scan("Cleo").await.accepted();
    control.start_postgres().await;
    event
        .recorded()
        .await
        .counts(|c| c.checked_in == 3 && c.duplicates == 1);
    let log = Database::admin()
        .await
        .scan_log(&event.tenant.id, &event.table)
        .await;
    assert_eq!(log.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_confirmed_before_goes_on_scanning_while_postgres_is_away() {
    let _alone = alone().await;
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let (control, stranger) = (Control::here(), Tenant::new().await);
    Answer::of(
        event
            .scan_by(event.client(), json!({"barcode": event.code("Ada")}))
            .await,
    )
    .accepted();
    control.stop_postgres().await;
    let later = event.client().at(seconds_from_now(90));
    let known = event
        .scan_by(&later, json!({"barcode": event.code("Bob")}))
        .await;
    let unknown = event
        .scan_by(stranger.client(), json!({"barcode": event.code("Bob")}))
        .await;
    control.start_postgres().await;
    Answer::of(known).accepted();
    // The object knows whose table it is without asking.
    unknown.problem_of(404);
}
