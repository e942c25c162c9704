//! `cargo xtask openapi`: the API document, generated from the code, without a server.
//!
//! Invariant: the same document that the Worker serves at `/openapi.json`.
//! Failure: the compiler's messages, when the code does not compile.

use crate::args::Args;
use crate::project::Project;
use anyhow::{Context, Result, bail};
use std::process::{ExitCode, Stdio};

/// The command.
pub fn run(project: &Project, mut args: Args) -> Result<ExitCode> {
    let out = args.option("--out")?;
    args.done()?;
    let mut cargo = project.cargo();
    cargo.args([
        "run",
        "--quiet",
        "--package",
        "pulse",
        "--example",
        "openapi",
    ]);
    let output = cargo
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the API document cannot be generated");
    }
    match out {
        Some(path) => {
            std::fs::write(&path, &output.stdout)
                .with_context(|| format!("cannot write {path}"))?;
        }
        None => std::io::Write::write_all(&mut std::io::stdout(), &output.stdout)?,
    }
    Ok(ExitCode::SUCCESS)
}
