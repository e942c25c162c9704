//! What a large event takes of the runtime's memory, and what its scans add.
//!
//! Invariant: resident memory of the whole workerd process, which serves other tables too; the
//! guests are imported through the API, and the scans come in batches over sockets.
//! Failure: an import or a scan that is not taken ends the bench.

use super::Scale;
use super::checkin::Subject;
use super::figures::whole;
use super::report::{Report, Table};
use super::rig::{Baseline, Product};
use super::ways::{self, Way};
use crate::local::runtime::usage_of;
use crate::say::Step;
use anyhow::Result;
use std::time::Duration;

/// Guests on the list.
const GUESTS: usize = 100_000;
/// Scans on it.
const SCANS: usize = 200_000;
/// Sockets that send them.
const SOCKETS: usize = 16;
/// Between two looks at the count.
const TURN: Duration = Duration::from_secs(2);

/// Measures it.
pub async fn run(
    product: &Product,
    baseline: &Baseline,
    scale: &Scale,
    report: &mut Report,
) -> Result<()> {
    let (guests, scans) = (GUESTS / scale.shorter, SCANS / scale.shorter);
    let mib = || anyhow::Ok(usage_of(product.side.pid)?.rss_kb as f64 / 1024.0);
    let before = mib()?;
    let subject = Subject::prepare(&product.side, &baseline.side, guests).await?;
    subject.recorded().await?;
    let loaded = mib()?;
    let step = Step::begin(format!("{} scans", whole(scans as f64)));
    let (mut done, mut took) = (0, Duration::ZERO);
    while done < scans {
        let (_, came, time) = ways::closed(&subject, Way::Batches, SOCKETS, TURN, |_| {}).await?;
        done += came;
        took += time;
    }
    let scanned = mib()?;
    subject.recorded().await?;
    let settled = mib()?;
    step.done(format!("{:.0} MiB more", settled - loaded));
    let columns = ["what", "MiB", "more"];
    let mut table = Table::new("Resident memory of the runtime", &columns);
    for (what, now, then) in [
        ("after the benches above".to_owned(), before, before),
        (
            format!("{} guests loaded", whole(guests as f64)),
            loaded,
            before,
        ),
        (
            format!(
                "{} scans on them, {} a second",
                whole(done as f64),
                whole(done as f64 / took.as_secs_f64())
            ),
            scanned,
            loaded,
        ),
        ("and all of them recorded".to_owned(), settled, scanned),
    ] {
        table.row([what, format!("{now:.0}"), format!("{:+.0}", now - then)]);
    }
    report.table(table);
    Ok(())
}
