//! A scanner without a connection: it decides by the rules from the guest list it has, queues what
//! it decided, and reports it in batches when the connection is back.
//!
//! Invariant: it knows the list as it was before the doors opened and what it did itself, nothing of
//! the other scanners; what it told a guest is reported as it told it.
//! Failure: a batch that is not taken is sent again as it is, because each of its scans has a nonce.

use super::drive::{Shared, with};
use super::plan::{Planned, Whom};
use super::tally::Told;
use crate::bench::api::{Api, Scanner};
use crate::bench::http::{Connection, Head, Target};
use anyhow::{Context, Result, bail};
use chrono::Utc;
use pulse_tests::clock::{rfc3339, seconds_from_now};
use rules::checkin::Direction;
use rules::checkin::{Actor, ActorKind, Caller, Config, Ids, Journal, Row, ScanIn, State, WalkIn};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// Scans of one batch.
const BATCH: usize = 50;
/// Attempts for a batch, and the wait before the next one.
const ATTEMPTS: u32 = 5;
const AGAIN: Duration = Duration::from_millis(500);

/// The rules and the guest list, as every scanner has downloaded them.
#[derive(Clone)]
pub struct Download(State);

/// A scan that waits for the connection.
struct Queued {
    body: Value,
    exit: bool,
    walk_in: bool,
}

/// A scanner's own table.
pub struct Disconnected {
    journal: Journal,
    caller: Caller,
    queue: Vec<Queued>,
}

impl Download {
    /// Reads the guest list, page by page. `enabled` is what enabling check-in answered.
    pub async fn read(api: &Api, table: &str, enabled: &Value) -> Result<Self> {
        let config: Config = serde_json::from_value(json!({
            "settings": enabled["settings"], "gates": enabled["gates"], "timezone": "Europe/Berlin",
        }))?;
        let mut state = State::new(table.parse()?, config);
        let mut cursor = String::new();
        loop {
            let path = format!("/pulse/tables/{table}/rows?limit=200{cursor}");
            let page = api.get(&path).await?;
            for row in page["items"].as_array().context("no rows")? {
                state
                    .roster
                    .upsert(serde_json::from_value::<Row>(row.clone())?);
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(Self(state)),
            }
        }
    }
}

impl Disconnected {
    /// A scanner that has the list.
    pub fn new(download: &Download, scanner: &Scanner) -> Self {
        let caller = Caller {
            actor: Actor {
                kind: ActorKind::Device,
                id: scanner.session,
            },
            session_id: Some(scanner.session),
            guest_device: None,
            device: None,
            gate: Some(scanner.gate.clone()),
            scanner: None,
            manager: false,
        };
        Self {
            journal: Journal::new(download.0.clone()),
            caller,
            queue: Vec::new(),
        }
    }

    /// Decides a scan and queues it with what the guest was told.
    pub fn scan(&mut self, number: u64, scan: &Planned) -> Result<()> {
        let mut body = ScanIn {
            nonce: format!("demo-{number}"),
            direction: if scan.exit {
                Direction::Exit
            } else {
                Direction::Entry
            },
            scanned_at: Some(Utc::now()),
            ..ScanIn::default()
        };
        match &scan.whom {
            Whom::Code(code) => body.barcode = Some(code.clone()),
            Whom::WalkIn(name) => {
                body.walk_in = Some(WalkIn {
                    name: name.clone(),
                    category: Some("standard".to_owned()),
                    ..WalkIn::default()
                });
            }
        }
        let ids = Ids {
            check_in: Uuid::new_v4(),
            row: Uuid::new_v4(),
        };
        let decided = self
            .journal
            .scan(body.clone(), &self.caller, ids, Utc::now());
        let decided = decided.map_err(|invalid| anyhow::anyhow!("{invalid:?}"))?;
        let seq = decided.entry.seq;
        let body = self.journal.report(body, seq).context("just decided")?;
        self.queue.push(Queued {
            exit: scan.exit,
            walk_in: body.walk_in.is_some(),
            body: serde_json::to_value(&body)?,
        });
        Ok(())
    }

    /// Reports everything that waits.
    pub async fn sync(&mut self, target: &Target, table: &str, token: &str, tally: &Shared) {
        let head = Head::new(target, "POST", "/pulse/check-ins/sync", Some(token));
        for batch in self.queue.chunks(BATCH) {
            let mut sent = Err(anyhow::anyhow!("not sent"));
            for attempt in 1..=ATTEMPTS {
                sent = report(target, &head, table, batch).await;
                if sent.is_ok() {
                    break;
                }
                with(tally, |tally| tally.retries += 1);
                tokio::time::sleep(AGAIN * attempt).await;
            }
            let gate = self.caller.gate.as_deref().unwrap_or_default();
            with(tally, |tally| match &sent {
                Ok(results) => {
                    for (result, queued) in results.iter().zip(batch) {
                        count(tally, result, queued, gate);
                    }
                }
                Err(_) => tally.lost += batch.len() as u64,
            });
        }
        self.queue.clear();
    }
}

async fn report(target: &Target, head: &Head, table: &str, batch: &[Queued]) -> Result<Vec<Value>> {
    let items: Vec<&Value> = batch.iter().map(|queued| &queued.body).collect();
    let now = rfc3339(seconds_from_now(0));
    let body = json!({"table_id": table, "sent_at": now, "items": items});
    let mut request = Vec::new();
    head.write_json(&mut request, None, &body.to_string());
    let mut connection = Connection::open(target).await?;
    let reply = connection.send(&request).await?;
    if reply.status != 200 {
        bail!("{}: {}", reply.status, reply.shown());
    }
    let synced: Value = serde_json::from_slice(reply.body)?;
    let results = synced["results"].as_array().context("no results")?;
    if results.len() != batch.len() {
        bail!("{} results for {} scans", results.len(), batch.len());
    }
    Ok(results.clone())
}

fn count(tally: &mut super::tally::Tally, result: &Value, queued: &Queued, gate: &str) {
    let answer = &result["answer"];
    if answer.is_null() {
        tally.lost += 1;
        return;
    }
    tally.replays += u64::from(result["replayed"] == true);
    tally.offline += 1;
    // The server keeps to what the guest was told.
    tally.broken += u64::from(answer["verdict"] != queued.body["offline"]["verdict"]);
    tally.count(Told {
        answer,
        gate,
        exit: queued.exit,
        walk_in: queued.walk_in,
        took: None,
    });
}
