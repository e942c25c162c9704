//! A scan as a device sends it, and as the rules take it.
//!
//! Invariant: a [`Scan`] names exactly one of a code, a row and a walk-in; all texts are bounded.
//! Failure: every wrong field is reported with its JSON pointer.

use std::collections::HashSet;
use std::fmt::Write;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::{Builder, Uuid};

use super::caller::Scanner;
use super::clock::Times;
use super::decide::Ids;
use super::guest::MAX_PARTY;
use super::guest::tidy;
use super::report::Offline;
use super::verdict::Direction;
use crate::data;
use crate::email;
use crate::invalid::Invalid;
use crate::name;
use crate::time;

/// Most bytes of the answers to questions, as JSON.
const MAX_ANSWERS: usize = 8 * 1024;

/// Tables one scan, or one scanner, may be for.
pub const MAX_TABLES: usize = 20;

/// The body of `POST /pulse/check-ins`, an item of a batch, and of a scan over a socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ScanIn {
    /// The check-in table. May be left out in a batch and over a socket, which have one.
    #[serde(default)]
    pub table_id: Uuid,
    /// Instead of `table_id`, the 1 to 20 tables among which the one that knows the code is looked
    /// for. Not in a batch and not over a socket, which have one table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(min_items = 1, max_items = 20))]
    pub tables: Option<Vec<Uuid>>,
    /// The code that was read, at most 512 characters after trimming.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barcode: Option<String>,
    /// The guest, picked by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_id: Option<Uuid>,
    /// A guest who is on no list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walk_in: Option<WalkIn>,
    /// Chosen by the device for this scan and repeated with each retry; 1 to 200 characters.
    pub nonce: String,
    /// Which way the guest goes.
    #[serde(default)]
    pub direction: Direction,
    /// When the code was read, by the device's clock.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::ms_option"
    )]
    pub scanned_at: Option<DateTime<Utc>>,
    /// When this request was sent, by the device's clock.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::ms_option"
    )]
    pub sent_at: Option<DateTime<Utc>>,
    /// The gate, when it is not the session's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// It already happened: record it whatever the rules say.
    #[serde(default)]
    pub force: bool,
    /// At most 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Who scans, when it is not the session's person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scanner: Option<Scanner>,
    /// How many people of the ticket go, 1 to 1,000; all that may, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<u16>,
    /// Answers to the table's questions by their ids; at most 8 KiB.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub answers: Map<String, Value>,
    /// Admit who has not paid, where the table allows that (`admit_unpaid`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_unpaid: bool,
    /// `false` from a device that cannot ask: questions do not hold its guests up.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub questions_supported: bool,
    /// What the device told the guest when it had no connection. The server keeps to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<Offline>,
}

/// A guest who is on no list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WalkIn {
    /// 1 to 200 characters.
    pub name: String,
    /// At most 254 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// At most 80 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// A code given to the guest at the door, such as a wristband; at most 512 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barcode: Option<String>,
}

/// Whom a scan is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The holder of a code.
    Code(String),
    /// The guest of a row.
    Row(Uuid),
    /// A guest who is on no list.
    WalkIn(WalkIn),
}

/// A scan that is well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Whom it is about.
    pub target: Target,
    /// The device's name for this scan.
    pub nonce: String,
    /// Which way the guest goes.
    pub direction: Direction,
    /// When it was read, sent and received.
    pub times: Times,
    /// The gate, when it is not the session's.
    pub gate: Option<String>,
    /// It already happened.
    pub force: bool,
    /// A remark.
    pub notes: Option<String>,
    /// Who scans, when it is not the session's person.
    pub scanner: Option<Scanner>,
    /// How many people go, if that was said.
    pub people: Option<u16>,
    /// Answers to questions.
    pub answers: Map<String, Value>,
    /// Who has not paid may enter, if the table agrees.
    pub ignore_unpaid: bool,
    /// Whether the device can ask.
    pub questions_supported: bool,
    /// What it told the guest without a connection.
    pub offline: Option<Offline>,
}

impl Default for ScanIn {
    fn default() -> Self {
        Self {
            table_id: Uuid::nil(),
            tables: None,
            barcode: None,
            row_id: None,
            walk_in: None,
            nonce: String::new(),
            direction: Direction::default(),
            scanned_at: None,
            sent_at: None,
            gate: None,
            force: false,
            notes: None,
            scanner: None,
            people: None,
            answers: Map::new(),
            ignore_unpaid: false,
            questions_supported: true,
            offline: None,
        }
    }
}

