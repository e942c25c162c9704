//! Query results: what the figures of a report are traced to, and what its tables and charts show.
//!
//! Invariant: a [`Dataset`] that went through [`Dataset::bounded`] has a name, at most
//! [`MAX_COLUMNS`] columns, [`MAX_ROWS`] rows, [`MAX_CELLS`] cells and [`MAX_TEXT`] bytes of text in
//! a cell, and every row has as many cells as there are columns.
//! Failure: what is too much is cut and `truncated` says so.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::invalid::Invalid;

/// Most datasets of a run.
pub const MAX_DATASETS: usize = 20;
/// Most columns of a dataset.
pub const MAX_COLUMNS: usize = 50;
/// Most rows of a dataset.
pub const MAX_ROWS: usize = 10_000;
/// Most cells of a dataset.
pub const MAX_CELLS: usize = 50_000;
/// Most bytes of text in a cell.
pub const MAX_TEXT: usize = 4_096;
/// Longest name of a dataset.
pub const MAX_NAME: usize = 40;

/// The result of one query of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ReportDataset))]
pub struct Dataset {
    /// What templates, conditions and charts call it: `orders`.
    pub name: String,
    /// The statement that was run, when there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// Its rows; a row has a cell per column.
    pub rows: Vec<Vec<Value>>,
    /// There was more than is here.
    #[serde(default)]
    pub truncated: bool,
}

/// A column of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ReportColumn))]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its cells are.
    pub kind: Kind,
}

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ReportColumnKind))]
pub enum Kind {
    /// Words, identifiers, and whatever is nothing else.
    #[default]
    Text,
    /// Numbers, as JSON numbers or as texts of digits.
    Number,
    /// Instants (RFC 3339), days (`2026-11-26`) or times of day (`09:30`).
    Time,
    /// True or false.
    Bool,
}

impl Dataset {
    /// Where a column is; letter case matters only when two differ in nothing else.
    pub fn column(&self, name: &str) -> Option<usize> {
        let exact = self.columns.iter().position(|column| column.name == name);
        let alike = |column: &Column| column.name.eq_ignore_ascii_case(name);
        exact.or_else(|| self.columns.iter().position(alike))
    }

    /// A cell.
    pub fn cell(&self, row: usize, column: usize) -> Option<&Value> {
        self.rows.get(row)?.get(column)
    }

    /// The number in a cell: a JSON number, or a text of digits in a column of numbers.
    pub fn number(&self, row: usize, column: usize) -> Option<f64> {
        number(self.cell(row, column)?, self.columns.get(column)?.kind)
    }

    /// The dataset within the bounds.
    pub fn bounded(mut self) -> Self {
        let (columns, rows) = (self.columns.len(), self.rows.len());
        self.columns.truncate(MAX_COLUMNS);
        let width = self.columns.len();
        self.rows.truncate(MAX_ROWS.min(MAX_CELLS / width.max(1)));
        self.truncated |= self.columns.len() < columns || self.rows.len() < rows;
        for row in &mut self.rows {
            row.resize(width, Value::Null);
            for cell in row {
                self.truncated |= shorten(cell);
            }
        }
        self
    }
}

/// Whether a run found nothing: no dataset has a row with anything but nulls in it. A zero is
/// something.
pub fn is_empty(data: &[Dataset]) -> bool {
    let mut cells = data.iter().flat_map(|set| set.rows.iter().flatten());
    !cells.any(|cell| !cell.is_null())
}

/// Words that mean something else in templates and conditions.
const RESERVED: [&str; 27] = [
    "and",
    "chart",
    "date",
    "dict",
    "elif",
    "else",
    "endfor",
    "endif",
    "endset",
    "false",
    "for",
    "if",
    "in",
    "is",
    "loop",
    "none",
    "not",
    "null",
    "or",
    "range",
    "rows",
    "scheduled_for",
    "set",
    "time",
    "title",
    "true",
    "zone",
];

/// Checks what a dataset is called: a lower-case letter, then letters, digits and `_`.
pub fn name(pointer: &str, text: &str) -> Result<String, Invalid> {
    let first = |c: char| c.is_ascii_lowercase();
    let other = |c: char| first(c) || c.is_ascii_digit() || c == '_';
    let fits = text.len() <= MAX_NAME && text.starts_with(first) && text.chars().all(other);
    match fits {
        true if RESERVED.contains(&text) => Err(Invalid::one(
            pointer,
            "dataset_name",
            format!("{text} means something else in templates and conditions."),
        )),
        true => Ok(text.to_owned()),
        false => Err(Invalid::one(
            pointer,
            "dataset_name",
            format!(
                "Must be a lower-case letter and then lower-case letters, digits and _, at most {MAX_NAME}."
            ),
        )),
    }
}

/// The number that a cell of a column is.
pub fn number(cell: &Value, kind: Kind) -> Option<f64> {
    let found = match (cell, kind) {
        (Value::Number(number), _) => number.as_f64(),
        (Value::String(text), Kind::Number) => text.trim().parse().ok(),
        _ => None,
    };
    found.filter(|number| number.is_finite())
}

/// Cuts what is too long in a cell, and says whether something was.
fn shorten(cell: &mut Value) -> bool {
    let long = match cell {
        Value::String(text) => text.len(),
        Value::Array(_) | Value::Object(_) => {
            // What is no scalar is shown as its JSON.
            *cell = Value::String(cell.to_string());
            return shorten(cell);
        }
        _ => return false,
    };
    match cell {
        Value::String(text) if long > MAX_TEXT => {
            let mut end = MAX_TEXT;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            true
        }
        _ => false,
    }
}
