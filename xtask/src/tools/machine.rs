//! What the machine itself must offer: disk, a C compiler, free ports.
//!
//! Invariant: checks only; nothing is changed.
//! Failure: the message says what to install, free or choose.

use crate::project::Project;
use crate::run;
use anyhow::{Result, bail};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// Free space needed to fetch and build everything, in MiB.
const SPACE_FIRST: u64 = 4096;
/// Free space needed when everything is there, in MiB.
const SPACE_READY: u64 = 512;
/// Ports that Linux and macOS do not hand out to outgoing connections, so that a server can come
/// back on its port.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Refuses to start what would end with a full disk.
pub fn require_space(project: &Project, lacking: &[&str]) -> Result<()> {
    for place in [&project.root, &project.cache] {
        if let Some(free) = free_mib(place) {
            enough(place, free, lacking)?;
        }
    }
    Ok(())
}

/// Is so much free space, in MiB, enough in a place?
fn enough(place: &Path, free: u64, lacking: &[&str]) -> Result<()> {
    let (needed, why) = match lacking {
        [] => (SPACE_READY, "the local stacks need it".to_owned()),
        _ => {
            let what = lacking.join(", ");
            (SPACE_FIRST, format!("to be fetched and built: {what}"))
        }
    };
    if free < needed {
        bail!(
            "{} has {free} MiB free, {needed} MiB are needed ({why}); free some space, or move \
             the tools with PULSE_CACHE and the build with CARGO_TARGET_DIR",
            place.display()
        );
    }
    Ok(())
}

fn free_mib(place: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(place).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize) / (1024 * 1024))
}

/// Cargo links with it, and crates build with it.
pub fn require_compiler() -> Result<()> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    if run::output(Command::new(&compiler).arg("--version")).is_none() {
        bail!(
            "no C compiler ({compiler}): install one (Debian, Ubuntu: apt-get install build-essential; \
             Fedora: dnf install gcc; macOS: xcode-select --install)"
        );
    }
    Ok(())
}

/// Can a server listen on this loopback port now?
pub fn port_is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// Refuses a port that somebody has; port 0 is any.
pub fn require_port(port: u16) -> Result<()> {
    if port != 0 && !port_is_free(port) {
        let who = owner(port).map_or_else(String::new, |who| format!(" by {who}"));
        bail!("port {port} is taken{who}: stop it, or choose another with --port");
    }
    Ok(())
}

/// A free port that stays free for a server that is restarted.
pub fn free_port() -> Result<u16> {
    for _ in 0..200 {
        let random = u128::from_le_bytes(*uuid::Uuid::new_v4().as_bytes());
        let span = u128::from(PORTS.end - PORTS.start);
        let port = PORTS.start + u16::try_from(random % span).unwrap_or_default();
        if port_is_free(port) {
            return Ok(port);
        }
    }
    bail!("no free port between {} and {}", PORTS.start, PORTS.end)
}

/// Which process listens on a port, where a system tool can tell.
fn owner(port: u16) -> Option<String> {
    let listening = format!("-iTCP:{port}");
    let mut lsof = Command::new("lsof");
    lsof.args(["-nP", "-sTCP:LISTEN", "-Fpc", &listening]);
    if let Some(found) = run::output(&mut lsof) {
        let part = |key| found.lines().find_map(|line| line.strip_prefix(key));
        return Some(format!("{} (process {})", part('c')?, part('p')?));
    }
    let filter = format!("sport = :{port}");
    let found = run::output(Command::new("ss").args(["-Hltnp", &filter]))?;
    let users = found.split("users:((\"").nth(1)?;
    let (name, rest) = users.split_once('"')?;
    let pid = rest.split("pid=").nth(1)?.split([',', ')']).next()?;
    Some(format!("{name} (process {pid})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_refused_with_a_way_out() {
        let port = free_port().unwrap();
        require_port(port).unwrap();
        let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let error = require_port(port).unwrap_err().to_string();
        assert!(error.contains(&format!("port {port} is taken")), "{error}");
        assert!(error.contains("--port"), "{error}");
    }

    #[test]
    fn a_full_disk_is_told_before_anything_is_fetched() {
        let place = Path::new("/project");
        let refusal =
            |free, lacking: &[&str]| enough(place, free, lacking).unwrap_err().to_string();
        let first = refusal(SPACE_FIRST - 1, &["npm packages", "worker-build"]);
        for part in [
            "/project has 4095 MiB free",
            "4096 MiB are needed",
            "npm packages, worker-build",
            "PULSE_CACHE",
        ] {
            assert!(first.contains(part), "{part}: {first}");
        }
        let later = refusal(SPACE_READY - 1, &[]);
        assert!(later.contains("512 MiB are needed"), "{later}");
        enough(place, SPACE_READY, &[]).unwrap();
        enough(place, SPACE_FIRST, &["npm packages"]).unwrap();
    }

    #[test]
    fn free_space_is_read_where_the_project_is() {
        let here = free_mib(Path::new(env!("CARGO_MANIFEST_DIR")));
        assert!(here.is_some_and(|free| free > 0), "{here:?}");
        assert_eq!(free_mib(Path::new("/nowhere/at/all")), None);
    }
}
