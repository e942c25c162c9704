//! A look at a replica: whether it can be asked, and what is better set otherwise.
//!
//! Invariant: nothing is asked but what the server says of itself; a server that is no replica is
//! left at once, unless its owner lets it be asked.
//! Failure: told as what was found, with a stable code.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asking::{Asking, Unasked};
use crate::monitor::connections::SslMode;
use crate::platform::clock;
use crate::platform::error::Result;

/// What the server says of itself.
const LOOK: &str = "
    select jsonb_build_object(
      'in_recovery', pg_catalog.pg_is_in_recovery(),
      'server_version', pg_catalog.current_setting('server_version'),
      'backend_pid', pg_catalog.pg_backend_pid(),
      'powerful', r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls,
      'connection_limit', r.rolconnlimit,
      'reads_stats', pg_catalog.pg_has_role('pg_read_all_stats', 'usage'),
      'feedback', pg_catalog.current_setting('hot_standby_feedback')::boolean,
      'waits_forever', pg_catalog.current_setting('max_standby_streaming_delay') = '-1')::text
    from pg_catalog.pg_roles r where r.rolname = current_user";

/// What came of a test.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct Tested {
    /// Whether the replica can be asked.
    pub ok: bool,
    /// Why not, as a code: `address_refused`, `no_route`, `tls_refused`, `certificate_untrusted`,
    /// `wrong_password`, `not_admitted`, `unknown_database`, `not_a_replica`, and others.
    #[schema(required = true)]
    pub code: Option<String>,
    /// Why not, and what to do about it.
    #[schema(required = true)]
    pub message: Option<String>,
    /// The server's own words.
    #[schema(required = true)]
    pub server_message: Option<String>,
    /// Whether it is a replica.
    #[schema(required = true)]
    pub in_recovery: Option<bool>,
    /// Its version of Postgres.
    #[schema(required = true)]
    pub server_version: Option<String>,
    /// The backend that answered: what `pg_stat_activity` shows of Pulse.
    #[schema(required = true)]
    pub backend_pid: Option<i32>,
    /// Whether the session is encrypted.
    pub encrypted: bool,
    /// What would be better otherwise, each with the statement that makes it so.
    pub advice: Vec<Advice>,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
}

/// What would be better otherwise.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct Advice {
    /// What it is about.
    pub code: String,
    /// In words.
    pub message: String,
    /// The statement to run, where there is one.
    #[schema(required = true)]
    pub sql: Option<String>,
}

#[derive(Deserialize)]
struct Seen {
    in_recovery: bool,
    server_version: String,
    backend_pid: i32,
    powerful: bool,
    connection_limit: i32,
    reads_stats: bool,
    feedback: bool,
    waits_forever: bool,
}

/// Signs in and looks.
pub async fn test(asking: &mut Asking<'_>) -> Result<Tested> {
    let began = clock::now();
    let mut tested = match look(asking).await {
        Ok(seen) => judged(&seen, &asking.access.username),
        Err(Unasked {
            ours: Some(error), ..
        }) => return Err(*error),
        Err(unasked) => failed(unasked),
    };
    // Who must not be asked keeps no session of ours.
    if !tested.ok {
        asking.line.close().await;
    }
    tested.encrypted = tested.ok && asking.access.sslmode == SslMode::Require;
    tested.took_ms = (clock::now() - began).num_milliseconds();
    Ok(tested)
}

async fn look(asking: &mut Asking<'_>) -> core::result::Result<Seen, Unasked> {
    asking.identify().await?;
    let seen = asking.ask(LOOK, &[], None).await?;
    serde_json::from_str(&seen).map_err(|error| asking.broken(error.into()))
}

fn judged(seen: &Seen, role: &str) -> Tested {
    Tested {
        ok: true,
        code: None,
        message: None,
        server_message: None,
        in_recovery: Some(seen.in_recovery),
        server_version: Some(seen.server_version.clone()),
        backend_pid: Some(seen.backend_pid),
        encrypted: false,
        advice: advice(seen, role),
        took_ms: 0,
    }
}

fn failed(unasked: Unasked) -> Tested {
    Tested {
        ok: false,
        in_recovery: (unasked.code == "not_a_replica").then_some(false),
        code: Some(unasked.code),
        message: Some(unasked.text),
        server_message: unasked.words,
        server_version: None,
        backend_pid: None,
        encrypted: false,
        advice: Vec::new(),
        took_ms: 0,
    }
}

fn advice(seen: &Seen, role: &str) -> Vec<Advice> {
    let role = format!("\"{}\"", role.replace('"', "\"\""));
    let mut advice = Vec::new();
    let mut say = |code: &str, message: &str, sql: Option<String>| {
        advice.push(Advice {
            code: code.to_owned(),
            message: message.to_owned(),
            sql,
        });
    };
    if seen.powerful {
        say(
            "role_too_powerful",
            "The role may do more than read. Make one for Pulse alone.",
            None,
        );
    }
    if seen.connection_limit != 1 {
        say(
            "no_connection_limit",
            "Pulse never opens a second connection; the server can make sure of it too.",
            Some(format!("alter role {role} connection limit 1")),
        );
    }
    if !seen.reads_stats {
        say(
            "stats_unreadable",
            "Without this the replica does not tell how far it is behind, and lag is judged by the last replayed transaction alone.",
            Some(format!("grant pg_read_all_stats to {role}")),
        );
    }
    if seen.in_recovery && seen.feedback {
        say(
            "feedback_on",
            "hot_standby_feedback is on: what we read keeps dead rows on the primary. Budgets are tightened.",
            None,
        );
    }
    if seen.in_recovery && seen.waits_forever {
        say(
            "replay_waits",
            "max_standby_streaming_delay is -1: what we read can hold up replay. Budgets are tightened.",
            None,
        );
    }
    advice
}
