//! Datasets as CSV files for spreadsheets.
//!
//! Invariant: no text runs as a formula, numbers stay numbers; all files together are within
//! [`MAX_BYTES`].
//! Failure: rows that do not fit are left out, and the file's note says so.

use serde_json::Value;

use super::Attachment;
use crate::export::{self, Reader};
use crate::report::{Dataset, format};

/// Most bytes of all files.
pub const MAX_BYTES: usize = 2 * 1024 * 1024;

/// The files of a run, and what has to be said about them.
pub fn of(data: &[Dataset]) -> (Vec<Attachment>, Vec<String>) {
    let (mut files, mut notes) = (Vec::new(), Vec::new());
    let mut left = MAX_BYTES;
    for set in data.iter().filter(|set| !set.columns.is_empty()) {
        let name = format!("{}.csv", set.name);
        let (text, rows) = csv(set, left);
        left = left.saturating_sub(text.len());
        if rows < set.rows.len() || set.truncated {
            // A number of rows is far below what a float holds exactly.
            let shown = f64::from(u32::try_from(rows).unwrap_or(u32::MAX));
            notes.push(format!(
                "{name} holds the first {} rows.",
                format::fixed(shown, 0)
            ));
        }
        files.push(Attachment {
            name,
            content_type: "text/csv; charset=utf-8".to_owned(),
            bytes: text.into_bytes(),
            content_id: None,
        });
    }
    (files, notes)
}

/// The file of a dataset, and how many rows it holds.
fn csv(set: &Dataset, most: usize) -> (String, usize) {
    let head = set.columns.iter().map(|column| column.name.clone());
    let mut out = format!("{}{}", export::BOM, export::line(head, Reader::Spreadsheet));
    for (at, row) in set.rows.iter().enumerate() {
        let line = row.iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n";
        if out.len() + line.len() > most {
            return (out, at);
        }
        out.push_str(&line);
    }
    (out, set.rows.len())
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        // A minus sign begins a formula only in a text.
        Value::Number(_) | Value::Bool(_) => return value.to_string(),
        Value::String(text) if text.parse::<f64>().is_ok_and(f64::is_finite) => {
            return text.clone();
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let line = export::line([text], Reader::Spreadsheet);
    line.trim_end_matches("\r\n").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Column, Kind};

    fn set(rows: Vec<Vec<Value>>) -> Dataset {
        let column = |name: &str| Column {
            name: name.to_owned(),
            kind: Kind::Text,
        };
        Dataset {
            name: "orders".to_owned(),
            columns: vec![column("=day"), column("total")],
            rows,
            ..Dataset::default()
        }
    }

    #[test]
    fn formulas_do_not_run_and_numbers_stay_numbers() {
        let rows = serde_json::from_str(
            r#"[["=1+1", -5], ["-2.5", 1.50], [null, true], ["a,b\r\n", "+x"], ["", "-"]]"#,
        );
        let (files, notes) = of(&[set(rows.unwrap())]);
        let text = String::from_utf8(files[0].bytes.clone()).unwrap();
        assert_eq!(
            text,
            "\u{feff}\"'=day\",total\r\n\"'=1+1\",-5\r\n-2.5,1.5\r\n,true\r\n\"a,b\r\n\",\"'+x\"\r\n,\"'-\"\r\n"
        );
        assert_eq!((files[0].name.as_str(), notes.len()), ("orders.csv", 0));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let row = vec![Value::from("x".repeat(1_000)), Value::from(1)];
        let (files, notes) = of(&[set(vec![row; 3_000])]);
        assert!(files[0].bytes.len() <= MAX_BYTES && files[0].bytes.ends_with(b"x,1\r\n"));
        assert_eq!(notes, ["orders.csv holds the first 2,088 rows."]);
    }
}
