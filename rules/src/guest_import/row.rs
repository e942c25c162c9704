//! One record of a file becomes a guest.
//!
//! Invariant: what is wrong with a record is told field by field, with the record's line.
//! Failure: a record with anything wrong is no guest at all.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::columns::Field;
use super::{Parsed, Problem, dates, quoted, words};
use crate::checkin::guest::Status;
use crate::civil::Zone;
use crate::guest_row::{GuestIn, word};
use crate::time;

/// A record whose cells were told apart.
#[derive(Debug, Default)]
pub struct Draft {
    /// What each field says; blank ones are not in it.
    pub cells: BTreeMap<Field, String>,
    /// What no field takes.
    pub data: Map<String, Value>,
    /// What went wrong already.
    pub problems: Vec<Problem>,
}

impl Draft {
    /// Whether nothing was in the record at all: a blank line as spreadsheets write it.
    pub fn is_blank(&self) -> bool {
        self.cells.is_empty() && self.data.is_empty() && self.problems.is_empty()
    }

    /// Makes a guest of it.
    pub fn finish(mut self, line: u32, zone: &Zone) -> Parsed {
        let mut problems = std::mem::take(&mut self.problems);
        let mut wrong = |field: Field, code: &str, message: String| {
            problems.push(Problem {
                line,
                field: Some(field.as_str().to_owned()),
                code: code.to_owned(),
                message,
            });
        };
        let status = match self.status() {
            Ok(status) => status,
            Err(cell) => {
                wrong(
                    Field::Status,
                    "unknown_status",
                    format!(
                        "{} is not known as a status; use confirmed, canceled, blocked, revoked or unpaid.",
                        quoted(cell)
                    ),
                );
                Status::Confirmed
            }
        };
        let mut instant = |field: Field, end: bool| {
            let cell = self.cells.get(&field)?;
            let instant = dates::parse(cell, zone, end);
            if instant.is_none() {
                wrong(
                    field,
                    "invalid_time",
                    format!(
                        "{} is not a time; write it as 2026-06-01 18:30.",
                        quoted(cell)
                    ),
                );
            }
            instant.map(time::render)
        };
        let valid_from = instant(Field::ValidFrom, false);
        let valid_until = instant(Field::ValidUntil, true);
        if let Some(code) = self
            .cells
            .get(&Field::Barcode)
            .filter(|code| words::rounded(code))
        {
            let message = format!(
                "{} is a number that a spreadsheet rounded; export the codes as text.",
                quoted(code)
            );
            wrong(Field::Barcode, "rounded_code", message);
        }
        let party = self.cells.get(&Field::Party).and_then(|cell| {
            let party = words::count(cell);
            if party.is_none() {
                let message = format!("{} is not a number of people.", quoted(cell));
                wrong(Field::Party, "invalid_number", message);
            }
            party
        });
        let guest = GuestIn {
            name: self.name().map(|name| one_line(&name)),
            email: self.cells.remove(&Field::Email),
            barcode: self.cells.remove(&Field::Barcode),
            category: self
                .cells
                .remove(&Field::Category)
                .map(|category| one_line(&category)),
            status: Some(word(status).to_owned()),
            valid_from,
            valid_until,
            attention_note: self.note(),
            party,
            data: Some(self.data),
        };
        match guest.parse() {
            Ok(guest) if problems.is_empty() => Parsed::Guest {
                line,
                guest: Box::new(guest),
                duplicate_of: None,
            },
            Ok(_) => Parsed::Bad { line, problems },
            Err(invalid) => {
                problems.extend(invalid.errors.into_iter().map(|error| {
                    Problem {
                        line,
                        field: Some(error.pointer.trim_start_matches('/').to_owned())
                            .filter(|field| !field.is_empty()),
                        code: error.code,
                        message: error.message,
                    }
                }));
                Parsed::Bad { line, problems }
            }
        }
    }

    /// The status cell; a ticket that is marked as blocked is blocked at best, one that is marked as
    /// not paid unpaid.
    fn status(&self) -> Result<Status, &str> {
        let said = match self.cells.get(&Field::Status) {
            Some(cell) => words::status(cell).ok_or(cell.as_str())?,
            None => Status::Confirmed,
        };
        let flag = |field: Field| self.cells.get(&field).and_then(|cell| words::yes(cell));
        let (blocked, paid) = (flag(Field::Blocked), flag(Field::Paid));
        Ok(match said {
            Status::Confirmed | Status::Unpaid if blocked == Some(true) => Status::Blocked,
            Status::Confirmed if paid == Some(false) => Status::Unpaid,
            said => said,
        })
    }

    /// The name; first and last name joined where it is missing.
    fn name(&mut self) -> Option<String> {
        self.cells.remove(&Field::Name).or_else(|| {
            let parts = [
                self.cells.remove(&Field::FirstName),
                self.cells.remove(&Field::LastName),
            ];
            let joined = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
            Some(joined).filter(|name| !name.is_empty())
        })
    }

    /// The note; where a ticket is only marked, the organiser's comment, or that it is marked.
    fn note(&mut self) -> Option<String> {
        self.cells.remove(&Field::AttentionNote).or_else(|| {
            let marked = self
                .cells
                .get(&Field::Attention)
                .and_then(|cell| words::yes(cell))
                == Some(true);
            let comment = ["Comment", "Order comment", "Kommentar", "Bestellkommentar"]
                .iter()
                .find_map(|key| self.data.get(*key)?.as_str());
            marked.then(|| comment.unwrap_or("Requires special attention").to_owned())
        })
    }
}

/// Line breaks and runs of blanks in a label are one blank each.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
