//! What is measured against what: the product and a baseline Worker, each on a workerd of its own.
//!
//! Invariant: both are served by Miniflare's API without its assets router, on this machine, and
//! idle while the other one is measured.
//! Failure: a side that does not start ends the bench with its log.

use super::http::Target;
use crate::command::build::{self, Profile};
use crate::local::folder::Folder;
use crate::local::guard::{Guarded, Spec};
use crate::local::runtime::usage_of;
use crate::local::stack::{self, Options, Pooler, Stack};
use crate::local::{bouncer, database::Address};
use crate::project::{self, Project};
use crate::say::Step;
use crate::{run, tools};
use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};

/// One of the two that are compared.
#[derive(Clone, Debug)]
pub struct Side {
    /// Where its Worker answers.
    pub target: Target,
    /// The same, as a URL.
    pub url: String,
    /// Its workerd.
    pub pid: i32,
}

impl Side {
    /// CPU its workerd used so far, user and system.
    pub fn cpu(&self) -> Result<Duration> {
        let usage = usage_of(self.pid)?;
        Ok(Duration::from_millis(usage.utime_ms + usage.stime_ms))
    }
}

/// The product with its stack.
pub struct Product {
    /// What is measured.
    pub side: Side,
    /// Everything around it.
    pub stack: Stack,
    folder: PathBuf,
}

impl Product {
    /// Builds and starts the product behind PgBouncer, or without it behind the plain proxy.
    pub async fn start(project: &Project, need_bouncer: bool) -> Result<Self> {
        tools::ensure(project)?;
        build::worker(project, Profile::Release)?;
        let pooler = match bouncer::program() {
            Some(_) => Pooler::Bouncer,
            None if need_bouncer => bail!("there is no pgbouncer; {}", bouncer::HOW_TO_GET),
            None => Pooler::Proxy { strict: false },
        };
        let folder = Folder::fresh(project, "bench")?;
        let path = folder.path.clone();
        let options = Options {
            folder,
            port: 0,
            database: None,
            durable: true,
            pooler,
            crons: false,
            vars: unlimited(stack::local_vars("local", "warn")),
        };
        let stack = Stack::start(project, options).await?;
        let url = stack.direct_url.clone();
        let side = Side {
            target: Target::parse(&url)?,
            url,
            pid: stack.runtime_pid().await,
        };
        Ok(Self {
            side,
            stack,
            folder: path,
        })
    }

    /// The folder of everything that runs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops it and deletes its data.
    pub async fn stop(self) {
        self.stack.stop().await;
        drop(self.stack);
        let _ = Folder::claim(&self.folder).and_then(|folder| folder.clear());
    }
}

/// A baseline Worker of `bench/`.
pub struct Baseline {
    /// What is measured.
    pub side: Side,
    process: Guarded,
}

#[derive(Deserialize)]
struct Ready {
    url: String,
    runtime_pid: i32,
}

impl Baseline {
    /// Starts `bench/<name>.js`; its state and log are in `folder`.
    pub async fn start(
        project: &Project,
        folder: &Path,
        name: &str,
        database: Option<&Address>,
        vars: BTreeMap<String, String>,
    ) -> Result<Self> {
        let step = Step::begin(name);
        let config = json!({
            "project": project.root,
            "script": project.at("bench").join(name).with_extension("js"),
            "state": folder.join(name),
            "database_url": database.map(Address::url),
            "vars": vars,
        });
        let file = folder.join(name).with_extension("json");
        project::write_private(&file, &config.to_string())?;
        let log_path = folder.join(name).with_extension("log");
        let log = File::create(&log_path)?;
        let spec = Spec {
            program: project.node(),
            args: vec![project.at("bench/serve.mjs").into(), file.into()],
            run_as: None,
            stop: "TERM",
            grace: Duration::from_secs(5),
            pidfile: folder.join(name).with_extension("pid"),
            marker: project.root.to_string_lossy().into_owned(),
        };
        let mut process = Guarded::start(spec, Stdio::piped(), log.into()).await?;
        let ready = match process.take_stdout() {
            Some(out) => {
                let mut lines = BufReader::new(out).lines();
                tokio::time::timeout(Duration::from_secs(60), lines.next_line())
                    .await
                    .ok()
            }
            None => None,
        };
        let ready = ready.and_then(Result::ok).flatten();
        let Some(ready) = ready.and_then(|line| serde_json::from_str::<Ready>(&line).ok()) else {
            process.kill().await;
            bail!("{name} does not start:\n{}", run::tail(&log_path, 15));
        };
        let target = Target::parse(&ready.url)?;
        step.done(&ready.url);
        let side = Side {
            target,
            url: ready.url,
            pid: ready.runtime_pid,
        };
        Ok(Self { side, process })
    }

    /// Stops it.
    pub async fn stop(self) {
        self.process.stop().await;
    }
}

/// The machine in one line: processors, memory, runtime.
pub fn machine(project: &Project) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let cpu = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "processor".into());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kib = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let kib: u64 = kib.trim_end_matches(" kB").parse().unwrap_or_default();
    let workerd = read(
        &project
            .at("node_modules/workerd/package.json")
            .to_string_lossy(),
    );
    let workerd: Value = serde_json::from_str(&workerd).unwrap_or_default();
    let workerd = workerd["version"].as_str().unwrap_or("unknown").to_owned();
    format!(
        "{cores} × {cpu}, {} GB, workerd {workerd}",
        kib.div_ceil(1 << 20)
    )
}

/// A bench drives through a few credentials what many devices would send.
fn unlimited(
    mut vars: std::collections::BTreeMap<String, String>,
) -> std::collections::BTreeMap<String, String> {
    vars.insert("RATE_LIMIT".to_owned(), "off".to_owned());
    vars
}
