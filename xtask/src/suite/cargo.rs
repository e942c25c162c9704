//! Steps that cargo carries out: formatting, lints, tests on this machine.
//!
//! Invariant: what the user sees is cargo's own output; the counts are read from it.
//! Failure: a test run that ends badly without a failed test (it does not compile, it crashed)
//! counts as one failure.

use super::{Tally, node};
use crate::project::Project;
use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// How many lines of what went wrong are in the summary, and how many letters of each.
const TOLD: usize = 3;
/// See [`TOLD`].
const WIDE: usize = 400;

/// Is everything formatted?
pub fn fmt(project: &Project) -> Result<Tally> {
    let mut cargo = project.cargo();
    let status = cargo
        .args(["fmt", "--all", "--check"])
        .status()
        .context("cannot run cargo fmt")?;
    Ok(Tally::one(status.success()))
}

/// No lint fires, neither here nor in what is compiled for wasm alone.
pub fn clippy(project: &Project) -> Result<Tally> {
    let mut tally = Tally::default();
    let worker = [
        "--package",
        "pulse",
        "--package",
        "pulse-scanner-core",
        "--lib",
        "--target",
        "wasm32-unknown-unknown",
    ];
    for scope in [&["--workspace", "--all-targets"][..], &worker] {
        let mut cargo = project.cargo();
        cargo
            .arg("clippy")
            .args(scope)
            .args(["--", "--deny", "warnings"]);
        let status = cargo.status().context("cannot run cargo clippy")?;
        tally.add(&Tally::one(status.success()));
    }
    Ok(tally)
}

/// Tests that need no stack.
pub fn host(project: &Project, filter: Option<&str>) -> Result<Tally> {
    let products = [
        "--package",
        "rules",
        "--package",
        "pulse",
        "--package",
        "pulse-scanner-core",
        "--package",
        "xtask",
        "--lib",
    ];
    let mut first: Vec<&str> = products.to_vec();
    first.extend(["--bins", "--tests"]);
    let mut tally = test(project, &first, filter, &[], &[])?;
    let second = ["--package", "pulse-tests", "--test", "architecture"];
    tally.add(&test(project, &second, filter, &[], &[])?);
    if filter.is_none() {
        tally.add(&node::run(project)?);
    }
    Ok(tally)
}

/// Runs `cargo test` with what it needs to know in its environment, and counts.
pub fn test(
    project: &Project,
    scope: &[&str],
    filter: Option<&str>,
    harness: &[&str],
    environment: &[(&str, String)],
) -> Result<Tally> {
    let mut cargo = project.cargo();
    cargo
        .arg("test")
        .args(scope)
        .arg("--no-fail-fast")
        .args(filter);
    cargo.arg("--").args(harness);
    cargo.envs(environment.iter().map(|(name, value)| (name, value)));
    counted(&mut cargo, count_libtest)
}

/// Runs a command, shows its output and counts what `count` finds in each line.
pub fn counted(command: &mut Command, count: fn(&str) -> Option<(usize, usize)>) -> Result<Tally> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {name}"))?;
    let stdout = child.stdout.take().context("no output")?;
    let mut tally = Tally::default();
    let mut more = 0;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        writeln!(std::io::stdout(), "{line}")?;
        if tells(&line) {
            more = TOLD;
        }
        if more > 0 {
            more -= 1;
            tally.wrong.push(line.chars().take(WIDE).collect());
        }
        if let Some((passed, failed)) = count(&line) {
            tally.passed += passed;
            tally.failed += failed;
        }
    }
    if !child.wait()?.success() && tally.failed == 0 {
        tally.failed = 1;
    }
    Ok(tally)
}

/// Whether a line begins to tell what went wrong: in the words of Rust, of TAP, and of the browser tests.
fn tells(line: &str) -> bool {
    let panicked = line.starts_with("thread '") && line.contains(" panicked at ");
    panicked || line.starts_with("not ok ") || line.starts_with("FAIL ")
}

/// `test result: ok. 3 passed; 0 failed; …`
fn count_libtest(line: &str) -> Option<(usize, usize)> {
    let rest = line.strip_prefix("test result: ")?;
    let before = |word: &str| {
        rest.split(word)
            .next()?
            .rsplit([' ', '.', ';'])
            .next()?
            .parse()
            .ok()
    };
    Some((before(" passed")?, before(" failed")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_counted_from_the_harness() {
        let line =
            "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(count_libtest(line), Some((12, 3)));
        assert_eq!(
            count_libtest("test result: ok. 0 passed; 0 failed; 0 ignored"),
            Some((0, 0))
        );
        assert_eq!(count_libtest("test a_test ... ok"), None);
    }

    #[test]
    fn what_went_wrong_is_kept_for_the_summary() {
        let said = "fine\nthread 'a' (7) panicked at b.rs:1:2:\nleft: 1\nright: 2\nnote: more";
        let mut tests = Command::new("printf");
        let none = |_: &str| None;
        let told = counted(tests.arg(said), none).unwrap();
        let expected: Vec<_> = said.lines().skip(1).take(3).collect();
        assert_eq!(told.wrong, expected);
    }

    #[test]
    fn a_run_that_breaks_off_is_a_failure() {
        // Not the harness's own words: this output may be counted itself.
        let count = |line: &str| (line == "two are fine").then_some((2, 0));
        let mut broken = Command::new("sh");
        broken.args(["-c", "exit 101"]);
        assert_eq!(counted(&mut broken, count).unwrap(), Tally::one(false));
        let mut fine = Command::new("sh");
        fine.args(["-c", "echo 'two are fine'"]);
        let two = Tally {
            passed: 2,
            ..Tally::default()
        };
        assert_eq!(counted(&mut fine, count).unwrap(), two);
    }
}
