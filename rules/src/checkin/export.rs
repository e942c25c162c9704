//! Records of a table as CSV (RFC 4180), for spreadsheets; programs take the same as JSON lines.
//!
//! Invariant: one line per record, each value as the API shows it; no cell runs as a formula (see
//! [`crate::export::line`]).
//! Failure: none; what a record does not have is an empty cell. Answers to questions are JSON.

use serde_json::Value;

use crate::export::{self, Reader};

/// The columns in their order, each with its place in a record.
pub const COLUMNS: [(&str, &str); 32] = [
    ("id", "/id"),
    ("seq", "/seq"),
    ("check_in_time", "/check_in_time"),
    ("verdict", "/verdict"),
    ("reason", "/reason"),
    ("direction", "/direction"),
    ("guest_name", "/row_data/name"),
    ("guest_email", "/row_data/email"),
    ("guest_category", "/row_data/category"),
    ("barcode", "/barcode"),
    ("gate", "/gate"),
    ("scanner_name", "/scanner_name"),
    ("scanner_email", "/scanner_email"),
    ("scan_count", "/scan_count"),
    ("last_scanned_at", "/last_scanned_at"),
    ("walk_in", "/walk_in"),
    ("force_sent", "/force_sent"),
    ("forced", "/forced"),
    ("overrode", "/overrode"),
    ("notes", "/notes"),
    ("annulled_at", "/annulled_at"),
    ("annulled_by", "/annulled_by"),
    ("scanned_at", "/scanned_at"),
    ("sent_at", "/sent_at"),
    ("received_at", "/received_at"),
    ("clock_skew_ms", "/clock_skew_ms"),
    ("session_id", "/session_id"),
    ("row_id", "/row_id"),
    ("table_id", "/table_id"),
    ("guest_attention_note", "/row_data/attention_note"),
    ("people", "/people"),
    ("answers", "/answers"),
];

/// What the file begins with: the mark by which spreadsheets know UTF-8, and the header.
pub fn header() -> String {
    let names = COLUMNS.iter().map(|(name, _)| (*name).to_owned());
    format!(
        "{}{}",
        export::BOM,
        export::line(names, Reader::Spreadsheet)
    )
}

/// One record, as the API answers it.
pub fn row(record: &Value) -> String {
    let cells = COLUMNS
        .iter()
        .map(|(_, place)| match record.pointer(place) {
            None | Some(Value::Null) => String::new(),
            Some(Value::Object(fields)) if fields.is_empty() => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        });
    export::line(cells, Reader::Spreadsheet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_record_is_one_line_under_the_header() {
        let header = header();
        assert!(header.starts_with("\u{feff}id,seq,check_in_time,verdict,"));
        assert_eq!(header.matches(',').count(), COLUMNS.len() - 1);
        let record = json!({"id": "1", "seq": 7, "verdict": "refused", "walk_in": false, "gate": null,
            "barcode": "=cmd()", "clock_skew_ms": -5, "row_data": {"name": "Ada, \"Countess\""}});
        let line = row(&record);
        assert!(
            line.starts_with("1,7,,refused,,,\"Ada, \"\"Countess\"\"\",,,\"'=cmd()\",,"),
            "{line}"
        );
        assert!(
            line.contains(",\"'-5\",") && line.contains(",false,"),
            "{line}"
        );
        assert!(line.ends_with("\r\n"));
    }

    #[test]
    fn no_column_stands_twice() {
        let names: std::collections::HashSet<_> = COLUMNS.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), COLUMNS.len());
    }
}
