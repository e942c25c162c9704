//! A database of its own on a server that is there already.
//!
//! Invariant: nothing on the server is touched but what is made here and Pulse's two roles, which
//! belong to the whole server; it must therefore be one on this machine.
//! Failure: a role that may not create databases is told so by Postgres; a database that cannot be
//! dropped is named.

use super::database::Address;
use crate::say;
use anyhow::{Context, Result, bail};
use std::sync::atomic::{AtomicU32, Ordering};

static MADE: AtomicU32 = AtomicU32::new(0);

/// A database that ends with the tests.
#[derive(Debug)]
pub struct Scratch {
    server: Address,
    name: String,
    /// Its owner's address.
    pub address: Address,
}

impl Scratch {
    /// Makes one, as the role of the server's address.
    pub async fn create(server: &Address) -> Result<Self> {
        if !server.is_here() {
            bail!(
                "tests change the password of pulse_app, which belongs to the whole server: \
                 --database-url takes a server on this machine, not {}",
                server.place()
            );
        }
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("pulse_test_{}_{number}", std::process::id());
        let client = server.connect().await?;
        client
            .batch_execute(&format!(
                "create database {name} encoding 'UTF8' template template0"
            ))
            .await
            .with_context(|| format!("cannot make a database at {}", server.place()))?;
        Ok(Self {
            address: server.with_database(&name),
            server: server.clone(),
            name,
        })
    }

    /// Drops it, with whoever is still connected.
    pub async fn drop(self) {
        let sql = format!("drop database {} with (force)", self.name);
        let dropped = async { Ok(self.server.connect().await?.batch_execute(&sql).await?) };
        let dropped: Result<()> = dropped.await;
        if let Err(error) = dropped {
            say::warn(format!("the database {} stays: {error:#}", self.name));
        }
    }
}
