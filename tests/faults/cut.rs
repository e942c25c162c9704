//! A scanner's socket cut while its scans are under way.
//!
//! Invariant: a scan sent over a socket and again over HTTP is one scan with one answer.
//! Failure: the answer that changed, or the scan that was lost or counted twice.

use super::alone;
use super::crowd::{Crowd, Dice, Queue, large_event};
use pulse_tests::history::{Noted, Rule};
use pulse_tests::prelude::*;
use uuid::Uuid;

const GUESTS: u64 = 300;
const CUTS: u64 = 25;
const SCANS: u64 = 12;

/// Sends scans over a socket of their own, reads the first few answers and cuts it.
async fn cut(event: &Event, device: &Client, scans: &[(Noted, Value)], read: u64) -> Vec<Value> {
    let mut socket = Socket::connect(&event.live_path(), device.token()).await;
    for (id, (_, scan)) in (1..).zip(scans) {
        let frame = json!({"id": id, "scan": scan});
        socket.send(&frame.to_string()).await;
    }
    let mut told = Vec::new();
    for id in 1..=read {
        let frame: Value = serde_json::from_str(&socket.text().await).expect("JSON");
        assert_eq!(frame["id"], id, "{frame}");
        told.push(frame["verdict"].clone());
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scans_cut_off_with_their_socket_are_answered_the_same_over_http() {
    let _alone = alone().await;
    let event = large_event(GUESTS).await;
    let crowd = Crowd::default();
    let device = event.door().client().await;
    let cutting = async {
        let (mut dice, mut unseen) = (Dice::new(7), 0);
        for _ in 0..CUTS {
            let scans: Vec<(Noted, Value)> = (0..SCANS)
                .map(|_| {
                    let nonce = Uuid::new_v4().to_string();
                    let code = format!("G{}", dice.roll(GUESTS));
                    let scan = json!({"table_id": event.table, "barcode": code, "nonce": nonce});
                    (crowd.history.invoke(&nonce), scan)
                })
                .collect();
            let told = cut(&event, &device, &scans, dice.roll(SCANS)).await;
            for (place, (noted, scan)) in scans.into_iter().enumerate() {
                let reply = crowd.send(&event, &device, noted, scan).await;
                let replayed = reply.header("idempotent-replayed") == Some("true");
                match told.get(place) {
                    Some(told) => {
                        assert!(
                            replayed,
                            "answered over the socket, then decided anew: {reply}"
                        );
                        assert_eq!(reply.json(), *told);
                    }
                    None => unseen += u64::from(replayed),
                }
            }
        }
        unseen
    };
    let bringing = async {
        let phone = event.phone("cellar").client().await;
        let (mut queue, mut dice) = (Queue::new(&event, chrono::TimeDelta::zero()), Dice::new(8));
        for minute in 0..200 {
            let code = format!("G{}", dice.roll(GUESTS));
            queue.admit(&code, seconds_from_now(-60 * minute));
        }
        for part in queue.items.chunks(20) {
            crowd.bring(&phone, &queue, part).await;
        }
    };
    let (unseen, ()) = tokio::join!(cutting, bringing);
    assert!(unseen > 0, "no cut hit an answer: the test proved nothing");
    let (log, judged) = crowd.proven(&event, Rule::Once).await;
    assert_eq!(log.len() as u64, CUTS * SCANS + 200);
    assert!(judged.offline == 200 && judged.conflicts > 0, "{judged:?}");
}
