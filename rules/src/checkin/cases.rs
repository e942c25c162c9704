//! Case files of kind `checkin`: a table, steps on it, and what each step must answer.
//!
//! Invariant: a case runs on a table of its own; ids are made from the places of rows and steps,
//! so a file always gives the same results.
//! Failure: a file of another form is refused as a whole; a case that cannot be run has failed.
//!
//! ```json
//! {"cases": [{"id": "second-scan", "title": "…",
//!   "state": {"settings": {}, "gates": [], "timezone": "UTC", "roster": [{"name": "Ada", "barcode": "A"}]},
//!   "scans": [{"at": "2024-06-01T18:00:00Z", "scan": {"barcode": "A"}}, {"at": "…", "annul": 1}],
//!   "expect": [{"verdict": "accepted", "counts": {"inside": 1}}, {"error": "too_late"}]}]}
//! ```
//! A step is one of `scan` (a request body; `table_id` and `nonce` are filled in), `annul` (the
//! number of an earlier step, from 1), `set` (the table's state), `upsert` (a row) and
//! `remove` (a row's id). A table may have `tickets` (keys and revoked serials) and be
//! `without_list`. Rows without an id are numbered from 1. What is expected must be part of
//! what is observed: the answer, the log entry's own fields, `replayed`, `counts`, `error` (the
//! code of a refusal) and `explains` (part of the explanation). Absent fields match `null`.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::annul::AnnulIn;
use super::answer::answer;
use super::caller::{Actor, ActorKind, Caller};
use super::decide::Ids;
use super::entry::Entry;
use super::gate;
use super::guest::Row;
use super::journal::{Journal, NotAnnulled, Outcome};
use super::scan::ScanIn;
use super::state::{Config, State};
use super::ticket::Tickets;
use crate::cases::CaseResult;
use crate::civil::Zone;
use crate::invalid::Invalid;
use crate::time;

/// The table of every case.
const TABLE: Uuid = Uuid::from_u128(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "meta")]
    _meta: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    #[serde(default, rename = "title")]
    _title: String,
    #[serde(default)]
    state: Table,
    scans: Vec<Step>,
    expect: Vec<Value>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    settings: Option<Value>,
    gates: Option<Value>,
    timezone: Option<String>,
    #[serde(default)]
    roster: Vec<Value>,
    without_list: Option<bool>,
    tickets: Option<Tickets>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Step {
    #[serde(with = "time::ms_option")]
    at: Option<DateTime<Utc>>,
    /// The name of the scanner session; `A` when not said.
    session: Option<String>,
    /// Where that session stands.
    session_gate: Option<String>,
    manager: bool,
    anonymous: bool,
    scan: Option<Map<String, Value>>,
    annul: Option<usize>,
    nonce: Option<String>,
    set: Option<Table>,
    upsert: Option<Value>,
    remove: Option<Uuid>,
}

/// Runs the cases of a file's text.
pub fn run(json: &str) -> Result<Vec<CaseResult>, Invalid> {
    let file: File = serde_json::from_str(json)
        .map_err(|error| Invalid::one("", "malformed_cases", error.to_string()))?;
    Ok(file.cases.into_iter().map(Case::run).collect())
}

impl Case {
    fn run(self) -> CaseResult {
        let id = self.id.clone();
        let wrong = self.wrong().unwrap_or_else(|why| vec![why]);
        CaseResult {
            id,
            passed: wrong.is_empty(),
            detail: wrong.join("; "),
        }
    }

    fn wrong(self) -> Result<Vec<String>, String> {
        if self.scans.len() != self.expect.len() {
            return Err("every step needs an expectation".to_owned());
        }
        let mut journal = Journal::new(State::new(TABLE, Config::default()));
        self.state
            .put(&mut journal)
            .map_err(|invalid| format!("state: {}", codes(&invalid)))?;
        let mut records = Vec::new();
        let mut wrong = Vec::new();
        for (place, (step, expected)) in self.scans.into_iter().zip(&self.expect).enumerate() {
            let observed = step.run(place, &mut journal, &mut records)?;
            let mut differences = Vec::new();
            compare("", expected, &observed, &mut differences);
            wrong.extend(
                differences
                    .into_iter()
                    .map(|what| format!("step {}{what}", place + 1)),
            );
        }
        Ok(wrong)
    }
}

impl Table {
    fn put(self, journal: &mut Journal) -> Result<(), Invalid> {
        let state = journal.state_mut();
        if let Some(settings) = &self.settings {
            state.config.settings = state.config.settings.patch(settings, "/settings")?;
        }
        if let Some(gates) = &self.gates {
            state.config.gates = gate::parse(gates, "/gates")?;
        }
        if let Some(timezone) = &self.timezone {
            state.config.timezone = Zone::parse(timezone)?;
        }
        state.without_list = self.without_list.unwrap_or(state.without_list);
        if let Some(tickets) = self.tickets {
            state.tickets = tickets;
        }
        for (place, guest) in self.roster.into_iter().enumerate() {
            state.roster.upsert(row(guest, place + 1)?);
        }
        Ok(())
    }
}

