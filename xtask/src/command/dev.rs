//! `cargo xtask dev`: Pulse on this machine, with a demo event and a demo shop in it.
//!
//! Invariant: what was done survives a restart; nothing outlives the command.
//! Failure: a part that fails says so with its log; a Worker that refuses the demo still serves.

use super::build::{self, Profile};
use crate::args::Args;
use crate::local::database::Address;
use crate::local::folder::Folder;
use crate::local::seed;
use crate::local::shop::Shop;
use crate::local::stack::{self, Options, Pooler, Stack};
use crate::project::Project;
use crate::say::{self, Step};
use crate::tools;
use anyhow::Result;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// The port when none is given.
pub const PORT: u16 = 8787;

/// Settings of the Worker that a developer may set in the environment.
const FROM_ENVIRONMENT: [&str; 11] = [
    "CHAT_API_KEY",
    "CHAT_BASE_URL",
    "CHAT_BUDGET",
    "CHAT_LIMIT",
    "CHAT_MODEL",
    "CHAT_STREAM",
    "CORS_ORIGINS",
    "LOG_LEVEL",
    "SUPABASE_ISSUER",
    "SUPABASE_JWKS_URL",
    "SUPABASE_JWT_SECRET",
];

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
    let mut vars = stack::local_vars("local", "info");
    for name in FROM_ENVIRONMENT {
        if let Ok(value) = std::env::var(name) {
            vars.insert(name.to_owned(), value);
        }
    }
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

async fn serve(stack: &Stack, folder: &Path, demo: bool) -> Result<ExitCode> {
    let mut lines = vec![("Pulse", format!("{}/", stack.url))];
    let mut shop = None;
    if demo {
        let step = Step::begin("demo event");
        match seed::demo(&stack.url).await {
            Ok(demo) => {
                let token = demo.token;
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
                shop = open_shop(stack, &token).await;
            }
            Err(error) => {
                drop(step);
                say::warn(format!("no demo event: {error:#}"));
            }
        }
    }
    lines.push(("monitor", format!("{}/monitor", stack.url)));
    lines.push(("reports", format!("{}/reports", stack.url)));
    lines.push(("API", format!("{}/docs", stack.url)));
    // Of another server the password is not ours to show.
    if stack.postgres.is_some() {
        lines.push(("database", stack.owner.url().to_owned()));
    }
    println!();
    for (name, value) in lines {
        println!("  {name:<11} {value}");
    }
    println!();
    stack::say_logs(folder);
    say::note("Ctrl-C stops it");
    let code = tokio::select! {
        result = super::interrupted() => { result?; ExitCode::SUCCESS }
        () = echo_failures(folder) => ExitCode::FAILURE,
        () = gone(stack) => {
            say::warn("the runtime ended by itself; see runtime.log");
            ExitCode::FAILURE
        }
        () = trade(shop.as_ref()) => ExitCode::FAILURE,
    };
    let step = Step::begin("stopping");
    tokio::select! {
        () = stack.stop() => { step.done(""); }
        // A second Ctrl-C does not wait.
        result = super::interrupted() => result?,
    }
    Ok(code)
}

/// The demo shop, on the embedded server only: no database is made on another one.
async fn open_shop(stack: &Stack, token: &str) -> Option<Shop> {
    let postgres = stack.postgres.as_ref()?;
    let step = Step::begin("demo shop");
    let opened = async {
        let server = postgres.lock().await.superuser("postgres")?;
        let shop = Shop::open(&server).await?;
        shop.watch(&stack.url, token).await?;
        anyhow::Ok(shop)
    };
    match opened.await {
        Ok(shop) => {
            step.done("four weeks of orders");
            Some(shop)
        }
        Err(error) => {
            drop(step);
            say::warn(format!("no demo shop: {error:#}"));
            None
        }
    }
}

/// Lets the shop take orders, for ever.
async fn trade(shop: Option<&Shop>) {
    match shop {
        Some(shop) => shop.trade().await,
        None => std::future::pending().await,
    }
}

/// Prints what the Worker logs as a failure, for ever.
async fn echo_failures(folder: &Path) {
    let path = folder.join("runtime.log");
    let mut seen = std::fs::metadata(&path).map_or(0, |file| file.len());
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let Ok(mut file) = File::open(&path) else {
            continue;
        };
        let mut fresh = Vec::new();
        if file.seek(SeekFrom::Start(seen)).is_err() || file.read_to_end(&mut fresh).is_err() {
            continue;
        }
        // A line that is still being written waits for its end.
        let whole = fresh
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        fresh.truncate(whole);
        seen += whole as u64;
        for line in String::from_utf8_lossy(&fresh).lines() {
            if is_failure(line) {
                say::note(line);
            }
        }
    }
}

/// A log line of the Worker above `info`, or one that the runtime itself wrote.
fn is_failure(line: &str) -> bool {
    match serde_json::from_str::<serde_json::Value>(line) {
        Ok(entry) => !matches!(entry["level"].as_str(), Some("info" | "debug")),
        Err(_) => !line.trim().is_empty(),
    }
}

/// Waits until the runtime has gone by itself.
async fn gone(stack: &Stack) {
    while !stack.runtime.lock().await.has_ended() {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::is_failure;

    #[test]
    fn only_failures_are_shown() {
        assert!(!is_failure(r#"{"level":"info","message":"request"}"#));
        assert!(is_failure(r#"{"level":"error","message":"request"}"#));
        assert!(is_failure("workerd/server/server.c++:1: something broke"));
        assert!(!is_failure(""));
    }
}
