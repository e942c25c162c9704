//! The release build and its limits: size, and time from the start of the process to an answer.
//!
//! Invariant: start-up is measured against an empty JavaScript Worker in turns, so that a busy
//! machine slows both.
//! Failure: a number over its limit is a failed check; all numbers are printed.

use super::Tally;
use crate::command::build::{self, Profile};
use crate::project::Project;
use crate::run;
use crate::say::{self, Step};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::process::Command;

/// The largest gzipped Worker, in KiB.
const GZIP_LIMIT: usize = 1024;
/// The largest Worker as it is, in KiB.
const RAW_LIMIT: usize = 3072;
/// The most that start-up may take over an empty Worker's, in milliseconds.
const STARTUP_LIMIT: f64 = 150.0;

/// Medians in milliseconds, from the start of workerd to the first answer.
#[derive(Debug, Deserialize)]
struct Startup {
    pulse: f64,
    empty: f64,
    rounds: usize,
}

/// Builds, measures, compares.
pub fn run(project: &Project) -> Result<Tally> {
    build::worker(project, Profile::Release)?;
    let size = build::size(project)?;
    let mut tally = Tally::one(true);
    tally.add(&limit("gzipped size in KiB", size.gzip as f64 / 1024.0, GZIP_LIMIT as f64));
    tally.add(&limit("raw size in KiB", size.raw as f64 / 1024.0, RAW_LIMIT as f64));
    let step = Step::begin("start-up, in turns with an empty Worker");
    let mut node = Command::new(project.node());
    node.arg(project.at("xtask/runtime/startup.mjs")).arg(&project.root);
    let text = run::output(&mut node).context("xtask/runtime/startup.mjs failed")?;
    let startup: Startup = serde_json::from_str(&text)?;
    step.done(format!(
        "{:.0} ms, empty {:.0} ms, medians of {}",
        startup.pulse, startup.empty, startup.rounds
    ));
    tally.add(&limit("start-up over an empty Worker in ms", startup.pulse - startup.empty, STARTUP_LIMIT));
    Ok(tally)
}

/// Prints a number beside its limit.
fn limit(what: &str, value: f64, limit: f64) -> Tally {
    let passed = value <= limit;
    let line = format!("{what}: {value:.0} (limit {limit:.0})");
    if passed { say::note(line) } else { say::warn(line) }
    Tally::one(passed)
}
