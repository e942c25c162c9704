//! The record on its way to Postgres: killed half-way, stored but not heard of.
//!
//! Invariant: an entry is stored once, however often it is sent.
//! Failure: the entry that is missing or differs.

use super::alone;
use super::crowd::{Crowd, Dice, Queue, large_event};
use chrono::TimeDelta;
use pulse_tests::control::Control;
use pulse_tests::database::Database;
use pulse_tests::history::Rule;
use pulse_tests::prelude::*;

/// Some scans at the door and a queue from the cellar.
async fn busy(event: &Event, crowd: &Crowd, dice: &mut Dice) {
    let (door, cellar) = (
        event.door().client().await,
        event.phone("cellar").client().await,
    );
    let mut queue = Queue::new(event, TimeDelta::zero());
    for ago in 0..80 {
        queue.admit(&format!("G{}", dice.roll(500)), seconds_from_now(-30 * ago));
    }
    let mut codes = Vec::new();
    for _ in 0..10 {
        codes.push(format!("G{}", dice.roll(500)));
    }
    let scanning = async {
        for code in codes {
            crowd.scan(event, &door, json!({"barcode": code})).await;
        }
    };
    let bringing = async {
        for part in queue.items.chunks(40) {
            crowd.bring(&cellar, &queue, part).await;
        }
    };
    tokio::join!(scanning, bringing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_restarted_in_the_middle_of_a_flush_loses_nothing() {
    let _alone = alone().await;
    let event = large_event(500).await;
    let (crowd, control, mut dice) = (Crowd::default(), Control::here(), Dice::new(5));
    for _ in 0..3 {
        let (holder, watcher) = (Database::admin().await, Database::admin().await);
        holder
            .run("begin; lock table pulse_scan_log in share row exclusive mode")
            .await;
        busy(&event, &crowd, &mut dice).await;
        eventually("a flush is half-way", || async {
            let sql = "select to_jsonb(count(*)) from pg_stat_activity
                       where wait_event_type = 'Lock' and query like '%app.call%'";
            (watcher.json(sql, &[]).await != 0).then_some(())
        })
        .await;
        control.stop_postgres().await;
        busy(&event, &crowd, &mut dice).await;
        control.start_postgres().await;
        event.recorded().await;
    }
    let (log, judged) = crowd.proven(&event, Rule::Once).await;
    assert_eq!(log.len(), 3 * 2 * 90);
    assert_eq!(judged.offline, 3 * 2 * 80);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_whose_answer_is_lost_is_stored_once() {
    let _alone = alone().await;
    let event = large_event(500).await;
    let (crowd, control, mut dice) = (Crowd::default(), Control::here(), Dice::new(6));
    let before = control.proxy().await.lost;
    let lost = |count: u64| {
        let control = &control;
        eventually("answers are lost", move || async move {
            (control.proxy().await.lost == before + count).then_some(())
        })
    };
    control.lose_answers("flush_scans", 3).await;
    busy(&event, &crowd, &mut dice).await;
    lost(3).await;
    event.recorded().await;
    // The object dies before it can send again what it never heard of.
    control.lose_answers("flush_scans", 1).await;
    busy(&event, &crowd, &mut dice).await;
    lost(4).await;
    control.kill_worker().await;
    busy(&event, &crowd, &mut dice).await;
    let (log, judged) = crowd.proven(&event, Rule::Once).await;
    assert_eq!(log.len(), 3 * 90);
    assert_eq!(judged.offline, 3 * 80);
}
