//! Ties a server's life to this command's: a guard process starts it and ends it when its own
//! standard input closes, which happens however this command ends.
//!
//! Invariant: a guarded program leads its own process group, so Ctrl-C reaches only this command,
//! and the whole group goes when it goes.
//! Failure: if the guard itself is killed, its pid file lets the next start remove what is left.

use crate::args::Args;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::process::{Child, ChildStdin};

/// The hidden command that is the guard.
pub const COMMAND: &str = "guard";

/// How a guarded program is started and stopped.
#[derive(Debug)]
pub struct Spec {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// The user and group to run as, when this command runs as root.
    pub run_as: Option<(u32, u32)>,
    /// The signal that ends it politely.
    pub stop: &'static str,
    /// How long it may take to end before it is killed.
    pub grace: Duration,
    /// Where its process id is kept, with `marker`.
    pub pidfile: PathBuf,
    /// Text in the command line of every process of the group; tells leftovers from strangers.
    pub marker: String,
}

/// A running guarded program.
#[derive(Debug)]
pub struct Guarded {
    guard: Child,
    stdin: Option<ChildStdin>,
    pidfile: PathBuf,
}

/// This program, looked up once: cargo may replace the file while a stack runs.
fn myself() -> Result<PathBuf> {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    if let Some(path) = PATH.get() {
        return Ok(path.clone());
    }
    let path = std::env::current_exe().context("cannot find this program's own file")?;
    Ok(PATH.get_or_init(|| path).clone())
}

impl Guarded {
    /// Starts a program; its output goes where `stdout` and `stderr` say.
    pub async fn start(spec: Spec, stdout: Stdio, stderr: Stdio) -> Result<Self> {
        sweep(&spec.pidfile)?;
        let mut guard = std::process::Command::new(myself()?);
        guard.arg(COMMAND).arg("--pidfile").arg(&spec.pidfile);
        guard
            .arg("--marker")
            .arg(&spec.marker)
            .arg("--signal")
            .arg(spec.stop);
        guard
            .arg("--grace-ms")
            .arg(spec.grace.as_millis().to_string());
        if let Some((uid, gid)) = spec.run_as {
            guard
                .arg("--uid")
                .arg(uid.to_string())
                .arg("--gid")
                .arg(gid.to_string());
        }
        guard.arg("--").arg(&spec.program).args(&spec.args);
        guard
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0);
        crate::project::scrub(&mut guard);
        let mut guard = tokio::process::Command::from(guard)
            .spawn()
            .with_context(|| format!("cannot start {}", spec.program.display()))?;
        let stdin = guard.stdin.take();
        let mut guarded = Self {
            guard,
            stdin,
            pidfile: spec.pidfile,
        };
        let waited = Instant::now();
        while guarded.pid().is_none() {
            if guarded.has_ended() || waited.elapsed() > Duration::from_secs(10) {
                bail!("{} did not start", spec.program.display());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(guarded)
    }

    /// The guard's standard output, when it was piped.
    pub fn take_stdout(&mut self) -> Option<tokio::process::ChildStdout> {
        self.guard.stdout.take()
    }

    /// The process id of the program.
    pub fn pid(&self) -> Option<Pid> {
        recorded(&self.pidfile).map(|(pid, _)| pid)
    }

    /// Has the program ended?
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.guard.try_wait(), Ok(None))
    }

    /// Waits for the program to end by itself.
    pub async fn ended(&mut self) {
        let _ = self.guard.wait().await;
    }

    /// Ends the program politely, or after its grace by force.
    pub async fn stop(mut self) {
        drop(self.stdin.take());
        let _ = self.guard.wait().await;
    }

    /// Sends a signal to the program alone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid().context("the program is not running")?;
        kill_process(pid, signal).context("cannot signal the program")
    }

    /// Kills the program's whole group at once, as a crash would.
    pub async fn kill(mut self) {
        if let Some(pid) = self.pid() {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let _ = self.guard.wait().await;
    }
}

