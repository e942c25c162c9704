//! A guest as an organiser gives one: what is checked before a row is kept.
//!
//! Invariant: a guest can be shown and found: by name, else by email, else by code; one that has
//! none of the three is no guest. Nothing holds a NUL, which Postgres cannot keep. A guest without a
//! code is legal: such a one is found by name at the door.
//! Failure: every wrong field is told with its pointer.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::checkin::guest::{MAX_PARTY, Status, one};
use crate::invalid::Invalid;
use crate::patch::Patch;
use crate::{data, email, name, time};

/// Longest name, in characters.
pub const MAX_NAME: usize = 200;
/// Longest code, in characters.
pub const MAX_BARCODE: usize = 512;
/// Longest category, in characters.
pub const MAX_CATEGORY: usize = 80;
/// Longest attention note, in characters.
pub const MAX_NOTE: usize = 2_000;
/// Most fields of `data`.
pub const MAX_DATA_FIELDS: usize = 300;
/// Longest name of a field of `data`, in characters.
pub const MAX_DATA_KEY: usize = 300;
/// Most bytes of `data` as JSON.
pub const MAX_DATA_BYTES: usize = 32 * 1024;

/// A guest as sent: the body of `POST /pulse/tables/{id}/rows`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GuestIn {
    /// Display name, at most 200 characters; the email or the code stands in when it is missing.
    #[serde(default)]
    #[cfg_attr(
        feature = "schema",
        schema(max_length = 200, pattern = r"^\s*[^\x00-\x1f\x7f]*\s*$")
    )]
    pub name: Option<String>,
    /// Email address.
    #[serde(default)]
    #[cfg_attr(
        feature = "schema",
        schema(max_length = 254, pattern = r"^\s*([^\s@]+@[^\s@]+)?\s*$")
    )]
    pub email: Option<String>,
    /// What is scanned, at most 512 characters.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(max_length = 512, pattern = r"^[^\x00]*$"))]
    pub barcode: Option<String>,
    /// Ticket category, at most 80 characters.
    #[serde(default)]
    #[cfg_attr(
        feature = "schema",
        schema(max_length = 80, pattern = r"^\s*[^\x00-\x1f\x7f]*\s*$")
    )]
    pub category: Option<String>,
    /// `confirmed` (default), `canceled`, `blocked`, `revoked` or `unpaid`.
    #[serde(default)]
    #[cfg_attr(
        feature = "schema",
        schema(pattern = r"^\s*(confirmed|canceled|blocked|revoked|unpaid)?\s*$")
    )]
    pub status: Option<String>,
    /// First instant of admission, RFC 3339.
    #[serde(default)]
    #[cfg_attr(
        feature = "schema",
        schema(
            pattern = r"^\s*(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d))?\s*$"
        )
    )]
    pub valid_from: Option<String>,
    /// Last instant of admission, RFC 3339.
    #[serde(default)]
    #[cfg_attr(
        feature = "schema",
        schema(
            pattern = r"^\s*(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d))?\s*$"
        )
    )]
    pub valid_until: Option<String>,
    /// What the person at the door must see, at most 2,000 characters.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(max_length = 2000))]
    pub attention_note: Option<String>,
    /// How many people the ticket is for, 1 to 1,000; 1 when absent.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 1000))]
    pub party: Option<i64>,
    /// Anything else worth keeping, at most 32 KiB.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub data: Option<Map<String, Value>>,
}

/// A guest that may be kept; serialises into the columns of `pulse_rows`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewGuest {
    /// Display name.
    pub name: String,
    /// Email address.
    pub email: Option<String>,
    /// What is scanned.
    pub barcode: Option<String>,
    /// Ticket category.
    pub category: Option<String>,
    /// Whether the guest may come at all.
    pub status: Status,
    /// First instant of admission.
    #[serde(default, with = "time::ms_option")]
    pub valid_from: Option<DateTime<Utc>>,
    /// Last instant of admission.
    #[serde(default, with = "time::ms_option")]
    pub valid_until: Option<DateTime<Utc>>,
    /// What the person at the door must see.
    pub attention_note: Option<String>,
    /// How many people the ticket is for.
    #[serde(default = "one")]
    pub party: u16,
    /// Anything else.
    pub data: Map<String, Value>,
}

