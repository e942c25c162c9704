//! Where something is wrong in a text that a person wrote.
//!
//! Invariant: lines and columns count from 1; columns count characters, as editors do.
//! Failure: none; this is how failures are told.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::invalid::Invalid;

/// What is wrong with a template, a prompt or a condition, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = TextFlaw))]
pub struct Flaw {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Stable machine code, for example `unknown_variable`.
    pub code: String,
    /// One sentence for a person, without the place.
    pub message: String,
}

impl Flaw {
    /// A flaw at a byte of a text.
    pub fn at(text: &str, byte: usize, code: &str, message: impl Into<String>) -> Self {
        let (line, column) = line_and_column(text, byte);
        Self {
            line,
            column,
            code: code.to_owned(),
            message: message.into(),
        }
    }

    /// The same flaw where the text it was found in begins some lines further down.
    pub fn below(mut self, lines: usize) -> Self {
        self.line += lines;
        self
    }

    /// The flaw as a wrong field: the place goes into the message.
    pub fn invalid(&self, pointer: &str) -> Invalid {
        Invalid::one(pointer, &self.code, self.to_string())
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            message,
            ..
        } = self;
        write!(f, "Line {line}, column {column}: {message}")
    }
}

/// The line and the column of a byte; one past the end is the end.
pub fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let mut end = byte.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = text.get(..end).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(start..).unwrap_or_default().chars().count() + 1;
    (line, column)
}
