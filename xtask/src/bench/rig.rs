//! What is measured against what: the product and a baseline Worker, each on a workerd of its own.
//!
//! Invariant: both are served by Miniflare's API without its assets router, on this machine, and
//! idle while the other one is measured.
//! Failure: a side that does not start ends the bench with its log.

use super::http::Target;
use crate::local::folder::Folder;
use crate::local::guard::{Guarded, Spec};
use crate::local::runtime::usage_of;
use crate::local::stack::{self, Options, Pooler, Stack};
use crate::local::{bouncer, database::Address};
use crate::project::{self, Project};
use crate::run;
use crate::say::Step;
use anyhow::{Context, Result, bail};
use pulse_tests::authority::Authority;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
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

/// Where objects keep what must last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// In the project's folder: what durable means on this machine.
    Disk,
    /// In memory: what is left when making a write durable costs nothing.
    Memory,
}

/// The memory that is mounted as a folder.
const MEMORY: &str = "/dev/shm";
/// Writes that are timed.
const WRITES: u32 = 100;

impl Ground {
    /// Is it there?
    pub fn there(self) -> bool {
        self == Self::Disk || Path::new(MEMORY).is_dir()
    }

    /// A folder on it, for a stack whose own folder is `folder`.
    fn folder(self, folder: &Path) -> Result<PathBuf> {
        let place = match self {
            Self::Disk => folder.join("kept"),
            Self::Memory => Path::new(MEMORY).join(format!("pulse-bench-{}", std::process::id())),
        };
        std::fs::create_dir_all(&place)
            .with_context(|| format!("cannot create {}", place.display()))?;
        Ok(place)
    }
}

/// Milliseconds that making a page durable takes in a folder, on average.
fn durable_ms(folder: &Path) -> Result<f64> {
    use std::os::unix::fs::FileExt;
    let path = folder.join("durable");
    let file = File::create(&path)?;
    let started = Instant::now();
    for number in 0..WRITES {
        file.write_all_at(&[1; 4096], u64::from(number) * 4096)?;
        file.sync_data()?;
    }
    let took = started.elapsed();
    std::fs::remove_file(path)?;
    Ok(took.as_secs_f64() * 1e3 / f64::from(WRITES))
}

/// What stands between the Worker and Postgres in a bench that hardly asks it.
pub fn any_pooler() -> Pooler {
    match bouncer::program() {
        Some(_) => Pooler::Bouncer { scram: false },
        None => Pooler::Proxy { strict: false },
    }
}

/// PgBouncer, which a bench of requests to Postgres needs.
pub fn bouncer(scram: bool) -> Result<Pooler> {
    match bouncer::program() {
        Some(_) => Ok(Pooler::Bouncer { scram }),
        None => bail!("there is no pgbouncer; {}", bouncer::HOW_TO_GET),
    }
}

/// The product with its stack.
pub struct Product {
    /// What is measured.
    pub side: Side,
    /// Everything around it.
    pub stack: Stack,
    /// Milliseconds that making a page durable takes where the objects keep theirs.
    pub durable_ms: f64,
    folder: PathBuf,
    kept: PathBuf,
}

impl Product {
    /// Starts the product, which must be built.
    pub async fn start(project: &Project, pooler: Pooler, ground: Ground) -> Result<Self> {
        let folder = Folder::fresh(project, "bench")?;
        let path = folder.path.clone();
        let kept = ground.folder(&path)?;
        let state = kept.join("pulse");
        std::fs::create_dir_all(&state)?;
        std::os::unix::fs::symlink(&state, path.join("state"))?;
        let options = Options {
            folder,
            port: 0,
            database: None,
            durable: true,
            pooler,
            crons: false,
            vars: unlimited(stack::local_vars("local", "warn")),
        };
        let durable_ms = durable_ms(&kept)?;
        // Servers of a bench have certificates that the Worker must be told to trust.
        Authority::make(&path)?;
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
            durable_ms,
            folder: path,
            kept,
        })
    }

    /// Who signs the certificates that its Worker trusts.
    pub fn authority(&self) -> Authority {
        Authority::of(&self.folder)
    }

    /// Stops it and deletes its data.
    pub async fn stop(self) {
        self.stack.stop().await;
        drop(self.stack);
        let _ = std::fs::remove_dir_all(&self.kept);
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
    /// Starts `bench/<name>.js` beside the product.
    pub async fn start(
        project: &Project,
        product: &Product,
        name: &str,
        database: Option<&Address>,
        vars: BTreeMap<String, String>,
    ) -> Result<Self> {
        let step = Step::begin(name);
        let folder = &product.folder;
        let config = json!({
            "project": project.root,
            "script": project.at("bench").join(name).with_extension("js"),
            "state": product.kept.join(name),
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
