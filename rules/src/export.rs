//! Guest lists as CSV (RFC 4180): for spreadsheets, and for importing again.
//!
//! Invariant: what is exported imports to the same guests, but that values of `data` become texts.
//! For a spreadsheet, cells that it would run as a formula are preceded by `'`, which the importer
//! takes off again, and the text begins with a byte order mark, without which spreadsheets misread
//! names. Records end with CR LF.
//! Failure: none.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::guest_import::{DATA, is_field};

/// What an export for a spreadsheet begins with, before its header.
pub const BOM: &str = "\u{feff}";

/// For whom an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A program: cells are what they are.
    Program,
    /// A spreadsheet: no cell runs as a formula.
    Spreadsheet,
}

/// The columns every export has.
pub const COLUMNS: [&str; 9] = [
    "name",
    "email",
    "barcode",
    "category",
    "status",
    "valid_from",
    "valid_until",
    "attention_note",
    "party",
];

/// A guest as it is exported: a row as the API answers it, the rest ignored.
#[derive(Clone, Debug, Default, Deserialize)]
#[allow(missing_docs)]
pub struct GuestOut {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub email: Option<String>,
    #[serde(default)]
    pub barcode: Option<String>,
    #[serde(default)]
    pub category: Option<String>,
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub valid_from: Option<String>,
    #[serde(default)]
    pub valid_until: Option<String>,
    #[serde(default)]
    pub attention_note: Option<String>,
    #[serde(default)]
    pub party: Option<u16>,
    #[serde(default)]
    pub data: BTreeMap<String, Box<RawValue>>,
}

/// The header; `keys` are the fields of `data` that get a column. A key that an import would take
/// for a field of a guest is marked as [`DATA`], so that it stays what it is.
pub fn header(keys: &[String], reader: Reader) -> String {
    let named = keys
        .iter()
        .map(|key| match is_field(key) || key.starts_with(DATA) {
            true => format!("{DATA}{key}"),
            false => key.clone(),
        });
    line(
        COLUMNS
            .iter()
            .map(|column| (*column).to_owned())
            .chain(named),
        reader,
    )
}

/// One guest.
pub fn row(guest: &GuestOut, keys: &[String], reader: Reader) -> String {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let fields = [
        guest.name.clone(),
        text(&guest.email),
        text(&guest.barcode),
        text(&guest.category),
        text(&guest.status),
        text(&guest.valid_from),
        text(&guest.valid_until),
        text(&guest.attention_note),
        guest
            .party
            .map(|party| party.to_string())
            .unwrap_or_default(),
    ];
    let data = keys.iter().map(|key| {
        guest
            .data
            .get(key)
            .map(|value| cell(value))
            .unwrap_or_default()
    });
    line(fields.into_iter().chain(data), reader)
}

/// A field of `data`: a text as it is, nothing for null, anything else as JSON.
fn cell(value: &RawValue) -> String {
    match value.get() {
        "null" => String::new(),
        json => serde_json::from_str(json).unwrap_or_else(|_| json.to_owned()),
    }
}

/// One record of cells.
pub fn line(cells: impl IntoIterator<Item = String>, reader: Reader) -> String {
    let mut out = String::new();
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        // What the importer would take off by itself is kept for any reader.
        let kept = cell.starts_with('\'') || cell.starts_with("=\"");
        let guard = is_formula(&cell) && (reader == Reader::Spreadsheet || kept);
        if guard
            || cell.contains([',', '"', '\r', '\n', ';', '\t'])
            || cell.trim().len() < cell.len()
        {
            out.push('"');
            if guard {
                out.push('\'');
            }
            out.push_str(&cell.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&cell);
        }
    }
    out.push_str("\r\n");
    out
}

/// Whether a spreadsheet would run this as a formula, leading `'` aside.
pub fn is_formula(cell: &str) -> bool {
    cell.trim_start_matches('\'')
        .starts_with(['=', '+', '-', '@', '\t', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let cells = ["a", "b,c", "d\"e", "f\r\ng", "", " h "].map(str::to_owned);
        assert_eq!(
            line(cells, Reader::Program),
            "a,\"b,c\",\"d\"\"e\",\"f\r\ng\",,\" h \"\r\n"
        );
    }

    #[test]
    fn formulas_do_not_run() {
        let cells = ["=1+1", "+49 30", "-5", "@x", "'=x", "'tis", "a=b"].map(str::to_owned);
        assert_eq!(
            line(cells.clone(), Reader::Program),
            "=1+1,+49 30,-5,@x,\"''=x\",'tis,a=b\r\n"
        );
        assert_eq!(
            line(cells, Reader::Spreadsheet),
            "\"'=1+1\",\"'+49 30\",\"'-5\",\"'@x\",\"''=x\",'tis,a=b\r\n"
        );
    }

    #[test]
    fn a_guest_is_one_record_under_the_header() {
        let keys = ["Company".to_owned(), "Code".to_owned()];
        assert_eq!(
            header(&keys, Reader::Program),
            "name,email,barcode,category,status,valid_from,valid_until,attention_note,party,Company,data: Code\r\n"
        );
        let guest: GuestOut =
            serde_json::from_str(r#"{"id":"x","name":"Ada","barcode":"7","status":"confirmed","party":4,"data":{"Company":"A, B","Code":5}}"#)
                .unwrap();
        assert_eq!(
            row(&guest, &keys, Reader::Program),
            "Ada,,7,,confirmed,,,,4,\"A, B\",5\r\n"
        );
    }
}
