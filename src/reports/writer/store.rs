//! SQL of writers.
//!
//! Invariant: every statement sees its tenant's setting only; of the key, statements take and
//! answer what is sealed, and answer it to the Worker's own job alone.
//! Failure: a setting that is not there answers no row.

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::wire::{Kind, Writer};
use crate::platform::pg::Statement;

/// A tenant's setting with its key.
#[derive(Deserialize)]
pub struct Stored {
    /// Who writes.
    pub kind: Kind,
    /// Where the model is.
    pub base_url: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// What the key is sealed for.
    pub key_id: Option<Uuid>,
    /// The key, sealed.
    pub api_key: Option<String>,
    /// Whether answers are asked for in pieces.
    pub stream: bool,
}

/// What is no longer there.
#[derive(Deserialize)]
pub struct Gone {}

/// The tenant's setting, if it has one.
pub const GET: Statement<Value, Option<Writer>> = Statement::new(
    "select app.report_writer_json(w) from report_writers w where w.tenant_id = app.tenant()",
)
.nullable();

/// The same with its key, for the Worker's own job.
pub const OWN: Statement<Value, Option<Stored>> = Statement::new(
    "select jsonb_build_object('kind', w.kind, 'base_url', w.base_url, 'model', w.model,
                               'key_id', w.key_id, 'api_key', w.api_key, 'stream', w.stream)
       from report_writers w
      where w.tenant_id = app.tenant() and app.actor_kind() = 'system'",
)
.nullable();

/// Sets it.
pub const PUT: Statement<Value, Writer> = Statement::new("select app.set_report_writer($1)");

/// Removes it.
pub const DELETE: Statement<Value, Gone> = Statement::new(
    "delete from report_writers w
      where w.tenant_id = app.tenant()
        and app.expect_version(w.version, ($1->>'if_match')::int)
     returning '{}'::jsonb",
);

/// Counts tokens of the deployment's model; answers those of the tenant's day.
pub const SPEND: Statement<Value, u64> = Statement::new("select app.spend_report_tokens($1)");

/// Who calls, and that they may.
pub const WHOSE: Statement<Value, Gone> = Statement::new("select '{}'::jsonb");
