//! SQL of the object of a connection.
//!
//! Invariant: all of it is the object's own work for the tenant of its connection.
//! Failure: a connection that is gone answers no row.

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::monitor::connections::{Budget, SslMode};
use crate::platform::pg::Statement;

/// What a session is opened with.
#[derive(Clone, Deserialize)]
pub struct Access {
    /// Whose.
    pub tenant_id: Uuid,
    /// Name or address of the replica.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The role.
    pub username: String,
    /// Its password, sealed.
    pub secret: String,
    /// Which of its passwords that is.
    pub secret_version: u32,
    /// Whether the session is encrypted.
    pub sslmode: SslMode,
    /// Whether a server may be asked that is no replica.
    pub allow_primary: bool,
    /// Above it, data checks say nothing.
    pub lag_limit_seconds: u32,
    /// What may be asked in an hour.
    pub budget: Budget,
    /// Grows with every change.
    pub version: i64,
    /// Whether it is asked at all.
    pub enabled: bool,
}

/// What the object of a connection opens it with.
pub const ACCESS: Statement<Value, Access> = Statement::new("select app.monitor_access($1)");