/// What the pid file says: the leader of the group, and the marker.
fn recorded(pidfile: &Path) -> Option<(Pid, String)> {
    let text = std::fs::read_to_string(pidfile).ok()?;
    let (pid, marker) = text.split_once('\n')?;
    Some((
        Pid::from_raw(pid.parse().ok()?)?,
        marker.trim_end().to_owned(),
    ))
}

/// Kills what an earlier command left running under this pid file, and removes the file.
pub fn sweep(pidfile: &Path) -> Result<()> {
    let Some((leader, marker)) = recorded(pidfile) else {
        return Ok(());
    };
    let waited = Instant::now();
    loop {
        let left = members(leader, &marker);
        if left.is_empty() {
            break;
        }
        for pid in left {
            let _ = kill_process(pid, Signal::KILL);
        }
        if waited.elapsed() > Duration::from_secs(10) {
            bail!(
                "process {} of an earlier run does not end",
                leader.as_raw_nonzero()
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = std::fs::remove_file(pidfile);
    Ok(())
}

/// The living processes of a group whose command line holds the marker, and the runtime's: Miniflare
/// starts workerd by a path of its own.
fn members(leader: Pid, marker: &str) -> Vec<Pid> {
    let mut ps = std::process::Command::new("ps");
    ps.args(["-A", "-ww", "-o", "pid=,pgid=,stat=,args="]);
    let group = leader.as_raw_nonzero().to_string();
    let mut found = Vec::new();
    for line in crate::run::output(&mut ps).unwrap_or_default().lines() {
        let mut fields = line.split_whitespace();
        let (pid, pgid, stat) = (fields.next(), fields.next(), fields.next());
        let dead = stat.is_none_or(|stat| stat.starts_with('Z'));
        let ours = line.contains(marker) || line.contains("/workerd serve ");
        if pgid == Some(group.as_str()) && !dead && ours {
            found.extend(pid.and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw));
        }
    }
    found
}

/// The guard process.
pub fn main(args: Args) -> ExitCode {
    match guard(args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

enum Event {
    /// The command that started the guard is gone.
    Alone,
    /// The program ended.
    Ended(std::io::Result<std::process::ExitStatus>),
}

fn guard(mut args: Args) -> Result<ExitCode> {
    let mut words = args.rest().into_iter();
    let program = words.next().context("no program")?;
    let pidfile = PathBuf::from(args.option("--pidfile")?.context("no --pidfile")?);
    let marker = args.option("--marker")?.context("no --marker")?;
    let signal = match args.option("--signal")?.as_deref() {
        Some("INT") => Signal::INT,
        Some("QUIT") => Signal::QUIT,
        _ => Signal::TERM,
    };
    let grace = Duration::from_millis(args.parsed("--grace-ms")?.unwrap_or(5000));
    let mut command = std::process::Command::new(&program);
    command.args(words).stdin(Stdio::null()).process_group(0);
    if let Some(gid) = args.parsed("--gid")? {
        command.gid(gid);
    }
    if let Some(uid) = args.parsed("--uid")? {
        command.uid(uid);
    }
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    let raw = i32::try_from(child.id()).context("an odd process id")?;
    let pid = Pid::from_raw(raw).context("an odd process id")?;
    let temporary = pidfile.with_extension("pid-part");
    std::fs::write(&temporary, format!("{raw}\n{marker}\n"))?;
    std::fs::rename(&temporary, &pidfile)?;

    let (tell, events) = mpsc::channel();
    let ended = tell.clone();
    std::thread::spawn(move || ended.send(Event::Ended(child.wait())));
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        tell.send(Event::Alone)
    });
    let mut event = events.recv()?;
    if matches!(event, Event::Alone) {
        let _ = kill_process(pid, signal);
        event = events.recv_timeout(grace).unwrap_or(Event::Alone);
    }
    let _ = kill_process_group(pid, Signal::KILL);
    let _ = std::fs::remove_file(&pidfile);
    Ok(match event {
        Event::Ended(Ok(status)) if status.success() => ExitCode::SUCCESS,
        Event::Ended(Ok(status)) if status.signal().is_some() => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    })
}
