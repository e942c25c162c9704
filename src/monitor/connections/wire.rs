//! What comes in and goes out at connections.
//!
//! Invariant: every wrong field is reported, not only the first; a password comes in and never goes
//! out.
//! Failure: 422 with the pointer of each field.

use rules::invalid::Invalid;
use rules::outbound::Policy;
use rules::patch::Patch;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Longest name, in characters.
const NAME: usize = 120;
/// Longest name of a database or role, in bytes, as Postgres cuts them.
const IDENTIFIER: usize = 63;
/// Longest password, in bytes.
const PASSWORD: usize = 1_000;
/// Longest reason, in characters.
const REASON: usize = 500;

/// Whether a session is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SslMode {
    /// Encrypted, with a certificate that the runtime verified for the host's name.
    #[default]
    Require,
    /// Not encrypted; only where the deployment lets private addresses be called.
    Disable,
}

/// What may be asked of a replica in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Statements.
    #[serde(default = "Budget::statements")]
    #[schema(minimum = 10, maximum = 100_000)]
    pub statements: u32,
    /// Milliseconds that statements take.
    #[serde(default = "Budget::milliseconds")]
    #[schema(minimum = 10_000, maximum = 3_600_000)]
    pub milliseconds: u32,
    /// Buffers of 8 kB that are read.
    #[serde(default = "Budget::buffers")]
    #[schema(minimum = 1_000, maximum = 1_000_000_000)]
    pub buffers: u64,
}

impl Budget {
    const fn statements() -> u32 {
        3_600
    }
    const fn milliseconds() -> u32 {
        300_000
    }
    const fn buffers() -> u64 {
        2_000_000
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            statements: Self::statements(),
            milliseconds: Self::milliseconds(),
            buffers: Self::buffers(),
        }
    }
}

/// A new connection.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionIn {
    /// What people call it.
    #[schema(min_length = 1, max_length = 120)]
    pub name: String,
    /// Name or address of the replica.
    #[schema(max_length = 253)]
    pub host: String,
    /// Its port.
    #[serde(default = "default_port")]
    #[schema(minimum = 1)]
    pub port: u16,
    /// The database.
    #[schema(min_length = 1, max_length = 63)]
    pub database: String,
    /// The role that Pulse signs in as.
    #[schema(min_length = 1, max_length = 63)]
    pub username: String,
    /// Its password; sealed, and never shown again.
    #[schema(min_length = 1, max_length = 1000)]
    pub password: String,
    /// Whether the session is encrypted.
    #[serde(default)]
    pub sslmode: SslMode,
    /// Lets a server be asked that is no replica. Says who is sure, in `primary_reason`.
    #[serde(default)]
    pub allow_primary: bool,
    /// Why a primary may be asked.
    #[schema(max_length = 500)]
    pub primary_reason: Option<String>,
    /// Replication lag above which data checks say nothing, in seconds.
    #[serde(default = "default_lag")]
    #[schema(minimum = 60, maximum = 86400)]
    pub lag_limit_seconds: u32,
    /// What may be asked in an hour.
    #[serde(default)]
    pub budget: Budget,
    /// Whether it is asked at all.
    #[serde(default = "yes")]
    pub enabled: bool,
}

const fn default_port() -> u16 {
    5432
}
const fn default_lag() -> u32 {
    300
}
const fn yes() -> bool {
    true
}

/// Changes to a connection; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionPatch {
    /// What people call it.
    #[schema(min_length = 1, max_length = 120)]
    pub name: Option<String>,
    /// Another host takes the password again.
    #[schema(max_length = 253)]
    pub host: Option<String>,
    /// Another port takes the password again.
    #[schema(minimum = 1)]
    pub port: Option<u16>,
    /// The database.
    #[schema(min_length = 1, max_length = 63)]
    pub database: Option<String>,
    /// The role that Pulse signs in as.
    #[schema(min_length = 1, max_length = 63)]
    pub username: Option<String>,
    /// Its new password.
    #[schema(min_length = 1, max_length = 1000)]
    pub password: Option<String>,
    /// `disable` takes the password again.
    pub sslmode: Option<SslMode>,
    /// Lets a server be asked that is no replica.
    pub allow_primary: Option<bool>,
    /// Why a primary may be asked.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500)]
    pub primary_reason: Patch<String>,
    /// Replication lag above which data checks say nothing, in seconds.
    #[schema(minimum = 60, maximum = 86400)]
    pub lag_limit_seconds: Option<u32>,
    /// What may be asked in an hour.
    pub budget: Option<Budget>,
    /// Whether it is asked at all.
    pub enabled: Option<bool>,
}

