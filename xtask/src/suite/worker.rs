//! The release build and its limits: size, and time from the start of the process to an answer.
//!
//! Invariant: start-up is measured against an empty JavaScript Worker in turns, so that a busy
//! machine slows both.
//! Failure: a number over its limit is a failed check; all numbers are printed.

use super::Tally;
use super::migrations::check;
use crate::command::build::{self, Profile};
use crate::project::Project;
use crate::run;
use crate::say::Step;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::process::Command;

/// The largest gzipped Worker, in KiB. Less is a faster first request.
const GZIP_LIMIT: f64 = 6144.0;
/// The largest Worker as it is, in KiB. Cloudflare allows 64 MiB.
const RAW_LIMIT: f64 = 18432.0;
/// The most CPU that start-up may take over an empty Worker's, in ms: twice what it takes on a quiet
/// machine, because a busy one adds to it. Cloudflare allows 1 s.
const CPU_LIMIT: f64 = 220.0;
/// The most time that start-up may take over an empty Worker's, in ms; wide, for busy machines.
const WALL_LIMIT: f64 = 800.0;

/// What `startup.mjs` prints.
#[derive(Debug, Deserialize)]
struct Startup {
    pulse: Times,
    empty: Times,
    rounds: usize,
}

/// Medians in ms, from the start of workerd to the first answer.
#[derive(Debug, Deserialize)]
struct Times {
    wall: f64,
    cpu: Option<f64>,
}

/// Builds, measures, compares.
pub fn run(project: &Project) -> Result<Tally> {
    build::worker(project, Profile::Release)?;
    let size = build::size(project)?;
    let mut tally = Tally::one(true);
    tally.add(&limit(
        "gzipped size in KiB",
        size.gzip as f64 / 1024.0,
        GZIP_LIMIT,
    ));
    tally.add(&limit(
        "raw size in KiB",
        size.raw as f64 / 1024.0,
        RAW_LIMIT,
    ));
    let step = Step::begin("start-up, in turns with an empty Worker");
    let mut node = Command::new(project.node());
    node.arg(project.at("xtask/runtime/startup.mjs"))
        .arg(&project.root);
    let text = run::output(&mut node).context("xtask/runtime/startup.mjs failed")?;
    let Startup {
        pulse,
        empty,
        rounds,
    } = serde_json::from_str(&text)?;
    step.done(format!(
        "workerd to first answer {:.0} ms, an empty Worker's {:.0} ms, medians of {rounds}",
        pulse.wall, empty.wall
    ));
    let over = pulse.wall - empty.wall;
    tally.add(&limit(
        "start-up over an empty Worker's in ms",
        over,
        WALL_LIMIT,
    ));
    if let (Some(pulse), Some(empty)) = (pulse.cpu, empty.cpu) {
        tally.add(&limit(
            "start-up CPU over an empty Worker's in ms",
            pulse - empty,
            CPU_LIMIT,
        ));
    }
    Ok(tally)
}

/// Prints a number beside its limit.
fn limit(what: &str, value: f64, limit: f64) -> Tally {
    check(
        &format!("{what}: {value:.0} (limit {limit:.0})"),
        value <= limit,
    )
}
