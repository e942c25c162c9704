//! What comes in and goes out at imports.
//!
//! Invariant: unknown fields are refused; the API document is made from these types.
//! Failure: 422 `import_refused` with the wrong lines.

use std::collections::BTreeMap;

use rules::guest_import::{Duplicates, Problem};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How to import.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// Import the right lines although others are wrong. Without it, one wrong line is enough for
    /// nothing to be imported.
    pub partial: Option<bool>,
    /// What to do with a code that an earlier line or a guest on the list has: `reject` the line
    /// (default), or `keep` both, and a scan of the code is ambiguous.
    #[param(value_type = Option<String>, pattern = "^(reject|keep)$")]
    pub duplicates: Option<Duplicates>,
    /// A JSON object of field to header, for columns that are not recognised or wrongly so; an empty
    /// header leaves the field out. Fields: `name`, `first_name`, `last_name`, `email`, `barcode`,
    /// `category`, `status`, `valid_from`, `valid_until`, `attention_note`, `party`, `paid`,
    /// `blocked`, `attention`.
    #[param(max_length = 4096, example = r#"{"barcode":"Ticket no."}"#)]
    pub map: Option<String>,
}

/// What came of an import.
#[derive(Serialize, ToSchema)]
pub struct ImportReport {
    /// Guests that are on the list now.
    pub imported: u32,
    /// Lines that are not.
    pub rejected: u32,
    /// Lines that hold a guest or should; a quoted line break does not begin a new one.
    pub lines: u32,
    /// Fields and the headers they were read from, best first.
    pub mapping: BTreeMap<String, Vec<String>>,
    /// The first hundred errors, by line.
    #[schema(max_items = 100)]
    pub errors: Vec<ImportError>,
    /// Errors in all; a line may have several.
    pub error_count: u32,
}

/// One thing that is wrong with a line.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct ImportError {
    /// From 1; in a JSON array the place of the record, from 1.
    pub line: u32,
    /// The field, if it is one field's.
    pub field: Option<String>,
    /// Stable, snake_case.
    pub code: String,
    /// One sentence for a person.
    pub message: String,
}

impl From<Problem> for ImportError {
    fn from(problem: Problem) -> Self {
        let Problem {
            line,
            field,
            code,
            message,
        } = problem;
        Self {
            line,
            field,
            code,
            message,
        }
    }
}

/// The problem of an import that was refused: what every problem has, and, unless the request itself
/// was wrong, what the import came to.
#[derive(Serialize, ToSchema)]
pub struct ImportRefused {
    /// Names the kind of problem.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The status in words.
    pub title: &'static str,
    /// 422.
    pub status: u16,
    /// One sentence for a person.
    pub detail: String,
    /// `import_refused`, if it was read.
    pub code: &'static str,
    /// The first hundred errors, by line.
    #[schema(max_items = 100)]
    pub errors: Vec<RefusedLine>,
    /// As in `x-request-id`.
    pub request_id: String,
    /// Lines that are wrong.
    #[schema(required = false)]
    pub rejected: u32,
    /// Lines that hold a guest or should; 0 when the file cannot be read.
    #[schema(required = false)]
    pub lines: u32,
    /// Fields and the headers they were read from, best first.
    #[schema(required = false)]
    pub mapping: BTreeMap<String, Vec<String>>,
    /// Errors in all.
    #[schema(required = false)]
    pub error_count: u32,
}

/// One thing that is wrong with a refused import.
#[derive(Serialize, ToSchema)]
pub struct RefusedLine {
    /// Line and field: `/17/email`.
    pub pointer: String,
    /// From 1; in a JSON array the place of the record, from 1.
    #[schema(required = false)]
    pub line: u32,
    /// The field, if it is one field's.
    pub field: Option<String>,
    /// Stable, snake_case.
    pub code: String,
    /// One sentence for a person.
    pub message: String,
}

impl From<ImportError> for RefusedLine {
    fn from(error: ImportError) -> Self {
        let ImportError {
            line,
            field,
            code,
            message,
        } = error;
        let pointer = match &field {
            Some(field) => format!("/{line}/{field}"),
            None => format!("/{line}"),
        };
        Self {
            pointer,
            line,
            field,
            code,
            message,
        }
    }
}
