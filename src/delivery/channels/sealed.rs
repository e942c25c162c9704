//! Credentials of channels: sealed for the row and the name they belong to.
//!
//! Invariant: the row's id is enough of an owner, because it belongs to one tenant for good.
//! Failure: a credential that does not open is a fault of ours.

use std::collections::BTreeMap;

use rules::delivery::channel::Kind;
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::platform::crypto::DataKeys;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};

/// A channel as it is stored.
#[derive(Debug, Deserialize)]
pub struct Sealed {
    /// The channel.
    pub id: Uuid,
    /// What it is.
    pub kind: Kind,
    /// What it sends by: for the channel of the deployment what that is.
    #[serde(default)]
    pub sends_by: Option<Kind>,
    /// What it is set up with.
    pub settings: Map<String, Value>,
    /// By name, sealed.
    pub secrets: BTreeMap<String, String>,
}

impl Sealed {
    /// Settings and credentials in one.
    pub fn open(&self, ctx: &Ctx) -> Result<Map<String, Value>> {
        let keys = DataKeys::parse(&ctx.config.data_keys)?;
        let mut all = self.settings.clone();
        for (name, sealed) in &self.secrets {
            all.insert(name.clone(), open(&keys, self.id, name, sealed)?.into());
        }
        Ok(all)
    }
}

/// Seals a credential of a channel.
pub fn seal(keys: &DataKeys, channel: Uuid, name: &str, secret: &str) -> Result<String> {
    keys.seal(&owner(channel, name), secret.as_bytes())
}

/// Opens a credential of a channel.
pub fn open(keys: &DataKeys, channel: Uuid, name: &str, sealed: &str) -> Result<String> {
    let secret = keys.open(&owner(channel, name), sealed)?;
    String::from_utf8(secret).map_err(|_| Error::internal("a channel's secret is no text"))
}

fn owner(channel: Uuid, name: &str) -> String {
    // The secret before is the one that was sealed under the name of the current.
    let name = match name {
        "previous_secret" => "secret",
        name => name,
    };
    format!("channels/{channel}/{name}")
}
