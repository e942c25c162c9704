//! Why a statement is not run.
//!
//! Invariant: the code is stable, the message says what is allowed instead.
//! Failure: none; this is how failures are told.

use sqlparser::tokenizer::{Location, Span};

use crate::invalid::Invalid;

/// Why a statement is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Stable, snake_case, begins with `sql_`.
    pub code: &'static str,
    /// From 1; 0 when it is about the whole.
    pub line: u64,
    /// From 1; 0 when it is about the whole.
    pub column: u64,
    /// One or two sentences for a person or a model.
    pub message: String,
}

impl Refusal {
    /// A refusal of the whole.
    pub(super) fn of(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            line: 0,
            column: 0,
            message: message.into(),
        }
    }

    /// The same with its place, unless it has one.
    pub(super) fn at(self, span: Span) -> Self {
        self.at_location(span.start)
    }

    pub(super) fn at_location(mut self, place: Location) -> Self {
        if self.line == 0 {
            (self.line, self.column) = (place.line, place.column);
        }
        self
    }

    /// A part of the language that is not read here.
    pub(super) fn clause(what: &str) -> Self {
        Self::of(
            "sql_not_allowed",
            format!(
                "{what} is not allowed. A query is one SELECT with WITH, JOIN … ON, WHERE, GROUP BY, \
                 HAVING, WINDOW, UNION, INTERSECT, EXCEPT, ORDER BY, LIMIT and OFFSET."
            ),
        )
    }

    /// As an error of the field that held the text.
    pub fn invalid(&self, pointer: &str) -> Invalid {
        Invalid::one(pointer, self.code, self.to_string())
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => f.write_str(&self.message),
            _ => write!(
                f,
                "Line {}, column {}: {}",
                self.line, self.column, self.message
            ),
        }
    }
}