impl ScanIn {
    /// Takes the tables out of a scan for several, checked. What is wrong with the rest is said when
    /// it is parsed.
    pub fn take_tables(&mut self) -> Result<Vec<Uuid>, Invalid> {
        let mut invalid = Invalid::default();
        let tables = self.tables.take().unwrap_or_default();
        invalid.take(distinct("/tables", &tables));
        if tables.is_empty() {
            invalid.add("/tables", "required", "Name at least one table.");
        }
        if !self.table_id.is_nil() {
            invalid.add("/table_id", "one_of", "Give either table_id or tables.");
        }
        if self.walk_in.is_some() {
            invalid.add("/walk_in", "one_table", "A walk-in is for one table.");
        }
        invalid.or(tables)
    }

    /// Checks what came in at `received_at`.
    pub fn parse(self, received_at: DateTime<Utc>) -> Result<Scan, Invalid> {
        let mut invalid = Invalid::default();
        let times = invalid.take(Times::correct(self.scanned_at, self.sent_at, received_at));
        if self.tables.is_some() {
            invalid.add("/tables", "one_table", "This scan is for one table.");
        }
        let nonce = invalid.take(name::parse("/nonce", &self.nonce, 200));
        let gate = invalid.take(name::optional("/gate", self.gate.as_deref(), 80));
        let notes = name::optional_lines("/notes", self.notes.as_deref(), 2_000);
        let notes = invalid.take(notes);
        let scanner = self.scanner.and_then(|scanner| scanner.parse(&mut invalid));
        if self
            .people
            .is_some_and(|people| !(1..=MAX_PARTY).contains(&people))
        {
            invalid.add("/people", "out_of_range", "A whole number, 1 to 1000.");
        }
        invalid.take(data::check("/answers", &self.answers, MAX_ANSWERS));
        let offline = self.offline.map(|told| told.parse(&mut invalid));
        let target = match (self.barcode, self.row_id, self.walk_in) {
            (Some(code), None, None) => invalid.take(barcode("/barcode", &code)).map(Target::Code),
            (None, Some(row), None) => Some(Target::Row(row)),
            (None, None, Some(walk_in)) => {
                if self.direction == Direction::Exit {
                    invalid.add("/direction", "walk_in_exit", "A walk-in can only enter.");
                }
                Some(Target::WalkIn(walk_in.parse(&mut invalid)))
            }
            _ => {
                invalid.add(
                    "",
                    "one_target",
                    "Give exactly one of barcode, row_id and walk_in.",
                );
                None
            }
        };
        match (target, nonce, times) {
            (Some(target), Some(nonce), Some(times)) => invalid.or(Scan {
                target,
                nonce,
                direction: self.direction,
                times,
                gate: gate.flatten(),
                force: self.force,
                notes: notes.flatten(),
                scanner,
                people: self.people,
                answers: self.answers,
                ignore_unpaid: self.ignore_unpaid,
                questions_supported: self.questions_supported,
                offline,
            }),
            _ => Err(invalid),
        }
    }
}

impl WalkIn {
    fn parse(self, invalid: &mut Invalid) -> Self {
        let category = name::optional("/walk_in/category", self.category.as_deref(), 80);
        let code = tidy(self.barcode).map(|code| barcode("/walk_in/barcode", &code));
        Self {
            name: invalid
                .take(name::parse("/walk_in/name", &self.name, 200))
                .unwrap_or_default(),
            email: address("/walk_in/email", self.email.as_deref(), invalid),
            category: invalid.take(category).flatten(),
            barcode: code.and_then(|code| invalid.take(code)),
        }
    }
}

impl Scanner {
    /// Checks who scans; none when neither name nor address is given.
    fn parse(self, invalid: &mut Invalid) -> Option<Self> {
        let name = name::optional("/scanner/name", self.name.as_deref(), 200);
        let name = invalid.take(name).flatten();
        let email = address("/scanner/email", self.email.as_deref(), invalid);
        (name.is_some() || email.is_some()).then_some(Self { name, email })
    }
}

