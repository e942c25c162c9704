//! What a replica answered, as numbers.
//!
//! Invariant: an answer is read as what was asked for or not at all; nothing that is missing is taken
//! for zero.
//! Failure: [`Unreadable`] with what is wrong: the run errored.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Path, Plan};
use crate::monitor::check::{Check, Kind};
use crate::time;

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Measured {
    /// The newest row.
    Newest {
        /// When it is from; none when no row has a time.
        #[serde(with = "time::ms_option")]
        at: Option<DateTime<Utc>>,
        /// There are no rows at all.
        empty: bool,
        /// Rows are dated in the future; they were not counted.
        ahead: bool,
    },
    /// Rows of a stretch of time, or of the table.
    Rows {
        /// How many; none where nobody knows.
        rows: Option<f64>,
        /// It is what the catalogue estimates.
        estimated: bool,
    },
    /// Rows that are wrong.
    Wrong {
        /// How many were looked at; none where an index keeps them right.
        checked: Option<f64>,
        /// How many of them are wrong; none where that cannot be told.
        wrong: Option<f64>,
        /// The share of the table's pages that were looked at.
        sampled: Option<f64>,
    },
    /// A number.
    Number {
        /// It; none for null.
        value: Option<f64>,
    },
    /// The same of two tables.
    Pair {
        /// Of the checked one.
        own: Option<f64>,
        /// Of the other one.
        other: Option<f64>,
    },
    /// Where tenths end.
    Edges {
        /// Nine of them; none without rows.
        edges: Option<Vec<f64>>,
        /// How many values they are of.
        checked: f64,
    },
    /// How many values are in each part.
    Counts {
        /// By the name of the part.
        counts: BTreeMap<String, f64>,
    },
}

/// A row that is shown: columns and texts, none for null.
pub type Row = BTreeMap<String, Option<String>>;

/// An answer that is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// One sentence for a person.
    pub message: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    newest: Value,
    empty: Option<bool>,
    ahead: Option<bool>,
    rows: Option<f64>,
    estimated: Option<bool>,
    checked: Option<f64>,
    wrong: Option<f64>,
    #[serde(default)]
    values: Vec<Value>,
    #[serde(default)]
    own: Value,
    #[serde(default)]
    other: Value,
    edges: Option<Vec<f64>>,
    #[serde(default)]
    counts: Vec<(String, f64)>,
}

/// Reads the answer to a plan.
pub fn read(check: &Check, plan: &Plan, answer: &str) -> Result<Measured, Unreadable> {
    let found: Answer = parse(answer)?;
    Ok(match &check.kind {
        Kind::Freshness(_) => Measured::Newest {
            at: seconds(&found.newest),
            empty: found.empty.ok_or_else(|| unread("empty"))?,
            ahead: found.ahead.unwrap_or_default(),
        },
        Kind::Volume(_) | Kind::RowCount(_) => Measured::Rows {
            rows: found.rows,
            estimated: found.estimated.unwrap_or_default(),
        },
        Kind::Metric(_) => Measured::Number {
            value: metric(&found.values)?,
        },
        Kind::Comparison(_) => Measured::Pair {
            own: number(&found.own)?,
            other: number(&found.other)?,
        },
        Kind::Shift(_) if found.checked.is_some() => Measured::Edges {
            edges: found.edges,
            checked: found.checked.unwrap_or_default(),
        },
        Kind::Shift(_) => Measured::Counts {
            counts: found.counts.into_iter().collect(),
        },
        Kind::Schema(_) => return Err(unread("anything")),
        _ => Measured::Wrong {
            checked: found.checked,
            wrong: found.wrong,
            sampled: match plan.path {
                Path::Sample { share } => Some(share),
                _ => None,
            },
        },
    })
}

/// Reads the rows that are shown.
pub fn samples(answer: &str) -> Result<Vec<Row>, Unreadable> {
    #[derive(Deserialize)]
    struct Rows {
        rows: Vec<BTreeMap<String, Value>>,
    }
    let found: Rows = parse(answer)?;
    let text = |value: Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    };
    let rows = found.rows.into_iter();
    let row = |row: BTreeMap<String, Value>| {
        let cells = row.into_iter();
        cells.map(|(name, value)| (name, text(value))).collect()
    };
    Ok(rows.map(row).collect())
}

fn parse<'a, T: Deserialize<'a>>(answer: &'a str) -> Result<T, Unreadable> {
    serde_json::from_str(answer).map_err(|error| Unreadable {
        message: format!("The answer cannot be read: {error}."),
    })
}

fn unread(what: &str) -> Unreadable {
    Unreadable {
        message: format!("The answer does not say {what}."),
    }
}

/// An instant from seconds; infinite ones are none.
fn seconds(value: &Value) -> Option<DateTime<Utc>> {
    let millis = (value.as_f64()? * 1_000.0).round();
    (millis.abs() < 8.0e15).then(|| time::from_ms(millis as i64))
}

/// A number, or none for null. Postgres writes those that JSON has not as text.
fn number(value: &Value) -> Result<Option<f64>, Unreadable> {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => Ok(number.as_f64()),
        other => Err(Unreadable {
            message: format!("The value is no number: {other}."),
        }),
    }
}

fn metric(values: &[Value]) -> Result<Option<f64>, Unreadable> {
    match values {
        [value] => number(value),
        [] => Err(Unreadable {
            message: "The query answered no row; it must answer one.".to_owned(),
        }),
        _ => Err(Unreadable {
            message: "The query answered more than one row; it must answer one.".to_owned(),
        }),
    }
}
