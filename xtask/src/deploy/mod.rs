//! placeholder
use crate::args::Args; use crate::project::Project; use crate::suite::Tally; use anyhow::Result; use std::process::ExitCode;
pub fn run(_p: &Project, _a: Args) -> Result<ExitCode> { Ok(ExitCode::SUCCESS) }
pub fn check(_p: &Project) -> Result<Tally> { Ok(Tally::one(true)) }
