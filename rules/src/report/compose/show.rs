//! How a result looks in a report: a sentence, a list, a table, a chart.
//!
//! Invariant: numbers keep their digits up to four decimals, so each can be found in the data; a
//! table never shows more rows than asked for, and says how many there are beyond.
//! Failure: a result that is not there is told as such.

use serde_json::Value;

use super::blocks::SqlBlock;
use super::{heading, picture};
use crate::civil::Zone;
use crate::report::moment::Moment;
use crate::report::unit::Measure;
use crate::report::{Column, Dataset, Kind, dataset, format, markdown};

/// Rows that a table shows unless told otherwise.
pub const SHOWN_ROWS: usize = 50;
/// Most characters of a text in a table.
const MAX_CELL: usize = 200;

/// What stands where a block stood.
pub fn section(block: &SqlBlock, set: Option<&Dataset>, zone: &Zone) -> String {
    if !block.show {
        return String::new();
    }
    let title = block.title.clone().unwrap_or_else(|| heading(&block.name));
    let Some(set) = set else {
        return part(&title, "No result.");
    };
    match (set.rows.as_slice(), set.columns.as_slice()) {
        ([], _) => part(&title, "No rows."),
        ([_], [column]) if block.chart.is_none() => {
            let value = cell(set, 0, 0, zone);
            // The title says what it is, or else the column does.
            let name = block.title.clone().unwrap_or_else(|| heading(&column.name));
            format!("**{}:** {value}\n\n", markdown::escaped(&name))
        }
        ([_], columns) if block.chart.is_none() => part(&title, &list(set, columns, zone)),
        _ => part(&title, &rows(block, &title, set, zone)),
    }
}

/// A dataset as a Markdown table of at most so many rows.
pub fn table(set: &Dataset, most: usize, zone: &Zone) -> String {
    if set.columns.is_empty() {
        return String::new();
    }
    let mut out = String::new();
    row(
        &mut out,
        set.columns
            .iter()
            .map(|column| markdown::escaped(&column.name)),
    );
    let right = |column: &Column| match column.kind {
        Kind::Number => "--:".to_owned(),
        _ => "---".to_owned(),
    };
    row(&mut out, set.columns.iter().map(right));
    for at in 0..set.rows.len().min(most) {
        row(
            &mut out,
            (0..set.columns.len()).map(|column| cell(set, at, column, zone)),
        );
    }
    if let Some(note) = beyond(set, most) {
        out.push_str(&format!("\n{note}\n"));
    }
    out
}

/// A cell as text.
fn cell(set: &Dataset, at: usize, place: usize, zone: &Zone) -> String {
    let (Some(value), Some(column)) = (set.cell(at, place), set.columns.get(place)) else {
        return "–".to_owned();
    };
    if let Some(number) = dataset::number(value, column.kind) {
        return written(value, number, &column.name);
    }
    match value {
        Value::Null => "–".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => {
            let moment = match column.kind {
                Kind::Time => Moment::read(text, zone),
                _ => None,
            };
            match moment {
                Some(moment) => moment.plain(),
                None => markdown::escaped(&cut(text)),
            }
        }
        other => markdown::escaped(&cut(&other.to_string())),
    }
}

/// A number of a column: names keep their digits, percentages get their sign.
fn written(value: &Value, number: f64, column: &str) -> String {
    match Measure::of(column) {
        Measure::Name => value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned),
        Measure::Percent => format!("{} %", format::short(number, 4)),
        _ => format::short(number, 4),
    }
}

fn part(title: &str, body: &str) -> String {
    format!("## {}\n\n{}\n\n", markdown::escaped(title), body.trim_end())
}

fn list(set: &Dataset, columns: &[Column], zone: &Zone) -> String {
    let line = |(at, column): (usize, &Column)| {
        let name = markdown::escaped(&heading(&column.name));
        format!("- **{name}:** {}\n", cell(set, 0, at, zone))
    };
    columns.iter().enumerate().map(line).collect()
}

fn rows(block: &SqlBlock, title: &str, set: &Dataset, zone: &Zone) -> String {
    let mut out = String::new();
    if let Some(spec) = &block.chart {
        out.push_str(&picture(title, spec));
        out.push_str("\n\n");
    }
    if block.rows > 0 {
        out.push_str(&table(set, block.rows, zone));
    }
    out
}

/// What a table does not show.
fn beyond(set: &Dataset, most: usize) -> Option<String> {
    let left = set.rows.len().saturating_sub(most);
    // A number of rows is far below what a float holds exactly.
    let count = |rows: usize| format::fixed(u32::try_from(rows).map_or(0.0, f64::from), 0);
    match (left, set.truncated) {
        (0, false) => None,
        (0, true) => Some(format!(
            "*The result was cut after {} rows.*",
            count(set.rows.len())
        )),
        (left, false) => Some(format!("*… and {} more rows.*", count(left))),
        (left, true) => Some(format!(
            "*… and {} more rows; the result was cut after {}.*",
            count(left),
            count(set.rows.len())
        )),
    }
}

fn row(out: &mut String, cells: impl Iterator<Item = String>) {
    out.push('|');
    for cell in cells {
        out.push_str(&format!(" {cell} |"));
    }
    out.push('\n');
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_CELL) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default().trim_end()),
        None => text.to_owned(),
    }
}
