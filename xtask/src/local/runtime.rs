//! The Worker on workerd: starts `xtask/runtime/serve.mjs`, kills it, brings it back.
//!
//! Invariant: a restart serves the same state on the same port.
//! Failure: a runtime that does not come up ends with the last lines of its log.

use super::guard::{Guarded, Spec};
use crate::project::{self, Project};
use crate::run;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};

/// What `serve.mjs` reads. Holds secrets, so the file is private.
#[derive(Clone, Debug, Serialize)]
pub struct Config {
    /// The folder of `wrangler.toml`.
    pub project: PathBuf,
    /// The folder of the built Worker.
    pub build: PathBuf,
    /// The address to listen on.
    pub host: String,
    /// The port to listen on.
    pub port: u16,
    /// Where the objects keep what they store.
    pub state: PathBuf,
    /// What the Hyperdrive binding leads to.
    pub database_url: String,
    /// Variables and secrets, over those of `wrangler.toml`.
    pub vars: BTreeMap<String, String>,
    /// Fire the crons at their minutes.
    pub crons: bool,
    /// A certificate authority that the Worker trusts besides the public ones.
    pub trusted: Option<PathBuf>,
}

/// What `serve.mjs` says when the Worker answers.
#[derive(Clone, Debug, Deserialize)]
pub struct Ready {
    /// Where the Worker answers, through the assets router as on Cloudflare.
    pub url: String,
    /// Where the Worker answers without the assets router.
    pub direct_url: String,
    /// Where `serve.mjs` takes orders.
    pub control: String,
    /// The process id of workerd.
    pub runtime_pid: i32,
}

/// A running Worker.
#[derive(Debug)]
pub struct Runtime {
    project: Project,
    folder: PathBuf,
    /// How it was started.
    pub config: Config,
    /// What it said about itself at the last start.
    pub ready: Ready,
    process: Option<Guarded>,
    client: reqwest::Client,
}

/// Gives orders to `serve.mjs`: see `xtask/runtime/control.mjs`.
#[derive(Clone, Debug)]
pub struct Orders {
    client: reqwest::Client,
    control: String,
}

impl Orders {
    /// Gives one order and waits for its answer.
    pub async fn give(&self, path: &str, body: &Value) -> Result<Value> {
        let reply = self
            .client
            .post(format!("{}{path}", self.control))
            .json(body)
            .send()
            .await?;
        let ok = reply.status().is_success();
        let answer: Value = reply.json().await?;
        if !ok {
            bail!("{path}: {}", answer["error"].as_str().unwrap_or("failed"));
        }
        Ok(answer)
    }
}

/// CPU time and memory of the runtime process.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Usage {
    /// User CPU in milliseconds.
    pub utime_ms: u64,
    /// System CPU in milliseconds.
    pub stime_ms: u64,
    /// Resident memory in KiB.
    pub rss_kb: u64,
}

impl Runtime {
    /// Starts the Worker; its log, pid file and configuration are in `folder`.
    pub async fn start(project: &Project, folder: &Path, config: Config) -> Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(60))
            .build()?;
        // One log for each life of a stack, the last one kept.
        let log = folder.join("runtime.log");
        let _ = std::fs::rename(&log, log.with_extension("log.1"));
        let (ready, process) = launch(project, folder, &config).await?;
        Ok(Self {
            project: project.clone(),
            folder: folder.to_owned(),
            config,
            ready,
            process: Some(process),
            client,
        })
    }

    /// Kills node and workerd at once, as a crash would.
    pub async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
    }

    /// Starts again on the same port and state; stops a running one first.
    pub async fn start_again(&mut self) -> Result<()> {
        self.stop().await;
        let (ready, process) = launch(&self.project, &self.folder, &self.config).await?;
        self.ready = ready;
        self.process = Some(process);
        Ok(())
    }

    /// Stops politely.
    pub async fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop().await;
        }
    }

    /// Deletes what the objects stored; the runtime must be down.
    pub fn wipe(&self) -> Result<()> {
        if self.config.state.exists() {
            std::fs::remove_dir_all(&self.config.state)?;
        }
        Ok(())
    }

    /// Has the runtime gone by itself?
    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(Guarded::has_ended)
    }

    /// A way to give orders to `serve.mjs` that holds up nothing else.
    pub fn orders(&self) -> Orders {
        Orders {
            client: self.client.clone(),
            control: self.ready.control.clone(),
        }
    }

    /// What workerd used since it started; from /proc, so Linux only.
    pub fn usage(&self) -> Result<Usage> {
        usage_of(self.ready.runtime_pid)
    }
}

/// What a process used since it started; from /proc, so Linux only.
pub fn usage_of(pid: i32) -> Result<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .context("the runtime's CPU time is known on Linux only, while it runs")?;
    parse_stat(&stat).context("an odd /proc/…/stat")
}

/// Reads fields 14, 15 and 24 of /proc/PID/stat; the name before them may hold anything.
fn parse_stat(stat: &str) -> Option<Usage> {
    let ticks = rustix::param::clock_ticks_per_second();
    let page = u64::try_from(rustix::param::page_size()).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at - 3)?.parse::<u64>().ok();
    Some(Usage {
        utime_ms: number(14)? * 1000 / ticks,
        stime_ms: number(15)? * 1000 / ticks,
        rss_kb: number(24)? * page / 1024,
    })
}

/// Starts `serve.mjs`; a port that its predecessor still holds is waited for.
async fn launch(project: &Project, folder: &Path, config: &Config) -> Result<(Ready, Guarded)> {
    let started = Instant::now();
    loop {
        match attempt(project, folder, config).await {
            Err(error)
                if started.elapsed() < Duration::from_secs(5)
                    && format!("{error:#}").contains("ddress already in use") =>
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            result => return result,
        }
    }
}

async fn attempt(project: &Project, folder: &Path, config: &Config) -> Result<(Ready, Guarded)> {
    let file = folder.join("runtime.json");
    project::write_private(&file, &serde_json::to_string_pretty(config)?)?;
    let log_path = folder.join("runtime.log");
    let log = File::options().create(true).append(true).open(&log_path)?;
    let spec = Spec {
        program: project.node(),
        args: vec![project.at("xtask/runtime/serve.mjs").into(), file.into()],
        run_as: None,
        stop: "TERM",
        grace: Duration::from_secs(5),
        pidfile: folder.join("runtime.pid"),
        marker: project.root.to_string_lossy().into_owned(),
    };
    let mut process = Guarded::start(spec, Stdio::piped(), log.into()).await?;
    let stdout = process.take_stdout().context("the runtime has no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let line = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await;
    if let Ok(Ok(Some(line))) = line
        && let Ok(ready) = serde_json::from_str(&line)
    {
        // Whatever else comes is read, or the pipe would fill.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        return Ok((ready, process));
    }
    process.kill().await;
    bail!(
        "the Worker does not start; the end of {}:\n{}",
        log_path.display(),
        run::tail(&log_path, 15)
    )
}

#[cfg(test)]
mod tests {
    use super::parse_stat;

    #[test]
    fn usage_is_read_past_any_process_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 9 0 100 99 1000 0";
        let usage = parse_stat(stat).unwrap();
        let ticks = rustix::param::clock_ticks_per_second();
        assert_eq!(
            (usage.utime_ms, usage.stime_ms),
            (250_000 / ticks, 50_000 / ticks)
        );
        assert!(usage.rss_kb >= 4000);
        assert!(parse_stat("7 (x) S 1").is_none());
    }
}
