//! What is wrong with an input, field by field.
//!
//! Invariant: every wrong field is reported, not only the first.
//! Failure: none; this is how failures are told.

use serde::{Deserialize, Serialize};

/// One wrong field. `pointer` is a JSON pointer (RFC 6901) into what was sent, empty for the whole
/// of it; `code` is stable and snake_case; `message` is for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// JSON pointer of the field, for example `/settings/capacity`.
    pub pointer: String,
    /// Stable machine code, for example `too_long`.
    pub code: String,
    /// One sentence for a person.
    pub message: String,
}

/// All that is wrong with an input. Collect with [`Invalid::add`], finish with [`Invalid::or`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invalid {
    /// The wrong fields, in the order they were checked.
    pub errors: Vec<FieldError>,
}

impl Invalid {
    /// An input with one wrong field.
    pub fn one(pointer: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        let mut invalid = Self::default();
        invalid.add(pointer, code, message);
        invalid
    }

    /// Notes a wrong field and goes on.
    pub fn add(&mut self, pointer: impl Into<String>, code: &str, message: impl Into<String>) {
        self.errors.push(FieldError {
            pointer: pointer.into(),
            code: code.to_owned(),
            message: message.into(),
        });
    }

    /// Takes the good value, or notes what was wrong with it.
    pub fn take<T>(&mut self, value: Result<T, Invalid>) -> Option<T> {
        value
            .map_err(|invalid| self.errors.extend(invalid.errors))
            .ok()
    }

    /// The same about a field that has another name where it was sent.
    #[must_use]
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        let named = self.errors.iter_mut().filter(|error| error.pointer == from);
        named.for_each(|error| to.clone_into(&mut error.pointer));
        self
    }

    /// The value, unless something was wrong.
    pub fn or<T>(self, value: T) -> Result<T, Invalid> {
        if self.errors.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}
