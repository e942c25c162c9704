//! SQL of sources.
//!
//! Invariant: a query is data to these statements: `app.run_query` runs it as a role that can read
//! the sources only.
//! Failure: PU422 at `/sql`, or no answer within the time the function sets itself.

use std::time::Duration;

use rules::report::Column;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::wire::Source;
use crate::platform::pg::{Function, Statement};

/// Longer than `app.run_query` takes before it is ended.
const PATIENCE: Duration = Duration::from_secs(12);

/// What is run.
#[derive(Serialize)]
pub struct Run<'a> {
    /// The query as the guard wrote it.
    pub sql: &'a str,
    /// The sources it reads.
    pub sources: &'a [String],
    /// Most rows.
    pub limit: u32,
    /// Where days begin.
    pub timezone: &'a str,
}

/// What a query found.
#[derive(Deserialize)]
pub struct Found {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: Vec<Vec<Value>>,
    /// There were more.
    pub truncated: bool,
}

/// The sources, for whoever may see them.
pub const LIST: Statement<Value, Vec<Source>> = Statement::new("select app.report_sources($1)");

/// The sources, which are the same for every tenant.
pub const KNOWN: Function<Value, Vec<Source>> =
    Function::new("select app.report_sources($1::text::jsonb)::text");

/// Runs a query.
pub const RUN: Statement<Value, Found> =
    Statement::new("select app.run_query($1)").patience(PATIENCE);
