//! `cargo xtask migrate`: a database to the newest state.
//!
//! Invariant: see [`crate::local::migrations`].
//! Failure: the file, the line and what Postgres said.

use crate::args::{Args, Usage};
use crate::local::database::Address;
use crate::local::migrations::{self, APP_ROLE};
use crate::project::Project;
use crate::say::{self, Step};
use anyhow::Result;
use std::process::ExitCode;

/// The command.
pub fn run(project: &Project, mut args: Args) -> Result<ExitCode> {
    let url = match args.option("--database-url")? {
        Some(url) => Some(url),
        None => std::env::var("DATABASE_URL")
            .ok()
            .filter(|url| !url.is_empty()),
    };
    args.done()?;
    let Some(url) = url else {
        let say = "migrate needs --database-url or DATABASE_URL (the embedded server of `dev` is \
                   migrated by `dev`)";
        return Err(Usage(say.to_owned()).into());
    };
    let address = Address::parse(&url)?;
    let password = std::env::var("PULSE_APP_PASSWORD")
        .ok()
        .filter(|word| !word.is_empty());
    let folder = project.run_folder();
    std::fs::create_dir_all(&folder)?;
    super::block_on(async {
        let step = Step::begin(format!("migrating {}", address.place()));
        let (plain, tunnel) = address.plain(project, &folder).await?;
        let outcome =
            migrations::migrate(&plain, &project.at("migrations"), password.as_deref()).await;
        if let Some(tunnel) = tunnel {
            tunnel.stop().await;
        }
        let outcome = outcome?;
        for name in &outcome.applied {
            say::note(name);
        }
        step.done(format!(
            "{} applied, {} in place",
            outcome.applied.len(),
            outcome.total
        ));
        if password.is_none() {
            say::note(format!(
                "the password of {APP_ROLE} is as it was; with PULSE_APP_PASSWORD set it is changed"
            ));
        }
        Ok(ExitCode::SUCCESS)
    })
}
