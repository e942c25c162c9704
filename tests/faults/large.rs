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

/// Scans at the door.
const SCANS: u64 = 200;
/// Items of a queue, some kilobytes of log for each dozen.
const QUEUED: u64 = 1_400;

/// Scans at the door and a queue over the whole list; gives how many.
async fn busy(event: &Event, crowd: &Crowd, dice: &mut Dice) -> usize {
    let door = event.door().client().await;
    let mut queue = Queue::new(event, TimeDelta::minutes(-7));
    for _ in 0..SCANS {
        let code = format!("G{}", dice.roll(GUESTS));
        crowd.scan(event, &door, json!({"barcode": code})).await;
        // The same guests came in by the cellar a minute before.
        queue.admit(&code, seconds_from_now(-60));
    }
    for ago in SCANS..QUEUED {
        let code = format!("G{}", dice.roll(GUESTS));
        queue.admit(
            &code,
            seconds_from_now(-60 - i64::try_from(ago).expect("seconds")),
        );
    }
    let cellar = event.phone("cellar").client().await;
    for part in queue.items.chunks(200) {
        crowd.bring(&cellar, &queue, part).await;
    }
    usize::try_from(SCANS + QUEUED).expect("a small number")
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
        .counts(|c| c.total == GUESTS && c.checked_in > 1_000);
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
    assert!(judged.conflicts >= 2 * SCANS, "{judged:?}");
}

/// What the object reads at once is more than one of its values holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_guests_with_long_notes_is_read_whole() {
    let _alone = alone().await;
    let event = Event::with_guests([""; 0]).open().await;
    let note = "mind the step ".repeat(140);
    let guests: Vec<Value> = (0..2_500)
        .map(|number| {
            let name = format!("Guest {number}");
            json!({"name": name, "barcode": format!("G{number}"), "attention_note": note.trim()})
        })
        .collect();
    let import = format!("/pulse/tables/{}/import", event.table);
    let reply = event.client().post(&import, &json!(guests)).await;
    assert_eq!(reply.expect_status(200).at("/imported"), 2_500);
    let door = event.door();
    let last = json!({"barcode": "G2499"});
    door.scan_with(last.clone()).await.accepted();
    event.recorded().await;
    Control::here().wipe_objects().await;
    door.scan_with(last).await.duplicate();
    event.dashboard().await.counts(|c| c.total == 2_500);
}
