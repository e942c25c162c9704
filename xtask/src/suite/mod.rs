//! `cargo xtask test`: every check of the project, in order, with a summary.
//!
//! Invariant: a step that fails does not hide the others; what cannot run on this machine is said
//! loudly and is no success.
//! Failure: exit code 1 when anything failed; with `--require-all` a step that cannot run has failed.
//! The last line is `N passed, N failed`.

mod browser;
mod browser_rules;
mod cargo;
mod commands;
mod documents;
mod live;
mod migrations;
mod monitor;
mod node;
mod schemathesis;
mod worker;

use crate::args::{Args, Usage};
use crate::command::build::Profile;
use crate::local::database::Address;
use crate::project::Project;
use crate::say::{self, paint, time};
use crate::tools;
use anyhow::Result;
use live::Live;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// A step by its name, and what it is.
const STEPS: [(&str, &str); 13] = [
    ("fmt", "formatting"),
    ("clippy", "lints, for this machine and for wasm"),
    (
        "host",
        "tests of the rules, the Worker's library and boundary, xtask and the architecture",
    ),
    (
        "migrate",
        "migrations: twice, and two at once, on an empty server",
    ),
    (
        "wasm",
        "release build of the Worker, size and start-up limits",
    ),
    (
        "browser-rules",
        "the rules in wasm against the rules here, and their size",
    ),
    ("deploy", "wrangler.toml against the code"),
    ("e2e", "end-to-end tests through the strict proxy"),
    ("browser", "the pages in a real browser"),
    (
        "commands",
        "demo, openapi, cases, the lines of the documents (the monitor's against a real replica), and a stack on DATABASE_URL",
    ),
    (
        "schemathesis",
        "generated requests against the API document",
    ),
    ("faults", "kill -9, Postgres down, evictions"),
    (
        "pgbouncer",
        "end-to-end tests again, through PgBouncer in transaction mode",
    ),
];
/// The steps that a filter makes sense for.
const FILTERED: [&str; 3] = ["host", "e2e", "faults"];

/// What came of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that failed; a step that could not finish counts as one.
    pub failed: usize,
    /// Why the step did not run, with the way out.
    pub missing: Option<String>,
    /// What went wrong, in lines for the summary: whoever reads that has often not the rest.
    pub wrong: Vec<String>,
}

impl Tally {
    /// One check with one outcome.
    pub fn one(passed: bool) -> Self {
        Self {
            passed: usize::from(passed),
            failed: usize::from(!passed),
            ..Self::default()
        }
    }

    /// A step that cannot run here.
    pub fn missing(why: impl Into<String>) -> Self {
        Self {
            missing: Some(why.into()),
            ..Self::default()
        }
    }

    /// The same, with a step that could not run as a failure where all are required.
    fn judged(mut self, require_all: bool) -> Self {
        if require_all && self.missing.is_some() {
            self.failed = self.failed.max(1);
        }
        self
    }

    fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.wrong.extend_from_slice(&other.wrong);
    }
}

