//! Reads a guest list from the bytes of a file, chunk by chunk.
//!
//! Invariant: how the bytes are cut changes nothing; memory is bounded by one record, the header and
//! the codes seen, never by the file. Every record becomes a guest or a list of problems with its
//! line. Numbers of records are unique within a file.
//! Failure: a [`Problem`] returned as an error ends the import as a whole: too many rows or bytes,
//! no text, a header nobody can read, a quote never closed.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::civil::Zone;
use crate::guest_row::NewGuest;
use crate::invalid::Invalid;

mod columns;
mod csv_stream;
mod dates;
mod json_stream;
mod row;
mod sniff;
mod words;

pub use columns::DATA;
use columns::{Columns, Field, Wanted};
use row::Draft;
use sniff::Encoding;

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
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "text/csv" | "application/csv" | "text/tab-separated-values" | "application/vnd.ms-excel" => Some(Self::Csv),
            "application/json" => Some(Self::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

/// What to do with a code that an earlier record of the file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
        Self { line, field: None, code: code.to_owned(), message: message.to_owned() }
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
    Csv(csv_stream::Records),
    Json(json_stream::Records),
}

/// What is common to the formats.
#[derive(Debug)]
struct Reading {
    options: Options,
    wanted: Wanted,
    encoding: Encoding,
    columns: Option<Columns>,
    /// For JSON: fields to the keys they were read from, with their rank.
    keys: BTreeMap<Field, BTreeMap<String, usize>>,
    codes: HashMap<String, u32>,
    out: Vec<Parsed>,
    guests: u32,
    bad: u32,
    /// The number of the last record.
    last: u32,
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
        let reading = Reading {
            options,
            wanted,
            encoding: Encoding::Undecided,
            columns: None,
            keys: BTreeMap::new(),
            codes: HashMap::new(),
            out: Vec::new(),
            guests: 0,
            bad: 0,
            last: 0,
        };
        Ok(Self { source, reading, bytes: 0 })
    }

    /// Takes a chunk; returns the records that ended in it, in the file's order.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Vec<Parsed>, Problem> {
        self.bytes = self.bytes.saturating_add(chunk.len() as u64);
        if self.bytes > MAX_BYTES {
            return Err(Problem::whole(self.reading.last, "too_large", "The file has more than 64 MiB."));
        }
        let reading = &mut self.reading;
        match &mut self.source {
            Source::Header(start) => {
                start.extend_from_slice(chunk);
                // A mark or a `sep=` line must not be judged by half of it.
                if start.len() >= 8 && header_ends(start) {
                    self.source = Source::Csv(reading.begin(start)?);
                } else if start.len() > MAX_HEADER {
                    return Err(header_too_long());
                }
            }
            Source::Csv(records) => records.push(chunk, &mut |line, cells| reading.csv_record(line, cells))?,
            Source::Json(records) => records.push(chunk, &mut |number, json| reading.json_record(number, json))?,
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
    Problem::whole(1, "header_too_long", "The first line is too long to be the names of columns.")
}

/// Whether the start of a file has its first record that is no `sep=` line.
fn header_ends(start: &[u8]) -> bool {
    let skip = sniff::start(start).map_or(0, |start| start.skip);
    sniff::first_record(start.get(skip..).unwrap_or_default()).is_some()
}

impl Reading {
    /// Settles delimiter and encoding and reads what is there of the file.
    fn begin(&mut self, bytes: &[u8]) -> Result<csv_stream::Records, Problem> {
        let start = sniff::start(bytes)?;
        self.encoding = start.encoding;
        let bytes = bytes.get(start.skip..).unwrap_or_default();
        let header = bytes.get(..sniff::first_record(bytes).unwrap_or(bytes.len())).unwrap_or_default();
        if header.len() > MAX_HEADER {
            return Err(header_too_long());
        }
        let line = start.lines + 1;
        let delimiter = match start.delimiter {
            Some(delimiter) => delimiter,
            None => self.delimiter(header, line),
        };
        let mut records = csv_stream::Records::new(delimiter, line);
        records.push(bytes, &mut |line, cells| self.csv_record(line, cells))?;
        Ok(records)
    }

