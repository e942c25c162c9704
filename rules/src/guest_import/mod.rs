//! Reads a guest list from the bytes of a file, chunk by chunk.
//!
//! Invariant: how the bytes are cut changes nothing; memory is bounded by one record, the header and
//! the codes seen, never by the file. Every record becomes a guest or a list of problems with its
//! line. Numbers of records are unique within a file.
//! Failure: a [`Problem`] returned as an error ends the import as a whole: too many rows or bytes,
//! no text, a header nobody can read, a quote never closed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::civil::Zone;
use crate::guest_row::NewGuest;
use crate::invalid::Invalid;

mod columns;
mod csv_stream;
mod dates;
mod json_stream;
mod reading;
mod row;
mod sniff;
mod words;

pub use columns::DATA;
use columns::{Field, Wanted};
use reading::Reading;

/// Most guests of one import.
pub const MAX_ROWS: u32 = 100_000;
/// Most bytes of one import: 64 MiB.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Longest header of a CSV file, in bytes.
const MAX_HEADER: usize = 64 * 1024;

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma, semicolon or tab separated, with a header line.
    Csv,
    /// One array of objects.
    Json,
    /// One object per line.
    Ndjson,
}

impl Format {
    /// The format of a `Content-Type`, parameters aside.
    pub fn of(content_type: &str) -> Option<Self> {
        let kind = content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        match kind.as_str() {
            "text/csv"
            | "application/csv"
            | "text/tab-separated-values"
            | "application/vnd.ms-excel" => Some(Self::Csv),
            "application/json" => Some(Self::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
                Some(Self::Ndjson)
            }
            _ => None,
        }
    }
}

/// What to do with a code that an earlier record of the file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Duplicates {
    /// The later record is wrong.
    #[default]
    Reject,
    /// Both are guests; a scan of the code is then ambiguous.
    Keep,
}

/// How to read a file.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The zone of times without an offset: the table's.
    pub zone: Zone,
    /// Field to header, for the columns that are not recognised or wrongly so; a field with an empty
    /// header is left out.
    pub map: BTreeMap<String, String>,
    /// What to do with repeated codes.
    pub duplicates: Duplicates,
}

/// What is wrong with a record or a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Problem {
    /// The line the record begins on, from 1; in a JSON array the place of the record, from 1.
    pub line: u32,
    /// The field, if it is one field's.
    pub field: Option<String>,
    /// Stable code.
    pub code: String,
    /// One sentence for a person.
    pub message: String,
}

impl Problem {
    /// What is wrong with a record as a whole.
    fn whole(line: u32, code: &str, message: &str) -> Self {
        Self {
            line,
            field: None,
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }
}

/// What a record became.
#[derive(Clone, Debug, PartialEq)]
pub enum Parsed {
    /// A guest.
    Guest {
        /// The record's line.
        line: u32,
        /// The guest.
        guest: Box<NewGuest>,
        /// The line of the first record with the same code, where duplicates are kept.
        duplicate_of: Option<u32>,
    },
    /// No guest.
    Bad {
        /// The record's line.
        line: u32,
        /// All that is wrong, at least one.
        problems: Vec<Problem>,
    },
}

/// What a whole file came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// The records that ended with the file.
    pub parsed: Vec<Parsed>,
    /// Guests in all.
    pub guests: u32,
    /// Records that are no guests.
    pub bad: u32,
    /// Lines of the file; of a JSON array its records.
    pub lines: u32,
    /// Fields to the headers they were read from, best first.
    pub mapping: BTreeMap<String, Vec<String>>,
}

/// Reads one file.
#[derive(Debug)]
pub struct Importer {
    source: Source,
    reading: Reading,
    bytes: u64,
}

#[derive(Debug)]
enum Source {
    /// The start of a CSV file, until its header is whole.
    Header(Vec<u8>),
    Csv(Box<csv_stream::Records>),
    Json(json_stream::Records),
}

impl Importer {
    /// Starts reading. A map with a field there is not is refused.
    pub fn new(format: Format, options: Options) -> Result<Self, Invalid> {
        let wanted = Wanted::parse(&options.map)?;
        let source = match format {
            Format::Csv => Source::Header(Vec::new()),
            Format::Json => Source::Json(json_stream::Records::array()),
            Format::Ndjson => Source::Json(json_stream::Records::lines()),
        };
        let reading = Reading::new(options, wanted);
        Ok(Self {
            source,
            reading,
            bytes: 0,
        })
    }

    /// Takes a chunk; returns the records that ended in it, in the file's order.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Vec<Parsed>, Problem> {
        self.bytes = self.bytes.saturating_add(chunk.len() as u64);
        if self.bytes > MAX_BYTES {
            return Err(Problem::whole(
                self.reading.last,
                "too_large",
                "The file has more than 64 MiB.",
            ));
        }
        let reading = &mut self.reading;
        match &mut self.source {
            Source::Header(start) => {
                start.extend_from_slice(chunk);
                // A mark or a `sep=` line must not be judged by half of it.
                if start.len() >= 8 && header_ends(start) {
                    self.source = Source::Csv(Box::new(reading.begin(start)?));
                } else if start.len() > MAX_HEADER {
                    return Err(header_too_long());
                }
            }
            Source::Csv(records) => {
                records.push(chunk, &mut |line, cells| reading.csv_record(line, cells))?
            }
            Source::Json(records) => {
                records.push(chunk, &mut |number, json| reading.json_record(number, json))?
            }
        }
        Ok(std::mem::take(&mut self.reading.out))
    }

    /// The file is over.
    pub fn finish(mut self) -> Result<Finished, Problem> {
        let reading = &mut self.reading;
        let mut lines = 0;
        match &mut self.source {
            Source::Header(start) => {
                if start.is_empty() {
                    return Err(Problem::whole(1, "empty_file", "The file is empty."));
                }
                let mut records = reading.begin(start)?;
                records.finish(&mut |line, cells| reading.csv_record(line, cells))?;
                if reading.columns.is_none() {
                    return Err(Problem::whole(1, "empty_file", "The file is empty."));
                }
                lines = records.lines();
            }
            Source::Csv(records) => {
                records.finish(&mut |line, cells| reading.csv_record(line, cells))?;
                lines = records.lines();
            }
            Source::Json(records) => {
                records.finish(&mut |number, json| reading.json_record(number, json))?;
                reading.all_keys_seen()?;
            }
        }
        Ok(Finished {
            parsed: std::mem::take(&mut reading.out),
            guests: reading.guests,
            bad: reading.bad,
            lines: lines.max(reading.last),
            mapping: reading.mapping(),
        })
    }
}

/// Whether an import takes a column of this header for a field of a guest.
pub fn is_field(header: &str) -> bool {
    Field::of_header(header).is_some()
}

fn header_too_long() -> Problem {
    Problem::whole(
        1,
        "header_too_long",
        "The first line is too long to be the names of columns.",
    )
}

/// Whether the start of a file has its first record that is no `sep=` line.
fn header_ends(start: &[u8]) -> bool {
    let skip = sniff::start(start).map_or(0, |start| start.skip);
    sniff::first_record(start.get(skip..).unwrap_or_default()).is_some()
}

/// A piece of the file within a message: in quotes and not at any length.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("\u{201c}{}{more}\u{201d}", short.escape_debug())
}
