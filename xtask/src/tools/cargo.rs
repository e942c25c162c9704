//! The Rust side: the wasm target, `worker-build` and `wasm-bindgen`.
//!
//! Invariant: versions come from `Cargo.lock`, so a tool always fits the crate it works on.
//! Failure: an install that fails leaves no half-installed tool, and says whether the network, the
//! disk or the build was the cause.

use super::download;
use crate::project::Project;
use crate::run;
use crate::say::Step;
use anyhow::{Result, bail};
use std::process::Command;

/// The target of the Worker.
const WASM: &str = "wasm32-unknown-unknown";

/// A program from crates.io.
struct Tool {
    /// The program.
    bin: &'static str,
    /// The crate that holds it.
    package: &'static str,
    /// The crate in `Cargo.lock` whose version it must have.
    follows: &'static str,
    /// Roughly how long it takes to build on two cores.
    minutes: u32,
}

const TOOLS: [Tool; 2] = [
    Tool {
        bin: "wasm-bindgen",
        package: "wasm-bindgen-cli",
        follows: "wasm-bindgen",
        minutes: 2,
    },
    Tool {
        bin: "worker-build",
        package: "worker-build",
        follows: "worker",
        minutes: 3,
    },
];

/// The names of the tools that are not installed.
pub fn lacking(project: &Project) -> Result<Vec<&'static str>> {
    let mut lacking = Vec::new();
    for tool in &TOOLS {
        let version = project.locked_version(tool.follows)?;
        if !project.cargo_bin(tool.bin, &version).is_file() {
            lacking.push(tool.bin);
        }
    }
    Ok(lacking)
}

/// Installs the tools that are missing, in debug profile: they build in a third of the time.
pub fn ensure(project: &Project) -> Result<()> {
    for tool in &TOOLS {
        let version = project.locked_version(tool.follows)?;
        let bin = project.cargo_bin(tool.bin, &version);
        if bin.is_file() {
            continue;
        }
        let step = Step::begin(format!(
            "{} {version} from crates.io, once for this machine (about {} minutes)",
            tool.bin, tool.minutes
        ));
        let folder = project
            .cache
            .join("tools")
            .join(format!("{}-{version}", tool.bin));
        let target = project.cache.join("build");
        let mut cargo = project.cargo();
        cargo
            .current_dir(&project.cache)
            .args(["install", "--debug", "--locked", "--force", "--root"])
            .arg(&folder)
            .arg(format!("{}@{version}", tool.package))
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("CARGO_TARGET_DIR", &target);
        let log = project.log(&format!("install-{}", tool.bin))?;
        let result = download(&step, &mut cargo, &log, "crates.io");
        let _ = std::fs::remove_dir_all(&target);
        if let Err(error) = result {
            let _ = std::fs::remove_dir_all(&folder);
            return Err(error);
        }
        step.done("installed");
    }
    Ok(())
}

/// Adds the wasm target to the toolchain when it is not there.
pub fn wasm_target(project: &Project) -> Result<()> {
    let mut rustc = Command::new("rustc");
    rustc
        .current_dir(&project.root)
        .args(["--print", "sysroot"]);
    let Some(sysroot) = run::output(&mut rustc) else {
        bail!("rustc does not run: install Rust with rustup (https://rustup.rs)");
    };
    let library = std::path::Path::new(&sysroot)
        .join("lib/rustlib")
        .join(WASM)
        .join("lib");
    if library.is_dir() {
        return Ok(());
    }
    if run::output(Command::new("rustup").arg("--version")).is_none() {
        bail!(
            "the Rust in {sysroot} has no {WASM} target and there is no rustup to add it: install \
             Rust with rustup (https://rustup.rs), or the target with your package manager"
        );
    }
    let step = Step::begin(format!("Rust target {WASM}"));
    let log = project.log("rustup")?;
    let mut rustup = Command::new("rustup");
    rustup
        .current_dir(&project.root)
        .args(["target", "add", WASM]);
    download(&step, &mut rustup, &log, "static.rust-lang.org")?;
    step.done("added");
    Ok(())
}
