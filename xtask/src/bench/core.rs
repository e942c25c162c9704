//! `cargo xtask bench core`: what a request costs, with and without the database.
//!
//! Invariant: both sides answer the same to the same request (checked before measuring), reach the
//! same PgBouncer through a Hyperdrive binding, and run the same SQL. No clock of a Worker sees what
//! decoding takes, so that is measured from outside: the same read with 20 rows and with one.
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
use crate::say::{self, Step};
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
/// Rows that a read asks for.
const ROWS: u32 = 20;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Verified,
    Health,
    ReadOne,
    Read,
    Write,
}

impl Case {
    /// The two reads are neighbours: their difference is what rows cost.
    const ALL: [Self; 5] = [
        Self::Verified,
        Self::Health,
        Self::ReadOne,
        Self::Read,
        Self::Write,
    ];

    fn what(self) -> &'static str {
        match self {
            Self::Verified => "token verified, no database",
            Self::Health => "GET /health: database and object asked",
            Self::ReadOne => "read of 1 row, tenant checked",
            Self::Read => "read of 20 rows, tenant checked",
            Self::Write => "write with Idempotency-Key",
        }
    }

    /// Is its CPU aimed to be at most the baseline's? The others are there to compare with.
    fn aimed(self) -> bool {
        matches!(self, Self::Health | Self::Read | Self::Write)
    }

    /// Rows it decodes: a page is asked for with one more, to know whether there is another.
    fn rows(self) -> Option<u32> {
        match self {
            Self::Verified | Self::Health => None,
            Self::ReadOne => Some(2),
            Self::Read => Some(ROWS + 1),
            Self::Write => Some(1),
        }
    }

    fn status(self) -> u16 {
        match self {
            Self::Verified => 404,
            Self::Health | Self::ReadOne | Self::Read => 200,
            Self::Write => 201,
        }
    }

    fn head(self, side: &Side, token: &str, table: &str) -> Head {
        let rows = |table: &str, limit: u32| format!("/pulse/tables/{table}/rows?limit={limit}");
        let (method, path) = match self {
            Self::Verified => ("GET", rows("none", ROWS)),
            Self::Health => ("GET", "/health".to_owned()),
            Self::ReadOne => ("GET", rows(table, 1)),
            Self::Read => ("GET", rows(table, ROWS)),
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
}

impl Timing {
    fn add(&mut self, other: Self) {
        self.connect += other.connect;
        self.statement += other.statement;
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

    /// A slice of every case on both sides, in turns.
    async fn round(&self, round: usize, scale: &Scale, series: &mut Sides) -> Result<()> {
        for case in Case::ALL {
            for side in [round % 2, (round + 1) % 2] {
                self.slice(side, case, scale, &mut series[side][case as usize])
                    .await?;
            }
        }
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
            Case::ReadOne | Case::Read => answers[0] == answers[1],
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
    let mut series: Sides = Default::default();
    subject.round(0, scale, &mut series).await?;
    step.done("");
    series = Default::default();
    for round in 0..scale.slices {
        let step = Step::begin(format!("round {} of {}", round + 1, scale.slices));
        subject.round(round, scale, &mut series).await?;
        step.done("");
    }
    Ok(reported(&series, scale))
}

/// The figures of all cases, of the product and of the baseline.
type Sides = [[Series; Case::ALL.len()]; 2];

/// What a row costs to decode and to write out again, in CPU-µs: the rows that one read has more
/// than the other.
fn row_cost(side: &[Series; Case::ALL.len()]) -> f64 {
    let cpu = |case: Case| &side[case as usize].cpu;
    let more = cpu(Case::Read).less(cpu(Case::ReadOne));
    more.median() / f64::from(ROWS - 1)
}

fn reported(series: &Sides, scale: &Scale) -> Report {
    let columns = [
        "request",
        "CPU-µs",
        "baseline",
        "ratio",
        "p50 / p99 ms",
        "baseline ms",
        "connect",
        "statement",
        "decode",
        "the rest",
        "baseline: pg",
        "decode",
        "the rest",
    ];
    let mut table = Table::new("What a request costs", &columns);
    let mut report = Report::default();
    let [ours, theirs] = series;
    let costs = [row_cost(ours), row_cost(theirs)];
    for case in Case::ALL {
        let (ours, theirs) = (&ours[case as usize], &theirs[case as usize]);
        let cpu = ours.cpu.over(&theirs.cpu);
        say::note(format!(
            "{}: {} CPU-µs, baseline {}, ratio {}",
            case.what(),
            whole(ours.cpu.median()),
            whole(theirs.cpu.median()),
            ratio(&cpu)
        ));
        let spans =
            |series: &Series| format!("{} / {}", ms(series.p50.median()), ms(series.p99.median()));
        let decode = |cost: f64| case.rows().map(|rows| cost * f64::from(rows) / 1e3);
        let shown = |decode: Option<f64>| decode.map_or("–".to_owned(), |ms| format!("{ms:.2}"));
        let rest = |series: &Series, decode: Option<f64>| {
            let [mean, connect, statement] =
                [&series.mean, &series.connect, &series.statement].map(Slices::median);
            format!(
                "{:.2}",
                mean - connect - statement - decode.unwrap_or_default()
            )
        };
        let [decoding, theirs_decoding] = costs.map(decode);
        table.row([
            case.what().to_owned(),
            whole(ours.cpu.median()),
            whole(theirs.cpu.median()),
            ratio(&cpu),
            spans(ours),
            spans(theirs),
            format!("{:.2}", ours.connect.median()),
            format!("{:.2}", ours.statement.median()),
            shown(decoding),
            rest(ours, decoding),
            format!("{:.2}", theirs.statement.median()),
            shown(theirs_decoding),
            rest(theirs, theirs_decoding),
        ]);
        if case.aimed() {
            let aim = format!("{}: CPU not above the baseline's", case.what());
            let met = cpu.median() <= 1.0;
            report.aim(&aim, format!("{:.2} of it", cpu.median()), met);
        }
    }
    report.table(table);
    report.note(format!(
        "{CONNECTIONS} connections in a closed loop, {} slices of {} s a side, in turns; medians of \
         slices, ratios slice by slice as median (lowest–highest). CPU is user and system time of \
         workerd from /proc. The columns from `connect` on are mean milliseconds: `connect` and \
         `statement` are summed from the `Server-Timing` of every answer (its clock moves only at \
         I/O and in whole milliseconds, which averages out). `decode` is CPU, which no clock of a \
         Worker sees: a row, read from what Postgres sent and written into the answer, takes {:.1} µs \
         (baseline {:.1} µs) by the difference between reads of {ROWS} rows and of one, times the \
         rows a request has. The rest is what the client saw besides: HTTP, token, the JSON around \
         the rows and waiting for the one thread. The baseline's driver connects and asks in one go.",
        scale.slices,
        scale.slice.as_secs_f64(),
        costs[0],
        costs[1],
    ));
    report
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
        assert_eq!((ours.connect, ours.statement), (2.0, 3.0));
        let theirs = Timing::read("pg;dur=4, total;dur=5");
        assert_eq!((theirs.connect, theirs.statement), (0.0, 4.0));
        assert_eq!(Timing::read("").statement, 0.0);
    }

    #[test]
    fn decoding_is_what_more_rows_cost() {
        let mut side: [Series; Case::ALL.len()] = Default::default();
        for noise in [0.0, 40.0, 10.0] {
            side[Case::ReadOne as usize].cpu.add(600.0 + noise);
            side[Case::Read as usize].cpu.add(790.0 + noise);
        }
        assert_eq!(row_cost(&side), 10.0);
        let report = reported(&[side, Default::default()], &super::super::QUICK);
        let text = report.markdown("now");
        assert!(text.contains("takes 10.0 µs (baseline 0.0 µs)"), "{text}");
        let read = text.lines().find(|line| line.contains("read of 20 rows"));
        assert!(read.is_some_and(|line| line.contains("| 0.21 ")), "{text}");
        let aims: Vec<_> = text
            .lines()
            .filter(|line| line.contains("not above"))
            .collect();
        assert_eq!(aims.len(), 3, "{text}");
    }
}
