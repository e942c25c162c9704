//! The runtime killed with SIGKILL under load, three times, while queues are brought.
//!
//! Invariant: what was acknowledged before a kill is there after it, and nobody got in twice.
//! Failure: the operations or entries that show the loss.

use super::alone;
use super::crowd::{Crowd, Dice, Queue, large_event};
use chrono::TimeDelta;
use futures_util::future::join_all;
use pulse_tests::control::Control;
use pulse_tests::history::Rule;
use pulse_tests::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SCANS: u64 = 20_000;
const CLIENTS: u64 = 16;
const GUESTS: u64 = 6_000;
/// Phones without a connection, and what each brings.
const PHONES: u64 = 4;
const QUEUED: u64 = 1_000;

/// A phone that brings what it queued in batches, from the first scan to the last kill.
async fn bring(event: &Event, crowd: &Crowd, number: u64) {
    let client = event.phone(&format!("cellar {number}")).client().await;
    let (mut queue, mut dice) = (
        Queue::new(event, TimeDelta::hours(1)),
        Dice::new(100 + number),
    );
    for _ in 0..QUEUED {
        let ago = i64::try_from(dice.roll(3_600)).expect("a few seconds");
        queue.admit(&format!("G{}", dice.roll(GUESTS)), seconds_from_now(-ago));
    }
    for (place, part) in (1..).zip(queue.items.chunks(50)) {
        crowd.bring(&client, &queue, part).await;
        while crowd.answered.load(Ordering::SeqCst) < place * SCANS / 25 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Keeps a dashboard over every cut: reconnects and recovers; gives the events it saw by offset.
async fn watch(event: &Event, until: &AtomicBool) -> BTreeMap<u64, Value> {
    let mut seen = BTreeMap::new();
    let mut position = event.dashboard().await.position();
    while !until.load(Ordering::SeqCst) || event.dashboard().await.position() != position {
        let Ok(mut socket) = Socket::try_connect(&event.live_path(), event.client().token()).await
        else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Some(recovered) = socket.try_recover("scans", &position).await else {
            continue;
        };
        assert!(
            recovered.recovered,
            "a gap after a cut: {position:?} {:?}",
            recovered.position
        );
        for past in recovered.events {
            take(&mut seen, past);
        }
        position = recovered.position;
        while let Some(event) = socket.next_within(Duration::from_millis(500)).await {
            position.offset = event["offset"].as_u64().expect("an offset");
            take(&mut seen, event);
        }
    }
    seen
}

fn take(seen: &mut BTreeMap<u64, Value>, event: Value) {
    let offset = event["offset"].as_u64().expect("an offset");
    if let Some(before) = seen.insert(offset, event) {
        panic!("an event came twice: {before}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_kills_under_load_lose_nothing_and_let_nobody_in_twice() {
    let _alone = alone().await;
    let event = large_event(GUESTS).await;
    let (crowd, control, done) = (Crowd::default(), Control::here(), AtomicBool::new(false));
    let scanners = (0..CLIENTS).map(|number| {
        let (event, crowd) = (&event, &crowd);
        async move {
            let client = event.phone(&format!("phone {number}")).client().await;
            let mut dice = Dice::new(number + 1);
            for _ in 0..SCANS / CLIENTS {
                let body = match dice.roll(20) {
                    0 => json!({"barcode": "nobody's"}),
                    _ => json!({"barcode": format!("G{}", dice.roll(GUESTS))}),
                };
                crowd.scan(event, &client, body).await;
            }
        }
    });
    let killing = async {
        for share in 1..=3 {
            while crowd.answered.load(Ordering::SeqCst) < share * SCANS / 4 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            control.kill_worker().await;
        }
    };
    let scanning = async {
        let phones = (0..PHONES).map(|number| bring(&event, &crowd, number));
        tokio::join!(join_all(scanners), join_all(phones), killing);
        done.store(true, Ordering::SeqCst);
    };
    let (seen, ()) = tokio::join!(watch(&event, &done), scanning);

    assert!(
        crowd.lost.load(Ordering::SeqCst) > 0,
        "no kill hit a scan: the test proved nothing"
    );
    let all = SCANS + PHONES * QUEUED;
    assert_eq!(crowd.history.acknowledged() as u64, all);
    let (log, judged) = crowd.proven(&event, Rule::Once).await;
    assert!(judged.conflicts > 0, "{judged:?}");
    let dashboard = event.dashboard().await;
    for entry in &log {
        let seq = entry["seq"].as_u64().expect("a seq");
        let event = seen
            .get(&seq)
            .unwrap_or_else(|| panic!("the dashboard missed {seq}"));
        assert_eq!(event["data"]["check_in_id"], entry["check_in_id"]);
    }
    assert_eq!(seen.len(), log.len());
    let stats = event
        .client()
        .get(&format!("/pulse/{}", event.table))
        .await
        .expect_status(200);
    assert_eq!(stats.at("/stats/checked_in"), dashboard.counts.checked_in);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dashboard_recovers_over_a_kill_without_gap() {
    let _alone = alone().await;
    let event = Event::with_guests(["Ada", "Bob", "Cleo"]).open().await;
    let mut socket = event.socket().await;
    let mut position = socket.subscribe("scans").await.position;
    event.door().scan("Ada").await.accepted();
    position.offset = socket.event_of("scans").await["offset"]
        .as_u64()
        .expect("an offset");
    Control::here().kill_worker().await;
    assert!(socket.closed().await < 3500, "clients must come back");
    event.door().scan("Bob").await.accepted();
    let mut socket = event.socket().await;
    let recovered = socket.recover("scans", &position).await;
    assert!(recovered.recovered);
    assert_eq!(recovered.events.len(), 1);
    assert_eq!(recovered.events[0]["data"]["guest"]["name"], "Bob");
    event.door().scan("Cleo").await.accepted();
    assert_eq!(
        socket.event_of("scans").await["data"]["guest"]["name"],
        "Cleo"
    );
    event.door().scan("Ada").await.duplicate();
}
