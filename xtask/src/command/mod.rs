//! The commands by name, and their help.
//!
//! Invariant: the help lists every command there is.
//! Failure: an unknown command is a usage error that shows the list.

pub mod build;
mod cases;
mod dev;
mod migrate;
mod openapi;
pub mod scanner;
mod serve;

pub use dev::PORT;

use crate::args::{Args, Usage};
use crate::project::Project;
use crate::{bench, demo, deploy, say, soak, suite, tools};
use anyhow::Result;
use std::future::Future;
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask <command>

  dev           Pulse on this machine with a demo event and a demo shop, rebuilt when you start it again
                  --port N (8787)  --release  --reset (delete its data first)
                  DATABASE_URL=postgres://owner:…@… uses that server instead of the embedded one
                  CORS_ORIGINS, LOG_LEVEL, SUPABASE_* and CHAT_* reach the Worker
  serve         the release build, without the demo
                  --port N (8787)  --dev (unoptimised)  --reset
  test          every check, in order, with a summary
                  FILTER (names of host, e2e and fault tests)
                  --only STEP (repeatable)  --skip STEP  --list  --keep (leave the stack's folder)
                  --dev (steps with a running stack build the Worker unoptimised: quicker to repeat)
                  --require-all (a step that cannot run on this machine is a failure)
                  --database-url URL (a server on this machine instead of the embedded one; databases
                  are made there and dropped)
  demo          a realistic event against a running Pulse, compared with its dashboard at the end
                  --guests N (5000)  --scanners N (20)  --rate N a second (50)  --seconds N
                  --offline N (3; scanners that lose their connection for a while)
                  --seed N  --url URL (http://127.0.0.1:8787)
  bench         checkin | core: against a JavaScript Worker in the same run; docs/benchmarks.md
                monitor: checks of a thousand tables against a real standby, and what they cost it
                reports: lateness and throughput of scheduled reports, the cost of an idle minute
                  --quick, --scram (neither written)  --date TEXT  --machine TEXT
  soak          seeded operations against a throw-away stack that is killed, evicted and cut off
                meanwhile; what clients were told is checked against the log
                  --operations N (20000)  --seed N (1)  --clients N (24)  --round N (25000)
                  --faults-every N (2000)
                  --minutes N (begin no round after them)  --write (into docs/benchmarks.md)  --date TEXT  --machine TEXT
  build         the Worker into build/, the rules for the browser into web/public/wasm/
                  --release (default)  --dev (the Worker)
  migrate       the database to the newest state
                  --database-url URL (or DATABASE_URL); PULSE_APP_PASSWORD sets pulse_app's password
  deploy-check  verifies wrangler.toml and prints the deploy steps
  openapi       prints the API document         --out FILE
  cases         runs a case file through the rules: cases <kind> <file>
  tools         fetches what the project needs on this machine; every command does this itself
  help          this list
";

/// Runs a command to its end.
pub fn run(name: &str, mut args: Args) -> Result<ExitCode> {
    if matches!(name, "help" | "-h") || args.flag("--help") {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    let project = Project::find()?;
    match name {
        "dev" => dev::run(&project, args),
        "serve" => serve::run(&project, args),
        "test" => suite::run(&project, args),
        "build" => build::run(&project, args),
        "demo" => demo::run(args),
        "bench" => bench::run(&project, args),
        "soak" => soak::run(&project, args),
        "migrate" => migrate::run(&project, args),
        "deploy-check" => deploy::run(&project, args),
        "openapi" => openapi::run(&project, args),
        "cases" => cases::run(args),
        "tools" => {
            args.done()?;
            tools::ensure(&project)?;
            say::note("everything is in place");
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(Usage(format!("there is no command {name:?}")).into()),
    }
}

/// Runs a future to its end on a runtime of its own.
pub fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(future)
}

/// Waits for Ctrl-C or a polite request to end.
pub async fn interrupted() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}
