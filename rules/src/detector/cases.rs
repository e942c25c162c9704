//! Case files of kind `detector`: labelled series, as CSV.
//!
//! ```csv
//! series,kind,timestamp,value,label
//! orders,count,2026-03-02T00:00:00Z,118,0
//! orders,count,2026-03-02T01:00:00Z,0,1
//! ```
//! The columns may stand in any order, and others beside them. `kind` is `count`, `rate` or `value`;
//! a time without an offset is UTC; an empty value, or NaN, is a missing bucket; `label` is 1 or
//! `true` where something was broken. Rates are shares; when one of the file is above 1, all of it
//! are percentages. The width of the buckets is the usual distance of a series' times.
//!
//! Invariant: every series is scored on its own, by the medium sensitivity, in UTC.
//! Failure: a row that cannot be read is refused with its line, all of them at once; so is a file
//! of another form.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use csv_core::{ReadRecordResult, Reader};

use super::score::{Labelled, Score, score};
use super::{Kind, Sensitivity, Series};
use crate::cases::CaseResult;
use crate::civil::Zone;
use crate::invalid::Invalid;

const COLUMNS: [&str; 5] = ["series", "kind", "timestamp", "value", "label"];
/// The most bad rows that are told.
const MOST_TOLD: usize = 20;
const MINUTE: TimeDelta = TimeDelta::minutes(1);
const DAY: TimeDelta = TimeDelta::days(1);

/// One series of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Its name.
    pub series: String,
    /// What its values are.
    pub kind: Kind,
    /// How the detector does.
    pub score: Score,
}

/// A series as it was read.
struct Read {
    kind: Kind,
    rows: Vec<(u64, Labelled)>,
}

/// Scores every series of a file's text, in the order of their names.
pub fn scores(csv: &str) -> Result<Vec<Scored>, Invalid> {
    let files = read(csv)?;
    let zone = Zone::utc();
    let scored = files.into_iter().map(|(name, read)| {
        let points: Vec<Labelled> = read.rows.iter().map(|(_, row)| *row).collect();
        let series = Series {
            kind: read.kind,
            every: width(&points),
            zone: &zone,
            history: &[],
            holidays: &[],
            sensitivity: Sensitivity::Medium,
        };
        Scored {
            series: name,
            kind: read.kind,
            score: score(&series, &points),
        }
    });
    Ok(scored.collect())
}

/// Runs the series of a file's text: one passes when its events are caught and nothing else fires.
pub fn run(csv: &str) -> Result<Vec<CaseResult>, Invalid> {
    let result = |scored: Scored| {
        let score = scored.score;
        let (missed, wrong) = (score.events - score.caught, score.episodes - score.right);
        let passed = missed == 0 && wrong == 0;
        CaseResult {
            id: scored.series,
            passed,
            detail: match passed {
                true => String::new(),
                false => format!(
                    "{missed} of {} events missed, {wrong} false episodes",
                    score.events
                ),
            },
        }
    };
    Ok(scores(csv)?.into_iter().map(result).collect())
}

/// Reads a file: every series with its rows in order.
fn read(csv: &str) -> Result<BTreeMap<String, Read>, Invalid> {
    let mut records = records(csv).into_iter();
    let (_, header) = records.next().unwrap_or_default();
    let place = |name: &&str| header.iter().position(|cell| cell.trim() == *name);
    let places: Vec<usize> = COLUMNS.iter().filter_map(place).collect();
    let [series, kind, timestamp, value, label] = places.as_slice() else {
        return Err(Invalid::one(
            "",
            "malformed_cases",
            format!(
                "The first line must name the columns {}.",
                COLUMNS.join(", ")
            ),
        ));
    };
    let mut invalid = Invalid::default();
    let mut found: BTreeMap<String, Read> = BTreeMap::new();
    for (line, cells) in records {
        let cell = |place: &usize| cells.get(*place).map_or("", |cell| cell.trim());
        let row = if cells.len() == header.len() {
            row(cell(kind), cell(timestamp), cell(value), cell(label))
        } else {
            Err(format!("{} columns, not {}", cells.len(), header.len()))
        };
        let row = row.and_then(|(kind, row)| {
            let name = cell(series);
            if name.is_empty() {
                return Err("the series has no name".to_owned());
            }
            let read = found.entry(name.to_owned()).or_insert(Read {
                kind,
                rows: Vec::new(),
            });
            if read.kind != kind {
                return Err(format!("{name} is of another kind above"));
            }
            read.rows.push((line, row));
            Ok(())
        });
        if let Err(why) = row {
            wrong(&mut invalid, line, &why);
        }
    }
    percentages(&mut found, &mut invalid);
    for read in found.values_mut() {
        read.rows.sort_by_key(|(line, row)| (row.at, *line));
        for pair in read.rows.windows(2) {
            if let [(_, before), (line, row)] = pair
                && before.at == row.at
            {
                wrong(&mut invalid, *line, "the same time as in a row above");
            }
        }
        read.rows.retain(|(_, row)| !row.value.is_nan());
    }
    invalid.errors.truncate(MOST_TOLD);
    invalid.or(found)
}

