//! A thousand dashboards after the runtime was killed: when all of them have everything again.
//!
//! Invariant: each reconnects as clients do, with full-jitter backoff, from a position some events
//! back, and counts when the answer says `recovered` and holds those events.
//! Failure: a dashboard that does not recover within a minute ends the bench.

use super::Scale;
use super::checkin::Subject;
use super::figures::{Latencies, whole};
use super::http::{Target, find};
use super::report::{Report, Table};
use super::rig::Product;
use super::socket::Socket;
use super::ways::{self, Way};
use crate::demo::dice::Dice;
use crate::say::Step;
use anyhow::{Context, Result, bail};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// Dashboards.
const DASHBOARDS: usize = 1_000;
/// Events each of them has missed.
const MISSED: u64 = 100;
/// The longest wait before an attempt doubles from the first to the second of these.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));
/// How long a dashboard may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a dashboard needs.
struct Watch {
    /// Where the Worker answers; another port after the restart.
    target: Mutex<Target>,
    path: String,
    token: String,
    /// The subscribe that recovers.
    frame: String,
}

impl Watch {
    /// Opens a socket and takes what was missed.
    async fn recover(&self) -> Result<Socket> {
        let target = self.target.lock().await.clone();
        let mut socket = Socket::connect(&target, &self.path, &self.token).await?;
        let answer = socket.ask(2, self.frame.as_bytes()).await?;
        if find(answer, b"\"recovered\":true").is_none() {
            bail!("not recovered: {}", String::from_utf8_lossy(answer));
        }
        let events = String::from_utf8_lossy(answer).matches("\"type\":").count() as u64;
        if events < MISSED {
            bail!("{events} of {MISSED} events");
        }
        Ok(socket)
    }

    /// Until its socket ends, and then until it has everything again.
    async fn live(
        &self,
        mut socket: Socket,
        killed: Arc<AtomicBool>,
        seed: u64,
    ) -> Result<Instant> {
        while socket.text().await.is_ok() {}
        if !killed.load(Ordering::Acquire) {
            bail!("a dashboard was closed before its time");
        }
        let (mut dice, mut longest, began) = (Dice::new(seed), BACKOFF.0, Instant::now());
        loop {
            tokio::time::sleep(longest.mul_f64(dice.share())).await;
            match self.recover().await {
                Ok(_) => return Ok(Instant::now()),
                Err(error) if began.elapsed() > PATIENCE => return Err(error),
                Err(_) => longest = (longest * 2).min(BACKOFF.1),
            }
        }
    }
}

/// Kills the runtime and waits for all.
pub async fn run(
    product: &Product,
    subject: &Subject,
    scale: &Scale,
    report: &mut Report,
) -> Result<()> {
    let count = DASHBOARDS / scale.shorter;
    ways::closed(subject, Way::Batches, 4, Duration::from_millis(200), |_| {}).await?;
    subject.recorded().await?;
    let dashboard = subject.api.dashboard(&subject.table).await?;
    let live = &dashboard["live"];
    let offset = live["offset"].as_u64().context("no offset")? - MISSED;
    let watch = Arc::new(Watch {
        target: Mutex::new(subject.sides[0].target.clone()),
        path: format!("/live/check-in/{}", subject.table),
        token: subject.api.token.clone(),
        frame: format!(
            r#"{{"id":2,"subscribe":{{"channel":"scans","recover":{{"epoch":{},"offset":{offset}}}}}}}"#,
            live["epoch"]
        ),
    });
    let step = Step::begin(format!("{count} dashboards reconnect"));
    let killed = Arc::new(AtomicBool::new(false));
    let mut dashboards = JoinSet::new();
    for seed in 0..count as u64 {
        let socket = watch.recover().await?;
        let (watch, killed) = (watch.clone(), killed.clone());
        dashboards.spawn(async move { watch.live(socket, killed, seed).await });
    }
    killed.store(true, Ordering::Release);
    let began = Instant::now();
    let down = product.stack.kill_worker(false).await?;
    let direct = product.stack.runtime.lock().await.ready.direct_url.clone();
    *watch.target.lock().await = Target::parse(&direct)?;
    let (mut since, mut last) = (Latencies::default(), Duration::ZERO);
    while let Some(recovered) = dashboards.join_next().await {
        let took = recovered??.saturating_duration_since(began);
        since.add(took);
        last = last.max(took);
    }
    let back = last.saturating_sub(down);
    let seconds = |time: Duration| format!("{:.1}", time.as_secs_f64());
    step.done(format!("all after {} s", seconds(last)));
    let columns = [
        "dashboards",
        "runtime back after s",
        "half have everything after s",
        "all after s",
        "all, from when the runtime was back",
    ];
    let title = format!("Dashboards after the runtime was killed, {MISSED} events behind");
    let mut table = Table::new(&title, &columns);
    table.row([
        whole(count as f64),
        seconds(down),
        seconds(Duration::from_secs_f64(since.percentile(0.5) / 1e3)),
        seconds(last),
        seconds(back),
    ]);
    report.table(table);
    report.aim(
        "1,000 dashboards have everything ≤ 10 s after the runtime is back",
        format!("{} s", seconds(back)),
        back <= Duration::from_secs(10),
    );
    Ok(())
}
