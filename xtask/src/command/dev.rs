//! `cargo xtask dev`: Pulse on this machine, with a demo event in it.
//!
//! Invariant: what was done survives a restart; nothing outlives the command.
//! Failure: a part that fails says so with its log; a Worker that refuses the demo still serves.

use super::build::{self, Profile};
use crate::args::Args;
use crate::local::database::Address;
use crate::local::folder::Folder;
use crate::local::seed;
use crate::local::stack::{self, Options, Pooler, Stack};
use crate::project::Project;
use crate::say::{self, Step};
use crate::tools;
use anyhow::Result;
use std::process::ExitCode;
use std::time::Duration;

/// The port when none is given.
pub const PORT: u16 = 8787;

/// The command.
pub fn run(project: &Project, mut args: Args) -> Result<ExitCode> {
    let port = args.parsed("--port")?.unwrap_or(PORT);
    let release = args.flag("--release");
    let reset = args.flag("--reset");
    args.done()?;
    let profile = if release {
        Profile::Release
    } else {
        Profile::Dev
    };
    local(project, port, profile, reset, true)
}

/// Builds and runs a stack until it is interrupted.
pub fn local(
    project: &Project,
    port: u16,
    profile: Profile,
    reset: bool,
    demo: bool,
) -> Result<ExitCode> {
    let folder = Folder::claim(&project.run_folder().join("dev"))?;
    tools::require_port(port)?;
    let database = std::env::var("DATABASE_URL")
        .ok()
        .filter(|url| !url.is_empty());
    let database = database.map(|url| Address::parse(&url)).transpose()?;
    tools::ensure(project)?;
    build::worker(project, profile)?;
    if reset {
        let step = Step::begin("deleting the data of the last run");
        folder.clear()?;
        step.done("");
    }
    let vars = stack::local_vars("local", "info");
    let place = folder.path.clone();
    let options = Options {
        folder,
        port,
        database,
        durable: true,
        pooler: Pooler::Proxy { strict: false },
        crons: true,
        vars,
    };
    super::block_on(async {
        tokio::select! {
            // An interruption while it starts: what has started ends with this process.
            result = super::interrupted() => { result?; Ok(ExitCode::SUCCESS) }
            stack = Stack::start(project, options) => serve(&stack?, &place, demo).await,
        }
    })
}

async fn serve(stack: &Stack, folder: &std::path::Path, demo: bool) -> Result<ExitCode> {
    let mut lines = vec![("Pulse", format!("{}/", stack.url))];
    if demo {
        let step = Step::begin("demo event");
        match seed::demo(&stack.url).await {
            Ok(demo) => {
                step.done(if demo.fresh {
                    "40 guests, two gates"
                } else {
                    "as you left it"
                });
                lines.push(("demo login", format!("{}  {}", seed::EMAIL, seed::PASSWORD)));
                if let Some(table) = demo.table_id {
                    lines.push(("dashboard", format!("{}/pulse/{table}", stack.url)));
                    lines.push((
                        "scanner",
                        format!("{}/pulse-scanner?table={table}", stack.url),
                    ));
                }
            }
            Err(error) => {
                drop(step);
                say::warn(format!("no demo event: {error:#}"));
            }
        }
    }
    lines.push(("API", format!("{}/docs", stack.url)));
    lines.push(("database", stack.owner.url().to_owned()));
    println!();
    for (name, value) in lines {
        println!("  {name:<11} {value}");
    }
    println!();
    stack::say_logs(folder);
    say::note("Ctrl-C stops it");
    let code = tokio::select! {
        result = super::interrupted() => { result?; ExitCode::SUCCESS }
        () = gone(stack) => {
            say::warn("the runtime ended by itself; see runtime.log");
            ExitCode::FAILURE
        }
    };
    let step = Step::begin("stopping");
    tokio::select! {
        () = stack.stop() => { step.done(""); }
        // A second Ctrl-C does not wait.
        result = super::interrupted() => result?,
    }
    Ok(code)
}

/// Waits until the runtime has gone by itself.
async fn gone(stack: &Stack) {
    while !stack.runtime.lock().await.has_ended() {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
