//! `cargo xtask deploy-check`: is `wrangler.toml` what the code needs, and how is it deployed?
//!
//! Invariant: nothing is changed and nobody is called; what cannot be known here (the account, the
//! database) is in the printed steps, not in the checks.
//! Failure: exit code 1 when a check fails; with `--ready` also when something has yet to be filled
//! in.

mod checks;
mod code;
mod steps;

use crate::args::Args;
use crate::project::Project;
use crate::say::paint;
use crate::suite::Tally;
use crate::tools;
use anyhow::{Context, Result};
use checks::{Finding, State};
use std::process::{Command, ExitCode};

/// The command.
pub fn run(project: &Project, mut args: Args) -> Result<ExitCode> {
    let ready = args.flag("--ready");
    args.done()?;
    tools::ensure(project)?;
    let findings = findings(project)?;
    print(&findings);
    let count = |state| {
        findings
            .iter()
            .filter(|finding| finding.state == state)
            .count()
    };
    let (bad, open) = (count(State::Bad), count(State::Open));
    println!();
    if bad > 0 {
        println!("{bad} checks failed: nothing was checked beyond this file and the code.");
        return Ok(ExitCode::FAILURE);
    }
    print!("{}", steps::text_of(&config(project)?));
    println!("\nwrangler.toml fits the code; {open} to fill in before the first deploy.");
    Ok(if ready && open > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// The same checks as a step of `cargo xtask test`.
pub fn check(project: &Project) -> Result<Tally> {
    let findings = findings(project)?;
    print(&findings);
    let failed = findings
        .iter()
        .filter(|finding| finding.state == State::Bad)
        .count();
    Ok(Tally {
        passed: findings.len() - failed,
        failed,
        ..Tally::default()
    })
}

fn findings(project: &Project) -> Result<Vec<Finding>> {
    let config = config(project)?;
    let code = code::Needs::read(&project.at("src"))?;
    let mut findings = checks::all(&config, &code, &runtime_date(project)?);
    findings.push(Finding::of(
        "the folder of the pages exists",
        project
            .at(&checks::text(&config, &["assets", "directory"]))
            .is_dir(),
        "assets.directory is not a folder",
    ));
    findings.push(understood(project));
    Ok(findings)
}

/// Wrangler's own opinion of the file.
fn understood(project: &Project) -> Finding {
    let mut node = Command::new(project.node());
    node.arg(project.at("xtask/runtime/read-config.mjs"))
        .arg(project.at("wrangler.toml"));
    let said = node.output().map(|output| {
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).trim().to_owned(),
        )
    });
    let (good, text) = said.unwrap_or_else(|error| (false, error.to_string()));
    Finding::of("wrangler reads the file without a complaint", good, text)
}

fn config(project: &Project) -> Result<toml::Table> {
    let path = project.at("wrangler.toml");
    let text = std::fs::read_to_string(&path).context("cannot read wrangler.toml")?;
    text.parse().context("wrangler.toml is not TOML")
}

/// The date of the pinned workerd, from the lock file: `1.20260722.1` is 2026-07-22.
fn runtime_date(project: &Project) -> Result<String> {
    let lock: serde_json::Value =
        serde_json::from_slice(&std::fs::read(project.at("package-lock.json"))?)?;
    let version = lock["packages"]["node_modules/workerd"]["version"].as_str();
    let digits = version
        .and_then(|version| version.split('.').nth(1))
        .unwrap_or_default();
    match (digits.get(..4), digits.get(4..6), digits.get(6..8)) {
        (Some(year), Some(month), Some(day)) => Ok(format!("{year}-{month}-{day}")),
        _ => anyhow::bail!("package-lock.json does not say which workerd is pinned"),
    }
}

fn print(findings: &[Finding]) {
    for finding in findings {
        let (mark, detail) = match finding.state {
            State::Good => (paint("32", "✓"), String::new()),
            State::Open => (paint("33;1", "…"), format!(": {}", finding.detail)),
            State::Bad => (paint("31;1", "✗"), format!(": {}", finding.detail)),
        };
        println!("{mark} {}{detail}", finding.what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The project's own file passes its own checks.
    #[test]
    fn the_file_in_the_repository_fits_the_code() {
        let project = Project::find().unwrap();
        let config = config(&project).unwrap();
        let code = code::Needs::read(&project.at("src")).unwrap();
        let date = runtime_date(&project).unwrap();
        let bad: Vec<_> = checks::all(&config, &code, &date)
            .into_iter()
            .filter(|finding| finding.state == State::Bad)
            .map(|finding| format!("{}: {}", finding.what, finding.detail))
            .collect();
        assert!(bad.is_empty(), "{bad:#?}");
    }
}
