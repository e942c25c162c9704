//! Records become guests, whatever format they came in.
//!
//! Invariant: a record is judged by itself, the header and the codes before it, never by the chunk
//! it came in.
//! Failure: a header nobody can read, and too many records, end the import.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::columns::{Columns, Field, Wanted};
use super::row::Draft;
use super::sniff::{self, Encoding};
use super::{
    Duplicates, MAX_HEADER, MAX_ROWS, Options, Parsed, Problem, csv_stream, header_too_long,
    quoted, words,
};

/// What is known of a file so far.
#[derive(Debug)]
pub struct Reading {
    options: Options,
    wanted: Wanted,
    encoding: Encoding,
    /// Of a CSV file, once its header was read.
    pub columns: Option<Columns>,
    /// For JSON: fields to the keys they were read from, with their rank.
    keys: BTreeMap<Field, BTreeMap<String, usize>>,
    codes: HashMap<String, u32>,
    /// Records not handed out yet.
    pub out: Vec<Parsed>,
    /// Guests so far.
    pub guests: u32,
    /// Records so far that are no guests.
    pub bad: u32,
    /// The number of the last record.
    pub last: u32,
}

impl Reading {
    /// Nothing was read yet.
    pub fn new(options: Options, wanted: Wanted) -> Self {
        Self {
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
        }
    }

    /// Settles delimiter and encoding and reads what is there of the file.
    pub fn begin(&mut self, bytes: &[u8]) -> Result<csv_stream::Records, Problem> {
        let start = sniff::start(bytes)?;
        self.encoding = start.encoding;
        let bytes = bytes.get(start.skip..).unwrap_or_default();
        let header = bytes
            .get(..sniff::first_record(bytes).unwrap_or(bytes.len()))
            .unwrap_or_default();
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
                headers.extend(
                    cells
                        .iter()
                        .map(|cell| String::from_utf8_lossy(cell).into_owned()),
                );
                Ok(())
            };
            let mut records = csv_stream::Records::new(*delimiter, line);
            let read = records
                .push(header, &mut each)
                .and_then(|()| records.finish(&mut each));
            let named =
                |header: &&String| self.wanted.named().any(|(_, name)| name == header.trim());
            let known = Columns::known(&headers) + headers.iter().filter(named).count();
            if read.is_ok() {
                (known, headers.len())
            } else {
                (0, 0)
            }
        };
        // The last of equals wins, so the comma is asked last.
        sniff::DELIMITERS
            .iter()
            .rev()
            .max_by_key(|delimiter| score(delimiter))
            .copied()
            .unwrap_or(b',')
    }

    /// Takes a record of a CSV file; the first one is the header.
    pub fn csv_record(&mut self, line: u32, cells: csv_stream::Cells<'_>) -> Result<(), Problem> {
        self.encoding = self.encoding.decide(cells.iter());
        let texts: Option<Vec<_>> = cells.iter().map(|cell| self.encoding.text(cell)).collect();
        let Some(columns) = &self.columns else {
            if cells.iter().any(|cell| cell.contains(&0)) {
                return Err(Problem::whole(line, "not_text", "The file is not text."));
            }
            let headers: Vec<String> = texts
                .unwrap_or_default()
                .into_iter()
                .map(|header| words::bare(&header).to_owned())
                .collect();
            self.columns = Some(Columns::read(&headers, &self.wanted, line)?);
            return Ok(());
        };
        let Some(texts) = texts else {
            let problem = Problem::whole(
                line,
                "bad_encoding",
                "The line is not UTF-8, unlike the lines before it.",
            );
            return self.take(
                line,
                Parsed::Bad {
                    line,
                    problems: vec![problem],
                },
            );
        };
        let mut draft = Draft::default();
        for (field, places) in &columns.of {
            let cell = places
                .iter()
                .filter_map(|at| texts.get(*at))
                .map(|text| words::bare(text))
                .find(|cell| !cell.is_empty());
            if let Some(cell) = cell {
                draft.cells.insert(*field, cell.to_owned());
            }
        }
        for (text, (header, field)) in texts.iter().zip(&columns.all) {
            let cell = words::bare(text);
            if !cell.is_empty() && field.is_none_or(Field::also_data) {
                draft
                    .data
                    .insert(header.clone(), Value::String(cell.to_owned()));
            }
        }
        let surplus = texts
            .iter()
            .skip(columns.all.len())
            .filter(|text| !text.trim().is_empty())
            .count();
        if surplus > 0 {
            let message = format!(
                "The line has {} cells, the header {}.",
                texts.len(),
                columns.all.len()
            );
            draft
                .problems
                .push(Problem::whole(line, "too_many_cells", &message));
        }
        if draft.is_blank() {
            return Ok(());
        }
        let parsed = draft.finish(line, &self.options.zone);
        self.take(line, parsed)
    }

    /// Takes a record of a JSON file.
    pub fn json_record(&mut self, number: u32, json: &[u8]) -> Result<(), Problem> {
        let object: Map<String, Value> = match serde_json::from_slice(json) {
            Ok(object) => object,
            Err(_) => {
                let problem =
                    Problem::whole(number, "malformed_json", "The record is not a JSON object.");
                return self.take(
                    number,
                    Parsed::Bad {
                        line: number,
                        problems: vec![problem],
                    },
                );
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
                        message: format!(
                            "{} must be a text, a number or a yes or no.",
                            quoted(&key)
                        ),
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
            return Err(Problem::whole(
                line,
                "too_many_rows",
                "The file has more than 100,000 guests.",
            ));
        }
        if let Parsed::Guest {
            guest,
            duplicate_of,
            ..
        } = &mut parsed
            && let Some(code) = &guest.barcode
        {
            match self.codes.get(code) {
                None => {
                    self.codes.insert(code.clone(), line);
                }
                Some(first) if self.options.duplicates == Duplicates::Keep => {
                    *duplicate_of = Some(*first)
                }
                Some(first) => {
                    let problem = Problem {
                        line,
                        field: Some(Field::Barcode.as_str().to_owned()),
                        code: "duplicate_code".to_owned(),
                        message: format!("The code is already on line {first}."),
                    };
                    parsed = Parsed::Bad {
                        line,
                        problems: vec![problem],
                    };
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

    /// Whether every key that the caller's map names was in some record.
    pub fn all_keys_seen(&self) -> Result<(), Problem> {
        let missing = self
            .wanted
            .named()
            .find(|(field, _)| !self.keys.contains_key(field));
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

    /// Fields to the headers or keys they were read from, best first.
    pub fn mapping(&self) -> BTreeMap<String, Vec<String>> {
        if let Some(columns) = &self.columns {
            return columns.mapping();
        }
        let best_first = |keys: &BTreeMap<String, usize>| {
            let mut ranked: Vec<(usize, &String)> =
                keys.iter().map(|(key, rank)| (*rank, key)).collect();
            ranked.sort_unstable();
            ranked.into_iter().map(|(_, key)| key.clone()).collect()
        };
        self.keys
            .iter()
            .map(|(field, keys)| (field.as_str().to_owned(), best_first(keys)))
            .collect()
    }
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