impl Step {
    /// What is seen of the step; an error when it is no step at all.
    fn run(
        self,
        place: usize,
        journal: &mut Journal,
        records: &mut Vec<Option<Uuid>>,
    ) -> Result<Value, String> {
        let now = self.at.unwrap_or_default();
        let caller = self.caller();
        let mut record = None;
        let observed = if let Some(body) = self.scan {
            let ids = Ids {
                check_in: number(0x1000, place),
                row: number(0x2000, place),
            };
            let body = body_of(body, place)?;
            let outcome = journal.scan(body, &caller, ids, now);
            record = outcome
                .as_ref()
                .ok()
                .map(|outcome| outcome.entry.check_in_id);
            outcome
                .map(seen)
                .unwrap_or_else(|invalid| refused(&codes(&invalid)))
        } else if let Some(step) = self.annul {
            let earlier = step
                .checked_sub(1)
                .and_then(|step| records.get(step).copied());
            let earlier = earlier.flatten().ok_or("annuls a step without record")?;
            let request = AnnulIn {
                table_id: None,
                nonce: self.nonce,
            };
            match journal.annul(earlier, request, &caller, now) {
                Ok(outcome) => seen(outcome),
                Err(NotAnnulled::Unknown) => refused("unknown_check_in"),
                Err(NotAnnulled::Invalid(invalid)) => refused(&codes(&invalid)),
                Err(NotAnnulled::Refused(refusal)) => refused(refusal.code()),
            }
        } else if let Some(table) = self.set {
            table
                .put(journal)
                .map_or_else(|invalid| refused(&codes(&invalid)), |()| json!({}))
        } else if let Some(guest) = self.upsert {
            let guest = row(guest, place + 1).map_err(|invalid| codes(&invalid))?;
            journal.state_mut().roster.upsert(guest);
            json!({})
        } else if let Some(row) = self.remove {
            journal.state_mut().roster.remove(row);
            json!({})
        } else {
            return Err(format!("step {} does nothing", place + 1));
        };
        records.push(record);
        Ok(with_counts(observed, journal.state()))
    }

    fn caller(&self) -> Caller {
        let name = self.session.as_deref().unwrap_or("A");
        let session = name
            .bytes()
            .fold(0xD, |number, byte| (number << 8) | u128::from(byte));
        let session = Uuid::from_u128(session);
        let kind = if self.anonymous {
            ActorKind::Anonymous
        } else {
            ActorKind::Device
        };
        Caller {
            actor: Actor { kind, id: session },
            session_id: Some(session),
            guest_device: None,
            device: Some(format!("Scanner {name}")),
            gate: self.session_gate.clone(),
            scanner: None,
            manager: self.manager,
        }
    }
}

fn body_of(mut body: Map<String, Value>, place: usize) -> Result<ScanIn, String> {
    body.entry("table_id").or_insert_with(|| json!(TABLE));
    body.entry("nonce")
        .or_insert_with(|| json!(format!("step {}", place + 1)));
    ScanIn::deserialize(Value::Object(body)).map_err(|error| format!("scan: {error}"))
}

fn row(mut row: Value, number_of_row: usize) -> Result<Row, Invalid> {
    if let Some(fields) = row.as_object_mut() {
        fields
            .entry("id")
            .or_insert_with(|| json!(number(0, number_of_row)));
    }
    Row::deserialize(row).map_err(|error| Invalid::one("/roster", "malformed", error.to_string()))
}

fn number(base: u128, place: usize) -> Uuid {
    Uuid::from_u128(base + u128::try_from(place).unwrap_or_default())
}

fn seen(Outcome { entry, replayed }: Outcome<'_>) -> Value {
    let mut observed = json!({
        "replayed": replayed,
        "effect": entry.effect,
        "forced": entry.forced,
        "force_sent": entry.force_sent,
        "overrode": entry.overrode,
        "walk_in": entry.walk_in,
        "first_of_guest": entry.first_of_guest,
        "inside_delta": entry.inside_delta,
        "gate": entry.gate,
        "check_in_time": time::render(entry.check_in_time),
        "clock_skew_ms": entry.clock_skew_ms,
        "recorded": Entry::is_admission(entry) && !replayed,
    });
    let answer = serde_json::to_value(answer(entry, TABLE)).unwrap_or_default();
    if let (Some(fields), Value::Object(answer)) = (observed.as_object_mut(), answer) {
        fields.extend(answer);
    }
    observed
}

fn refused(code: &str) -> Value {
    json!({ "error": code })
}

fn with_counts(mut observed: Value, state: &State) -> Value {
    if let Some(fields) = observed.as_object_mut() {
        let counts = serde_json::to_value(state.stats()).unwrap_or_default();
        fields.insert("counts".to_owned(), counts);
    }
    observed
}

fn codes(invalid: &Invalid) -> String {
    let codes: Vec<&str> = invalid
        .errors
        .iter()
        .map(|error| error.code.as_str())
        .collect();
    codes.join(", ")
}

/// Notes where `expected` is not part of `observed`.
fn compare(path: &str, expected: &Value, observed: &Value, wrong: &mut Vec<String>) {
    let Value::Object(fields) = expected else {
        if expected != observed {
            wrong.push(format!("{path}: expected {expected}, got {observed}"));
        }
        return;
    };
    for (name, expected) in fields {
        if let ("explains", Some(part)) = (name.as_str(), expected.as_str()) {
            let text = observed
                .get("explanation")
                .and_then(Value::as_str)
                .unwrap_or_default();
            if !text.contains(part) {
                wrong.push(format!(
                    "{path}/explanation: {text:?} does not say {part:?}"
                ));
            }
            continue;
        }
        let found = observed.get(name).unwrap_or(&Value::Null);
        compare(&format!("{path}/{name}"), expected, found, wrong);
    }
}
