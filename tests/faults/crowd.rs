//! A crowd at the doors: clients that scan and, when an answer does not come, send the same scan
//! again until it does.
//!
//! Invariant: a scan keeps its nonce over all its attempts; only an answer ends it.
//! Failure: a problem other than "try again", or no answer for two minutes, panics.

use pulse_tests::client::Client;
use pulse_tests::event::Event;
use pulse_tests::history::History;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a scan is retried.
const STUBBORN: Duration = Duration::from_secs(120);

/// What the crowd did.
#[derive(Debug, Default)]
pub struct Crowd {
    /// Every scan and its answer.
    pub history: History,
    /// Attempts that got no answer.
    pub lost: AtomicU64,
    /// Scans answered so far.
    pub answered: AtomicU64,
    /// The longest wait for an answer, in milliseconds.
    pub longest_ms: AtomicU64,
}

impl Crowd {
    /// Sends one scan until it is answered.
    pub async fn scan(&self, event: &Event, client: &Client, body: Value) -> Value {
        let nonce = Uuid::new_v4().to_string();
        let mut body = body;
        body["nonce"] = json!(nonce);
        let noted = self.history.invoke(&nonce);
        let started = Instant::now();
        loop {
            let call = event
                .scan_by(client, body.clone())
                .timeout(Duration::from_secs(5));
            match call.attempt().await {
                Ok(reply) if matches!(reply.status, 200 | 201) => {
                    let answer = reply.json();
                    self.history.acknowledge(noted, &answer);
                    self.answered.fetch_add(1, Ordering::SeqCst);
                    let waited = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                    self.longest_ms.fetch_max(waited, Ordering::SeqCst);
                    return answer;
                }
                // A runtime that is just being killed may answer for an object that is gone.
                Ok(reply) => assert!(reply.status >= 500 || reply.status == 429, "{reply}"),
                Err(_) => {}
            }
            self.lost.fetch_add(1, Ordering::SeqCst);
            assert!(
                started.elapsed() < STUBBORN,
                "no answer to {body} for {STUBBORN:?}"
            );
            tokio::time::sleep(Duration::from_millis(
                20 + started.elapsed().subsec_millis() as u64 % 60,
            ))
            .await;
        }
    }
}

/// A cheap, repeatable stream of numbers.
pub struct Dice(u64);

impl Dice {
    /// A stream of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

/// An event with so many imported guests, the codes `G0`, `G1` and so on.
pub async fn large_event(guests: u64) -> Event {
    let event = Event::with_guests([""; 0]).open().await;
    let mut csv = "name,barcode,category\n".to_owned();
    for number in 0..guests {
        csv.push_str(&format!("Guest {number},G{number},standard\n"));
    }
    let path = format!("/pulse/tables/{}/import", event.table);
    let reply = event
        .client()
        .call("POST", &path)
        .body("text/csv", csv)
        .await
        .expect_status(200);
    assert_eq!(reply.at("/imported"), guests);
    event
}
