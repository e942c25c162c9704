//! From an event in the data to the notification at a receiver of webhooks.
//!
//! Invariant: an event is the commit that empties a table; events are spread evenly over the minute
//! that checks have. Each is told once, and nothing else is.
//! Failure: a notification that does not come, comes twice, or has no event, ends the bench.

use super::TABLES;
use super::site::Site;
use crate::bench::api::text;
use crate::bench::figures::{Latencies, ms};
use crate::bench::report::{Report, Table};
use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use pulse_tests::receiver::{Hook, Receiver};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long the last notification may take.
const PATIENCE: Duration = Duration::from_secs(150);
/// How long is waited for what should not come.
const QUIET: Duration = Duration::from_secs(5);
/// Steps of this share of a minute fill it evenly, however many there are.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// An event.
struct Event {
    table: usize,
    at: Instant,
}

/// What is looked for, and what tells of it.
pub struct Watch {
    receiver: Receiver,
    /// The tables that will be emptied, in turn.
    tables: Vec<usize>,
}

impl Watch {
    /// Has everything told to a receiver at once, and chooses tables: so many of each connection.
    pub async fn new(site: &Site<'_>, connections: usize, each: usize) -> Result<Self> {
        let receiver = Receiver::new().await;
        let channel =
            json!({"kind": "webhook", "name": "Bench", "settings": {"url": receiver.url}});
        let channel = site.api.post("/api/channels", &channel).await?;
        let route = json!({"name": "All", "receivers": [{"channel_id": text(&channel, "id")?}],
            "group_wait_seconds": 0, "group_interval_seconds": 0});
        site.api.post("/api/routes", &route).await?;
        // Every fourth table has a check of its rows.
        let of = |turn: usize, place: usize| place * TABLES + 1 + turn * 4;
        let rows = |table: usize| table + (5 - table % 4) % 4;
        let tables = (0..each).flat_map(|turn| (0..connections).map(move |place| (turn, place)));
        Ok(Self {
            receiver,
            tables: tables.map(|(turn, place)| rows(of(turn, place))).collect(),
        })
    }

    /// Empties the tables during this time, and waits for what is told.
    pub async fn run(self, site: &Site<'_>, time: Duration, report: &mut Report) -> Result<()> {
        let primary = site.customer.primary().await;
        let began = Instant::now();
        let count = self.tables.len();
        let mut events = Vec::new();
        for (turn, &table) in self.tables.iter().enumerate() {
            let share = (turn as f64 + (turn as f64 * GOLDEN).fract()) / (count as f64 + 1.0);
            let due = began + time.mul_f64(share);
            tokio::time::sleep_until(due.into()).await;
            primary.run(&format!("delete from t_{table}")).await;
            let at = Instant::now();
            events.push(Event { table, at });
        }
        let told = self.told(count).await?;
        Self::tell(site, &events, &told, report).await
    }

    /// When each table was told.
    async fn told(&self, count: usize) -> Result<BTreeMap<usize, Instant>> {
        let waiting = Instant::now();
        while fired(&self.receiver.hooks())?.len() < count {
            if waiting.elapsed() > PATIENCE {
                let found = fired(&self.receiver.hooks())?.len();
                bail!("{found} notifications for {count} events");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        tokio::time::sleep(QUIET).await;
        let fired = fired(&self.receiver.hooks())?;
        let mut told = BTreeMap::new();
        for (table, at) in fired {
            if !self.tables.contains(&table) {
                bail!("a notification of t_{table}, which is as it was");
            }
            if told.insert(table, at).is_some() {
                bail!("two notifications of t_{table}");
            }
        }
        Ok(told)
    }

    async fn tell(
        site: &Site<'_>,
        events: &[Event],
        told: &BTreeMap<usize, Instant>,
        report: &mut Report,
    ) -> Result<()> {
        let sql = "select jsonb_object_agg(x.name, x.at) from (
                     select substr(t.table_name, 3) as name, min(r.ran_at) as at
                       from monitor_results r join monitor_checks k on k.id = r.check_id
                       join monitor_tables t on t.id = k.table_id
                      where r.outcome = 'fail' group by 1) x";
        let judged = site.pulse.json(sql, &[]).await;
        let (now, clock) = (Instant::now(), Utc::now());
        let (mut whole, mut waits, mut tells) = (
            Latencies::default(),
            Latencies::default(),
            Latencies::default(),
        );
        for event in events {
            let told = told.get(&event.table).context("no notification")?;
            let judged = judged[event.table.to_string()].as_str();
            let judged: DateTime<Utc> = judged.context("no result")?.parse()?;
            let ago = (clock - judged).to_std().unwrap_or_default();
            let judged = now.checked_sub(ago).context("a clock that went back")?;
            whole.add(told.duration_since(event.at));
            waits.add(judged.duration_since(event.at));
            tells.add(told.duration_since(judged));
        }
        let mut table = Table::new(
            "From an event in the data to the notification, checks of every minute",
            &["", "events", "p50 s", "p99 s"],
        );
        for (what, delays) in [
            ("event to the result that fails", &mut waits),
            ("result to the notification at the receiver", &mut tells),
            ("event to notification", &mut whole),
        ] {
            let [p50, p99] = [0.5, 0.99].map(|share| ms(delays.percentile(share) / 1e3));
            table.row([what.to_owned(), delays.count().to_string(), p50, p99]);
        }
        report.table(table);
        let p99 = whole.percentile(0.99) / 1e3;
        report.aim(
            "event to notification p99 ≤ 70 s at a cadence of one minute",
            format!("{} s", ms(p99)),
            p99 <= 70.0,
        );
        Ok(())
    }
}

/// The tables that messages tell as failing now, and when.
fn fired(hooks: &[Hook]) -> Result<Vec<(usize, Instant)>> {
    let mut fired = Vec::new();
    for hook in hooks {
        let body: serde_json::Value = serde_json::from_str(&hook.body)?;
        let text = body["data"]["text"].as_str().unwrap_or_default();
        let now = text.split_once("\nFAILING NOW (").map(|(_, rest)| rest);
        let now = now.map(|rest| {
            let ends = ["\nGOT WORSE (", "\nRESOLVED (", "\nSTILL FAILING ("];
            let end = ends.iter().filter_map(|end| rest.find(end)).min();
            &rest[..end.unwrap_or(rest.len())]
        });
        let before = fired.len();
        for line in now.unwrap_or_default().lines() {
            let name = line.strip_prefix("- ").unwrap_or(line);
            let Some(rest) = name.strip_prefix("Rows of public.t_") else {
                continue;
            };
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            fired.push((digits.parse()?, hook.at));
        }
        if fired.len() == before {
            bail!("a notification without an event: {text}");
        }
    }
    Ok(fired)
}
