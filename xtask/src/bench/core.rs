//! `cargo xtask bench core`: what a request costs, with and without the database.
//!
//! Invariant: both sides answer the same to the same request (checked before measuring), reach the
//! same PgBouncer through a Hyperdrive binding, and run the same SQL.
//! Failure: an answer of another status ends the bench.

use super::Scale;
use super::api::Api;
use super::figures::{Slices, ms, ratio, whole};
use super::http::{Connection, Head, Reply};
use super::load::{self, Caller, Pace};
use super::report::{Report, Table};
use super::rig::{self, Baseline, Ground, Product, Side};
use super::statements::statement;
use crate::project::Project;
use crate::say::Step;
use anyhow::{Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Connections of the closed loop: few, so that latencies are of work rather than of waiting.
const CONNECTIONS: usize = 4;
/// Guests on the list that is read.
const GUESTS: usize = 500;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Verified,
    Health,
    Read,
    Write,
}

impl Case {
    const ALL: [Self; 4] = [Self::Verified, Self::Health, Self::Read, Self::Write];

    fn what(self) -> &'static str {
        match self {
            Self::Verified => "token verified, no database",
            Self::Health => "GET /health: database and object asked",
            Self::Read => "read of 20 rows, tenant checked",
            Self::Write => "write with Idempotency-Key",
        }
    }

    fn status(self) -> u16 {
        match self {
            Self::Verified => 404,
            Self::Health | Self::Read => 200,
            Self::Write => 201,
        }
    }

    fn head(self, side: &Side, token: &str, table: &str) -> Head {
        let (method, path) = match self {
            Self::Verified => ("GET", "/pulse/tables/none/rows?limit=20".to_owned()),
            Self::Health => ("GET", "/health".to_owned()),
            Self::Read => ("GET", format!("/pulse/tables/{table}/rows?limit=20")),
            Self::Write => ("POST", "/pulse/tables".to_owned()),
        };
        Head::new(&side.target, method, &path, Some(token))
    }
}

/// One client.
struct Client {
    case: Case,
    head: Head,
    keys: Arc<AtomicU64>,
    timing: Timing,
}

/// Sums of what `Server-Timing` says, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Timing {
    connect: f64,
    statement: f64,
    total: f64,
}

impl Timing {
    fn add(&mut self, other: Self) {
        self.connect += other.connect;
        self.statement += other.statement;
        self.total += other.total;
    }

    fn read(header: &str) -> Self {
        let of = |name: &str| {
            let entry = header
                .split(',')
                .map(str::trim)
                .find(|entry| entry.starts_with(name));
            let duration =
                entry.and_then(|entry| entry.split(';').find_map(|p| p.strip_prefix("dur=")));
            duration
                .and_then(|duration| duration.parse::<f64>().ok())
                .unwrap_or(0.0)
        };
        // The baseline's driver connects and asks in one go: `pg`.
        Self {
            connect: of("connect"),
            statement: of("statement") + of("pg"),
            total: of("total"),
        }
    }
}

impl Caller for Client {
    fn next(&mut self, out: &mut Vec<u8>) {
        if self.case != Case::Write {
            return self.head.write(out);
        }
        let key = format!("bench-{}", self.keys.fetch_add(1, Ordering::Relaxed));
        let body = format!(r#"{{"name":"Guests {key}","timezone":"Europe/Berlin"}}"#);
        self.head
            .write_json(out, Some(("idempotency-key", &key)), &body);
    }

    fn answered(&mut self, reply: &Reply<'_>) -> Result<()> {
        if reply.status != self.case.status() {
            bail!(
                "{} answered {}: {}",
                self.case.what(),
                reply.status,
                reply.shown()
            );
        }
        self.timing.add(Timing::read(
            reply.header("server-timing").unwrap_or_default(),
        ));
        Ok(())
    }
}

/// All slices of one case on one side.
#[derive(Debug, Default)]
struct Series {
    cpu: Slices,
    p50: Slices,
    p99: Slices,
    mean: Slices,
    connect: Slices,
    statement: Slices,
}

struct Subject {
    sides: [Side; 2],
    token: String,
    table: String,
    keys: Arc<AtomicU64>,
}

impl Subject {
    fn client(&self, side: usize, case: Case) -> Client {
        let head = case.head(&self.sides[side], &self.token, &self.table);
        Client {
            case,
            head,
            keys: self.keys.clone(),
            timing: Timing::default(),
        }
    }