    /// The delimiter with which most columns are known, then with which there are most.
    fn delimiter(&self, header: &[u8], line: u32) -> u8 {
        let score = |delimiter: &u8| {
            let mut headers = Vec::new();
            let mut each = |_, cells: csv_stream::Cells<'_>| {
                headers.extend(cells.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()));
                Ok(())
            };
            let mut records = csv_stream::Records::new(*delimiter, line);
            let read = records.push(header, &mut each).and_then(|()| records.finish(&mut each));
            let named = |header: &&String| self.wanted.named().any(|(_, name)| name == header.trim());
            let known = Columns::known(&headers) + headers.iter().filter(named).count();
            if read.is_ok() { (known, headers.len()) } else { (0, 0) }
        };
        // The last of equals wins, so the comma is asked last.
        sniff::DELIMITERS.iter().rev().max_by_key(|delimiter| score(delimiter)).copied().unwrap_or(b',')
    }

    fn csv_record(&mut self, line: u32, cells: csv_stream::Cells<'_>) -> Result<(), Problem> {
        self.encoding = self.encoding.decide(cells.iter());
        let texts: Option<Vec<_>> = cells.iter().map(|cell| self.encoding.text(cell)).collect();
        let Some(columns) = &self.columns else {
            if cells.iter().any(|cell| cell.contains(&0)) {
                return Err(Problem::whole(line, "not_text", "The file is not text."));
            }
            let headers: Vec<String> = texts.unwrap_or_default().into_iter().map(|header| words::bare(&header).to_owned()).collect();
            self.columns = Some(Columns::read(&headers, &self.wanted, line)?);
            return Ok(());
        };
        let Some(texts) = texts else {
            let problem = Problem::whole(line, "bad_encoding", "The line is not UTF-8, unlike the lines before it.");
            return self.take(line, Parsed::Bad { line, problems: vec![problem] });
        };
        let mut draft = Draft::default();
        for (field, places) in &columns.of {
            let cell = places.iter().filter_map(|at| texts.get(*at)).map(|text| words::bare(text)).find(|cell| !cell.is_empty());
            if let Some(cell) = cell {
                draft.cells.insert(*field, cell.to_owned());
            }
        }
        for (text, (header, field)) in texts.iter().zip(&columns.all) {
            let cell = words::bare(text);
            if !cell.is_empty() && field.is_none_or(Field::also_data) {
                draft.data.insert(header.clone(), Value::String(cell.to_owned()));
            }
        }
        let surplus = texts.iter().skip(columns.all.len()).filter(|text| !text.trim().is_empty()).count();
        if surplus > 0 {
            let message = format!("The line has {} cells, the header {}.", texts.len(), columns.all.len());
            draft.problems.push(Problem::whole(line, "too_many_cells", &message));
        }
        if draft.is_blank() {
            return Ok(());
        }
        let parsed = draft.finish(line, &self.options.zone);
        self.take(line, parsed)
    }

    fn json_record(&mut self, number: u32, json: &[u8]) -> Result<(), Problem> {
        let object: Map<String, Value> = match serde_json::from_slice(json) {
            Ok(object) => object,
            Err(_) => {
                let problem = Problem::whole(number, "malformed_json", "The record is not a JSON object.");
                return self.take(number, Parsed::Bad { line: number, problems: vec![problem] });
            }
        };
        let mut draft = Draft::default();
        let mut ranks: BTreeMap<Field, usize> = BTreeMap::new();
        for (key, value) in object {
            let found = self.wanted.of_header(&key);
            if let Some((field, rank)) = found {
                let seen = self.keys.entry(field).or_default();
                if seen.len() < 50 {
                    seen.insert(key.clone(), rank);
                }
                match scalar(&value) {
                    Some(cell) if ranks.get(&field).is_none_or(|best| rank < *best) => {
                        let cell = cell.trim();
                        if !cell.is_empty() {
                            ranks.insert(field, rank);
                            draft.cells.insert(field, cell.to_owned());
                        }
                    }
                    Some(_) => {}
                    None => draft.problems.push(Problem {
                        line: number,
                        field: Some(field.as_str().to_owned()),
                        code: "wrong_type".to_owned(),
                        message: format!("{} must be a text, a number or a yes or no.", quoted(&key)),
                    }),
                }
            }
            if found.is_none_or(|(field, _)| field.also_data()) && !value.is_null() {
                match value {
                    Value::Object(inner) if key == "data" => draft.data.extend(inner),
                    other => {
                        draft.data.insert(key, other);
                    }
                }
            }
        }
        let parsed = draft.finish(number, &self.options.zone);
        self.take(number, parsed)
    }

    /// Counts a record and looks whether its code was there before.
    fn take(&mut self, line: u32, mut parsed: Parsed) -> Result<(), Problem> {
        self.last = line;
        if self.guests + self.bad >= MAX_ROWS {
            return Err(Problem::whole(line, "too_many_rows", "The file has more than 100,000 guests."));
        }
        if let Parsed::Guest { guest, duplicate_of, .. } = &mut parsed
            && let Some(code) = &guest.barcode
        {
            match self.codes.get(code) {
                None => {
                    self.codes.insert(code.clone(), line);
                }
                Some(first) if self.options.duplicates == Duplicates::Keep => *duplicate_of = Some(*first),
                Some(first) => {
                    let problem = Problem {
                        line,
                        field: Some(Field::Barcode.as_str().to_owned()),
                        code: "duplicate_code".to_owned(),
                        message: format!("The code is already on line {first}."),
                    };
                    parsed = Parsed::Bad { line, problems: vec![problem] };
                }
            }
        }
        match &parsed {
            Parsed::Guest { .. } => self.guests += 1,
            Parsed::Bad { .. } => self.bad += 1,
        }
        self.out.push(parsed);
        Ok(())
    }

    fn all_keys_seen(&self) -> Result<(), Problem> {
        let missing = self.wanted.named().find(|(field, _)| !self.keys.contains_key(field));
        match missing {
            Some((field, header)) if self.guests + self.bad > 0 => Err(Problem {
                line: 1,
                field: Some(field.as_str().to_owned()),
                code: "unknown_column".to_owned(),
                message: format!("No record has a field {}.", quoted(header)),
            }),
            _ => Ok(()),
        }
    }

    fn mapping(&self) -> BTreeMap<String, Vec<String>> {
        if let Some(columns) = &self.columns {
            return columns.mapping();
        }
        let best_first = |keys: &BTreeMap<String, usize>| {
            let mut ranked: Vec<(usize, &String)> = keys.iter().map(|(key, rank)| (*rank, key)).collect();
            ranked.sort_unstable();
            ranked.into_iter().map(|(_, key)| key.clone()).collect()
        };
        self.keys.iter().map(|(field, keys)| (field.as_str().to_owned(), best_first(keys))).collect()
    }
}

/// A piece of the file within a message: in quotes and not at any length.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("\u{201c}{}{more}\u{201d}", short.escape_debug())
}

/// What a JSON value says as a cell; nothing of lists and objects.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(yes) => Some(if *yes { "yes" } else { "no" }.to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Object(_) => None,
    }
}
