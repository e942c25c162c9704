//! The password of a connection: sealed for the tenant, the row and the version it belongs to.
//!
//! Invariant: what is sealed opens for no other tenant, connection or version.
//! Failure: a password that does not open is a fault of ours.

use uuid::Uuid;

use crate::platform::crypto::DataKeys;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};

/// Which password of which connection of whom.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// The tenant.
    pub tenant: Uuid,
    /// The connection.
    pub connection: Uuid,
    /// Grows with every new password.
    pub version: u32,
}

impl Owner {
    fn text(self) -> String {
        let Self {
            tenant,
            connection,
            version,
        } = self;
        format!("{tenant}/monitor_connections/{connection}/password/{version}")
    }

    /// Seals a password.
    pub fn seal(self, ctx: &Ctx, password: &str) -> Result<String> {
        DataKeys::parse(&ctx.config.data_keys)?.seal(&self.text(), password.as_bytes())
    }

    /// Opens it.
    pub fn open(self, ctx: &Ctx, sealed: &str) -> Result<String> {
        let password = DataKeys::parse(&ctx.config.data_keys)?.open(&self.text(), sealed)?;
        String::from_utf8(password).map_err(|_| Error::internal("a password is no text"))
    }
}