/// A connection to a replica.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct MonitorConnection {
    /// The connection.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// Name or address of the replica.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The role that Pulse signs in as.
    pub username: String,
    /// Whether the session is encrypted.
    pub sslmode: SslMode,
    /// Whether a server may be asked that is no replica.
    pub allow_primary: bool,
    /// Why.
    #[schema(required = true)]
    pub primary_reason: Option<String>,
    /// Replication lag above which data checks say nothing, in seconds.
    pub lag_limit_seconds: u32,
    /// What may be asked in an hour.
    pub budget: Budget,
    /// Whether it is asked at all.
    pub enabled: bool,
    /// `closed`: all is well; `tight`: asked less because it suffers; `open`: left alone.
    pub breaker: Breaker,
    /// When it is asked next, RFC 3339.
    #[schema(required = true)]
    pub due_at: Option<String>,
    /// When it was last asked, RFC 3339.
    #[schema(required = true)]
    pub last_run_at: Option<String>,
    /// When it last answered, RFC 3339.
    #[schema(required = true)]
    pub last_ok_at: Option<String>,
    /// What was wrong the last time, if anything was.
    #[schema(required = true)]
    pub last_error: Option<String>,
    /// The same as a code.
    #[schema(required = true)]
    pub last_error_code: Option<String>,
    /// How far it was behind its primary, at most, in milliseconds.
    #[schema(required = true)]
    pub lag_ms: Option<i64>,
    /// Its version of Postgres.
    #[schema(required = true)]
    pub server_version: Option<String>,
    /// Who made it.
    #[schema(required = true)]
    pub created_by: Option<Uuid>,
    /// For `If-Match`.
    pub version: i64,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// How freely a replica is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    /// As the budget allows.
    Closed,
    /// Less, because it suffers.
    Tight,
    /// Not at all, for a while.
    Open,
}

/// A page of connections.
#[derive(Serialize, ToSchema)]
pub struct MonitorConnections {
    /// Newest first.
    pub items: Vec<MonitorConnection>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Which connections.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConnectionsQuery {
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Which tables of a replica.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TablesQuery {
    /// Their schema; `public` unless given.
    pub schema: Option<String>,
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Which columns of a replica.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ColumnsQuery {
    /// The schema of the table; `public` unless given.
    pub schema: Option<String>,
    /// The table.
    pub table: String,
}

/// What Pulse cost a replica.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ConnectionImpact {
    /// What may be spent in an hour.
    pub budget: Budget,
    /// How freely it is asked.
    pub breaker: Breaker,
    /// What was spent in each hour of the last week that had any, newest first.
    pub hours: Vec<ImpactHour>,
}

/// What was spent in an hour.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ImpactHour {
    /// Its start, RFC 3339.
    pub hour: String,
    /// Statements.
    pub statements: u64,
    /// Milliseconds that they took.
    pub milliseconds: u64,
    /// Buffers of 8 kB, as far as plans tell.
    pub buffers: u64,
    /// Runs of checks.
    pub runs: u64,
    /// Runs that were skipped, by why.
    pub skipped: std::collections::BTreeMap<String, u64>,
}

/// What of a connection goes to Postgres, checked; the password apart.
#[derive(Debug, Default, Serialize)]
pub(super) struct Checked {
    pub name: Option<String>,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub database: Option<String>,
    pub username: Option<String>,
    pub sslmode: Option<SslMode>,
    pub allow_primary: Option<bool>,
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub primary_reason: Patch<String>,
    pub lag_limit_seconds: Option<u32>,
    pub budget: Option<Budget>,
    pub enabled: Option<bool>,
}

/// What a change is checked against.
#[derive(Deserialize)]
pub(super) struct Known {
    pub host: String,
    pub port: u16,
    pub sslmode: SslMode,
    pub allow_primary: bool,
    pub primary_reason: Option<String>,
    pub secret_version: u32,
    pub version: i64,
}

impl ConnectionIn {
    /// The settings, checked, and the password.
    pub(super) fn check(self, policy: &Policy) -> Result<(Checked, String), Invalid> {
        let reason = self.primary_reason.map_or(Patch::Absent, Patch::Value);
        let patch = ConnectionPatch {
            name: Some(self.name),
            host: Some(self.host),
            port: Some(self.port),
            database: Some(self.database),
            username: Some(self.username),
            password: Some(self.password),
            sslmode: Some(self.sslmode),
            allow_primary: Some(self.allow_primary),
            primary_reason: reason,
            lag_limit_seconds: Some(self.lag_limit_seconds),
            budget: Some(self.budget),
            enabled: Some(self.enabled),
        };
        let (checked, password) = patch.check(policy, None)?;
        Ok((checked, password.unwrap_or_default()))
    }
}

impl ConnectionPatch {
    /// The settings that change, checked against what the connection is, and the new password.
    pub(super) fn check(
        self,
        policy: &Policy,
        known: Option<&Known>,
    ) -> Result<(Checked, Option<String>), Invalid> {
        let mut invalid = Invalid::default();
        let name = self.name.as_deref();
        let name = name.map(|name| invalid.take(rules::name::parse("/name", name, NAME)));
        let port = self.port.or(known.map(|known| known.port));
        let host = self.host.as_deref();
        let host = host.map(|host| invalid.take(host_of(host, port.unwrap_or(5432), policy)));
        let mut word = |pointer: &str, text: Option<&str>, most: usize| {
            text.and_then(|text| invalid.take(identifier(pointer, text, most)))
        };
        let database = word("/database", self.database.as_deref(), IDENTIFIER);
        let username = word("/username", self.username.as_deref(), IDENTIFIER);
        let password = word("/password", self.password.as_deref(), PASSWORD);
        let sslmode = self.sslmode.or(known.map(|known| known.sslmode));
        if sslmode == Some(SslMode::Disable) && !policy.allow_private {
            let message = "Must be require: passwords and data do not travel in the clear.";
            invalid.add("/sslmode", "not_encrypted", message);
        }
        let host = host.flatten();
        if let Some(known) = known.filter(|known| self.elsewhere(known, host.as_deref()))
            && self.password.is_none()
        {
            let message = match known.sslmode == SslMode::Require && sslmode != Some(known.sslmode)
            {
                true => "Must be given again to be sent in the clear.",
                false => "Must be given again for another server.",
            };
            invalid.add("/password", "required", message);
        }
        let reason = self.reason(known, &mut invalid);
        bounds(self.lag_limit_seconds, self.budget.as_ref(), &mut invalid);
        let checked = Checked {
            name: name.flatten(),
            host,
            port: self.port,
            database,
            username,
            sslmode: self.sslmode,
            allow_primary: self.allow_primary,
            primary_reason: reason,
            lag_limit_seconds: self.lag_limit_seconds,
            budget: self.budget,
            enabled: self.enabled,
        };
        invalid.or((checked, password))
    }

