//! Series of the Numenta Anomaly Benchmark: what the detector makes of data that nobody made for it.
//!
//! Not what it is for: the windows are days wide and several hold nothing that is strange for a table
//! of rows. Printed by file; the bounds hold what is reached today, so that a loss shows.
//!
//! Invariant: as it comes, at medium sensitivity, without a setting for any file.
//! Failure: the table by file.

mod detector_support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use detector_support::table;
use rules::civil::Zone;
use rules::detector::score::{Labelled, score};
use rules::detector::{Kind, Sensitivity, Series};

const FILES: [(&str, Kind, i64, &str); 5] = [
    ("nyc_taxi", Kind::Count, 30, "UTC"),
    ("ambient_temperature_system_failure", Kind::Value, 60, "UTC"),
    ("exchange-2_cpm_results", Kind::Value, 60, "UTC"),
    ("exchange-4_cpc_results", Kind::Value, 60, "UTC"),
    ("Twitter_volume_CVS", Kind::Count, 5, "UTC"),
];

type Windows = BTreeMap<String, Vec<(String, String)>>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nab")
}

fn instant(text: &str) -> DateTime<Utc> {
    let wall = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f");
    wall.expect("a time").and_utc()
}

fn labelled(name: &str, windows: &Windows) -> Vec<Labelled> {
    let text = fs::read_to_string(folder().join(format!("{name}.csv"))).expect("a file");
    let windows: Vec<_> = windows[name]
        .iter()
        .map(|(from, until)| (instant(from), instant(until)))
        .collect();
    let row = |line: &str| {
        let (at, value) = line.split_once(',').expect("two cells");
        let at = instant(at);
        Labelled {
            at,
            value: value.trim().parse().expect("a number"),
            broken: windows
                .iter()
                .any(|(from, until)| (*from..=*until).contains(&at)),
        }
    };
    let mut rows: Vec<Labelled> = text.lines().skip(1).map(row).collect();
    rows.sort_by_key(|row| row.at);
    rows.dedup_by_key(|row| row.at);
    rows
}

#[test]
fn the_benchmark_of_others_is_scored_by_events() {
    let windows = fs::read_to_string(folder().join("windows.json")).expect("the windows");
    let windows: Windows = serde_json::from_str(&windows).expect("windows");
    let mut scores = Vec::new();
    for (name, kind, minutes, zone) in FILES {
        let zone = Zone::parse(zone).unwrap();
        let series = Series {
            kind,
            every: TimeDelta::minutes(minutes),
            zone: &zone,
            history: &[],
            holidays: &[],
            sensitivity: Sensitivity::Medium,
        };
        let short = name.split('_').take(2).collect::<Vec<_>>().join("_");
        scores.push((short, score(&series, &labelled(name, &windows))));
    }
    let total = table::print("five files of NAB", &scores);
    assert!(total.recall() >= 0.3, "{total:?}");
    assert!(total.false_a_week() <= 1.0, "{total:?}");
}
