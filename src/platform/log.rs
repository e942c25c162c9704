//! Structured logs: one JSON object a line.
//!
//! Invariant: no names, addresses, codes, tokens or bodies; identifiers only.
//! Failure: a line that cannot be written is lost and disturbs nothing.

use serde_json::{Map, Value};

/// How much is logged. `LOG_LEVEL` is `info` (every request) or `warn` (failures and slow ones).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What happened as it should.
    Info,
    /// What an operator may want to look at.
    Warn,
    /// What an operator must look at.
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Writes one line: `{"level":…,"message":…, fields…}`.
pub fn write(level: Level, message: &str, fields: &[(&str, Value)]) {
    let mut line = Map::with_capacity(fields.len() + 2);
    line.insert("level".into(), level.name().into());
    line.insert("message".into(), message.into());
    for (name, value) in fields {
        line.insert((*name).into(), value.clone());
    }
    let line = Value::Object(line).to_string();
    match level {
        Level::Error => worker::console_error!("{line}"),
        Level::Warn => worker::console_warn!("{line}"),
        Level::Info => worker::console_log!("{line}"),
    }
}