    async fn slice(
        &self,
        side: usize,
        case: Case,
        scale: &Scale,
        series: &mut Series,
    ) -> Result<()> {
        let clients = (0..CONNECTIONS).map(|_| self.client(side, case)).collect();
        let measured = &self.sides[side];
        let before = measured.cpu()?;
        let (mut slice, clients) =
            load::run(&measured.target, clients, Pace::Closed, scale.slice).await?;
        let cpu = measured.cpu()?.saturating_sub(before);
        let count = slice.latencies.count() as f64;
        let mut timing = Timing::default();
        clients.iter().for_each(|client| timing.add(client.timing));
        series.cpu.add(cpu.as_secs_f64() * 1e6 / count);
        series.p50.add(slice.latencies.percentile(0.5));
        series.p99.add(slice.latencies.percentile(0.99));
        series
            .mean
            .add(slice.took.as_secs_f64() * 1e3 * CONNECTIONS as f64 / count);
        series.connect.add(timing.connect / count);
        series.statement.add(timing.statement / count);
        Ok(())
    }

    /// Both sides answer the same.
    async fn check(&self, case: Case) -> Result<()> {
        let mut answers = Vec::new();
        for side in [0, 1] {
            let mut client = self.client(side, case);
            let mut request = Vec::new();
            client.next(&mut request);
            let mut connection = Connection::open(&self.sides[side].target).await?;
            let reply = connection.send(&request).await?;
            client.answered(&reply)?;
            answers.push(serde_json::from_slice::<Value>(reply.body)?);
        }
        let same = match case {
            Case::Read => answers[0] == answers[1],
            _ => shape(&answers[0]) == shape(&answers[1]),
        };
        if !same {
            bail!("{}: {} is not {}", case.what(), answers[0], answers[1]);
        }
        Ok(())
    }
}

/// The names of an object's members.
fn shape(answer: &Value) -> Vec<String> {
    let mut names: Vec<String> = answer
        .as_object()
        .map(|object| object.keys().cloned().collect())
        .unwrap_or_default();
    names.sort();
    names
}

/// Runs the whole bench.
pub async fn run(project: &Project, scale: &Scale, scram: bool) -> Result<Report> {
    let product = Product::start(project, rig::bouncer(scram)?, Ground::Disk).await?;
    let vars = BTreeMap::from([
        (
            "TOKEN_SECRET".to_owned(),
            product.stack.secrets.token_secret.clone(),
        ),
        (
            "ROWS".to_owned(),
            statement(project, "src/checkin/rows/store.rs", "LIST")?,
        ),
        (
            "INSERT".to_owned(),
            statement(project, "src/checkin/tables/store.rs", "INSERT")?,
        ),
    ]);
    let app = Some(&product.stack.app);
    let started = Baseline::start(project, &product, "baseline-core", app, vars).await;
    let report = match &started {
        Ok(baseline) => measure(&product, baseline, scale).await,
        Err(error) => Err(anyhow::anyhow!("{error:#}")),
    };
    if let Ok(baseline) = started {
        baseline.stop().await;
    }
    product.stop().await;
    report
}

async fn measure(product: &Product, baseline: &Baseline, scale: &Scale) -> Result<Report> {
    let subject = prepare(product, baseline).await?;
    for case in Case::ALL {
        subject.check(case).await?;
    }
    let step = Step::begin("warming up");
    for case in Case::ALL {
        for side in [0, 1] {
            subject
                .slice(side, case, scale, &mut Series::default())
                .await?;
        }
    }
    step.done("");
    let columns = [
        "request",
        "CPU-µs",
        "baseline",
        "ratio",
        "p50 / p99 ms",
        "baseline ms",
        "connect",
        "statement",
        "the rest",
        "baseline: pg",
        "the rest",
    ];
    let mut table = Table::new("What a request costs", &columns);
    let mut report = Report::default();
    for case in Case::ALL {
        let step = Step::begin(case.what());
        let mut series = [Series::default(), Series::default()];
        for round in 0..scale.slices {
            for side in [round % 2, (round + 1) % 2] {
                subject.slice(side, case, scale, &mut series[side]).await?;
            }
        }
        let [ours, theirs] = &series;
        let cpu = ours.cpu.over(&theirs.cpu);
        step.done(format!(
            "{} CPU-µs, baseline {}, ratio {}",
            whole(ours.cpu.median()),
            whole(theirs.cpu.median()),
            ratio(&cpu)
        ));
        let spans =
            |series: &Series| format!("{} / {}", ms(series.p50.median()), ms(series.p99.median()));
        let rest = |series: &Series| {
            let [mean, connect, statement] =
                [&series.mean, &series.connect, &series.statement].map(Slices::median);
            format!("{:.2}", mean - connect - statement)
        };
        table.row([
            case.what().to_owned(),
            whole(ours.cpu.median()),
            whole(theirs.cpu.median()),
            ratio(&cpu),
            spans(ours),
            spans(theirs),
            format!("{:.2}", ours.connect.median()),
            format!("{:.2}", ours.statement.median()),
            rest(ours),
            format!("{:.2}", theirs.statement.median()),
            rest(theirs),
        ]);
        let aim = format!("{}: CPU not above the baseline's", case.what());
        report.aim(
            &aim,
            format!("{:.2} of it", cpu.median()),
            cpu.median() <= 1.0,
        );
    }
    report.table(table);
    report.note(format!(
        "{CONNECTIONS} connections in a closed loop, {} slices of {} s a side, in turns; medians of \
         slices, ratios slice by slice as median (lowest–highest). CPU is user and system time of \
         workerd from /proc. The last five columns are mean wall-clock milliseconds: `connect` and \
         `statement` are summed from the `Server-Timing` of every answer (its clock moves only at \
         I/O and in whole milliseconds, which averages out), the rest is what the client saw besides: \
         HTTP, token, JSON and waiting for the one thread. The baseline's driver connects and asks in \
         one go.",
        scale.slices,
        scale.slice.as_secs_f64()
    ));
    Ok(report)
}

async fn prepare(product: &Product, baseline: &Baseline) -> Result<Subject> {
    let step = Step::begin(format!("guest list of {GUESTS}"));
    let mut api = Api::at(&product.side.url)?;
    api.register("Bench").await?;
    let mut csv = "name,email,barcode,category\n".to_owned();
    for number in 0..GUESTS {
        let _ = writeln!(
            csv,
            "Guest {number},guest{number}@example.com,BN-{number:06},standard"
        );
    }
    let table = api.guest_list("Bench", &csv).await?;
    step.done("");
    Ok(Subject {
        sides: [product.side.clone(), baseline.side.clone()],
        token: api.token,
        table,
        keys: Arc::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_timing_of_both_sides_is_read() {
        let ours = Timing::read("connect;dur=2, statement;dur=3;desc=\"1\", total;dur=6");
        assert_eq!((ours.connect, ours.statement, ours.total), (2.0, 3.0, 6.0));
        let theirs = Timing::read("pg;dur=4, total;dur=5");
        assert_eq!(
            (theirs.connect, theirs.statement, theirs.total),
            (0.0, 4.0, 5.0)
        );
        assert_eq!(Timing::read("").total, 0.0);
    }
}
