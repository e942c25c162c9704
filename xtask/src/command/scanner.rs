//! The check-in rules for the browser: wasm and its loader, built small.
//!
//! Invariant: `web/public/wasm/` holds the build of the present sources; when nothing changed, the
//! steps after the compiler are skipped. Case files are run by a build of its own, which is never
//! served.
//! Failure: the compiler's messages are shown as they are; a later step that fails shows its log.

use crate::command::build;
use crate::project::{self, Project, scrub};
use crate::run;
use crate::say::Step;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crate.
const PACKAGE: &str = "pulse-scanner-core";
/// What its files are called.
pub const NAME: &str = "pulse_scanner_core";
/// The profile that makes it small.
const PROFILE: &str = "browser";
/// Where the pages find it.
pub const SERVED: &str = "web/public/wasm";

/// What the compiler uses of wasm, and every browser of the last years has.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// What is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// As the pages load it.
    Served,
    /// The same that runs case files too.
    Cases,
}

/// Builds it; answers the folder with the module and its loader. The tools must be there.
pub fn build(project: &Project, variant: Variant) -> Result<PathBuf> {
    let (what, folder) = match variant {
        Variant::Served => ("the rules for the browser", project.at(SERVED)),
        Variant::Cases => (
            "the same, with case files",
            project.target_folder().join("browser-cases"),
        ),
    };
    let step = Step::begin(what);
    compile(project, variant)?;
    let compiled = compiled(project);
    let fingerprint = fingerprint(project, &compiled)?;
    let stamp = project
        .target_folder()
        .join(format!("browser-{variant:?}.stamp").to_lowercase());
    let [loader, module] = files(&folder);
    let whole = loader.is_file() && module.is_file();
    if whole && std::fs::read_to_string(&stamp).is_ok_and(|last| last == fingerprint) {
        step.done("unchanged");
        return Ok(folder);
    }
    let _ = std::fs::remove_file(&stamp);
    package(project, &compiled, &folder, &step)?;
    std::fs::write(&stamp, fingerprint)?;
    step.done(folder.display());
    Ok(folder)
}

/// The loader and the module in a folder.
pub fn files(folder: &Path) -> [PathBuf; 2] {
    [
        folder.join(format!("{NAME}.js")),
        folder.join(format!("{NAME}_bg.wasm")),
    ]
}

/// Sizes of a built folder.
pub fn size(folder: &Path) -> Result<build::Size> {
    build::size_of(&files(folder))
}

fn compile(project: &Project, variant: Variant) -> Result<()> {
    let mut cargo = project.cargo();
    cargo.args(["build", "--package", PACKAGE, "--lib"]);
    cargo.args(["--target", "wasm32-unknown-unknown", "--profile", PROFILE]);
    if variant == Variant::Cases {
        cargo.args(["--features", "cases"]);
    }
    if !cargo.status().context("cannot run cargo")?.success() {
        bail!("the rules for the browser do not compile");
    }
    Ok(())
}

/// Both variants come out of the compiler under one name, the last one built.
fn compiled(project: &Project) -> PathBuf {
    let folder = project.target_folder().join("wasm32-unknown-unknown");
    folder.join(PROFILE).join(format!("{NAME}.wasm"))
}

/// wasm-bindgen and wasm-opt, into a folder that replaces the present one when both are through.
fn package(project: &Project, compiled: &Path, folder: &Path, step: &Step) -> Result<()> {
    let fresh = project.target_folder().join("browser-package");
    let _ = std::fs::remove_dir_all(&fresh);
    let version = project.locked_version("wasm-bindgen")?;
    let mut bindgen = Command::new(project.cargo_bin("wasm-bindgen", &version));
    scrub(&mut bindgen);
    bindgen
        .args(["--target", "web", "--no-typescript", "--out-name", NAME])
        .arg("--out-dir")
        .arg(&fresh)
        .arg(compiled);
    run::logged(step, &mut bindgen, &project.log("wasm-bindgen")?)?;
    let [_, module] = files(&fresh);
    let mut optimise = Command::new(project.node());
    optimise
        .arg(project.npm_bin("wasm-opt"))
        .arg("-Oz")
        .args(FEATURES)
        .arg("-o")
        .arg(&module)
        .arg(&module);
    run::logged(step, &mut optimise, &project.log("wasm-opt")?)?;
    std::fs::create_dir_all(folder)?;
    for (new, old) in files(&fresh).into_iter().zip(files(folder)) {
        std::fs::rename(&new, &old).with_context(|| format!("cannot write {}", old.display()))?;
    }
    Ok(())
}

/// Everything that decides what comes out.
fn fingerprint(project: &Project, compiled: &Path) -> Result<String> {
    let bytes =
        std::fs::read(compiled).with_context(|| format!("cannot read {}", compiled.display()))?;
    let tools = [
        project.locked_version("wasm-bindgen")?,
        project::sha256(std::fs::read(project.at("package-lock.json"))?),
        FEATURES.join(" "),
    ];
    Ok(format!("{} {}\n", project::sha256(bytes), tools.join(" ")))
}
