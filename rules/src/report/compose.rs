//! The builtin writer: a report made of query results without a model.
//!
//! Invariant: every number it writes is a cell, a count or a total of the data.
//! Failure: a block that cannot be read is a [`Flaw`] with its line.

use super::figures::Context;
use super::{Dataset, Flaw};

/// A fenced SQL block of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlBlock {
    /// What its result is called; `query_1` and so on unless named.
    pub name: String,
    /// The statement.
    pub sql: String,
    /// The heading over its result.
    pub title: Option<String>,
    /// Line of the prompt on which the statement begins, from 1.
    pub line: usize,
}

/// The SQL blocks of a prompt, in order.
pub fn sql_blocks(_prompt: &str) -> Result<Vec<SqlBlock>, Flaw> {
    Ok(Vec::new())
}

/// The report, as Markdown. `context.prompt` is the prompt whose blocks were run.
pub fn report(title: &str, data: &[Dataset], context: &Context<'_>) -> Result<String, Flaw> {
    let _ = (data, context);
    Ok(format!("# {title}\n"))
}
