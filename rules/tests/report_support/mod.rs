//! What the tests of reports share: datasets, seeded randomness, fixtures.
#![allow(dead_code)]

#[path = "../seeded_support/mod.rs"]
mod seeded;

use std::fs;
use std::path::Path;

use rules::civil::Zone;
use rules::report::{Column, Dataset, Kind};
use serde_json::Value;

#[allow(unused_imports, reason = "each test uses a part of it")]
pub use seeded::Random;

/// A dataset of rows given as JSON.
pub fn dataset(name: &str, columns: &[(&str, Kind)], rows: Value) -> Dataset {
    let column = |(name, kind): &(&str, Kind)| Column {
        name: (*name).to_owned(),
        kind: *kind,
    };
    Dataset {
        name: name.to_owned(),
        sql: None,
        columns: columns.iter().map(column).collect(),
        rows: serde_json::from_value(rows).expect("rows of cells"),
        truncated: false,
    }
}

pub fn utc() -> Zone {
    Zone::utc()
}

/// Compares with a fixture, byte for byte. With `RECORD=1` it is written instead.
#[track_caller]
pub fn fixture(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    if std::env::var_os("RECORD").is_some() {
        fs::write(&path, text).expect("a fixture");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expected != text {
        let differs = expected
            .bytes()
            .zip(text.bytes())
            .position(|(one, other)| one != other);
        let from = differs
            .unwrap_or(expected.len().min(text.len()))
            .saturating_sub(40);
        panic!(
            "{name} differs at byte {differs:?}:\n{}\ninstead of\n{}",
            text.chars().skip(from).take(200).collect::<String>(),
            expected.chars().skip(from).take(200).collect::<String>(),
        );
    }
}
