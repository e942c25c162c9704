//! What the documents tell a new user to type, typed: the first scan, the first report and the first
//! alert.
//!
//! Invariant: the lines are those that stand in the documents; only the address is the stack's own,
//! and a pause is longer, because the machine of a test is busier than a user's.
//! Failure: each expectation that does not hold is one failed check, with what was answered.

use super::Tally;
use super::migrations::check;
use super::monitor;
use crate::local::database::Address;
use crate::local::seed;
use crate::local::shop::Shop;
use crate::project::Project;
use crate::say;
use anyhow::{Context, Result, bail};
use pulse_tests::authority::Authority;
use pulse_tests::replica::Cluster;
use serde_json::Value;
use std::process::Command;

/// The address in the documents.
const ADDRESS: &str = "http://127.0.0.1:8787";
/// The pause in the documents, and here.
const PAUSE: (&str, &str) = ("sleep 3", "sleep 20");
/// Lines to type, without the fence.
const LINES: usize = 5;

/// The checks; `url` is the running stack's, whose Worker trusts the authority.
pub async fn run(project: &Project, url: &str, authority: Authority) -> Result<Tally> {
    let demo = seed::demo(url).await?;
    let readme = std::fs::read_to_string(project.at("README.md"))?;
    let reports = std::fs::read_to_string(project.at("docs/reports.md"))?;
    let guide = std::fs::read_to_string(project.at("docs/monitor.md"))?;
    let scan = block(&readme, "The first scan")?;
    let report = block(&readme, "The first report")?;
    let alert = block(&readme, "The first alert")?;
    let mut tally = check(
        "README.md and docs/reports.md show the same first report",
        block(&reports, "Reports").is_ok_and(|other| other == report),
    );
    tally.add(&check(
        "README.md and docs/monitor.md show the same first alert",
        block(&guide, "The monitor").is_ok_and(|other| other == alert),
    ));
    let short = [scan, report, alert]
        .iter()
        .all(|lines| lines.lines().count() == LINES);
    tally.add(&check(
        "a first scan, report and alert are five lines each",
        short,
    ));
    tally.add(&told(
        "the first scan lets Ada in",
        &typed(scan, url)?,
        |answers| {
            let last = answers.last().context("no answer")?;
            Ok(last["verdict"] == "accepted" && last["guest"]["name"] == "Ada")
        },
    ));
    tally.add(&told(
        "the first report is in the outbox",
        &typed(report, url)?,
        |answers| {
            let [job, .., outbox] = answers else {
                bail!("two answers are expected");
            };
            let mail = &outbox["items"][0];
            Ok(mail["source_id"].is_string()
                && mail["source_id"] == job["id"]
                && mail["recipient"] == "you@example.org")
        },
    ));
    let cluster = Cluster::signed_by(authority).await;
    // The demo shop of `dev` is on the stack's own server; here it is on one that ends with the step.
    let server = Address::parse(&cluster.primary.url("postgres"))?;
    let shop = Shop::open(&server).await?;
    let watched = shop.watch(url, &demo.token).await?;
    tally.add(&told(
        "the first alert is in the outbox",
        &typed(alert, url)?,
        |answers| {
            let [made, outbox] = answers else {
                bail!("two answers are expected");
            };
            let mail = &outbox["items"][0];
            let subject = mail["subject"].as_str().unwrap_or_default();
            Ok(made["kind"] == "range"
                && mail["source_kind"] == "monitor"
                && mail["recipient"] == seed::EMAIL
                && subject.contains("Small orders of public.orders"))
        },
    ));
    watched.forget(url, &demo.token).await?;
    tally.add(&monitor::run(&guide, url, &cluster).await?);
    Ok(tally)
}

/// The first fenced lines behind a heading.
fn block<'a>(document: &'a str, heading: &str) -> Result<&'a str> {
    let behind = document.split_once(&format!("# {heading}\n"));
    let fenced = behind.and_then(|(_, text)| text.split_once("\n```\n"));
    let lines = fenced.and_then(|(_, text)| text.split_once("\n```\n"));
    let (lines, _) = lines.with_context(|| format!("no lines to type behind \"{heading}\""))?;
    Ok(lines)
}

/// Types the lines into a shell; what was answered.
pub fn typed(lines: &str, url: &str) -> Result<String> {
    let script = lines.replace(ADDRESS, url).replace(PAUSE.0, PAUSE.1);
    let output = Command::new("bash").args(["-c", &script]).output();
    let output = output.context("cannot run bash, which the lines of the documents are for")?;
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// One check of the answers, which are JSON one behind the other.
pub fn told(what: &str, said: &str, holds: impl Fn(&[Value]) -> Result<bool>) -> Tally {
    let answers: std::result::Result<Vec<Value>, _> = serde_json::Deserializer::from_str(said)
        .into_iter()
        .collect();
    let right = answers
        .map_err(anyhow::Error::from)
        .and_then(|answers| holds(&answers))
        .unwrap_or(false);
    if !right {
        say::note(said.chars().take(2_000).collect::<String>());
    }
    check(what, right)
}