/// At most [`MAX_TABLES`], none of them twice.
pub fn distinct(pointer: &str, tables: &[Uuid]) -> Result<(), Invalid> {
    let mut invalid = Invalid::default();
    if tables.len() > MAX_TABLES {
        invalid.add(pointer, "too_many", "At most 20 tables.");
        return Err(invalid);
    }
    let mut seen = HashSet::new();
    for (place, table) in tables.iter().enumerate() {
        if !seen.insert(table) {
            invalid.add(format!("{pointer}/{place}"), "repeated", "Given twice.");
        }
    }
    invalid.or(())
}

/// A code as it was read, trimmed: 1 to 512 characters of any kind but NUL, which no store keeps.
fn barcode(pointer: &str, code: &str) -> Result<String, Invalid> {
    let code = code.trim();
    if code.is_empty() {
        Err(Invalid::one(pointer, "required", "Must not be empty."))
    } else if code.len() > 512 && code.chars().count() > 512 {
        Err(Invalid::one(
            pointer,
            "too_long",
            "Must have at most 512 characters.",
        ))
    } else if code.contains('\0') {
        Err(Invalid::one(
            pointer,
            "control_character",
            "Must not contain NUL.",
        ))
    } else {
        Ok(code.to_owned())
    }
}

fn address(pointer: &str, text: Option<&str>, invalid: &mut Invalid) -> Option<String> {
    let text = text.filter(|text| !text.trim().is_empty())?;
    invalid.take(email::parse(pointer, text))
}

impl Scan {
    /// A device without a connection let the guest through.
    pub fn admitted_offline(&self) -> bool {
        self.offline.as_ref().is_some_and(Offline::admitted)
    }

    /// What makes two requests the same scan: who sent it, which way, about whom, and the nonce.
    /// Texts that could hold a separator carry their length, so no two scans share a key. At most
    /// about 6 kB, normally under 100 bytes.
    pub fn nonce_key(&self, origin: Uuid) -> String {
        let mut key = String::with_capacity(128);
        // Writing to a String cannot fail.
        let _ = write!(key, "{origin}|{}|", self.direction.as_str());
        match &self.target {
            Target::Code(code) => part(&mut key, 'b', code),
            Target::Row(row) => {
                let _ = write!(key, "r{row}");
            }
            Target::WalkIn(guest) => {
                part(&mut key, 'w', &guest.name);
                part(&mut key, 'e', guest.email.as_deref().unwrap_or_default());
                part(&mut key, 'b', guest.barcode.as_deref().unwrap_or_default());
            }
        }
        key.push('|');
        key.push_str(&self.nonce);
        key
    }

    /// The ids to record it under. Those of a scan that its device dated follow from the scan, so that
    /// they do not depend on the order of arrival, and a device that did not hear the answer and
    /// decided by itself knows them too.
    pub fn ids(&self, table_id: Uuid, origin: Uuid, fresh: Ids) -> Ids {
        match self.offline.is_some() || self.times.scanned_at.is_some() {
            true => self.own_ids(table_id, origin),
            false => fresh,
        }
    }

    /// The ids of a scan that the device `origin` decides by itself.
    pub fn own_ids(&self, table_id: Uuid, origin: Uuid) -> Ids {
        let key = self.nonce_key(origin);
        let at = self.times.scanned_at.unwrap_or(self.times.check_in_time);
        Ids {
            check_in: record_id(table_id, at, &key),
            row: derived(table_id, at, &format!("row|{key}")),
        }
    }
}

/// The id of the record of a scan that a device decided by itself.
pub(super) fn record_id(table_id: Uuid, at: DateTime<Utc>, nonce_key: &str) -> Uuid {
    derived(table_id, at, &format!("check-in|{nonce_key}"))
}

/// An id of the moment `at` that follows from the table and a text.
pub(crate) fn derived(table_id: Uuid, at: DateTime<Utc>, text: &str) -> Uuid {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
    let hash = Uuid::new_v5(&table_id, text.as_bytes()).into_bytes();
    let mut random = [0; 10];
    random.copy_from_slice(hash.split_at(6).1);
    Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_yes(flag: &bool) -> bool {
    *flag
}

fn part(key: &mut String, kind: char, text: &str) {
    let _ = write!(key, "{kind}{}:{text}", text.len());
}
