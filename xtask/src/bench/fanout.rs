//! One scan to many sockets: when the first and when the last of them knows.
//!
//! Invariant: one scan is under way at a time; a round ends when every socket has its event.
//! Failure: a socket that is lost ends the bench.

use super::Scale;
use super::checkin::{Device, Subject};
use super::figures::{Latencies, ms};
use super::http::Connection;
use super::load::Caller;
use super::report::{Report, Table};
use super::sockets::Crowd;
use crate::say::{self, Step};
use anyhow::{Result, bail};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::time::Duration;

/// Sockets, and rounds of each side.
const SIZES: [(usize, usize); 3] = [(100, 120), (1_000, 100), (5_000, 40)];
/// Rounds of a side before the other one's turn.
const TURN: usize = 10;
/// Files this process needs besides the sockets.
const SPARE: usize = 500;

/// Watchers of one side, and the device whose scans they see.
struct Watch {
    crowd: Crowd,
    device: Device,
    connection: Connection,
    request: Vec<u8>,
}

/// What came of the rounds of one side.
#[derive(Default)]
struct Rounds {
    first: Latencies,
    last: Latencies,
}

impl Watch {
    async fn of(subject: &Subject, side: usize) -> Result<Self> {
        let target = &subject.sides[side].target;
        let path = format!("/live/check-in/{}", subject.table);
        let Some(device) = subject.devices(side, 1).pop() else {
            bail!("no device")
        };
        Ok(Self {
            crowd: Crowd::new(target, &path, &subject.api.token),
            device,
            connection: Connection::open(target).await?,
            request: Vec::new(),
        })
    }

    async fn scan(&mut self) -> Result<()> {
        self.request.clear();
        self.device.next(&mut self.request);
        let reply = self.connection.send(&self.request).await?;
        self.device.answered(&reply)
    }

    async fn round(&mut self, rounds: &mut Rounds) -> Result<()> {
        let (device, connection) = (&mut self.device, &mut self.connection);
        self.request.clear();
        device.next(&mut self.request);
        let request = &self.request;
        let round = self.crowd.round(device.seq + 1, async {
            let reply = connection.send(request).await?;
            device.answered(&reply)
        });
        let round = round.await?;
        rounds.first.add(round.first);
        rounds.last.add(round.last);
        // Scans at a door do not come back to back.
        tokio::time::sleep(Duration::from_millis(10)).await;
        Ok(())
    }
}

/// Measures all sizes.
pub async fn run(subject: &Subject, scale: &Scale, report: &mut Report) -> Result<()> {
    let columns = [
        "sockets",
        "first p50 / p99 ms",
        "baseline",
        "last p50 / p99 ms",
        "baseline",
        "ratio of last p50",
    ];
    let mut table = Table::new("One scan to many sockets", &columns);
    let mut watches = [Watch::of(subject, 0).await?, Watch::of(subject, 1).await?];
    for watch in &mut watches {
        watch.scan().await?;
    }
    for (size, rounds) in SIZES {
        let files = raise(2 * size + SPARE);
        if files < 2 * size + SPARE {
            let need = 2 * size + SPARE;
            say::warn(format!(
                "{size} sockets a side need {need} files, ulimit -n allows {files}"
            ));
            report.note(format!(
                "{size} sockets were left out: `ulimit -n` allows {files} files."
            ));
            continue;
        }
        let step = Step::begin(format!("one scan to {size} sockets"));
        for watch in &mut watches {
            watch.crowd.grow(size).await?;
        }
        for (watch, side) in watches.iter_mut().zip(&subject.sides) {
            watch.connection = Connection::open(&side.target).await?;
        }
        let mut found = [Rounds::default(), Rounds::default()];
        for _ in 0..(rounds / TURN).div_ceil(scale.shorter) {
            for (watch, found) in watches.iter_mut().zip(&mut found) {
                for _ in 0..TURN {
                    watch.round(found).await?;
                }
            }
            subject.recorded().await?;
        }
        let [ours, theirs] = &mut found;
        let (last, base) = (ours.last.percentile(0.5), theirs.last.percentile(0.5));
        let both =
            |l: &mut Latencies| format!("{} / {}", ms(l.percentile(0.5)), ms(l.percentile(0.99)));
        step.done(format!(
            "last {} ms, baseline {}",
            both(&mut ours.last),
            both(&mut theirs.last)
        ));
        table.row([
            size.to_string(),
            both(&mut ours.first),
            both(&mut theirs.first),
            both(&mut ours.last),
            both(&mut theirs.last),
            format!("{:.2}", last / base),
        ]);
        if size == 1_000 {
            let p99 = ours.last.percentile(0.99);
            report.aim(
                "last of 1,000 sockets p99 ≤ 100 ms",
                format!("{} ms", ms(p99)),
                p99 <= 100.0,
            );
        }
    }
    report.table(table);
    Ok(())
}

/// Raises the limit of open files to `wanted` if it may; answers what it is then.
fn raise(wanted: usize) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = wanted as u64;
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(limit.maximum.map_or(wanted, |most| wanted.min(most)));
        let _ = setrlimit(Resource::Nofile, limit);
    }
    let now = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(now).unwrap_or(usize::MAX)
}
