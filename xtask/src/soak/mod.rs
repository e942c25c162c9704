//! `cargo xtask soak`: a long run of seeded operations against a stack that things happen to, and a
//! judgement of what every client was told.
//!
//! Invariant: the same seed asks for the same operations of each client; who comes first is up to the
//! machine. Nothing is judged by the product's own counts alone.
//! Failure: exit code 1 when a promise was broken, with what shows it; the stack's folder is kept.

mod client;
mod judge;
mod link;
mod round;
mod trouble;

use crate::args::Args;
use crate::bench::figures::whole;
use crate::bench::report::{self, Report, Table};
use crate::bench::rig;
use crate::command;
use crate::command::build::{self, Profile};
use crate::local::folder::Folder;
use crate::local::stack::{self, Options as StackOptions, Pooler, Stack};
use crate::project::Project;
use crate::{say, tools};
use anyhow::{Result, bail};
use judge::Found;
use pulse_tests::clock::{rfc3339, seconds_from_now};
use pulse_tests::history::PROMISES;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Operations of all rounds.
    pub operations: u64,
    /// Where chance starts.
    pub seed: u64,
    /// Scanners at work at once.
    pub clients: u64,
    /// Operations of one round, which is one event.
    pub round: u64,
    /// Operations between two faults, on average.
    pub every: u64,
    /// No round begins after so many minutes.
    pub minutes: u64,
}

/// The command.
pub fn run(project: &Project, mut args: Args) -> Result<ExitCode> {
    let options = Options {
        operations: args.parsed("--operations")?.unwrap_or(20_000),
        seed: args.parsed("--seed")?.unwrap_or(1),
        clients: args.parsed("--clients")?.unwrap_or(24),
        round: args.parsed("--round")?.unwrap_or(25_000),
        every: args.parsed("--faults-every")?.unwrap_or(2_000),
        minutes: args.parsed("--minutes")?.unwrap_or(24 * 60),
    };
    let write = args.flag("--write");
    let date = args.option("--date")?;
    let machine = args.option("--machine")?;
    args.done()?;
    if options.operations == 0 || !(1..=200).contains(&options.clients) {
        bail!("a soak has operations and 1 to 200 clients");
    }
    if !(1_000..=100_000).contains(&options.round) {
        bail!("a round has 1,000 to 100,000 operations");
    }
    if options.every < 100 {
        bail!(
            "a stack that is hit every {} operations does nothing else",
            options.every
        );
    }
    tools::ensure(project)?;
    build::worker(project, Profile::Release)?;
    let started = Instant::now();
    let ended = command::block_on(async {
        tokio::select! {
            found = soak(project, &options) => found.map(Some),
            result = command::interrupted() => result.map(|()| None),
        }
    })?;
    let Some(found) = ended else {
        say::warn("interrupted; nothing is judged");
        return Ok(ExitCode::FAILURE);
    };
    let today = rfc3339(seconds_from_now(0))[..10].to_owned();
    let (date, machine) = (
        date.unwrap_or(today),
        machine.unwrap_or_else(|| rig::machine(project)),
    );
    let Options {
        operations,
        seed,
        round,
        ..
    } = options;
    let made = format!(
        "`cargo xtask soak --operations {operations} --seed {seed} --round {round}` on {date}: {machine}."
    );
    let text = report_of(&found, &options, started.elapsed()).markdown(&made);
    println!("\n{text}");
    if write {
        report::write(project, "soak", &text)?;
    }
    found.faults.iter().take(20).for_each(say::warn);
    Ok(match found.faults.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Every round, on one stack.
async fn soak(project: &Project, options: &Options) -> Result<Found> {
    let folder = Folder::fresh(project, "soak")?;
    let path = folder.path.clone();
    let mut vars = stack::local_vars("test", "error");
    vars.insert("RATE_LIMIT".to_owned(), "off".to_owned());
    let stack = StackOptions {
        folder,
        port: 0,
        database: None,
        durable: false,
        pooler: Pooler::Proxy { strict: true },
        crons: false,
        vars,
    };
    let stack = Arc::new(Stack::start(project, stack).await?);
    let outcome = rounds(&stack, options).await;
    stack.stop().await;
    drop(stack);
    match &outcome {
        Ok(found) if found.faults.is_empty() => {
            let _ = Folder::claim(&path).and_then(|folder| folder.clear());
        }
        _ => stack::say_logs(&path),
    }
    outcome
}

async fn rounds(stack: &Arc<Stack>, options: &Options) -> Result<Found> {
    let mut found = Found::default();
    let (mut number, began) = (0, Instant::now());
    while found.operations < options.operations {
        if began.elapsed() > Duration::from_secs(60 * options.minutes) {
            say::warn("the time is up");
            break;
        }
        let left = options.operations - found.operations;
        // No last round of a few operations.
        let size = if left < options.round * 3 / 2 {
            left
        } else {
            options.round
        };
        found.join(round::run(stack, options, number, size).await?);
        number += 1;
        say::note(format!(
            "{} of {} operations, {} faults",
            whole(found.operations as f64),
            whole(options.operations as f64),
            found.faults.len()
        ));
        if found.faults.len() > 1_000 {
            bail!("too many faults to go on; the first: {}", found.faults[0]);
        }
    }
    Ok(found)
}

fn report_of(found: &Found, options: &Options, took: Duration) -> Report {
    let mut report = Report::default();
    let count = |count: u64| whole(count as f64);
    let mut table = Table::new("What was done", &["", "count"]);
    for (what, number) in found.done() {
        table.row([what.to_owned(), count(number)]);
    }
    report.table(table);
    let mut table = Table::new("What happened meanwhile", &["", "count"]);
    for (what, number) in found.trouble.all() {
        table.row([what.to_owned(), count(number)]);
    }
    report.table(table);
    let mut table = Table::new("What was found", &["", "count"]);
    for promise in PROMISES {
        let broken = found.faults.iter().filter(|one| one.promise == promise);
        table.row([promise.broken().to_owned(), count(broken.count() as u64)]);
    }
    report.table(table);
    report.note(format!(
        "{} of the {} operations asked for were run, by {} clients in {} rounds of one event each, with a fault every {} operations, in {}; seed {}.",
        count(found.operations),
        count(options.operations),
        options.clients,
        found.rounds,
        count(options.every),
        say::time(took),
        options.seed
    ));
    report
}
