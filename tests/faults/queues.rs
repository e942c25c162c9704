//! Queues of devices without a connection, brought while things go wrong.
//!
//! Invariant: every good item is recorded once, at its true time, whoever brings it and however
//! often; what a device let in by itself is a conflict at most.
//! Failure: the item that is missing, that counts twice or that moved.

use super::alone;
use super::crowd::{Crowd, Dice, Queue, large_event, shuffled};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use pulse_tests::control::Control;
use pulse_tests::history::Rule;
use pulse_tests::prelude::*;

/// A queue of a device whose clock is right: so many entries of random guests in the last hour.
fn evening(event: &Event, dice: &mut Dice, items: usize, guests: u64) -> Queue {
    let mut queue = Queue::new(event, TimeDelta::zero());
    for _ in 0..items {
        let ago = i64::try_from(dice.roll(3_600)).expect("a few seconds");
        queue.admit(&format!("G{}", dice.roll(guests)), seconds_from_now(-ago));
    }
    queue
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_sent_again_while_it_is_under_way_is_recorded_once() {
    let _alone = alone().await;
    let event = large_event(400).await;
    let crowd = Crowd::default();
    let phones = (0..4).map(|number| {
        let (event, crowd) = (&event, &crowd);
        async move {
            let client = event.phone(&format!("phone {number}")).client().await;
            let mut dice = Dice::new(number + 1);
            let queue = evening(event, &mut dice, 120, 400);
            for part in queue.items.chunks(60) {
                let noted = crowd.note(part);
                let at_once = (0..5).map(|_| async { queue.call(&client, part).await });
                let mut decided = 0;
                for reply in join_all(at_once).await {
                    let results = crowd.synced(&noted, &reply);
                    decided += results.iter().filter(|one| one["replayed"] != true).count();
                }
                assert_eq!(decided, part.len(), "each item is decided once");
            }
        }
    });
    let scanning = async {
        let (client, mut dice) = (event.door().client().await, Dice::new(9));
        for _ in 0..100 {
            let body = json!({"barcode": format!("G{}", dice.roll(400))});
            crowd.scan(&event, &client, body).await;
        }
    };
    tokio::join!(join_all(phones), scanning);
    let (log, judged) = crowd.proven(&event, Rule::Once).await;
    assert_eq!(log.len(), 4 * 120 + 100);
    assert_eq!(judged.offline, 4 * 120);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_evicted_or_killed_between_two_halves_of_a_queue_forgets_neither() {
    let _alone = alone().await;
    let event = large_event(200).await;
    let (crowd, control) = (Crowd::default(), Control::here());
    let door = event.door().client().await;
    let mut dice = Dice::new(3);
    for round in 0..6 {
        let client = event.phone(&format!("phone {round}")).client().await;
        let queue = evening(&event, &mut dice, 60, 200);
        let queued = shuffled(&queue.items, &mut dice);
        let noted = crowd.note(&queued);
        let send = |from: usize, to: usize| {
            let (noted, crowd, items) = (&noted[from..to], &crowd, &queued[from..to]);
            let call = queue.call(&client, items);
            async move { crowd.synced(noted, &call.await) }
        };
        send(0, 30).await;
        if round == 5 {
            control.kill_worker().await;
        } else {
            control.evict(&event.table).await;
        }
        let body = json!({"barcode": format!("G{}", dice.roll(200))});
        crowd.scan(&event, &door, body).await;
        // The phone did not hear of its first half and sends everything.
        let results = send(0, 60).await;
        let replayed = results.iter().filter(|one| one["replayed"] == true).count();
        assert_eq!(replayed, 30);
    }
    let (log, judged) = crowd.proven(&event, Rule::Once).await;
    assert_eq!(log.len(), 6 * 61);
    assert!(judged.conflicts > 0, "{judged:?}");
}

/// The time of an answer's record and the device of the entry that stands before it, if any.
fn recorded(result: &Value) -> (DateTime<Utc>, bool) {
    let check_in = &result["answer"]["check_in"];
    let at = check_in["check_in_time"].as_str().expect("a time");
    (time(at), !check_in["conflict"].is_null())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_two_hours_wrong_moves_no_entry() {
    let _alone = alone().await;
    for (hours, wrong_first) in [(2, true), (2, false), (-2, true), (-2, false)] {
        let event = Event::with_guests(["Ada", "Bob", "Cleo"]).open().await;
        let crowd = Crowd::default();
        let minutes_ago = |minutes: i64| seconds_from_now(-60 * minutes);
        let (mut wrong, mut right) = (
            Queue::new(&event, TimeDelta::hours(hours)),
            Queue::new(&event, TimeDelta::zero()),
        );
        let truth = [minutes_ago(40), minutes_ago(20), minutes_ago(10)];
        for (guest, at) in ["Ada", "Bob", "Cleo"].iter().zip(truth) {
            wrong.admit(&event.code(guest), at);
        }
        right.admit(&event.code("Ada"), minutes_ago(30));
        right.admit(&event.code("Bob"), minutes_ago(30));
        let clients = [
            event.phone("wrong").client().await,
            event.phone("right").client().await,
        ];
        let mut results = Vec::new();
        for is_wrong in [wrong_first, !wrong_first] {
            let (queue, client) = match is_wrong {
                true => (&wrong, &clients[0]),
                false => (&right, &clients[1]),
            };
            let answers = crowd.bring(client, queue, &queue.items).await;
            if is_wrong {
                results = answers;
            }
            Control::here().evict(&event.table).await;
        }
        for (result, truth) in results.iter().zip(truth) {
            let (at, _) = recorded(result);
            let off = (at - truth).num_seconds();
            assert!((0..10).contains(&off), "{off} s off: {result}");
            let warnings = result["answer"]["warnings"].to_string();
            assert!(warnings.contains("clock_skew"), "{result}");
        }
        let (log, judged) = crowd.proven(&event, Rule::Once).await;
        assert_eq!((log.len(), judged.conflicts), (5, 2));
        for record in event.check_ins("verdict=accepted").await {
            let (device, guest) = (
                &record["device"],
                record["row_id"].as_str().unwrap_or_default(),
            );
            let loser = match () {
                () if guest == event.row_id("Ada") => "right",
                () if guest == event.row_id("Bob") => "wrong",
                () => "nobody",
            };
            assert_eq!(!record["conflict"].is_null(), *device == loser, "{record}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_in_every_batch_of_a_crowd_holds_nobody_up() {
    let _alone = alone().await;
    let event = large_event(500).await;
    let (crowd, control) = (Crowd::default(), Control::here());
    let phones = (0..8).map(|number| {
        let (event, crowd) = (&event, &crowd);
        async move {
            let client = event.phone(&format!("phone {number}")).client().await;
            let mut dice = Dice::new(number + 1);
            for batch in 0..10 {
                let mut queue = evening(event, &mut dice, 20, 500);
                for kind in 0..3 {
                    queue.poison(batch + kind, dice.roll(24) as usize);
                }
                let items = shuffled(&queue.items, &mut dice);
                crowd.bring(&client, &queue, &items).await;
                let body = json!({"barcode": format!("G{}", dice.roll(500))});
                crowd.scan(event, &client, body).await;
            }
        }
    });
    let killing = async {
        while crowd.answered.load(std::sync::atomic::Ordering::SeqCst) < 600 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        control.kill_worker().await;
    };
    tokio::join!(join_all(phones), killing);
    let (log, judged) = crowd.proven(&event, Rule::Once).await;
    assert_eq!(log.len(), 8 * 10 * 21);
    assert_eq!(judged.offline, 8 * 10 * 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_of_a_revoked_device_is_brought_by_a_manager() {
    let _alone = alone().await;
    let event = large_event(300).await;
    let (crowd, control) = (Crowd::default(), Control::here());
    let (device, path) = event.paired(json!({"name": "Lost"})).await;
    let mut queue = Queue::new(&event, TimeDelta::minutes(3));
    for guest in 0..150 {
        queue.admit(&format!("G{guest}"), seconds_from_now(guest - 3_600));
    }
    let noted = crowd.note(&queue.items);
    // The device delivers some of it, but never hears the answer.
    let unheard = queue.call(&device, &queue.items[..60]).await;
    unheard.expect_status(200);
    let revoke = format!("{path}/revoke");
    let revoked = event.client().call("POST", &revoke).await;
    revoked.expect_status(200);
    control.evict(&event.table).await;
    for part in queue.items.chunks(75) {
        let refused = queue.call(&device, part).await;
        let refused = refused.problem(401, "device_revoked");
        assert_eq!(refused.at("/wipe"), true, "{refused}");
    }
    event.dashboard().await.counts(|c| c.checked_in == 60);
    let door = event.door().client().await;
    for guest in 140..160 {
        let body = json!({"barcode": format!("G{guest}")});
        crowd.scan(&event, &door, body).await;
    }
    queue.head["session_id"] = json!(path.rsplit('/').next());
    for (noted, part) in noted.chunks(75).zip(queue.items.chunks(75)) {
        let brought = queue.call(event.client(), part).await.expect_status(200);
        crowd.synced(noted, &brought);
    }
    let (log, judged) = crowd.proven(&event, Rule::Once).await;
    // Ten guests were let in at the door as well, which could not know.
    assert_eq!((log.len(), judged.conflicts), (150 + 20, 10));
    let lost = log.iter().filter(|entry| entry["device"] == "Lost");
    assert_eq!(lost.count(), 150);
}
