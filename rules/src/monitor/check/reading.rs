//! Reading the settings of a kind, whose shape depends on the kind.
//!
//! Invariant: the same codes as for the whole body: `unknown_field`, `missing_field`, `wrong_type`.
//! Failure: refused at the pointer of the field.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::invalid::Invalid;

/// Reads settings that stand at `base`.
pub(super) fn decode<T: DeserializeOwned>(value: &Value, base: &str) -> Result<T, Invalid> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = format!("{base}{}", pointer(error.path()));
        let message = error.inner().to_string();
        let missing = message.strip_prefix("missing field `");
        match missing.and_then(|rest| rest.split('`').next()) {
            Some(field) => {
                let pointer = format!("{pointer}/{field}");
                Invalid::one(pointer, "missing_field", format!("{message}."))
            }
            None if message.starts_with("unknown field") => {
                Invalid::one(pointer, "unknown_field", format!("{message}."))
            }
            None => Invalid::one(pointer, "wrong_type", format!("{message}.")),
        }
    })
}

fn pointer(path: &Path) -> String {
    path.iter().fold(String::new(), |mut pointer, segment| {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
        pointer
    })
}
