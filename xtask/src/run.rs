//! Runs a program to its end with its output in a log file.
//!
//! Invariant: the log holds the whole output; the terminal gets a sign of life every 15 seconds.
//! Failure: the error carries the last lines of the log and its path.

use crate::say::Step;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often a long step shows that it is alive.
const BEAT: Duration = Duration::from_secs(15);

/// Runs `command`, its output into `log`; fails unless it ends well.
pub fn logged(step: &Step, command: &mut Command, log: &Path) -> Result<()> {
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("cannot run {name}"))?;
    let mut beat = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if beat.elapsed() > BEAT {
            beat = Instant::now();
            step.beat(tail(log, 1).trim());
        }
        std::thread::sleep(Duration::from_millis(30));
    };
    if !status.success() {
        bail!(
            "{name} failed ({status}); all of it is in {}\n{}",
            log.display(),
            tail(log, 25)
        );
    }
    Ok(())
}

/// Runs `command` and answers its standard output, trimmed; nothing when it fails or is missing.
pub fn output(command: &mut Command) -> Option<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The last lines of a text file.
pub fn tail(path: &Path, lines: usize) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
