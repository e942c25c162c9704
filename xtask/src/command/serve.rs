//! `cargo xtask serve`: the release build on workerd, with nothing of a development server between.
//!
//! Invariant: the same stack as `dev`, with the same data, without the demo event.
//! Failure: as `dev`.

use super::build::Profile;
use super::dev;
use crate::args::Args;
use crate::project::Project;
use anyhow::Result;
use std::process::ExitCode;

/// The command.
pub fn run(project: &Project, mut args: Args) -> Result<ExitCode> {
    let port = args.parsed("--port")?.unwrap_or(dev::PORT);
    let profile = if args.flag("--dev") {
        Profile::Dev
    } else {
        Profile::Release
    };
    args.flag("--release");
    let reset = args.flag("--reset");
    args.done()?;
    dev::local(project, port, profile, reset, false)
}
