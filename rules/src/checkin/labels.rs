//! Names kept once and referred to by number: gates, categories.
//!
//! Invariant: a label, once given, means the same name for ever; the default label is "no name".
//! Failure: a label of another set reads as no name.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// The number of a name in its [`Labels`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Label(u32);

/// A set of names. Serialised as the list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Labels {
    names: Vec<String>,
    numbers: HashMap<String, Label>,
}

impl Labels {
    /// The label of a name, given now if it is new.
    pub fn label(&mut self, name: Option<&str>) -> Label {
        let Some(name) = name else {
            return Label::default();
        };
        if let Some(label) = self.numbers.get(name) {
            return *label;
        }
        self.names.push(name.to_owned());
        let label = Label(u32::try_from(self.names.len()).unwrap_or_default());
        self.numbers.insert(name.to_owned(), label);
        label
    }

    /// The name of a label.
    pub fn name(&self, label: Label) -> Option<&str> {
        let place = usize::try_from(label.0.checked_sub(1)?).ok()?;
        self.names.get(place).map(String::as_str)
    }
}

impl From<Vec<String>> for Labels {
    fn from(names: Vec<String>) -> Self {
        let mut labels = Self::default();
        names.iter().for_each(|name| {
            labels.label(Some(name));
        });
        labels
    }
}

impl From<Labels> for Vec<String> {
    fn from(labels: Labels) -> Self {
        labels.names
    }
}
