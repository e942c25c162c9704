//! The secrets of a local stack, made once.
//!
//! Invariant: a stack keeps its secrets from run to run, and only their owner may read the file.
//! Failure: a file that cannot be read as secrets is an error that names it; `--reset` makes new
//! ones.

use crate::project;
use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What nobody else may know.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Secrets {
    /// Signs tokens.
    #[serde(rename = "TOKEN_SECRET")]
    pub token_secret: String,
    /// Encrypts stored credentials: `kid:base64 of 32 bytes`.
    #[serde(rename = "DATA_KEYS")]
    pub data_keys: String,
    /// Opens `/metrics`.
    #[serde(rename = "OPERATOR_TOKEN")]
    pub operator_token: String,
    /// Password of the Worker's role.
    pub app_password: String,
    /// Password of the role that owns the tables of the embedded server.
    pub owner_password: String,
    /// Password of the embedded server's superuser.
    pub superuser_password: String,
}

impl Secrets {
    /// Reads the secrets of a stack's folder, or makes them.
    pub fn of(folder: &Path) -> Result<Self> {
        let path = folder.join("secrets.json");
        if let Ok(text) = std::fs::read_to_string(&path) {
            return serde_json::from_str(&text).with_context(|| {
                format!(
                    "{} is not what this version writes; start with --reset",
                    path.display()
                )
            });
        }
        let secrets = Self {
            token_secret: word(48)?,
            data_keys: format!("local1:{}", STANDARD.encode(random(32)?)),
            operator_token: word(24)?,
            app_password: word(24)?,
            owner_password: word(24)?,
            superuser_password: word(24)?,
        };
        project::write_private(&path, &serde_json::to_string_pretty(&secrets)?)?;
        Ok(secrets)
    }
}

fn word(bytes: usize) -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(random(bytes)?))
}

fn random(bytes: usize) -> Result<Vec<u8>> {
    use std::io::Read;
    let mut random = vec![0; bytes];
    let mut source = std::fs::File::open("/dev/urandom").context("no /dev/urandom")?;
    source.read_exact(&mut random)?;
    Ok(random)
}
