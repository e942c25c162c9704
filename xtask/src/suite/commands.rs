//! The project's other commands, as a user runs them: the demo, the document, case files, the lines
//! that the documents show, and a stack on a server that `DATABASE_URL` names.
//!
//! Invariant: each command is a process of its own, and its exit code counts.
//! Failure: each expectation that does not hold is one failed check, with the end of what was said.

use super::Tally;
use super::documents;
use super::migrations::check;
use crate::local::database::Address;
use crate::local::folder::Folder;
use crate::local::postgres::Embedded;
use crate::local::seed;
use crate::local::stack::{self, Options, Pooler, Stack};
use crate::project::Project;
use crate::say;
use anyhow::{Context, Result};
use pulse_tests::authority::Authority;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// What the demo says when the dashboard has it right.
const EQUAL: &str = "the dashboard says what the scanners were told";

/// How long a stack may take to be healthy.
const PATIENCE: Duration = Duration::from_secs(15);

/// The step; `url` is the running stack's, whose Worker trusts the authority.
pub async fn run(project: &Project, url: &str, authority: Authority) -> Result<Tally> {
    let folder = Folder::fresh(project, "commands")?;
    let mut tally = demo(url)?;
    tally.add(&document(url, &folder.path).await?);
    tally.add(&cases(project, &folder.path)?);
    tally.add(&documents::run(project, url, authority).await?);
    tally.add(&elsewhere(project, &folder.path).await?);
    folder.clear()?;
    Ok(tally)
}

/// Runs a command of the project.
fn xtask(args: &[&str]) -> Result<Output> {
    let program = std::env::current_exe()?;
    let output = Command::new(program).args(args).output();
    output.with_context(|| format!("cannot run xtask {}", args.join(" ")))
}

/// One check of an exit code; when it is another one, the end of what was said.
fn ends(what: &str, output: &Output, code: i32) -> Tally {
    let right = output.status.code() == Some(code);
    if !right {
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let lines: Vec<&str> = said.lines().collect();
        say::note(lines[lines.len().saturating_sub(15)..].join("\n"));
    }
    check(what, right)
}

fn demo(url: &str) -> Result<Tally> {
    let demo = "demo --guests 200 --scanners 6 --rate 40 --seconds 5 --offline 1 --url";
    let args: Vec<&str> = demo.split(' ').chain([url]).collect();
    let output = xtask(&args)?;
    let mut tally = ends("the demo ends well", &output, 0);
    let said = String::from_utf8_lossy(&output.stdout).contains(EQUAL);
    tally.add(&check("and says that the dashboard agrees", said));
    Ok(tally)
}

async fn document(url: &str, folder: &Path) -> Result<Tally> {
    let file = folder.join("openapi.json");
    let out = file.to_string_lossy();
    let output = xtask(&["openapi", "--out", &out])?;
    let mut tally = ends("openapi prints the document without a server", &output, 0);
    let printed: Value =
        serde_json::from_slice(&std::fs::read(&file).unwrap_or_default()).unwrap_or_default();
    let served = reqwest::get(format!("{url}/openapi.json")).await?;
    let served: Value = served.error_for_status()?.json().await?;
    let same = printed["paths"].is_object() && printed == served;
    tally.add(&check("and it is the one that the Worker serves", same));
    Ok(tally)
}

fn cases(project: &Project, folder: &Path) -> Result<Tally> {
    let mut tally = Tally::default();
    let right = project.at("rules/tests/cases/recovery_cases.json");
    let run = |kind: &str, path: &Path| xtask(&["cases", kind, &path.to_string_lossy()]);
    tally.add(&ends(
        "cases that hold end with 0",
        &run("recovery", &right)?,
        0,
    ));
    let wrong = folder.join("wrong.json");
    let mut cases: Value = serde_json::from_slice(&std::fs::read(&right)?)?;
    cases["cases"][0]["expect"] = json!("lost");
    std::fs::write(&wrong, cases.to_string())?;
    let failed = run("recovery", &wrong)?;
    tally.add(&ends("a case that does not hold ends with 1", &failed, 1));
    let told = String::from_utf8_lossy(&failed.stdout).contains("FAIL ");
    tally.add(&check("and is named", told));
    tally.add(&ends(
        "an unknown kind ends with 2",
        &run("tea", &right)?,
        2,
    ));
    std::fs::write(&wrong, "[")?;
    let broken = run("recovery", &wrong)?;
    tally.add(&ends("a file that is no case file ends with 2", &broken, 2));
    let series = project.at("rules/tests/cases/detector_cases.csv");
    let scored = run("detector", &series)?;
    tally.add(&ends("labelled series are scored", &scored, 0));
    let told = String::from_utf8_lossy(&scored.stdout).contains("\nprecision: 1.0000\n");
    tally.add(&check("and the precision is told", told));
    let rows = std::fs::read_to_string(&series)?;
    let line = rows.lines().count() + 1;
    std::fs::write(&wrong, format!("{}\ntea,count,now,1,0\n", rows.trim_end()))?;
    let broken = run("detector", &wrong)?;
    tally.add(&ends("a row that cannot be read ends with 2", &broken, 2));
    let told = String::from_utf8_lossy(&broken.stderr).contains(&format!("line {line}:"));
    tally.add(&check("and its line is named", told));
    Ok(tally)
}

/// A stack as `dev` makes it where `DATABASE_URL` names a server: twice, on one that is not its own.
async fn elsewhere(project: &Project, folder: &Path) -> Result<Tally> {
    let place = folder.join("server");
    std::fs::create_dir_all(&place)?;
    let mut server = Embedded::start(project, &place, false).await?;
    let outcome = on_a_server(project, server.owner()?).await;
    server.stop().await;
    outcome
}

/// Whether a stack comes to say that it is healthy: it may be short of something for a moment.
async fn healthy(url: &str) -> Result<bool> {
    let started = Instant::now();
    loop {
        let health = reqwest::get(format!("{url}/health")).await?.status();
        if health.is_success() || started.elapsed() > PATIENCE {
            return Ok(health.is_success());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn on_a_server(project: &Project, owner: Address) -> Result<Tally> {
    let mut tally = Tally::default();
    for fresh in [true, false] {
        let folder = Folder::fresh(project, "test")?;
        let path = folder.path.clone();
        let options = Options {
            folder,
            port: 0,
            database: Some(Address::parse(owner.url())?),
            durable: false,
            pooler: Pooler::Proxy { strict: true },
            crons: false,
            vars: stack::local_vars("test", "warn"),
        };
        let stack = Stack::start(project, options).await?;
        let health = healthy(&stack.url).await?;
        let demo = seed::demo(&stack.url).await;
        let own = stack.postgres.is_some();
        stack.stop().await;
        drop(stack);
        Folder::claim(&path)?.clear()?;
        let serves = health && !own;
        tally.add(&check(
            "a stack on DATABASE_URL serves, without a server of its own",
            serves,
        ));
        let there = demo.is_ok_and(|demo| demo.fresh == fresh && demo.table_id.is_some());
        tally.add(&check(
            match fresh {
                true => "and takes a demo event",
                false => "and finds it again",
            },
            there,
        ));
        let lives = owner.connect().await.is_ok();
        tally.add(&check("the server outlives the stack", lives));
    }
    Ok(tally)
}
