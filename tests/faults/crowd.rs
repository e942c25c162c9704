//! A crowd at the doors: clients that scan or bring what they queued without a connection and, when
//! an answer does not come, send the same again until it does.
//!
//! Invariant: a scan keeps its nonce over all its attempts; only an answer ends it.
//! Failure: a problem other than "try again", or no answer for two minutes, panics.

use chrono::{DateTime, TimeDelta, Utc};
use pulse_tests::client::Client;
use pulse_tests::client::{Call, Reply};
use pulse_tests::clock::rfc3339;
use pulse_tests::database::Database;
use pulse_tests::event::Event;
use pulse_tests::history::{Admissions, History, Noted, Replay, Rule};
use pulse_tests::socket::Position;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio_postgres::types::Type;
use uuid::Uuid;

/// How long a scan is retried.
const STUBBORN: Duration = Duration::from_secs(120);

/// Marks the nonces of items that no server takes.
const POISON: &str = "poison";
/// Events that one recovery gives at most.
const RECOVERED: usize = 10_000;

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
        self.send(event, client, noted, body).await.json()
    }

    /// Sends a scan that was noted before until it is answered.
    pub async fn send(&self, event: &Event, client: &Client, noted: Noted, body: Value) -> Reply {
        let reply = self
            .stubbornly(|| event.scan_by(client, body.clone()))
            .await;
        self.history.acknowledge(noted, &reply.json());
        self.answered.fetch_add(1, Ordering::SeqCst);
        reply
    }

    /// Brings a part of a queue until it is answered; gives the results.
    pub async fn bring(&self, client: &Client, queue: &Queue, items: &[Value]) -> Vec<Value> {
        let noted = self.note(items);
        let reply = self.stubbornly(|| queue.call(client, items)).await;
        self.synced(&noted, &reply)
    }

    /// Notes the items of a batch that is about to be sent for the first time.
    pub fn note(&self, items: &[Value]) -> Vec<Option<Noted>> {
        let nonces = items.iter().map(|item| item["nonce"].as_str());
        let good = nonces.map(|nonce| nonce.filter(|nonce| !nonce.starts_with(POISON)));
        good.map(|nonce| nonce.map(|nonce| self.history.invoke(nonce)))
            .collect()
    }

    /// Takes the answer to a batch: every good item was taken, and every poison one was not.
    pub fn synced(&self, noted: &[Option<Noted>], reply: &Reply) -> Vec<Value> {
        let results = reply.list_at("/results");
        assert_eq!(results.len(), noted.len(), "{reply}");
        for (noted, result) in noted.iter().zip(&results) {
            let status = result["status"].as_u64().unwrap_or_default();
            match noted {
                Some(noted) => {
                    assert!(matches!(status, 200 | 201), "a good item: {result}");
                    self.history.acknowledge(*noted, &result["answer"]);
                    self.answered.fetch_add(1, Ordering::SeqCst);
                }
                None => assert_eq!(status, 422, "a poison item: {result}"),
            }
        }
        results
    }

    /// Sends a request until it is answered.
    async fn stubbornly(&self, call: impl Fn() -> Call) -> Reply {
        let started = Instant::now();
        loop {
            match call().timeout(Duration::from_secs(5)).attempt().await {
                Ok(reply) if matches!(reply.status, 200 | 201) => {
                    let waited = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                    self.longest_ms.fetch_max(waited, Ordering::SeqCst);
                    return reply;
                }
                // A runtime that is just being killed may answer for an object that is gone.
                Ok(reply) => assert!(reply.status >= 500 || reply.status == 429, "{reply}"),
                Err(_) => {}
            }
            self.lost.fetch_add(1, Ordering::SeqCst);
            assert!(started.elapsed() < STUBBORN, "no answer for {STUBBORN:?}");
            let pause = 20 + started.elapsed().subsec_millis() as u64 % 60;
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    /// The end of every test: nothing acknowledged is lost, nobody who could be known was let in
    /// twice, nobody who could be known to be outside was turned away, conflicts are marked and no others, the counters equal a replay, and Postgres equals
    /// the object. Gives the log and what became of the guests.
    pub async fn proven(&self, event: &Event, rule: Rule) -> (Vec<Value>, Admissions) {
        let dashboard = event.recorded().await;
        let database = Database::admin().await;
        let log = database.scan_log(&event.tenant.id, &event.table).await;
        self.history.judge(&log);
        let judged = Admissions::judge(&log, rule, &codes_of(event).await);
        Replay::of(&log).agrees(&dashboard.counts);
        assert_eq!(dashboard.at("/conflicts"), judged.conflicts);
        assert_eq!(log.len() as u64, dashboard.position().offset);
        let path = format!("/pulse/{}", event.table);
        let stats = event.client().get(&path).await.expect_status(200);
        for name in ["checked_in", "inside", "walk_ins", "duplicates"] {
            let kept = stats.at(&format!("/stats/{name}"));
            assert_eq!(
                kept,
                dashboard.at(&format!("/{name}")),
                "{name} in Postgres"
            );
        }
        same_as_object(event, &log).await;
        (log, judged)
    }
}

/// Codes that were on the list before anybody came.
async fn codes_of(event: &Event) -> HashSet<String> {
    let database = Database::admin().await;
    database.as_tenant(&event.tenant.id).await;
    let sql = "select coalesce(jsonb_agg(barcode), '[]') from pulse_rows
                where table_id = $1::text::uuid and source <> 'walk_in' and barcode is not null";
    let codes = database.json(sql, &[(&event.table as _, Type::TEXT)]).await;
    serde_json::from_value(codes).expect("codes")
}

/// The object's own log is that of Postgres, as far back as one recovery shows.
async fn same_as_object(event: &Event, log: &[Value]) {
    let first = log.len().saturating_sub(RECOVERED);
    let mut position: Position = event.dashboard().await.position();
    position.offset = first as u64;
    let recovered = event.socket().await.recover("scans", &position).await;
    assert!(recovered.recovered, "the object's log is not there");
    assert_eq!(recovered.events.len(), log.len() - first);
    for (event, entry) in recovered.events.iter().zip(&log[first..]) {
        let data = &event["data"];
        assert_eq!(event["offset"], entry["seq"]);
        for part in ["check_in_id", "verdict", "reason", "session_id", "conflict"] {
            assert_eq!(data[part], entry[part], "{part} of {entry}");
        }
    }
}

/// What a device without a connection queued, by its own clock.
pub struct Queue {
    /// The table, and the session when somebody else brings it.
    pub head: Value,
    /// How far the device's clock is ahead.
    pub clock: TimeDelta,
    /// Scans, in the order they were made.
    pub items: Vec<Value>,
}

impl Queue {
    /// Nothing yet.
    pub fn new(event: &Event, clock: TimeDelta) -> Self {
        let head = json!({"table_id": event.table});
        let items = Vec::new();
        Self { head, clock, items }
    }

    /// One guest let in.
    pub fn admit(&mut self, code: &str, at: DateTime<Utc>) -> &mut Self {
        self.push(code, at, json!({"offline": {"verdict": "accepted"}}))
    }

    /// One scan, with more of its fields.
    pub fn push(&mut self, code: &str, at: DateTime<Utc>, more: Value) -> &mut Self {
        let (nonce, shown) = (Uuid::new_v4().to_string(), rfc3339(at + self.clock));
        let mut item = json!({"barcode": code, "nonce": nonce, "scanned_at": shown});
        pulse_tests::event::merge(&mut item, more);
        self.items.push(item);
        self
    }

    /// Something that no server takes, at a place of choice.
    pub fn poison(&mut self, kind: u64, place: usize) -> &mut Self {
        let nonce = format!("{POISON} {}", Uuid::new_v4());
        let item = match kind % 4 {
            0 => json!({"nonce": nonce}),
            1 => json!({"nonce": nonce, "barcode": "\u{0}"}),
            2 => json!({"nonce": nonce, "barcode": "G1", "colour": "red"}),
            _ => json!({"nonce": nonce, "barcode": "G1", "scanned_at": "soon"}),
        };
        self.items.insert(place.min(self.items.len()), item);
        self
    }

    /// A part of it, about to be sent.
    pub fn call(&self, client: &Client, items: &[Value]) -> Call {
        let mut body = self.head.clone();
        body["sent_at"] = json!(rfc3339(Utc::now() + self.clock));
        body["items"] = json!(items);
        client.post("/pulse/check-ins/sync", &body)
    }
}

/// Items in another order.
pub fn shuffled(items: &[Value], dice: &mut Dice) -> Vec<Value> {
    let mut items = items.to_vec();
    for place in (1..items.len()).rev() {
        let other = usize::try_from(dice.roll(place as u64 + 1)).unwrap_or_default();
        items.swap(place, other);
    }
    items
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
