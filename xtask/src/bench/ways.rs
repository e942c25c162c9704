//! The same scans sent other ways: one a request, one a frame over sockets, and many at once over HTTP
//! and sockets.
//!
//! Invariant: all ways are measured in turns, and the baseline takes single scans over HTTP in the same
//! turns, because it knows nothing else; every scan of a batch counts as one.
//! Failure: an answer that is not an admission of every scan ends the bench.

use super::Scale;
use super::checkin::{Device, Subject};
use super::figures::{Figures, Latencies, Series, ratio, whole};
use super::http::{Connection, Head};
use super::load::Pace;
use super::report::{Report, Table};
use super::rig::Ground;
use super::socket::Socket;
use crate::say::Step;
use anyhow::{Context, Result, bail};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Connections or sockets of the closed loops.
const LEVELS: [usize; 3] = [1, 16, 64];
/// Scans of a batch.
pub const BATCH: usize = 50;

/// How scans are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// One a frame.
    Frames,
    /// In batches over HTTP.
    Posted,
    /// In batches over sockets.
    Batches,
}

/// One device with its connection.
pub struct Sender {
    device: Device,
    link: Link,
    request: Vec<u8>,
    id: u64,
}

enum Link {
    Http(Connection, Head),
    Socket(Box<Socket>, Way),
}

impl Way {
    fn shown(self) -> String {
        match self {
            Self::Frames => "socket, one a frame".to_owned(),
            Self::Posted => format!("HTTP, {BATCH} a request"),
            Self::Batches => format!("socket, {BATCH} a frame"),
        }
    }
}

impl Sender {
    /// Connects a device of the product.
    pub async fn open(subject: &Subject, device: Device, way: Way) -> Result<Self> {
        let target = &subject.sides[0].target;
        let link = match way {
            Way::Posted => {
                let head = Head::new(target, "POST", "/pulse/check-ins/sync", Some(&device.token));
                Link::Http(Connection::open(target).await?, head)
            }
            Way::Frames | Way::Batches => {
                let path = format!("/live/check-in/{}", subject.table);
                let socket = Socket::connect(target, &path, &device.token).await?;
                Link::Socket(Box::new(socket), way)
            }
        };
        Ok(Self {
            device,
            link,
            request: Vec::new(),
            id: 0,
        })
    }

