//! Schemathesis: requests generated from the API document, good and bad ones.
//!
//! Invariant: one pinned version, in a virtual environment of the cache folder.
//! Failure: without Python, pip or a network to PyPI the step does not run, and says which; every
//! operation that answers against its document is shown with the request that did it.

use super::{Tally, cargo};
use crate::local::seed;
use crate::project::Project;
use crate::run;
use crate::say::Step;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The version that is installed.
const VERSION: &str = "4.32.5";
/// Requests generated for each operation.
const EXAMPLES: &str = "25";

/// Installs it once; answers the program.
pub fn ensure(project: &Project) -> Result<PathBuf> {
    let folder = project
        .cache
        .join("tools")
        .join(format!("schemathesis-{VERSION}"));
    let program = folder.join("bin/schemathesis");
    let ready = folder.join(".ready");
    if ready.is_file() {
        return Ok(program);
    }
    if run::output(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_none() {
        bail!("there is no python3 with venv; Debian, Ubuntu: apt-get install python3-venv");
    }
    let step = Step::begin(format!(
        "schemathesis {VERSION} from PyPI, once for this machine"
    ));
    let _ = std::fs::remove_dir_all(&folder);
    let log = project.log("install-schemathesis")?;
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(&folder);
    run::logged(&step, &mut venv, &log).context("cannot make a Python environment")?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]);
    pip.arg(format!("schemathesis=={VERSION}"));
    run::logged(&step, &mut pip, &log).context("pip cannot install schemathesis (no network?)")?;
    std::fs::write(ready, "")?;
    step.done("installed");
    Ok(program)
}

/// Runs it against a stack that has the demo event, with the key of that tenant's admin: a sign-in
/// would not survive the generated sign-outs.
pub async fn run(
    project: &Project,
    program: &Path,
    url: &str,
    environment: &[(&str, String)],
) -> Result<Tally> {
    let table = seed::demo(url)
        .await?
        .table_id
        .context("the demo event has no table")?;
    let key = key(url).await?;
    let report = project.run_folder().join("logs");
    std::fs::create_dir_all(&report)?;
    let mut command = Command::new(program);
    command
        .current_dir(&report)
        .arg("--config-file")
        .arg(project.at("xtask/schemathesis.toml"));
    command.args(["run", &format!("{url}/openapi.json")]);
    command.args(["--header", &format!("Authorization: Bearer {key}")]);
    command.args(["--checks", "all", "--max-examples", EXAMPLES, "--seed", "1"]);
    command.args([
        "--workers",
        "2",
        "--generation-database",
        "none",
        "--continue-on-failure",
        "--no-color",
    ]);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.env("PULSE_TABLE_ID", table);
    cargo::counted(&mut command, |_| None).map(|tally| Tally::one(tally.failed == 0))
}

/// A key with the rights of the demo tenant's admin.
async fn key(url: &str) -> Result<String> {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .build()?;
    let login = json!({"email": seed::EMAIL, "password": seed::PASSWORD});
    let reply = client
        .post(format!("{url}/api/auth/login"))
        .json(&login)
        .send()
        .await?;
    let session: Value = reply.error_for_status()?.json().await?;
    let token = session["access_token"]
        .as_str()
        .context("no access token")?;
    let key = json!({"name": "schemathesis", "role": "admin"});
    let reply = client
        .post(format!("{url}/api/keys"))
        .bearer_auth(token)
        .json(&key)
        .send()
        .await?;
    let made: Value = reply.error_for_status()?.json().await?;
    made["key"].as_str().map(str::to_owned).context("no key")
}