fn wrong(invalid: &mut Invalid, line: u64, why: &str) {
    invalid.add(
        format!("/{line}"),
        "malformed_row",
        format!("line {line}: {why}"),
    );
}

/// Where one rate is above 1, all are percentages.
fn percentages(found: &mut BTreeMap<String, Read>, invalid: &mut Invalid) {
    let mut rates: Vec<&mut (u64, Labelled)> = found
        .values_mut()
        .filter(|read| read.kind == Kind::Rate)
        .flat_map(|read| &mut read.rows)
        .collect();
    if !rates.iter().any(|(_, row)| row.value > 1.0) {
        return;
    }
    for (line, row) in &mut rates {
        if row.value > 100.0 {
            wrong(
                invalid,
                *line,
                "a rate is a share from 0 to 1, or a percentage",
            );
        }
        row.value /= 100.0;
    }
}

fn row(kind: &str, timestamp: &str, value: &str, label: &str) -> Result<(Kind, Labelled), String> {
    let kind = match kind {
        "count" => Kind::Count,
        "rate" => Kind::Rate,
        "value" => Kind::Value,
        _ => return Err(format!("kind {kind:?} is not count, rate or value")),
    };
    let at = instant(timestamp).ok_or_else(|| {
        format!("timestamp {timestamp:?} is no time such as 2026-03-02T13:00:00Z")
    })?;
    let number = match value {
        "" => f64::NAN,
        value => value
            .parse::<f64>()
            .map_err(|_| format!("value {value:?} is no number"))?,
    };
    let negative = number < 0.0 && kind != Kind::Value;
    if number.is_infinite() || negative {
        return Err(format!("value {value:?} is out of the range of its kind"));
    }
    let broken = match label.to_ascii_lowercase().as_str() {
        "1" | "true" => true,
        "0" | "false" => false,
        _ => return Err(format!("label {label:?} is not 0 or 1")),
    };
    let row = Labelled {
        at,
        value: number,
        broken,
    };
    Ok((kind, row))
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    let forms = [
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
    ];
    let wall = forms
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let day = || {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()?
            .and_hms_opt(0, 0, 0)
    };
    wall.or_else(day).map(|wall| wall.and_utc())
}

/// The usual distance of the times of a series.
fn width(points: &[Labelled]) -> TimeDelta {
    let mut apart: Vec<TimeDelta> = points
        .windows(2)
        .filter_map(|pair| match pair {
            [one, other] => Some(other.at - one.at),
            _ => None,
        })
        .collect();
    apart.sort_unstable();
    let usual = apart.get(apart.len() / 2).copied().unwrap_or(DAY);
    usual.clamp(MINUTE, DAY)
}

/// The records of a text, with the lines they begin on.
fn records(csv: &str) -> Vec<(u64, Vec<String>)> {
    let mut reader = Reader::new();
    let mut rest = csv.trim_start_matches('\u{feff}').as_bytes();
    let mut out = vec![0; rest.len().clamp(1, 64 * 1024)];
    let mut ends = vec![0; 256];
    let mut records = Vec::new();
    let (mut line, mut cells, mut filled) = (reader.line(), 0, 0);
    loop {
        let (result, read, wrote, found) = reader.read_record(
            rest,
            out.get_mut(filled..).unwrap_or_default(),
            ends.get_mut(cells..).unwrap_or_default(),
        );
        rest = rest.get(read..).unwrap_or_default();
        (filled, cells) = (filled + wrote, cells + found);
        match result {
            ReadRecordResult::OutputFull => out.resize(out.len() * 2, 0),
            ReadRecordResult::OutputEndsFull => ends.resize(ends.len() * 2, 0),
            ReadRecordResult::InputEmpty if read > 0 => {}
            ReadRecordResult::InputEmpty => rest = &[],
            ReadRecordResult::Record => {
                let mut from = 0;
                let cell = |end: &usize| {
                    let bytes = out.get(from..*end).unwrap_or_default();
                    from = *end;
                    String::from_utf8_lossy(bytes).into_owned()
                };
                records.push((line, ends.iter().take(cells).map(cell).collect()));
                (line, cells, filled) = (reader.line(), 0, 0);
            }
            ReadRecordResult::End => return records,
        }
    }
}
