//! `cargo xtask demo`: a realistic event against a running Pulse.
//!
//! Invariant: everything goes through the API as scanners and organisers use it, on a guest list of
//! its own; the same seed gives the same event.
//! Failure: exit code 1 when the dashboard does not say what the scanners were told.

pub mod dice;
mod drive;
mod offline;
mod plan;
mod tally;

use crate::args::Args;
use crate::bench::api::{Api, Scanner};
use crate::bench::figures::{ms, whole};
use crate::command;
use crate::local::seed;
use crate::say::{self, Step, paint, time};
use anyhow::{Context, Result, bail};
use drive::{Device, Shared, with};
use offline::{Disconnected, Download};
use plan::{GATES, Options, Plan};
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tally::Tally;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;

/// How often the line on a terminal changes.
const LIVELY: Duration = Duration::from_millis(250);
/// How often a line is printed elsewhere.
const PLAIN: Duration = Duration::from_secs(5);

/// How long an access token is used.
const SIGN_IN: Duration = Duration::from_secs(600);

/// Scanners that lose their connection for a while.
const OFFLINE: usize = 3;

/// The command.
pub fn run(mut args: Args) -> Result<ExitCode> {
    let options = Options {
        guests: args.parsed("--guests")?.unwrap_or(5_000),
        scanners: args.parsed("--scanners")?.unwrap_or(20),
        rate: args.parsed("--rate")?.unwrap_or(50.0),
        seconds: args.parsed("--seconds")?,
        seed: args.parsed("--seed")?.unwrap_or(1),
    };
    let offline = args.parsed("--offline")?.unwrap_or(OFFLINE);
    let url = args.option("--url")?;
    args.done()?;
    if options.guests > 100_000 || !(1..=500).contains(&options.scanners) {
        bail!("a demo has up to 100,000 guests and 1 to 500 scanners");
    }
    if !(options.rate > 0.0 && options.rate <= 2_000.0) {
        bail!("a demo has up to 2,000 scans a second");
    }
    let url = url.unwrap_or_else(|| format!("http://127.0.0.1:{}", command::PORT));
    command::block_on(async {
        tokio::select! {
            equal = event(&url, &options, offline) => Ok(match equal? {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            }),
            result = command::interrupted() => {
                result?;
                say::warn("interrupted; what was scanned is on the dashboard");
                Ok(ExitCode::FAILURE)
            }
        }
    })
}

/// The whole event; answers whether the dashboard agrees.
async fn event(url: &str, options: &Options, offline: usize) -> Result<bool> {
    let plan = Plan::of(options);
    let mut api = Api::at(url)?;
    sign_in(&mut api, url).await?;
    let step = Step::begin(format!(
        "{} guests, {} scanners",
        options.guests, options.scanners
    ));
    let (table, scanners, enabled) = prepare(&api, &plan).await?;
    let download = Download::read(&api, &table, &enabled).await?;
    step.done("");
    say::note(format!(
        "{} scans in {}, seed {}",
        whole(plan.scans.len() as f64),
        time(plan.length()),
        options.seed
    ));
    println!(
        "\n  dashboard   {}/pulse/{table}\n",
        url.trim_end_matches('/')
    );
    let tally: Shared = Arc::new(Mutex::new(Tally::of(options.guests)));
    let began = Instant::now();
    let outage = (offline, download);
    let driven = drive(&api, &table, plan, &scanners, &tally, &outage);
    tokio::select! {
        () = driven => {}
        never = progress(api.clone(), &table, &tally, began) => never?,
    }
    let took = began.elapsed();
    clear_line();
    api.renew().await?;
    let dashboard = recorded(&api, &table).await?;
    Ok(summary(&tally, &dashboard, took))
}

/// The demo account of `cargo xtask dev`, or a new one where there is none.
async fn sign_in(api: &mut Api, url: &str) -> Result<()> {
    let found = api.login(seed::EMAIL, seed::PASSWORD).await;
    if found.with_context(|| format!("no Pulse at {url}; start one with `cargo xtask dev`"))? {
        say::note(format!(
            "signed in as {} (password {})",
            seed::EMAIL,
            seed::PASSWORD
        ));
        return Ok(());
    }
    api.register("Demo").await?;
    say::note("registered a new account");
    Ok(())
}

async fn prepare(api: &Api, plan: &Plan) -> Result<(String, Vec<Scanner>, Value)> {
    let table = api
        .guest_list("Demo: a night with doors", &plan.csv())
        .await?;
    let gates: Vec<Value> = GATES
        .iter()
        .map(|(name, categories)| json!({"name": name, "categories": categories}))
        .collect();
    let enable = json!({"table_id": table, "settings": {"allow_reentry": true}, "gates": gates});
    let enabled = api.post("/pulse", &enable).await?;
    let mut scanners = Vec::new();
    for (number, gate) in plan.scanners.iter().enumerate() {
        let (gate, _) = GATES[*gate];
        scanners.push(
            api.scanner(&table, &format!("{gate} {}", number + 1), gate)
                .await?,
        );
    }
    Ok((table, scanners, enabled))
}

