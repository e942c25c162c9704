//! `cargo xtask build`: the Worker, as wrangler uploads it and Miniflare serves it, and the rules
//! that its pages load.
//!
//! Invariant: `build/` holds the Worker of the present sources and profile; when nothing changed
//! since the last build, the steps after the compiler are skipped.
//! Failure: the compiler's messages are shown as they are; a later step that fails shows its log.

use crate::args::{Args, Usage};
use crate::command::scanner::{self, Variant};
use crate::project::{self, Project, scrub};
use crate::say::{self, Step};
use crate::{run, tools};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// What stands in front of the Rust side.
const ENTRY: &str = "src/platform/entry.js";

/// How the Worker is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Optimised, as deployed.
    Release,
    /// Quick to build.
    Dev,
}

impl Profile {
    fn flag(self) -> &'static str {
        match self {
            Self::Release => "--release",
            Self::Dev => "--dev",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Dev => "debug",
        }
    }
}

/// The command.
pub fn run(project: &Project, mut args: Args) -> Result<ExitCode> {
    let (dev, release) = (args.flag("--dev"), args.flag("--release"));
    args.done()?;
    if dev && release {
        return Err(Usage("--dev and --release exclude each other".to_owned()).into());
    }
    tools::ensure(project)?;
    worker(project, if dev { Profile::Dev } else { Profile::Release })?;
    for (what, Size { raw, gzip }) in [
        ("Worker", size(project)?),
        (
            "rules for the browser",
            scanner::size(&project.at(scanner::SERVED))?,
        ),
    ] {
        let (raw, gzip) = (raw / 1024, gzip / 1024);
        say::note(format!("{what}: {raw} KiB, {gzip} KiB gzipped"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the Worker and puts in place what its pages load. The tools must be there.
pub fn worker(project: &Project, profile: Profile) -> Result<()> {
    vendor(project)?;
    scanner::build(project, Variant::Served)?;
    let step = Step::begin(format!("Worker ({})", profile.folder()));
    compile(project, profile)?;
    let fingerprint = fingerprint(project, profile)?;
    let stamp = project.build_folder().join(".pulse-stamp");
    if std::fs::read_to_string(&stamp).is_ok_and(|last| last == fingerprint) {
        step.done("unchanged");
        return Ok(());
    }
    let _ = std::fs::remove_file(&stamp);
    package(project, profile, &step)?;
    std::fs::write(&stamp, fingerprint)?;
    step.done(project.build_folder().display());
    Ok(())
}

/// The compiler alone, with its messages on the terminal.
fn compile(project: &Project, profile: Profile) -> Result<()> {
    let mut cargo = project.cargo();
    cargo.args([
        "build",
        "--package",
        "pulse",
        "--lib",
        "--target",
        "wasm32-unknown-unknown",
    ]);
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    // worker-build sets it too, and does not compile again what is compiled.
    cargo.env("WASM_BINDGEN_USE_JS_SYS", "1");
    if !cargo.status().context("cannot run cargo")?.success() {
        bail!("the Worker does not compile");
    }
    Ok(())
}

/// wasm-bindgen, wasm-opt and the bundler, by worker-build.
fn package(project: &Project, profile: Profile, step: &Step) -> Result<()> {
    let worker_build = project.cargo_bin("worker-build", &project.locked_version("worker")?);
    let bindgen = project.cargo_bin("wasm-bindgen", &project.locked_version("wasm-bindgen")?);
    let mut command = Command::new(worker_build);
    scrub(&mut command);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let packaged = project.at("node_modules/.bin");
    let path = std::env::join_paths(std::iter::once(packaged).chain(std::env::split_paths(&path)))?;
    command
        .current_dir(&project.root)
        .arg(profile.flag())
        .env("PATH", path)
        .env("ESBUILD_BIN", project.npm_bin("esbuild"))
        .env("WASM_OPT_BIN", project.npm_bin("wasm-opt"))
        .env("WASM_BINDGEN_BIN", bindgen);
    run::logged(step, &mut command, &project.log("worker-build")?)?;
    enter(project, step)
}

/// Puts the entry in front of what worker-build made, in one script.
fn enter(project: &Project, step: &Step) -> Result<()> {
    let script = project.build_folder().join("index.js");
    let mut esbuild = Command::new(project.npm_bin("esbuild"));
    esbuild
        .current_dir(&project.root)
        .args([
            ENTRY,
            "--bundle",
            "--minify",
            "--format=esm",
            "--target=es2022",
        ])
        .args(["--external:./index_bg.wasm", "--external:cloudflare:*"])
        .arg("--allow-overwrite")
        .arg(format!("--outfile={}", script.display()));
    run::logged(step, &mut esbuild, &project.log("entry")?)
}

/// Everything that decides what `build/` holds.
fn fingerprint(project: &Project, profile: Profile) -> Result<String> {
    let wasm = project
        .target_folder()
        .join("wasm32-unknown-unknown")
        .join(profile.folder())
        .join("pulse.wasm");
    let bytes = std::fs::read(&wasm).with_context(|| format!("cannot read {}", wasm.display()))?;
    let tools = [
        project.locked_version("worker")?,
        project.locked_version("wasm-bindgen")?,
        project::sha256(std::fs::read(project.at("package-lock.json"))?),
        project::sha256(std::fs::read(project.at(ENTRY))?),
        profile.folder().to_owned(),
    ];
    Ok(format!("{} {}\n", project::sha256(bytes), tools.join(" ")))
}

/// Copies what the pages use of packages.
fn vendor(project: &Project) -> Result<()> {
    let target = project.at("web/public/vendor");
    std::fs::create_dir_all(&target)?;
    for (of, file) in tools::VENDORED {
        let source = project.at("node_modules").join(of);
        let bytes =
            std::fs::read(&source).with_context(|| format!("cannot read {}", source.display()))?;
        if std::fs::read(target.join(file)).is_ok_and(|present| present == bytes) {
            continue;
        }
        std::fs::write(target.join(file), bytes)?;
    }
    Ok(())
}

/// Sizes in bytes: raw, and gzipped as it is downloaded and as Cloudflare counts a Worker.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// All files together.
    pub raw: usize,
    /// The same, gzipped.
    pub gzip: usize,
}

/// Measures the built Worker.
pub fn size(project: &Project) -> Result<Size> {
    let folder = project.build_folder();
    size_of(&["index.js", "index_bg.wasm"].map(|file| folder.join(file)))
}

/// Measures files.
pub fn size_of(files: &[PathBuf]) -> Result<Size> {
    use std::io::Write;
    let mut size = Size { raw: 0, gzip: 0 };
    for path in files {
        let bytes =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&bytes)?;
        size.raw += bytes.len();
        size.gzip += encoder.finish()?.len();
    }
    Ok(size)
}
