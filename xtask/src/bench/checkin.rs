//! `cargo xtask bench checkin`: scans on one table, and one scan to many sockets.
//!
//! Invariant: the same requests go to both sides, in turns; the product's CPU includes bringing its
//! record in Postgres up to date, which the baseline does not do.
//! Failure: an answer that is no admission ends the bench.

use super::Scale;
use super::api::Api;
use super::figures::{Figures, Series, ms, ratio, whole};
use super::http::{Head, Reply};
use super::load::{self, Caller, Pace};
use super::report::{Report, Table};
use super::rig::{self, Baseline, Ground, Product, Side};
use super::{fanout, lag, memory, restart, roster, ways};
use crate::project::Project;
use crate::say::Step;
use anyhow::{Result, bail};
use pulse_tests::clock::{rfc3339, seconds_from_now};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Connections of the closed loops.
const LEVELS: [usize; 4] = [1, 16, 64, 256];
/// Scans a second of the open loop.
const RATE: u32 = 200;
/// Connections of the open loop.
const OPEN_CONNECTIONS: usize = 64;
/// Guests on the list.
const GUESTS: usize = 20_000;
/// Scanner sessions.
const SCANNERS: usize = 20;

/// What is measured.
pub struct Subject {
    /// The product, behind its API.
    pub api: Api,
    /// Its guest list.
    pub table: String,
    /// What a scan starts with: one head for each scanner.
    pub heads: [Vec<Head>; 2],
    /// The device token of each scanner.
    tokens: Vec<String>,
    /// Product and baseline.
    pub sides: [Side; 2],
    codes: Arc<Codes>,
}

/// The guests' codes, handed out in turn.
struct Codes {
    next: AtomicUsize,
    guests: usize,
}

