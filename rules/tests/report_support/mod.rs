//! What the tests of reports share: datasets, seeded randomness, fixtures.
#![allow(dead_code)]

use std::fs;
use std::path::Path;

use rules::civil::Zone;
use rules::report::{Column, Dataset, Kind};
use serde_json::Value;

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

/// SplitMix64: small, seeded, the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    /// From 0 to 1.
    pub fn unit(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap()) / f64::from(u32::MAX)
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let place = self.below(u64::try_from(from.len()).unwrap());
        &from[usize::try_from(place).unwrap()]
    }
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
