//! What the documents tell a new user to type, typed: the first scan, the first report and the first
//! alert.
//!
//! Invariant: the lines are those that stand in the documents; only the address is the stack's own,
//! and a pause lasts until what is waited for is there, because the machine of a test is busier than a
//! user's.
//! Failure: each expectation that does not hold is one failed check, with what was answered.

use super::Tally;
use super::migrations::check;
use super::monitor;
use crate::local::database::Address;
use crate::local::seed::{self, Api};
use crate::local::shop::Shop;
use crate::project::Project;
use crate::say;
use anyhow::{Context, Result, bail};
use pulse_tests::authority::Authority;
use pulse_tests::replica::Cluster;
use reqwest::Method;
use serde_json::Value;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The address in the documents.
const ADDRESS: &str = "http://127.0.0.1:8787";
/// The pause in the documents, and here: until there is a line to read.
const PAUSE: (&str, &str) = ("sleep 3", "read -r");
/// How long something may take that a document says to wait for.
const PATIENCE: Duration = Duration::from_secs(60);
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
        &typed(scan, url).await?,
        |answers| {
            let last = answers.last().context("no answer")?;
            Ok(last["verdict"] == "accepted" && last["guest"]["name"] == "Ada")
        },
    ));
    let outbox = Outbox::of(url, &demo.token)?;
    tally.add(&told(
        "the first report is in the outbox",
        &typed_until(report, url, outbox.grows("report_job").await?).await?,
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
    // A user comes later than the alert that the shop itself gives cause for.
    let own = |mails: &[Value]| mails.iter().any(|mail| is_about(mail, "E-mail addresses"));
    tally.add(&check("the shop is watched", outbox.comes(own).await?));
    tally.add(&told(
        "the first alert is in the outbox",
        &typed_until(alert, url, outbox.grows("monitor").await?).await?,
        |answers| {
            let [made, outbox] = answers else {
                bail!("two answers are expected");
            };
            let mail = &outbox["items"][0];
            Ok(made["kind"] == "range"
                && mail["recipient"] == seed::EMAIL
                && is_about(mail, "Small orders of public.orders"))
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
pub async fn typed(lines: &str, url: &str) -> Result<String> {
    typed_until(lines, url, async { Ok(true) }).await
}

/// The same, where a pause lasts until `there`.
async fn typed_until(
    lines: &str,
    url: &str,
    there: impl Future<Output = Result<bool>>,
) -> Result<String> {
    let script = lines.replace(ADDRESS, url).replace(PAUSE.0, PAUSE.1);
    let mut shell = Command::new("bash")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run bash, which the lines of the documents are for")?;
    let there = there.await;
    if let Some(mut input) = shell.stdin.take() {
        // It may have ended without a pause.
        let _ = input.write_all(b"\n");
    }
    let output = shell.wait_with_output()?;
    there?;
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// The outbox of a tenant.
pub struct Outbox {
    api: Api,
    token: String,
}

impl Outbox {
    /// Of the tenant that a token is for.
    pub fn of(url: &str, token: &str) -> Result<Self> {
        Ok(Self {
            api: Api::at(url)?,
            token: token.to_owned(),
        })
    }

    /// Its mails, newest first.
    async fn mails(&self) -> Result<Vec<Value>> {
        let path = "/api/outbox?limit=10";
        let (_, outbox) = self
            .api
            .send(Method::GET, path, Some(&self.token), None)
            .await?;
        Ok(outbox["items"].as_array().cloned().unwrap_or_default())
    }

    /// Whether it comes to hold what is waited for; what it holds instead is said.
    pub async fn comes(&self, holds: impl Fn(&[Value]) -> bool) -> Result<bool> {
        let began = Instant::now();
        loop {
            let mails = self.mails().await?;
            if holds(&mails) {
                return Ok(true);
            }
            if began.elapsed() > PATIENCE {
                say::note(Value::from(mails));
                return Ok(false);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// What waits for a mail from a source that comes after those that there are now.
    async fn grows(&self, source: &str) -> Result<impl Future<Output = Result<bool>>> {
        let before = self.mails().await?.first().map(|mail| mail["id"].clone());
        Ok(self.comes(move |mails| {
            mails.first().is_some_and(|mail| {
                mail["source_kind"] == source && Some(&mail["id"]) != before.as_ref()
            })
        }))
    }
}

/// Whether a mail tells of an alert that is named so.
pub fn is_about(mail: &Value, name: &str) -> bool {
    let subject = mail["subject"].as_str().unwrap_or_default();
    mail["source_kind"] == "monitor" && subject.contains(name)
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