impl Codes {
    fn take(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

/// One device that scans.
pub struct Device {
    head: Head,
    /// Its device token.
    pub token: String,
    table: String,
    codes: Arc<Codes>,
    body: String,
    /// Place in the log of the last scan.
    pub seq: u64,
}

impl Device {
    /// The body of the next scan.
    pub fn scan(&mut self) -> &str {
        let (number, now) = (self.codes.take(), rfc3339(seconds_from_now(0)));
        self.body.clear();
        let _ = write!(
            self.body,
            r#"{{"table_id":"{}","barcode":"{}","nonce":"bench-{number}","scanned_at":"{now}","sent_at":"{now}"}}"#,
            self.table,
            code(number % self.codes.guests),
        );
        &self.body
    }

    /// The body of a batch of the next scans.
    pub fn batch(&mut self, size: usize) -> &str {
        let now = rfc3339(seconds_from_now(0));
        self.body.clear();
        let _ = write!(
            self.body,
            r#"{{"table_id":"{}","sent_at":"{now}","items":["#,
            self.table
        );
        for place in 0..size {
            let number = self.codes.take();
            let _ = write!(
                self.body,
                r#"{}{{"barcode":"{}","nonce":"bench-{number}","scanned_at":"{now}"}}"#,
                if place > 0 { "," } else { "" },
                code(number % self.codes.guests),
            );
        }
        self.body.push_str("]}");
        &self.body
    }
}

impl Caller for Device {
    fn next(&mut self, out: &mut Vec<u8>) {
        self.scan();
        self.head.write_json(out, None, &self.body);
    }

    fn answered(&mut self, reply: &Reply<'_>) -> Result<()> {
        if reply.status != 201 {
            bail!("a scan answered {}: {}", reply.status, reply.shown());
        }
        self.seq = seq(reply.body).unwrap_or(self.seq);
        Ok(())
    }
}

/// The member `seq` at the top of an answer, without parsing the rest.
pub fn seq(body: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(body).ok()?;
    let digits = text.rsplit_once("\"seq\":").map(|(_, rest)| rest)?;
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok()
}

fn code(number: usize) -> String {
    format!("BN-{number:06}")
}

impl Subject {
    /// Sets an event up.
    pub async fn prepare(product: &Side, baseline: &Side, guests: usize) -> Result<Self> {
        let shown = whole(guests as f64);
        let step = Step::begin(format!("event with {shown} guests, {SCANNERS} scanners"));
        let mut api = Api::at(&product.url)?;
        api.register("Bench").await?;
        let mut csv = "name,email,barcode,category\n".to_owned();
        for number in 0..guests {
            let category = if number % 10 == 0 { "vip" } else { "standard" };
            let code = code(number);
            let _ = writeln!(
                csv,
                "Guest {number},guest{number}@example.com,{code},{category}"
            );
        }
        let table = api.guest_list("Bench", &csv).await?;
        // Each scan makes a record, also when the list was walked through once.
        let enable = json!({
            "table_id": table,
            "settings": {"allow_duplicate_scans": true},
            "gates": [{"name": "Main", "categories": []}],
        });
        api.post("/pulse", &enable).await?;
        let (mut heads, mut tokens) = ([Vec::new(), Vec::new()], Vec::new());
        for number in 0..SCANNERS {
            let scanner = api
                .scanner(&table, &format!("Scanner {number}"), "Main")
                .await?;
            for (heads, side) in heads.iter_mut().zip([product, baseline]) {
                let token = Some(scanner.token.as_str());
                heads.push(Head::new(&side.target, "POST", "/pulse/check-ins", token));
            }
            tokens.push(scanner.token);
        }
        step.done("");
        let sides = [product.clone(), baseline.clone()];
        let codes = Arc::new(Codes {
            next: AtomicUsize::new(0),
            guests,
        });
        Ok(Self {
            api,
            table,
            heads,
            tokens,
            sides,
            codes,
        })
    }

    /// Devices that scan at one side.
    pub fn devices(&self, side: usize, count: usize) -> Vec<Device> {
        let scanners = self.heads[side].iter().zip(&self.tokens);
        let device = |(head, token): (&Head, &String)| Device {
            head: head.clone(),
            token: token.clone(),
            table: self.table.clone(),
            codes: self.codes.clone(),
            body: String::new(),
            seq: 0,
        };
        scanners.cycle().take(count).map(device).collect()
    }

    /// Waits until Postgres has the whole log.
    pub async fn recorded(&self) -> Result<()> {
        let started = Instant::now();
        loop {
            let dashboard = self.api.dashboard(&self.table).await?;
            if dashboard["record"]["behind"] == 0 {
                return Ok(());
            }
            if started.elapsed() > Duration::from_secs(60) {
                bail!("the record stays behind: {}", dashboard["record"]);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// One slice of single scans over HTTP.
    pub async fn slice(
        &self,
        side: usize,
        count: usize,
        pace: Pace,
        time: Duration,
    ) -> Result<Figures> {
        let devices = self.devices(side, count);
        let before = self.sides[side].cpu()?;
        let (mut slice, _) = load::run(&self.sides[side].target, devices, pace, time).await?;
        if side == 0 {
            self.recorded().await?;
        }
        let cpu = self.sides[side].cpu()?.saturating_sub(before);
        let scans = slice.latencies.count();
        Ok(Figures::of(&mut slice.latencies, scans, slice.took, cpu))
    }

    /// Slices of both sides in turns.
    async fn compare(&self, count: usize, pace: Pace, scale: &Scale) -> Result<[Series; 2]> {
        let mut series = [Series::default(), Series::default()];
        for round in 0..scale.slices {
            // Who goes first changes, so that neither always follows the other.
            for side in [round % 2, (round + 1) % 2] {
                let time = match pace {
                    Pace::Closed => scale.slice,
                    Pace::Open(_) => scale.slice * 2,
                };
                series[side].add(self.slice(side, count, pace, time).await?);
            }
        }
        Ok(series)
    }
}

/// The worst of all levels, on whichever ground.
struct Worst {
    rate: f64,
    cpu: f64,
}

/// Runs the whole bench: on the disk, and the part that the disk decides in memory too.
pub async fn run(project: &Project, scale: &Scale) -> Result<Report> {
    let mut report = Report::default();
    let mut worst = Worst {
        rate: f64::INFINITY,
        cpu: 0.0,
    };
    for ground in [Ground::Disk, Ground::Memory] {
        if !ground.there() {
            report.note(
                "There is no memory mounted as a folder here, so only the disk was measured.",
            );
            continue;
        }
        let product = Product::start(project, rig::any_pooler(), ground).await?;
        let none = BTreeMap::new();
        let started = Baseline::start(project, &product, "baseline-scan", None, none).await;
        let measured = match &started {
            Ok(baseline) => {
                measure(&product, baseline, ground, scale, &mut report, &mut worst).await
            }
            Err(error) => Err(anyhow::anyhow!("{error:#}")),
        };
        if let Ok(baseline) = started {
            baseline.stop().await;
        }
        product.stop().await;
        measured?;
    }
    conclude(&worst, scale, &mut report);
    Ok(report)
}

fn conclude(worst: &Worst, scale: &Scale, report: &mut Report) {
    report.aim(
        "scans/s at least the baseline's",
        format!("{:.2} of it at the worst level", worst.rate),
        worst.rate >= 1.0,
    );
    report.aim(
        "CPU per scan not above the baseline's",
        format!("{:.2} of it at the worst level", worst.cpu),
        worst.cpu <= 1.0,
    );
    report.note(format!(
        "{} slices of {} s a side, in turns; medians of slices, ratios slice by slice as median \
         (lowest–highest). CPU is user and system time of workerd from /proc, the product's with \
         its outbox to Postgres, for each scan answered. The open loop has slices twice as long.",
        scale.slices,
        scale.slice.as_secs_f64()
    ));
}

async fn measure(
    product: &Product,
    baseline: &Baseline,
    ground: Ground,
    scale: &Scale,
    report: &mut Report,
    worst: &mut Worst,
) -> Result<()> {
    let subject = Subject::prepare(&product.side, &baseline.side, GUESTS).await?;
    let step = Step::begin("warming up");
    for side in [0, 1] {
        subject
            .slice(side, 16, Pace::Closed, scale.slice * 2)
            .await?;
    }
    step.done("");
    let place = match ground {
        Ground::Disk => format!(
            "on disk, where making a page durable takes {:.1} ms",
            product.durable_ms
        ),
        Ground::Memory => "in memory, where it costs nothing".to_owned(),
    };
    closed(&subject, &place, scale, report, worst).await?;
    ways::run(&subject, ground, &place, scale, report).await?;
    open(&subject, ground, &place, scale, report).await?;
    if ground == Ground::Disk {
        fanout::run(&subject, scale, report).await?;
        lag::run(&subject, scale, report).await?;
        memory::run(product, baseline, scale, report).await?;
        restart::run(product, &subject, scale, report).await?;
        roster::run(product, baseline, scale, report).await?;
    }
    Ok(())
}

async fn closed(
    subject: &Subject,
    place: &str,
    scale: &Scale,
    report: &mut Report,
    worst: &mut Worst,
) -> Result<()> {
    let columns = [
        "connections",
        "scans/s",
        "baseline",
        "ratio",
        "p50 / p95 / p99 ms",
        "baseline ms",
        "CPU-µs per scan",
        "baseline",
        "ratio",
    ];
    let title = format!("Durable scans on one table, closed loop, {place}");
    let mut table = Table::new(&title, &columns);
    for level in LEVELS {
        let step = Step::begin(format!("scans over {level} connections"));
        let [ours, theirs] = subject.compare(level, Pace::Closed, scale).await?;
        let (rate, cpu) = (ours.rate.over(&theirs.rate), ours.cpu.over(&theirs.cpu));
        step.done(format!(
            "{} scans/s, {} of the baseline; CPU {}",
            whole(ours.rate.median()),
            ratio(&rate),
            ratio(&cpu)
        ));
        table.row([
            level.to_string(),
            whole(ours.rate.median()),
            whole(theirs.rate.median()),
            ratio(&rate),
            ours.latencies(),
            theirs.latencies(),
            whole(ours.cpu.median()),
            whole(theirs.cpu.median()),
            ratio(&cpu),
        ]);
        worst.rate = worst.rate.min(rate.median());
        worst.cpu = worst.cpu.max(cpu.median());
    }
    report.table(table);
    Ok(())
}

async fn open(
    subject: &Subject,
    ground: Ground,
    place: &str,
    scale: &Scale,
    report: &mut Report,
) -> Result<()> {
    let step = Step::begin(format!("{RATE} scans a second"));
    let [ours, theirs] = subject
        .compare(OPEN_CONNECTIONS, Pace::Open(RATE), scale)
        .await?;
    let p99 = ours.p99.median();
    step.done(format!("p99 {} ms", ms(p99)));
    let columns = [
        "side",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "worst slice's p99",
        "CPU-µs per scan",
    ];
    let mut table = Table::new(
        &format!("Open loop, {RATE} scans a second, {place}"),
        &columns,
    );
    for (name, series) in [("Pulse", &ours), ("baseline", &theirs)] {
        table.row([
            name.to_owned(),
            ms(series.p50.median()),
            ms(series.p95.median()),
            ms(series.p99.median()),
            ms(series.p99.range().1),
            whole(series.cpu.median()),
        ]);
    }
    report.table(table);
    let aim = match ground {
        Ground::Disk => "p99 at 200 scans/s ≤ 25 ms",
        Ground::Memory => "p99 at 200 scans/s ≤ 25 ms, in memory",
    };
    report.aim(aim, format!("{} ms", ms(p99)), p99 <= 25.0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::seq;

    #[test]
    fn the_place_in_the_log_is_the_last_seq_of_the_answer() {
        assert_eq!(
            seq(br#"{"check_in":{"seq":3},"first_entry":null,"seq":41}"#),
            Some(41)
        );
        assert_eq!(
            seq(br#"{"verdict":"accepted","seq":7,"check_in":{}}"#),
            Some(7)
        );
        assert_eq!(seq(b"{}"), None);
    }
}
