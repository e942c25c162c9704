//! Gates: where a scanner stands and which categories may enter there.
//!
//! Invariant: names are trimmed, 1 to 80 characters, and differ by more than letter case.
//! Failure: every wrong field is reported with its JSON pointer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reading::Fields;
use crate::invalid::Invalid;
use crate::name;

/// A gate as its organiser describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Gate {
    /// 1 to 80 characters, unique in its table whatever the letter case.
    pub name: String,
    /// Categories that may enter here; empty means all.
    #[serde(default)]
    pub categories: Vec<String>,
}

impl Gate {
    /// May a guest of this category enter here?
    pub fn admits(&self, category: Option<&str>) -> bool {
        self.categories.is_empty()
            || category.is_some_and(|category| self.categories.iter().any(|one| one == category))
    }
}

/// The gate of a name, whatever its letter case.
pub fn find<'a>(gates: &'a [Gate], name: &str) -> Option<&'a Gate> {
    gates
        .iter()
        .find(|gate| gate.name == name)
        .or_else(|| gates.iter().find(|gate| same(&gate.name, name)))
}

/// Reads the list of gates, at most 200; `base` is its pointer, such as `/gates`.
pub fn parse(value: &Value, base: &str) -> Result<Vec<Gate>, Invalid> {
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) if items.len() <= 200 => items,
        Value::Array(_) => return Err(Invalid::one(base, "too_many", "At most 200 gates.")),
        _ => {
            return Err(Invalid::one(
                base,
                "invalid_type",
                "Must be a list of gates.",
            ));
        }
    };
    let mut invalid = Invalid::default();
    let mut gates: Vec<Gate> = Vec::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        let base = format!("{base}/{place}");
        let Some(gate) = invalid.take(one(item, &base)) else {
            continue;
        };
        if gates.iter().any(|other| same(&other.name, &gate.name)) {
            invalid.add(
                format!("{base}/name"),
                "gate_exists",
                "Two gates have this name.",
            );
        }
        gates.push(gate);
    }
    invalid.or(gates)
}

fn one(value: &Value, base: &str) -> Result<Gate, Invalid> {
    let mut fields = Fields::of(value, base);
    let pointer = fields.pointer("name");
    let name = match fields.raw("name") {
        Some(Value::String(name)) => fields.invalid.take(name::parse(&pointer, name, 80)),
        _ => {
            fields.wrong("name", "required", "A gate needs a name.");
            None
        }
    };
    let mut categories = Vec::new();
    fields.names("categories", &mut categories);
    fields.finish().or(Gate {
        name: name.unwrap_or_default(),
        categories,
    })
}

fn same(one: &str, other: &str) -> bool {
    one.chars()
        .flat_map(char::to_lowercase)
        .eq(other.chars().flat_map(char::to_lowercase))
}
