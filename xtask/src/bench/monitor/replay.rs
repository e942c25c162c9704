//! How long the standby takes to show what the primary committed.
//!
//! Invariant: from the answer to a commit until replay is past it, whatever else is written meanwhile.
//! Failure: a standby that does not get there in a minute ends the bench.

use super::site::Site;
use crate::bench::figures::{Latencies, ms};
use crate::bench::report::{Report, Table};
use crate::say::Step;
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a commit may take to get there.
const PATIENCE: Duration = Duration::from_secs(60);

/// Watches for a while.
pub async fn delays(site: &Site<'_>, time: Duration, what: &str) -> Result<Latencies> {
    let step = Step::begin(what);
    let primary = site.customer.primary().await;
    let standby = site.customer.standby().await;
    let mut delays = Latencies::default();
    let began = Instant::now();
    while began.elapsed() < time {
        primary
            .run("select pg_logical_emit_message(true, 'bench', '')")
            .await;
        let committed = Instant::now();
        let sql = "select to_jsonb(pg_current_wal_flush_lsn())";
        let position = primary.json(sql, &[]).await;
        let position = position.as_str().unwrap_or_default();
        let sql = format!("select to_jsonb(pg_last_wal_replay_lsn() >= '{position}')");
        while standby.json(&sql, &[]).await != true {
            if committed.elapsed() > PATIENCE {
                bail!("the standby does not replay");
            }
        }
        delays.add(committed.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    let shown = format!(
        "{} / {} ms",
        ms(delays.percentile(0.5)),
        ms(delays.percentile(0.99))
    );
    step.done(shown);
    Ok(delays)
}

/// Tells what was found without us, before and after, and with us.
pub fn tell(report: &mut Report, alone: [Latencies; 2], mut with: Latencies) {
    let mut table = Table::new(
        "From a commit on the primary to its replay",
        &["", "commits", "p50 ms", "p95 ms", "p99 ms"],
    );
    let mut row = |what: &str, delays: &mut Latencies| {
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|share| ms(delays.percentile(share)));
        table.row([what.to_owned(), delays.count().to_string(), p50, p95, p99]);
    };
    let [mut before, mut after] = alone;
    row("without us, before", &mut before);
    row("with us", &mut with);
    row("without us, after", &mut after);
    before.join(after);
    let (ours, theirs) = (with.percentile(0.99), before.percentile(0.99));
    report.table(table);
    let ratio = ours / theirs.max(0.001);
    report.aim(
        "replay p99 with us within 1.5 times that without us, or 20 ms",
        format!("{ratio:.2} of it"),
        ratio <= 1.5 || ours <= 20.0,
    );
}