/// Changes to a guest as sent: the body of `PATCH /pulse/tables/{id}/rows/{row}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[allow(missing_docs)]
pub struct GuestPatch {
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, min_length = 1, max_length = 200, pattern = r"^\s*[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*\s*$"))]
    pub name: Patch<String>,
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, max_length = 254, pattern = r"^\s*([^\s@]+@[^\s@]+)?\s*$"))]
    pub email: Patch<String>,
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, max_length = 512, pattern = r"^[^\x00]*$"))]
    pub barcode: Patch<String>,
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, max_length = 80, pattern = r"^\s*[^\x00-\x1f\x7f]*\s*$"))]
    pub category: Patch<String>,
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, pattern = r"^\s*(confirmed|canceled|blocked|revoked|unpaid)?\s*$"))]
    pub status: Patch<String>,
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, pattern = r"^\s*(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d))?\s*$"))]
    pub valid_from: Patch<String>,
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, pattern = r"^\s*(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d))?\s*$"))]
    pub valid_until: Patch<String>,
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, max_length = 2000))]
    pub attention_note: Patch<String>,
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<i64>, minimum = 1, maximum = 1000))]
    pub party: Patch<i64>,
    #[serde(default, skip_serializing_if = "Patch::is_absent")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub data: Patch<Map<String, Value>>,
}

impl GuestIn {
    /// Checks what came in.
    pub fn parse(self) -> Result<NewGuest, Invalid> {
        let mut invalid = Invalid::default();
        let shown = |text: &Option<String>| {
            text.as_deref()
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let (mail, barcode) = (shown(&self.email), shown(&self.barcode));
        let called = match shown(&self.name) {
            Some(called) => invalid.take(name::parse("/name", &called, MAX_NAME)),
            None => mail.clone().or_else(|| barcode.as_deref().map(plain)),
        };
        if called.is_none() && invalid.errors.is_empty() {
            invalid.add(
                "",
                "empty_guest",
                "A guest needs a name, an email address or a code.",
            );
        }
        let mail = mail.and_then(|mail| invalid.take(email::parse("/email", &mail)));
        let barcode = barcode.and_then(|code| invalid.take(parse_code("/barcode", &code)));
        let category = invalid
            .take(name::optional(
                "/category",
                self.category.as_deref(),
                MAX_CATEGORY,
            ))
            .flatten();
        let status = shown(&self.status).map_or(Some(Status::default()), |text| {
            invalid.take(parse_status(&text))
        });
        let valid_from = shown(&self.valid_from)
            .and_then(|text| invalid.take(time::parse("/valid_from", &text)));
        let valid_until = shown(&self.valid_until)
            .and_then(|text| invalid.take(time::parse("/valid_until", &text)));
        check_order(valid_from, valid_until, &mut invalid);
        let note = self.attention_note.as_deref();
        let attention_note = invalid
            .take(name::optional_lines("/attention_note", note, MAX_NOTE))
            .flatten();
        let party = self
            .party
            .and_then(|party| invalid.take(parse_party(party)));
        let data = invalid
            .take(parse_data(self.data.unwrap_or_default()))
            .unwrap_or_default();
        invalid.or(NewGuest {
            name: called.unwrap_or_default(),
            email: mail,
            barcode,
            category,
            status: status.unwrap_or_default(),
            valid_from,
            valid_until,
            attention_note,
            party: party.unwrap_or(1),
            data,
        })
    }
}

impl GuestPatch {
    /// Checks what came in. Fields that were not sent stay absent; the name cannot be cleared; a
    /// cleared status is `confirmed`, a cleared party is 1, cleared data is empty. Instants come out as they are kept.
    pub fn parse(self) -> Result<Self, Invalid> {
        let mut invalid = Invalid::default();
        let name = match self.name {
            Patch::Null => {
                invalid.add("/name", "required", "Must not be empty.");
                Patch::Absent
            }
            Patch::Absent => Patch::Absent,
            Patch::Value(text) => set(invalid.take(name::parse("/name", &text, MAX_NAME))),
        };
        let mut optional =
            |field: Patch<String>, parse: &dyn Fn(&str) -> Result<Option<String>, Invalid>| {
                match field {
                    Patch::Value(text) => invalid
                        .take(parse(text.trim()))
                        .map_or(Patch::Absent, |kept| kept.map_or(Patch::Null, Patch::Value)),
                    other => other,
                }
            };
        let filled = |text: &str| !text.is_empty();
        let email = optional(self.email, &|text| {
            filled(text)
                .then(|| email::parse("/email", text))
                .transpose()
        });
        let barcode = optional(self.barcode, &|text| {
            filled(text)
                .then(|| parse_code("/barcode", text))
                .transpose()
        });
        let category = optional(self.category, &|text| {
            name::optional("/category", Some(text), MAX_CATEGORY)
        });
        let attention_note = optional(self.attention_note, &|text| {
            name::optional_lines("/attention_note", Some(text), MAX_NOTE)
        });
        let status = optional(self.status, &|text| {
            parse_status(text).map(|status| Some(word(status).to_owned()))
        });
        let instant = |pointer: &'static str| {
            move |text: &str| time::parse(pointer, text).map(|at| Some(time::render(at)))
        };
        let valid_from = optional(self.valid_from, &instant("/valid_from"));
        let valid_until = optional(self.valid_until, &instant("/valid_until"));
        let at = |field: &Patch<String>| field.value().and_then(|text| time::try_parse(text));
        check_order(at(&valid_from), at(&valid_until), &mut invalid);
        let party = match self.party {
            Patch::Value(party) => set(invalid.take(parse_party(party).map(i64::from))),
            other => other,
        };
        let data = match self.data {
            Patch::Value(data) => set(invalid.take(parse_data(data))),
            other => other,
        };
        invalid.or(Self {
            name,
            email,
            barcode,
            category,
            status,
            valid_from,
            valid_until,
            attention_note,
            party,
            data,
        })
    }
}

