//! One scanner of a soak: a device with a clock of its own that scans, undoes, goes off line and
//! comes back, and loses answers.
//!
//! Invariant: an operation keeps its nonce over all attempts; only an answer ends it. What the device
//! does depends on its seed and on what it was told, not on time.
//! Failure: an answer that is neither success nor "try again", or none for five minutes.

use super::link::{Link, Request};
use super::round::{Round, code_of};
use crate::bench::api::Scanner;
use crate::bench::http::Target;
use crate::demo::dice::Dice;
use anyhow::{Result, bail};
use chrono::TimeDelta;
use pulse_tests::clock::{rfc3339, seconds_from_now};
use pulse_tests::history::Noted;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// How long an operation is tried.
const STUBBORN: Duration = Duration::from_secs(300);
/// Answers that are thrown away.
const CUT: f64 = 0.04;
/// What goes over the socket, where a frame can say it. A retry may take the other way.
const BY_SOCKET: f64 = 0.5;
/// Answered scans that a client may send again or undo.
const REMEMBERED: usize = 20;
/// Items in one batch.
const BATCH: usize = 100;
/// Guests that everybody scans all the time.
const HOT: usize = 10;
/// Marks the nonces of items that no server takes.
const POISON: &str = "poison";

/// One scanner.
pub struct Client {
    round: Arc<Round>,
    link: Link,
    dice: Dice,
    /// How far its clock is ahead.
    clock: TimeDelta,
    /// Scans that were answered.
    answered: Vec<(Noted, Value)>,
    /// Admissions that can be undone.
    admitted: Vec<String>,
    /// What was decided without a connection and not brought yet.
    pocket: Vec<Value>,
}

impl Client {
    /// A scanner that begins.
    pub fn new(target: &Target, scanner: &Scanner, round: Arc<Round>, mut dice: Dice) -> Self {
        let clock = match dice.share() {
            share if share < 0.5 => 0.0,
            share if share < 0.8 => dice.between(-20.0, 20.0),
            _ => dice.between(-7_200.0, 7_200.0),
        };
        Self {
            link: Link::new(target, &scanner.token, &round.table),
            round,
            dice,
            clock: TimeDelta::milliseconds((clock * 1_000.0) as i64),
            answered: Vec::new(),
            admitted: Vec::new(),
            pocket: Vec::new(),
        }
    }

    /// Works until the round has no operations left, then brings what it still has.
    pub async fn work(mut self) -> Result<()> {
        let round = self.round.clone();
        loop {
            if !self.link.is_open() {
                // An object that took an upgrade beside another request can no longer be evicted
                // by workerd.
                let _nobody = round.gate.write().await;
                self.link.open().await;
            }
            let _open = round.gate.read().await;
            if !self.step().await? {
                break;
            }
        }
        self.bring().await
    }

    /// One or several operations; false when none are left.
    async fn step(&mut self) -> Result<bool> {
        let share = self.dice.share();
        if share < 0.05 {
            return Ok(self.go_off_line());
        }
        if !self.pocket.is_empty() && share < 0.10 {
            self.bring().await?;
            return Ok(true);
        }
        if share < 0.14 && !self.answered.is_empty() {
            self.again().await?;
            return Ok(true);
        }
        if !self.round.take(1) {
            return Ok(false);
        }
        match share {
            share if share < 0.22 && !self.admitted.is_empty() => self.undo().await?,
            share if share < 0.36 => {
                let code = self.guest();
                let exit = json!({"barcode": code, "direction": "exit"});
                self.scan(exit).await?;
            }
            share if share < 0.40 => {
                let code = format!("?{}", self.dice.next());
                self.scan(json!({ "barcode": code })).await?;
            }
            share if share < 0.42 => {
                let name = format!("Walk-in {}", self.dice.next());
                self.scan(json!({"walk_in": {"name": name}})).await?;
            }
            _ => {
                let code = self.guest();
                self.scan(json!({ "barcode": code })).await?;
            }
        }
        Ok(true)
    }

    /// A guest's code; some guests are met by everybody.
    fn guest(&mut self) -> String {
        let among = match self.dice.chance(0.1) {
            true => HOT,
            false => self.round.guests as usize,
        };
        code_of(self.dice.index(among) as u64)
    }

    fn nonce(&mut self) -> String {
        format!("{:016x}{:016x}", self.dice.next(), self.dice.next())
    }

    /// Now, or some seconds ago, by the device's clock.
    fn clock(&self, ago: i64) -> String {
        rfc3339(seconds_from_now(-ago) + self.clock)
    }

    async fn scan(&mut self, mut body: Value) -> Result<()> {
        let nonce = self.nonce();
        body["table_id"] = json!(self.round.table);
        body["nonce"] = json!(nonce);
        let noted = self.round.history.invoke(&nonce);
        let answer = self.ask(Request::Scan, &mut body).await?;
        self.told(noted, &answer, body);
        Ok(())
    }

    /// Takes in an answer: of a scan, to remember it.
    fn told(&mut self, noted: Noted, answer: &Value, body: Value) {
        self.round.history.acknowledge(noted, answer);
        self.round.counts.answered.fetch_add(1, Relaxed);
        if answer["verdict"] == "accepted"
            && let Some(id) = answer["check_in"]["id"].as_str()
        {
            remember(&mut self.admitted, id.to_owned(), &mut self.dice);
        }
        remember(&mut self.answered, (noted, body), &mut self.dice);
    }

    /// Sends an answered scan once more: it must be told the same.
    async fn again(&mut self) -> Result<()> {
        let place = self.dice.index(self.answered.len());
        let (noted, mut body) = self.answered.swap_remove(place);
        let answer = self.ask(Request::Scan, &mut body).await?;
        self.round.history.acknowledge(noted, &answer);
        Ok(())
    }

