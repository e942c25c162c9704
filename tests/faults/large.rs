//! A guest list of 100,000.
//!
//! Invariant: it scans, merges, sleeps, wakes and is rebuilt as a small one does.
//! Failure: the answer that changed or did not come.

use super::alone;
use super::crowd::{Crowd, Dice, Queue, large_event};
use chrono::TimeDelta;
use pulse_tests::control::Control;
use pulse_tests::history::Rule;
use pulse_tests::prelude::*;
use std::time::Instant;

const GUESTS: u64 = 100_000;

/// Scans at the door and a queue over the whole list; gives how many.
async fn busy(event: &Event, crowd: &Crowd, dice: &mut Dice) -> usize {
    let door = event.door().client().await;
    let mut queue = Queue::new(event, TimeDelta::minutes(-7));
    for ago in 0..200 {
        let code = format!("G{}", dice.roll(GUESTS));
        crowd.scan(event, &door, json!({"barcode": code})).await;
        // Some of the same guests came in by the cellar before.
        let other = format!("G{}", dice.roll(GUESTS));
        let code = if ago % 10 == 0 { &code } else { &other };
        queue.admit(code, seconds_from_now(-60 - ago));
    }
    let cellar = event.phone("cellar").client().await;
    crowd.bring(&cellar, &queue, &queue.items).await;
    400
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_guests_are_scanned_merged_and_woken() {
    let _alone = alone().await;
    let began = Instant::now();
    let event = large_event(GUESTS).await;
    println!("imported in {:?}", began.elapsed());
    let (crowd, control, mut dice) = (Crowd::default(), Control::here(), Dice::new(11));
    let mut scans = busy(&event, &crowd, &mut dice).await;
    let before = event.recorded().await;
    before
        .clone()
        .counts(|c| c.total == GUESTS && c.checked_in > 300);
    let wake = async |what: &str| {
        let (door, woken) = (event.door().client().await, Instant::now());
        crowd
            .scan(&event, &door, json!({"barcode": "G99999"}))
            .await;
        println!("{what}: first scan answered after {:?}", woken.elapsed());
    };
    control.evict(&event.table).await;
    wake("evicted").await;
    control.kill_worker().await;
    wake("killed").await;
    event.recorded().await;
    control.wipe_objects().await;
    wake("rebuilt from Postgres").await;
    scans += 3 + busy(&event, &crowd, &mut dice).await;
    let (log, judged) = crowd.proven(&event, Rule::Once).await;
    assert_eq!(log.len(), scans);
    assert!(judged.conflicts >= 40, "{judged:?}");
}