/// Sends every guest to a scanner at the planned time, and waits until all were attended to. So many
/// scanners are without a connection for a third of the event, one after the other.
async fn drive(
    api: &Api,
    table: &str,
    plan: Plan,
    scanners: &[Scanner],
    tally: &Shared,
    (offline, download): &(usize, Download),
) {
    let mut queues = Vec::new();
    let mut devices = JoinSet::new();
    let (doors, length) = (Instant::now(), plan.length());
    for (number, scanner) in scanners.iter().enumerate() {
        let (queue, guests) = unbounded_channel();
        queues.push(queue);
        let mut device = Device::new(&api.target, table, scanner, tally);
        if number < *offline {
            let share = 0.1 + 0.5 * number as f64 / *offline as f64;
            let from = doors + length.mul_f64(share);
            let table = Disconnected::new(download, scanner);
            device = device.without_connection(from, from + length / 3, table);
        }
        devices.spawn(device.work(guests));
    }
    let doors = tokio::time::Instant::from_std(doors);
    for (number, scan) in (0..).zip(plan.scans) {
        tokio::time::sleep_until(doors + scan.at).await;
        if let Some(queue) = queues.get(scan.scanner) {
            let _ = queue.send((number, scan));
        }
    }
    drop(queues);
    while devices.join_next().await.is_some() {}
}

/// Shows how it goes; never ends by itself.
async fn progress(mut api: Api, table: &str, tally: &Shared, began: Instant) -> Result<()> {
    let lively = std::io::stderr().is_terminal();
    let pace = if lively { LIVELY } else { PLAIN };
    let mut ticks = tokio::time::interval(pace);
    ticks.tick().await;
    let (mut asked, mut signed_in) = (Instant::now(), Instant::now());
    let mut dashboard = api.dashboard(table).await.unwrap_or_default();
    loop {
        ticks.tick().await;
        if signed_in.elapsed() > SIGN_IN {
            signed_in = Instant::now();
            let _ = api.renew().await;
        }
        if asked.elapsed() >= Duration::from_secs(1) {
            asked = Instant::now();
            dashboard = api.dashboard(table).await.unwrap_or(dashboard);
        }
        let line = with(tally, |tally| line(tally, &dashboard, began.elapsed()));
        if lively {
            eprint!("\r\x1b[K{line}");
            std::io::stderr().flush()?;
        } else {
            eprintln!("{line}");
        }
    }
}

fn line(tally: &mut Tally, dashboard: &Value, elapsed: Duration) -> String {
    let count = |value: &Value| value.as_f64().map_or_else(|| "?".to_owned(), whole);
    format!(
        "  {:>5.0} s  {} scans  accepted {}  duplicate {}  refused {}  p50 {} p95 {} ms  inside {}  behind {}",
        elapsed.as_secs_f64(),
        whole(tally.answered as f64),
        whole(tally.accepted as f64),
        tally.duplicates,
        tally.refusals(),
        ms(tally.latencies.percentile(0.5)),
        ms(tally.latencies.percentile(0.95)),
        count(&dashboard["inside"]),
        count(&dashboard["record"]["behind"]),
    )
}

fn clear_line() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}

/// The dashboard once Postgres has everything, or as it is after half a minute.
async fn recorded(api: &Api, table: &str) -> Result<Value> {
    let asked = Instant::now();
    loop {
        let dashboard = api.dashboard(table).await?;
        if dashboard["record"]["behind"] == 0 || asked.elapsed() > Duration::from_secs(30) {
            return Ok(dashboard);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Says what was sent, and compares it; answers whether it is all the same.
fn summary(tally: &Shared, dashboard: &Value, took: Duration) -> bool {
    with(tally, |tally| {
        println!(
            "{} scans in {}: {:.1} a second; p50 {} p95 {} p99 {} ms; {} sent again, {} of them answered before; {} decided without a connection",
            whole(tally.answered as f64),
            time(took),
            tally.answered as f64 / took.as_secs_f64().max(1e-9),
            ms(tally.latencies.percentile(0.5)),
            ms(tally.latencies.percentile(0.95)),
            ms(tally.latencies.percentile(0.99)),
            tally.retries,
            tally.replays,
            whole(tally.offline as f64),
        );
        println!("\n  {:<38} {:>8}    {:>8}", "", "scanners", "dashboard");
        let lines = tally.compare(dashboard);
        lines.iter().for_each(|line| println!("{}", line.shown()));
        let equal = lines.iter().all(tally::Line::equal);
        println!(
            "\n{}",
            match equal {
                true => paint("32", "the dashboard says what the scanners were told"),
                false => paint(
                    "31;1",
                    "the dashboard does NOT say what the scanners were told"
                ),
            }
        );
        equal
    })
}
