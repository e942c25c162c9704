//! Reads a JSON object field by field, reporting all that is wrong with it.
//!
//! Invariant: a field that is absent changes nothing; `null` means back to the default.
//! Failure: every wrong or unknown field is noted with its JSON pointer.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::invalid::Invalid;
use crate::name;
use crate::time;

/// One object being read. `base` is its own pointer.
pub(crate) struct Fields<'a> {
    object: Option<&'a Map<String, Value>>,
    base: &'a str,
    known: Vec<&'static str>,
    /// What was wrong so far.
    pub invalid: Invalid,
}

impl<'a> Fields<'a> {
    /// Starts on a value that should be an object.
    pub fn of(value: &'a Value, base: &'a str) -> Self {
        let mut invalid = Invalid::default();
        if !value.is_object() {
            invalid.add(base, "invalid_type", "Must be an object.");
        }
        Self {
            object: value.as_object(),
            base,
            known: Vec::new(),
            invalid,
        }
    }

    /// Notes what is wrong with a field.
    pub fn wrong(&mut self, name: &str, code: &str, message: impl Into<String>) {
        let pointer = self.pointer(name);
        self.invalid.add(pointer, code, message);
    }

    /// The JSON pointer of a field.
    pub fn pointer(&self, name: &str) -> String {
        format!(
            "{}/{}",
            self.base,
            name.replace('~', "~0").replace('/', "~1")
        )
    }

    /// The raw value of a field, if it was given.
    pub fn raw(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.object?.get(name)
    }

    /// True or false.
    pub fn flag(&mut self, name: &'static str, default: bool, into: &mut bool) {
        match self.raw(name) {
            None => {}
            Some(Value::Null) => *into = default,
            Some(Value::Bool(flag)) => *into = *flag,
            Some(_) => self.wrong(name, "invalid_type", "Must be true or false."),
        }
    }

    /// A whole number of 1 to `most`, or none.
    pub fn count(&mut self, name: &'static str, most: u32, into: &mut Option<u32>) {
        match self.raw(name) {
            None => {}
            Some(Value::Null) => *into = None,
            Some(value) => match value.as_u64().and_then(|count| u32::try_from(count).ok()) {
                Some(count) if (1..=most).contains(&count) => *into = Some(count),
                _ if value.is_number() => {
                    self.wrong(
                        name,
                        "out_of_range",
                        format!("A whole number, 1 to {most}."),
                    );
                }
                _ => self.wrong(name, "invalid_type", "Must be a whole number or null."),
            },
        }
    }

    /// An instant, or none.
    pub fn instant(&mut self, name: &'static str, into: &mut Option<DateTime<Utc>>) {
        match self.raw(name) {
            None => {}
            Some(Value::Null) => *into = None,
            Some(value) => match value.as_str().and_then(time::try_parse) {
                Some(at) => *into = Some(at),
                None => self.wrong(
                    name,
                    "invalid_time",
                    "Must be an RFC 3339 time such as 2024-06-01T18:00:00Z, or null.",
                ),
            },
        }
    }

    /// A list of distinct lines of 1 to 80 characters, at most 200 of them.
    pub fn names(&mut self, field: &'static str, into: &mut Vec<String>) {
        match self.raw(field) {
            None => {}
            Some(Value::Null) => into.clear(),
            Some(Value::Array(items)) if items.len() > 200 => {
                self.wrong(field, "too_many", "At most 200.");
            }
            Some(Value::Array(items)) => {
                let mut names: Vec<String> = Vec::with_capacity(items.len());
                for (place, item) in items.iter().enumerate() {
                    let pointer = format!("{}/{place}", self.pointer(field));
                    let Some(item) = item.as_str() else {
                        self.invalid.add(pointer, "invalid_type", "Must be a text.");
                        continue;
                    };
                    match self.invalid.take(name::parse(&pointer, item, 80)) {
                        Some(item) if names.contains(&item) => {
                            self.invalid.add(pointer, "repeated", "Given twice.");
                        }
                        Some(item) => names.push(item),
                        None => {}
                    }
                }
                *into = names;
            }
            Some(_) => self.wrong(field, "invalid_type", "Must be a list of texts."),
        }
    }

    /// Refuses fields that were not asked for, and ends.
    pub fn finish(mut self) -> Invalid {
        for name in self.object.into_iter().flat_map(Map::keys) {
            if !self.known.contains(&name.as_str()) {
                self.wrong(name, "unknown_field", "There is no such field.");
            }
        }
        self.invalid
    }
}