    /// Whoever names another server, or one less guarded way there, must know the password that it
    /// is to get.
    fn elsewhere(&self, known: &Known, host: Option<&str>) -> bool {
        host.is_some_and(|host| host != known.host)
            || self.port.is_some_and(|port| port != known.port)
            || self.sslmode == Some(SslMode::Disable) && known.sslmode == SslMode::Require
    }

    fn reason(&self, known: Option<&Known>, invalid: &mut Invalid) -> Patch<String> {
        let pointer = "/primary_reason";
        let reason = self.primary_reason.clone().try_map(|text| {
            let parsed = rules::name::parse(pointer, &text, REASON);
            invalid.take(parsed).ok_or(())
        });
        let Ok(reason) = reason else {
            return Patch::Absent;
        };
        let allowed = self
            .allow_primary
            .or(known.map(|known| known.allow_primary));
        let stands = reason
            .clone()
            .apply(known.and_then(|known| known.primary_reason.clone()));
        if allowed == Some(true) && stands.is_none() {
            invalid.add(pointer, "required", "Say why a primary may be asked.");
        }
        reason
    }
}

fn host_of(host: &str, port: u16, policy: &Policy) -> Result<String, Invalid> {
    // A database may listen on any port of a public host.
    let policy = Policy {
        ports: Vec::new(),
        ..policy.clone()
    };
    rules::outbound::judge_host(host.trim(), port, &policy)
        .map_err(|refusal| Invalid::one("/host", refusal.code(), refusal.message()))
}

fn identifier(pointer: &str, text: &str, most: usize) -> Result<String, Invalid> {
    if text.is_empty() {
        return Err(Invalid::one(pointer, "required", "Must not be empty."));
    }
    if text.len() > most {
        let message = format!("Must have at most {most} bytes.");
        return Err(Invalid::one(pointer, "too_long", message));
    }
    if text.contains('\0') {
        let message = "Must not contain control characters.";
        return Err(Invalid::one(pointer, "control_character", message));
    }
    Ok(text.to_owned())
}

fn bounds(lag: Option<u32>, budget: Option<&Budget>, invalid: &mut Invalid) {
    let mut between = |pointer: &str, value: u64, least: u64, most: u64| {
        if !(least..=most).contains(&value) {
            let message = format!("Must be from {least} to {most}.");
            invalid.add(pointer, "out_of_range", message);
        }
    };
    if let Some(lag) = lag {
        between("/lag_limit_seconds", lag.into(), 60, 86_400);
    }
    if let Some(budget) = budget {
        between("/budget/statements", budget.statements.into(), 10, 100_000);
        between(
            "/budget/milliseconds",
            budget.milliseconds.into(),
            10_000,
            3_600_000,
        );
        between("/budget/buffers", budget.buffers, 1_000, 1_000_000_000);
    }
}
