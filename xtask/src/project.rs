//! Where things are: the project, its ignored run folder, the cache of tools.
//!
//! Invariant: nothing is written outside the project's ignored folders and the cache folder.
//! Failure: a project that is not found says from where it was looked for.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The project's folders.
#[derive(Clone, Debug)]
pub struct Project {
    /// The folder with `wrangler.toml` and the workspace's `Cargo.toml`.
    pub root: PathBuf,
    /// What is downloaded or built once for all checkouts. `PULSE_CACHE` moves it.
    pub cache: PathBuf,
}

impl Project {
    /// The project this command was built from, or the one cargo runs it in.
    pub fn find() -> Result<Self> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .parent()
            .context("xtask has no parent folder")?
            .to_owned();
        if !root.join("wrangler.toml").is_file() {
            bail!(
                "no wrangler.toml in {}: run `cargo xtask` in the project",
                root.display()
            );
        }
        let cache = match std::env::var_os("PULSE_CACHE") {
            Some(cache) => PathBuf::from(cache),
            None => {
                let home = std::env::var_os("HOME").context("HOME is not set; set PULSE_CACHE")?;
                PathBuf::from(home).join(".cache/pulse")
            }
        };
        Ok(Self { root, cache })
    }

    /// A path in the project.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The ignored folder of running stacks and logs.
    pub fn run_folder(&self) -> PathBuf {
        self.at(".pulse")
    }

    /// Where the log of `name` goes; the folder is made.
    pub fn log(&self, name: &str) -> Result<PathBuf> {
        let folder = self.run_folder().join("logs");
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(folder.join(format!("{name}.log")))
    }

    /// The built Worker: `index.js`, `index_bg.wasm`.
    pub fn build_folder(&self) -> PathBuf {
        self.at("build")
    }

    /// Cargo's output folder.
    pub fn target_folder(&self) -> PathBuf {
        match std::env::var_os("CARGO_TARGET_DIR") {
            Some(target) => self.root.join(target),
            None => self.at("target"),
        }
    }

    /// A program that an npm package brings.
    pub fn npm_bin(&self, name: &str) -> PathBuf {
        self.at("node_modules/.bin").join(name)
    }

    /// The Node that runs the runtime: the one npm brought, or the system's where none is packaged.
    pub fn node(&self) -> PathBuf {
        let packaged = self.npm_bin("node");
        if packaged.exists() {
            packaged
        } else {
            PathBuf::from("node")
        }
    }

    /// A program that cargo installed into the cache.
    pub fn cargo_bin(&self, tool: &str, version: &str) -> PathBuf {
        self.cache
            .join("tools")
            .join(format!("{tool}-{version}"))
            .join("bin")
            .join(tool)
    }

    /// The version of a crate in `Cargo.lock`.
    pub fn locked_version(&self, name: &str) -> Result<String> {
        let path = self.at("Cargo.lock");
        let lock = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let entry = format!("name = \"{name}\"\nversion = \"");
        let at = lock
            .find(&entry)
            .with_context(|| format!("Cargo.lock has no {name}"))?;
        let rest = &lock[at + entry.len()..];
        let end = rest.find('"').context("Cargo.lock is cut off")?;
        Ok(rest[..end].to_owned())
    }

    /// A cargo of the project's toolchain, without what the outer cargo set for this process.
    pub fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root);
        scrub(&mut cargo);
        cargo
    }
}

/// Takes away what `cargo run` set for this process and no child should see.
pub fn scrub(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        let ours = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
        ];
        if ours.iter().any(|prefix| name_text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("DYLD_FALLBACK_LIBRARY_PATH");
}

/// The SHA-256 of bytes in hex.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes.as_ref())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Writes a file that only its owner may read.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let temporary = path.with_extension("part");
    let _ = std::fs::remove_file(&temporary);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(&temporary, path)?;
    Ok(())
}