/// A code as it is kept: trimmed, 1 to 512 characters of any kind but NUL.
pub fn parse_code(pointer: &str, code: &str) -> Result<String, Invalid> {
    let code = code.trim();
    if code.is_empty() {
        Err(Invalid::one(pointer, "required", "Must not be empty."))
    } else if code.chars().count() > MAX_BARCODE {
        Err(Invalid::one(
            pointer,
            "too_long",
            format!("Must have at most {MAX_BARCODE} characters."),
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

/// The stable word of a status.
pub const fn word(status: Status) -> &'static str {
    match status {
        Status::Confirmed => "confirmed",
        Status::Canceled => "canceled",
        Status::Blocked => "blocked",
        Status::Revoked => "revoked",
        Status::Unpaid => "unpaid",
    }
}

fn parse_status(text: &str) -> Result<Status, Invalid> {
    [
        Status::Confirmed,
        Status::Canceled,
        Status::Blocked,
        Status::Revoked,
        Status::Unpaid,
    ]
    .into_iter()
    .find(|status| word(*status) == text)
    .ok_or_else(|| {
        Invalid::one(
            "/status",
            "invalid_status",
            "Must be confirmed, canceled, blocked, revoked or unpaid.",
        )
    })
}

fn parse_party(party: i64) -> Result<u16, Invalid> {
    let party = u16::try_from(party).ok();
    party
        .filter(|party| (1..=MAX_PARTY).contains(party))
        .ok_or_else(|| Invalid::one("/party", "out_of_range", "A whole number, 1 to 1000."))
}

fn parse_data(data: Map<String, Value>) -> Result<Map<String, Value>, Invalid> {
    if data.len() > MAX_DATA_FIELDS {
        return Err(Invalid::one(
            "/data",
            "too_many_fields",
            format!("Must have at most {MAX_DATA_FIELDS} fields."),
        ));
    }
    if data.keys().any(|key| key.chars().count() > MAX_DATA_KEY) {
        return Err(Invalid::one(
            "/data",
            "too_long",
            format!("Names have at most {MAX_DATA_KEY} characters."),
        ));
    }
    data::check("/data", &data, MAX_DATA_BYTES)?;
    Ok(data)
}

fn check_order(from: Option<DateTime<Utc>>, until: Option<DateTime<Utc>>, invalid: &mut Invalid) {
    if let (Some(from), Some(until)) = (from, until)
        && until < from
    {
        invalid.add(
            "/valid_until",
            "before_valid_from",
            "Must not lie before valid_from.",
        );
    }
}

/// A code as a name: its printable characters, cut to a name's length.
fn plain(code: &str) -> String {
    code.chars()
        .filter(|c| !c.is_control())
        .take(MAX_NAME)
        .collect()
}

fn set<T>(value: Option<T>) -> Patch<T> {
    value.map_or(Patch::Absent, Patch::Value)
}

#[cfg(test)]
#[path = "guest_row_tests.rs"]
mod tests;
