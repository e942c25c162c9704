//! SQL of imports.
//!
//! Invariant: guests reach a list in one statement or not at all; until then they are staged under
//! the import's own id.
//! Failure: what is left staged by an import that broke off is swept after an hour.

use std::time::Duration;

use rules::guest_import::Duplicates;
use rules::guest_row::NewGuest;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::wire::ImportError;
use crate::checkin::Followed;
use crate::platform::pg::Statement;

/// A guest of the file.
#[derive(Serialize)]
pub struct Staged<'a> {
    pub id: Uuid,
    pub line: u32,
    #[serde(flatten)]
    pub guest: &'a NewGuest,
}

/// Some guests of the file, each the JSON of a [`Staged`].
#[derive(Serialize)]
pub struct Batch {
    pub import_id: Uuid,
    pub table_id: Uuid,
    pub rows: Vec<Box<RawValue>>,
}

/// What is to become of the staged guests.
#[derive(Serialize)]
pub struct Settlement {
    pub import_id: Uuid,
    pub table_id: Uuid,
    /// How many were staged.
    pub expected: u32,
    pub duplicates: Duplicates,
    pub partial: bool,
    pub dry_run: bool,
}

/// Which import.
#[derive(Serialize)]
pub struct ImportOf {
    pub import_id: Uuid,
}

/// What became of the staged guests.
#[derive(Deserialize)]
pub struct Settled {
    pub imported: u32,
    pub rejected: u32,
    /// The first hundred.
    pub errors: Vec<ImportError>,
    pub error_count: u32,
}

/// That it was done.
#[derive(Deserialize)]
pub struct Done {}

/// How long the list may be busy with an import; less than the database's own limit.
const PATIENCE: Duration = Duration::from_secs(45);

/// Keeps a batch aside; the same batch twice is there once.
pub const STAGE: Statement<Batch, Done> = Statement::new("select app.stage_rows($1)");

/// Moves the staged guests into the list. If it must not be, nothing happens, so that no answer is
/// kept for the idempotency key: `import_refused`.
pub const COMMIT: Statement<Settlement, Followed<Settled>> = Statement::new(
    "select case when (settled.it->>'committed')::bool
                 then app.followed(settled.it, ($1->>'table_id')::uuid)
                 else to_jsonb(app.fail('PU422', 'import_refused', 'Nothing was imported.')) end
       from (select app.commit_import($1) as it) settled",
)
.patience(PATIENCE);

/// Says what is wrong with the staged guests and forgets them.
pub const REVIEW: Statement<Settlement, Settled> =
    Statement::new("select app.commit_import($1)").patience(PATIENCE);

/// Forgets the staged guests.
pub const DROP: Statement<ImportOf, Done> = Statement::new("select app.drop_import($1)");
