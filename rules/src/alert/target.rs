//! What an alert is about, and what people call it.
//!
//! Invariant: a target has at most one alert that is not resolved.
//! Failure: none.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::id;

/// What is wrong with something that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AlertKind))]
pub enum Kind {
    /// The data: a check warns or fails.
    Check,
    /// The replica is too far behind.
    Lag,
    /// The connection cannot be used.
    ConnectionDown,
    /// The columns of a table changed.
    Schema,
    /// A check names what is not there any more.
    Misconfigured,
    /// A check cannot be run to its end.
    Errored,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Check,
        Self::Lag,
        Self::ConnectionDown,
        Self::Schema,
        Self::Misconfigured,
        Self::Errored,
    ];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Lag => "lag",
            Self::ConnectionDown => "connection_down",
            Self::Schema => "schema",
            Self::Misconfigured => "misconfigured",
            Self::Errored => "errored",
        }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AlertSeverity))]
pub enum Severity {
    /// Look at it in time.
    Warn,
    /// Look at it now.
    Fail,
}

impl Severity {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What an alert is about: a connection, or something that is read through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The connection.
    pub connection: Uuid,
    /// The table; none when it is about the whole connection.
    pub table: Option<Uuid>,
    /// The check; none when no single one.
    pub check: Option<Uuid>,
    /// What is wrong.
    pub kind: Kind,
}

/// What people call a target, and what is told about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The target.
    pub target: Target,
    /// The connection's name.
    pub connection: String,
    /// The table's name, with its schema.
    #[serde(default)]
    pub table: Option<String>,
    /// The check's name.
    #[serde(default)]
    pub check: Option<String>,
    /// Labels of the check, over those of the table, over those of the connection.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Who looks after it.
    #[serde(default)]
    pub owner: Option<String>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Where it is written what to do.
    #[serde(default)]
    pub runbook: Option<String>,
}

impl Target {
    /// The identifier of what began for it at an instant: made again, it is the same.
    pub(super) fn id(&self, what: &str, at: DateTime<Utc>) -> Uuid {
        let mut hash = Sha256::new();
        hash.update(what);
        hash.update(self.connection);
        for part in [self.table, self.check] {
            hash.update([u8::from(part.is_some())]);
            hash.update(part.unwrap_or_default());
        }
        hash.update(self.kind.as_str());
        hash.update(at.timestamp_millis().to_be_bytes());
        let mut random = [0; 10];
        for (to, from) in random.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        let ms = u64::try_from(at.timestamp_millis()).unwrap_or_default();
        id::new(ms, random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time;

    #[test]
    fn names_are_those_of_the_wire() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for severity in [Severity::Warn, Severity::Fail] {
            assert_eq!(serde_json::to_value(severity).unwrap(), severity.as_str());
        }
        assert!(Severity::Fail > Severity::Warn);
    }

    #[test]
    fn an_identifier_is_the_same_for_the_same_beginning_and_for_no_other() {
        let target = Target {
            connection: Uuid::from_u128(1),
            table: Some(Uuid::from_u128(2)),
            check: None,
            kind: Kind::Check,
        };
        let swapped = Target {
            table: None,
            check: target.table,
            ..target
        };
        let errored = Target {
            kind: Kind::Errored,
            ..target
        };
        let at = time::from_ms(1_700_000_000_123);
        let one = target.id("alert", at);
        assert_eq!(one, target.id("alert", at));
        assert_eq!(id::unix_ms(&one), Some(1_700_000_000_123));
        for other in [
            target.id("incident", at),
            target.id("alert", time::from_ms(1_700_000_000_124)),
            swapped.id("alert", at),
            errored.id("alert", at),
        ] {
            assert_ne!(one, other);
        }
    }
}