    async fn undo(&mut self) -> Result<()> {
        let place = self.dice.index(self.admitted.len());
        let check_in = self.admitted.swap_remove(place);
        let nonce = self.nonce();
        let mut body = json!({"table_id": self.round.table, "nonce": nonce});
        let noted = self.round.history.invoke(&nonce);
        let answer = self.ask(Request::Undo(&check_in), &mut body).await?;
        self.round.history.acknowledge(noted, &answer);
        self.round.counts.answered.fetch_add(1, Relaxed);
        self.round.counts.undone.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Decides a number of scans without a connection, as if it had been away; false when no
    /// operations are left.
    fn go_off_line(&mut self) -> bool {
        let count = 5 + self.dice.index(60);
        if !self.round.take(count as u64) {
            return false;
        }
        self.round.counts.queued.fetch_add(count as u64, Relaxed);
        for _ in 0..count {
            let (code, nonce) = (self.guest(), self.nonce());
            let ago = self.dice.index(900) as i64;
            let mut item = json!({"barcode": code, "nonce": nonce, "scanned_at": self.clock(ago)});
            if self.dice.chance(0.05) {
                // Walk-ins share wristbands.
                let band = format!("band {}", self.dice.index(HOT));
                item["walk_in"] = json!({"name": format!("Walk-in {nonce}"), "barcode": band});
                item["barcode"] = Value::Null;
                item["offline"] = json!({"verdict": "accepted"});
                self.pocket.push(item);
                continue;
            }
            let offline = match self.dice.share() {
                share if share < 0.85 => json!({"verdict": "accepted"}),
                share if share < 0.93 => json!({"verdict": "duplicate"}),
                _ => json!({"verdict": "refused", "reason": "event_not_open"}),
            };
            if offline["verdict"] == "accepted" && self.dice.chance(0.2) {
                item["direction"] = json!("exit");
            }
            item["offline"] = offline;
            self.pocket.push(item);
        }
        true
    }

    /// Brings the queue: shuffled, in batches, with something in each that no server takes, and some
    /// batches more than once.
    async fn bring(&mut self) -> Result<()> {
        let mut queue = std::mem::take(&mut self.pocket);
        for place in (1..queue.len()).rev() {
            let other = self.dice.index(place + 1);
            queue.swap(place, other);
        }
        for batch in queue.chunks(BATCH) {
            let nonces = batch.iter().map(|item| item["nonce"].as_str());
            let noted: Vec<Noted> = nonces
                .map(|nonce| self.round.history.invoke(nonce.unwrap_or_default()))
                .collect();
            let times = 1 + usize::from(self.dice.chance(0.2));
            for time in 0..times {
                let results = self.sync(batch).await?;
                for ((item, noted), result) in batch.iter().zip(&noted).zip(results) {
                    let answer = &result["answer"];
                    if time == 0 {
                        // An item of its own is the same scan, so it can be sent again alone.
                        let mut body = item.clone();
                        body["table_id"] = json!(self.round.table);
                        self.told(*noted, answer, body);
                    } else {
                        self.round.history.acknowledge(*noted, answer);
                    }
                }
            }
        }
        Ok(())
    }

    /// Brings one batch; gives the results of its good items.
    async fn sync(&mut self, batch: &[Value]) -> Result<Vec<Value>> {
        let mut items = batch.to_vec();
        let poison = format!("{POISON} {}", self.dice.next());
        let place = self.dice.index(items.len() + 1);
        items.insert(
            place,
            json!({"nonce": poison, "barcode": "S1", "colour": "red"}),
        );
        self.round.counts.poison.fetch_add(1, Relaxed);
        let mut body = json!({"table_id": self.round.table, "items": items});
        let answer = self.ask(Request::Sync, &mut body).await?;
        let mut results = answer["results"].as_array().cloned().unwrap_or_default();
        if results.len() != items.len() || results.remove(place)["status"] != 422 {
            bail!("a batch was answered {answer}");
        }
        let replayed = results.iter().filter(|one| one["replayed"] == true).count();
        self.round
            .counts
            .replays
            .fetch_add(replayed as u64, Relaxed);
        if let Some(bad) = results.iter().find(|one| one["answer"].is_null()) {
            bail!("a good item was answered {bad}");
        }
        Ok(results)
    }

    /// Asks until it is answered.
    async fn ask(&mut self, request: Request<'_>, body: &mut Value) -> Result<Value> {
        let started = Instant::now();
        let mut cut = self.dice.chance(CUT);
        loop {
            // An undoing has no time of its own.
            if !matches!(request, Request::Undo(_)) {
                body["sent_at"] = json!(self.clock(0));
            }
            if std::mem::take(&mut cut) {
                let by_socket = self.dice.chance(BY_SOCKET);
                self.link.cut(request, by_socket, body).await;
                self.round.counts.cut.fetch_add(1, Relaxed);
            }
            let by_socket = self.dice.chance(BY_SOCKET);
            let counts = &self.round.counts;
            if let Some(answer) = self.link.ask(request, by_socket, body, counts).await? {
                return Ok(answer);
            }
            if started.elapsed() > STUBBORN {
                bail!("no answer to {body}");
            }
            self.round.counts.retries.fetch_add(1, Relaxed);
            let pause = self.dice.between(20.0, 150.0);
            tokio::time::sleep(Duration::from_secs_f64(pause / 1_000.0)).await;
        }
    }
}

/// Keeps one more, in the place of another when there are many.
fn remember<T>(kept: &mut Vec<T>, one: T, dice: &mut Dice) {
    if kept.len() < REMEMBERED {
        kept.push(one);
    } else {
        let place = dice.index(kept.len());
        kept[place] = one;
    }
}