/// The command.
pub fn run(project: &Project, mut args: Args) -> Result<ExitCode> {
    if args.flag("--list") {
        for (name, what) in STEPS {
            println!("{name:<14} {what}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let keep = args.flag("--keep");
    let require_all = args.flag("--require-all");
    let profile = match args.flag("--dev") {
        true => Profile::Dev,
        false => Profile::Release,
    };
    let server = args.option("--database-url")?;
    let server = server.map(|url| Address::parse(&url)).transpose()?;
    let only = chosen(&mut args, "--only")?;
    let skip = chosen(&mut args, "--skip")?;
    let filter = args.word();
    args.done()?;
    let wanted = |name: &str| {
        let default = if filter.is_some() {
            FILTERED.contains(&name)
        } else {
            true
        };
        let picked = if only.is_empty() {
            default
        } else {
            only.iter().any(|step| step == name)
        };
        picked && !skip.iter().any(|step| step == name)
    };
    tools::ensure(project)?;
    let mut live = Live::new(project, profile, keep, server.clone());
    let mut rows = Vec::new();
    for (name, what) in STEPS.into_iter().filter(|(name, _)| wanted(name)) {
        eprintln!("\n{} {what}", paint("1", &format!("── {name}:")));
        let started = Instant::now();
        let outcome = match name {
            "migrate" => migrations::run(project, server.as_ref()),
            _ => step(project, &mut live, name, filter.as_deref()),
        };
        let tally = outcome.unwrap_or_else(|error| {
            say::failure(&error);
            let mut tally = Tally::one(false);
            tally.wrong.push(format!("{error:#}"));
            tally
        });
        let tally = tally.judged(require_all);
        if let Some(why) = &tally.missing {
            say::warn(format!("NOT RUN: {why}"));
        }
        rows.push((name, tally, started.elapsed()));
    }
    live.end(rows.iter().all(|(_, tally, _)| tally.failed == 0));
    Ok(summary(&rows))
}

/// The steps an option names.
fn chosen(args: &mut Args, option: &str) -> Result<Vec<String>> {
    let mut chosen = Vec::new();
    while let Some(names) = args.option(option)? {
        for name in names.split(',') {
            if !STEPS.iter().any(|(step, _)| *step == name) {
                let known: Vec<_> = STEPS.iter().map(|(step, _)| *step).collect();
                return Err(Usage(format!("no step {name:?}; steps: {}", known.join(", "))).into());
            }
            chosen.push(name.to_owned());
        }
    }
    Ok(chosen)
}

fn step(project: &Project, live: &mut Live, name: &str, filter: Option<&str>) -> Result<Tally> {
    let tally = match name {
        "fmt" => cargo::fmt(project),
        "clippy" => cargo::clippy(project),
        "host" => cargo::host(project, filter),
        "wasm" => worker::run(project),
        "browser-rules" => browser_rules::run(project),
        "deploy" => crate::deploy::check(project),
        "e2e" => live.e2e(filter),
        "browser" => live.browser(),
        "commands" => live.commands(),
        "schemathesis" => live.schemathesis(),
        "faults" => live.faults(filter),
        _ => live.pgbouncer(filter),
    }?;
    Ok(live.without_panics(tally))
}

/// Prints the table and the last line.
fn summary(rows: &[(&str, Tally, Duration)]) -> ExitCode {
    let mut total = Tally::default();
    println!();
    for (name, tally, took) in rows {
        total.add(tally);
        let (mark, result) = match tally {
            Tally {
                missing: Some(why), ..
            } => (paint("33;1", "!"), format!("NOT RUN: {why}")),
            Tally {
                failed: 0, passed, ..
            } => (paint("32", "✓"), format!("{passed} passed")),
            Tally { failed, passed, .. } => (
                paint("31;1", "✗"),
                format!("{passed} passed, {failed} FAILED"),
            ),
        };
        println!("{mark} {name:<14} {:>12}   {result}", time(*took));
        for line in tally.wrong.iter().filter(|_| tally.failed > 0) {
            println!("      {line}");
        }
    }
    let took: Duration = rows.iter().map(|(_, _, took)| *took).sum();
    println!("  {:<14} {:>12}\n", "in all", time(took));
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_could_not_run_is_no_success_where_all_are_required() {
        let ends = |tally: Tally, require_all| {
            let fine = ("fine", Tally::one(true), Duration::ZERO);
            let row = ("step", tally.judged(require_all), Duration::ZERO);
            summary(&[fine, row])
        };
        for (tally, here, everywhere) in [
            (Tally::one(true), ExitCode::SUCCESS, ExitCode::SUCCESS),
            (Tally::missing("none"), ExitCode::SUCCESS, ExitCode::FAILURE),
            (Tally::one(false), ExitCode::FAILURE, ExitCode::FAILURE),
        ] {
            assert_eq!(ends(tally.clone(), false), here, "{tally:?}");
            assert_eq!(ends(tally.clone(), true), everywhere, "{tally:?}");
        }
    }
}
