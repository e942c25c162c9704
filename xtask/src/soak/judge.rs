//! The end of a round: what clients were told against the log, the counters and a rebuilt object.
//!
//! Invariant: the log is read from Postgres, past the product; everything is judged by
//! `pulse_tests::history`.
//! Failure: a breach is a fault; a record that does not catch up within a minute ends the run.

use super::round::{Round, code_of};
use super::trouble::Trouble;
use crate::bench::api::Api;
use crate::local::stack::Stack;
use anyhow::{Context, Result, bail};
use pulse_tests::answer::Counts;
use pulse_tests::database::Database;
use pulse_tests::history::{self, Admissions, Fault, Logged, Promise, Replay, Rule};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Entries read at once.
const PAGE: u32 = 2_000;
/// How long the record may stay behind.
const PATIENCE: Duration = Duration::from_secs(60);

/// What rounds did and showed.
#[derive(Debug, Default)]
pub struct Found {
    /// Operations sent.
    pub operations: u64,
    /// Rounds.
    pub rounds: u64,
    /// What happened to the stack.
    pub trouble: Trouble,
    /// What is wrong.
    pub faults: Vec<Fault>,
    acknowledged: u64,
    queued: u64,
    undone: u64,
    poison: u64,
    retries: u64,
    cut: u64,
    replays: u64,
    frames: u64,
    online: u64,
    offline: u64,
    conflicts: u64,
    entries: u64,
}

impl Found {
    /// Adds another round.
    pub fn join(&mut self, other: Self) {
        self.operations += other.operations;
        self.rounds += other.rounds;
        self.trouble.join(other.trouble);
        self.faults.extend(other.faults);
        self.acknowledged += other.acknowledged;
        self.queued += other.queued;
        self.undone += other.undone;
        self.poison += other.poison;
        self.retries += other.retries;
        self.cut += other.cut;
        self.replays += other.replays;
        self.frames += other.frames;
        self.online += other.online;
        self.offline += other.offline;
        self.conflicts += other.conflicts;
        self.entries += other.entries;
    }

    /// Each number by name.
    pub fn done(&self) -> [(&'static str, u64); 13] {
        [
            ("operations", self.operations),
            ("acknowledged", self.acknowledged),
            ("of them queued off line", self.queued),
            ("of them undoings", self.undone),
            ("entries in the log", self.entries),
            ("admissions with a connection", self.online),
            ("admissions without one", self.offline),
            ("of those, one too many: conflicts", self.conflicts),
            ("poison items refused", self.poison),
            (
                "requests answered over sockets, of one scan or a batch",
                self.frames,
            ),
            ("answers thrown away", self.cut),
            ("requests sent again for want of an answer", self.retries),
            ("answers given before", self.replays),
        ]
    }
}

/// Judges a round.
pub async fn round(
    stack: &Stack,
    api: &mut Api,
    round: &Round,
    rule: Rule,
    mut trouble: Trouble,
) -> Result<Found> {
    api.renew().await?;
    let dashboard = recorded(api, &round.table).await?;
    let log = log_of(stack, api, &round.table).await?;
    let mut faults = round.history.faults(&log);
    let listed: HashSet<String> = (0..round.guests).map(code_of).collect();
    let judged = Admissions::of_list(&log, rule, &listed);
    faults.extend(judged.faults);
    let replay = Replay::fold(&log);
    let mut shown = |what: &str, numbers: &Value| -> Result<()> {
        let counts = Counts::deserialize(numbers).with_context(|| format!("{what}: {numbers}"))?;
        faults.extend(replay.faults(&counts));
        Ok(())
    };
    shown("the dashboard", &dashboard)?;
    // Postgres equals the object: one that is made of Postgres alone shows the same.
    stack.kill_worker(true).await?;
    trouble.wipes += 1;
    let rebuilt = recorded(api, &round.table).await?;
    shown("the rebuilt dashboard", &rebuilt)?;
    let entries = log.len() as u64;
    for (what, dashboard) in [("the object", &dashboard), ("the rebuilt object", &rebuilt)] {
        for (name, expected) in [
            ("/conflicts", judged.conflicts),
            ("/record/seq", entries),
            ("/record/flushed_seq", entries),
        ] {
            let found = dashboard.pointer(name).and_then(Value::as_u64);
            if found != Some(expected) {
                let what = format!("{name} of {what}: {found:?}, replay {expected}");
                faults.push(Fault::of(Promise::Counters, what));
            }
        }
    }
    let count = |counter: &AtomicU64| counter.load(Relaxed);
    let counts = &round.counts;
    Ok(Found {
        operations: count(&counts.begun),
        rounds: 1,
        trouble,
        faults,
        acknowledged: round.history.acknowledged() as u64,
        queued: count(&counts.queued),
        undone: count(&counts.undone),
        poison: count(&counts.poison),
        retries: count(&counts.retries),
        cut: count(&counts.cut),
        frames: count(&counts.frames),
        replays: count(&counts.replays),
        online: judged.online,
        offline: judged.offline,
        conflicts: judged.conflicts,
        entries,
    })
}

/// The dashboard once Postgres has everything.
async fn recorded(api: &Api, table: &str) -> Result<Value> {
    let asked = Instant::now();
    loop {
        let dashboard = api.dashboard(table).await?;
        if dashboard["record"]["behind"] == 0 {
            return Ok(dashboard);
        }
        if asked.elapsed() > PATIENCE {
            bail!("the record stays behind: {}", dashboard["record"]);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn log_of(stack: &Stack, api: &Api, table: &str) -> Result<Vec<Logged>> {
    let tenant = api.get("/api/auth/me").await?;
    let tenant = tenant["tenant"]["id"]
        .as_str()
        .context("no tenant")?
        .to_owned();
    let database = Database::at(stack.admin.url()).await;
    let mut log: Vec<Logged> = Vec::new();
    loop {
        let after = log.last().map_or(0, |entry| entry.seq);
        let page = database.log_page(&tenant, table, after, PAGE).await;
        log.extend(history::read(&page));
        if page.len() < PAGE as usize {
            return Ok(log);
        }
    }
}
