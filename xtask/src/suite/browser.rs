//! The browser tests: `tests/browser/run.mjs` with a Chromium that is on this machine.
//!
//! Invariant: the browser is the machine's own; none is downloaded.
//! Failure: without a browser the step does not run, and says how to get one.

use super::{Tally, cargo};
use crate::project::Project;
use crate::run;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// How to get one, for messages.
pub const HOW_TO_GET: &str = "there is no Chromium or Chrome; Debian, Ubuntu: apt-get install \
                              chromium; or set CHROMIUM_BIN";

/// A browser that starts.
pub fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM_BIN").map(PathBuf::from);
    let usual = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
    ];
    named
        .into_iter()
        .chain(usual.map(PathBuf::from))
        .find(|program| run::output(Command::new(program).arg("--version")).is_some())
        .and_then(|program| resolve(&program))
}

/// The full path of a program; playwright wants a file.
fn resolve(program: &std::path::Path) -> Option<PathBuf> {
    if program.is_absolute() {
        return Some(program.to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Runs the tests.
pub fn run(
    project: &Project,
    chromium: &std::path::Path,
    environment: &[(&str, String)],
) -> Result<Tally> {
    let mut node = Command::new(project.node());
    node.current_dir(&project.root)
        .arg(project.at("tests/browser/run.mjs"));
    node.envs(environment.iter().map(|(name, value)| (name, value)));
    node.env("CHROMIUM_BIN", chromium);
    cargo::counted(&mut node, count)
}

/// `browser: 9 passed, 0 failed in …`
fn count(line: &str) -> Option<(usize, usize)> {
    let rest = line.strip_prefix("browser: ")?;
    let (passed, rest) = rest.split_once(" passed, ")?;
    let (failed, _) = rest.split_once(" failed")?;
    Some((passed.parse().ok()?, failed.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn the_last_line_is_counted() {
        assert_eq!(
            count("browser: 9 passed, 1 failed in 3.2 s; pictures in x"),
            Some((9, 1))
        );
        assert_eq!(count("ok    a_test (12 ms)"), None);
    }
}
