//! How far the record in Postgres is behind while scans come: from a scan's acknowledgement to its
//! record, as the dashboard says it.
//!
//! Invariant: a scan counts when its acknowledgement was seen; its record counts when a dashboard
//! asked for after that says so, so what is shown is at most one sampling too long.
//! Failure: a record that stays behind for a minute ends the bench.

use super::Scale;
use super::checkin::Subject;
use super::figures::{Latencies, ms, whole};
use super::report::{Report, Table};
use super::ways::{self, Sender, Way};
use crate::say::Step;
use anyhow::{Result, bail};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two looks at the dashboard.
const SAMPLING: Duration = Duration::from_millis(10);
/// Scans a second of the even load, one a frame.
const RATE: u32 = 200;
/// Sockets that send batches as fast as they can.
const SOCKETS: usize = 16;

/// Acknowledged places of the log that have no record yet.
type Waiting = Arc<Mutex<Vec<(u64, Instant)>>>;

fn note(waiting: &Waiting, seq: u64) {
    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    waiting.push((seq, Instant::now()));
}

/// Looks at the dashboard until `done`, and then until everything has its record.
async fn watch(subject: &Subject, waiting: &Waiting, done: &Mutex<bool>) -> Result<Latencies> {
    let mut lags = Latencies::default();
    let mut last = Instant::now();
    loop {
        let over = *done.lock().unwrap_or_else(PoisonError::into_inner);
        let dashboard = subject.api.dashboard(&subject.table).await?;
        let now = Instant::now();
        let flushed = dashboard["record"]["flushed_seq"].as_u64().unwrap_or(0);
        let (before, left) = {
            let mut open = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let before = open.len();
            open.retain(|(seq, at)| {
                let recorded = *seq <= flushed;
                if recorded {
                    lags.add(now.saturating_duration_since(*at));
                }
                !recorded
            });
            (before, open.len())
        };
        if left < before || left == 0 {
            last = now;
        }
        if over && left == 0 {
            return Ok(lags);
        }
        if last.elapsed() > Duration::from_secs(60) {
            bail!("the record stays behind: {}", dashboard["record"]);
        }
        tokio::time::sleep(SAMPLING).await;
    }
}

/// Scans at an even rate over one socket.
async fn evenly(subject: &Subject, time: Duration, waiting: &Waiting) -> Result<usize> {
    let mut senders = Vec::new();
    for device in subject.devices(0, SOCKETS) {
        senders.push(Sender::open(subject, device, Way::Frames).await?);
    }
    let started = tokio::time::Instant::now();
    let mut scans = 0;
    while started.elapsed() < time {
        for sender in &mut senders {
            tokio::time::sleep_until(started + Duration::from_secs(1) * scans / RATE).await;
            let (_, seq) = sender.send().await?;
            note(waiting, seq);
            scans += 1;
        }
    }
    Ok(scans as usize)
}

/// Measures both loads.
pub async fn run(subject: &Subject, scale: &Scale, report: &mut Report) -> Result<()> {
    let columns = ["load", "scans/s", "p50 / p99 ms"];
    let mut table = Table::new(
        "From the acknowledgement to the record in Postgres",
        &columns,
    );
    let time = scale.slice * 4;
    for batches in [false, true] {
        let load = match batches {
            false => format!("{RATE} scans a second"),
            true => format!(
                "{SOCKETS} sockets, {} a frame, as fast as they can",
                ways::BATCH
            ),
        };
        let step = Step::begin(format!("record behind: {load}"));
        let (waiting, done) = (Waiting::default(), Mutex::new(false));
        let sending = async {
            let noted = waiting.clone();
            let scans = match batches {
                false => evenly(subject, time, &waiting).await?,
                true => {
                    let acked = move |seq| note(&noted, seq);
                    ways::closed(subject, Way::Batches, SOCKETS, time, acked)
                        .await?
                        .1
                }
            };
            *done.lock().unwrap_or_else(PoisonError::into_inner) = true;
            anyhow::Ok(scans as f64 / time.as_secs_f64())
        };
        let (rate, lags) = tokio::join!(sending, watch(subject, &waiting, &done));
        let (rate, mut lags) = (rate?, lags?);
        let shown = format!(
            "{} / {}",
            ms(lags.percentile(0.5)),
            ms(lags.percentile(0.99))
        );
        step.done(format!("{shown} ms"));
        if !batches {
            let p99 = lags.percentile(0.99);
            report.aim(
                &format!("record p99 at {RATE} scans/s ≤ 1 s behind"),
                format!("{} ms", ms(p99)),
                p99 <= 1_000.0,
            );
        }
        table.row([load, whole(rate), shown]);
    }
    report.table(table);
    report.note(format!(
        "The record is looked at every {} ms through the dashboard; of a batch its last scan counts.",
        SAMPLING.as_millis()
    ));
    Ok(())
}
