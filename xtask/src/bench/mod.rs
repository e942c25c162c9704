//! `cargo xtask bench`: the product against a JavaScript Worker that does the same, in one run.
//!
//! Invariant: load goes to this machine only and ends by itself; a number is never compared with
//! one of another run. A missed aim is said, and is no failure of the command.
//! Failure: a side that does not start or answers wrongly ends the bench; nothing is written then.

pub mod api;
mod checkin;
mod core;
mod fanout;
pub mod figures;
pub mod http;
mod lag;
mod load;
mod memory;
mod monitor;
pub mod report;
mod reports;
mod restart;
pub mod rig;
mod roster;
pub mod socket;
mod sockets;
mod statements;
mod ways;

use crate::args::{Args, Usage};
use crate::command::build::{self, Profile};
use crate::project::Project;
use crate::{say, tools};
use anyhow::Result;
use pulse_tests::clock::{rfc3339, seconds_from_now};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Slices of each side.
    pub slices: usize,
    /// Length of a slice.
    pub slice: Duration,
    /// Rounds of the sockets are divided by this.
    pub shorter: usize,
}

/// What is published.
const FULL: Scale = Scale {
    slices: 5,
    slice: Duration::from_millis(1_500),
    shorter: 1,
};
/// What is enough to see whether a change helped.
const QUICK: Scale = Scale {
    slices: 3,
    slice: Duration::from_millis(800),
    shorter: 4,
};

/// The command.
pub fn run(project: &Project, mut args: Args) -> Result<ExitCode> {
    let bench = args.word().unwrap_or_default();
    let quick = args.flag("--quick");
    let scram = args.flag("--scram");
    let date = args.option("--date")?;
    let machine = args.option("--machine")?;
    args.done()?;
    if !matches!(bench.as_str(), "checkin" | "core" | "monitor" | "reports") {
        return Err(Usage("bench needs checkin, core, monitor or reports".to_owned()).into());
    }
    if scram && bench != "core" {
        return Err(Usage("--scram is for bench core".to_owned()).into());
    }
    tools::ensure(project)?;
    build::worker(project, Profile::Release)?;
    let scale = if quick { QUICK } else { FULL };
    let started = Instant::now();
    let report = block_on(async {
        let measured = async {
            match bench.as_str() {
                "core" => core::run(project, &scale, scram).await,
                "monitor" => monitor::run(project, &scale).await,
                "reports" => reports::run(project, &scale).await,
                _ => checkin::run(project, &scale).await,
            }
        };
        tokio::select! {
            report = measured => report.map(Some),
            result = crate::command::interrupted() => result.map(|()| None),
        }
    })?;
    let Some(report) = report else {
        return Ok(ExitCode::FAILURE);
    };
    let today = rfc3339(seconds_from_now(0))[..10].to_owned();
    let date = date.unwrap_or(today);
    let machine = machine.unwrap_or_else(|| rig::machine(project));
    let made = format!("`cargo xtask bench {bench}` on {date}: {machine}.");
    let text = report.markdown(&made);
    println!("\n{text}");
    if quick || scram {
        say::note("not written to docs/benchmarks.md");
    } else {
        report::write(project, &bench, &text)?;
    }
    if !report.met() {
        say::warn("not every aim is met");
    }
    say::note(format!("took {}", say::time(started.elapsed())));
    Ok(ExitCode::SUCCESS)
}

/// One thread: the load shares its machine with what it measures.
fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(future)
}
