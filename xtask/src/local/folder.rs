//! The folder of a stack, which one command at a time has.
//!
//! Invariant: while a [`Folder`] lives no other command uses it, and nothing of an earlier command
//! that was killed is running in it.
//! Failure: a folder that is in use says by which process.

use super::{guard, postgres};
use crate::project::Project;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The pid files that a stack may leave.
const PARTS: [&str; 3] = ["runtime", "pgbouncer", "postgres"];

/// A folder that is this command's until it is dropped.
#[derive(Debug)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Takes a folder, and ends what a killed command left running in it.
    pub fn claim(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path)
            .with_context(|| format!("cannot create {}", path.display()))?;
        let file = path.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&file)?;
        if lock.try_lock().is_err() {
            let who = std::fs::read_to_string(&file).unwrap_or_default();
            bail!(
                "Pulse is already running here: process {} in {}",
                who.trim(),
                path.display()
            );
        }
        lock.set_len(0)?;
        (&lock).write_all(std::process::id().to_string().as_bytes())?;
        for place in [path.to_owned(), postgres::refuge(path)] {
            for part in PARTS {
                guard::sweep(&place.join(part).with_extension("pid"))?;
            }
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Takes an empty folder for a throw-away stack.
    pub fn fresh(project: &Project, kind: &str) -> Result<Self> {
        let parent = project.run_folder().join(kind);
        for number in 1..100 {
            if let Ok(folder) = Self::claim(&parent.join(number.to_string())) {
                folder.clear()?;
                return Ok(folder);
            }
        }
        bail!("too many stacks run in {}", parent.display())
    }

    /// Deletes everything in it; nothing of it may run.
    pub fn clear(&self) -> Result<()> {
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            if path.ends_with("lock") {
                continue;
            }
            let gone = if path.is_dir() && !path.is_symlink() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
            gone.with_context(|| format!("cannot delete {}", path.display()))?;
        }
        let refuge = postgres::refuge(&self.path);
        if refuge.exists() {
            std::fs::remove_dir_all(&refuge)
                .with_context(|| format!("cannot delete {}", refuge.display()))?;
        }
        Ok(())
    }
}