    /// Sends one request; answers how many scans it was, and where the log is then.
    pub async fn send(&mut self) -> Result<(usize, u64)> {
        self.request.clear();
        self.id += 1;
        let (answer, scans) = match &mut self.link {
            Link::Http(connection, head) => {
                let body = self.device.batch(BATCH);
                head.write_json(&mut self.request, None, body);
                let reply = connection.send(&self.request).await?;
                if reply.status != 200 {
                    bail!("a batch answered {}: {}", reply.status, reply.shown());
                }
                (reply.body, BATCH)
            }
            Link::Socket(socket, way) => {
                let (verb, body, scans) = match way {
                    Way::Frames => ("scan", self.device.scan(), 1),
                    _ => ("sync", self.device.batch(BATCH), BATCH),
                };
                let frame = format!(r#"{{"id":{},"{verb}":{body}}}"#, self.id);
                (socket.ask(self.id, frame.as_bytes()).await?, scans)
            }
        };
        let answer = std::str::from_utf8(answer).context("an answer that is no text")?;
        let mark = match scans {
            1 => r#""verdict":{"verdict":"accepted""#,
            _ => r#"{"status":201,"#,
        };
        if answer.matches(mark).count() != scans {
            let shown: String = answer.chars().take(400).collect();
            bail!("not {scans} admissions: {shown}");
        }
        let seq = super::checkin::seq(answer.as_bytes()).context("no seq")?;
        Ok((scans, seq))
    }
}

/// Sends as fast as answers come, over so many connections. `acked` hears where the log was after
/// each answer.
pub async fn closed(
    subject: &Subject,
    way: Way,
    count: usize,
    time: Duration,
    acked: impl Fn(u64) + Clone + Send + 'static,
) -> Result<(Latencies, usize, Duration)> {
    let mut senders = Vec::new();
    for device in subject.devices(0, count) {
        senders.push(Sender::open(subject, device, way).await?);
    }
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for mut sender in senders {
        let acked = acked.clone();
        tasks.spawn(async move {
            let (mut latencies, mut scans) = (Latencies::default(), 0);
            while started.elapsed() < time {
                let sent = Instant::now();
                let (came, seq) = sender.send().await?;
                latencies.add(sent.elapsed());
                acked(seq);
                scans += came;
            }
            anyhow::Ok((latencies, scans))
        });
    }
    let (mut latencies, mut scans) = (Latencies::default(), 0);
    while let Some(done) = tasks.join_next().await {
        let (more, came) = done.context("a sender's task failed")??;
        latencies.join(more);
        scans += came;
    }
    Ok((latencies, scans, started.elapsed()))
}

/// One slice of the product; without a way, of single scans over HTTP.
async fn slice(
    subject: &Subject,
    way: Option<Way>,
    count: usize,
    time: Duration,
) -> Result<Figures> {
    let Some(way) = way else {
        return subject.slice(0, count, Pace::Closed, time).await;
    };
    let before = subject.sides[0].cpu()?;
    let (mut latencies, scans, took) = closed(subject, way, count, time, |_| {}).await?;
    subject.recorded().await?;
    let cpu = subject.sides[0].cpu()?.saturating_sub(before);
    Ok(Figures::of(&mut latencies, scans, took, cpu))
}

/// Measures every way at every level.
pub async fn run(
    subject: &Subject,
    ground: Ground,
    place: &str,
    scale: &Scale,
    report: &mut Report,
) -> Result<()> {
    let columns = [
        "how",
        "connections",
        "scans/s",
        "baseline",
        "ratio",
        "p50 / p95 / p99 ms",
        "CPU-µs per scan",
        "baseline",
        "ratio",
    ];
    let title = format!("The same scans other ways, closed loop, {place}");
    let mut table = Table::new(&title, &columns);
    let (mut best_rate, mut worst_cpu) = (0.0_f64, 0.0_f64);
    // What batches gain does not depend on the disk: they wait for it once for many scans.
    let ways: &[Option<Way>] = match ground {
        Ground::Disk => &[
            None,
            Some(Way::Frames),
            Some(Way::Posted),
            Some(Way::Batches),
        ],
        Ground::Memory => &[None, Some(Way::Frames)],
    };
    for level in LEVELS {
        let step = Step::begin(format!("{level} connections, every way"));
        let mut ours: Vec<Series> = ways.iter().map(|_| Series::default()).collect();
        let mut theirs = Series::default();
        for round in 0..scale.slices {
            // Who goes first changes, so that none always follows the same other one.
            for turn in 0..=ways.len() {
                let place = (round + turn) % (ways.len() + 1);
                match (ways.get(place), ours.get_mut(place)) {
                    (Some(&way), Some(series)) => {
                        series.add(slice(subject, way, level, scale.slice).await?);
                    }
                    _ => theirs.add(subject.slice(1, level, Pace::Closed, scale.slice).await?),
                }
            }
        }
        step.done("");
        for (&way, ours) in ways.iter().zip(&ours) {
            let (rate, cpu) = (ours.rate.over(&theirs.rate), ours.cpu.over(&theirs.cpu));
            match way {
                None => {}
                Some(Way::Frames) => worst_cpu = worst_cpu.max(cpu.median()),
                Some(_) => best_rate = best_rate.max(ours.rate.median()),
            }
            table.row([
                way.map_or_else(|| "HTTP, one a request".to_owned(), Way::shown),
                level.to_string(),
                whole(ours.rate.median()),
                whole(theirs.rate.median()),
                ratio(&rate),
                ours.latencies(),
                whole(ours.cpu.median()),
                whole(theirs.cpu.median()),
                ratio(&cpu),
            ]);
        }
    }
    report.table(table);
    if ground == Ground::Disk {
        report.aim(
            "≥ 2,000 durable scans/s on one table with batches",
            format!("{} at the best level", whole(best_rate)),
            best_rate >= 2_000.0,
        );
    }
    report.aim(
        match ground {
            Ground::Disk => "CPU per scan over the socket not above the baseline's",
            Ground::Memory => "CPU per scan over the socket, in memory",
        },
        format!("{:.2} of it at the worst level", worst_cpu),
        worst_cpu <= 1.0,
    );
    Ok(())
}
