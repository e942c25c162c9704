//! The scanners at work: each is one device with its own connection, busy with one guest at a time.
//!
//! Invariant: a scan keeps its nonce until it is answered; only then comes the next guest.
//! Failure: a scan that five attempts could not bring through counts as lost.

use super::offline::Disconnected;
use super::plan::{Planned, Whom};
use super::tally::{Tally, Told};
use crate::bench::api::Scanner;
use crate::bench::http::{Head, Line, Target};
use anyhow::{Result, bail};
use pulse_tests::clock::{rfc3339, seconds_from_now};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedReceiver;

/// Attempts for one scan.
const ATTEMPTS: u32 = 5;
/// How long a device waits before it tries again.
const AGAIN: Duration = Duration::from_millis(200);

/// The counts, shared by all scanners.
pub type Shared = Arc<Mutex<Tally>>;

/// Does something with the counts.
pub fn with<T>(tally: &Shared, work: impl FnOnce(&mut Tally) -> T) -> T {
    work(&mut tally.lock().unwrap_or_else(PoisonError::into_inner))
}

/// One device.
pub struct Device {
    line: Line,
    table: String,
    head: Head,
    gate: String,
    token: String,
    /// When it has no connection, and the table it has then.
    outage: Option<(Instant, Instant, Box<Disconnected>)>,
    tally: Shared,
}

impl Device {
    /// A device that scans for a table.
    pub fn new(target: &Target, table: &str, scanner: &Scanner, tally: &Shared) -> Self {
        Self {
            line: Line::to(target),
            table: table.to_owned(),
            head: Head::new(target, "POST", "/pulse/check-ins", Some(&scanner.token)),
            gate: scanner.gate.clone(),
            token: scanner.token.clone(),
            outage: None,
            tally: tally.clone(),
        }
    }

    /// Without a connection from one moment to another.
    pub fn without_connection(mut self, from: Instant, to: Instant, own: Disconnected) -> Self {
        self.outage = Some((from, to, Box::new(own)));
        self
    }

    /// Scans everyone who comes, until nobody does any more.
    pub async fn work(mut self, mut queue: UnboundedReceiver<(u64, Planned)>) {
        loop {
            let back = self.outage.as_ref().map(|(_, to, _)| *to);
            let next = match back {
                None => queue.recv().await,
                Some(back) => tokio::select! {
                    next = queue.recv() => next,
                    () = tokio::time::sleep_until(back.into()) => {
                        self.reconnect().await;
                        continue;
                    }
                },
            };
            let Some((number, scan)) = next else { break };
            let now = Instant::now();
            match &mut self.outage {
                Some((from, _, own)) if *from <= now => {
                    if own.scan(number, &scan).is_err() {
                        with(&self.tally, |tally| tally.lost += 1);
                    }
                }
                _ => self.scan(number, &scan).await,
            }
        }
        self.reconnect().await;
    }

    /// The connection is back: what was decided without it is reported.
    async fn reconnect(&mut self) {
        if let Some((_, _, mut own)) = self.outage.take() {
            let (target, table) = (self.line.target(), &self.table);
            own.sync(target, table, &self.token, &self.tally).await;
        }
    }

    async fn scan(&mut self, number: u64, scan: &Planned) {
        let request = self.request(number, scan);
        if scan.cut && self.line.cut(&request).await.is_ok() {
            with(&self.tally, |tally| tally.retries += 1);
            tokio::time::sleep(AGAIN).await;
        }
        for attempt in 1..=ATTEMPTS {
            let began = Instant::now();
            match self.send(&request).await {
                Ok((answer, replayed)) => {
                    let told = Told {
                        answer: &answer,
                        gate: &self.gate,
                        exit: scan.exit,
                        walk_in: matches!(scan.whom, Whom::WalkIn(_)),
                        took: Some(began.elapsed()),
                    };
                    return with(&self.tally, |tally| {
                        tally.replays += u64::from(replayed);
                        tally.count(told);
                    });
                }
                Err(_) if attempt < ATTEMPTS => {
                    with(&self.tally, |tally| tally.retries += 1);
                    tokio::time::sleep(AGAIN * attempt).await;
                }
                Err(_) => with(&self.tally, |tally| tally.lost += 1),
            }
        }
    }

    fn request(&self, number: u64, scan: &Planned) -> Vec<u8> {
        let now = rfc3339(seconds_from_now(0));
        let mut body = json!({
            "table_id": self.table,
            "nonce": format!("demo-{number}"),
            "direction": if scan.exit { "exit" } else { "entry" },
            "scanned_at": now,
            "sent_at": now,
        });
        match &scan.whom {
            Whom::Code(code) => body["barcode"] = json!(code),
            Whom::WalkIn(name) => body["walk_in"] = json!({"name": name, "category": "standard"}),
        }
        let mut request = Vec::new();
        self.head.write_json(&mut request, None, &body.to_string());
        request
    }

    /// The answer, and whether it was given before.
    async fn send(&mut self, request: &[u8]) -> Result<(Value, bool)> {
        let answer = self.line.ask(request).await?;
        if !matches!(answer.status, 200 | 201) {
            bail!("{}: {}", answer.status, answer.shown());
        }
        Ok((serde_json::from_slice(&answer.body)?, answer.replayed))
    }
}
