//! Statements as they are put together, with their parameters.
//!
//! Invariant: whatever a person chose is either a quoted name or a parameter with its type written
//! out, so that nothing is guessed from where it stands.
//! Failure: none.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A value that goes with a statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Param {
    /// `text`.
    Text(String),
    /// `text[]`.
    Texts(Vec<String>),
    /// `float8[]`.
    Numbers(Vec<f64>),
    /// `timestamptz`.
    Time(DateTime<Utc>),
}

/// What is sent: the extended protocol's text and parameters. Answers one row with one column of
/// type `text`: JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// The text.
    pub sql: String,
    /// Its parameters, from `$1` on.
    pub params: Vec<Param>,
}

impl Statement {
    /// Adds a parameter; answers how it is written.
    pub(super) fn param(&mut self, param: Param) -> String {
        let found = self.params.iter().position(|known| *known == param);
        let place = found.unwrap_or(self.params.len()) + 1;
        let name = match &param {
            Param::Text(_) => "text",
            Param::Texts(_) => "text[]",
            Param::Numbers(_) => "float8[]",
            Param::Time(_) => "timestamptz",
        };
        if found.is_none() {
            self.params.push(param);
        }
        format!("${place}::{name}")
    }

    /// A time as a parameter.
    pub(super) fn time(&mut self, at: DateTime<Utc>) -> String {
        self.param(Param::Time(at))
    }

    /// The statement that asks for the plan of this one. Its parameters are the same.
    pub fn explain(&self) -> String {
        format!("explain (format json, verbose) {}", self.sql)
    }
}

/// A percentage as SQL reads it, at least what the smallest sample is.
pub(super) fn percent(share: f64) -> String {
    let text = format!("{:.6}", (share * 100.0).clamp(0.000_1, 100.0));
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
